"""Train the reader of :mod:`grading.reader` on questions with graded answers, for any encoder.

::

    questions ──guard, made-up answers──▶ answers ──▶ pairs ──┬─ fold 1 … n: train on the others, read these ──▶ head
                                                              └─ train on all ──▶ adapter and reader

Every figure comes from answers to questions that neither reader nor head had seen. A run that was stopped goes on when
it is called again, and gives the same model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from finetune.cross_judged import Encode, judged_by_cosine, judged_by_reader, real_answers
from finetune.evaluation import Judged, report_html
from finetune.explainer_run import thinned
from finetune.graded_questions import GradedQuestion
from finetune.grader_run_report import cross_evaluation, facts_of, run_report
from finetune.learnt_answers import write_learnt
from finetune.nearness_fitting import fitted_nearness, near_of
from finetune.one_cycle import one_cycle
from finetune.reader_batches import Pair, ReaderTraining, batches_of, steps_of
from finetune.reader_card import reader_card
from finetune.reader_encoder import published_encoder, trainable_encoder
from finetune.reader_examples import ReaderQuestion, reader_questions, source_weights
from finetune.reader_model import ReaderModel
from finetune.reader_readings import (
    OutOfFold,
    described,
    figures,
    folds_of,
    head_rows,
    read_readings,
    readings_of,
    said_by_reference,
    write_readings,
)
from finetune.reader_run import ReaderState, finished_metrics, resumed, save_checkpoint, write_run
from finetune.reader_start import check_groups, chosen_accelerator, described_run, model_over, settled
from finetune.reading_head import fit_head
from finetune.remembered_rows import read_remembered, write_remembered
from finetune.run_versions import LEARNT_TEST, code_version, dataset_digest, datasets_of, has_learnt_test
from finetune.seeds import spread_over_seeds
from finetune.topics import topics_of
from grading.encoder import Encoder
from grading.reading_model import load_reading_model

#: Told after every step: steps done, steps in all, a sentence.
Progress = Callable[[int, int, str], None]


def train_reader(
    questions: Sequence[GradedQuestion],
    encoder: str | Path,
    output: Path,
    *,
    encoder_name: str = "",
    training: ReaderTraining | None = None,
    start: Path | None = None,
    datasets: Sequence[str] = (),
    has_test: bool = False,
    others: Sequence[Mapping[str, Any]] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train on ``questions`` over the encoder (folder or hub id) and leave what :mod:`finetune.reader_run` lists.

    ``encoder_name`` is the setting that named the encoder, ``start`` a trained reader to go on from, ``datasets`` the
    digests of the datasets that the questions came from, with their test parts where ``has_test``, ``others`` the
    metrics of runs with other seeds. Returns the metrics; those of a finished run of the same settings and data at
    once. Raises the errors of :mod:`finetune.errors` and a :class:`grading.errors.GradingError` for an encoder or a
    start that cannot be loaded.
    """
    tell = progress or (lambda _done, _total, _text: None)
    accelerator = chosen_accelerator()
    training = settled(training or ReaderTraining(), start, accelerator)
    check_groups(questions, training)
    tell(0, 0, "loading the encoder")
    loaded = trainable_encoder(str(encoder), name=encoder_name, training=training, start=start)
    run = described_run(questions, loaded, training, start) | ({"seeds": len(others) + 1} if others else {})
    if (finished := finished_metrics(output, run)) is not None:
        return finished
    data = reader_questions(questions, tell, most_made_up=training.most_made_up)
    weights = source_weights(questions)
    model = model_over(loaded, data, training, start, output, run, accelerator, tell)
    published = published_encoder(str(encoder), name=encoder_name, layers=training.layers)
    folds = _folds(published, data, training, tell)
    work = _Work(
        model=model, data=data, weights=weights, training=training, output=output, run=run, start=start, folds=folds
    )
    clock = _Clock(work, tell)
    readings = _cross_read(work, clock)
    state = _fit(work, training.folds, range(len(data)), clock)
    tell(clock.total, clock.total, "fitting the head")
    # Prompts and model answers are asked for three times.
    encode = partial(published.encode, remember=True)
    began = None if start is None else load_reading_model(start)
    nearness = fitted_nearness(data, encode) if began is None else began.nearness
    places = [(reading.question, reading.answer) for reading in readings]
    rows = head_rows(data, readings, near_of(data, places, nearness, encode, is_of_others=began is not None), weights)
    remembered = read_remembered(start)
    fitted = fit_head(rows, training.seed, remembered=remembered, begun=began)
    tell(clock.total, clock.total, "comparing with the baseline")
    found = cross_evaluation(judged_by_reader(data, readings, fitted), _baseline(data, folds, encode))
    losses = thinned(state.losses or [])
    metrics = {
        "steps": clock.total,
        "seconds": round(state.seconds),
        "loss": losses,
        "head": figures(data, readings, fitted.fractions.tolist()),
        "reader": figures(data, readings, said_by_reference(data, readings)),
        **found.as_json(),
    }
    if others:
        metrics["seeds"] = spread_over_seeds([metrics, *others])
    about = {
        "dataset_digest": dataset_digest([*datasets, *datasets_of(start)], str(run["data"])),
        "code_version": code_version(),
        "sources": _counts(data, weights),
        LEARNT_TEST: has_test or has_learnt_test(start),
    }
    write_learnt(output, questions, key=str(run["data"]), start=start)
    write_remembered(output, [*rows, *remembered], training.seed)
    write_run(
        model,
        output,
        start=start,
        run=run,
        head=fitted.content,
        nearness=nearness,
        card=reader_card(run, about, metrics),
        report=report_html(run_report(found, losses=losses, steps=clock.steps[-1], facts=facts_of(run, about))),
        readings=[described(data, reading) for reading in readings],
        metrics=metrics,
        about=about,
    )
    return metrics


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Work:
    """What all parts of a run share."""

    model: ReaderModel
    data: Sequence[ReaderQuestion]
    weights: Mapping[str, float]
    training: ReaderTraining
    output: Path
    run: Mapping[str, Any]
    start: Path | None
    folds: Sequence[Sequence[int]]

    def without(self, fold: Sequence[int]) -> list[int]:
        """The places of the questions that are trained on while those of ``fold`` are kept back."""
        return [place for place in range(len(self.data)) if place not in set(fold)]


