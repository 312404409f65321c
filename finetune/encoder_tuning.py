"""Tune all weights of an encoder on scored pairs, with the trainer of sentence-transformers.

::

    published encoder ──▶ pass ──▶ loss on questions kept back ──▶ checkpoint ──▶ pass … ──▶ the best checkpoint

The trainer brings bfloat16 and several GPUs in one process. A checkpoint is whole once ``trainer_state.json`` lies in
it; a training that was killed goes on from the last whole one and draws what it would have drawn. The states of
optimizer and generators in it are torch's pickles: transformers reads them back with ``weights_only``, which runs no
code, and they go when the run is finished. No other pickle is written.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer.losses import CoSENTLoss, CosineSimilarityLoss
from torch import Tensor, nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.utils import logging as transformers_logging

from finetune.encoder_pairs import EncoderTraining, ScoredPair
from finetune.errors import ModelUnsuitable
from finetune.reader_encoder import published_encoder

Tell = Callable[[int, str], None]
"""Told after every step: steps done, a sentence."""

_STATE = "trainer_state.json"
_DECAY = 0.01
_WARMUP_SHARE = 0.1
_EPOCH_SEEDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedEncoder:
    """``folder`` is the checkpoint after the best pass, number ``best_epoch``; ``losses`` are those of the steps."""

    folder: Path
    best_epoch: int
    losses: list[float]


def tuned_encoder(
    encoder: str,
    learning: Sequence[ScoredPair],
    deciding: Sequence[ScoredPair],
    folder: Path,
    *,
    encoder_name: str,
    training: EncoderTraining,
    seed: int,
    tell: Tell,
) -> TunedEncoder:
    """Tune ``encoder`` on ``learning`` from its beginning, or from where it was stopped in ``folder``, to its end.

    Raises :class:`ModelUnsuitable` when the package of the trainer's data is missing or the loss is no number.
    """
    if find_spec("datasets") is None:
        raise ModelUnsuitable("--mode full needs the package datasets: pip install 'mlquiz[full]'")
    last = _last_checkpoint(folder)
    if last is None or not is_finished(_state_in(last), training):
        trainer = _trainer(encoder, learning, deciding, folder, encoder_name, training, seed, tell)
        with _quiet():
            trainer.train(resume_from_checkpoint=str(last) if last is not None else None)
        last = _last_checkpoint(folder)
    state = _state_in(last) if last is not None else TrainerState()
    if not state.best_global_step:
        raise ModelUnsuitable("the loss is no number: the encoder cannot be tuned at this rate")
    return TunedEncoder(
        folder=folder / f"checkpoint-{state.best_global_step}",
        best_epoch=round(state.best_global_step / steps_in_epoch(learning, training)),
        losses=[entry["loss"] for entry in state.log_history if "loss" in entry],
    )


def steps_in_epoch(pairs: Sequence[ScoredPair], training: EncoderTraining) -> int:
    """Batches in a pass over ``pairs``, on one device or several."""
    return math.ceil(len(pairs) / (training.batch_size * max(1, torch.cuda.device_count())))


def is_finished(state: TrainerState, training: EncoderTraining) -> bool:
    """All passes done, or the last ``patience`` of them no better than the best one before."""
    losses = [entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry]
    since_best = len(losses) - 1 - int(np.argmin(losses)) if losses else 0
    return len(losses) >= training.epochs or since_best >= training.patience


class SeededBatches(DefaultBatchSampler):
    """Batches in an order that seed and epoch alone decide: that of a training that goes on is the same."""

    def __iter__(self) -> Iterator[list[int]]:
        """Lists of places in the data."""
        count = len(self.sampler)  # pyright: ignore[reportArgumentType]
        generator = torch.Generator().manual_seed(self.seed * _EPOCH_SEEDS + self.epoch)
        order = torch.randperm(count, generator=generator).tolist()
        yield from (order[begin : begin + self.batch_size] for begin in range(0, count, self.batch_size))


class ScoreLine(nn.Module):
    """The head of the loss ``mse``: the straight line from cosines to scores, fixed before the training.

    The cosines of a published encoder fill a small part of the scale (those of e5 lie above 0.7). The line gives them
    mean and spread of the scores, so that the encoder learns which answer is better and not to spread its vectors.
    """

    def __init__(self, cosines: Sequence[float], scores: Sequence[float]) -> None:
        """Cosines of the pairs by the published encoder, and their scores."""
        super().__init__()
        spread = float(np.std(cosines))
        self.slope = float(np.std(scores)) / spread if spread > 0 and np.std(scores) > 0 else 1.0
        self.level = float(np.mean(scores)) - self.slope * float(np.mean(cosines))

    def forward(self, cosines: Tensor) -> Tensor:
        """The scores on the line, which goes beyond 0 and 1."""
        return self.level + self.slope * cosines


class _Trainer(SentenceTransformerTrainer):
    """Without a model card, which would quote students' answers and ask a hub, and without pickled settings."""

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        del default_args_dict

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ANN401 - as the parent has it
        del state_dict
        self.model.save_pretrained(output_dir or str(self.args.output_dir), create_model_card=False)


