"""What is to be said to the student, before it is put into words.

The feedback object is the only thing that a template or a language model sees: names of key points, short quotations
and one next step. Free text of a student never stands where an instruction could stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from typing import Literal

from grading.distress import needs_person
from grading.domain import Assessment, Flag, KeyPoint, KeyPointVerdict, Question, Verdict
from grading.explanation.evidence import quotation
from grading.explanation.words import plain
from grading.keypoints import key_points_of
from grading.text import language_of

Language = Literal["en", "ko"]
KeyPoints = Mapping[int, KeyPoint]

#: Flags for which a fixed text may serve, the first that applies wins; ``NEEDS_PERSON`` comes before all of them.
GATES = (
    Flag.BLANK,
    Flag.GIBBERISH,
    Flag.INSTRUCTION,
    Flag.DONT_KNOW,
    Flag.QUESTION_COPIED,
    Flag.MODEL_ANSWER_PASTED,
    Flag.OFF_TOPIC,
)


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


def feedback_from(question: Question, answer: str, assessment: Assessment) -> Feedback:
    """What to tell the student who gave ``answer``; languages without wordings of their own are served in English."""
    language: Language = "ko" if question.language == "ko" else "en"
    if Flag.NEEDS_PERSON in assessment.flags or needs_person(answer):
        return replace(feedback_for_a_person(answer, language), band=_band(assessment.fraction))
    gate = _gate(assessment)
    key_points = {point.position: point for point in key_points_of(question)}
    step, focus = _next_step(key_points, assessment)
    told = Feedback(
        language=language,
        band=_band(assessment.fraction),
        gate=gate,
        step=step,
        focus=focus,
        variant=_variant(question, answer),
    )
    if gate is not None:
        return told
    return _with_points(told, key_points, assessment, is_by_topic=not question.key_points)


def feedback_for_a_person(answer: str, quiz_language: str) -> Feedback:
    """What to tell whoever says in ``answer`` that they are not well: the same with every score or none.

    In the language in which it was said; nothing of the quiz beside it.
    """
    spoken = _spoken(answer, "ko" if quiz_language == "ko" else "en")
    return Feedback(language=spoken, band=Band.NONE, gate=Flag.NEEDS_PERSON)


def _spoken(answer: str, otherwise: Language) -> Language:
    found = language_of(answer)
    return "ko" if found == "ko" else "en" if found == "en" else otherwise


def _with_points(told: Feedback, key_points: KeyPoints, assessment: Assessment, *, is_by_topic: bool) -> Feedback:
    points = {verdict: _points(key_points, assessment, verdict) for verdict in Verdict}
    doubted = {point.quote for point in points[Verdict.CONTRADICTED]}
    # Words that are mixed up are not praised for another point in the same breath.
    points[Verdict.COVERED] = [replace(p, quote=None) if p.quote in doubted else p for p in points[Verdict.COVERED]]
    if is_by_topic:
        told = _by_topic(told, points, assessment.fraction)
    named = {verdict: tuple(point for point in points[verdict] if point.name) for verdict in Verdict}
    return replace(
        told,
        covered=named[Verdict.COVERED],
        partial=named[Verdict.PARTIAL],
        missing=named[Verdict.MISSING],
        contradicted=named[Verdict.CONTRADICTED],
        unnamed=tuple(
            Unnamed(verdict=verdict, quote=point.quote)
            for verdict in Verdict
            for point in points[verdict]
            if not point.name
        ),
    )


def _by_topic(told: Feedback, points: dict[Verdict, list[Point]], fraction: float) -> Feedback:
    """Sentences of a model answer are no key points: what is said of them follows the score too.

    A model answer often says more than is asked, so nobody gets nearly all points and reads of what is missing; and
    where all its sentences seem covered and the score is lower, there is more to say.
    """
    lacking = _merged(points[Verdict.PARTIAL], points[Verdict.MISSING])
    # The answer may well speak of a topic: what it lacks there is more.
    points |= {Verdict.PARTIAL: lacking, Verdict.MISSING: []}
    told = replace(told, is_by_topic=True)
    if points[Verdict.CONTRADICTED]:
        return told
    if told.band is Band.FULL:
        points[Verdict.PARTIAL] = []
        return replace(told, step=Step.EXTEND, focus=None)
    if not lacking and fraction < _COMPLETE_BY_TOPIC:
        points[Verdict.PARTIAL] = [Point(position=len(points[Verdict.COVERED]), name="")]
        return replace(told, step=Step.SHARPEN, focus=None)
    return told


def _gate(assessment: Assessment) -> Flag | None:
    """The flag whose fixed text serves. Where an answer earned something beside what was flagged, that is worded."""
    earned = {Verdict.COVERED, Verdict.PARTIAL} & {each.verdict for each in assessment.verdicts}
    for flag in GATES:
        if flag in assessment.flags and (flag in _ALWAYS_GATE or not earned or _band(assessment.fraction) is Band.NONE):
            return flag
    return None


def _band(fraction: float) -> Band:
    for band, least in ((Band.FULL, 0.9), (Band.MOST, 0.65), (Band.HALF, 0.35), (Band.LITTLE, 0.1)):
        if fraction >= least - 1e-9:
            return band
    return Band.NONE


def _points(key_points: KeyPoints, assessment: Assessment, verdict: Verdict) -> list[Point]:
    """The points with one verdict; points of one name are told as one, and so are those without any."""
    found: dict[str, Point] = {}
    for judged in sorted(assessment.verdicts, key=lambda each: each.position):
        if judged.verdict is verdict:
            key_point = key_points.get(judged.position)
            name = _name(key_point)
            quote = (
                None if verdict is Verdict.MISSING else quotation(judged.evidence, key_point.text if key_point else "")
            )
            found.setdefault(name, Point(position=judged.position, name=name, quote=quote))
    return [*found.values()]


def _merged(*several: Sequence[Point]) -> list[Point]:
    """Points in the order of the question, one of each name."""
    found: dict[str, Point] = {}
    for point in sorted((point for points in several for point in points), key=lambda each: each.position):
        found.setdefault(point.name, point)
    return [*found.values()]


def _next_step(key_points: KeyPoints, assessment: Assessment) -> tuple[Step, str | None]:
    for verdict, step in _STEPS:
        judged = [each for each in assessment.verdicts if each.verdict is verdict]
        if judged:
            heaviest = min(judged, key=lambda each: (-_weight(key_points, each), each.position))
            return step, _name(key_points.get(heaviest.position)) or None
    return Step.EXTEND, None


def _weight(key_points: KeyPoints, judged: KeyPointVerdict) -> float:
    key_point = key_points.get(judged.position)
    return key_point.weight if key_point else 1.0


def _name(key_point: KeyPoint | None) -> str:
    """The point's name in one line without full stop; empty for a point that nobody named."""
    return plain(key_point.name).rstrip(".。!?:;, ") if key_point else ""


def _variant(question: Question, answer: str) -> int:
    digest = blake2b(f"{question.prompt}\n{answer}".encode("utf-8", "surrogatepass"), digest_size=4)
    return int.from_bytes(digest.digest())


#: Set by reading texts on graded answers: from here on "nothing is missing" was true.
_COMPLETE_BY_TOPIC = 0.8
_ALWAYS_GATE = frozenset({Flag.BLANK, Flag.MODEL_ANSWER_PASTED})

_STEPS = (
    (Verdict.CONTRADICTED, Step.FIX),
    (Verdict.MISSING, Step.ADD),
    (Verdict.PARTIAL, Step.SHARPEN),
)
