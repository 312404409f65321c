"""Check a dataset: faults, which make it unusable, apart from warnings, which a person should look at.

::

    folder ──▶ scan ──▶ faults by file and line
                └─────▶ cells ─▶ set ─▶ leaks ─▶ shuffling ──▶ warnings with their places
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.dataset.cell_checks import cell_findings
from finetune.dataset.faults import Faults
from finetune.dataset.finding import Finding, Material, Place
from finetune.dataset.leaks import leak_findings
from finetune.dataset.reading import Scan, scan_dataset
from finetune.dataset.records import EXAMPLES, QUESTIONS
from finetune.dataset.set_checks import set_findings
from finetune.dataset.shuffling import shuffling_findings

Tell = Callable[[int, int], None]

_STEPS = (cell_findings, set_findings, leak_findings, shuffling_findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a check of a folder found; ``digest`` is ``None`` where no manifest could be read."""

    digest: str | None
    counts: dict[str, int]
    languages: dict[str, int]
    faults: Faults
    warnings: tuple[Finding, ...]

    @property
    def is_usable(self) -> bool:
        """Whether the trainers take it."""
        return not self.faults.count

    def as_json(self) -> dict[str, Any]:
        """For a program: everything that is kept."""
        return {
            "is_usable": self.is_usable,
            "digest": self.digest,
            "counts": self.counts,
            "languages": self.languages,
            "faults": {"count": self.faults.count, "first": self.faults.kept},
            "warnings": [warning.as_json() for warning in self.warnings],
        }


def check_dataset(folder: Path, tell: Tell | None = None) -> Report:
    """Read all of ``folder`` that can be read and check it; never raises for what is wrong with it."""
    scan = scan_dataset(folder)
    material = _material(scan)
    if scan.manifest is not None and not scan.examples and not scan.faults.count:
        scan.faults.add(f"{folder / EXAMPLES}: there is no example.")
    return Report(
        digest=scan.manifest.digest if scan.manifest else None,
        counts={
            "questions": len(material.questions),
            "examples": len(material.examples),
            "confirmed": sum(example.is_confirmed for example in material.examples),
        },
        languages=dict(Counter(example.language for example in material.examples).most_common()),
        faults=scan.faults,
        warnings=findings_of(material, tell),
    )


def findings_of(material: Material, tell: Tell | None = None) -> tuple[Finding, ...]:
    """All that a person should look at, in the order of the checks; ``tell`` hears of steps done and of all."""
    found: list[Finding] = []
    for done, step in enumerate(_STEPS):
        if tell:
            tell(done, len(_STEPS))
        found += step(material)
    if tell:
        tell(len(_STEPS), len(_STEPS))
    return tuple(found)


def _material(scan: Scan) -> Material:
    return Material(
        questions=tuple(scan.questions.values()),
        examples=tuple(scan.examples.values()),
        question_places=tuple(Place(file=QUESTIONS, unit="line", number=number) for number in scan.questions),
        example_places=tuple(Place(file=EXAMPLES, unit="line", number=number) for number in scan.examples),
    )
