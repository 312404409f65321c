"""An answer with the score that somebody gave it."""

from __future__ import annotations

from dataclasses import dataclass

from grading.domain import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedAnswer:
    """``score`` is a fraction 0..1; ``verdicts`` one a key point, empty where only the score is known.

    ``kind`` says what the answer is an example of ('' for a student's); ``is_made_up`` tells rows made by rule.
    """

    text: str
    score: float
    verdicts: tuple[Verdict, ...] = ()
    kind: str = ""
    is_made_up: bool = False
