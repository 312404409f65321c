"""Who says that they are not well is found; who speaks of dead neurons and killed processes is not."""

from __future__ import annotations

import pytest

from grading.distress import needs_person
from grading.domain import Flag, Question
from grading.guard import guard
from grading.samples import load_samples
from tests.unit.distress_sentences import HONEST, HONEST_KOREAN, IN_DISTRESS
from tests.unit.early_stopping import ENGLISH, KOREAN


@pytest.mark.parametrize("text", IN_DISTRESS)
def test_who_is_not_well_is_found(text: str) -> None:
    assert needs_person(text)
    assert needs_person(f"You stop when the validation loss rises. {text} I don't know the rest.")
    assert needs_person(text.upper())


def test_more_than_a_hundred_honest_sentences_are_tried() -> None:
    assert len(HONEST) >= 100
    assert len(HONEST_KOREAN) >= 50


@pytest.mark.parametrize("text", HONEST + HONEST_KOREAN)
def test_honest_words_are_let_pass(text: str) -> None:
    assert not needs_person(text)
    assert not needs_person(text.upper())


def test_no_answer_of_the_bank_needs_a_person() -> None:
    texts = [text for sample in load_samples() for text in (sample.prompt, *sample.model_answers)]
    texts += [answer.text for sample in load_samples() for answer in sample.answers]
    assert [text for text in texts if needs_person(text)] == []


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (ENGLISH, "I want to die."),
        (ENGLISH, "You stop once the validation loss gets worse. I want to kill myself."),
        (ENGLISH, "I don't know. I hate myself."),
        (ENGLISH, ENGLISH.prompt + " I want to die."),
        (KOREAN, "죽고 싶어요"),
    ],
)
def test_the_flag_comes_beside_whatever_else_is_noticed(question: Question, answer: str) -> None:
    assert Flag.NEEDS_PERSON in guard(question, answer).flags


def test_nothing_is_taken_out_of_the_answer_for_it() -> None:
    answer = "You stop once the validation loss gets worse. I want to kill myself."
    assert guard(ENGLISH, answer).text == answer
    assert guard(ENGLISH, answer.split(" I want")[0]).flags == guard(ENGLISH, answer).flags - {Flag.NEEDS_PERSON}


@pytest.mark.parametrize("text", ["i ", "i want to ", "my father ", "저 좀 ", "'", "“", "please somebody "])
def test_long_texts_come_to_an_end(text: str) -> None:
    assert not needs_person(text * 50_000)
