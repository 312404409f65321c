"""The page of a training: how the loss fell, what the checks said after each epoch, and before and after on new
questions.

Texts are shown for answers of the sample bank only: the page goes along with the model, and students' words do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from finetune.evaluation.plots import Lines, Series
from finetune.evaluation.report import Cell, LongText, Plots, Report, Sample, Samples, Section, Table, Version
from finetune.explainer_judging import Judged

SHOWN = 12
_LINES = 5
_NAMES = {"base_model": "before (base model)", "adapter": "after (with the adapter)", "template": "template"}


def training_report(
    run: Mapping[str, Any], metrics: Mapping[str, Any], texts: Mapping[str, Judged], dataset_digest: str
) -> Report:
    """Everything that ``report.html`` shows; ``texts`` are those of the test part by writer."""
    before, after = texts["base_model"], texts["adapter"]
    cases = metrics["cases"]
    return Report(
        title="Training of an explainer",
        lead=f"Of {len(after.cases):,} texts on questions that took no part in the training, {after.share:.0%} pass"
        f" every check; {before.share:.0%} did before.",
        facts=[
            ("Base model", str(run["base_model"])),
            ("Data", dataset_digest),
            ("Answers", f"{cases['train']:,} train, {cases['validation']:,} choose, {cases['test']:,} test"),
            ("Steps", f"{metrics['steps']:,}, kept: {metrics['best_step']:,}"),
            ("Settings", ", ".join(f"{name} {value}" for name, value in run["training"].items())),
        ],
        sections=[_course(metrics), _epochs(metrics), _before_and_after(texts), *_left_out(metrics), *_samples(texts)],
    )


def _course(metrics: Mapping[str, Any]) -> Section:
    losses, checks = metrics["loss"], metrics["validation"]
    width = metrics["steps"] / len(losses)
    curve = Lines(
        title="Loss",
        x_name="step",
        y_name="loss a token of the reply",
        series=[Series(name="loss", points=[((place + 1) * width, loss) for place, loss in enumerate(losses)])],
    )
    kinds = _common_kinds(checks)
    rates = Lines(
        title="Checks on the questions that choose",
        x_name="step",
        y_name="share of texts",
        series=[
            Series(name="pass", points=[(each["step"], each["share"]) for each in checks]),
            *(
                Series(name=_plain(kind), points=[(each["step"], _rate(each, kind)) for each in checks])
                for kind in kinds
            ),
        ],
        y_range=(0.0, 1.0),
        has_dots=True,
    )
    return Section(
        title="How it went",
        text="The loss says how well the replies are foretold; the checks say whether the texts may be shown. The state"
        " with the highest share that passes is kept, not the last one.",
        blocks=[Plots(plots=[(curve, "On the replies only."), (rates, "After each epoch.")])],
    )


def _epochs(metrics: Mapping[str, Any]) -> Section:
    checks = metrics["validation"]
    kinds = sorted({kind for each in checks for kind in each["problems"]})
    rows: list[list[Cell]] = [["every check passed", *(f"{each['share']:.0%}" for each in checks)]]
    for kind in kinds:
        rows.append([_plain(kind), *(f"{_rate(each, kind):.0%}" for each in checks)])
    rows.append(["texts", *(int(each["cases"]) for each in checks)])
    names = [
        f"epoch {number}{' (kept)' if each['step'] == metrics['best_step'] else ''}"
        for number, each in _numbered(checks)
    ]
    return Section(title="Each epoch", blocks=[Table(columns=["Check", *names], rows=rows)])


def _before_and_after(texts: Mapping[str, Judged]) -> Section:
    writers = [texts[name] for name in _NAMES]
    kinds = sorted({kind for each in writers for kind in each.counts})
    rows: list[list[Cell]] = [["every check passed", *(each.figure for each in writers)]]
    rows += [[_plain(kind), *(each.counts.get(kind, 0) for each in writers)] for kind in kinds]
    rows.append(["texts", *(len(each.cases) for each in writers)])
    return Section(
        title="Before and after",
        text="On the test part, which chose nothing: shares with 95 % intervals from draws of whole questions, and how"
        " many texts break each rule.",
        blocks=[Table(columns=["Check", *_NAMES.values()], rows=rows)],
    )


def _left_out(metrics: Mapping[str, Any]) -> list[Section]:
    rows: list[list[Cell]] = [[reason, count] for reason, count in metrics["left_out"].items()]
    if not rows:
        return []
    return [
        Section(
            title="What was not learnt from",
            text="Explanations of the course that the checks refuse, or that nobody stands for.",
            blocks=[Table(columns=["Why", "Answers"], rows=rows)],
        )
    ]


def _samples(texts: Mapping[str, Judged]) -> list[Section]:
    cases = texts["adapter"].cases
    banked = [place for place, case in enumerate(cases) if case.source == "bank"]
    chosen = [banked[number * len(banked) // SHOWN] for number in range(SHOWN)] if len(banked) > SHOWN else banked
    if not chosen:
        return []
    samples = [
        Sample(
            question=cases[place].question.prompt,
            answer=LongText(text=cases[place].answer),
            versions=[_version(name, texts[key], place) for key, name in _NAMES.items()],
        )
        for place in chosen
    ]
    return [
        Section(
            title="Side by side",
            text="The same feedback on answers of the sample bank, worded by each; what the checks object to below.",
            blocks=[Samples(samples=samples)],
        )
    ]


def _version(name: str, judged: Judged, place: int) -> Version:
    problems = [f"{_plain(each.kind.value)}: {each.detail}" for each in judged.problems[place]]
    return Version(name=name, text=judged.texts[place] or "(no text)", problems=problems)


def _common_kinds(checks: Sequence[Mapping[str, Any]]) -> list[str]:
    totals: dict[str, int] = {}
    for each in checks:
        for kind, count in each["problems"].items():
            totals[kind] = totals.get(kind, 0) + count
    return sorted(totals, key=lambda kind: (-totals[kind], kind))[:_LINES]


def _rate(check: Mapping[str, Any], kind: str) -> float:
    return check["problems"].get(kind, 0) / check["cases"]


def _numbered(checks: Sequence[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    return list(enumerate(checks, 1))


def _plain(kind: str) -> str:
    return kind.replace("_", " ")
