"""``--mode full``: tune all weights of an encoder, fit a head on it, and leave both in one folder.

::

    run/
    ├── checkpoint/             while it runs: run.json, fold-0.jsonl …, part-0/ … of the trainer
    ├── encoder/                the tuned encoder, a folder of sentence-transformers
    ├── head.json               trees on its features
    ├── metrics.json, card.md
    ├── report.html             figures and curves, with answers of students; in no digest
    ├── seeds/                  runs with other seeds, where the spread over seeds was asked for
    └── manifest.json           comes last: a folder without it is unfinished

Every figure comes from answers to questions that the encoder had not been tuned on. A run that was stopped goes on
when it is called again, and gives the same model.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from finetune.encoder_card import encoder_card
from finetune.encoder_head import FoldAnswers, fitted_head, judged_head, read_fold, write_fold
from finetune.encoder_pairs import EncoderTraining, learning_and_deciding, scored_pairs
from finetune.encoder_tuning import TunedEncoder, steps_in_epoch, tuned_encoder
from finetune.errors import TooFewExamples
from finetune.evaluation import report_html
from finetune.explainer_run import refuse_other, thinned
from finetune.graded_questions import GradedQuestion
from finetune.grader_run_report import facts_of, run_report
from finetune.grader_training import training_answers
from finetune.head_fitting import FOLDS as HEAD_FOLDS
from finetune.head_fitting import TrainingAnswer
from finetune.learnt_answers import write_learnt
from finetune.reader_encoder import published_encoder
from finetune.reader_examples import digest_of
from finetune.reader_readings import folds_of
from finetune.reader_run import finish_run, finished_metrics, write_json
from finetune.reader_training import Progress
from finetune.run_versions import LEARNT_TEST, code_version, dataset_digest
from finetune.seeds import spread_over_seeds
from finetune.topics import topics_of
from grading.encoder import Encoder
from grading.features import FEATURES
from grading.grader import ENCODER_FOLDER
from grading.head import SCHEMA_VERSION

_ENCODER_SUFFIXES = (".json", ".safetensors")


def train_full(
    questions: Sequence[GradedQuestion],
    encoder: str | Path,
    output: Path,
    *,
    encoder_name: str = "",
    training: EncoderTraining | None = None,
    datasets: Sequence[str] = (),
    has_test: bool = False,
    others: Sequence[Mapping[str, Any]] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Tune the encoder (folder or hub id) on ``questions`` and leave what the module's text lists; its metrics.

    ``encoder_name`` is the setting that named the encoder, ``datasets`` the digests of the datasets that the questions
    came from, with their test parts where ``has_test``, ``others`` the metrics of runs with other seeds. Returns those
    of a finished run of the same settings and data at once. Raises the errors of :mod:`finetune.errors` and a
    :class:`grading.errors.GradingError` for an encoder that cannot be loaded.
    """
    tell = progress or (lambda _done, _total, _text: None)
    training = training or EncoderTraining()
    questions = [graded for graded in questions if graded.answers]
    _check_groups(questions, training)
    tell(0, 0, "loading the encoder")
    published = published_encoder(str(encoder), name=encoder_name, layers=training.layers)
    run: dict[str, Any] = {
        "training": asdict(training),
        "data": digest_of(questions),
        "encoder": {"name": encoder_name or published.name, "version": published.version, "layers": training.layers},
        "start": None,
        **({"seeds": len(others) + 1} if others else {}),
    }
    if (finished := finished_metrics(output, run)) is not None:
        return finished
    _begin(output, run)
    folds = _folds(published, questions, training, tell)
    work = _Work(
        encoder=str(encoder), name=encoder_name, training=training, output=output, folds=folds, questions=questions
    )
    clock = _Clock(work, tell)
    crossed = [_fold_answers(work, part, clock) for part in range(training.folds)]
    tuned = _tuned(work, training.folds, clock)
    own = _kept_encoder(tuned, output, run)
    tell(clock.total, clock.total, "fitting the head")
    answers = [answer for fold in crossed for answer in fold.answers]
    head = fitted_head(answers, FEATURES, training.seed)
    tell(clock.total, clock.total, "comparing with the baseline")
    found = judged_head(folds, answers, head, published)
    losses = thinned(tuned.losses)
    metrics = {
        "steps": len(tuned.losses),
        "best_epochs": [*(fold.best_epoch for fold in crossed), tuned.best_epoch],
        "loss": losses,
        "own": head.metrics,
        **found.as_json(),
    }
    if others:
        metrics["seeds"] = spread_over_seeds([metrics, *others])
    about = {
        "dataset_digest": dataset_digest(datasets, str(run["data"])),
        "code_version": code_version(),
        "sources": _counts(questions),
        "made_up": sum(not answer.is_real for answer in answers),
        LEARNT_TEST: has_test,
    }
    facts = facts_of({**run, "start": "the encoder as it was published"}, about)
    page = run_report(
        found, losses=losses, steps=len(tuned.losses), facts=[*facts[:2], ("Loss", training.loss), *facts[2:]]
    )
    write_learnt(output, questions, key=str(run["data"]))
    finish_run(
        output,
        schema_version=SCHEMA_VERSION,
        producer="finetune.encoder_run",
        run=run,
        head=head.content(own.version),
        card=encoder_card(run, about, metrics),
        report=report_html(page),
        metrics=metrics,
        about=about,
    )
    return metrics


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Work:
    """What all parts of a run share; the parts are the folds, and then all questions."""

    encoder: str
    name: str
    training: EncoderTraining
    output: Path
    folds: Sequence[Sequence[GradedQuestion]]
    questions: Sequence[GradedQuestion]

    def without(self, part: int) -> list[GradedQuestion]:
        """The questions that ``part`` may see, in their order."""
        hidden = {graded.group for graded in self.folds[part]} if part < len(self.folds) else set[str]()
        return [graded for graded in self.questions if graded.group not in hidden]

    def split(self, part: int) -> tuple[list[GradedQuestion], list[GradedQuestion]]:
        """Those to learn from, and those that say when to stop."""
        return learning_and_deciding(self.without(part), self.seed(part))

    def seed(self, part: int) -> int:
        """Another one for each part."""
        return self.training.seed * 100 + part


