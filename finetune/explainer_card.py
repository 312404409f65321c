"""The card of a trained adapter: what it is, on what and how it was trained, how good, where not to use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def card(metrics: Mapping[str, Any]) -> str:
    """Markdown made from the metrics of a run; every figure in it stands in ``metrics.json``."""
    training, test = metrics["training"], metrics["test"]
    return _CARD.format(
        base_model=metrics["base_model"],
        cases=metrics["cases"],
        data=metrics["data"][:12],
        steps=metrics["steps"],
        best_step=metrics["best_step"],
        minutes=max(1, round(metrics["seconds"] / 60)),
        rows="\n".join(_row(name, test[key]) for name, key in _WRITERS),
        **training,
    )


def _row(name: str, found: Mapping[str, Any]) -> str:
    problems = ", ".join(f"{kind} {count}" for kind, count in found["problems"].items()) or "none"
    return f"| {name} | {found['cases']} | {found['share']:.0%} | {problems} |"


_WRITERS = (
    ("base model with this adapter", "adapter"),
    ("base model without it", "base_model"),
    ("template", "template"),
)

_CARD = """# Adapter: words feedback on quiz answers in English

A LoRA adapter for `{base_model}`. It turns the notes of a feedback object (what is good, mixed up, vague or missing,
and one next step) into two to four sentences. It does not grade, and it is never served without the checks of
`grading/explanation/checks.py`: a text that fails one is replaced by the template's.

## Trained on

The sample question bank of this repository (`grading/samples/en`), split by question: {cases[train]} answers train,
{cases[validation]} choose the best state, {cases[test]} judge. Data digest `{data}`. Replies to learn are tutors'
sentences that the notes support, and composed sentences; all of them pass the checks.

## How

Rank {rank} on all linear layers of the upper half, loss on the reply only, {steps} steps of {batch_size}, learning rate
{learning_rate}, seed {seed}, {minutes} minutes on CPU. Kept: step {best_step}, the first with the highest share of
passing texts on the questions that choose.

## How good: share of texts that pass every check, on questions never trained on

| writer | texts | pass | problems (texts) |
|---|--:|--:|---|
{rows}

Passing is no proof of good style: some texts that pass hold a clumsy phrase. Read the samples in `metrics.json`.

## Where not to use it

Other languages than English, other notes than those of this program, texts that no check reads, anything but feedback
on short answers. What passes the checks is consistent with the feedback object; whether the feedback object is right
depends on the grader.
"""