class _Watch(TrainerCallback):
    """Tells each step, and ends a training that gains no more."""

    def __init__(self, training: EncoderTraining, tell: Tell) -> None:
        self._training = training
        self._tell = tell

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        del args, control
        if logs and "loss" in logs:
            self._tell(state.global_step, f"loss {logs['loss']:.3f}")

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        del args
        if is_finished(state, self._training):
            control.should_training_stop = True


def _trainer(
    encoder: str,
    learning: Sequence[ScoredPair],
    deciding: Sequence[ScoredPair],
    folder: Path,
    encoder_name: str,
    training: EncoderTraining,
    seed: int,
    tell: Tell,
) -> _Trainer:
    from datasets import Dataset

    # What a checkpoint lacks is drawn on loading: a pooler, never used, but in the digests all the same.
    torch.manual_seed(seed)
    loaded = published_encoder(encoder, name=encoder_name, layers=training.layers)
    # Encoded before the prefix is made the model's own, or it would be put before each text twice.
    line = _line(learning, loaded.encode) if training.loss == "mse" else None
    model, prefix = loaded._model.float(), loaded.prefix
    if prefix and not model.default_prompt_name:
        model.prompts["answer"] = prefix
        model.default_prompt_name = "answer"
    has_bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=training.batch_size,
        learning_rate=training.rate,
        weight_decay=_DECAY,
        warmup_steps=_WARMUP_SHARE,
        prompts=prefix or None,
        batch_sampler=SeededBatches,  # pyright: ignore[reportArgumentType]
        bf16=has_bf16,
        seed=seed,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=1,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    trainer = _Trainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(_rows(learning)),
        eval_dataset=Dataset.from_list(_rows(deciding)),
        loss=_loss(model, training, line),
        callbacks=[_Watch(training, tell)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _rows(pairs: Sequence[ScoredPair]) -> list[dict[str, Any]]:
    return [{"reference": pair.reference, "answer": pair.answer, "score": pair.score} for pair in pairs]


def _line(pairs: Sequence[ScoredPair], encode: Callable[[Sequence[str]], Any]) -> ScoreLine:
    references, answers = encode([pair.reference for pair in pairs]), encode([pair.answer for pair in pairs])
    return ScoreLine((references * answers).sum(axis=1).tolist(), [pair.score for pair in pairs])


def _loss(model: SentenceTransformer, training: EncoderTraining, line: ScoreLine | None) -> nn.Module:
    """Cosine and mse are the squared error of what the pair is scored by: of the cosine itself, of the line."""
    if training.loss == "cosent":
        return CoSENTLoss(model)
    return CosineSimilarityLoss(model, cos_score_transformation=line or nn.Identity())


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars of its own beside that of the command, and no remarks on each checkpoint."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)


def _last_checkpoint(folder: Path) -> Path | None:
    """The last whole checkpoint; what a kill left half-written is removed."""
    whole: list[Path] = []
    for path in folder.glob("checkpoint-*"):
        try:
            json.loads((path / _STATE).read_text(encoding="utf-8"))
            whole.append(path)
        except (OSError, ValueError):
            shutil.rmtree(path)
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _state_in(checkpoint: Path) -> TrainerState:
    return TrainerState.load_from_json(str(checkpoint / _STATE))
