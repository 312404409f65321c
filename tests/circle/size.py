"""With which models the circle goes round, and how long they are trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """``settings`` name the models; ``grader`` and ``explainer`` are options of ``mlquiz train``.

    ``corrections``: so many scores of each student's attempt are changed at most. ``is_thinned``: graders are judged by
    a small part of the behaviour suite.
    """

    settings: Mapping[str, object]
    grader: tuple[str, ...]
    explainer: tuple[str, ...]
    corrections: int
    is_thinned: bool = False


def small(encoder: Path, language_model: Path) -> Size:
    """Tiny models of random weights: they can nothing, but all that is around them is real."""
    return Size(
        settings={
            "grader_model": str(encoder),
            "explainer": "local",
            "explainer_model": str(language_model),
            "explainer_adapter": "",
            "model_threads": 1,
        },
        grader=("--mode", "reader", "--no-bank", "--epochs", "1", "--folds", "2"),
        explainer=("--no-bank", "--epochs", "1"),
        corrections=2,
        is_thinned=True,
    )


def bundled(
    *, mode: str, epochs: int | None, explainer_epochs: int, has_bank: bool, threads: int, is_thinned: bool
) -> Size:
    """The models that come with the tool, trained from where they are."""
    passes = () if epochs is None else ("--epochs", str(epochs))
    return Size(
        settings={"explainer": "local"},
        grader=("--mode", mode, "--from", "default", "--no-bank", *passes, "--threads", str(threads)),
        explainer=(
            "--bank" if has_bank else "--no-bank",
            *("--epochs", str(explainer_epochs), "--threads", str(threads)),
        ),
        corrections=20,
        is_thinned=is_thinned,
    )
