"""One sentence in two registers: English contractions, Korean polite endings. Which one a student uses is taste."""

from __future__ import annotations

import re

_CONTRACTIONS = (
    (re.compile(r"\b(?:can't|can not)\b"), "cannot"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(it|that|there|he|she|what|this|here)'s\b"), r"\1 is"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"\bi'm\b"), "i am"),
)
_FIRST = ord("가")
_FINALS = 28
_NONE, _N, _B = 0, 4, 17  # numbers of the finals of a Hangul syllable: none, ㄴ, ㅂ


def in_plain_register(sentence: str) -> str:
    """A sentence in small letters and without its full stop, its contractions written out, its last verb as a stem.

    What comes out is for comparing: 한다, 합니다 and 하다 become one, be they right or not.
    """
    text = sentence.replace("’", "'")
    for pattern, full in _CONTRACTIONS:
        text = pattern.sub(full, text)
    return _stem(text)


def _stem(text: str) -> str:
    for ending in ("습니다", "는다"):
        if text.endswith(ending):
            return text.removesuffix(ending) + "다"
    if text.endswith("니다") and _final(text[-3:-2]) == _B:
        return f"{text[:-3]}{_without_final(text[-3])}다"
    if text.endswith("다") and _final(text[-2:-1]) == _N:
        return f"{text[:-2]}{_without_final(text[-2])}다"
    return text


def _final(syllable: str) -> int:
    return (ord(syllable) - _FIRST) % _FINALS if "가" <= syllable <= "힣" else _NONE


def _without_final(syllable: str) -> str:
    return chr(ord(syllable) - _final(syllable))
