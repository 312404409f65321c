from __future__ import annotations

import pytest

from finetune.behaviour import forms
from finetune.behaviour.opposites import denied, is_simple, negated

ENGLISH = "Because several weights change often, training needs patience. It does not converge at 0.5, e.g. with noise."
KOREAN = "데이터에서 표본을 뽑아 모델을 학습한다. 따라서 분산이 줄어든다."


def test_typos_touch_a_few_long_words_and_no_others() -> None:
    changed = forms.with_typos(ENGLISH, "en").split()
    different = [pair for pair in zip(ENGLISH.split(), changed, strict=True) if pair[0] != pair[1]]
    assert different
    assert len(different) <= 3
    assert all(sorted(before) == sorted(after) and len(before) >= 6 for before, after in different)


def test_korean_typos_confuse_two_vowels_or_drop_a_space() -> None:
    text = "가중치를 여러번 데이터로 갱신하면 손실이 천천히 내려간다고 했습니다"
    changed = forms.with_typos(text, "ko")
    assert changed != text
    assert len(changed) >= len(text) - 3


def test_punctuation_goes_but_numbers_and_abbreviations_stay() -> None:
    assert forms.without_punctuation("a = 0.5, so: yes. Use e.g. two!") == "a = 0.5 so yes Use e.g two"


def test_sentences_are_turned_and_listed() -> None:
    assert forms.reordered(["A.", "B."]) == "B. A."
    assert forms.as_list(["A.", "B."]) == "- A.\n- B."


def test_synonyms_and_contractions() -> None:
    changed = forms.with_synonyms(ENGLISH, "en")
    assert changed.startswith("Because")
    assert "multiple weights change frequently" in changed
    assert "for example" in forms.with_synonyms("for example this", "en")
    assert "doesn't converge" in forms.with_contractions(ENGLISH)
    assert forms.with_synonyms(KOREAN, "ko").startswith("자료에서 표본을 뽑아 모형을")


def test_polite_endings() -> None:
    said = "모델이다. 값이 크다. 학습한다. 변하지 않는다. 같다. 있다."
    assert (
        forms.with_polite_endings(said) == "모델입니다. 값이 큽니다. 학습합니다. 변하지 않습니다. 같습니다. 있습니다."
    )


@pytest.mark.parametrize("change", [forms.with_invisible_characters, forms.with_lone_surrogates])
def test_what_is_hidden_in_a_text_leaves_its_letters(change: object) -> None:
    changed = change(ENGLISH)  # type: ignore[operator]
    assert changed != ENGLISH
    assert "".join(c for c in changed if c.isascii()) == ENGLISH


def test_line_breaks_break_between_words_only() -> None:
    changed = forms.with_line_breaks(ENGLISH)
    assert "\n" in changed
    assert changed.split() == ENGLISH.split()


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("The kernel is large.", "The kernel is not large."),
        ("Smoothing gives some probability to it.", None),
        ("Smoothing gives the rest to it.", "Smoothing does not give the rest to it."),
        ("The blank matches the silence.", None),
        ("It does not grow with the size.", None),
        ("A word depends only on the last one.", None),
        ("Words that are rare get the rest.", None),
        ("Two sentences are here. One is more.", None),
    ],
)
def test_english_sentences_are_negated_where_that_is_safe(text: str, other: str | None) -> None:
    assert negated(text, "en") == other


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("분산이 줄어든다.", "분산이 줄어들지 않는다."),
        ("가중치를 갱신한다.", "가중치를 갱신하지 않는다."),
        ("값을 찾는다.", "값을 찾지 않는다."),
        ("이것은 예제이다.", "이것은 예제가 아니다."),
        ("이것은 토큰이다.", "이것은 토큰이 아니다."),
        ("새 특성을 쓸 수 있다.", "새 특성을 쓸 수 없다."),
        ("예제가 필요 없다.", "예제가 필요하다."),
        ("값이 크다.", "값이 크지 않다."),
        ("값이 변하지 않는다.", None),
        ("제거하면 안 된다.", None),
    ],
)
def test_korean_sentences_are_negated_where_that_is_safe(text: str, other: str | None) -> None:
    assert negated(text, "ko") == other


def test_a_denial_keeps_the_words() -> None:
    assert denied("The kernel is large.", "en", 0) == "It is not true that the kernel is large."
    assert denied("AR is a part.", "en", 1) == "It is wrong to say that AR is a part."
    assert denied("값이 크다.", "ko", 0) == "값이 크다는 것은 사실이 아니다."
    assert denied("핵심은 속도", "ko", 0) == "'핵심은 속도'라는 말은 사실이 아니다."


def test_a_sentence_of_two_statements_is_not_simple() -> None:
    assert is_simple("The kernel is large.")
    assert is_simple("분산이 줄어든다.")
    assert not is_simple("It grows, and it shrinks.")
    assert not is_simple("편향은 줄고 분산은 커진다.")
