"""Score answers to a question: gates, features, head, verdicts.

::

    answer ──guard──▶ sentences ──encoder──▶ features ──head──▶ coverage of each key point ──▶ Assessment
               └─ nothing left: fraction 0
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from grading.domain import Assessment, Flag, KeyPointVerdict, Question, Verdict
from grading.encoder import Encoder
from grading.features import AnswerFeatures, QuestionFeatures, answer_features
from grading.guard import GuardedAnswer, guard
from grading.head import DEFAULT_HEAD, Head, load_head
from grading.keypoints import evidence_for
from grading.models import encoder_folder

if TYPE_CHECKING:
    from pathlib import Path

    from config.settings import Settings
    from grading.unpacking import Progress

CODE_VERSION = "3"
"""Raised whenever a change of this package changes scores."""

_COVERED_FROM = 0.65
_PARTIAL_FROM = 0.35
_CONTRADICTED_FROM = 0.5
_OFF_TOPIC_BELOW = 0.15
_GATE_HALF_WIDTH = 0.05
_GATE_CONFIDENCE = 0.97


class Grader:
    """A loaded encoder with its scoring head; one a process, not safe for several threads at once."""

    def __init__(self, encoder: Encoder, head: Head) -> None:
        """Take what :func:`load_grader` loads."""
        self._encoder = encoder
        self._head = head
        self.versions = {
            "encoder": f"{encoder.name}@{encoder.version}",
            "head": f"{'own' if head.encoder_version else 'portable'}@{head.digest}",
            "code": CODE_VERSION,
        }

    def assess(self, question: Question, answers: Sequence[str]) -> list[Assessment]:
        """One assessment for each answer, in order; the same answer always gets the same one.

        Raises :class:`grading.errors.QuestionUnusable` when the question has neither key points nor a model answer.
        """
        features = QuestionFeatures(question, self._encoder)
        guarded = [guard(question, answer) for answer in answers]
        to_score = [answer for answer in guarded if not answer.is_empty_handed]
        # One answer a call: what stands beside it in a batch must not move its score in the last digits.
        scored = (answer_features(features, [answer], self._encoder)[0] for answer in to_score)
        return [
            self._nothing(features, answer)
            if answer.is_empty_handed
            else self._assessment(features, answer, next(scored))
            for answer in guarded
        ]

    def _nothing(self, question: QuestionFeatures, answer: GuardedAnswer) -> Assessment:
        verdicts = tuple(
            KeyPointVerdict(position=point.position, verdict=Verdict.MISSING, similarity=0.0)
            for point in question.points
        )
        return Assessment(
            fraction=0.0,
            low=0.0,
            high=_GATE_HALF_WIDTH,
            confidence=_GATE_CONFIDENCE,
            verdicts=verdicts,
            flags=answer.flags,
            versions=self.versions,
        )

    def _assessment(self, question: QuestionFeatures, answer: GuardedAnswer, features: AnswerFeatures) -> Assessment:
        if Flag.MODEL_ANSWER_PASTED in answer.flags:
            coverages = np.ones(len(question.points))
            contradictions = np.zeros(len(question.points))
        else:
            coverages = self._head.coverages(features.rows)
            contradictions = self._head.contradictions(features.rows)
        weights = np.array([point.weight for point in question.points], float)
        fraction = self._head.fraction(coverages, weights)
        low, high, confidence = self._head.interval.around(fraction)
        verdicts = tuple(
            _verdict(question, answer, features, number, coverages[number], contradictions[number])
            for number in range(len(question.points))
        )
        return Assessment(
            fraction=round(fraction, 4),
            low=round(low, 4),
            high=round(high, 4),
            confidence=round(confidence, 4),
            verdicts=verdicts,
            flags=answer.flags | _flags(verdicts, features),
            versions=self.versions,
        )


def load_grader(settings: Settings, progress: Progress | None = None) -> Grader:
    """The grader that the settings name (10 s and about 1 GB; the first time the bundled encoder is unpacked).

    Raises a :class:`grading.errors.GradingError` that says what to do.
    """
    return grader_from(settings.grader_model, settings.models_path, progress=progress)


def grader_from(
    model: str, models_path: Path, head_folder: Path = DEFAULT_HEAD, progress: Progress | None = None
) -> Grader:
    """A grader of this encoder (bundled name, folder or hub id) and this head.

    For an encoder that the head was not trained with, its portable variant serves: it relies on words and polarity
    first and on rescaled cosines second. ``mlquiz train grader`` makes a head for any encoder.
    """
    encoder = Encoder(encoder_folder(model, models_path, progress))
    return Grader(encoder, load_head(head_folder, encoder.version))


def _verdict(
    question: QuestionFeatures,
    answer: GuardedAnswer,
    features: AnswerFeatures,
    number: int,
    coverage: float,
    contradiction: float,
) -> KeyPointVerdict:
    alignment = features.alignment
    if contradiction >= _CONTRADICTED_FROM and coverage < _COVERED_FROM:
        verdict = Verdict.CONTRADICTED
    elif coverage >= _COVERED_FROM:
        verdict = Verdict.COVERED
    elif coverage >= _PARTIAL_FROM:
        verdict = Verdict.PARTIAL
    else:
        verdict = Verdict.MISSING
    window = alignment.windows[int(alignment.best[number])]
    return KeyPointVerdict(
        position=question.points[number].position,
        verdict=verdict,
        similarity=round(float(alignment.similarities[number].max()), 4),
        evidence=None if verdict is Verdict.MISSING else evidence_for(window, answer.parts, answer.written),
    )


def _flags(verdicts: Sequence[KeyPointVerdict], features: AnswerFeatures) -> frozenset[Flag]:
    flags: set[Flag] = set()
    if any(verdict.verdict is Verdict.CONTRADICTED for verdict in verdicts):
        flags.add(Flag.CONTRADICTION)
    if all(verdict.verdict is Verdict.MISSING for verdict in verdicts) and features.is_off_topic(_OFF_TOPIC_BELOW):
        flags.add(Flag.OFF_TOPIC)
    return frozenset(flags)
