"""The rows of docs/reference/refused-launches.md: what the tests assert is what the page says."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "reference" / "refused-launches.md"


@cache
def documented_rows() -> dict[int, tuple[set[int], set[str]]]:
    """Number of each row, with its statuses and the codes on its pages."""
    rows: dict[int, tuple[set[int], set[str]]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 4 and cells[1].isdecimal():
            statuses = {int(status) for status in re.findall(r"\b[2-5]\d\d\b", cells[3])}
            rows[int(cells[1])] = (statuses, set(re.findall(r"`([A-Z0-9-]+)`", cells[4])))
    return rows


def row_of(test: str) -> int:
    """The row that a test's name says it is about, 0 for none."""
    found = re.search(r"bad_launch_(\d\d)_", test)
    return int(found[1]) if found else 0
