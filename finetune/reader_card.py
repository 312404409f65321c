"""The card of a trained reader: what it is, on what and how it was trained, how good, where not to use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def reader_card(run: Mapping[str, Any], about: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Markdown made from what stands in ``manifest.json`` too."""
    training, encoder = run["training"], run["encoder"]
    return _CARD.format(
        encoder=encoder["name"],
        version=encoder["version"],
        layers="all layers" if encoder["layers"] is None else f"the first {encoder['layers']} layers",
        data="\n".join(
            f"| {source} | {own['questions']} | {own['real']} | {own['made_up']} | {own['weight']:g} |"
            for source, own in about["sources"].items()
        ),
        digest=run["data"][:12],
        how=_how(training),
        start="" if run["start"] is None else _STARTED.format(start=run["start"]),
        steps=metrics["steps"],
        minutes=max(1, round(metrics["seconds"] / 60)),
        folds=training["folds"],
        epochs=training["epochs"],
        seed=training["seed"],
        baseline=_baseline(metrics),
        head=_figures(metrics["head"]),
        reader=_figures(metrics["reader"]),
    )


def _how(training: Mapping[str, Any]) -> str:
    if training["mode"] == "head":
        return "Encoder and reader stayed as they were; the trees that make a score of readings were grown again"
    if training["mode"] == "reader":
        return "The encoder stayed as it was; the reader alone learned"
    top = "all layers" if training["lora_layers"] is None else f"the top {training['lora_layers']} layers"
    return f"The reader learned together with LoRA of rank {training['rank']} on {top} of the encoder"


def _figures(metrics: Mapping[str, Any]) -> str:
    lines = ["| answers | count | MSE | MAE | bias | r | off by 0.5 |", "|---|--:|--:|--:|--:|--:|--:|"]
    for name, row in (("all", metrics["all"]), *metrics["by_source"].items(), *metrics["by_kind"].items()):
        r = "–" if row["pearson_r"] is None else f"{row['pearson_r']:.3f}"
        lines.append(
            f"| {name} | {row['count']} | {row['mse']:.4f} | {row['mae']:.3f} | {row['bias']:+.3f} | {r}"
            f" | {row['big_error_share']:.1%} |"
        )
    return "\n".join(lines)


def _baseline(metrics: Mapping[str, Any]) -> str:
    own, difference = metrics["baseline"]["cosine"]["figures"], metrics["baseline"]["difference"]["mse"]
    r = "" if "pearson_r" not in own else f", r {own['pearson_r']['value']:.3f}"
    ends = "" if difference["low"] is None else f", 95 % interval {difference['low']:+.4f} to {difference['high']:+.4f}"
    return (
        "On the same folds the cosine of the published encoder, with a line fitted to the scores, has"
        f" MSE {own['mse']['value']:.4f}{r}.\nThe model's MSE differs from that by"
        f" {difference['value']:+.4f}{ends} (by question)."
    )


_STARTED = """
It went on from another trained reader (`{start}`), and the trees were grown on what that one was fitted on too. It may
have seen questions of this data before, and then the figures for these flatter it; those of questions that are new to
it do not.
"""

_CARD = """# Grader: reads an answer against key points and model answers

For the encoder `{encoder}` (`{version}`, {layers}).
Reads how far an answer says each key point and each model answer, or says the opposite, and makes a score of it
(`grading/scoring_by_reading.py`).

## Trained on

| source | questions | answers | made up | weight |
|---|--:|--:|--:|--:|
{data}

Made-up answers are made by rule from the questions: gibberish, other questions' answers, parts, opposites, dresses.
Answers of which the gates leave nothing (blank, don't know, gibberish) took no part. Data digest `{digest}`.

## How

{how}. Passes: {epochs}; steps over
{folds} folds and everything: {steps}; seed: {seed}; minutes: {minutes}.
{start}
## How good: answers to questions that were not trained on

Each answer was read by a reader, and scored by a head, that had not seen its question. Answers that the gates decide
alone count with the 0 that they get.

{head}

{baseline}

The reader alone, without the head on top of it:

{reader}

## Where not to use it

Exams without review by a person; other encoders than the one named; answers in another language than the model answer.
A wrong claim in the right vocabulary can still score too high. Questions and students unlike those above: expect worse,
and train on a few hundred answers of your own (`mlquiz train grader --from`).
"""
