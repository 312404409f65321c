"""Train the scoring head of the grader on a question bank: features, grouped cross-validation, a folder of JSON.

Every figure in the manifest and the card comes from answers to questions that the model has not seen.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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
from finetune.made_up_answers import MadeUpAnswer, made_up_answers
from grading.domain import KeyPoint, Question, Verdict
from grading.encoder import Encoder
from grading.features import FEATURES, QuestionFeatures, answer_features
from grading.guard import guard
from grading.head import SCHEMA_VERSION, Interval, trees_to_json
from grading.samples import SampleQuestion
from grading.unpacking import file_sha256


def train_head(
    samples: Sequence[SampleQuestion],
    encoder: Encoder,
    output: Path,
    seed: int,
    progress: Callable[[float, str], None] | None = None,
) -> dict[str, Any]:
    """Train on ``samples`` with ``encoder`` and write ``head.json``, ``manifest.json``, ``card.md`` into ``output``.

    Returns the cross-validated metrics, also written into the manifest: overall, by kind and by language, for the
    variant made for this encoder and for the portable one. Raises ``ValueError`` for fewer questions than folds.
    """
    if len({sample.id for sample in samples}) < FOLDS:
        raise ValueError(f"at least {FOLDS} different questions are needed to cross-validate, got {len(samples)} files")
    report = progress or (lambda fraction, text: None)
    answers = training_answers(samples, encoder, report)
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
            "interval": _interval_json(conformal_interval(answers, calibrated)),
        }
        metrics["portable" if name == "portable" else "own"] = metrics_by_kind(answers, calibrated)
        report(0.9 if name != "portable" else 1.0, "fitting")
    content = {"schema_version": SCHEMA_VERSION, "variants": variants}
    write_head(output, content, metrics, answers, encoder, seed)
    return metrics


def training_answers(
    samples: Sequence[SampleQuestion], encoder: Encoder, progress: Callable[[float, str], None]
) -> list[TrainingAnswer]:
    """The bank's answers and made-up ones with their features; most of the time goes into encoding."""
    found: list[TrainingAnswer] = []
    for number, sample in enumerate(samples):
        progress(0.8 * number / len(samples), "encoding answers")
        others = [other for other in samples if other.language == sample.language and other.id != sample.id]
        # By question, not by seed: runs with different seeds then compare on the same answers.
        rng = random.Random(f"{sample.language}{sample.id}")
        made_up = list(made_up_answers(sample, others, rng))
        found.extend(_with_features(sample, [*_real_answers(sample), *made_up], encoder))
    return found


def question_of(sample: SampleQuestion) -> Question:
    """The sample as the grader takes it."""
    points = tuple(
        KeyPoint(position=position, name=point.name, text=point.text, weight=point.weight)
        for position, point in enumerate(sample.key_points)
    )
    return Question(
        prompt=sample.prompt,
        model_answers=tuple(sample.model_answers),
        key_points=points,
        language=sample.language,
    )


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


def _real_answers(sample: SampleQuestion) -> list[MadeUpAnswer]:
    ids = [point.id for point in sample.key_points]
    return [
        MadeUpAnswer(
            kind=answer.kind.value,
            text=answer.text,
            verdicts=tuple(Verdict(answer.verdicts[name]) for name in ids),
            score=answer.score,
        )
        for answer in sample.answers
    ]


def _with_features(sample: SampleQuestion, answers: Sequence[MadeUpAnswer], encoder: Encoder) -> list[TrainingAnswer]:
    question = question_of(sample)
    guarded = [guard(question, answer.text) for answer in answers]
    to_score = [answer for answer in guarded if not answer.is_empty_handed]
    features = iter(answer_features(QuestionFeatures(question, encoder), to_score, encoder))
    return [
        TrainingAnswer(
            group=sample.id,
            language=sample.language,
            kind=answer.kind,
            is_real=number < len(sample.answers),
            score=answer.score,
            verdicts=answer.verdicts,
            weights=tuple(float(point.weight) for point in sample.key_points),
            rows=None if kept.is_empty_handed else next(features).rows,
        )
        for number, (answer, kept) in enumerate(zip(answers, guarded, strict=True))
    ]


def _interval_json(interval: Interval) -> dict[str, list[float]]:
    return {
        "edges": list(interval.edges),
        "half_widths": list(interval.half_widths),
        "confidences": list(interval.confidences),
    }
