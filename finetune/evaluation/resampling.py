"""The bootstrap by question: answers to one question resemble each other, so whole questions are drawn.

Resampling single answers would make intervals too narrow (Field and Welsh 2007). All draws are seeded: equal data give
equal intervals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A value with its 95 % interval; the ends are ``None`` where fewer than two questions are behind it."""

    value: float
    low: float | None = None
    high: float | None = None

    def as_json(self) -> dict[str, float | None]:
        """Rounded to four digits."""
        ends = {"low": self.low, "high": self.high}
        return {"value": round(self.value, 4)} | {name: end and round(end, 4) for name, end in ends.items()}


def resampled_means(values: NDArray[np.float64], question: NDArray[np.int64]) -> NDArray[np.float64]:
    """``[2000, k]``: the means of the columns of ``values`` ``[n, k]`` in each draw of questions.

    Rows of nan are answers that do not belong to the slice; a draw without any of it is nan.
    """
    belongs = ~np.isnan(values)
    sums = _by_question(np.where(belongs, values, 0.0), question)
    counts = _by_question(belongs.astype(float), question)
    times = _times(len(sums))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (times @ sums) / (times @ counts)


def resampled(
    statistic: Callable[[NDArray[np.int64]], NDArray[np.float64]], question: NDArray[np.int64]
) -> NDArray[np.float64]:
    """``[2000, k]``: what ``statistic`` makes of the row numbers of each draw; for figures that are no means."""
    rows = [np.flatnonzero(question == number) for number in np.unique(question)]
    draws = np.random.default_rng(SEED).integers(len(rows), size=(RESAMPLES, len(rows)))
    return np.array([statistic(np.concatenate([rows[number] for number in draw])) for draw in draws])


def figure(value: float, draws: NDArray[np.float64], questions: int) -> Figure:
    """``value`` with the middle 95 % of its ``draws`` ``[2000]``; without where ``questions`` are too few."""
    draws = draws[~np.isnan(draws)]
    if questions < 2 or not len(draws):
        return Figure(value=value)
    low, high = np.percentile(draws, [2.5, 97.5])
    return Figure(value=value, low=float(low), high=float(high))


def mean_figures(values: NDArray[np.float64], question: NDArray[np.int64]) -> list[Figure]:
    """The mean of each column of ``values`` ``[n, k]`` with its interval."""
    draws = resampled_means(values, question)
    count = len(np.unique(question))
    return [figure(float(values[:, column].mean()), draws[:, column], count) for column in range(values.shape[1])]


def _by_question(values: NDArray[np.float64], question: NDArray[np.int64]) -> NDArray[np.float64]:
    """``[questions, k]``: sums over the answers of each question that has any."""
    _, number = np.unique(question, return_inverse=True)
    sums = np.zeros((number.max() + 1, values.shape[1]))
    np.add.at(sums, number, values)
    return sums


def _times(questions: int) -> NDArray[np.float64]:
    """``[2000, questions]``: how often each question is drawn."""
    even = np.full(questions, 1 / questions)
    return np.random.default_rng(SEED).multinomial(questions, even, size=RESAMPLES).astype(float)
