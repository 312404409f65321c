"""Other forms of a text for made-up answers: in other words, denied as a whole.

The behaviour suite has words and denials of its own for the same, so that it does not test what was learned by heart.
What has one right form only, as polite endings, is taken from :mod:`finetune.behaviour.forms`.
"""

from __future__ import annotations

import re

from finetune.behaviour.forms import word_patterns


def in_other_words(text: str, language: str) -> str:
    """The text with words of no subject replaced by others that mean the same; unchanged where it has none."""
    for pattern, other in _OTHER_WORDS[language]:
        text = pattern.sub(other, text)
    return text


def denied(text: str, language: str, number: int) -> str:
    """The statement kept word for word and denied as a whole, in a way that depends on ``number``."""
    bare = text.strip().rstrip(".")
    if language == "ko":
        if bare.endswith("다"):
            return f"{bare}{_DENIALS_KO[number % len(_DENIALS_KO)]}"
        return f"'{bare}'{_DENIALS_KO_QUOTED[number % len(_DENIALS_KO_QUOTED)]}"
    lowered = bare[0].lower() + bare[1:] if re.match(r"[A-Z][a-z]", bare) else bare
    return f"{_DENIALS_EN[number % len(_DENIALS_EN)]} {lowered}."


_OTHER_WORDS = {
    "en": word_patterns(
        (
            ("uses", "makes use of"), ("shows", "indicates"), ("because", "as"), ("big", "large"), ("also", "too"),
            ("however", "but"), ("model", "algorithm"), ("data", "dataset"), ("gives", "provides"),
            ("means", "implies"), ("each", "every"), ("small", "little"), ("get", "obtain"), ("number", "count"),
            ("error", "mistake"), ("reduces", "lowers"), ("increases", "raises"), ("learns", "picks up"),
            ("so", "thus"), ("different", "distinct"), ("whether", "if"), ("way", "manner"),
            ("predicts", "forecasts"), ("usually", "typically"), ("important", "essential"), ("avoid", "prevent"),
            ("allows", "lets"), ("about", "regarding"), ("between", "among"),
        )
    ),
    "ko": word_patterns(
        (
            ("때문에", "까닭에"), ("모든", "전부의"), ("많은", "다수의"), ("작은", "조그만"), ("큰", "커다란"),
            ("값", "수치"), ("오차", "에러"), ("학습", "훈련"), ("입력", "인풋"), ("특징", "피처"), ("보다", "보다도"),
            ("하지만", "그렇지만"), ("여러", "다양한"), ("경우", "상황"), ("같은", "동일한"), ("전체", "전부"),
            ("결과", "산출물"), ("줄인다", "낮춘다"), ("높인다", "올린다"), ("찾는다", "구한다"),
            ("만든다", "생성한다"), ("예측", "추정"), ("알고리즘", "기법"), ("성능", "퍼포먼스"), ("문제", "과제"),
        )
    ),
}  # fmt: skip
_DENIALS_EN = (
    "I do not believe that",
    "Nobody who knows the subject would say that",
    "It is a misconception that",
    "One cannot say that",
    "It is simply incorrect that",
)
_DENIALS_KO = ("라고 하는 것은 오해이다.", "라는 주장은 거짓이다.", "라고 볼 수는 없다.", "라는 생각은 맞지 않다.")
_DENIALS_KO_QUOTED = ("라는 주장은 거짓이다.", "라는 생각은 맞지 않다.")
