"""What is to be said to the student: gates, bands, points and the next step from an answer and its assessment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b

from grading.distress import needs_person
from grading.domain import Assessment, Flag, KeyPoint, KeyPointVerdict, Question, Verdict
from grading.explanation.by_topic import told_by_topic
from grading.explanation.evidence import quotation
from grading.explanation.feedback import Band, Feedback, Language, Point, Step, Unnamed
from grading.explanation.words import plain
from grading.keypoints import key_points_of
from grading.text import language_of

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
    points = {verdict: _points(key_points, assessment, verdict) for verdict in Verdict}
    if not question.key_points:
        told, points = told_by_topic(told, points, question, answer, assessment.fraction)
    return _with_points(told, points)


def feedback_for_a_person(answer: str, quiz_language: str) -> Feedback:
    """What to tell whoever says in ``answer`` that they are not well: the same with every score or none.

    In the language in which it was said; nothing of the quiz beside it.
    """
    spoken = _spoken(answer, "ko" if quiz_language == "ko" else "en")
    return Feedback(language=spoken, band=Band.NONE, gate=Flag.NEEDS_PERSON)


def _spoken(answer: str, otherwise: Language) -> Language:
    found = language_of(answer)
    return "ko" if found == "ko" else "en" if found == "en" else otherwise


def _with_points(told: Feedback, points: Mapping[Verdict, list[Point]]) -> Feedback:
    doubted = {point.quote for point in points[Verdict.CONTRADICTED]}
    # Words that are mixed up are not praised for another point in the same breath.
    right = [replace(p, quote=None) if p.quote in doubted else p for p in points[Verdict.COVERED]]
    points = {**points, Verdict.COVERED: right}
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


_ALWAYS_GATE = frozenset({Flag.BLANK, Flag.MODEL_ANSWER_PASTED})

_STEPS = (
    (Verdict.CONTRADICTED, Step.FIX),
    (Verdict.MISSING, Step.ADD),
    (Verdict.PARTIAL, Step.SHARPEN),
)