class _Clock:
    """Tells how far the whole run is; a part that ends before its last pass leaps forward."""

    def __init__(self, work: _Work, tell: Progress) -> None:
        steps = [
            steps_in_epoch(scored_pairs(work.split(part)[0]), work.training) * work.training.epochs
            for part in range(len(work.folds) + 1)
        ]
        self._before = [0, *accumulate(steps)]
        self.total = self._before[-1]
        self._tell = tell

    def at(self, part: int, step: int, text: str) -> None:
        """After this step of this part."""
        folds = len(self._before) - 2
        where = f"fold {part + 1} of {folds}" if part < folds else "all questions"
        self._tell(self._before[part] + step, self.total, f"{where}: {text}")


def _check_groups(questions: Sequence[GradedQuestion], training: EncoderTraining) -> None:
    groups = len({graded.group for graded in questions})
    least = max(HEAD_FOLDS, training.folds)
    if groups < least:
        raise TooFewExamples(f"at least {least} different questions with answers are needed, there are {groups}")


def _begin(output: Path, run: Mapping[str, Any]) -> None:
    """Mark the folder as this run's; :class:`RunMismatch` where another one was begun there."""
    path = output / "checkpoint" / "run.json"
    if path.exists():
        refuse_other(json.loads(path.read_text(encoding="utf-8")), run, output)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, run)


def _folds(
    published: Encoder, questions: Sequence[GradedQuestion], training: EncoderTraining, tell: Progress
) -> list[list[GradedQuestion]]:
    """Cut by topic, as the encoder saw topics before it learned anything here."""
    tell(0, 0, "finding the topics")
    asked = [" ".join((each.question.prompt, *each.question.model_answers[:1])) for each in questions]
    topics = topics_of(lambda: published.encode(asked), [graded.group for graded in questions])
    return [[questions[place] for place in fold] for fold in folds_of(topics, training.folds, training.seed)]


def _fold_answers(work: _Work, part: int, clock: _Clock) -> FoldAnswers:
    """The features of a fold's answers by an encoder that was tuned on the other folds."""
    path = work.output / "checkpoint" / f"fold-{part}.jsonl"
    if not path.exists():
        tuned = _tuned(work, part, clock)
        encoder = Encoder(tuned.folder, name=work.name)

        def tell(_: float, text: str) -> None:
            clock.at(part + 1, 0, text)

        # Others to borrow wrong answers from are of the fold as well: nothing in it was seen before.
        answers: list[TrainingAnswer] = training_answers(work.folds[part], encoder, tell)
        write_fold(path, FoldAnswers(best_epoch=tuned.best_epoch, answers=answers))
    # Weights and moments of the optimizer: more than a gigabyte for a small encoder.
    shutil.rmtree(work.output / "checkpoint" / f"part-{part}", ignore_errors=True)
    return read_fold(path)


def _tuned(work: _Work, part: int, clock: _Clock) -> TunedEncoder:
    learning, deciding = work.split(part)
    return tuned_encoder(
        work.encoder,
        scored_pairs(learning),
        scored_pairs(deciding),
        work.output / "checkpoint" / f"part-{part}",
        encoder_name=work.name,
        training=work.training,
        seed=work.seed(part),
        tell=lambda step, text: clock.at(part, step, text),
    )


def _kept_encoder(tuned: TunedEncoder, output: Path, run: Mapping[str, Any]) -> Encoder:
    """Copy the encoder out of its checkpoint, without the trainer's files, and load it as it will be loaded."""
    target = output / ENCODER_FOLDER
    shutil.rmtree(target, ignore_errors=True)
    for path in sorted(tuned.folder.rglob("*")):
        if path.suffix in _ENCODER_SUFFIXES and path.name != "trainer_state.json":
            own = target / path.relative_to(tuned.folder)
            own.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, own)
    return Encoder(target, name=run["encoder"]["name"])


def _counts(questions: Sequence[GradedQuestion]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for graded in questions:
        own = found.setdefault(graded.source, {"questions": 0, "real": 0})
        own["questions"] += 1
        own["real"] += len(graded.answers)
    return found
