"""From the figures of a grader to the page that shows them: what stands where, and in which words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from finetune.behaviour.summary import Summary
from finetune.evaluation.comparison import Comparison, Difference
from finetune.evaluation.curves import RiskCurve
from finetune.evaluation.grader_evaluation import Against, GraderEvaluation
from finetune.evaluation.judged import Judged
from finetune.evaluation.plots import Dots, Lines, Scatter, Series
from finetune.evaluation.report import Block, Cell, Finding, LongText, Noted, Plots, Report, Section, Table, number
from finetune.evaluation.slices import Slice

WORST = 20
_FIRST_SHARE = 0.05

_MEANINGS = {
    "mse": ("Mean squared error", "0 is perfect; large errors count most"),
    "mae": ("Mean absolute error", "how far off an answer is on average"),
    "pearson_r": ("Correlation r", "1: the order and spacing of the tutors"),
    "weighted_rmse": ("Weighted RMSE", "ten bands of the tutor's score weigh the same"),
    "big_error_share": ("Share off by 0.5 or more", "0.05 is one answer in twenty"),
    "bias": ("Bias", "above 0: too generous"),
    "interval_covers": ("Interval covers", "promised: 0.90 of the tutors' scores inside"),
    "interval_width": ("Interval width", "the narrower, the more it says"),
    "corr_residual_log_length": ("Error with log length, r", "0: long answers gain nothing by their length"),
}
_KINDS = {
    "length": ("By length", "Thirds of the answers by their number of characters."),
    "band": ("By the tutor's score", "Errors of low scores can only be upwards, of high ones only downwards."),
    "language": ("By language", ""),
    "flag": ("By flag", "What the grader noticed about an answer; an answer may have several flags."),
    "question": ("By question", "The worst first. One question's answers give no interval."),
}


def grader_report(evaluation: GraderEvaluation, *, title: str, facts: Sequence[tuple[str, str]]) -> Report:
    """The page of an evaluation; ``facts`` say which model, which data and when."""
    return Report(
        title=title,
        lead=_lead(evaluation),
        facts=facts,
        sections=list(_sections(evaluation)),
    )


def _lead(evaluation: GraderEvaluation) -> str:
    judged, mae, big = evaluation.judged, evaluation.figures["mae"], evaluation.figures["big_error_share"]
    return (
        f"On {_counted(len(judged), 'answer')} to {_counted(len(judged.questions), 'question')} the grader is off by"
        f" {number(mae.value)} of the points on average, and by half of the points or more in {big.value:.1%} of them."
    )


def _sections(evaluation: GraderEvaluation) -> Iterator[Section]:
    against = evaluation.against
    if against is not None:
        yield _comparison(against)
    yield _figures(evaluation)
    yield Section(title="Where it errs", blocks=list(_where(evaluation)))
    if evaluation.behaviour is not None:
        yield _behaviour(evaluation.behaviour, against.behaviour if against else None)
    yield _worst(evaluation.judged)


def _figures(evaluation: GraderEvaluation) -> Section:
    against = evaluation.against
    columns = ["Figure", "Value, 95 % interval", *(["In service"] if against else [])]
    rows: list[list[Cell]] = []
    for name, (title, meaning) in _MEANINGS.items():
        if name in evaluation.figures:
            beside: list[Cell] = [against.figures.get(name, "")] if against else []
            rows.append([Noted(text=title, note=meaning), evaluation.figures[name], *beside])
    return Section(
        title="How right it is",
        text="Fractions of the points, 0 to 1. Intervals come from 2,000 draws of whole questions.",
        blocks=[Table(columns=columns, rows=rows), Plots(plots=[*_accuracy_plots(evaluation)])],
    )


def _accuracy_plots(evaluation: GraderEvaluation) -> Iterator[tuple[Scatter | Lines, str]]:
    judged, whole = evaluation.judged, (0.0, 1.0)
    points = list(zip(judged.true.tolist(), judged.predicted.tolist(), strict=True))
    scatter = Scatter(
        title="Prediction against truth",
        x_name="tutor's score",
        y_name="given fraction",
        points=points,
        x_range=whole,
        y_range=whole,
        line="equal",
    )
    yield scatter, "A dot for each answer; on the dashed line both agree. Darker: several answers."
    curve = evaluation.calibration
    calibration = Lines(
        title="Calibration",
        x_name="given fraction",
        y_name="mean of the tutors' scores",
        series=[
            Series(
                name="",
                points=[(each.given, each.true.value) for each in curve],
                bars=[_ends(each.true.value, each.true.low, each.true.high) for each in curve],
            )
        ],
        x_range=whole,
        y_range=whole,
        line="equal",
        has_dots=True,
    )
    yield calibration, "Answers that were given about the same. Below the dashed line: too generous."
    yield _risk(evaluation)


def _risk(evaluation: GraderEvaluation) -> tuple[Lines, str]:
    curves = [("this grader", _risk_points(evaluation.risk))]
    if evaluation.against is not None:
        curves.append(("in service", _risk_points(evaluation.against.risk)))
    highest = max(error for _, points in curves for _, error in points)
    plot = Lines(
        title="Risk and coverage",
        x_name="share that the grader decides",
        y_name="mean absolute error",
        series=[Series(name=name, points=points) for name, points in curves],
        x_range=(0.0, 1.0),
        y_range=(0.0, max(0.05, highest) * 1.05),
    )
    return plot, "What is left of the error where a person takes the answers that the grader is least certain of."


def _where(evaluation: GraderEvaluation) -> Iterator[Block]:
    judged = evaluation.judged
    correlation = evaluation.figures["corr_residual_log_length"]
    told = f"r of error and log length {number(correlation.value, 2)}"
    if correlation.low is not None and correlation.high is not None:
        told += f", 95 % interval {number(correlation.low, 2)} to {number(correlation.high, 2)}"
    length = np.maximum(judged.length, 1.0)
    lengths = Scatter(
        title="Error by length",
        x_name="characters of the answer",
        y_name="given minus tutor's score",
        points=list(zip(length.tolist(), judged.error.tolist(), strict=True)),
        x_range=(float(length.min()) * 0.9, float(length.max()) * 1.1),
        y_range=(-1.0, 1.0),
        line="zero",
        is_log=True,
    )
    bands = Dots(
        title="Bias by the tutor's score",
        x_name="mean of given minus tutor's score",
        rows=[(each.name, each.bias) for each in evaluation.slices if each.kind == "band"],
    )
    yield Plots(plots=[(lengths, f"A dot for each answer; {told}."), (bands, "Right of the line: too generous.")])
    for kind, (title, text) in _KINDS.items():
        own = [each for each in evaluation.slices if each.kind == kind]
        rows: list[list[Cell]] = [[_noted(each.name, each.count), each.mse, each.mae, each.bias] for each in own]
        if kind == "question":
            rows = [[_asked(judged, each), each.mse, each.mae, each.bias] for each in own]
        columns = [title.removeprefix("By ").capitalize(), "MSE", "MAE", "Bias"]
        if rows:
            yield Table(columns=columns, rows=rows, caption=f"{title}. {text}".strip(), shown=10)


def _noted(name: str, count: int) -> Noted:
    return Noted(text=name, note=_counted(count, "answer"))


def _asked(judged: Judged, each: Slice) -> LongText:
    """A question in its own words."""
    first = int(np.argmax(judged.question == judged.questions.index(each.name)))
    return LongText(text=judged.prompts[first], lead=_counted(each.count, "answer"))


def _comparison(against: Against) -> Section:
    found = against.comparison
    return Section(
        title="Against the grader in service",
        text="Both scored the same answers; errors are compared answer by answer. Below zero, this grader is better;"
        " the last column is the probability that it is worse.",
        blocks=[*_gate(against), _differences(found), Plots(plots=[_difference_plot(found)])],
    )


def _gate(against: Against) -> Iterator[Finding]:
    overall = against.comparison.overall
    told = f"The probability that this grader is worse is {overall.worse:.0%}"
    if against.gate is None:
        yield Finding(is_good=overall.worse <= 0.5, text=f"{told}. The behaviour suite was not run.")
    elif against.gate.ok:
        yield Finding(is_good=True, text=f"Not worse: it may be promoted. {told}.")
    else:
        yield Finding(is_good=False, text="It would not be promoted.", reasons=against.gate.reasons)


def _differences(found: Comparison) -> Table:
    rows: list[list[Cell]] = [
        [_noted(_called(each), each.count), each.mse, each.mae, f"{each.worse:.0%}"]
        for each in (found.overall, *found.slices)
    ]
    return Table(columns=["Part", "MSE, difference", "MAE, difference", "Worse"], rows=rows)


def _difference_plot(found: Comparison) -> tuple[Dots, str]:
    plot = Dots(
        title="Difference of the squared error",
        x_name="this grader minus the one in service",
        rows=[(_called(each), each.mse) for each in (found.overall, *found.slices)],
    )
    return plot, "Means with 95 % intervals. Left of the line: this grader is better."


def _called(each: Difference) -> str:
    return {"band": f"score {each.name}", "language": f"language {each.name}"}.get(each.kind, each.name)


def _behaviour(summary: Summary, current: Summary | None) -> Section:
    groups = (("Language", "by_language"), ("Sort", "by_sort"), ("Gate", "by_gate"), ("Case", "by_name"))
    blocks: list[Block] = [
        Finding(
            is_good=summary.is_good, text="The grader behaves." if summary.is_good else "The grader does not behave."
        )
    ]
    for title, group in groups:
        tallies, before = getattr(summary, group), getattr(current, group) if current else {}
        rows: list[list[Cell]] = []
        for name, tally in sorted(tallies.items(), key=lambda item: item[1].share):
            beside: list[Cell] = [f"{before[name].share:.1%}" if name in before else ""] if current else []
            rows.append([name.replace("/", ", "), tally.passed, tally.total, f"{tally.share:.1%}", *beside])
        columns = [title, "Passed", "Cases", "Share", *(["In service"] if current else [])]
        blocks.append(Table(columns=columns, rows=rows, shown=10))
    return Section(
        title="Behaviour suite",
        text="What a fair tutor would never do: pay for gaming, change a score for a change of form, miss an opposite.",
        blocks=blocks,
    )


def _worst(judged: Judged) -> Section:
    order = np.argsort(-np.abs(judged.error), kind="stable")[:WORST]
    rows = [_worst_row(judged, row) for row in order.tolist()]
    return Section(
        title="Worst answers",
        text="Where grader and tutor differ most; below what was given, its interval and flags. Some of them are the"
        " tutor's slips: worth a second look.",
        blocks=[Table(columns=["Given", "Tutor", "Question and answer"], rows=rows)],
    )


def _worst_row(judged: Judged, row: int) -> list[Cell]:
    given, low, high, true = (
        number(float(each[row]), 2) for each in (judged.predicted, judged.low, judged.high, judged.true)
    )
    words = LongText(text=judged.texts[row] or "(blank)", lead=judged.prompts[row])
    flags = ", ".join(sorted(flag.replace("_", " ") for flag in judged.flags[row]))
    return [Noted(text=given, note=f"{low} to {high}{flags and f'; {flags}'}"), true, words]


def _ends(value: float, low: float | None, high: float | None) -> tuple[float, float]:
    return (value if low is None else low, value if high is None else high)


def _risk_points(risk: RiskCurve) -> list[tuple[float, float]]:
    """About 200 points, the last one among them, from where more than a few answers are behind an error."""
    every_point = zip(risk.shares.tolist(), risk.errors.tolist(), strict=True)
    points = [(share, error) for share, error in every_point if share >= _FIRST_SHARE or share == 1.0]
    every = max(1, len(points) // 200)
    return [*points[:-1:every], points[-1]]


def _counted(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 's'}"
