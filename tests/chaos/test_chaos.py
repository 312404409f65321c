"""The chaos run on a small scale; ``make chaos`` is the whole one."""

from __future__ import annotations

import pytest

from tests.chaos.run import run
from tests.chaos.size import SMALL

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]


def test_every_grade_arrives_once_whatever_breaks() -> None:
    figures = run(SMALL, seed=4)
    assert figures.violations == [], figures.counts
