"""What tells answers to other questions from right ones, fitted on rows of signs."""

from __future__ import annotations

import numpy as np
import pytest

from finetune.reading_head import HeadRow, elsewhere_rule
from grading.answer_signs import SIGNS
from grading.reading_model import Elsewhere


def row(*, ahead: float, said: float, kind: str = "", score: float = 1.0, asked: float = 0.2) -> HeadRow:
    signs = np.zeros(len(SIGNS))
    for name, value in (("near_asked", asked), ("near_ahead", ahead), ("reference_said", said)):
        signs[SIGNS.index(name)] = value
    return HeadRow(
        group="g",
        source="course",
        kind=kind,
        is_made_up=bool(kind),
        weight=1.0,
        score=score,
        signs=signs,
        said=np.zeros(1),
        contradicted=np.zeros(1),
        verdicts=(),
    )


@pytest.fixture
def rows() -> list[HeadRow]:
    rng = np.random.default_rng(1)
    right = [row(ahead=float(rng.normal(0.25, 0.08)), said=float(rng.normal(1, 1))) for _ in range(400)]
    strays = [
        row(ahead=float(rng.normal(-0.1, 0.08)), said=float(rng.normal(0, 2)), kind="other_question", score=0.0)
        for _ in range(300)
    ]
    return [*right, *strays]


def test_one_in_a_hundred_right_answers_may_be_lost_and_the_others_are_caught(rows: list[HeadRow]) -> None:
    content = elsewhere_rule(rows)
    assert content is not None
    rule = Elsewhere(signs=tuple(content["signs"]), weights=tuple(content["weights"]), bias=content["bias"])
    lost = [rule(each.signs) for each in rows[:400]]
    caught = [rule(each.signs) for each in rows[400:]]
    assert sum(lost) == 4
    assert np.mean(caught) > 0.9


def test_known_words_wrong_answers_and_other_made_up_ones_teach_nothing(rows: list[HeadRow]) -> None:
    more = [
        *[row(ahead=-0.5, said=3.0, asked=1.0) for _ in range(200)],
        *[row(ahead=-0.5, said=3.0, score=0.1) for _ in range(200)],
        *[row(ahead=-0.5, said=3.0, kind="reference") for _ in range(200)],
    ]
    assert elsewhere_rule([*rows, *more]) == elsewhere_rule(rows)


def test_too_few_of_either_make_no_rule(rows: list[HeadRow]) -> None:
    assert elsewhere_rule(rows[:400]) is None
    assert elsewhere_rule(rows[400:]) is None
    assert elsewhere_rule([*rows[:39], *rows[400:]]) is None
