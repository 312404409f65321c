"""Train the portable head of the grader on question banks: features, grouped cross-validation, a folder of JSON.

It serves encoders that no reader was trained for (:mod:`finetune.reader_training` trains one for any encoder).
Every figure in the manifest and the card comes from answers to questions that the model has not seen.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from finetune.errors import TooFewExamples
from finetune.graded_answer import GradedAnswer
from finetune.graded_questions import GradedQuestion
from finetune.head_card import head_card
from finetune.head_fitting import (
    FOLDS,
    PORTABLE_FEATURES,
    TrainingAnswer,
    calibration_curve,
    conformal_interval,
    cross_calibrated,
    cross_validated,
    fit,
    metrics_by_kind,
)
from finetune.made_up_answers import made_up_answers
from grading.encoder import Encoder
from grading.features import FEATURES, QuestionFeatures, answer_features
from grading.guard import guard
from grading.head import SCHEMA_VERSION, interval_to_json, trees_to_json
from grading.keypoints import key_points_of
from grading.unpacking import file_sha256


def train_head(
    questions: Sequence[GradedQuestion],
    encoder: Encoder,
    output: Path,
    seed: int,
    progress: Callable[[float, str], None] | None = None,
) -> dict[str, Any]:
    """Train on ``questions`` with ``encoder`` and write ``head.json``, ``manifest.json``, ``card.md`` into ``output``.

    Returns the cross-validated metrics, also written into the manifest: overall, by kind and by language, for the
    variant made for this encoder and for the portable one. Raises :class:`TooFewExamples` for fewer questions than
    folds or answers without verdicts.
    """
    if len({graded.group for graded in questions}) < FOLDS:
        raise TooFewExamples(f"at least {FOLDS} different questions are needed to cross-validate, not {len(questions)}")
    if not all(answer.verdicts for graded in questions for answer in graded.answers):
        raise TooFewExamples("the portable head learns from verdicts on key points, and some answers have only a score")
    report = progress or (lambda fraction, text: None)
    answers = training_answers(questions, encoder, report)
    report(0.8, "cross-validating")
    variants: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    for name, features in ((encoder.version, FEATURES), ("portable", PORTABLE_FEATURES)):
        out_of_fold = cross_validated(answers, features, seed)
        curve = calibration_curve(answers, out_of_fold)
        calibrated = cross_calibrated(answers, out_of_fold)
        fitted = fit(answers, features, seed, curve)
        variants[name] = {
            "coverage": trees_to_json(fitted.coverage),
            "contradiction": trees_to_json(fitted.contradiction),
            "curve": {"from": curve[0], "to": curve[1]},
            "interval": interval_to_json(conformal_interval(answers, calibrated)),
        }
        metrics["portable" if name == "portable" else "own"] = metrics_by_kind(answers, calibrated)
        report(0.9 if name != "portable" else 1.0, "fitting")
    content = {"schema_version": SCHEMA_VERSION, "variants": variants}
    write_head(output, content, metrics, answers, encoder, seed)
    return metrics


def training_answers(
    questions: Sequence[GradedQuestion], encoder: Encoder, progress: Callable[[float, str], None]
) -> list[TrainingAnswer]:
    """The questions' answers and made-up ones with their features; most of the time goes into encoding."""
    found: list[TrainingAnswer] = []
    for number, graded in enumerate(questions):
        progress(0.8 * number / len(questions), "encoding answers")
        language = graded.question.language
        others = [other for other in questions if other.question.language == language and other.group != graded.group]
        # By question, not by seed: runs with different seeds then compare on the same answers.
        made_up = made_up_answers(graded, others, random.Random(f"{language} {graded.group}"))
        found.extend(_with_features(graded, [*graded.answers, *made_up], encoder))
    return found


def write_head(
    output: Path,
    content: dict[str, Any],
    metrics: dict[str, Any],
    answers: Sequence[TrainingAnswer],
    encoder: Encoder,
    seed: int,
) -> None:
    """Write the three files; the manifest comes last, so that a folder without one is known to be unfinished."""
    output.mkdir(parents=True, exist_ok=True)
    head = output / "head.json"
    head.write_text(json.dumps(content, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")
    counts = Counter("real" if answer.is_real else "made up" for answer in answers)
    (output / "card.md").write_text(head_card(encoder.name, encoder.version, seed, counts, metrics), encoding="utf-8")
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "producer": "finetune.grader_training",
        "encoder": {"name": encoder.name, "version": encoder.version},
        "seed": seed,
        "answers": dict(counts),
        "questions": len({(answer.language, answer.group) for answer in answers}),
        "metrics": metrics,
        "files": {name: file_sha256(output / name) for name in ("card.md", "head.json")},
    }
    (output / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _with_features(graded: GradedQuestion, answers: Sequence[GradedAnswer], encoder: Encoder) -> list[TrainingAnswer]:
    question = graded.question
    guarded = [guard(question, answer.text) for answer in answers]
    to_score = [answer for answer in guarded if not answer.is_empty_handed]
    features = iter(answer_features(QuestionFeatures(question, encoder), to_score, encoder))
    return [
        TrainingAnswer(
            group=graded.group,
            language=question.language,
            kind=answer.kind,
            is_real=not answer.is_made_up,
            score=answer.score,
            verdicts=answer.verdicts,
            weights=tuple(float(point.weight) for point in key_points_of(question)),
            rows=None if kept.is_empty_handed else next(features).rows,
        )
        for answer, kept in zip(answers, guarded, strict=True)
    ]
