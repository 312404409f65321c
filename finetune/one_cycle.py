"""The rise and fall of rate and momentum over a training."""

from __future__ import annotations

import math

_RISE = 0.1
_LOWEST_SHARE = 1 / 25
_LAST_SHARE = _LOWEST_SHARE / 1e4
_MOST_MOMENTUM, _LEAST_MOMENTUM = 0.95, 0.85


def one_cycle(step: int, steps: int) -> tuple[float, float]:
    """Share of the peak rate, and the momentum, at a step (Smith and Topin 2018).

    Up in a tenth of the steps, then down to nearly nothing, along cosines: torch's ``OneCycleLR`` for one step more.
    """
    top = _RISE * (steps + 1) - 1
    if step <= top:
        risen = 0.5 * (1 - math.cos(math.pi * step / top)) if top > 0 else 1.0
        share = _LOWEST_SHARE + (1 - _LOWEST_SHARE) * risen
        return share, _MOST_MOMENTUM + (_LEAST_MOMENTUM - _MOST_MOMENTUM) * risen
    left = 0.5 * (1 + math.cos(math.pi * (step - top) / (steps - top)))
    share = _LAST_SHARE + (1 - _LAST_SHARE) * left
    return share, _MOST_MOMENTUM + (_LEAST_MOMENTUM - _MOST_MOMENTUM) * left
