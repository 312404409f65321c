"""Questions to pairs of what should be said and an answer, and pairs to batches in an order fixed by the seed.

An answer is paired with a model answer, where its score is the target, and, where the verdicts are known, with each
key point. It is also paired with what another question of the batch asks for: a good answer to that says nothing of
this, and a reader that never saw such a pair takes anything that is well put for right. The loss is Brier's beside the
cross-entropy, because the squared error is what graders are judged by.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from finetune.reader_examples import ReaderAnswer, ReaderQuestion, Text
from grading.domain import Verdict

Mode = Literal["head", "reader", "lora"]
_Chunk = tuple[ReaderQuestion, list[ReaderAnswer]]

_TARGETS = {Verdict.COVERED: 1.0, Verdict.PARTIAL: 0.5, Verdict.MISSING: 0.0, Verdict.CONTRADICTED: 0.0}
_STAND_IN_SHARE = 0.2
_ANSWERS_TOGETHER = 8
_STRAY_WEIGHT = 0.5
_CONTRADICTION_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderTraining:
    """How to train; equal settings and data give equal models on one machine.

    ``mode`` head: neither reader nor encoder learns, which takes a start; reader: the encoder stays as it is; lora: its
    top ``lora_layers`` layers (``None``: all) learn too.
    ``layers`` keeps the first so many of the encoder (``None``: all). ``batch_size`` counts answers;
    ``most_made_up`` of the made-up answers to a question are used (``None``: all), and ``made_up_share`` of those take
    part in a pass. Rates are peaks.
    """

    mode: Mode = "reader"
    epochs: int = 6
    folds: int = 5
    seed: int = 1
    layers: int | None = None
    lora_layers: int | None = None
    rank: int = 32
    alpha: int = 64
    batch_size: int = 128
    encoder_rate: float = 5e-4
    reader_rate: float = 1.2e-3
    made_up_share: float = 0.3
    made_up_weight: float = 0.8
    most_made_up: int | None = None
    max_tokens: int = 256
    steps_per_checkpoint: int = 50


FINE_TUNING: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 32,
    "encoder_rate": 1.5e-4,
    "reader_rate": 4e-4,
    "folds": 3,
    "most_made_up": 6,
}
"""For going on from a trained reader with a few hundred answers: little at a time, or it forgets the rest.

