"""All cases of the suite, always the same ones in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from finetune.behaviour.case import Case
from finetune.behaviour.ceiling import ceiling_cases
from finetune.behaviour.direction import direction_cases
from finetune.behaviour.invariance import invariance_cases
from finetune.behaviour.material import Material, load_material


@cache
def load_cases() -> tuple[Case, ...]:
    """Every case, question by question; an error of the material for a file that does not fit."""
    return tuple(_cases(load_material()))


def _cases(materials: tuple[Material, ...]) -> Iterator[Case]:
    for material in materials:
        others = [other for other in materials if (other.language, other.seen) == (material.language, material.seen)]
        yield from invariance_cases(material)
        yield from direction_cases(material)
        yield from ceiling_cases(material, others)
