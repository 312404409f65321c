"""How much of a figure is luck: the same training with several seeds, their mean and spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_FIGURES = ("mse", "mae", "pearson_r")


def spread_over_seeds(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation of the cross-validated figures of ``runs``, given by their metrics."""
    found: dict[str, Any] = {"count": len(runs)}
    for name in _FIGURES:
        values = [run["figures"][name]["value"] for run in runs if name in run["figures"]]
        if len(values) == len(runs) > 1:
            found[name] = {
                "mean": round(float(np.mean(values)), 4),
                "deviation": round(float(np.std(values, ddof=1)), 4),
                "each": {str(number + 1): value for number, value in enumerate(values)},
            }
    return found
