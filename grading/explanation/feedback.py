"""What is to be said to the student, before it is put into words.

The feedback object is the only thing that a template or a language model sees: names of key points, short quotations
and one next step. Free text of a student never stands where an instruction could stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from grading.domain import Flag, Verdict

Language = Literal["en", "ko"]


class Band(StrEnum):
    """How much of the points an answer earned, in words instead of digits."""

    FULL = "full"
    MOST = "most"
    HALF = "half"
    LITTLE = "little"
    NONE = "none"


class Step(StrEnum):
    """The kind of the one thing a student should do next."""

    FIX = "fix"
    ADD = "add"
    SHARPEN = "sharpen"
    EXTEND = "extend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A key point by its name; ``quote`` holds the student's words on it, shortened, where they may be repeated."""

    position: int
    name: str
    quote: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unnamed:
    """What is known of points without a name, for one verdict: sentences of a model answer about this and that."""

    verdict: Verdict
    quote: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """Everything an explanation may say about one answer.

    ``unnamed`` has one entry for each verdict that points without a name got. ``is_by_topic``: the points are sentences
    of a model answer, named by what they are about; then nothing counts as missing, only as partial.

    ``gate`` is set when a fixed text serves (``NEEDS_PERSON`` before all others); then the points are empty except for
    ``focus``, the name of the point that ``step`` is about (``None``: the whole answer). ``variant`` chooses among
    equal wordings: the same for the same answer, different across a class.
    """

    language: Language
    band: Band
    covered: tuple[Point, ...] = ()
    partial: tuple[Point, ...] = ()
    missing: tuple[Point, ...] = ()
    contradicted: tuple[Point, ...] = ()
    unnamed: tuple[Unnamed, ...] = ()
    is_by_topic: bool = False
    gate: Flag | None = None
    step: Step = Step.EXTEND
    focus: str | None = None
    variant: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every key point is covered."""
        is_named_complete = not (self.partial or self.missing or self.contradicted)
        return self.gate is None and is_named_complete and all(e.verdict is Verdict.COVERED for e in self.unnamed)

    @property
    def is_asking(self) -> bool:
        """Whether to ask if there is more to say, and not to say so: without key points a good answer may be whole."""
        return self.is_by_topic and self.band is Band.MOST

    @property
    def is_named(self) -> bool:
        """Whether all that is told has the name of a key point, which somebody wrote for it."""
        return not (self.is_by_topic or self.unnamed)

    @property
    def told_last(self) -> Verdict:
        """Of the verdicts on what the answer lacks the one that a text tells last; COVERED where it lacks nothing."""
        order = (Verdict.MISSING, Verdict.PARTIAL, Verdict.CONTRADICTED)
        lacking = (verdict for verdict in order if self.find_points(verdict) or self.find_unnamed(verdict))
        return next(lacking, Verdict.COVERED)

    def find_points(self, verdict: Verdict) -> tuple[Point, ...]:
        """The named points with this verdict."""
        return {
            Verdict.COVERED: self.covered,
            Verdict.PARTIAL: self.partial,
            Verdict.MISSING: self.missing,
            Verdict.CONTRADICTED: self.contradicted,
        }[verdict]

    def find_unnamed(self, verdict: Verdict) -> Unnamed | None:
        """What points without a name got this verdict."""
        return next((each for each in self.unnamed if each.verdict is verdict), None)

    @property
    def points(self) -> tuple[Point, ...]:
        """All points in the order of the question."""
        every = (*self.covered, *self.partial, *self.missing, *self.contradicted)
        return tuple(sorted(every, key=lambda point: point.position))


def shown_quote(points: Sequence[Point]) -> str | None:
    """The one quotation that is shown for several points: the shortest reads best inside a sentence."""
    return min((point.quote for point in points if point.quote), key=len, default=None)
