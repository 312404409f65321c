"""Reader and encoder as one thing that learns: pairs in, logits out; weights in and out as plain arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch import Tensor

from finetune.errors import ModelUnsuitable
from finetune.explainer_run import adapter_arrays, set_adapter
from finetune.reader_batches import Pair, ReaderTraining, loss_of
from finetune.reader_encoder import TrainableEncoder, fresh_adapter, started_adapter
from finetune.reader_examples import Text
from finetune.reader_network import ReaderNetwork, Side
from finetune.reader_states import StateSource, chosen
from finetune.reader_tokens import Tokens

_ENCODER_DECAY, _READER_DECAY = 0.01, 0.05
_PAIRS_TOGETHER = {"cpu": 128, "cuda": 2048}
_READER, _ADAPTER = "reader.", "adapter."


class ReaderModel:
    """A reader over an encoder; ``states`` says where token states come from."""

    def __init__(
        self, encoder: TrainableEncoder, states: StateSource, tokens: Mapping[Text, Tokens], accelerator: Accelerator
    ) -> None:
        """Reader and adapter mean nothing before :meth:`begin`."""
        self.encoder = encoder
        self.network = ReaderNetwork(encoder.dimension).to(accelerator.device)
        self._states = states
        self._tokens = tokens
        self._accelerator = accelerator
        self._together = _PAIRS_TOGETHER.get(accelerator.device.type, _PAIRS_TOGETHER["cpu"])

    def begin(self, seed: int, start: Path | None) -> None:
        """Draw all weights by ``seed``, then take those that the run in ``start`` has.

        Raises :class:`ModelUnsuitable` when they are of another encoder.
        """
        torch.manual_seed(seed)
        reader = ReaderNetwork(self.encoder.dimension).state_dict()
        adapter = self.encoder.adapter
        if adapter is not None:
            fresh_adapter(adapter)
        if start is not None:
            reader = _started_reader(start, reader)
        if start is not None and adapter is not None and (start / "adapter").is_dir():
            set_adapter(adapter, started_adapter(adapter, start / "adapter"))
        self.network.load_state_dict(reader)

    def groups(self, training: ReaderTraining) -> list[dict[str, Any]]:
        """What learns, for the optimizer; ``peak`` is the group's highest rate."""
        reader = list(self.network.parameters())
        groups = [{"params": reader, "peak": training.reader_rate, "weight_decay": _READER_DECAY}]
        if self.encoder.adapter is not None:
            learning = [parameter for parameter in self.encoder.adapter.parameters() if parameter.requires_grad]
            groups.append({"params": learning, "peak": training.encoder_rate, "weight_decay": _ENCODER_DECAY})
        return groups

    def add_gradients(self, batch: Sequence[Pair]) -> float:
        """Those of one batch, worked through in slices that bound the memory; returns its loss."""
        self._set_training(True)
        total = 0.0
        for begin in range(0, len(batch), self._together):
            pairs = batch[begin : begin + self._together]
            with self._accelerator.autocast():
                logits = self._logits([(pair.point, pair.answer) for pair in pairs])
            loss = loss_of(logits, pairs, batch)
            self._accelerator.backward(loss)
            total += float(loss.detach())
        return total

    def read(self, pairs: Sequence[tuple[Text, Text]]) -> Tensor:
        """Logits ``[P, 2]`` of texts and the answers that should say them, on the CPU, as when the model serves."""
        self._set_training(False)
        found: list[Tensor] = []
        with torch.inference_mode(), _exact_gelu(), self._accelerator.autocast():
            for begin in range(0, len(pairs), self._together):
                found.append(self._logits(pairs[begin : begin + self._together]).cpu())
        return torch.cat(found)

    def arrays(self, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
        """Everything that learns, on the CPU: ``reader.…`` and ``adapter.…``."""
        found = {_READER + name: array for name, array in self.network.state_dict().items()}
        if self.encoder.adapter is not None:
            found |= {_ADAPTER + name: each for name, each in adapter_arrays(self.encoder.adapter, dtype).items()}
        return {name: array.detach().to("cpu", dtype).contiguous() for name, array in found.items()}

    def set_arrays(self, arrays: Mapping[str, Tensor]) -> None:
        """Take what :meth:`arrays` gave."""
        self.network.load_state_dict(_part(arrays, _READER))
        if self.encoder.adapter is not None:
            set_adapter(self.encoder.adapter, _part(arrays, _ADAPTER))

    def _set_training(self, is_training: bool) -> None:
        self.network.train(is_training)
        if self.encoder.adapter is not None:
            self.encoder.adapter.train(is_training)

    def _logits(self, pairs: Sequence[tuple[Text, Text]]) -> Tensor:
        """Each text is read once; pairs of similar length are compared together."""
        points = self._sorted({point for point, _ in pairs})
        answers = self._sorted({answer for _, answer in pairs})
        of_points, of_answers = self._states.side(points), self._states.side(answers)
        order = sorted(range(len(pairs)), key=lambda index: sum(self._length(text) for text in pairs[index]))
        half = math.ceil(len(order) / 2)
        found: list[Tensor] = []
        for begin in range(0, len(order), half):
            part = [pairs[index] for index in order[begin : begin + half]]
            own_points = self._chosen(of_points, points, [point for point, _ in part])
            own_answers = self._chosen(of_answers, answers, [answer for _, answer in part])
            found.append(self.network(own_points, own_answers))
        return torch.cat(found)[torch.argsort(torch.tensor(order))]

    def _sorted(self, texts: set[Text]) -> list[Text]:
        return sorted(texts, key=lambda text: (self._length(text), text[0], text[1] or ""))

    def _length(self, text: Text) -> int:
        return len(self._tokens[text])

    def _chosen(self, side: Side, texts: Sequence[Text], wanted: Sequence[Text]) -> Side:
        rows = {text: row for row, text in enumerate(texts)}
        numbers = torch.tensor([rows[text] for text in wanted], device=side.ids.device)
        return chosen(side, numbers, max(self._length(text) for text in wanted))


@contextmanager
def _exact_gelu() -> Iterator[None]:
    """Without torch's short cut through a transformer layer, which puts the other form of GELU in place of tanh's."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _started_reader(start: Path, fresh: Mapping[str, Tensor]) -> dict[str, Tensor]:
    arrays = {name: array.float() for name, array in load_file(start / "reader.safetensors").items()}
    if {name: array.shape for name, array in arrays.items()} != {name: array.shape for name, array in fresh.items()}:
        raise ModelUnsuitable(f"the reader in {start} is not of this encoder: its arrays have other shapes")
    return arrays


def _part(arrays: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
