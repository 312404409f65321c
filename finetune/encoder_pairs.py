"""What an encoder is tuned on: pairs of a model answer and a student's answer, with the score that a tutor gave.

::

    questions ──┬─ a tenth, kept back: when to stop ──┬──guard──▶ pairs ──▶ :mod:`finetune.encoder_tuning`
                └─ the others: what is learned from ──┘
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from finetune.errors import TooFewExamples
from finetune.graded_questions import GradedQuestion
from grading.guard import guard
from grading.keypoints import references_of

Loss = Literal["cosent", "cosine", "mse"]

_DECIDING_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderTraining:
    """How to tune an encoder; equal settings and data give equal models on one machine.

    ``loss`` cosent: of two answers the better one is to be nearer to its model answer; cosine: the cosine is to be
    the score; mse: a straight line of the cosine is to be the score. ``epochs`` are the most passes: it ends sooner
    after ``patience`` passes without gain on the questions that are kept back. ``batch_size`` counts pairs on each
    GPU, ``layers`` keeps the first so many of the encoder (``None``: all), ``rate`` is the peak.
    """

    mode: Literal["full"] = "full"
    loss: Loss = "cosent"
    epochs: int = 4
    patience: int = 1
    folds: int = 3
    seed: int = 1
    layers: int | None = None
    batch_size: int = 16
    rate: float = 2e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPair:
    """``answer`` is what the guard leaves of it, as it is encoded when the model serves."""

    reference: str
    answer: str
    score: float


def learning_and_deciding(
    questions: Sequence[GradedQuestion], seed: int
) -> tuple[list[GradedQuestion], list[GradedQuestion]]:
    """The questions to learn from, and a tenth, at least one, that says when to stop; no group is in both."""
    groups = sorted({graded.group for graded in questions})
    random.Random(seed).shuffle(groups)
    kept_back = set(groups[: max(1, round(len(groups) * _DECIDING_SHARE))])
    return (
        [graded for graded in questions if graded.group not in kept_back],
        [graded for graded in questions if graded.group in kept_back],
    )


def scored_pairs(questions: Sequence[GradedQuestion]) -> list[ScoredPair]:
    """Each answer with one model answer of its question, in turn; those of which the guard leaves nothing are left out.

    Raises :class:`TooFewExamples` where nothing is left.
    """
    pairs = [pair for graded in questions for pair in _pairs_of(graded)]
    if not pairs:
        raise TooFewExamples("no question has an answer with content: there is nothing to tune the encoder on")
    return pairs


def _pairs_of(graded: GradedQuestion) -> list[ScoredPair]:
    references = references_of(graded.question)
    kept = [(guard(graded.question, answer.text), answer.score) for answer in graded.answers]
    return [
        ScoredPair(reference=references[number % len(references)], answer=answer.text, score=score)
        for number, (answer, score) in enumerate(kept)
        if not answer.is_empty_handed
    ]
