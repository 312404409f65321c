"""No row of the matrix is missing, on either platform."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from tests.matrix.rows import documented_rows

ROOT = Path(__file__).resolve().parent.parent.parent
ALL = set(range(1, 71))
# They need services that only the practice LMS has.
PRACTICE_ONLY = {66, 67}


def _rows_by_platform() -> dict[str, set[int]]:
    """The rows that the collected tests name, by the platform in their id; tests without one count as practice."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/matrix"]
    listed = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
    )
    assert listed.returncode == 0, listed.stdout[-2000:] + listed.stderr[-2000:]
    found: defaultdict[str, set[int]] = defaultdict(set)
    for test in re.findall(r"^\S+::(.*bad_launch_\d\d.*)$", listed.stdout, flags=re.MULTILINE):
        platform = "openedx" if "[openedx" in test else "practice"
        found[platform].update(int(number) for number in re.findall(r"bad_launch_(\d\d)", test))
    return found


def test_every_row_is_tried_on_both_platforms() -> None:
    rows = _rows_by_platform()
    assert rows["practice"] == ALL
    assert rows["openedx"] == ALL - PRACTICE_ONLY


def test_every_row_is_documented_with_one_status_for_each_refusal() -> None:
    rows = documented_rows()
    assert rows.keys() == ALL
    for statuses, codes in rows.values():
        assert statuses
        refusals = {status for status in statuses if status >= 400}
        # More than one only where the row names more than one fault.
        assert len(refusals) <= 2
        assert all(re.fullmatch(r"(LTI|HTTP)-[A-Z0-9-]+", code) for code in codes)
