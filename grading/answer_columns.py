"""What the columns of a file of answers are called: for grading a file, and for training on one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Part = Literal["question", "reference", "answer", "score"]
MorePart = Literal["explanation", "language", "split", "verdicts", "tags"]

COLUMNS: dict[Part, tuple[str, ...]] = {
    "question": ("question", "quiz"),
    "reference": ("reference", "good_answer", "reference_answer"),
    "answer": ("answer", "user_answer", "student_answer"),
    "score": ("score", "similarity_score"),
}
"""The names that a part of a row may have, the one that counts first first; ``score`` is what a person gave, 0..1."""

MORE_COLUMNS: dict[MorePart, tuple[str, ...]] = {
    "explanation": ("explanation", "feedback"),
    "language": ("language",),
    "split": ("split", "data_type"),
    "verdicts": ("verdicts",),
    "tags": ("tags", "keywords"),
}
"""What a file to learn from may have besides: ``verdicts`` and ``tags`` are lists with ``|`` between."""


def column_of(part: Part | MorePart, header: Sequence[str]) -> str | None:
    """The name of the column for ``part`` as the header spells it; case and spaces around it do not matter."""
    spelled = {name.strip().casefold(): name for name in reversed(header)}
    return next((spelled[name] for name in {**COLUMNS, **MORE_COLUMNS}[part] if name in spelled), None)
