"""Batches of chats and replies as tensors, in an order that is fixed by the seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel

from finetune.explainer_examples import ExplainerCase, ExplainerExample, examples_from
from grading.explanation.decoding import Tokenizer, chat_tokens
from grading.explanation.prompt import short_chat


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainerTraining:
    """How to train. Only the upper half of the layers learns: half the work, and form sits there."""

    epochs: int = 1
    replies_per_case: int = 4
    batch_size: int = 8
    learning_rate: float = 2e-3
    rank: int = 8
    checks_per_epoch: int = 2
    checked_cases: int = 36
    patience: int = 2
    max_tokens: int = 320
    seed: int = 1


def batches_of(
    model: PeftModel,
    tokenizer: Tokenizer,
    cases: Sequence[ExplainerCase],
    training: ExplainerTraining,
) -> Iterator[dict[str, Any]]:
    """All batches of the run in order: each epoch has replies and an order of its own, batches hold similar lengths."""
    for epoch in range(training.epochs):
        seed = training.seed * 1000 + epoch
        examples = examples_from(cases, replies_per_case=training.replies_per_case, seed=seed)
        rows = [_tokens(tokenizer, example, training.max_tokens) for example in examples]
        rng = random.Random(seed)
        rng.shuffle(rows)
        window = training.batch_size * 8
        sorted_rows = [
            row for start in range(0, len(rows), window) for row in sorted(rows[start : start + window], key=_length)
        ]
        groups = [
            sorted_rows[start : start + training.batch_size] for start in range(0, len(rows), training.batch_size)
        ]
        rng.shuffle(groups)
        for group in groups:
            yield _padded(group, tokenizer, model.device)


def _tokens(tokenizer: Tokenizer, example: ExplainerExample, max_tokens: int) -> tuple[list[int], list[int]]:
    prompt = chat_tokens(tokenizer, short_chat(example.feedback))
    reply = [*tokenizer(example.reply, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    return prompt[-(max_tokens - len(reply)) :], reply


def _length(row: tuple[list[int], list[int]]) -> int:
    return len(row[0]) + len(row[1])


def _padded(rows: Sequence[tuple[list[int], list[int]]], tokenizer: Tokenizer, device: torch.device) -> dict[str, Any]:
    """Padded on the left, so that all replies end the row and logits are needed for their width only."""
    width = max(_length(row) for row in rows)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    tokens = [[pad] * (width - _length(row)) + row[0] + row[1] for row in rows]
    labels = [[-100] * (width - len(reply)) + reply for _, reply in rows]
    mask = [[0] * (width - _length(row)) + [1] * _length(row) for row in rows]
    return {
        "tokens": torch.tensor(tokens, device=device),
        "labels": torch.tensor(labels, device=device),
        "mask": torch.tensor(mask, device=device),
        "reply_width": max(len(reply) for _, reply in rows),
    }
