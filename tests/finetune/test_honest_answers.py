"""No answer of the banks is taken for an instruction, gibberish, a copy or a repetition; refusals are seen."""

from __future__ import annotations

import pytest

from finetune.graded_questions import GradedQuestion, bank_questions, sample_questions
from grading.domain import Flag
from grading.guard import guard

_WRONGS = {Flag.INSTRUCTION, Flag.GIBBERISH, Flag.QUESTION_COPIED, Flag.REPEATED, Flag.BLANK, Flag.DONT_KNOW}
_MARKS_ALONE = {"???"}
"""Refusals without a word: blank."""
_TALKATIVE = {
    "isn't that a radio thing for IoT sensors? no clue about the ML one",
    "?? I know what a token is but not this",
}
"""Refusals that say too much beside it for a rule: left to the model."""


@pytest.mark.parametrize("questions", [sample_questions, bank_questions], ids=["samples", "bank"])
def test_honest_answers_are_left_alone(questions) -> None:
    alarms = [
        (sorted(flags), answer.text)
        for question, answer in _answers(questions())
        if answer.kind != "dont_know" and (flags := guard(question.question, answer.text).flags & _WRONGS)
    ]
    assert alarms == []


def test_refusals_are_seen_for_what_they_are() -> None:
    missed = {
        answer.text
        for question, answer in _answers(sample_questions())
        if answer.kind == "dont_know" and Flag.DONT_KNOW not in guard(question.question, answer.text).flags
    }
    assert missed == _MARKS_ALONE | _TALKATIVE


def _answers(questions: list[GradedQuestion]):
    return ((question, answer) for question in questions for answer in question.answers)
