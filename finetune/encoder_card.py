"""The card of a tuned encoder and its head: what it is, on what and how it was trained, how good, where it fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LOSSES = {
    "cosent": "CoSENT: of two answers the better one is to be nearer to its model answer",
    "cosine": "the squared error of the cosine",
    "mse": "the squared error of a straight line of the cosine, fixed before the training",
}

_TEMPLATE = """# Tuned encoder with a scoring head

The encoder `{encoder}` (`{version}`, {layers}), all of whose weights were tuned on pairs of a model answer and an
answer with its score; it lies in `encoder/`. On top of it regression trees over cosines, term recall and signs of
contradiction, then a rising curve (`head.json`).

- Loss: {loss}.
- At most {epochs} passes; a tenth of the questions was kept back and said when to stop. Best pass of each fold, and of
  the encoder that is served: {best}.
- The head was fitted with {made_up} answers made up by rule beside the real ones; the encoder was tuned on real ones.
- Seed {seed}. Safetensors and JSON, read without pickle; the digests are in `manifest.json`.
- For: first estimates in self-study and practice, reviewed by an instructor. Not for: exams without review.

| source | questions | answers |
|---|--:|--:|
{data}

Data: `{digest}`.

## Cross-validated

In {folds} folds, cut by question and topic: each answer was read by an encoder that had not been tuned on its question.

{figures}

The cosine of the published encoder, with a line fitted on the other folds, has an MSE of {baseline:.4f}.

## Known limits

- An encoder whose weights are all tuned on one course forgets some of what it knew of other subjects; the figures are
  those of questions like the ones trained on.
- The trees were fitted on features by the encoders of the folds and serve over one more, tuned on all questions.
- Wrong claims in the right words can score too high: contradictions are seen through words, numbers and negation.
"""


def encoder_card(run: Mapping[str, Any], about: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Markdown made from what stands in ``manifest.json`` too."""
    training, encoder = run["training"], run["encoder"]
    return _TEMPLATE.format(
        encoder=encoder["name"],
        version=encoder["version"],
        layers="all layers" if encoder["layers"] is None else f"the first {encoder['layers']} layers",
        loss=_LOSSES[training["loss"]],
        epochs=training["epochs"],
        best=", ".join(map(str, metrics["best_epochs"])),
        made_up=about["made_up"],
        seed=training["seed"],
        data="\n".join(
            f"| {source} | {own['questions']} | {own['real']} |" for source, own in about["sources"].items()
        ),
        digest=about["dataset_digest"][:64],
        folds=training["folds"],
        figures=_figures(metrics["own"]),
        baseline=metrics["baseline"]["cosine"]["figures"]["mse"]["value"],
    )


def _figures(metrics: Mapping[str, Any]) -> str:
    lines = ["| answers | count | MSE | MAE | bias | r | off by 0.5 |", "|---|--:|--:|--:|--:|--:|--:|"]
    for name, row in (("all", metrics["all"]), *metrics["by_language"].items(), *metrics["by_kind"].items()):
        if row["count"] and name:
            r = "–" if row["pearson_r"] is None else f"{row['pearson_r']:.3f}"
            lines.append(
                f"| {name} | {row['count']} | {row['mse']:.4f} | {row['mae']:.3f} | {row['bias']:+.3f} | {r}"
                f" | {row['big_error_share']:.1%} |"
            )
    return "\n".join(lines)
