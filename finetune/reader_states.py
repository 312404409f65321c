"""Where the token states under the reader come from: read once and kept on disk, or by an encoder that learns."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from finetune.reader_examples import Text
from finetune.reader_network import Side
from finetune.reader_tokens import Tokens, padded

_TOGETHER = 32
_FEW = 16


class StateSource(Protocol):
    """Gives the states of texts."""

    def side(self, texts: Sequence[Text]) -> Side:
        """The texts as one padded side ``[texts, longest]``; quickest when they are sorted by length."""
        ...


class EncodedStates:
    """States as the encoder gives them now: gradients go through it where it learns."""

    def __init__(self, model: nn.Module, tokens: Mapping[Text, Tokens], pad_id: int, device: torch.device) -> None:
        self._model = model
        self._tokens = tokens
        self._pad_id = pad_id
        self._device = device

    def side(self, texts: Sequence[Text]) -> Side:
        """Read in two halves, so that short texts are not padded to the longest."""
        size = math.ceil(len(texts) / 2) if len(texts) > _FEW else len(texts)
        parts = [self._read(texts[start : start + size]) for start in range(0, len(texts), size)]
        longest = max(part.ids.shape[1] for part in parts)
        return _joined([_stretched(part, longest) for part in parts])

    def _read(self, texts: Sequence[Text]) -> Side:
        batch = padded([self._tokens[text] for text in texts], self._pad_id, self._device)
        states = self._model(input_ids=batch.ids, attention_mask=batch.mask.long()).last_hidden_state
        return Side(states=states, ids=batch.ids, marks=batch.marks, mask=batch.mask)


class StoredStates:
    """States of a frozen encoder in a file of float16, mapped into memory; read through once, kept for later runs."""

    def __init__(
        self,
        source: EncodedStates,
        tokens: Mapping[Text, Tokens],
        folder: Path,
        *,
        key: str,
        dimension: int,
        pad_id: int,
        device: torch.device,
        tell: Callable[[int, int, str], None],
    ) -> None:
        """``key`` stands for encoder and data: a file with another key is made again."""
        self._tokens = tokens
        self._pad_id = pad_id
        self._device = device
        ends = np.cumsum([len(each) for each in tokens.values()])
        self._starts = {text: int(end) - len(tokens[text]) for text, end in zip(tokens, ends, strict=True)}
        path, described = folder / "states.f16", folder / "states.json"
        shape = (int(ends[-1]), dimension)
        if not _holds(described, key):
            folder.mkdir(parents=True, exist_ok=True)
            self._write(source, np.memmap(path, np.float16, "w+", shape=shape), tell)
            described.write_text(json.dumps({"key": key}), encoding="utf-8")
        self._states = np.memmap(path, np.float16, "r", shape=shape)

    def side(self, texts: Sequence[Text]) -> Side:
        """Copied out of the file."""
        found = [self._tokens[text] for text in texts]
        batch = padded(found, self._pad_id, self._device)
        states = np.zeros((*batch.ids.shape, self._states.shape[1]), np.float32)
        for row, text in enumerate(texts):
            start, length = self._starts[text], len(found[row])
            states[row, :length] = self._states[start : start + length]
        return Side(states=torch.from_numpy(states).to(self._device), ids=batch.ids, marks=batch.marks, mask=batch.mask)

    def _write(self, source: EncodedStates, into: np.memmap, tell: Callable[[int, int, str], None]) -> None:
        texts = sorted(self._tokens, key=lambda text: len(self._tokens[text]))
        for start in range(0, len(texts), _TOGETHER):
            tell(start, len(texts), "reading the texts once")
            chunk = texts[start : start + _TOGETHER]
            with torch.inference_mode():
                read = source.side(chunk).states.float().cpu().numpy()
            for row, text in enumerate(chunk):
                place, length = self._starts[text], len(self._tokens[text])
                into[place : place + length] = read[row, :length]
        into.flush()


def chosen(side: Side, rows: Tensor, longest: int) -> Side:
    """The rows of a side in this order, cut to ``longest`` tokens."""
    return Side(
        states=side.states[:, :longest].index_select(0, rows),
        ids=side.ids[:, :longest].index_select(0, rows),
        marks=side.marks[:, :longest].index_select(0, rows),
        mask=side.mask[:, :longest].index_select(0, rows),
    )


def _stretched(side: Side, longest: int) -> Side:
    more = longest - side.ids.shape[1]
    return Side(
        states=functional.pad(side.states, (0, 0, 0, more)),
        ids=functional.pad(side.ids, (0, more)),
        marks=functional.pad(side.marks, (0, more)),
        mask=functional.pad(side.mask, (0, more)),
    )


def _joined(parts: Sequence[Side]) -> Side:
    return Side(
        states=torch.cat([part.states for part in parts]),
        ids=torch.cat([part.ids for part in parts]),
        marks=torch.cat([part.marks for part in parts]),
        mask=torch.cat([part.mask for part in parts]),
    )


def _holds(described: Path, key: str) -> bool:
    return described.is_file() and json.loads(described.read_text(encoding="utf-8")).get("key") == key
