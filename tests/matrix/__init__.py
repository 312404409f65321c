"""The matrix of bad launches. docs/reference/refused-launches.md lists its 70 rows with the status of each."""
