"""Score answers by features and trees: for encoders that no reader was trained for.

::

    sentences ──encoder──▶ cosines and counted signs ──trees──▶ coverage of each key point ──curve──▶ fraction
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from grading.domain import KeyPoint, Question
from grading.encoder import Encoder
from grading.features import QuestionFeatures, answer_features
from grading.guard import GuardedAnswer
from grading.head import Head
from grading.scoring import Scored, Thresholds

_THRESHOLDS = Thresholds(covered_from=0.65, partial_from=0.35, contradicted_from=0.5)
_OFF_TOPIC_BELOW = 0.15


class FeatureScorer:
    """One loaded encoder with a head of trees. Not safe for several threads at once."""

    thresholds = _THRESHOLDS

    def __init__(self, encoder: Encoder, head: Head) -> None:
        """Take what :func:`grading.grader.grader_from` loads."""
        self.encoder = encoder
        self.head = head
        self.interval = head.interval
        self.versions: Mapping[str, str] = {
            "encoder": f"{encoder.name}@{encoder.version}",
            "head": f"{'own' if head.encoder_version else 'portable'}@{head.digest}",
        }

    def question(self, question: Question) -> FeatureQuestion:
        """Encode prompt, key points and model answers."""
        return FeatureQuestion(question, self)


class FeatureQuestion:
    """A question whose key points and model answers were encoded."""

    def __init__(self, question: Question, scorer: FeatureScorer) -> None:
        self._scorer = scorer
        self._features = QuestionFeatures(question, scorer.encoder)
        self.points: tuple[KeyPoint, ...] = self._features.points
        self._weights = np.array([point.weight for point in self.points], float)

    def score(self, answer: GuardedAnswer) -> Scored:
        """Encode the answer's sentences and clauses; trees for each key point."""
        # One answer a call: what stands beside it in a batch must not move its score in the last digits.
        (features,) = answer_features(self._features, [answer], self._scorer.encoder)
        coverages = self._scorer.head.coverages(features.rows)
        alignment = features.alignment
        fraction = self._scorer.head.fraction(coverages, self._weights)
        return Scored(
            fraction=fraction,
            doubt=fraction,
            coverages=coverages,
            contradictions=self._scorer.head.contradictions(features.rows),
            windows=tuple(alignment.windows[int(best)] for best in alignment.best),
            similarities=alignment.similarities.max(axis=1).astype(float),
            is_off_topic=features.is_off_topic(_OFF_TOPIC_BELOW),
        )

    def full(self, answer: GuardedAnswer) -> Scored:
        """All points said."""
        ones = np.ones(len(self.points))
        fraction = self._scorer.head.fraction(ones, self._weights)
        return replace(
            self.score(answer),
            fraction=fraction,
            doubt=fraction,
            coverages=ones,
            contradictions=np.zeros(len(self.points)),
        )
