"""Contractions and polite endings are told from the words."""

from __future__ import annotations

import pytest

from finetune.behaviour import forms
from finetune.behaviour.material import load_material
from grading.answer_signs import CountedSigns
from grading.registers import in_plain_register
from grading.text import sentences


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("it doesn't overfit", "it does not overfit"),
        ("it can't be seen", "it cannot be seen"),
        ("that’s why they're large", "that is why they are large"),
        ("분산을 줄입니다", "분산을 줄인다"),
        ("값을 갖습니다", "값을 갖는다"),
        ("편향이 큽니다", "편향이 크다"),
        ("이것은 손실입니다", "이것은 손실이다"),
        ("차이가 있습니다", "차이가 있다"),
    ],
)
def test_two_registers_are_one_sentence(one: str, other: str) -> None:
    assert in_plain_register(one) == in_plain_register(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("it does overfit", "it doesn't overfit"),
        ("the model's error", "the model is error"),
        ("분산을 줄인다", "분산을 늘린다"),
        ("차이가 있다", "차이가 없습니다"),
        ("x > 0", "x < 0"),
        ("", "다"),
    ],
)
def test_two_sentences_stay_two(one: str, other: str) -> None:
    assert in_plain_register(one) != in_plain_register(other)


def test_key_points_said_politely_or_as_in_a_chat_are_everything() -> None:
    changed = 0
    for material in load_material():
        points = " ".join(material.points)
        to = forms.with_polite_endings if material.language == "ko" else forms.with_contractions
        said = to(points)
        signs = CountedSigns(material.question)
        if said != points and signs.are_everything(sentences(points)):
            changed += 1
            assert signs.are_everything(sentences(said)), material.id
    assert changed > 50
