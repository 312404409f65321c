"""The layers below those that learn: every text goes through them once, and a step begins where they end.

::

    texts ──embeddings, frozen layers──▶ states.f16, once ──layers that learn──▶ states, at every step

With the top third learning, this halves the time of a step. There is no dropout in the frozen layers then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from finetune.reader_examples import Text
from finetune.reader_network import Side
from finetune.reader_states import EncodedStates, StateSource
from finetune.reader_tokens import Tokens
from grading.adapted_encoder import layer_list
from grading.errors import ModelBroken

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Layers = list[nn.Module]


def frozen_layers(transformer: PreTrainedModel) -> Layers:
    """The layers below the first one that learns; none where the transformer is not built so that they can be passed.

    That is where its embeddings take states in place of ids, as those of BERT and its kin do.
    """
    try:
        _, layers = layer_list(transformer)
    except ModelBroken:
        return []
    learning = [number for number, layer in enumerate(layers) if any(each.requires_grad for each in layer.parameters())]
    has_embeddings = isinstance(getattr(transformer, "embeddings", None), nn.Module)
    return list(layers)[: min(learning, default=0)] if has_embeddings else []


class LowerStates(EncodedStates):
    """What comes out of the frozen layers."""

    def __init__(
        self,
        model: nn.Module,
        tokens: Mapping[Text, Tokens],
        pad_id: int,
        device: torch.device,
        last: nn.Module,
    ) -> None:
        """``last`` is the last frozen layer of ``model``."""
        super().__init__(model, tokens, pad_id, device)
        self._last = last
        self.is_tuple = False

    def _read(self, texts: Sequence[Text]) -> Side:
        caught: list[Tensor] = []

        def catch(_layer: nn.Module, _given: object, output: Tensor | tuple[Tensor, ...]) -> None:
            self.is_tuple = isinstance(output, tuple)
            caught.append(output[0] if isinstance(output, tuple) else output)

        hook = self._last.register_forward_hook(catch)
        try:
            read = super()._read(texts)
        finally:
            hook.remove()
        return Side(states=caught[0], ids=read.ids, marks=read.marks, mask=read.mask)


class TopStates(EncodedStates):
    """States by the layers that learn, which begin with what ``lower`` gives."""

    def __init__(
        self,
        model: nn.Module,
        tokens: Mapping[Text, Tokens],
        pad_id: int,
        device: torch.device,
        *,
        transformer: PreTrainedModel,
        frozen: Layers,
        lower: StateSource,
        is_tuple: bool,
    ) -> None:
        """From now on the ``frozen`` layers and the embeddings of ``transformer`` pass on what they are given.

        ``is_tuple``: a layer gives its states in a tuple.
        """
        super().__init__(model, tokens, pad_id, device)
        self._lower = lower
        for layer in frozen:
            layer.forward = _passing(is_tuple)
        transformer.get_submodule("embeddings").forward = _given_states

    def _read(self, texts: Sequence[Text]) -> Side:
        below = self._lower.side(texts)
        states = self._model(inputs_embeds=below.states, attention_mask=below.mask.long()).last_hidden_state
        return Side(states=states, ids=below.ids, marks=below.marks, mask=below.mask)


def _passing(is_tuple: bool) -> Callable[..., Tensor | tuple[Tensor]]:
    def forward(states: Tensor, *_: object, **__: object) -> Tensor | tuple[Tensor]:
        return (states,) if is_tuple else states

    return forward


def _given_states(*_: object, inputs_embeds: Tensor, **__: object) -> Tensor:
    return inputs_embeds
