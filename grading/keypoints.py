"""The key points that an answer is held against, and which part of the answer speaks of which."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from grading.domain import KeyPoint, Question
from grading.errors import QuestionUnusable
from grading.naming import topic_of
from grading.text import Part, clause_parts, clean, language_of, sentences

_MAX_WINDOWS = 160
_MAX_DERIVED = 8
_MAX_EVIDENCE = 1500
_LONG_SENTENCE, _CLAUSE = 180, 40
_LONG_KOREAN_SENTENCE, _KOREAN_CLAUSE = 100, 20
"""In characters: when a clause is shown in place of its sentence. A syllable of Hangul says about two letters."""


def key_points_of(question: Question) -> tuple[KeyPoint, ...]:
    """The question's key points with cleaned texts, or the sentences of its first model answer with equal weight.

    Such a sentence is named by what it is about, where the question says that too (:mod:`grading.naming`), and has an
    empty name otherwise. Raises :class:`QuestionUnusable` when there is neither, or when no mean can be taken with the
    weights.
    """
    if question.key_points:
        _require_weights(question.key_points)
        return tuple(replace(point, text=clean(point.text)) for point in question.key_points)
    parts = [part for answer in question.model_answers[:1] for part in sentences(clean(answer))]
    if not parts:
        raise QuestionUnusable(
            "the question has no key points and no model answer with words in it: add a model answer"
        )
    if len(parts) > _MAX_DERIVED:
        parts = [*parts[: _MAX_DERIVED - 1], " ".join(parts[_MAX_DERIVED - 1 :])]
    names = [topic_of(text, question.prompt) for text in parts]
    # Two points of one name could not be told apart.
    names = [name if names.index(name) == place else "" for place, name in enumerate(names)]
    return tuple(KeyPoint(position=n, name=names[n], text=text) for n, text in enumerate(parts))


def _require_weights(points: Sequence[KeyPoint]) -> None:
    """Raises :class:`QuestionUnusable` for weights that are negative, no numbers, infinite, or all 0."""
    weights = [point.weight for point in points]
    if not (all(weight >= 0 for weight in weights) and 0 < sum(weights) < math.inf):
        shown = ", ".join(map(str, weights))
        raise QuestionUnusable(
            f"the weights of the key points are {shown}: give each a number from 0 up, and one at least more than 0"
        )


def references_of(question: Question) -> tuple[str, ...]:
    """The cleaned model answers; the key points in one text when there is none."""
    answers = tuple(text for text in (clean(answer) for answer in question.model_answers) if text)
    return answers or (" ".join(point.text for point in key_points_of(question)),)


def windows_of(parts: Sequence[Part]) -> list[Part]:
    """The stretches of an answer that may carry a key point: sentences, clauses, and two sentences in a row.

    Each once, sentences first; at most 160.
    """
    neighbours = [_both(first, second) for first, second in pairwise(parts)]
    pieces = [clause for part in parts for clause in clause_parts(part)]
    unique: dict[str, Part] = {}
    for window in (*parts, *pieces, *neighbours):
        unique.setdefault(window.text, window)
    return list(unique.values())[:_MAX_WINDOWS]


def evidence_for(window: Part, parts: Sequence[Part], written: str) -> str:
    """The student's own words around ``window``, exactly as they stand in ``written``: a clause or whole sentences.

    A clause that makes no sense alone (short, or with half a bracket) gives way to its sentence, and so does one of a
    sentence that is short enough to be read at a glance. Of two sentences with something else between them the longer
    one is shown.
    """
    inside = [part for part in parts if part.start < window.end and window.start < part.end]
    if len(inside) > 1 and any(character.isalnum() for character in written[inside[0].end : inside[1].start]):
        inside = [max(inside, key=lambda part: len(part.raw))]
    whole = written[inside[0].start : inside[-1].end]
    clause = written[window.start : window.end]
    shown = clause if len(inside) == 1 and _is_readable(clause, whole) else whole
    # Longer than this only where one word is said again and again.
    return shown[:_MAX_EVIDENCE].rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """For each key point the window of the answer that is nearest to it.

    ``windows`` as :func:`windows_of` gave them; ``similarities`` cosines ``[key points, windows]``; ``best`` the
    index of the nearest window of each key point.
    """

    windows: tuple[Part, ...]
    similarities: NDArray[np.float32]
    best: NDArray[np.int64]


def align(
    points: NDArray[np.float32], windows: Sequence[Part], vectors: NDArray[np.float32], tolerance: float = 0.01
) -> Alignment:
    """Match normalised vectors of key points ``[n, d]`` and windows ``[m, d]``; ``m`` is at least 1.

    Among windows within ``tolerance`` of the nearest the shortest is taken: it is the better evidence.
    """
    similarities = points @ vectors.T
    lengths = np.array([len(window.raw) for window in windows])
    near = similarities >= similarities.max(axis=1, keepdims=True) - tolerance
    best = np.where(near, lengths[None, :], np.iinfo(np.int64).max).argmin(axis=1)
    return Alignment(windows=tuple(windows), similarities=similarities.astype(np.float32), best=best)


def _both(first: Part, second: Part) -> Part:
    """Two sentences as one stretch; what was taken out between them stays out."""
    gap = max(1, second.start - first.end)
    return Part(raw=first.raw + " " * gap + second.raw, start=first.start)


def _is_readable(clause: str, sentence: str) -> bool:
    is_korean = language_of(sentence) == "ko"
    return (
        len(sentence) > (_LONG_KOREAN_SENTENCE if is_korean else _LONG_SENTENCE)
        and len(clause) >= (_KOREAN_CLAUSE if is_korean else _CLAUSE)
        and all(clause.count(left) == clause.count(right) for left, right in ("()", "[]", "{}"))
    )
