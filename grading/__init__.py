"""Score one free-text answer and explain the score: models in, verdicts out; no Flask, no SQL."""
