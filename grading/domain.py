"""The words of grading: a question with its key points goes in, an assessment of an answer comes out.

Pure data without any model behind it, so that the web process can import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """How an answer treats one key point."""

    COVERED = "covered"
    PARTIAL = "partial"
    MISSING = "missing"
    CONTRADICTED = "contradicted"


class Flag(StrEnum):
    """What was noticed about an answer besides its content."""

    BLANK = "blank"
    DONT_KNOW = "dont_know"
    GIBBERISH = "gibberish"
    QUESTION_COPIED = "question_copied"
    MODEL_ANSWER_PASTED = "model_answer_pasted"
    OFF_TOPIC = "off_topic"
    OTHER_LANGUAGE = "other_language"
    REPEATED = "repeated"
    INSTRUCTION = "instruction"
    CONTRADICTION = "contradiction"
    NEEDS_PERSON = "needs_person"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPoint:
    """One thing a full answer says.

    ``position`` counts from 0 within the question; ``name`` names the point without giving it away (shown to a
    student who missed it); ``text`` is the point as a sentence; ``weight`` is relative to the other key points.
    """

    position: int
    name: str
    text: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is graded against: ``model_answers`` holds at least one full answer, the best match counts.

    ``key_points`` may be empty: then the sentences of the first model answer serve. ``language`` is an ISO 639-1 code.
    """

    prompt: str
    model_answers: tuple[str, ...]
    key_points: tuple[KeyPoint, ...] = ()
    language: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPointVerdict:
    """The verdict on one key point.

    ``similarity`` is the best cosine between the point and a sentence of the answer (-1..1); ``evidence`` is
    a clause or whole sentences there, exactly as the student wrote them, ``None`` where the point is missing.
    """

    position: int
    verdict: Verdict
    similarity: float
    evidence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What grading returns for one answer.

    ``fraction`` of the points earned, 0..1, inside ``low``..``high``; ``confidence`` 0..1; ``versions`` names
    everything that produced it (encoder, head, code), so that a regrade is reproducible.
    """

    fraction: float
    low: float
    high: float
    confidence: float
    verdicts: tuple[KeyPointVerdict, ...]
    flags: frozenset[Flag] = frozenset()
    versions: Mapping[str, str] = field(default_factory=dict)
