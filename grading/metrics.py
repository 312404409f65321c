"""How well predicted fractions fit those of tutors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

BIG_ERROR = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingMetrics:
    """Figures over ``count`` answers; fractions are 0..1.

    ``mse`` and ``mae`` mean squared and absolute error, ``bias`` mean of prediction minus truth, ``pearson_r`` the
    correlation (``None`` where either side does not vary), ``big_error_share`` the share off by 0.5 or more.
    """

    count: int
    mse: float
    mae: float
    bias: float
    pearson_r: float | None
    big_error_share: float

    def as_dict(self) -> dict[str, float | int | None]:
        """The figures rounded to four digits, for a report."""
        return {name: value if value is None else round(value, 4) for name, value in asdict(self).items()}


def grading_metrics(predicted: Sequence[float], true: Sequence[float]) -> GradingMetrics:
    """Compare two equally long, non-empty sequences of fractions; ``ValueError`` otherwise."""
    if len(predicted) != len(true) or not predicted:
        raise ValueError(f"need as many predictions as scores and at least one: {len(predicted)}, {len(true)}")
    given, wanted = np.asarray(predicted, float), np.asarray(true, float)
    error = given - wanted
    varies = len(given) > 1 and np.ptp(given) > 0 and np.ptp(wanted) > 0
    return GradingMetrics(
        count=len(given),
        mse=float(np.mean(error**2)),
        mae=float(np.mean(np.abs(error))),
        bias=float(np.mean(error)),
        pearson_r=float(np.corrcoef(given, wanted)[0, 1]) if varies else None,
        # Scores come in steps of 0.05, and 0.5 itself counts: allow for rounding.
        big_error_share=float(np.mean(np.abs(error) >= BIG_ERROR - 1e-9)),
    )


def weighted_rmse(predicted: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    """Root of the mean squared error where ten bins of the true score weigh the same, however full they are."""
    bins = np.minimum((true * 10).astype(int), 9)
    return float(np.sqrt(np.mean([np.mean((predicted - true)[bins == each] ** 2) for each in np.unique(bins)])))


def length_correlation(
    residuals: NDArray[np.float64], lengths: NDArray[np.float64]
) -> tuple[float, tuple[float, float]]:
    """Pearson's r of residual and log length, and its 95 % interval (Fisher's z); 0 where either does not vary."""
    logs = np.log(np.maximum(lengths, 1.0))
    if len(residuals) < 4 or np.ptp(residuals) == 0 or np.ptp(logs) == 0:
        return 0.0, (-1.0, 1.0)
    r = float(np.corrcoef(residuals, logs)[0, 1])
    z, spread = np.arctanh(np.clip(r, -0.999999, 0.999999)), 1.96 / np.sqrt(len(residuals) - 3)
    return r, (float(np.tanh(z - spread)), float(np.tanh(z + spread)))


def risk_coverage(
    errors: NDArray[np.float64], confidences: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares kept (rising, the most confident first) and the mean error among those kept (El-Yaniv and Wiener 2010).

    Answers of equal confidence are in no order of their own: their mean error stands for each of them.
    """
    levels, members = np.unique(-confidences, return_inverse=True)
    means = np.array([errors[members == level].mean() for level in range(len(levels))])
    ordered = means[np.sort(members)]
    count = np.arange(1, len(errors) + 1)
    return count / len(errors), np.cumsum(ordered) / count
