"""Other forms of a text: what they change, and that they are not those of the behaviour suite."""

from __future__ import annotations

import pytest

from finetune import made_up_forms
from finetune.behaviour import forms, opposites


@pytest.mark.parametrize(
    ("text", "language", "other"),
    [
        ("Each tree learns because it uses data.", "en", "Each tree picks up as it makes use of dataset."),
        ("Bagging averages.", "en", "Bagging averages."),
        ("여러 특징의 값이 같은 경우", "ko", "다양한 피처의 수치이 동일한 상황"),
    ],
)
def test_words_of_no_subject_are_replaced(text: str, language: str, other: str) -> None:
    assert made_up_forms.in_other_words(text, language) == other


@pytest.mark.parametrize(
    ("plain", "polite"),
    [
        ("분산을 줄인다.", "분산을 줄입니다."),
        ("값을 갖는다. 편향이 크다.", "값을 갖습니다. 편향이 큽니다."),
        ("차이가 있다", "차이가 있습니다."),
        ("Bagging averages.", "Bagging averages."),
    ],
)
def test_korean_is_said_politely(plain: str, polite: str) -> None:
    assert forms.with_polite_endings(plain) == polite


def test_a_statement_is_denied_whole() -> None:
    assert made_up_forms.denied("Trees split.", "en", 2) == "It is a misconception that trees split."
    assert made_up_forms.denied("PCA rotates.", "en", 3) == "One cannot say that PCA rotates."
    assert made_up_forms.denied("편향을 줄인다.", "ko", 1) == "편향을 줄인다라는 주장은 거짓이다."
    assert made_up_forms.denied("편향 감소", "ko", 0) == "'편향 감소'라는 주장은 거짓이다."


def test_the_suite_has_words_and_denials_of_its_own() -> None:
    for language in ("en", "ko"):
        learnt = {(pattern.pattern, other) for pattern, other in made_up_forms._OTHER_WORDS[language]}
        tested = {(pattern.pattern, other) for pattern, other in forms._SYNONYMS[language]}
        assert not learnt & tested
    assert not set(made_up_forms._DENIALS_EN) & set(opposites._DENIALS_EN)
    assert not set(made_up_forms._DENIALS_KO) & set(opposites._DENIALS_KO)
