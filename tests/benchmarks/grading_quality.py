"""How right the shipped grader is on questions that it was not trained on, and how honest its intervals are.

The suite's own questions (``finetune/behaviour/questions``) were never trained on. With ``DATA=FOLDER`` two more sets
are judged: ``saf_en/answers.csv`` (its unseen questions) and ``ml_quiz_ko/train.csv``, whose rows the model **was**
trained on: that line says what the fit is, not how good the model is. Writes the risk–coverage curve as SVG.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from config import load_settings
from finetune.behaviour.material import load_material
from finetune.graded_answer import GradedAnswer
from finetune.graded_questions import GradedQuestion, csv_questions
from grading.grader import Grader, load_grader
from grading.metrics import grading_metrics, length_correlation, risk_coverage, weighted_rmse

CURVE = Path("artefacts") / "risk-coverage.svg"
_WIDTH, _HEIGHT, _MARGIN = 480, 320, 48


def measure() -> dict[str, object]:
    """Figures of each set; Pearson's r, errors, coverage of the 90 % interval, correlation of residual and length."""
    grader = load_grader(load_settings())
    figures: dict[str, object] = {}
    unseen = _suite_questions()
    for language in ("en", "ko"):
        own = [question for question in unseen if question.question.language == language]
        figures[f"suite, {language}, unseen questions"] = _figures(_graded(grader, own))
    everything = _graded(grader, unseen)
    figures["suite, both, unseen questions"] = _figures(everything)
    figures["risk_coverage"] = _curve(everything)
    folder = os.environ.get("DATA")
    if folder:
        seen = csv_questions(Path(folder) / "saf_en" / "answers.csv", without=("train", "test_unseen_answers"))
        figures["saf_en, unseen questions, not trained on"] = _figures(_graded(grader, seen))
        korean = csv_questions(Path(folder) / "ml_quiz_ko" / "train.csv")
        figures["ml_quiz_ko, TRAINED ON"] = _figures(_graded(grader, korean))
    return figures


def _suite_questions() -> list[GradedQuestion]:
    return [
        GradedQuestion(
            source="suite",
            group=material.id,
            question=material.question,
            answers=tuple(
                GradedAnswer(text=answer.text, score=answer.score, kind=answer.kind) for answer in material.answers
            ),
        )
        for material in load_material()
        if not material.seen
    ]


def _graded(grader: Grader, questions: Sequence[GradedQuestion]) -> NDArray[np.float64]:
    """``[n, 6]``: prediction, low, high, confidence, the tutor's score, characters."""
    rows: list[tuple[float, ...]] = []
    for question in questions:
        assessed = grader.assess(question.question, [answer.text for answer in question.answers])
        for answer, got in zip(question.answers, assessed, strict=True):
            rows.append((got.fraction, got.low, got.high, got.confidence, answer.score, float(len(answer.text))))
    return np.array(rows)


def _figures(rows: NDArray[np.float64]) -> dict[str, object]:
    predicted, low, high, _, true, length = rows.T
    correlation, (least, most) = length_correlation(predicted - true, length)
    return grading_metrics(predicted.tolist(), true.tolist()).as_dict() | {
        "weighted_rmse": round(weighted_rmse(predicted, true), 4),
        "interval_covers": round(float(np.mean((low - 1e-9 <= true) & (true <= high + 1e-9))), 4),
        "interval_width": round(float(np.mean(high - low)), 4),
        "corr_residual_log_length": round(correlation, 4),
        "corr_interval_95": [round(least, 4), round(most, 4)],
    }


def _curve(rows: NDArray[np.float64]) -> dict[str, float]:
    """Mean absolute error of those that the grader keeps when a person takes the least certain ones."""
    predicted, _, _, confidence, true, _ = rows.T
    shares, errors = risk_coverage(np.abs(predicted - true), confidence)
    CURVE.parent.mkdir(parents=True, exist_ok=True)
    CURVE.write_text(_svg(shares, errors), encoding="utf-8")
    return {
        f"mae_with_{share:.0%}_graded": round(float(np.interp(share, shares, errors)), 4)
        for share in (0.4, 0.6, 0.8, 1)
    }


def _svg(shares: NDArray[np.float64], errors: NDArray[np.float64]) -> str:
    highest = max(0.05, float(errors.max()) * 1.1)
    across = _MARGIN + shares * (_WIDTH - 2 * _MARGIN)
    down = _HEIGHT - _MARGIN - errors / highest * (_HEIGHT - 2 * _MARGIN)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
    floor, right = _HEIGHT - _MARGIN, _WIDTH - _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif"'
        f' font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<path d="M{_MARGIN},{_MARGIN}V{floor}H{right}" fill="none" stroke="black"/>'
        f'<polyline points="{points}" fill="none" stroke="#1f5fa8" stroke-width="2"/>'
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 12}" text-anchor="middle">share of answers the grader decides</text>'
        f'<text x="12" y="{_MARGIN - 12}">mean absolute error (top: {highest:.2f})</text></svg>\n'
    )
