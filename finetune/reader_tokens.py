"""Texts as token ids, laid out exactly as :class:`grading.token_reader.TokenReader` lays them out to be served.

Only the first window of a text is trained on: what stands behind 256 tokens is rare, and read when the model serves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finetune.reader_examples import Text
from grading.token_reader import TokenReader
from grading.token_states import Mark, Numbers, States

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_TOGETHER = 1024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tokens:
    """The ``n`` tokens of one text: ``ids`` int32 and ``marks`` int8, both ``[n]``."""

    ids: NDArray[np.int32]
    marks: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PaddedTokens:
    """Several texts, padded behind: ``ids``, ``marks`` int64 and ``mask`` bool, all ``[texts, longest]``."""

    ids: Tensor
    marks: Tensor
    mask: Tensor


def tokens_of(
    texts: Iterable[Text], tokenizer: Tokenizer, *, prefix: str, pad_id: int, max_tokens: int
) -> dict[Text, Tokens]:
    """The tokens of each text, its end cut off where it has more than ``max_tokens``."""
    reader = TokenReader(
        tokenizer,
        _nothing,
        prefix=prefix,
        max_tokens=max_tokens,
        pad_id=pad_id,
        dimension=1,
        batch_size=_TOGETHER,
    )
    found: dict[Text, Tokens] = {}
    unique = list(dict.fromkeys(texts))
    answers = [text for text in unique if text[1] is None]
    others = [text for text in unique if text[1] is not None]
    for start in range(0, len(answers), _TOGETHER):
        chunk = answers[start : start + _TOGETHER]
        for text, read in zip(chunk, reader.read([text for text, _ in chunk]), strict=True):
            found[text] = _cut(read.ids, read.marks, max_tokens)
    for start in range(0, len(others), _TOGETHER):
        chunk = others[start : start + _TOGETHER]
        context = [prompt or "" for _, prompt in chunk]
        for text, read in zip(chunk, reader.read([text for text, _ in chunk], context=context), strict=True):
            found[text] = _cut(read.ids, read.marks, max_tokens)
    return found


def padded(texts: Sequence[Tokens], pad_id: int, device: torch.device) -> PaddedTokens:
    """The texts as tensors on ``device``."""
    longest = max(len(text) for text in texts)
    ids = np.full((len(texts), longest), pad_id, np.int64)
    marks = np.zeros_like(ids)
    mask = np.zeros(ids.shape, bool)
    for row, text in enumerate(texts):
        ids[row, : len(text)], marks[row, : len(text)], mask[row, : len(text)] = text.ids, text.marks, True
    return PaddedTokens(
        ids=torch.from_numpy(ids).to(device),
        marks=torch.from_numpy(marks).to(device),
        mask=torch.from_numpy(mask).to(device),
    )


def _nothing(ids: Numbers, mask: Numbers) -> States:
    """A backend that reads nothing: only the layout is wanted."""
    del mask
    return np.zeros((*ids.shape, 1), np.float32)


def _cut(ids: Numbers, marks: NDArray[np.int8], most: int) -> Tokens:
    """As the first window of a long text: it ends with the encoder's own sign too."""
    if len(ids) > most:
        content = np.flatnonzero(marks != Mark.SPECIAL)
        tail = len(ids) - 1 - int(content[-1])
        ids = np.concatenate([ids[: most - tail], ids[len(ids) - tail :]])
        marks = np.concatenate([marks[: most - tail], marks[len(marks) - tail :]])
    return Tokens(ids=ids.astype(np.int32), marks=marks.astype(np.int8))
