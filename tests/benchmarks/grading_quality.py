"""How right the shipped grader is on questions that it was not trained on, and how honest its intervals are.

The suite's own questions (``finetune/behaviour/questions``) were never trained on. With ``DATA=FOLDER`` two more sets
are judged: ``saf_en/answers.csv`` (its unseen questions) and ``ml_quiz_ko/train.csv``, whose rows the model **was**
trained on: that line says what the fit is, not how good the model is. Writes the risk–coverage curve as SVG.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from config import load_settings
from finetune.behaviour.material import load_material
from finetune.evaluation.curves import risk_curve
from finetune.evaluation.figures import grader_figures
from finetune.evaluation.judged import Judged, judge_answers
from finetune.graded_answer import GradedAnswer
from finetune.graded_questions import GradedQuestion
from finetune.scored_tables import csv_questions
from grading.grader import load_grader

CURVE = Path("artefacts") / "risk-coverage.svg"
_WIDTH, _HEIGHT, _MARGIN = 480, 320, 48


def measure() -> dict[str, object]:
    """Figures of each set; Pearson's r, errors, coverage of the 90 % interval, correlation of residual and length."""
    grader = load_grader(load_settings())
    figures: dict[str, object] = {}
    unseen = _suite_questions()
    for language in ("en", "ko"):
        own = [question for question in unseen if question.question.language == language]
        figures[f"suite, {language}, unseen questions"] = _figures(judge_answers(grader, own))
    everything = judge_answers(grader, unseen)
    figures["suite, both, unseen questions"] = _figures(everything)
    figures["risk_coverage"] = _curve(everything)
    folder = os.environ.get("DATA")
    if folder:
        seen = csv_questions(Path(folder) / "saf_en" / "answers.csv", without=("train", "test_unseen_answers"))
        figures["saf_en, unseen questions, not trained on"] = _figures(judge_answers(grader, seen))
        korean = csv_questions(Path(folder) / "ml_quiz_ko" / "train.csv")
        figures["ml_quiz_ko, TRAINED ON"] = _figures(judge_answers(grader, korean))
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


def _figures(judged: Judged) -> dict[str, object]:
    """Values as they are called in ``metrics.json``; of the correlation with length the interval too."""
    found = grader_figures(judged)
    correlation = found["corr_residual_log_length"].as_json()
    return {
        "count": len(judged),
        **{name: each.as_json()["value"] for name, each in found.items()},
        "corr_interval_95": [correlation["low"], correlation["high"]],
    }


def _curve(judged: Judged) -> dict[str, float]:
    """Mean absolute error of those that the grader keeps when a person takes the least certain ones."""
    risk = risk_curve(judged)
    CURVE.parent.mkdir(parents=True, exist_ok=True)
    CURVE.write_text(_svg(risk.shares, risk.errors), encoding="utf-8")
    return risk.as_json()


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
