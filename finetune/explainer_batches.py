"""Batches of chats and replies as tensors, in an order that is fixed by the seed.

::

    padded                      packed: one row, nothing of one example is seen by another
    ··CCCCRRR                   CCCCRRRCCCCCCCRRCCCRRRR
    CCCCCCCRR                   positions begin anew with each example
    ··CCCRRRR                   C chat, R reply: what is learnt, R only

Both give the same loss and gradients; packing spends nothing on padding.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from finetune.errors import TooFewExamples
from finetune.explainer_examples import ExplainerCase, ExplainerExample, examples_from
from grading.explanation.decoding import Tokenizer, chat_tokens
from grading.explanation.prompt import short_chat

IGNORED = -100
"""The label of what is not learnt, as torch's cross entropy knows it."""

Row = tuple[list[int], list[int]]
"""The tokens of a chat, and those of its reply with the mark of its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainerTraining:
    """How to train. Only the upper half of the layers learns: half the work, and form sits there.

    An epoch shows each answer with other replies than the one before; ``patience`` counts epochs without gain.
    """

    epochs: int = 4
    replies_per_case: int = 1
    batch_size: int = 8
    learning_rate: float = 2e-3
    rank: int = 8
    checked_cases: int = 36
    tested_cases: int = 120
    patience: int = 2
    max_tokens: int = 1024
    quantize: Literal["4bit"] | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One step's tensors: ``tokens`` and ``positions`` ``[b, n]``; ``mask`` ``[b, n]``, or ``[1, 1, n, n]`` packed.

    ``kept`` ``[k]`` are the places whose logits are needed, ``labels`` ``[b, k]`` the tokens that should follow there.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    kept: torch.Tensor
    labels: torch.Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """All steps of a run in order, as rows; ``too_long`` examples were left out."""

    groups: tuple[tuple[Row, ...], ...]
    steps_per_epoch: int
    too_long: int


def batching_of(tokenizer: Tokenizer, cases: Sequence[ExplainerCase], training: ExplainerTraining) -> Batching:
    """Each epoch has replies and an order of its own, and the same number of steps; batches hold similar lengths."""
    epochs: list[list[tuple[Row, ...]]] = []
    too_long = 0
    for epoch in range(training.epochs):
        seed = training.seed * 1000 + epoch
        examples = examples_from(cases, replies_per_case=training.replies_per_case, seed=seed, epoch=epoch)
        every = [_row(tokenizer, example) for example in examples]
        rows = [row for row in every if _length(row) <= training.max_tokens]
        too_long += len(every) - len(rows)
        epochs.append(list(_groups(rows, training.batch_size, random.Random(seed))))
    steps = min(map(len, epochs))
    if not steps:
        raise TooFewExamples(
            f"no reply to learn: of {len(cases)} answers, none has one that passes the checks in"
            f" {training.max_tokens} tokens"
        )
    return Batching(
        groups=tuple(group for groups in epochs for group in groups[:steps]), steps_per_epoch=steps, too_long=too_long
    )


def padded(rows: Sequence[Row], tokenizer: Tokenizer, device: torch.device) -> Batch:
    """Padded on the left, so that all replies end the row and logits are needed for their width only."""
    width = max(_length(row) for row in rows)
    replies = max(len(reply) for _, reply in rows)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    mask = torch.tensor([[0] * (width - _length(row)) + [1] * _length(row) for row in rows], device=device)
    return Batch(
        tokens=torch.tensor([[pad] * (width - _length(row)) + row[0] + row[1] for row in rows], device=device),
        positions=(mask.cumsum(1) - 1).clamp(min=0),
        mask=mask,
        kept=torch.arange(width - replies - 1, width - 1, device=device),
        labels=torch.tensor([[IGNORED] * (replies - len(reply)) + reply for _, reply in rows], device=device),
    )


def packed(rows: Sequence[Row], dtype: torch.dtype, device: torch.device) -> Batch:
    """All examples in one row; the mask hides from each token what follows it and every other example."""
    owner = torch.tensor([number for number, row in enumerate(rows) for _ in range(_length(row))], device=device)
    positions = torch.tensor([place for row in rows for place in range(_length(row))], device=device)
    is_seen = (owner[:, None] == owner[None, :]) & (positions[:, None] >= positions[None, :])
    mask = torch.zeros(is_seen.shape, dtype=dtype, device=device).masked_fill(~is_seen, torch.finfo(dtype).min)
    kept: list[int] = []
    start = 0
    for chat, reply in rows:
        kept += range(start + len(chat) - 1, start + len(chat) + len(reply) - 1)
        start += len(chat) + len(reply)
    return Batch(
        tokens=torch.tensor([[token for row in rows for part in row for token in part]], device=device),
        positions=positions[None],
        mask=mask[None, None],
        kept=torch.tensor(kept, device=device),
        labels=torch.tensor([[token for _, reply in rows for token in reply]], device=device),
    )


def _row(tokenizer: Tokenizer, example: ExplainerExample) -> Row:
    reply = [*tokenizer(example.reply, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    return chat_tokens(tokenizer, short_chat(example.feedback)), reply


def _groups(rows: list[Row], size: int, rng: random.Random) -> Iterator[tuple[Row, ...]]:
    rng.shuffle(rows)
    window = size * 8
    ordered = [
        row for start in range(0, len(rows), window) for row in sorted(rows[start : start + window], key=_length)
    ]
    groups = [tuple(ordered[start : start + size]) for start in range(0, len(ordered), size)]
    rng.shuffle(groups)
    yield from groups


def _length(row: Row) -> int:
    return len(row[0]) + len(row[1])
