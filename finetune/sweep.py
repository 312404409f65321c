"""Models × epochs: a training for each, side by side on one page. What is finished is not trained again.

::

    sweep/
    ├── e5-small-1a2b3c/epochs-2/   a run of its own, as a single training leaves it
    ├── report.html, metrics.json   the table and plots, written anew after each cell
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.errors import FinetuneError
from finetune.evaluation.plots import Lines, Series
from finetune.evaluation.report import Block, Cell, Finding, Plots, Report, Section, Table, report_html
from finetune.evaluation.resampling import Figure
from grading.errors import GradingError

SCHEMA_VERSION = 1

_SHOWN = {"mse": "MSE", "mae": "MAE", "pearson_r": "r"}
_MOST_LINES = 6

Train = Callable[[str, int, Path], Mapping[str, Any]]
"""Trains this model for so many epochs into a folder, and returns its metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """One cell: its cross-validated figures, or why there are none."""

    model: str
    epochs: int
    folder: Path
    figures: Mapping[str, Figure]
    problem: str = ""


def sweep(
    models: Sequence[str],
    epochs: Sequence[int],
    output: Path,
    train: Train,
    *,
    facts: Sequence[tuple[str, str]] = (),
    tell: Callable[[int, int, str], None],
) -> dict[str, Any]:
    """Train every model for every number of epochs; a model that fails is named, and the others go on.

    Leaves ``report.html`` and ``metrics.json`` in ``output`` and returns the metrics.
    """
    cells: list[Swept] = []
    metrics: dict[str, Any] = {}
    total = len(models) * len(epochs)
    for model in models:
        for count in epochs:
            tell(len(cells), total, f"{model}, epochs {count}")
            cells.append(_cell(model, count, output, train))
            metrics = _metrics(cells, output)
            _write(output, metrics, sweep_report(cells, facts=facts))
    tell(total, total, "finished")
    return metrics


def sweep_report(cells: Sequence[Swept], *, facts: Sequence[tuple[str, str]]) -> Report:
    """The page: a row for each cell, a plot for each figure with a line for each model."""
    done = [cell for cell in cells if "mse" in cell.figures]
    best = min(done, key=lambda cell: cell.figures["mse"].value, default=None)
    lead = "No training has finished yet."
    if best is not None:
        lead = f"The lowest mean squared error has {best.model} after {best.epochs} epochs."
    blocks: list[Block] = [_table(cells)]
    if done:
        blocks.append(Plots(plots=[_plot(done, name) for name in _SHOWN if any(name in cell.figures for cell in done)]))
    blocks += [
        Finding(is_good=False, text=f"{cell.model}, epochs {cell.epochs}: {cell.problem}")
        for cell in cells
        if cell.problem
    ]
    return Report(
        title="Models and epochs",
        lead=lead,
        facts=facts,
        sections=[
            Section(
                title="What each came to",
                text="Cross-validated by question, with 95 % intervals. Who takes the best of many has taken luck too.",
                blocks=blocks,
            )
        ],
    )


def folder_of(model: str, epochs: int, output: Path) -> Path:
    """Where a cell's run lies: readable, and another one for models whose folders are called the same."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", model.rstrip("/").rsplit("/", 1)[-1]).strip("-.") or "model"
    return output / f"{name[:60]}-{hashlib.sha256(model.encode()).hexdigest()[:6]}" / f"epochs-{epochs}"


def _cell(model: str, epochs: int, output: Path, train: Train) -> Swept:
    folder = folder_of(model, epochs, output)
    try:
        found = train(model, epochs, folder)["figures"]
    except (FinetuneError, GradingError, OSError) as error:
        return Swept(model=model, epochs=epochs, folder=folder, figures={}, problem=str(error))
    figures = {name: Figure(**found[name]) for name in _SHOWN if name in found}
    return Swept(model=model, epochs=epochs, folder=folder, figures=figures)


def _metrics(cells: Sequence[Swept], output: Path) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "sweep",
        "cells": [
            {
                "model": cell.model,
                "epochs": cell.epochs,
                "run": cell.folder.relative_to(output).as_posix(),
                "figures": {name: each.as_json() for name, each in cell.figures.items()},
                "problem": cell.problem or None,
            }
            for cell in cells
        ],
    }


def _write(output: Path, metrics: Mapping[str, Any], report: Report) -> None:
    output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(metrics, indent=2, ensure_ascii=False) + "\n"
    (output / "metrics.json").write_text(text, encoding="utf-8")
    (output / "report.html").write_text(report_html(report), encoding="utf-8", errors="replace")


def _table(cells: Sequence[Swept]) -> Table:
    rows: list[list[Cell]] = [
        [cell.model, cell.epochs, *(cell.figures.get(name, "failed" if cell.problem else "–") for name in _SHOWN)]
        for cell in cells
    ]
    return Table(columns=["Model", "Epochs", *_SHOWN.values()], rows=rows)


def _plot(cells: Sequence[Swept], name: str) -> tuple[Lines, str]:
    models = list(dict.fromkeys(cell.model for cell in cells))
    series = [
        Series(
            name=model.rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1][:18],
            points=[
                (float(cell.epochs), cell.figures[name].value)
                for cell in sorted(cells, key=lambda each: each.epochs)
                if cell.model == model and name in cell.figures
            ],
        )
        for model in models[:_MOST_LINES]
    ]
    plot = Lines(
        title=f"{_SHOWN[name]} by epochs",
        x_name="epochs",
        y_name=_SHOWN[name],
        series=[each for each in series if each.points],
        has_dots=True,
    )
    left_out = f" The first {_MOST_LINES} models." if len(models) > _MOST_LINES else ""
    return plot, f"{'Higher' if name == 'pearson_r' else 'Lower'} is better.{left_out}"
