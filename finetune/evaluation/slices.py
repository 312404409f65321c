"""Parts of the answers that are looked at by themselves: by length, score, language, flag and question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetune.evaluation.judged import Judged
from finetune.evaluation.resampling import Figure, mean_figures

BAND_EDGES = (0.1, 0.35, 0.65, 0.9)
"""Where the words for a score change, as in explanations: none, little, half, most, full."""

_NEARLY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """How right a grader is on a part of the answers; ``kind`` says by what they were parted."""

    kind: str
    name: str
    count: int
    questions: int
    mse: Figure
    mae: Figure
    bias: Figure


Members = tuple[str, str, NDArray[np.bool_]]
"""Kind, name and which answers belong to it."""


def paired_members(judged: Judged) -> Iterator[Members]:
    """The parts that a comparison and the gate look at: none of them depends on what a grader gave."""
    yield from length_members(judged)
    yield from band_members(judged)
    for language in np.unique(judged.language):
        yield "language", str(language), judged.language == language


def slices_of(judged: Judged) -> list[Slice]:
    """All parts with an answer in them, questions last and the worst question first."""
    found = [_slice(judged, *members) for members in (*paired_members(judged), *_flag_members(judged))]
    asked = [
        _slice(judged, "question", name, judged.question == number) for number, name in enumerate(judged.questions)
    ]
    return [*found, *sorted(asked, key=lambda each: -each.mse.value)]


def length_members(judged: Judged) -> Iterator[Members]:
    """Thirds by length; fewer where the lengths do not differ enough."""
    first, second = np.floor(np.quantile(judged.length, [1 / 3, 2 / 3])).tolist()
    parts = (
        (f"up to {first:.0f} characters", judged.length <= first),
        (f"{first + 1:.0f} to {second:.0f} characters", (judged.length > first) & (judged.length <= second)),
        (f"over {second:.0f} characters", judged.length > second),
    )
    yield from (("length", name, members) for name, members in parts if members.any())


def band_members(judged: Judged) -> Iterator[Members]:
    """Bands of the tutor's score."""
    band = np.searchsorted(np.array(BAND_EDGES) - _NEARLY, judged.true, side="right")
    edges = (0.0, *BAND_EDGES, 1.0)
    for number in range(len(edges) - 1):
        if (band == number).any():
            yield "band", f"{edges[number]:g} to {edges[number + 1]:g}", band == number


def _flag_members(judged: Judged) -> Iterator[Members]:
    for flag in sorted(set().union(*judged.flags)):
        yield "flag", flag.value, np.array([flag in flags for flags in judged.flags])
    bare = np.array([not flags for flags in judged.flags])
    if bare.any():
        yield "flag", "none", bare


def _slice(judged: Judged, kind: str, name: str, members: NDArray[np.bool_]) -> Slice:
    error, question = judged.error[members], judged.question[members]
    mse, mae, bias = mean_figures(np.column_stack([error**2, np.abs(error), error]), question)
    return Slice(
        kind=kind,
        name=name,
        count=int(members.sum()),
        questions=len(np.unique(question)),
        mse=mse,
        mae=mae,
        bias=bias,
    )
