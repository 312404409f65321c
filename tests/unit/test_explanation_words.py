"""Sentences, stems and shortened texts."""

from __future__ import annotations

import pytest

from grading.explanation.words import content_stems, plain, sentences, shortened, stem, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("model", "models"),
        ("overfit", "overfitting"),
        ("gradient", "gradients"),
        ("study", "studies"),
        ("train", "training"),
        ("explain", "explained"),
        ("penalty", "penalties"),
        ("mix", "mixed"),
        ("편향", "편향은"),
        ("분산", "분산이"),
        ("데이터", "데이터에서"),
        ("설명", "설명했어요"),
    ],
)
def test_forms_of_one_word_compare_equal(one: str, other: str) -> None:
    assert stem(one) == stem(other)


@pytest.mark.parametrize(
    ("one", "other"), [("bias", "variance"), ("precision", "recall"), ("편향", "분산"), ("0.5", "0.7")]
)
def test_different_words_stay_different(one: str, other: str) -> None:
    assert stem(one) != stem(other)


def test_function_words_and_lone_particles_have_no_content() -> None:
    assert content_stems("What is it that they are?") == []
    assert content_stems("부터 은 는 에서") == []


def test_numbers_are_content() -> None:
    assert content_stems("it is 0.5 and not 7") == ["0.5", "7"]


def test_words_keep_their_order_and_lose_their_marks() -> None:
    assert words("Bias, Variance - and 0.5!") == ["bias", "variance", "and", "0.5"]


def test_plain_text_is_one_line_of_visible_characters() -> None:
    assert plain(" a\u202eb\u200bc\n\td\u0007 ") == "abc d"


def test_plain_text_composes_hangul() -> None:
    assert plain("\u1112\u1161\u11ab") == "한"


def test_sentences_end_at_their_marks_and_at_lines() -> None:
    assert sentences("One. Two? “Three.” Four\nFive") == ["One.", "Two?", "“Three.", "Four", "Five"]


def test_a_short_text_is_not_cut() -> None:
    assert shortened("just this", 20) == "just this"


@pytest.mark.parametrize("limit", [20, 37, 45])
def test_a_long_text_is_cut_at_a_word_and_says_so(limit: int) -> None:
    text = "the gradient points uphill, so we go the other way"
    cut = shortened(text, limit)
    assert len(cut) <= limit
    assert cut.endswith("…")
    assert text.startswith(cut[:-1])
    assert text[len(cut) - 1] in " ,"


def test_a_text_without_spaces_is_cut_all_the_same() -> None:
    assert len(shortened("x" * 500, 50)) == 50
