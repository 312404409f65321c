"""What is settled before a reader's training begins: device, settings, what tells this run from another, the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from accelerate import Accelerator

from finetune.errors import ModelUnsuitable, TooFewExamples
from finetune.explainer_run import set_adapter
from finetune.frozen_layers import LowerStates, TopStates, frozen_layers
from finetune.graded_questions import GradedQuestion
from finetune.reader_batches import ReaderTraining
from finetune.reader_encoder import TrainableEncoder, started_adapter
from finetune.reader_examples import ReaderQuestion, Text, digest_of
from finetune.reader_model import ReaderModel
from finetune.reader_states import EncodedStates, StateSource, StoredStates
from finetune.reader_tokens import Tokens, tokens_of
from finetune.reading_head import FOLDS as HEAD_FOLDS
from grading.reading_model import load_reading_model

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

_CPU_LORA_LAYERS = 4


def chosen_accelerator() -> Accelerator:
    """The GPU in bfloat16 where there is one that can, the CPU otherwise."""
    has_bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    if torch.cuda.is_available():
        # Plans anew for every new shape of a batch, and hardly two are alike here.
        torch.backends.cuda.enable_cudnn_sdp(False)
    return Accelerator(mixed_precision="bf16" if has_bf16 else "no")


def settled(training: ReaderTraining, start: Path | None, accelerator: Accelerator) -> ReaderTraining:
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


def check_groups(questions: Sequence[GradedQuestion], training: ReaderTraining) -> None:
    """:class:`TooFewExamples` for fewer questions than there are folds of reader or head."""
    groups = len({graded.group for graded in questions if graded.answers})
    least = max(HEAD_FOLDS, training.folds)
    if groups < least:
        raise TooFewExamples(f"at least {least} different questions with answers are needed, there are {groups}")


def described_run(
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


def model_over(
    encoder: TrainableEncoder,
    data: Sequence[ReaderQuestion],
    training: ReaderTraining,
    start: Path | None,
    output: Path,
    run: Mapping[str, Any],
    accelerator: Accelerator,
    tell: Callable[[int, int, str], None],
) -> ReaderModel:
    """The reader over ``encoder``; what of it does not learn has read all texts, once for this run and its resumptions.

    Raises :class:`ModelUnsuitable` for an adapter in ``start`` that is of another encoder.
    """
    tell(0, 0, "cutting the texts into tokens")
    tokens: dict[Text, Tokens] = tokens_of(
        (text for question in data for text in question.texts),
        encoder.tokenizer,
        prefix=encoder.prefix,
        pad_id=encoder.pad_id,
        max_tokens=encoder.max_tokens,
    )
    encoder.model.to(accelerator.device)

    def stored(source: EncodedStates, what: str) -> StoredStates:
        return StoredStates(
            source,
            tokens,
            output / "checkpoint",
            key=f"{run['encoder']} {run['start']} {run['data']} {what}",
            dimension=encoder.dimension,
            pad_id=encoder.pad_id,
            device=accelerator.device,
            tell=tell,
        )

    given = (encoder.model, tokens, encoder.pad_id, accelerator.device)
    states: StateSource = EncodedStates(*given)
    if training.mode != "lora":
        states = stored(states, "all layers")
    elif encoder.adapter is not None and (frozen := frozen_layers(transformer := _under(encoder.adapter))):
        if start is not None and (start / "adapter").is_dir():
            set_adapter(encoder.adapter, started_adapter(encoder.adapter, start / "adapter"))
        encoder.adapter.eval()
        lower = LowerStates(*given, frozen[-1])
        kept = stored(lower, f"{len(frozen)} layers")
        # How a layer gives its states is seen by reading one, also where the file was there.
        lower.side([next(iter(tokens))])
        states = TopStates(
            *given,
            transformer=transformer,
            frozen=frozen,
            lower=kept,
            is_tuple=lower.is_tuple,
        )
    return ReaderModel(encoder, states, tokens, accelerator)


def _under(adapter: PeftModel) -> PreTrainedModel:
    return cast("PreTrainedModel", adapter.get_base_model())
