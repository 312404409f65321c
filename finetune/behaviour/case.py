"""A case of the suite: texts that answer a question, and what a fair tutor's fraction for them looks like."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from grading.domain import Assessment, Flag, Question

_TOLERANCE = 1e-6


class Sort(StrEnum):
    """What a case asks of a grader."""

    INVARIANCE = "invariance"
    DIRECTION = "direction"
    CEILING = "ceiling"


GATES: dict[str, str] = {
    "question copied": "degenerate",
    "gibberish": "degenerate",
    "do not know": "degenerate",
    "injection alone": "injected",
    "injection beside an answer": "injected",
    "blank": "blank",
}
"""Names of cases of which not a single one may fail, and the group in which they are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Bounds of the fraction, by itself and against that of the plain text; ``None`` where nothing is asked.

    ``moves`` bounds the difference in either direction, ``falls`` is the least fall, ``rises`` the largest rise;
    ``flag`` must be among the flags.
    """

    at_least: float = 0.0
    at_most: float = 1.0
    moves: float | None = None
    falls: float | None = None
    rises: float | None = None
    flag: Flag | None = None

    def faults(self, got: Assessment, plain: Assessment | None) -> list[str]:
        """What is not as expected, in words; empty when the case is passed."""
        found: list[str] = []
        if not self.at_least - _TOLERANCE <= got.fraction <= self.at_most + _TOLERANCE:
            found.append(f"{self.at_least:.2f} to {self.at_most:.2f}")
        if plain is not None:
            change = got.fraction - plain.fraction
            if self.moves is not None and abs(change) > self.moves + _TOLERANCE:
                found.append(f"moves by at most {self.moves:.2f} from {plain.fraction:.2f}")
            if self.falls is not None and change > -self.falls + _TOLERANCE:
                found.append(f"falls by {self.falls:.2f} from {plain.fraction:.2f}")
            if self.rises is not None and change > self.rises + _TOLERANCE:
                found.append(f"rises by at most {self.rises:.2f} from {plain.fraction:.2f}")
        if self.flag is not None and self.flag not in got.flags:
            found.append(f"flag {self.flag}")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``texts`` holds the text that is judged and, for a comparison, the plain text behind it.

    ``seen`` says whether the question is one that graders are trained on.
    """

    id: str
    sort: Sort
    name: str
    language: str
    seen: bool
    question_id: str
    question: Question
    texts: tuple[str, ...]
    expected: Expected
