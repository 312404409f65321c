"""The head of a tuned encoder: trees on features that each come from an encoder that had not seen the question.

::

    fold 1 ──tuned on the others──▶ encoder 1 ──▶ features of fold 1 ─┐
    fold 2 ──tuned on the others──▶ encoder 2 ──▶ features of fold 2 ─┼──▶ trees, curve, interval: figures and head
    …                                                                 ┘

An encoder separates the answers that it was tuned on better than any others: trees on such features would trust it too
much, and their figures would flatter.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from finetune.cross_judged import judged, judged_by_cosine
from finetune.graded_questions import GradedQuestion
from finetune.grader_run_report import CrossEvaluation, cross_evaluation
from finetune.head_fitting import (
    TrainingAnswer,
    calibration_curve,
    conformal_interval,
    cross_calibrated,
    cross_validated,
    fit,
    metrics_by_kind,
)
from grading.domain import Verdict
from grading.encoder import Encoder
from grading.head import SCHEMA_VERSION, Interval, interval_to_json, trees_to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldAnswers:
    """The answers of one fold with their features, and after how many passes their encoder was best."""

    best_epoch: int
    answers: list[TrainingAnswer]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderHead:
    """``variant`` is what ``head.json`` keeps for the encoder; ``fractions`` are cross-validated, one an answer."""

    variant: dict[str, Any]
    fractions: list[float]
    interval: Interval
    metrics: dict[str, Any]

    def content(self, encoder_version: str) -> dict[str, Any]:
        """The content of ``head.json``: this encoder's variant alone, as the head means nothing to another one."""
        return {"schema_version": SCHEMA_VERSION, "variants": {encoder_version: self.variant}}


def fitted_head(answers: Sequence[TrainingAnswer], features: Sequence[str], seed: int) -> EncoderHead:
    """Trees on ``features``, curve and interval from ``answers``, and what they give by cross-validation."""
    totals = cross_validated(answers, features, seed)
    curve = calibration_curve(answers, totals)
    fractions = cross_calibrated(answers, totals)
    interval = conformal_interval(answers, fractions)
    fitted = fit(answers, features, seed, curve)
    return EncoderHead(
        variant={
            "coverage": trees_to_json(fitted.coverage),
            "contradiction": trees_to_json(fitted.contradiction),
            "curve": {"from": curve[0], "to": curve[1]},
            "interval": interval_to_json(interval),
        },
        fractions=fractions,
        interval=interval,
        metrics=metrics_by_kind(answers, fractions),
    )


def judged_head(
    folds: Sequence[Sequence[GradedQuestion]], answers: Sequence[TrainingAnswer], head: EncoderHead, published: Encoder
) -> CrossEvaluation:
    """Head and baseline on the same folds; ``answers`` are those to the questions of ``folds``, in their order."""
    numbered = [
        (number, (graded.group, graded.question, answer))
        for number, fold in enumerate(folds)
        for graded in fold
        for answer in graded.answers
    ]
    answered = [each for _, each in numbered]
    real = [fraction for answer, fraction in zip(answers, head.fractions, strict=True) if answer.is_real]
    return cross_evaluation(
        judged(answered, [(fraction, *head.interval.around(fraction, fraction)) for fraction in real]),
        judged_by_cosine(answered, [number for number, _ in numbered], published.encode),
    )


def write_fold(path: Path, fold: FoldAnswers) -> None:
    """Keep a fold's features, numbers only, so that a kill leaves the whole file or none."""
    lines = [json.dumps({"best_epoch": fold.best_epoch})]
    for answer in fold.answers:
        rows = None if answer.rows is None else answer.rows.tolist()
        # Group and kind may be words of the data: the folder of checkpoints goes when the run is finished.
        lines.append(json.dumps({**asdict(answer), "rows": rows}))
    beside = path.with_suffix(".new")
    beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    beside.replace(path)


def read_fold(path: Path) -> FoldAnswers:
    """What :func:`write_fold` wrote."""
    first, *lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return FoldAnswers(best_epoch=first["best_epoch"], answers=[_answer(line) for line in lines])


def _answer(line: dict[str, Any]) -> TrainingAnswer:
    return TrainingAnswer(
        **{
            **line,
            "verdicts": tuple(Verdict(verdict) for verdict in line["verdicts"]),
            "weights": tuple(line["weights"]),
            "rows": None if line["rows"] is None else np.array(line["rows"], np.float64),
        }
    )
