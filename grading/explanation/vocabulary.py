"""Which words say nothing about the matter of a question, and which are of no trade.

::

    own words of a text ──▶ of question, reference or answer? ──▶ a tutor's word? ──▶ an everyday word? ──▶ unknown

The words stand in ``vocabulary_en.yaml`` and ``vocabulary_ko.yaml``.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from grading.explanation.cues import TUTOR_STEMS
from grading.explanation.words import content_stems, stem, words

_CONTRACTED = re.compile(r"(?:n't|'(?:s|d|m|re|ve|ll))(?![a-z])", re.IGNORECASE)
#: "Do" in all its forms behind one syllable: 곱한, 곱해, 곱하.
_DONE = re.compile(r"(?<=^[가-힣])[해했한할합](?=$)")
_VERB_END = re.compile(
    r"[가-힣](?:습니다|니다|세요|어요|아요|여요|네요|군요|까요|지요|죠|었고|았고|어서|아서|지만|면서|으면|려면|려고"
    r"|도록|는지|는데|은데|든지|다니|거나|더니)$"
    r"|[가-힣]{2}(?:고|지|게|며|던|려|네|군|구나|(?:지|있|없|주|보|쓰|치|우|추|으)는)$"
)
_NOUN_VERB = re.compile(
    r"[가-힣]{2}(?:하|했|해|한|합|할|되|됐|돼|된|됩|될|이에|예요|이다|입니|이라|이고|이죠|이네|이지|이군)[가-힣]*$"
)


def _forms(text: str) -> frozenset[str]:
    """Stems of all words, of Korean ones with what looks like a particle too: 추가, 정도."""
    forms = (each for word in words(text) for each in (stem(word), word[:2] if word[0] >= "가" else word))
    return frozenset(_DONE.sub("하", each) for each in forms)


def _listed(name: str) -> str:
    """The words of one list, in both languages."""
    return " ".join(_LISTS[language].get(name, "") for language in ("en", "ko"))


_LISTS: dict[str, dict[str, str]] = {
    language: yaml.safe_load((Path(__file__).parent / f"vocabulary_{language}.yaml").read_text(encoding="utf-8"))
    for language in ("en", "ko")
}
_SHORT_VERBS = [base + ending for base in _listed("verb_bases").split() for ending in _listed("verb_endings").split()]

#: Stems of what tutors say about answers, whatever the question is.
TALK_STEMS = TUTOR_STEMS | _forms(" ".join([_listed("tutor"), *_SHORT_VERBS]))
_EVERYDAY_STEMS = _forms(_listed("everyday"))
#: Stems of the trade's own words, those that tutors use too left out.
TERM_STEMS = _forms(_listed("terms")) - TALK_STEMS


def told_stems(text: str) -> list[str]:
    """Stems of the words of ``text`` that mean something; "isn't" and "you've" are "is" and "you"."""
    return [_DONE.sub("하", each) for each in content_stems(_CONTRACTED.sub(" ", text.replace("’", "'")))]


def foreign_stems(text: str, support: frozenset[str]) -> list[str]:
    """Stems in ``text`` that are neither supported nor a tutor's; Korean verbs and adjectives are among them."""
    return [each for each in told_stems(text) if each not in support and each not in TALK_STEMS and not _is_short(each)]


def unknown_words(text: str, support: frozenset[str]) -> list[str]:
    """Words in ``text`` that nothing supports: no tutor's word, no everyday word, no Korean verb."""
    told = words(_CONTRACTED.sub(" ", text.replace("’", "'")))
    found: list[str] = []
    for word in told:
        stems = foreign_stems(word, support)
        if stems and not _is_everyday(word, stems) and not _is_korean_verb(word):
            found += stems
    return found


def _is_everyday(word: str, stems: list[str]) -> bool:
    return (set(stems) <= _EVERYDAY_STEMS and not set(stems) & TERM_STEMS) or bool(
        {word, word.removesuffix("s")} & (_EVERYDAY_STEMS | TALK_STEMS)
    )


def _is_short(word: str) -> bool:
    """One syllable of Hangul is mostly a particle or a dependent noun, one letter a symbol: too little to judge."""
    return len(word) == 1 and not word.isdigit()


def _is_korean_verb(word: str) -> bool:
    """Whether a word ends as verbs and adjectives do, and is not a noun with "to do" or "to be" behind it."""
    return bool(_VERB_END.search(word)) and not _NOUN_VERB.search(word)
