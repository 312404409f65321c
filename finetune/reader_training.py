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
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from finetune.errors import ModelUnsuitable, TooFewExamples
from finetune.explainer_run import thinned
from finetune.graded_questions import GradedQuestion
from finetune.nearness_fitting import fitted_nearness, near_of, nearness_to_json
from finetune.one_cycle import one_cycle
from finetune.reader_batches import Pair, ReaderTraining, batches_of, steps_of
from finetune.reader_card import reader_card
from finetune.reader_encoder import TrainableEncoder, published_encoder, trainable_encoder
from finetune.reader_examples import ReaderQuestion, Text, digest_of, reader_questions, source_weights
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
from finetune.reader_states import EncodedStates, StateSource, StoredStates
from finetune.reader_tokens import Tokens, tokens_of
from finetune.reading_head import FOLDS as HEAD_FOLDS
from finetune.reading_head import fit_head
from finetune.topics import topics_of
from grading.encoder import Encoder
from grading.reading_model import load_reading_model

#: Told after every step: steps done, steps in all, a sentence.
Progress = Callable[[int, int, str], None]

_CPU_LORA_LAYERS = 4


def train_reader(
    questions: Sequence[GradedQuestion],
    encoder: str | Path,
    output: Path,
    *,
    encoder_name: str = "",
    training: ReaderTraining | None = None,
    start: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train on ``questions`` over the encoder (folder or hub id) and leave what :mod:`finetune.reader_run` lists.

    ``encoder_name`` is the setting that named the encoder, ``start`` a trained reader to go on from. Returns the
    metrics; those of a finished run of the same settings and data at once. Raises the errors of
    :mod:`finetune.errors` and a :class:`grading.errors.GradingError` for an encoder or a start that cannot be loaded.
    """
    tell = progress or (lambda _done, _total, _text: None)
    accelerator = _accelerator()
    training = _settled(training or ReaderTraining(), start, accelerator)
    _check_groups(questions, training)
    tell(0, 0, "loading the encoder")
    loaded = trainable_encoder(str(encoder), name=encoder_name, training=training, start=start)
    run = _described_run(questions, loaded, training, start)
    if (finished := finished_metrics(output, run)) is not None:
        return finished
    data = reader_questions(questions, tell)
    weights = source_weights(questions)
    model = _model(loaded, data, training, output, run, accelerator, tell)
    published = published_encoder(str(encoder), name=encoder_name, layers=training.layers)
    folds = _folds(published, data, training, tell)
    work = _Work(
        model=model, data=data, weights=weights, training=training, output=output, run=run, start=start, folds=folds
    )
    clock = _Clock(work, tell)
    readings = _cross_read(work, clock)
    state = _fit(work, training.folds, range(len(data)), clock)
    tell(clock.total, clock.total, "fitting the head")
    nearness = fitted_nearness(data, published.encode)
    near = near_of(data, [(reading.question, reading.answer) for reading in readings], nearness, published.encode)
    head, fractions = fit_head(head_rows(data, readings, near, weights), training.seed)
    head["nearness"] = nearness_to_json(nearness)
    metrics = {
        "steps": clock.total,
        "seconds": round(state.seconds),
        "loss": thinned(state.losses or []),
        "head": figures(data, readings, list(fractions)),
        "reader": figures(data, readings, said_by_reference(data, readings)),
    }
    counts = {"sources": _counts(data, weights)}
    write_run(
        model,
        output,
        start=start,
        run=run,
        head=head,
        card=reader_card(run, counts, metrics),
        readings=[described(data, reading) for reading in readings],
        metrics=metrics,
        counts=counts,
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
    vectors = published.encode([f"{question.question.prompt} {question.references[0]}" for question in data])
    return folds_of(topics_of(vectors, [question.group for question in data]), training.folds, training.seed)


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


def _accelerator() -> Accelerator:
    """The GPU in bfloat16 where there is one that can, the CPU otherwise."""
    has_bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    if torch.cuda.is_available():
        # Plans anew for every new shape of a batch, and hardly two are alike here.
        torch.backends.cuda.enable_cudnn_sdp(False)
    return Accelerator(mixed_precision="bf16" if has_bf16 else "no")


def _settled(training: ReaderTraining, start: Path | None, accelerator: Accelerator) -> ReaderTraining:
    """The settings with what device and start decide."""
    if training.mode == "lora" and training.lora_layers is None and accelerator.device.type == "cpu":
        training = replace(training, lora_layers=_CPU_LORA_LAYERS)
    if start is None:
        return training
    layers = load_reading_model(start).layers
    if training.layers not in (None, layers):
        raise ModelUnsuitable(
            f"{start} was trained on {layers or 'all'} layers: it cannot go on with {training.layers}"
        )
    return replace(training, layers=layers)


def _check_groups(questions: Sequence[GradedQuestion], training: ReaderTraining) -> None:
    groups = len({graded.group for graded in questions if graded.answers})
    least = max(HEAD_FOLDS, training.folds)
    if groups < least:
        raise TooFewExamples(f"at least {least} different questions with answers are needed, there are {groups}")


def _described_run(
    questions: Sequence[GradedQuestion], encoder: TrainableEncoder, training: ReaderTraining, start: Path | None
) -> dict[str, Any]:
    """What tells one run from another; raises :class:`ModelUnsuitable` for a start over another encoder."""
    digest = None
    if start is not None:
        began = load_reading_model(start)
        if began.encoder_version != encoder.version:
            raise ModelUnsuitable(f"{start} was trained for the encoder {began.encoder_name}, not for {encoder.name}")
        digest = began.digest
    return {
        "training": asdict(training),
        "data": digest_of(questions),
        "encoder": {"name": encoder.name, "version": encoder.version, "layers": training.layers},
        "start": digest,
    }


def _model(
    encoder: TrainableEncoder,
    data: Sequence[ReaderQuestion],
    training: ReaderTraining,
    output: Path,
    run: Mapping[str, Any],
    accelerator: Accelerator,
    tell: Progress,
) -> ReaderModel:
    tell(0, 0, "cutting the texts into tokens")
    tokens: dict[Text, Tokens] = tokens_of(
        (text for question in data for text in question.texts),
        encoder.tokenizer,
        prefix=encoder.prefix,
        pad_id=encoder.pad_id,
        max_tokens=encoder.max_tokens,
    )
    device = accelerator.device
    encoder.model.to(device)
    states: StateSource = EncodedStates(encoder.model, tokens, encoder.pad_id, device)
    if training.mode == "head":
        states = StoredStates(
            states,
            tokens,
            output / "checkpoint",
            key=f"{run['encoder']} {run['start']} {run['data']}",
            dimension=encoder.dimension,
            pad_id=encoder.pad_id,
            device=device,
            tell=tell,
        )
    return ReaderModel(encoder, states, tokens, accelerator)


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
