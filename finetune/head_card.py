"""The card of a scoring head: what it is for, what it was made from, how well it does, where it fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TEMPLATE = """# Scoring head

Scores a free-text answer from its key points: regression trees over cosines, term recall and signs of contradiction,
then a rising curve. Made for the encoder `{encoder}` (`{version}`); a portable variant in the same file serves other
encoders until a head is trained for them with `mlquiz train grader`.

- Trained on {real} graded answers ({sources}) and {made_up} answers made up from them.
  No other data took part.
- Seed {seed}. Plain JSON, read without pickle; the digests are in `manifest.json`.
- For: first estimates in self-study and practice, reviewed by an instructor. Not for: exams without review.

## Cross-validated by question ({encoder})

{own}

## Portable variant, cross-validated by question

{portable}

Its cosines were stretched at random in training, so it relies on words first. The figures are those with this
encoder; with another one expect worse.

## Made-up answers (mean fraction, cross-validated)

{kinds}

## Known limits

- Scores lean to the middle: the tables show by how much complete answers come out too low and fluent wrong ones too
  high (bias). Where the two matter, a person should look.
- The gates before the head (blank, don't know, gibberish, sentences beside the subject) were tuned on the sample
  bank, so the figures of `dont_know` and of the made-up answers flatter them.
- It sees contradictions through negation words, pairs of opposites, numbers and swapped neighbours, not through
  meaning: a wrong claim in the right vocabulary can score too high.
- Answers in another language than the model answer are scored by cosines alone and come out lower.
- The sample bank's answers were written for it, not collected: figures on other questions and other
  students will differ.
"""


_SAMPLES = "the sample question bank (English and Korean, written for this project)"


def head_card(
    encoder: str,
    version: str,
    seed: int,
    counts: Mapping[str, int],
    metrics: Mapping[str, Mapping[str, Any]],
    sources: Mapping[str, int],
) -> str:
    """The card as Markdown; ``counts`` of real and made-up answers, ``metrics`` of ``own`` and ``portable``.

    ``sources``: how many of the real ones are of which set.
    """
    return _TEMPLATE.format(
        encoder=encoder,
        version=version,
        seed=seed,
        real=counts["real"],
        sources=", ".join(f"{count} of {_SAMPLES if name == 'samples' else name}" for name, count in sources.items()),
        made_up=counts["made up"],
        own=_figures(metrics["own"]),
        portable=_figures(metrics["portable"]),
        kinds=_made_up(metrics["own"]["made_up"]),
    )


def _figures(metrics: Mapping[str, Any]) -> str:
    lines = ["| answers | count | MSE | MAE | bias | r | off by 0.5 |", "|---|--:|--:|--:|--:|--:|--:|"]
    rows = [("all", metrics["all"]), *metrics["by_language"].items(), *metrics["by_kind"].items()]
    for name, row in rows:
        r = "–" if row["pearson_r"] is None else f"{row['pearson_r']:.3f}"
        lines.append(
            f"| {name or 'no kind'} | {row['count']} | {row['mse']:.4f} | {row['mae']:.3f} | {row['bias']:+.3f} | {r}"
            f" | {row['big_error_share']:.1%} |"
        )
    return "\n".join(lines)


def _made_up(kinds: Mapping[str, Mapping[str, float]]) -> str:
    lines = ["| kind | mean | wanted |", "|---|--:|--:|"]
    lines.extend(f"| {name} | {row['mean']:.2f} | {row['wanted']:.2f} |" for name, row in kinds.items())
    return "\n".join(lines)