def _folds(
    published: Encoder, data: Sequence[ReaderQuestion], training: ReaderTraining, tell: Progress
) -> list[list[int]]:
    """Cut by topic, as the encoder saw topics before it learned anything here."""
    tell(0, 0, "finding the topics")

    def vectors() -> NDArray[np.float32]:
        return published.encode([f"{question.question.prompt} {question.references[0]}" for question in data])

    return folds_of(topics_of(vectors, [question.group for question in data]), training.folds, training.seed)


def _baseline(data: Sequence[ReaderQuestion], folds: Sequence[Sequence[int]], encode: Encode) -> Judged:
    part = {place: number for number, fold in enumerate(folds) for place in fold}
    own = [part[place] for place, question in enumerate(data) for _ in real_answers([question])]
    return judged_by_cosine(real_answers(data), own, encode)


class _Clock:
    """Tells how far the whole run is; steps of all parts count alike."""

    def __init__(self, work: _Work, tell: Progress) -> None:
        parts = [*(work.without(fold) for fold in work.folds), list(range(len(work.data)))]
        self.steps = [steps_of([work.data[place] for place in places], work.training) for places in parts]
        self.total = sum(self.steps)
        self._tell = tell

    def at(self, part: int, step: int, text: str) -> None:
        where = f"fold {part + 1} of {len(self.steps) - 1}" if part < len(self.steps) - 1 else "all questions"
        self._tell(sum(self.steps[:part]) + step, self.total, f"{where}: {text}")


def _cross_read(work: _Work, clock: _Clock) -> list[OutOfFold]:
    """Readings of every answer by a reader that was trained without its question's group."""
    found: list[OutOfFold] = []
    for part, fold in enumerate(work.folds):
        path = work.output / "checkpoint" / f"fold-{part}.jsonl"
        if not path.exists():
            _fit(work, part, work.without(fold), clock)
            step = clock.steps[part]
            own = readings_of(work.model, work.data, fold, lambda p=part, s=step: clock.at(p, s, "reading the others"))
            write_readings(path, own)
        found += read_readings(path)
    return sorted(found, key=lambda reading: (reading.question, reading.answer))


def _fit(work: _Work, part: int, places: Sequence[int], clock: _Clock) -> ReaderState:
    """Train one part from its beginning, or from where it was stopped, to its end."""
    training, model = work.training, work.model
    seed = training.seed * 100 + part
    model.begin(seed, work.start)
    optimizer = torch.optim.AdamW(model.groups(training), lr=0.0)
    state = resumed(model, optimizer, part, work.output, work.run)
    steps = clock.steps[part]
    batches = batches_of([work.data[place] for place in places], work.weights, training, seed)
    # What was trained on before a stop is drawn again and passed over, so that the rest comes as it would have come.
    for batch in islice(batches, state.step, steps):
        started = time.monotonic()
        _set_rates(optimizer, state.step, steps)
        # Seeded at each step, so that a run that goes on has the dropout that it would have had.
        torch.manual_seed(seed * 1_000_003 + state.step)
        loss = _step(model, optimizer, batch)
        state.step += 1
        state.losses = [*(state.losses or []), loss]
        state.seconds += time.monotonic() - started
        if state.step % training.steps_per_checkpoint == 0 or state.step == steps:
            save_checkpoint(model, optimizer, state, work.output, work.run)
        clock.at(part, state.step, f"loss {_recent(state.losses):.3f}")
    return state


def _step(model: ReaderModel, optimizer: torch.optim.Optimizer, batch: Sequence[Pair]) -> float:
    loss = model.add_gradients(batch)
    torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss


def _set_rates(optimizer: torch.optim.Optimizer, step: int, steps: int) -> None:
    share, momentum = one_cycle(step, steps)
    for group in optimizer.param_groups:
        group["lr"], group["betas"] = group["peak"] * share, (momentum, group["betas"][1])


def _counts(data: Sequence[ReaderQuestion], weights: Mapping[str, float]) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    for question in data:
        own = found.setdefault(
            question.source, {"questions": 0, "real": 0, "made_up": 0, "weight": weights[question.source]}
        )
        own["questions"] += 1
        for answer in question.answers:
            own["made_up" if answer.graded.is_made_up else "real"] += 1
    return found


def _recent(losses: Sequence[float]) -> float:
    last = losses[-20:]
    return sum(last) / len(last)
