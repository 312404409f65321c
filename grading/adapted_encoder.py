"""Cut an encoder to its first layers and merge a LoRA adapter into it. Imports torch and peft: only loading imports it.

The lower half of a small encoder trained for the task reads nearly as well as the whole and costs half; an adapter
keeps what training changed in a folder of a few megabytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from grading.errors import ModelBroken
from grading.explanation.lora import with_merged_adapter

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from transformers import PreTrainedModel

_LAYER_LISTS = ("encoder.layer", "transformer.layer", "layers")
"""Where BERT and its kin, DistilBERT, and newer architectures keep their layers."""


def adapt(model: SentenceTransformer, *, layers: int | None, adapter: Path | None) -> None:
    """Change ``model`` in place: the first ``layers`` layers first, then the adapter, which was trained on those.

    Raises :class:`ModelBroken` when the model has fewer layers or the adapter does not fit it.
    """
    transformer = getattr(model[0], "auto_model", None)
    if transformer is None:
        raise ModelBroken("GRADER_MODEL: layers and adapters need an encoder that is a transformer.")
    if layers is not None:
        keep_layers(transformer, layers)
    if adapter is not None:
        model[0].model = _merged(transformer, adapter)  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]


def keep_layers(transformer: PreTrainedModel, layers: int) -> None:
    """Drop all layers behind the first ``layers``; :class:`ModelBroken` when there are not as many."""
    name, stack = layer_list(transformer)
    if not 1 <= layers <= len(stack):
        raise ModelBroken(f"GRADER_MODEL: {layers} layers are asked for, the encoder has {len(stack)}.")
    parent = transformer.get_submodule(name.rpartition(".")[0])
    setattr(parent, name.rpartition(".")[2], stack[:layers])
    transformer.config.num_hidden_layers = layers


def layer_list(transformer: PreTrainedModel) -> tuple[str, nn.ModuleList]:
    """Where the layers are, and they; :class:`ModelBroken` for a kind that keeps them elsewhere."""
    for name in _LAYER_LISTS:
        try:
            stack = transformer.get_submodule(name)
        except AttributeError:
            continue
        if isinstance(stack, nn.ModuleList):
            return name, stack
    raise ModelBroken(f"GRADER_MODEL: a {transformer.config.model_type} encoder cannot be cut to fewer layers.")


def _merged(transformer: PreTrainedModel, adapter: Path) -> PreTrainedModel:
    if not (adapter / "adapter_config.json").is_file():
        raise ModelBroken(f"{adapter} holds no adapter: adapter_config.json is missing.")
    try:
        return with_merged_adapter(transformer, adapter)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise ModelBroken(f"The adapter in {adapter} does not fit the encoder ({error}). Train it again.") from error
