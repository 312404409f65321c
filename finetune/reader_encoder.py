"""The encoder under the reader: loaded, cut to its first layers, frozen, and with LoRA where it is to learn."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import LoraConfig, PeftModel
from safetensors.torch import load_file
from torch import nn

from finetune.errors import ModelUnsuitable
from finetune.explainer_run import adapter_arrays
from finetune.reader_batches import ReaderTraining
from grading.adapted_encoder import adapt, keep_layers
from grading.encoder import MAX_TOKENS, Encoder, transformer_of
from grading.explanation.lora import with_new_adapter

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

_NUMBERED = re.compile(r"^(?:.*\.)?(?P<stack>[^.]+)\.(?P<number>\d+)\.(?:.*\.)?(?P<name>[^.]+)$")
_DROPOUT = 0.05
_HIDDEN_DROPOUTS = ("output.dropout", "attention.dropout")
"""Behind attention and feed-forward in BERT, RoBERTa, XLM-R; behind attention in MPNet. All others are switched off."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainableEncoder:
    """``model`` is the transformer, frozen but for its adapter; ``version`` that of the encoder as it was published."""

    model: PeftModel | PreTrainedModel
    tokenizer: Tokenizer
    name: str
    version: str
    prefix: str
    pad_id: int
    max_tokens: int
    dimension: int

    @property
    def adapter(self) -> PeftModel | None:
        """The model again where it has an adapter that learns."""
        return self.model if isinstance(self.model, PeftModel) else None


def trainable_encoder(
    folder_or_id: str, *, name: str, training: ReaderTraining, start: Path | None
) -> TrainableEncoder:
    """Load the encoder as ``training`` wants it; ``start`` is a run with an adapter to go on from, if it has one.

    Raises :class:`grading.errors.ModelBroken` when it cannot be loaded or has too few layers,
    :class:`ModelUnsuitable` when it is not built of numbered layers that LoRA finds.
    """
    encoder = Encoder(folder_or_id, name=name)
    transformer, tokenizer = transformer_of(encoder._model)
    found = {
        "tokenizer": tokenizer,
        "name": name or encoder.name,
        "version": encoder.version,
        "prefix": encoder.prefix,
        "pad_id": int(transformer.config.pad_token_id or 0),
        "max_tokens": min(training.max_tokens, int(encoder._model.max_seq_length or MAX_TOKENS)),
        "dimension": int(transformer.config.hidden_size),
    }
    old = start / "adapter" if start is not None and (start / "adapter").is_dir() else None
    if training.mode != "lora":
        adapt(encoder._model, layers=training.layers, adapter=old)
        transformer, _ = transformer_of(encoder._model)
        return TrainableEncoder(model=transformer.requires_grad_(False).eval(), **found)
    if training.layers is not None:
        keep_layers(transformer, training.layers)
    _set_dropouts(transformer)
    model = with_new_adapter(transformer, _config(transformer, training, old))
    _learn_only_the_top(model, training.lora_layers)
    return TrainableEncoder(model=model, **found)


def published_encoder(folder_or_id: str, *, name: str, layers: int | None) -> Encoder:
    """The encoder as it was published, but for layers that are left out: it knows what a text is about."""
    encoder = Encoder(folder_or_id, name=name)
    if layers is not None:
        adapt(encoder._model, layers=layers, adapter=None)
    return encoder


def fresh_adapter(model: PeftModel) -> None:
    """Draw the adapter anew, so that it changes nothing yet; uses torch's generator."""
    for name, parameter in model.named_parameters():
        if "lora_A" in name:
            nn.init.normal_(parameter, std=1 / math.sqrt(parameter.shape[1]))
        elif "lora_B" in name:
            nn.init.zeros_(parameter)


def started_adapter(model: PeftModel, folder: Path) -> dict[str, torch.Tensor]:
    """The arrays of the adapter in ``folder`` where ``model`` has their places; :class:`ModelUnsuitable` otherwise."""
    arrays = load_file(folder / "adapter_model.safetensors")
    own = adapter_arrays(model, torch.float32)
    unknown = sorted(set(arrays) - set(own)) or [name for name in arrays if arrays[name].shape != own[name].shape]
    if unknown:
        raise ModelUnsuitable(f"the adapter in {folder} is not of this encoder: it has {unknown[0]}")
    return {**own, **arrays}


def _config(transformer: PreTrainedModel, training: ReaderTraining, old: Path | None) -> LoraConfig:
    """LoRA on all linear layers of attention and feed-forward, also where the adapter to go on from has it."""
    linear = [
        match for name, module in transformer.named_modules() if isinstance(module, nn.Linear)
        if (match := _NUMBERED.match(name))
    ]  # fmt: skip
    if not linear:
        raise ModelUnsuitable("the encoder has no linear modules inside numbered layers")
    count = max(int(match["number"]) for match in linear) + 1
    settings: Mapping[str, Any] = {"r": training.rank, "lora_alpha": training.alpha, "layers_to_transform": []}
    if old is not None:
        settings = LoraConfig.from_pretrained(str(old)).to_dict()
    before = settings["layers_to_transform"]
    kept = set(range(count)) if before is None else set(before)
    return LoraConfig(
        r=settings["r"],
        lora_alpha=settings["lora_alpha"],
        lora_dropout=0.0,
        target_modules=sorted({match["name"] for match in linear}),
        layers_to_transform=sorted(kept | set(range(_first(count, training.lora_layers), count))),
        layers_pattern=linear[0]["stack"],
    )


def _learn_only_the_top(model: PeftModel, lora_layers: int | None) -> None:
    """What an adapter to go on from has in lower layers stays as it is."""
    numbers = {name: int(match["number"]) for name, _ in _lora_parameters(model) if (match := _LAYER.search(name))}
    first = _first(max(numbers.values()) + 1, lora_layers)
    for name, parameter in _lora_parameters(model):
        parameter.requires_grad_(numbers[name] >= first)


_LAYER = re.compile(r"\.(?P<number>\d+)\.")


def _lora_parameters(model: PeftModel) -> list[tuple[str, nn.Parameter]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if "lora_" in name]


def _first(count: int, lora_layers: int | None) -> int:
    return 0 if lora_layers is None else max(0, count - lora_layers)


def _set_dropouts(transformer: PreTrainedModel) -> None:
    """Little, and none inside the attention: an adapter is small, and the reader has its own."""
    for name, module in transformer.named_modules():
        if isinstance(module, nn.Dropout):
            module.p = _DROPOUT if name.endswith(_HIDDEN_DROPOUTS) else 0.0
