"""What is told of an answer to a question without key points: by the topics of the model answer's sentences.

Verdicts on sentences that nobody wrote as key points err more often than those on key points, so less is claimed of
them: nothing is missing, there is more to say; and nothing is mixed up where the score says that most is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from grading.domain import Question, Verdict
from grading.explanation.feedback import Band, Feedback, Point, Step
from grading.naming import TOPIC_JOINT, is_asked_noun, is_said, topic_words
from grading.refusals import asks_openly
from grading.text import clean, sentences

_DOUBTED_BELOW = 0.5
"""Of 17 sentences held for contradicted in answers above that, 14 were right (of 724 real answers)."""


def told_by_topic(
    told: Feedback, points: Mapping[Verdict, Sequence[Point]], question: Question, answer: str, fraction: float
) -> tuple[Feedback, dict[Verdict, list[Point]]]:
    """The feedback and its points by verdict, for an ``answer`` to ``question`` that earned ``fraction``."""
    told = replace(told, is_by_topic=True)
    is_doubted = fraction < _DOUBTED_BELOW
    doubted = points[Verdict.CONTRADICTED] if is_doubted else []
    # The answer may well speak of a topic: what it lacks there is more.
    lacking = _in_order(
        points[Verdict.PARTIAL], points[Verdict.MISSING], () if is_doubted else points[Verdict.CONTRADICTED]
    )
    covered = _named_as_said(points, question, answer)
    if not doubted:
        told, lacking = _by_score(told, lacking, place=len(covered))
    return told, {
        Verdict.COVERED: _each_once(covered),
        Verdict.PARTIAL: _each_once(lacking),
        Verdict.MISSING: [],
        Verdict.CONTRADICTED: _each_once(doubted),
    }


def _by_score(told: Feedback, lacking: list[Point], *, place: int) -> tuple[Feedback, list[Point]]:
    """A model answer often says more than is asked, so nobody gets nearly all points and reads of what is lacking.

    Below that there may be more to say, also where all its sentences seem covered.
    """
    if told.band is Band.FULL:
        return replace(told, step=Step.EXTEND, focus=None), []
    lacking = lacking or [Point(position=place, name="")]
    if told.band is Band.MOST:
        return replace(told, step=Step.EXTEND, focus=None), lacking
    if told.step in {Step.FIX, Step.EXTEND}:
        return replace(told, step=Step.SHARPEN, focus=None), lacking
    return told, lacking


def _named_as_said(points: Mapping[Verdict, Sequence[Point]], question: Question, answer: str) -> list[Point]:
    """The covered points, with those of several topics that the answer speaks of: it may have one part for all."""
    topics = dict.fromkeys(topic for each in points.values() for point in each for topic in _topics(point))
    if len(topics) < 2:
        return [*points[Verdict.COVERED]]
    told = " ".join(sentence for sentence in sentences(clean(answer)) if not asks_openly(sentence, question))
    said = {topic for topic in topics if _is_spoken_of(topic, [other for other in topics if other != topic], told)}
    return [
        replace(point, name=TOPIC_JOINT.join(topic for topic in _topics(point) if topic in said))
        for point in points[Verdict.COVERED]
    ]


def _is_spoken_of(topic: str, others: Sequence[str], answer: str) -> bool:
    """Whether the answer has a word of the topic that tells it from the others; "the reason" needs no word."""
    shared = {word for other in others for word in topic_words(other)}
    words = topic_words(topic)
    own = [word for word in words if word not in shared] or words
    return is_asked_noun(words[-1]) or any(is_said(answer, word) for word in own)


def _in_order(*several: Sequence[Point]) -> list[Point]:
    return sorted((point for points in several for point in points), key=lambda point: point.position)


def _each_once(points: Sequence[Point]) -> list[Point]:
    """Each topic is named once, whatever its capitals, and what has no name is told once."""
    return [*_without_repeats(points)]


def _without_repeats(points: Sequence[Point]) -> Iterator[Point]:
    told: set[str] = set()
    for point in points:
        new = [topic for topic in _topics(point) or [""] if topic.casefold() not in told]
        told.update(topic.casefold() for topic in new)
        if new:
            yield replace(point, name=TOPIC_JOINT.join(new))


def _topics(point: Point) -> list[str]:
    return point.name.split(TOPIC_JOINT) if point.name else []
