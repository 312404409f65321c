"""The page of a grader's training: better than the baseline or not, how the loss fell, and where it errs.

It shows students' words and stays in the run: the manifest does not list it, so no version holds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from finetune.evaluation import Comparison, Figure, GraderEvaluation, Judged, Report, compared, evaluation_of
from finetune.evaluation.figures import grader_figures
from finetune.evaluation.grader_report import grader_report
from finetune.evaluation.plots import Lines, Series
from finetune.evaluation.report import Block, Cell, Finding, Noted, Plots, Section, Table, number

BASELINE = "cosine of the published encoder, with a line fitted on the other folds"

_SHOWN = {
    "mse": "Mean squared error",
    "mae": "Mean absolute error",
    "pearson_r": "Correlation r",
    "weighted_rmse": "Weighted RMSE",
    "big_error_share": "Share off by 0.5 or more",
    "bias": "Bias",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossEvaluation:
    """A grader and the baseline on the same answers, each judged by folds that had not seen its question."""

    grader: GraderEvaluation
    baseline: Mapping[str, Figure]
    comparison: Comparison

    def as_json(self) -> dict[str, Any]:
        """Figures with intervals, for ``metrics.json``: of the grader, of the baseline, and the first minus the other.

        The baseline lies deeper than the grader, so that nobody takes its figures for those of the model.
        """
        return {
            "figures": {name: each.as_json() for name, each in self.grader.figures.items()},
            "baseline": {
                "cosine": {
                    "figures": {name: self.baseline[name].as_json() for name in _SHOWN if name in self.baseline}
                },
                "difference": {
                    "mse": self.comparison.overall.mse.as_json(),
                    "mae": self.comparison.overall.mae.as_json(),
                    "probability_worse": round(self.comparison.overall.worse, 4),
                },
            },
        }


def cross_evaluation(grader: Judged, baseline: Judged) -> CrossEvaluation:
    """Both must have judged the same answers; ``ValueError`` otherwise."""
    return CrossEvaluation(
        grader=evaluation_of(grader), baseline=grader_figures(baseline), comparison=compared(grader, baseline)
    )


def run_report(
    found: CrossEvaluation, *, losses: Sequence[float], steps: int, facts: Sequence[tuple[str, str]]
) -> Report:
    """The page; ``losses`` are means over equal parts of the last training's ``steps``."""
    report = grader_report(found.grader, title="Training of a grader", facts=facts)
    return replace(
        report,
        lead=f"Cross-validated: every answer was scored by a model that had not seen its question. {report.lead}",
        sections=[_against_baseline(found), *([_training(losses, steps)] if losses else []), *report.sections],
    )


def facts_of(run: Mapping[str, Any], about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Which model, which data, which code: the lines at the head of the page."""
    training, encoder = run["training"], run["encoder"]
    layers = "all layers" if encoder["layers"] is None else f"the first {encoder['layers']} layers"
    sources = "; ".join(
        f"{name}: {own['real']:,} answers to {own['questions']:,} questions" for name, own in about["sources"].items()
    )
    return [
        ("Encoder", f"{encoder['name']}, {encoder['version']}, {layers}"),
        ("Training", f"mode {training['mode']}, {training['epochs']} passes, seed {training['seed']}"),
        ("Begun with", run["start"] or "random weights"),
        ("Folds", f"{training['folds']}, cut by question and topic"),
        ("Data", f"{about['dataset_digest'][:64]} ({sources})"),
        ("Code", about["code_version"]),
        ("Made", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
    ]


def _against_baseline(found: CrossEvaluation) -> Section:
    return Section(
        title="Against the baseline",
        text=f"The baseline: {BASELINE}. Both were judged on the same folds.",
        blocks=[_finding(found.comparison), _figures(found)],
    )


def _finding(comparison: Comparison) -> Finding:
    overall = comparison.overall
    is_better = overall.mse.value < 0
    ends = ""
    if overall.mse.low is not None and overall.mse.high is not None:
        ends = f", 95 % interval {number(overall.mse.low, 4)} to {number(overall.mse.high, 4)}"
    return Finding(
        is_good=is_better,
        text=f"{'Better' if is_better else 'Not better'} than the baseline: the mean squared error differs by"
        f" {number(overall.mse.value, 4)}{ends}. The probability that it is worse is {overall.worse:.0%}.",
    )


def _figures(found: CrossEvaluation) -> Block:
    rows: list[list[Cell]] = []
    for name, title in _SHOWN.items():
        if name in found.grader.figures:
            rows.append([title, found.grader.figures[name], found.baseline.get(name, "–")])
    overall = found.comparison.overall
    rows.append([Noted(text="Squared error, difference", note="below 0: better than the baseline"), overall.mse, ""])
    return Table(columns=["Figure", "This grader", "Baseline"], rows=rows)


def _training(losses: Sequence[float], steps: int) -> Section:
    points = [((place + 0.5) * steps / len(losses), loss) for place, loss in enumerate(losses)]
    plot = Lines(
        title="Loss",
        x_name="step",
        y_name="loss",
        series=[Series(name="", points=points)],
        y_range=(0.0, max(losses) * 1.05 or 1.0),
    )
    return Section(
        title="Training",
        text="Of the training on all questions, which made the model; the folds went the same way.",
        blocks=[Plots(plots=[(plot, "Means over neighbouring steps.")])],
    )
