"""Train the head of trees for an encoder as it is: features, grouped cross-validation, a folder of JSON.

It serves encoders that no reader was trained for (:mod:`finetune.reader_training` trains one for any encoder).
Every figure in the manifest and the card comes from answers to questions that the model has not seen.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune.cross_judged import judged, judged_by_cosine
from finetune.encoder_head import EncoderHead, fitted_head
from finetune.errors import TooFewExamples
from finetune.evaluation import report_html
from finetune.explainer_run import refuse_other
from finetune.graded_answer import GradedAnswer
from finetune.graded_questions import GradedQuestion
from finetune.grader_run_report import CrossEvaluation, cross_evaluation, run_report
from finetune.head_card import head_card
from finetune.head_fitting import (
    FOLDS,
    PORTABLE_FEATURES,
    TrainingAnswer,
)
from finetune.learnt_answers import LEARNT, write_learnt
from finetune.made_up_answers import made_up_answers
from finetune.reader_examples import digest_of
from finetune.run_versions import LEARNT_TEST, code_version, dataset_digest
from grading.encoder import Encoder
from grading.features import FEATURES, QuestionFeatures, answer_features
from grading.guard import guard
from grading.head import SCHEMA_VERSION, Interval
from grading.keypoints import key_points_of
from grading.unpacking import file_sha256, read_manifest


def train_head(
    questions: Sequence[GradedQuestion],
    encoder: Encoder,
    output: Path,
    seed: int,
    progress: Callable[[float, str], None] | None = None,
    *,
    version: str = "",
    most_made_up: int | None = None,
    datasets: Sequence[str] = (),
    has_test: bool = False,
) -> dict[str, Any]:
    """Train on ``questions`` with ``encoder`` and leave head, card, metrics, report and manifest in ``output``.

    Returns the cross-validated metrics, also written into the manifest: overall, by kind and by language, for the
    variant made for this encoder and for the portable one. An answer without verdicts teaches by its score alone.
    ``version`` is that of the encoder that is to serve, where ``encoder`` is an export of it, quicker and gives
    nearly its vectors. ``most_made_up`` of the made-up answers to a question are used (``None``: all); most of the time
    goes into them. ``datasets`` are the digests of those that the questions came from, with their test parts where
    ``has_test``. Raises :class:`TooFewExamples` for fewer questions than folds, :class:`RunMismatch` where ``output``
    holds another run; the same one is made again.
    """
    if len({graded.group for graded in questions}) < FOLDS:
        raise TooFewExamples(f"at least {FOLDS} different questions are needed to cross-validate, not {len(questions)}")
    version = version or encoder.version
    about = {
        "dataset_digest": dataset_digest(datasets, digest_of(questions)),
        "code_version": code_version(),
        "encoder": {"name": encoder.name, "version": version},
        "seed": seed,
        LEARNT_TEST: has_test,
    }
    _refuse_other_run(output, about)
    report = progress or (lambda fraction, text: None)
    answers = training_answers(questions, encoder, report, most_made_up)
    report(0.8, "cross-validating")
    heads: dict[str, EncoderHead] = {}
    for name, features in ((version, FEATURES), ("portable", PORTABLE_FEATURES)):
        heads[name] = fitted_head(answers, features, seed)
        report(0.9 if name != "portable" else 1.0, "fitting")
    own = heads[version]
    found = _cross_evaluation(questions, answers, own.fractions, own.interval, encoder, seed)
    metrics = {"own": own.metrics, "portable": heads["portable"].metrics, **found.as_json()}
    content = {"schema_version": SCHEMA_VERSION, "variants": {name: head.variant for name, head in heads.items()}}
    facts = [
        ("Encoder", f"{encoder.name}, {version}"),
        ("Training", f"mode head, seed {seed}"),
        ("Folds", f"{FOLDS}, cut by question"),
        ("Data", about["dataset_digest"]),
        ("Code", about["code_version"]),
    ]
    page = report_html(run_report(found, losses=(), steps=0, facts=facts))
    write_learnt(output, questions, key=digest_of(questions))
    sources = Counter(graded.source for graded in questions for _ in graded.answers)
    write_head(output, content, metrics, answers, about, page, sources)
    return metrics


def training_answers(
    questions: Sequence[GradedQuestion],
    encoder: Encoder,
    progress: Callable[[float, str], None],
    most_made_up: int | None = None,
) -> list[TrainingAnswer]:
    """The questions' answers and made-up ones with their features; most of the time goes into encoding."""
    found: list[TrainingAnswer] = []
    for number, graded in enumerate(questions):
        progress(0.8 * number / len(questions), "encoding answers")
        language = graded.question.language
        others = [other for other in questions if other.question.language == language and other.group != graded.group]
        # By question, not by seed: runs with different seeds then compare on the same answers.
        rng = random.Random(f"{language} {graded.group}")
        made_up = list(made_up_answers(graded, others, rng))
        if most_made_up is not None:
            made_up = rng.sample(made_up, min(most_made_up, len(made_up)))
        found.extend(_with_features(graded, [*graded.answers, *made_up], encoder))
    return found


def write_head(
    output: Path,
    content: dict[str, Any],
    metrics: dict[str, Any],
    answers: Sequence[TrainingAnswer],
    about: Mapping[str, Any],
    report: str,
    sources: Mapping[str, int],
) -> None:
    """Write the files; the manifest comes last, so that a folder without one is known to be unfinished.

    The report shows answers and is not listed in it. ``sources``: how many real answers are of which set.
    """
    output.mkdir(parents=True, exist_ok=True)
    head = output / "head.json"
    head.write_text(json.dumps(content, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")
    counts = Counter("real" if answer.is_real else "made up" for answer in answers)
    encoder = about["encoder"]
    card = head_card(encoder["name"], encoder["version"], about["seed"], counts, metrics, sources)
    (output / "card.md").write_text(card, encoding="utf-8")
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    (output / "report.html").write_text(report, encoding="utf-8", errors="replace")
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "producer": "finetune.grader_training",
        **about,
        "answers": dict(counts),
        "questions": len({(answer.language, answer.group) for answer in answers}),
        "metrics": metrics,
        "files": {name: file_sha256(output / name) for name in ("card.md", "head.json", LEARNT, "metrics.json")},
    }
    (output / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _refuse_other_run(output: Path, about: Mapping[str, Any]) -> None:
    manifest = read_manifest(output)
    if manifest is not None:
        told = ("dataset_digest", "encoder", "seed", LEARNT_TEST)
        refuse_other(manifest, {name: about[name] for name in told}, output)


def _cross_evaluation(
    questions: Sequence[GradedQuestion],
    answers: Sequence[TrainingAnswer],
    fractions: Sequence[float],
    interval: Interval,
    encoder: Encoder,
    seed: int,
) -> CrossEvaluation:
    """Head and baseline, cut by the same folds; ``answers`` hold those of ``questions`` in their order."""
    answered = [(graded.group, graded.question, answer) for graded in questions for answer in graded.answers]
    real = [fraction for answer, fraction in zip(answers, fractions, strict=True) if answer.is_real]
    groups = sorted({group for group, *_ in answered})
    random.Random(seed).shuffle(groups)
    folds = [groups.index(group) % FOLDS for group, *_ in answered]
    return cross_evaluation(
        judged(answered, [(fraction, *interval.around(fraction, fraction)) for fraction in real]),
        judged_by_cosine(answered, folds, encoder.encode),
    )


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
