from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.text import (
    MAX_CHARACTERS,
    clauses,
    clean,
    language_of,
    ngrams,
    sentences,
    squeezed,
    stem,
    terms,
    words,
)


@given(st.text(alphabet=st.characters(), max_size=300))
def test_cleaning_any_text_twice_changes_nothing_more(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    once.encode("utf-8")


@given(st.text(max_size=200))
def test_splitting_loses_no_letter_of_an_ordinary_text(text: str) -> None:
    cleaned = clean(text)
    parts = sentences(cleaned)
    assert all(part.strip() == part and part for part in parts)
    letters = [c for c in cleaned if c.isalpha()]
    assert [c for c in "".join(parts) if c.isalpha()] == letters or len(cleaned) > 100


def test_invisible_bidirectional_and_control_characters_disappear() -> None:
    assert clean("over\u200bfit\u00adting \u202eis\u202c \x00bad\ufeff") == "overfitting is bad"


def test_lone_surrogates_disappear_and_the_rest_stays() -> None:
    assert clean("bias \ud800and\udfff variance") == "bias and variance"


def test_decomposed_hangul_is_composed() -> None:
    assert clean("\u1112\u1161\u11ab\u1100\u1173\u11af") == "한글"


def test_lines_stay_and_spaces_shrink() -> None:
    assert clean("  a \t b \r\n\n c\u2028d ") == "a b\nc\nd"


def test_a_huge_paste_is_cut_and_handled_in_bounded_time() -> None:
    start = time.monotonic()
    text = clean("gradient descent " * 60_000)
    parts = sentences(text)
    assert len(text) <= MAX_CHARACTERS
    assert max(len(part.split()) for part in parts) <= 45
    assert time.monotonic() - start < 5


def test_one_word_without_end_is_cut() -> None:
    assert all(len(part) <= 4_600 for part in sentences("x" * 50_000))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One is this. Two is that! Three?", ["One is this.", "Two is that!", "Three?"]),
        ("Bias falls; variance rises", ["Bias falls", "variance rises"]),
        ("- first item\n- second item\n3) third item", ["first item", "second item", "third item"]),
        ("It has 1) bias and 2) variance", ["It has", "bias and", "variance"]),
        ("A rate of 0.5 is high, e.g. for Adam. Yes.", ["A rate of 0.5 is high, e.g. for Adam.", "Yes."]),
        ("편향은 오차예요. 분산은 흔들림입니다.", ["편향은 오차예요.", "분산은 흔들림입니다."]),
        ("...", []),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_unpunctuated_text_comes_in_windows() -> None:
    parts = sentences(" ".join(f"word{n}" for n in range(100)))
    assert [len(part.split()) for part in parts] == [30, 30, 30, 10]


def test_unpunctuated_korean_splits_at_sentence_endings() -> None:
    sentence = "모델이 복잡해지면 편향은 줄어들고 분산은 커지는 경향이 있다"
    assert sentences(" ".join([sentence] * 7)) == [sentence] * 7


def test_clauses_have_at_least_three_words_and_lose_none() -> None:
    sentence = "When the model grows, bias goes down while the variance goes up, and so on"
    parts = clauses(sentence)
    assert len(parts) >= 2
    assert all(len(part.split()) >= 3 for part in parts)
    assert clauses("Bias goes down.") == []


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The model learns noise", "en"),
        ("relu sigmoid tanh", "en"),
        ("모델이 노이즈를 배운다", "ko"),
        ("overfitting은 train loss만 줄어드는 것", "ko"),
        ("Le modèle apprend le bruit des données et il est mauvais sur les nouvelles", "und"),
        ("Das Modell lernt das Rauschen und ist nicht gut auf neuen Daten", "und"),
        ("Модель запоминает шум", "und"),
        ("モデルはノイズを学習する", "und"),
        ("123 456", "und"),
    ],
)
def test_language_guess(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("left", "right"),
    [("increases", "increasing"), ("labels", "label"), ("generalises", "generalization"), ("averaged", "averages")],
)
def test_forms_of_a_word_share_their_stem(left: str, right: str) -> None:
    assert stem(left) == stem(right)


def test_different_short_words_keep_different_stems() -> None:
    assert stem("bias") != stem("base")
    assert stem("loss") == "loss" or stem("loss") != stem("lost")


def test_terms_drop_stop_words_and_korean_endings() -> None:
    assert terms("This is the loss of a model") == [stem("loss"), stem("model")]
    assert {"편향", "모델"} <= set(terms("편향은 모델에서"))


def test_korean_compounds_share_pairs_with_their_spaced_spelling() -> None:
    assert set(terms("경사하강법")) & set(terms("경사 하강법"))


def test_words_and_squeezed_ignore_case_and_punctuation() -> None:
    assert words("K-means: L2, 0.5!") == ["k", "means", "l2", "0.5"] or words("0.5!") == ["0.5"]
    assert squeezed("Over-fitting, yes!") == squeezed("overfitting YES")


def test_ngrams_survive_a_typo() -> None:
    right, wrong = ngrams("regularisation"), ngrams("regularistaion")
    assert len(right & wrong) / len(right) > 0.6
    assert ngrams("") == set()
    assert ngrams("a") == {" a "}
