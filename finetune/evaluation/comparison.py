"""Two graders on the same answers: differences answer by answer, resampled by question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune.evaluation.judged import Judged, Numbers
from finetune.evaluation.resampling import Figure, figure, resampled_means
from finetune.evaluation.slices import paired_members

TOO_MUCH = 0.02
"""A part of the answers is clearly worse from this rise of its mean squared error on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Candidate minus current on a part of the answers: below zero, the candidate is better.

    ``worse`` is the probability that the candidate's mean squared error is higher, ``much_worse`` that it is higher by
    more than :data:`TOO_MUCH`: shares of the draws.
    """

    kind: str
    name: str
    count: int
    mse: Figure
    mae: Figure
    worse: float
    much_worse: float

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "kind": self.kind,
            "name": self.name,
            "count": self.count,
            "mse": self.mse.as_json(),
            "mae": self.mae.as_json(),
            "probability_worse": round(self.worse, 4),
            "probability_much_worse": round(self.much_worse, 4),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The difference over all answers, and over each part of them."""

    overall: Difference
    slices: tuple[Difference, ...]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"overall": self.overall.as_json(), "slices": [each.as_json() for each in self.slices]}


def compared(candidate: Judged, current: Judged) -> Comparison:
    """The paired comparison; ``ValueError`` where the two judged other answers."""
    if not candidate.has_same_answers_as(current):
        raise ValueError("the two graders judged different answers: there is nothing to pair")
    squares = candidate.error**2 - current.error**2
    sizes = np.abs(candidate.error) - np.abs(current.error)
    members = [("all", "all answers", np.ones(len(candidate), bool)), *paired_members(candidate)]
    # One set of draws for all parts.
    columns = [np.where(own, each, np.nan) for _, _, own in members for each in (squares, sizes)]
    draws = resampled_means(np.column_stack(columns), candidate.question)
    differences = [
        _difference(kind, name, candidate.question[own], (squares[own], sizes[own]), draws[:, 2 * number :][:, :2])
        for number, (kind, name, own) in enumerate(members)
    ]
    return Comparison(overall=differences[0], slices=tuple(differences[1:]))


def _difference(
    kind: str, name: str, question: NDArray[np.int64], values: Sequence[Numbers], draws: NDArray[np.float64]
) -> Difference:
    questions = len(np.unique(question))
    mse, mae = (figure(float(each.mean()), draws[:, column], questions) for column, each in enumerate(values))
    drawn = draws[~np.isnan(draws[:, 0]), 0]
    return Difference(
        kind=kind,
        name=name,
        count=len(question),
        mse=mse,
        mae=mae,
        worse=float(np.mean(drawn > 0)),
        much_worse=float(np.mean(drawn > TOO_MUCH)),
    )
