"""Put a grader through the cases: one call of it for each question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from finetune.behaviour.case import Case
from grading.domain import Assessment, Question

Tell = Callable[[int, int, str], None]
"""Told how many questions are done, of how many, and which is next."""


class Assesses(Protocol):
    """What is judged: :class:`grading.grader.Grader` or anything that assesses as it does."""

    def assess(self, question: Question, answers: Sequence[str]) -> list[Assessment]:
        """One assessment for each answer, in order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a grader gave for a case; ``faults`` says in words what was expected instead, empty when it passed."""

    case: Case
    got: float
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the grader did what a fair tutor would do."""
        return not self.faults


def judge(grader: Assesses, cases: Iterable[Case], progress: Tell | None = None) -> list[Outcome]:
    """An outcome for each case, in order; each text of a question is assessed once."""
    cases = list(cases)
    by_question: dict[tuple[str, bool, str], list[Case]] = {}
    for case in cases:
        by_question.setdefault((case.language, case.seen, case.question_id), []).append(case)
    outcomes: dict[str, Outcome] = {}
    for done, ((language, _, name), group) in enumerate(by_question.items()):
        if progress:
            progress(done, len(by_question), f"{language} {name}")
        outcomes |= _judged(grader, group)
    if progress:
        progress(len(by_question), len(by_question), "done")
    return [outcomes[case.id] for case in cases]


def _judged(grader: Assesses, cases: list[Case]) -> dict[str, Outcome]:
    """The outcomes of one question's cases by id."""
    texts = list(dict.fromkeys(text for case in cases for text in case.texts))
    assessments = dict(zip(texts, grader.assess(cases[0].question, texts), strict=True))
    found: dict[str, Outcome] = {}
    for case in cases:
        got = assessments[case.texts[0]]
        plain = assessments[case.texts[1]] if len(case.texts) > 1 else None
        found[case.id] = Outcome(case=case, got=got.fraction, faults=tuple(case.expected.faults(got, plain)))
    return found
