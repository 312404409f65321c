"""What a head was fitted on, kept beside the model as plain numbers, so that a training which goes on does not forget.

::

    training ──rows of the head──▶ run/remembered.safetensors ──▶ training --from run: fitted on these and its own

A head that saw a few hundred answers of one course only knows no gibberish, no other questions' answers and no other
course. What the model read when it was first trained is fitted again beside the new answers (replay; Rolnick et al.
2019). Rows hold no words, and groups and sources are numbers: nobody's answer can be made out of them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from finetune.errors import ModelUnsuitable
from finetune.reading_head import HeadRow
from grading.answer_signs import SIGNS

REMEMBERED = "remembered.safetensors"
_MOST = 20_000


def write_remembered(folder: Path, rows: Sequence[HeadRow], seed: int) -> None:
    """At most 20,000 rows that weigh anything, real answers first, in ``folder``; 2 bytes a sign."""
    weighing = [row for row in rows if row.weight > 0]
    random.Random(seed).shuffle(weighing)
    kept = sorted(weighing, key=lambda row: row.is_made_up)[:_MOST]
    arrays = {
        "signs": np.array([row.signs for row in kept], np.float16).reshape(len(kept), len(SIGNS)),
        "scores": np.array([row.score for row in kept], np.float32),
        "weights": np.array([row.weight for row in kept], np.float32),
        "groups": _numbered([row.group for row in kept]),
        "sources": _numbered([row.source for row in kept]),
        "made_up": np.array([row.is_made_up for row in kept], np.uint8),
    }
    save_file(arrays, folder / REMEMBERED)


def read_remembered(folder: Path | None) -> list[HeadRow]:
    """The rows that the model in ``folder`` was fitted on; none where it does not say, as older runs.

    :class:`ModelUnsuitable` where they have other signs than heads have now.
    """
    if folder is None or not (folder / REMEMBERED).is_file():
        return []
    arrays = load_file(folder / REMEMBERED)
    if arrays["signs"].shape[1:] != (len(SIGNS),):
        raise ModelUnsuitable(f"{folder / REMEMBERED} is of another version of the tool: train {folder} again")
    nothing = np.zeros(0)
    return [
        HeadRow(
            group=f"remembered {group}",
            source=f"remembered {source}",
            kind="",
            is_made_up=bool(is_made_up),
            weight=float(weight),
            score=float(score),
            signs=signs.astype(np.float64),
            said=nothing,
            contradicted=nothing,
            verdicts=(),
        )
        for signs, score, weight, group, source, is_made_up in zip(
            *(arrays[name] for name in ("signs", "scores", "weights", "groups", "sources", "made_up")), strict=True
        )
    ]


def _numbered(names: Sequence[str]) -> np.ndarray:
    """A number for each name, in the order of their first places."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], np.int32)
