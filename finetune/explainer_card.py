"""The card of a trained adapter: what it is, on what and how it was trained, how good, where not to use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def card(
    run: Mapping[str, Any], metrics: Mapping[str, Any], languages: Sequence[str], *, has_bank: bool, datasets: int
) -> str:
    """Markdown made from the settings and metrics of a run; every figure in it stands in ``metrics.json``."""
    named = " and ".join(_LANGUAGES[language] for language in languages)
    return _CARD.format(
        base_model=run["base_model"],
        languages=named,
        sources=_sources(has_bank, datasets),
        left_out=sum(metrics["left_out"].values()),
        cases=metrics["cases"],
        data=run["data"][:12],
        steps=metrics["steps"],
        best_step=metrics["best_step"],
        minutes=max(1, round(metrics["seconds"] / 60)),
        rows="\n".join(_row(name, metrics["test"][key]) for name, key in _WRITERS),
        bits=", base model in 4 bits" if run["training"]["quantize"] else "",
        **{name: run["training"][name] for name in ("rank", "batch_size", "learning_rate", "seed")},
    )


def _sources(has_bank: bool, datasets: int) -> str:
    courses = "one course's explanations" if datasets == 1 else f"explanations of {datasets} courses"
    bank = "the sample question bank of this program"
    return f"{bank} and {courses}" if has_bank and datasets else bank if has_bank else courses


def _row(name: str, found: Mapping[str, Any]) -> str:
    problems = ", ".join(f"{kind} {count}" for kind, count in found["problems"].items()) or "none"
    return f"| {name} | {found['cases']} | {found['share']:.0%} | {problems} |"


_LANGUAGES = {"en": "English", "ko": "Korean"}
_WRITERS = (
    ("base model with this adapter", "adapter"),
    ("base model without it", "base_model"),
    ("template", "template"),
)

_CARD = """# Adapter: words feedback on quiz answers in {languages}

A LoRA adapter for `{base_model}`. It turns the notes of a feedback object (what is good, mixed up, vague or missing,
and one next step) into two to four sentences. It does not grade, and it is never served without the checks of
`grading/explanation/checks.py`: a text that fails one is replaced by the template's.

## Trained on

{sources}, split by question: {cases[train]} answers train, {cases[validation]} choose the best state, {cases[test]} are
kept for the test. {left_out} answers were left out; `metrics.json` says why. Data digest `{data}`. Replies to learn are
tutors' sentences that the notes support, and composed sentences; all of them pass the checks.

## How

Rank {rank} on all linear layers of the upper half{bits}, loss on the reply only, {steps} steps of {batch_size},
learning rate {learning_rate}, seed {seed}, {minutes} minutes. Kept: step {best_step}, the first with the highest share
of passing texts on the questions that choose.

## How good: share of texts that pass every check, on questions never trained on

| writer | texts | pass | problems (texts) |
|---|--:|--:|---|
{rows}

Passing is no proof of good style: some texts that pass hold a clumsy phrase. `report.html` shows texts side by side.

## Where not to use it

Other languages, other notes than those of this program, texts that no check reads, anything but feedback on short
answers. What passes the checks is consistent with the feedback object; whether the feedback object is right depends on
the grader.
"""
