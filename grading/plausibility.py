"""Tell writing from keyboard mashing, by how usual its letter pairs and Hangul syllables are.

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
_JAMO = re.compile(r"[ㄱ-ㅎㅏ-ㅣ]")
_MIN_LOG2, _MIN_LOG2_SHORT = -5.8, -6.3
_MAX_RARE_SHARE = 0.4


def is_gibberish(text: str, known: Iterable[str] = ()) -> bool:
    """Whether the text is mostly letters in an order that neither English nor Korean words have.

    Words of the ``known`` texts (question, model answers) count as words whatever their letters, e.g. ``lstm``.
    """
    known_words = {word for other in known for word in words(other)}
    tokens = words(text)
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
