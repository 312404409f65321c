"""How a case gets its name and its id."""

from __future__ import annotations

import random

from finetune.behaviour.case import Case, Expected, Sort
from finetune.behaviour.material import Material


def case_of(
    material: Material, sort: Sort, name: str, texts: tuple[str, ...], expected: Expected, nth: int = 0
) -> Case:
    """A case of this question; ``nth`` tells cases of one name apart."""
    origin = "seen" if material.seen else "unseen"
    suffix = f"-{nth + 1}" if nth else ""
    return Case(
        id=f"{material.language}/{origin}/{material.id}/{name.replace(' ', '-')}{suffix}",
        sort=sort,
        name=name,
        language=material.language,
        seen=material.seen,
        question_id=material.id,
        question=material.question,
        texts=texts,
        expected=expected,
    )


def dice(material: Material, name: str) -> random.Random:
    """A source of chance that gives the same for a question and a name each time."""
    return random.Random(f"{material.language}/{material.id}/{name}")
