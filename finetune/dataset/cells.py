"""What single cells say: scores, verdicts, tags, parts. Each raises ``ValueError`` with a reason that fits a row."""

from __future__ import annotations

import re

from finetune.dataset.records import PartName
from finetune.dataset.table import shown
from grading.domain import Verdict

_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_BETWEEN = re.compile(r"[|,;]")


def score_of(cell: str, max_score: float) -> float | None:
    """The fraction 0..1: a number up to ``max_score``, or a percentage; ``None`` for a blank cell."""
    text = cell.strip()
    if not text:
        return None
    is_percent = text.endswith("%")
    bare = text.removesuffix("%").strip()
    if bare.startswith("-") and _NUMBER.fullmatch(bare[1:]):
        raise ValueError(f"the score '{shown(text)}' is below 0")
    if not _NUMBER.fullmatch(bare):
        hint = "; write a point, not a comma" if "," in bare else ""
        raise ValueError(f"the score '{shown(text)}' is not a number{hint}")
    fraction = float(bare) / (100 if is_percent else max_score)
    if fraction > 1:
        top = "100%" if is_percent else f"{max_score:g}"
        hint = (
            "; mlquiz dataset import --max-score says what full marks are" if max_score == 1 and not is_percent else ""
        )
        raise ValueError(f"the score {shown(text)} is more than {top}{hint}")
    return fraction


def verdicts_of(cell: str) -> tuple[Verdict, ...]:
    """The verdicts of a cell like ``covered|missing``; none for a blank cell."""
    words = [word.strip().casefold() for word in _BETWEEN.split(cell)] if cell.strip() else []
    for word in words:
        if word not in set(Verdict):
            raise ValueError(f"the verdict '{shown(word)}' is none of {', '.join(Verdict)}")
    return tuple(map(Verdict, words))


def tags_of(cell: str) -> tuple[str, ...]:
    """The tags of a cell like ``vectors|similarity``, each once."""
    return tuple(dict.fromkeys(tag for tag in (tag.strip() for tag in cell.split("|")) if tag))


def language_in(cell: str) -> str | None:
    """The code in a cell like ``ko`` or ``en-GB``, ``None`` for a blank one."""
    code = cell.strip().casefold().replace("_", "-").split("-")[0]
    if code and not _LANGUAGE.fullmatch(code):
        raise ValueError(f"the language '{shown(cell.strip())}' is no code like en or ko")
    return code or None


def part_in(cell: str) -> PartName | None:
    """The part that a cell like ``train``, ``dev`` or ``test_unseen_answers`` names, ``None`` for a blank one."""
    name = cell.strip().casefold()
    if not name:
        return None
    for part, beginnings in _PARTS.items():
        if name.startswith(beginnings):
            return part
    raise ValueError(f"the split '{shown(name)}' is none of train, validation, test")


_PARTS: dict[PartName, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("val", "dev"),
    "test": ("test", "unseen", "heldout", "held_out", "held-out"),
}
