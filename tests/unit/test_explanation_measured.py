"""How many planted errors are caught and how many good texts refused, of the seen and of the unseen half."""

from __future__ import annotations

from collections import Counter

import pytest

from grading.explanation.checks import ProblemKind
from grading.explanation.template import template_text
from tests.explanation_texts import HALVES, Half, JudgedText, judged_texts

CAUGHT_AT_LEAST, REFUSED_AT_MOST = 0.95, 0.05
halves = pytest.mark.parametrize("half", HALVES)


def planted(half: Half) -> list[JudgedText]:
    return [text for text in judged_texts(half) if text.planted is not None]


def good(half: Half) -> list[JudgedText]:
    return [text for text in judged_texts(half) if text.planted is None]


@halves
def test_planted_errors_are_caught(half: Half) -> None:
    missed = [f"{text.planted}: {text.text}" for text in planted(half) if not text.problems]
    assert len(missed) <= (1 - CAUGHT_AT_LEAST) * len(planted(half)), missed


@halves
def test_planted_errors_are_mostly_called_by_their_name(half: Half) -> None:
    named = [text for text in planted(half) if text.planted in {problem.kind for problem in text.problems}]
    assert len(named) >= 0.9 * len(planted(half))


@halves
def test_good_texts_are_let_pass(half: Half) -> None:
    refused = [f"{text.text} {[*map(str, text.problems)]}" for text in good(half) if text.problems]
    assert len(refused) <= REFUSED_AT_MOST * len(good(half)), refused


@halves
def test_each_half_has_a_hundred_of_both_in_two_languages(half: Half) -> None:
    assert Counter((text.language, text.planted is None) for text in judged_texts(half)) == dict.fromkeys(
        [("en", True), ("en", False), ("ko", True), ("ko", False)], 50
    )


def test_every_rule_has_planted_errors() -> None:
    kinds = {text.planted for half in HALVES for text in planted(half)}
    # An empty text is no matter of judgement (see test_explanation_checks.py).
    assert kinds == set(ProblemKind) - {ProblemKind.EMPTY}


def test_the_halves_share_neither_question_nor_text_and_hold_none_of_the_template() -> None:
    seen, unseen = judged_texts("seen"), judged_texts("unseen")
    assert not {text.question.prompt for text in seen} & {text.question.prompt for text in unseen}
    assert len({text.text for text in (*seen, *unseen)}) == 400
    assert not any(text.text == template_text(text.feedback) for text in (*seen, *unseen))
