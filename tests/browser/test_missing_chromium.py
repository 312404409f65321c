"""Where no Chromium is found, the browser tests fail and say how to get one; nothing is skipped."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.browser.chromium import MISSING, chromium_path

SCRIPT = Path(__file__).parents[2] / "tools" / "ensure_chromium.sh"


def test_a_missing_chromium_is_a_failure_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    with pytest.raises(AssertionError, match="apt-get install chromium"):
        chromium_path()


def test_the_program_that_is_named_is_taken_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", sys.executable)
    assert chromium_path() == sys.executable


def test_make_says_the_same() -> None:
    assert MISSING in SCRIPT.read_text(encoding="utf-8")
