"""The whole circle on a small scale, with tiny models of random weights; ``make circle`` has real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.circle.run import run
from tests.circle.size import small
from tests.circle.stations import STATIONS
from tests.conftest_models import build_tiny_transformer

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]


def test_answers_that_were_confirmed_train_both_models_which_then_grade_and_explain(
    tmp_path: Path, tiny_lm_folder: Path
) -> None:
    encoder = build_tiny_transformer(tmp_path / "encoder", "bert", tokens=48)
    seen = run(small(encoder, tiny_lm_folder), tmp_path / "models")
    assert [f"{each.station}: {each.what}" for each in seen if not each.is_well] == []
    assert len(seen) == len(STATIONS)