It knows made-up answers from its first training; most of the time would go into reading them again.
"""
_QUICK: dict[str, Any] = {"epochs": 1, "most_made_up": 2}
"""For a frozen encoder, which is for a quick trial: a minute and a half of processor time for 300 answers."""
_HEAD: dict[str, Any] = {"epochs": 0, "most_made_up": 2}
"""Nothing but readings: what the model makes of the answers, and trees on that."""

_FEW: dict[str, Any] = {"epochs": 2, "batch_size": 32, "folds": 3, "most_made_up": 6}
_FEW_ANSWERS = 1000


def suited(mode: Mode, *, goes_on: bool, answers: int) -> dict[str, Any]:
    """The settings that suit a training which goes on from a trained reader, or begins with so many ``answers``."""
    if goes_on:
        return FINE_TUNING | {"head": _HEAD, "reader": _QUICK, "lora": {}}[mode]
    return dict(_FEW) if answers < _FEW_ANSWERS else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """``target`` how far the answer says the text, ``contradicted`` how far the opposite, both 0..1.

    ``contradiction_weight`` is 0 where it is not known whether the answer contradicts.
    """

    point: Text
    answer: Text
    target: float
    weight: float
    contradicted: float
    contradiction_weight: float


def pairs_of(question: ReaderQuestion, answer: ReaderAnswer, weight: float, rng: random.Random) -> list[Pair]:
    """The pairs of one answer in one pass: a model answer drawn by ``rng``, and each key point with a verdict."""
    graded, own = answer.graded, (answer.text, None)
    is_known = bool(graded.verdicts)
    whole = Pair(
        point=question.should_be_said(_drawn_reference(question, answer, rng)),
        answer=own,
        target=graded.score,
        weight=weight,
        contradicted=float(Verdict.CONTRADICTED in graded.verdicts),
        contradiction_weight=weight * is_known,
    )
    if not is_known:
        return [whole]
    count = len(question.points)
    parts = [
        Pair(
            point=question.should_be_said(point),
            answer=own,
            target=target,
            weight=weight / math.sqrt(count),
            contradicted=float(verdict is Verdict.CONTRADICTED),
            contradiction_weight=weight / count,
        )
        for point, verdict, target in zip(question.points, graded.verdicts, _targets(answer), strict=True)
    ]
    return [whole, *parts]


def batches_of(
    questions: Sequence[ReaderQuestion], weights: Mapping[str, float], training: ReaderTraining, seed: int
) -> Iterator[list[Pair]]:
    """Batches without end, pass after pass: up to eight answers of a question stand together and share its texts."""
    rng = random.Random(seed)
    held: list[_Chunk] = []
    while True:
        for chunk in _chunks(questions, training, rng):
            held.append(chunk)
            if sum(len(answers) for _, answers in held) >= training.batch_size:
                yield _batch(held, weights, training, rng)
                held = []


def stray_pair(answer: ReaderAnswer, other: ReaderQuestion, weight: float, rng: random.Random) -> Pair:
    """The answer with a key point or model answer of ``other``, a question that it does not answer."""
    return Pair(
        point=other.should_be_said(rng.choice((*other.points, *other.references))),
        answer=(answer.text, None),
        target=0.0,
        weight=weight * _STRAY_WEIGHT,
        contradicted=0.0,
        contradiction_weight=weight * _STRAY_WEIGHT,
    )


def steps_of(questions: Sequence[ReaderQuestion], training: ReaderTraining) -> int:
    """How many batches ``training.epochs`` passes are, about."""
    made_up = [answer.graded.is_made_up for question in questions for answer in question.answers]
    answers = sum(training.made_up_share if is_made_up else 1.0 for is_made_up in made_up)
    return math.ceil(answers / training.batch_size) * training.epochs


def reading_pairs(question: ReaderQuestion, answer: ReaderAnswer) -> list[tuple[Text, Text]]:
    """What is read when the model serves: each key point, then each model answer, with the answer."""
    return [(question.should_be_said(text), (answer.text, None)) for text in (*question.points, *question.references)]


def loss_of(logits: Tensor, pairs: Sequence[Pair], batch: Sequence[Pair]) -> Tensor:
    """The share of ``pairs``, with ``logits [P, 2]``, in the loss of the whole ``batch`` that they are a part of."""
    target, weight, contradicted, contradiction_weight = (
        torch.tensor([getattr(pair, name) for pair in pairs], dtype=torch.float32, device=logits.device)
        for name in ("target", "weight", "contradicted", "contradiction_weight")
    )
    said = functional.binary_cross_entropy_with_logits(logits[:, 0], target, reduction="none")
    said = said + (logits[:, 0].sigmoid() - target) ** 2
    opposite = functional.binary_cross_entropy_with_logits(logits[:, 1], contradicted, reduction="none")
    all_weights = sum(pair.weight for pair in batch)
    all_contradiction_weights = max(sum(pair.contradiction_weight for pair in batch), 1e-6)
    return (said * weight).sum() / all_weights + _CONTRADICTION_SHARE * (
        (opposite * contradiction_weight).sum() / all_contradiction_weights
    )


def _batch(
    chunks: Sequence[_Chunk], weights: Mapping[str, float], training: ReaderTraining, rng: random.Random
) -> list[Pair]:
    batch: list[Pair] = []
    for question, answers in chunks:
        others = [other for other, _ in chunks if _is_another(other, question)]
        for answer in answers:
            weight = weights[question.source] * (training.made_up_weight if answer.graded.is_made_up else 1.0)
            batch += pairs_of(question, answer, weight, rng)
            if others:
                batch.append(stray_pair(answer, rng.choice(others), weight, rng))
    return batch


def _is_another(other: ReaderQuestion, question: ReaderQuestion) -> bool:
    """Asked in the same language, and not the same question in another set."""
    same = other.group == question.group or other.question.prompt == question.question.prompt
    return not same and other.question.language == question.question.language


def _drawn_reference(question: ReaderQuestion, answer: ReaderAnswer, rng: random.Random) -> str:
    reference = rng.choice(question.references)
    others = [text for text in question.stand_ins if text != answer.text]
    return rng.choice(others) if others and rng.random() < _STAND_IN_SHARE else reference


def _targets(answer: ReaderAnswer) -> list[float]:
    """A keyword list says no point, and yet is not nothing: its score is spread over the points."""
    graded = answer.graded
    if graded.is_made_up and set(graded.verdicts) == {Verdict.MISSING}:
        return [graded.score] * len(graded.verdicts)
    return [_TARGETS[verdict] for verdict in graded.verdicts]


def _chunks(questions: Sequence[ReaderQuestion], training: ReaderTraining, rng: random.Random) -> list[_Chunk]:
    """One pass over all real answers and some of the made-up ones."""
    chunks: list[_Chunk] = []
    for question in questions:
        drawn = [
            answer
            for answer in question.answers
            if not answer.graded.is_made_up or rng.random() < training.made_up_share
        ]
        rng.shuffle(drawn)
        chunks += [
            (question, drawn[start : start + _ANSWERS_TOGETHER]) for start in range(0, len(drawn), _ANSWERS_TOGETHER)
        ]
    rng.shuffle(chunks)
    return chunks
