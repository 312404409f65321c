"""The curve of a training's loss as numbers that a template draws: no script, no inline style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 600, 200
LEAST_POINTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LossCurve:
    """A line in a box of ``WIDTH`` × ``HEIGHT``, and what stands at its sides."""

    points: str
    highest: float
    latest: float
    last_step: int


def loss_curve(losses: Sequence[Sequence[float]], total: int) -> LossCurve | None:
    """The curve of pairs of step and loss, from step 0 to the last of ``total``; ``None`` for too few of them."""
    if len(losses) < LEAST_POINTS:
        return None
    last_step = max(int(losses[-1][0]), total, 1)
    highest = max(loss for _, loss in losses) or 1.0
    points = " ".join(f"{WIDTH * step / last_step:.1f},{HEIGHT - HEIGHT * loss / highest:.1f}" for step, loss in losses)
    return LossCurve(points=points, highest=highest, latest=losses[-1][1], last_step=last_step)
