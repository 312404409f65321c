"""Whether a given fraction means what it says, and what leaving the unsure answers to a person would save."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finetune.evaluation.judged import Judged, Numbers
from finetune.evaluation.resampling import Figure, mean_figures
from grading.metrics import risk_coverage

_SHARES = (0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationPoint:
    """Answers that were given nearly the same: the mean given, and the mean of the tutors' scores."""

    count: int
    given: float
    true: Figure


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RiskCurve:
    """Shares of the answers that the grader decides, the most certain first, and the mean absolute error among them."""

    shares: Numbers
    errors: Numbers

    def at(self, share: float) -> float:
        """The mean absolute error where the grader decides this share."""
        return float(np.interp(share, self.shares, self.errors))

    def as_json(self) -> dict[str, float]:
        """The error at some shares."""
        return {f"mae_with_{share:.0%}_graded": round(self.at(share), 4) for share in _SHARES}


def calibration_curve(judged: Judged) -> tuple[CalibrationPoint, ...]:
    """Ten equal steps of the given fraction; those without an answer are left out."""
    step = np.minimum((judged.predicted * 10 + 1e-9).astype(int), 9)
    points: list[CalibrationPoint] = []
    for number in np.unique(step):
        members = step == number
        (true,) = mean_figures(judged.true[members][:, None], judged.question[members])
        points.append(
            CalibrationPoint(count=int(members.sum()), given=float(judged.predicted[members].mean()), true=true)
        )
    return tuple(points)


def risk_curve(judged: Judged) -> RiskCurve:
    """See :func:`grading.metrics.risk_coverage`."""
    shares, errors = risk_coverage(np.abs(judged.error), judged.confidence)
    return RiskCurve(shares=shares, errors=errors)
