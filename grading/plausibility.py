"""Tell writing from keyboard mashing: by how usual its letter pairs and Hangul syllables are, and by known fillers.

``letters.json`` holds the statistics, counted in the sample bank (``finetune.grader_training`` writes it).
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from grading.text import words

LETTERS_FILE = Path(__file__).parent / "letters.json"
_LATIN = re.compile(r"[a-z]+")
_HANGUL = re.compile(r"[가-힣]")
_JAMO = re.compile(r"[ㄱ-ㅎㅏ-ㅣㆍ]")
_MIN_LOG2, _MIN_LOG2_SHORT = -5.8, -6.3
_MAX_RARE_SHARE = 0.4
_ABBREVIATION = re.compile(r"(?<![A-Za-z])[A-Z]{2,6}(?![A-Za-z])")
_ROWS = (
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "abcdefghijklmnopqrstuvwxyz",
    "1234567890",
    "가나다라마바사아자차카타파하",
)
_KEYS_IN_A_ROW = 4
_ROW_PIECES = frozenset(
    line[start : start + _KEYS_IN_A_ROW]
    for row in _ROWS
    for line in (row, row[::-1])
    for start in range(len(row) - _KEYS_IN_A_ROW + 1)
)
_SAID_AGAIN = re.compile(r"(\D{1,4})\1{2,}.?|(\D{3,12})\2|([가-힣]{2,4})\3+|(\d)\4{5,}")
_MAX_TOKEN = 200
_FORMULA_SIGNS = frozenset("=+-*/^_|<>≤≥≠≈∝∑∏√∂∇∫·×÷±()[]{}σλμθαβ")
_FORMULA_SHARE, _LEAST_SIGNS = 0.2, 4
_MASHED = re.compile(r"[bcdfghj-np-tv-xz]+")
_MIN_MASHED = 12
_FILLERS = frozenset(
    "blah bla yada lol lmao haha hehe hihi foo bar baz qux lorem ipsum dolor sit amet consectetur adipiscing elit sed"  # noqa: SIM905
    " eiusmod tempor incididunt labore dolore magna aliqua 어쩌구 저쩌구 어쩌고 저쩌고 어쩌고저쩌고 어쩌구저쩌구"
    " 이러쿵저러쿵 블라블라 쏼라쏼라 하하 히히 헤헤 흐흐 마바사 la".split()
)


def is_formula(text: str) -> bool:
    """Whether much of the text is signs, as in ``P = TP/(TP+FP)``: there are hardly words to know a subject by."""
    characters = "".join(text.split())
    count = sum(character in _FORMULA_SIGNS for character in characters)
    return count >= _LEAST_SIGNS and count >= _FORMULA_SHARE * len(characters)


def is_gibberish(text: str, known: Iterable[str] = ()) -> bool:
    """Whether the text is mostly letters in an order that neither English nor Korean words have.

    Words of the ``known`` texts (question, model answers) count as words whatever their letters, e.g. ``lstm``.
    """
    known_words = {word for other in known for word in words(other)}
    tokens = words(text)
    junk = sum(len(token) for token in tokens if token not in known_words and _is_filler(token))
    if 2 * junk > sum(map(len, tokens)):
        return True
    known_words.update(match.lower() for match in _ABBREVIATION.findall(text))
    unknown = [token for token in tokens if token not in known_words and not token[0].isdigit()]
    if 2 * sum(map(len, unknown)) <= sum(map(len, tokens)):
        return False
    joined = "".join(unknown)
    jamo = len(_JAMO.findall(joined))
    hangul = _HANGUL.findall(joined)
    latin = [token for token in unknown if _LATIN.fullmatch(token)]
    if jamo * 2 > len(joined):
        return True
    if len(hangul) * 2 > len(joined):
        return sum(character not in _statistics()["syllables"] for character in hangul) > _MAX_RARE_SHARE * len(hangul)
    # The mean of a few letters varies more, and abbreviations (xgb, sgd) are short.
    limit = _MIN_LOG2 if sum(map(len, latin)) >= 20 else _MIN_LOG2_SHORT
    return bool(latin) and mean_log2(latin) < limit


def is_mashed(sentence: str, known: Iterable[str] = ()) -> bool:
    """Whether a sentence among others is mashed keys alone: nothing but small letters without a single vowel.

    Formulas, code and names have other signs or capitals, real words vowels, abbreviations fewer letters.
    """
    tokens = sentence.rstrip(".!?").split()
    if len(tokens) < 2 or not all(len(token) >= 4 and _MASHED.fullmatch(token) for token in tokens):
        return False
    return sum(map(len, tokens)) >= _MIN_MASHED and is_gibberish(sentence, known)


def _is_filler(token: str) -> bool:
    """A word that stands for nothing, the same few letters over and over, or keys beside each other."""
    token = token[:_MAX_TOKEN]
    if token in _FILLERS or (len(token) >= 4 and _SAID_AGAIN.fullmatch(token)):
        return True
    beside: set[int] = set()
    for start in range(len(token) - _KEYS_IN_A_ROW + 1):
        if token[start : start + _KEYS_IN_A_ROW] in _ROW_PIECES:
            beside.update(range(start, start + _KEYS_IN_A_ROW))
    return len(beside) > len(token) / 2


def mean_log2(tokens: list[str]) -> float:
    """The mean binary logarithm of the probability of a letter after the one before it, word ends included."""
    table = _statistics()["pairs"]
    rare = _statistics()["unseen"]
    pairs = [pair for token in tokens for pair in _pairs(token)]
    return sum(table.get(pair, rare) for pair in pairs) / len(pairs)


def letter_statistics(texts: Iterable[str]) -> dict[str, Any]:
    """What :data:`LETTERS_FILE` holds, counted in ``texts``: log2 of each pair's probability, and Hangul syllables."""
    pairs: Counter[str] = Counter()
    syllables: set[str] = set()
    for text in texts:
        for word in words(text):
            syllables.update(_HANGUL.findall(word))
            if _LATIN.fullmatch(word):
                pairs.update(_pairs(word))
    firsts: Counter[str] = Counter()
    for pair, count in pairs.items():
        firsts[pair[0]] += count
    table = {pair: round(math.log2((count + 0.5) / (firsts[pair[0]] + 13)), 2) for pair, count in sorted(pairs.items())}
    return {"schema_version": 1, "unseen": -11.0, "pairs": table, "syllables": "".join(sorted(syllables))}


def _pairs(token: str) -> list[str]:
    padded = f"^{token}$"
    return [padded[index : index + 2] for index in range(len(padded) - 1)]


@cache
def _statistics() -> dict[str, Any]:
    return json.loads(LETTERS_FILE.read_text(encoding="utf-8"))
