"""What is asked and what the students answer: questions of the behaviour suite, which no model was trained on.

A model that went round learned from answers of the suite that judges it: it is thrown away with everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finetune.behaviour.material import Material, load_material
from finetune.dataset.parts import normalised, part_of
from finetune.dataset.records import PartName

QUIZ_TITLE = "Round trip"
INSTRUCTOR = "ada"
POINTS_EACH = 2
WILLING = ("mateo", "seoyeon", "priya", "maria")
"""Students who say yes to the use of their answers."""
UNWILLING = "lukas"
"""The student who says no."""
STUDENTS = (*WILLING, UNWILLING)

_ASKED: dict[PartName, int] = {"train": 8, "validation": 1, "test": 3}
"""A grader learns from eight questions or more, an explainer needs some in each part, the gate judges by the tests."""
_KINDS = ("full", "part", "flipped", "mixed", "short")
"""One for each student, in turn: everybody writes good and bad answers, and every question has all five."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question with an answer of each kind; ``fair_shares`` are what a tutor gives for them (0 to 1)."""

    material: Material
    answers: tuple[str, ...]
    fair_shares: tuple[float, ...]


def load_questions() -> list[Asked]:
    """The questions of the quiz in their order; of each part as many as are needed."""
    left = dict(_ASKED)
    found: list[Asked] = []
    for material in load_material():
        part = part_of(normalised(material.question.prompt))
        if material.seen or material.language != "en" or not left[part]:
            continue
        left[part] -= 1
        chosen = [material.of_kind(kind)[0] for kind in _KINDS]
        texts, shares = tuple(each.text for each in chosen), tuple(each.score for each in chosen)
        found.append(Asked(material=material, answers=texts, fair_shares=shares))
    return found


def answers_of(student: str, questions: Sequence[Asked], *, attempt: int = 1) -> tuple[str, ...]:
    """What a student writes at the first or a later attempt, one text a question."""
    return tuple(asked.answers[_kind(student, number, attempt)] for number, asked in enumerate(questions))


def fair_shares_of(student: str, questions: Sequence[Asked]) -> tuple[float, ...]:
    """What a tutor would give for the answers of the first attempt."""
    return tuple(asked.fair_shares[_kind(student, number, 1)] for number, asked in enumerate(questions))


def _kind(student: str, number: int, attempt: int) -> int:
    return (STUDENTS.index(student) + number + attempt) % len(_KINDS)
