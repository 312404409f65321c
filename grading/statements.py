"""A text as statements: what carries content, clause by clause, with the topic that stands in front of each.

What :mod:`.swaps` compares. Korean marks its topics by particles; in English the first words stand for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

from grading.text import KOREAN_ENDINGS, KOREAN_STOP_WORDS, STOP_WORDS, sentences, stem

Run = tuple[str, ...]
"""One to three terms in a row."""
Neighbour = tuple[str, str]
"""The side on which a term stands, and the term."""
Neighbours = Mapping[str, set[Neighbour]]
"""Of each term the terms beside it in the same clause."""

_LONGEST_RUN = 3
_TOPIC_WITHIN_WORDS = 5
_TOPIC_TERMS_EN = 2
_SHORTEST_KOREAN = 2

_HANGUL = re.compile("[가-힣]")
_WORD = re.compile(
    r"(?P<number>(?:(?<![\w.])[+-]\s?)?\d+(?:\.\d+)?)|(?P<joined>[A-Za-z]+\d+)|[A-Za-z]+(?:['’][a-z]+)?"
    r"|(?<=[A-Za-z0-9])(?P<attached>[가-힣]+)|[가-힣]+|[^\W\d_]+"
)
_ASIDE = re.compile(r"\s*\(([^()]*)\)")
_CLAUSE_END = re.compile(
    r"(?<=[,;:])\s+|(?<=[가-힣](?:고|며))\s+|(?<=지만)\s+|(?<=반면)\s+|(?<=는데)\s+|(?<=므로)\s+"
    r"|\s+(?:and|while|whereas|but|where)\s+"
)
_TOPIC_MARK = re.compile(r"(?:에서는|에는|으로는|이란|란|은|는)$")
_NAMED_TWICE = re.compile(r"((?:[\w'-]+\s+){1,3})\(([^()]*)\)")
_MORE_ENDINGS = ("으로서", "일", "인", "라고")
_ENDINGS = tuple(sorted({*KOREAN_ENDINGS, *_MORE_ENDINGS}, key=len, reverse=True))


def fact_terms(text: str) -> list[str]:
    """What carries content, in order: numbers with their sign, English stems, Hangul words without endings."""
    return [term for term, _ in placed_terms(text)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """A part of a sentence; ``topic``: the terms that stand in front, in Korean up to the particle of the topic."""

    terms: tuple[str, ...]
    topic: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Told:
    """A text in sentences of clauses."""

    sentences: tuple[tuple[Clause, ...], ...]

    @classmethod
    def of(cls, text: str, names: Mapping[str, str]) -> Told:
        """With second names of terms in place of the first ones; asides in parentheses are left out."""
        told = (_ASIDE.sub(" ", sentence) for sentence in sentences(text))
        return cls(sentences=tuple(tuple(_clauses(sentence, names)) for sentence in told))

    @cached_property
    def topics(self) -> frozenset[str]:
        """What stands in front of a clause."""
        return frozenset(term for clauses in self.sentences for clause in clauses for term in clause.topic)

    @cached_property
    def neighbours(self) -> Neighbours:
        """Those of the whole text."""
        return _merged([found for clauses in self._by_clause for found in clauses])

    @cached_property
    def _by_clause(self) -> list[list[Neighbours]]:
        return [[_neighbours(clause.terms) for clause in clauses] for clauses in self.sentences]

    def has_side_by_side(self, one: tuple[str, set[Neighbour]], other: tuple[str, set[Neighbour]]) -> bool:
        """Whether one sentence has each of two words beside one of these neighbours, in clauses of their own.

        Within a clause words change places that say the same: "split into 2 matrices of low rank".
        """
        return any(
            any(place != later for place in _clauses_with(clauses, *one) for later in _clauses_with(clauses, *other))
            for clauses in self._by_clause
        )

    def runs_by_topic(self, one: str, other: str) -> dict[Run, set[str]]:
        """Of each run of words the topics, of these two, that it follows in its sentence."""
        found: dict[Run, set[str]] = {}
        for clauses in self.sentences:
            current = ""
            for clause in clauses:
                topics = clause.topic & {one, other}
                if topics or {one, other} <= set(clause.terms):
                    current = next(iter(topics)) if len(topics) == 1 else ""
                if current:
                    rest = [term for term in clause.terms if term not in (one, other)]
                    for run in _runs(rest):
                        found.setdefault(run, set()).add(current)
        return found


def _clauses(sentence: str, names: Mapping[str, str]) -> Iterator[Clause]:
    for clause in _CLAUSE_END.split(sentence):
        terms = tuple(names.get(term, term) for term in fact_terms(clause))
        in_front = len(fact_terms(_marked_front(clause))) if _HANGUL.search(clause) else _TOPIC_TERMS_EN
        front = terms[:in_front]
        if terms:
            yield Clause(terms=terms, topic=frozenset(front))


def _marked_front(clause: str) -> str:
    """The words up to the last particle of a topic among the first words."""
    found = clause.split()
    marked = [
        place
        for place, word in enumerate(found[:_TOPIC_WITHIN_WORDS])
        if _TOPIC_MARK.search(word) and (place or len(word) > 1)
    ]
    return " ".join(found[: marked[-1] + 1]) if marked else ""


def placed_terms(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """The :func:`fact_terms` with the places of their words."""
    for match in _WORD.finditer(text):
        word = match.group().lower()
        if match["number"]:
            yield f"{float(word.replace(' ', '')):g}", match.span()
        elif not _HANGUL.match(word):
            if word not in STOP_WORDS:
                yield word if match["joined"] else stem(word), match.span()
        elif (bare := _without_ending(word, 1 if match["attached"] else _SHORTEST_KOREAN)) is not None:
            yield bare, match.span()


@lru_cache(maxsize=20_000)
def _without_ending(word: str, shortest: int) -> str | None:
    """A Hangul word without its endings; ``None`` for one that says nothing by itself.

    ``shortest`` is what must stay: particles are also attached to Latin letters, where nothing of a word is lost.
    """
    bare = word
    while (shorter := _shorter(bare, shortest)) != bare:
        bare = shorter
    says_nothing = len(bare) < _SHORTEST_KOREAN or not KOREAN_STOP_WORDS.isdisjoint((bare, word))
    return None if says_nothing else bare


def _shorter(word: str, shortest: int) -> str:
    endings = (end for end in _ENDINGS if word.endswith(end) and len(word) >= len(end) + shortest)
    return word.removesuffix(next(endings, ""))


def second_names(*texts: str) -> dict[str, str]:
    """Terms that a text gives in two scripts, "Recall (재현율)", as one."""
    found: dict[str, str] = {}
    for text in texts:
        for match in _NAMED_TWICE.finditer(text):
            first, second = fact_terms(match[1]), fact_terms(match[2])
            first = first[-len(second) :] if second else []
            is_in_two_scripts = any(map(_HANGUL.match, first)) != any(map(_HANGUL.match, second))
            if len(first) == len(second) and is_in_two_scripts:
                found |= {other: name for name, other in zip(first, second, strict=True) if name != other}
    return found


def _runs(terms: Sequence[str]) -> Iterator[Run]:
    for size in range(1, _LONGEST_RUN + 1):
        yield from (tuple(terms[start : start + size]) for start in range(len(terms) - size + 1))


def _neighbours(terms: Sequence[str]) -> Neighbours:
    found: dict[str, set[Neighbour]] = {}
    for left, right in pairwise(terms):
        found.setdefault(left, set()).add((">", right))
        found.setdefault(right, set()).add(("<", left))
    return found


def _clauses_with(clauses: Sequence[Neighbours], word: str, neighbours: set[Neighbour]) -> list[int]:
    return [place for place, found in enumerate(clauses) if found.get(word, set()) & neighbours]


def _merged(several: Sequence[Neighbours]) -> Neighbours:
    found: dict[str, set[Neighbour]] = {}
    for each in several:
        for word, neighbours in each.items():
            found.setdefault(word, set()).update(neighbours)
    return found
