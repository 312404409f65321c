"""What an explainer is trained on: the sample bank, courses, or both, as one list of cases with its identity.

::

    bank ──────────┐
    --data ─ Course┴──▶ cases ──one part for each question──▶ train · validation · test
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from finetune.errors import TooFewExamples
from finetune.explainer_assessments import Grades, KeptAssessments
from finetune.explainer_data import Course, Tell, aligned, course_cases
from finetune.explainer_examples import ExplainerCase, cases_from, digest_of
from finetune.explainer_run import CHECKPOINT
from grading.samples import SampleQuestion


def _no_grader() -> Grades:
    raise TooFewExamples("the answers have no verdicts, and there is no grader to judge them")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Questions of the bank and courses; ``load_grader`` gives the grader that judges answers without verdicts."""

    samples: Sequence[SampleQuestion] = ()
    courses: Sequence[Course] = ()
    load_grader: Callable[[], Grades] = _no_grader

    @property
    def digest(self) -> str:
        """SHA-256 over all that training and judging read."""
        bank = digest_of(cases_from(self.samples))
        if not self.courses:
            return bank
        parts = [bank if self.samples else "", *(course.digest for course in self.courses)]
        return sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def dataset_digest(self) -> str:
        """The digests of datasets and their sources, by which a student's data is found again.

        That of the bank where there are none.
        """
        return "+".join(dict.fromkeys(each for course in self.courses for each in course.lineage)) or self.digest[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """All cases, and how many examples were left out for which reason."""

    cases: Sequence[ExplainerCase]
    left_out: Mapping[str, int]


def gathered(sources: Sources, output: Path, tell: Tell) -> Gathered:
    """The cases of all sources. Raises :class:`TooFewExamples` with the reasons where nothing can be learnt."""
    cases = cases_from(sources.samples)
    left_out: Counter[str] = Counter()
    grader = KeptAssessments(sources.load_grader, output / CHECKPOINT / "assessments.jsonl")
    for course in sources.courses:
        found = course_cases(course, grader, tell)
        cases += found.cases
        left_out += found.left_out
    told = dict(left_out.most_common())
    parted = aligned(cases) if sources.courses else cases
    if not any(case.part == "train" for case in parted):
        reasons = "; ".join(f"{reason} ({count})" for reason, count in told.items()) or "there is none"
        raise TooFewExamples(
            f"no explanation that could be learnt from: {reasons}. The bank helps: leave out --no-bank"
        )
    return Gathered(cases=parted, left_out=told)
