"""What every way of scoring gives back to :class:`grading.grader.Grader`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from grading.domain import KeyPoint, Question
from grading.guard import GuardedAnswer
from grading.head import Interval
from grading.text import Part


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """One answer: the ``fraction`` of the points, and for each key point how far it is said and contradicted (0..1).

    ``doubt`` about the fraction is what :class:`grading.head.Interval` goes by. ``windows`` are the stretches of the
    answer that speak of the points, ``similarities`` their cosines with them; ``is_off_topic`` whether the answer has
    nothing to do with question and model answer.
    """

    fraction: float
    doubt: float
    coverages: NDArray[np.float64]
    contradictions: NDArray[np.float64]
    windows: tuple[Part, ...]
    similarities: NDArray[np.float64]
    is_off_topic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """From which coverage on a key point is covered or partly covered, and from when on it is contradicted."""

    covered_from: float
    partial_from: float
    contradicted_from: float


class Scorer(Protocol):
    """Scores what :func:`grading.guard.guard` left of an answer."""

    versions: Mapping[str, str]
    interval: Interval
    thresholds: Thresholds

    def question(self, question: Question) -> ScoredQuestion:
        """Prepare a question for its answers; raises :class:`grading.errors.QuestionUnusable`."""
        ...


class ScoredQuestion(Protocol):
    """A question with all that needs to be known only once."""

    points: tuple[KeyPoint, ...]

    def score(self, answer: GuardedAnswer) -> Scored:
        """Score one answer with something in it."""
        ...

    def full(self, answer: GuardedAnswer) -> Scored:
        """What the model answer itself gets, for an answer that is a copy of it."""
        ...
