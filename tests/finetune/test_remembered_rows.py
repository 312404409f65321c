"""What a head was fitted on, kept as numbers beside the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from finetune import remembered_rows
from finetune.errors import ModelUnsuitable
from finetune.reading_head import HeadRow
from finetune.remembered_rows import REMEMBERED, read_remembered, write_remembered
from grading.answer_signs import SIGNS
from grading.domain import Verdict


def row(number: int, *, is_made_up: bool = False, weight: float = 1.0) -> HeadRow:
    return HeadRow(
        group=f"what is question {number // 2}?",
        source="a course",
        kind="gibberish" if is_made_up else "",
        is_made_up=is_made_up,
        weight=weight,
        score=number / 10,
        signs=np.linspace(-4, 4, len(SIGNS)) * number,
        said=np.array([0.5]),
        contradicted=np.array([0.1]),
        verdicts=(Verdict.COVERED,),
    )


def test_rows_come_back_without_a_word(tmp_path: Path) -> None:
    rows = [row(0), row(1), row(2, is_made_up=True, weight=0.25)]
    write_remembered(tmp_path, rows, seed=1)
    back = sorted(read_remembered(tmp_path), key=lambda each: each.score)
    assert [each.score for each in back] == pytest.approx([0, 0.1, 0.2])
    assert [each.weight for each in back] == [1, 1, 0.25]
    assert [each.is_made_up for each in back] == [False, False, True]
    assert back[0].group == back[1].group != back[2].group
    for own, other in zip(rows, back, strict=True):
        assert np.allclose(own.signs, other.signs, atol=0.01)
    assert b"question" not in (tmp_path / REMEMBERED).read_bytes()
    assert b"course" not in (tmp_path / REMEMBERED).read_bytes()


def test_rows_that_weigh_nothing_are_left_out_and_real_ones_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered_rows, "_MOST", 3)
    rows = [*(row(number, is_made_up=True) for number in range(5)), row(5), row(6), replace(row(7), weight=0.0)]
    write_remembered(tmp_path, rows, seed=1)
    back = read_remembered(tmp_path)
    assert sorted(each.score for each in back if not each.is_made_up) == pytest.approx([0.5, 0.6])
    assert len(back) == 3


def test_a_model_without_them_remembers_nothing(tmp_path: Path) -> None:
    assert read_remembered(None) == read_remembered(tmp_path) == []


def test_rows_with_other_signs_are_refused(tmp_path: Path) -> None:
    write_remembered(tmp_path, [row(1)], seed=1)
    arrays = load_file(tmp_path / REMEMBERED)
    save_file({**arrays, "signs": arrays["signs"][:, :-1].copy()}, tmp_path / REMEMBERED)
    with pytest.raises(ModelUnsuitable, match="of another version of the tool"):
        read_remembered(tmp_path)


def test_the_shipped_model_remembers_thousands() -> None:
    from grading.reading_model import DEFAULT_MODEL

    rows = read_remembered(DEFAULT_MODEL)
    real = [each for each in rows if not each.is_made_up]
    assert len(rows) > 10_000
    assert len(real) > 3_000
    assert len({each.source for each in real}) == 4
