"""The figures of a grader with their intervals; what each one means stands in :mod:`grading.metrics`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from finetune.evaluation.judged import Judged
from finetune.evaluation.resampling import Figure, figure, resampled
from grading.metrics import grading_metrics, length_correlation, weighted_rmse

NAMES = (
    "mse",
    "mae",
    "pearson_r",
    "weighted_rmse",
    "big_error_share",
    "bias",
    "interval_covers",
    "interval_width",
    "corr_residual_log_length",
)


def grader_figures(judged: Judged) -> dict[str, Figure]:
    """Each of :data:`NAMES`, resampled by question; without one that is undefined, as r is where nothing varies."""
    values = _values(judged, np.arange(len(judged)))
    draws = resampled(lambda rows: _values(judged, rows), judged.question)
    return {
        name: figure(float(values[number]), draws[:, number], len(judged.questions))
        for number, name in enumerate(NAMES)
        if not np.isnan(values[number])
    }


def _values(judged: Judged, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    predicted, true = judged.predicted[rows], judged.true[rows]
    low, high = judged.low[rows], judged.high[rows]
    plain = grading_metrics(predicted.tolist(), true.tolist())
    return np.array(
        [
            plain.mse,
            plain.mae,
            np.nan if plain.pearson_r is None else plain.pearson_r,
            weighted_rmse(predicted, true),
            plain.big_error_share,
            plain.bias,
            np.mean((low - 1e-9 <= true) & (true <= high + 1e-9)),
            np.mean(high - low),
            length_correlation(predicted - true, judged.length[rows])[0],
        ]
    )
