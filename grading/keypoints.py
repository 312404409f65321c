"""The key points that an answer is held against, and which part of the answer speaks of which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from grading.domain import KeyPoint, Question
from grading.errors import QuestionUnusable
from grading.text import clauses, clean, language_of, sentences

_MAX_WINDOWS = 160
_MAX_DERIVED = 8


def key_points_of(question: Question) -> tuple[KeyPoint, ...]:
    """The question's key points, or the sentences of its first model answer with equal weight.

    Raises :class:`QuestionUnusable` when there is neither.
    """
    if question.key_points:
        return question.key_points
    parts = [part for answer in question.model_answers[:1] for part in sentences(clean(answer))]
    if not parts:
        raise QuestionUnusable(
            "the question has no key points and no model answer with words in it: add a model answer"
        )
    if len(parts) > _MAX_DERIVED:
        parts = [*parts[: _MAX_DERIVED - 1], " ".join(parts[_MAX_DERIVED - 1 :])]
    name = "{}번째 부분" if language_of(parts[0]) == "ko" else "part {}"
    return tuple(KeyPoint(position=n, name=name.format(n + 1), text=text) for n, text in enumerate(parts))


def references_of(question: Question) -> tuple[str, ...]:
    """The cleaned model answers; the key points in one text when there is none."""
    answers = tuple(text for text in (clean(answer) for answer in question.model_answers) if text)
    return answers or (" ".join(point.text for point in key_points_of(question)),)


def windows_of(parts: Sequence[str]) -> list[str]:
    """The stretches of an answer that may carry a key point: sentences, clauses, and two sentences in a row.

    Each once, sentences first; at most 160.
    """
    neighbours = [f"{first} {second}" for first, second in pairwise(parts)]
    pieces = [clause for part in parts for clause in clauses(part)]
    return list(dict.fromkeys([*parts, *pieces, *neighbours]))[:_MAX_WINDOWS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """For each key point the window of the answer that is nearest to it.

    ``windows`` as :func:`windows_of` gave them; ``similarities`` cosines ``[key points, windows]``; ``best`` the
    index of the nearest window of each key point.
    """

    windows: tuple[str, ...]
    similarities: NDArray[np.float32]
    best: NDArray[np.int64]


def align(
    points: NDArray[np.float32], windows: Sequence[str], vectors: NDArray[np.float32], tolerance: float = 0.01
) -> Alignment:
    """Match normalised vectors of key points ``[n, d]`` and windows ``[m, d]``; ``m`` is at least 1.

    Among windows within ``tolerance`` of the nearest the shortest is taken: it is the better evidence.
    """
    similarities = points @ vectors.T
    lengths = np.array([len(window) for window in windows])
    near = similarities >= similarities.max(axis=1, keepdims=True) - tolerance
    best = np.where(near, lengths[None, :], np.iinfo(np.int64).max).argmin(axis=1)
    return Alignment(windows=tuple(windows), similarities=similarities.astype(np.float32), best=best)
