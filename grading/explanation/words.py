"""Cut texts into sentences, clauses and comparable words, in English and Korean, without a model.

Coarse on purpose: two words compare equal when their stems do. An English stem is the word without its ending, a
Korean one the first two syllables of the word without its particle.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"”’')]*\s+|\n+")
_WORD = re.compile(r"[a-z]+(?:['’][a-z]+)?|\d+(?:[.,]\d+)*|[가-힣]+")
_INVISIBLE = {"Cc", "Cf", "Co", "Cs", "Cn"}
_ENDINGS = ("ations", "ation", "ingly", "ically", "ities", "iness", "ments", "ment", "ings", "edly", "ness")
_ENDINGS += ("ally", "ing", "ity", "ies", "ied", "ion", "ers", "est", "ed", "er", "es", "ly", "al", "s", "e", "y")
_PARTICLES = (
    "에서부터",
    "에서는",
    "으로는",
    "에게",
    "에서",
    "으로",
    "부터",
    "까지",
    "처럼",
    "보다",
    "이나",
    "라고",
    "이란",
    "하고",
)
_PARTICLES += ("은", "는", "이", "가", "을", "를", "에", "로", "와", "과", "의", "도", "만", "란", "요")

_LONE_PARTICLES = frozenset(_PARTICLES)

#: Words that carry no content of their own; never compared.
FUNCTION_WORDS = frozenset(
    """a an the this that these those it its they them their there here he she his her we us our you your i me my one
    ones and or but nor so yet if then than as at by for from in into of off on onto out over to up with within without
    about after before between both each either every few many more most much other some such any all not no only just
    too very also again still even is are was were be been being am do does did done have has had having can could may
    might must shall should will would what which who whom whose when where why how own same while because since until
    though although however like let s t re ve ll d m don doesn didn isn aren wasn won couldn shouldn n't cannot
    it's that's don't doesn't isn't aren't you're you've what's let's there's didn't wasn't can't""".split()  # noqa: SIM905
)


def plain(text: str) -> str:
    """``text`` as one line of visible characters: composed, without control, format and direction marks."""
    composed = unicodedata.normalize("NFC", text)
    spaced = re.sub(r"\s+", " ", composed)
    return "".join(letter for letter in spaced if unicodedata.category(letter) not in _INVISIBLE).strip()


def sentences(text: str) -> list[str]:
    """The sentences of ``text`` without white space around them."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def words(text: str) -> list[str]:
    """Lower-case words and numbers of ``text`` in their order."""
    return _WORD.findall(text.lower().replace("’", "'"))


def content_stems(text: str) -> list[str]:
    """Stems of the words that mean something, in their order; numbers stay as they are."""
    return [stem(word) for word in words(text) if _has_content(word)]


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """The part of a lower-case word by which it is compared."""
    if "가" <= word[0] <= "힣":
        return _without_ending(word, _PARTICLES, keep=1)[:2]
    if word[0].isdigit():
        return word.rstrip(".,")
    word = word.removesuffix("'s")
    shorter = _without_ending(word, _ENDINGS, keep=3)
    if len(shorter) > 3 and shorter[-1] == shorter[-2]:
        return shorter[:-1]
    return shorter[:-1] + "y" if shorter.endswith("i") and len(shorter) > 3 else shorter


def shortened(text: str, limit: int) -> str:
    """``text`` cut at a word so that it has at most ``limit`` characters, with an ellipsis where something was cut."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    cut = head.rfind(" ")
    return (head[:cut] if cut > limit // 2 else head).rstrip(" ,;:.-–") + "…"


def _without_ending(word: str, endings: tuple[str, ...], keep: int) -> str:
    for ending in endings:
        if word.endswith(ending) and len(word) - len(ending) >= keep:
            return word[: -len(ending)]
    return word


def _has_content(word: str) -> bool:
    """Neither a function word, a lone letter nor a particle that lost its noun."""
    return (len(word) > 1 and word not in FUNCTION_WORDS and word not in _LONE_PARTICLES) or word.isdigit()
