"""How well predicted fractions fit those of tutors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

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
