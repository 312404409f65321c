"""``mlquiz evaluate …``: judge a model on answers that it was not trained on; leaves a page and its figures.

Everything heavy is imported inside the commands, so that ``mlquiz --help`` stays quick.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from config.settings import Settings, SettingsError, load_settings
from finetune.errors import DataUnreadable, FinetuneError
from grading.errors import GradingError

if TYPE_CHECKING:
    from finetune.behaviour.case import Case
    from finetune.evaluation.report import Report
    from finetune.evaluation.resampling import Figure
    from finetune.graded_questions import GradedQuestion
    from grading.grader import Grader

DEFAULT = "default"
Tell = Callable[[int, int, str], None]
Part = Literal["test", "validation", "all"]
By = Literal["question", "answer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Data:
    """What ``--data`` names: questions, and the line of the report that says which."""

    questions: list[GradedQuestion]
    sources: tuple[str, ...]


@click.group()
def evaluate() -> None:
    """Judge the grader or the explainer.

    Leaves report.html, a page that opens without a network, and metrics.json with the same figures.
    """


_data = click.option(
    "--data",
    "paths",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    required=True,
    help="Folder of a dataset, or CSV file with question, reference, answer, score; may be repeated.",
)
_part = click.option(
    "--part",
    type=click.Choice(["test", "validation", "all"]),
    default=None,
    help="Part of a dataset.  [default: test; a CSV file is always judged whole]",
)
_by = click.option(
    "--split",
    "by",
    type=click.Choice(["question", "answer"]),
    default="question",
    show_default=True,
    help="How the model's training cut the dataset into parts.",
)
_output = click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("evaluation"),
    show_default=True,
    help="Folder for report.html and metrics.json; older ones there are replaced.",
)
_threads = click.option(
    "--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Processor cores to use."
)
_json = click.option("--json", "is_json", is_flag=True, help="Print the figures as JSON instead of a table.")


@evaluate.command()
@_data
@click.option("--model", default=DEFAULT, show_default=True, help="Folder of a trained grader, or default.")
@click.option("--against", default=None, help="Compare with this grader: a folder, or default.")
@_part
@_by
@click.option("--behaviour/--no-behaviour", "has_behaviour", default=False, help="Run the behaviour suite too.")
@_output
@_threads
@_json
def grader(
    paths: tuple[Path, ...],
    model: str,
    against: str | None,
    part: Part | None,
    by: By,
    has_behaviour: bool,
    output: Path,
    threads: int,
    is_json: bool,
) -> None:
    """Judge a grader by answers that people have scored.

    \b
    Examples:
      mlquiz evaluate grader --data datasets/spring
      mlquiz evaluate grader --data datasets/spring --model runs/grader-2 --against default --behaviour
      mlquiz evaluate grader --data course.csv --output runs/course-evaluation --json
    """
    with _clear_errors(), _progress(is_json) as tell:
        settings = load_settings()
        data = _read(paths, part, by, labels="confirmed")
        import torch

        from finetune.evaluation import evaluate_grader, grader_report

        torch.set_num_threads(threads)
        tell(0, 0, "loading the grader")
        judged = _grader(model, settings)
        current = _grader(against, settings) if against else None
        found = evaluate_grader(
            judged, data.questions, against=current, cases=_cases() if has_behaviour else (), progress=tell
        )
        facts = [
            ("Model", f"{model}, {_versions(judged)}"),
            *([("In service", f"{against}, {_versions(current)}")] if current else []),
            *_facts(data),
        ]
        learnt = _learnt({"the model": model, "the one in service": against}, data.questions)
        facts += [(f"Learnt by {name}", f"{count} of these answers") for name, count in learnt.items() if count]
        metrics = {**_described(facts), "learnt": learnt, **found.as_json()}
        _leave(output, grader_report(found, title="Evaluation of a grader", facts=facts), metrics)
    for name, count in learnt.items():
        if count:
            click.echo(
                f"{count} of the {len(found.judged)} answers were learnt by {name}, so the figures flatter it.",
                err=True,
            )
    _show(metrics, is_json, output, list(found.figures.items()))


@evaluate.command()
@_data
@click.option("--model", default=None, help="Base model: bundled:…, a folder or a hub id. Default: EXPLAINER_MODEL.")
@click.option("--adapter", default=None, help="LoRA adapter: a folder or bundled:…. Default: EXPLAINER_ADAPTER.")
@click.option("--limit", type=click.IntRange(1), default=None, help="At most so many answers, spread over all.")
@_part
@_by
@_output
@_threads
@_json
def explainer(
    paths: tuple[Path, ...],
    model: str | None,
    adapter: str | None,
    limit: int | None,
    part: Part | None,
    by: By,
    output: Path,
    threads: int,
    is_json: bool,
) -> None:
    """Judge an explainer by the checks that serve: its texts beside those of its base model and of the template.

    The grader in the settings scores the answers first, as in service.

    \b
    Examples:
      mlquiz evaluate explainer --data datasets/spring --limit 40
      mlquiz evaluate explainer --data course.csv --adapter runs/explainer-1 --output runs/explainer-1-evaluation
    """
    from grading.explanation.errors import ExplanationError

    with _clear_errors(ExplanationError), _progress(is_json) as tell:
        settings = load_settings()
        data = _read(paths, part, by, labels="all")
        import torch

        from finetune.evaluation import evaluate_explainer, explainer_report
        from finetune.evaluation.writers import chosen_writers

        torch.set_num_threads(threads)
        writers, named = chosen_writers(settings, model, adapter)
        tell(0, 0, "loading the grader")
        judge = _grader(DEFAULT, settings)
        found = evaluate_explainer(judge, data.questions, writers, limit=limit, progress=tell)
        facts = [*named, ("Grader", _versions(judge)), *_facts(data)]
        metrics = {**_described(facts), **found.as_json()}
        _leave(output, explainer_report(found, title="Evaluation of an explainer", facts=facts), metrics)
    _show(metrics, is_json, output, [(f"{each.name} passes", each.passed) for each in found.writers])


def _read(paths: Sequence[Path], part: Part | None, by: By, *, labels: Literal["confirmed", "all"]) -> _Data:
    from finetune.scored_tables import csv_questions

    questions: list[GradedQuestion] = []
    sources: list[str] = []
    for path in paths:
        if path.is_dir():
            own, digest = _from_dataset(path, part or "test", by, labels)
            sources.append(f"{path.name}, dataset {digest}, part {part or 'test'} by {by}")
        elif part in (None, "all"):
            own = csv_questions(path)
            sources.append(f"{path.name}, whole file")
        else:
            raise DataUnreadable(f"{path}: a CSV file has no parts; import it first: mlquiz dataset import {path}")
        questions += own
    return _Data(questions=questions, sources=tuple(sources))


def _from_dataset(
    path: Path, part: Part, by: By, labels: Literal["confirmed", "all"]
) -> tuple[list[GradedQuestion], str]:
    from finetune.dataset import graded_questions, read_dataset

    dataset = read_dataset(path)
    found = graded_questions(dataset, part=None if part == "all" else {part}, by=by, labels=labels)
    if not found:
        scored = "" if labels == "all" else " confirmed by a person"
        raise DataUnreadable(f"{path}: no score{scored} in its part {part}; --part all takes every answer")
    return found, dataset.digest


def _grader(name: str, settings: Settings) -> Grader:
    """The grader of the settings, or the one in a folder with the encoder that it was trained for."""
    from grading.grader import load_grader

    if name == DEFAULT:
        return load_grader(settings)
    if not (Path(name) / "manifest.json").is_file():
        raise DataUnreadable(f"{name}: no trained grader is there: manifest.json is missing")
    return load_grader(settings, version=Path(name))


def _learnt(models: Mapping[str, str | None], questions: Sequence[GradedQuestion]) -> dict[str, int | None]:
    """How many of the answers each model was trained on; None for those that do not say."""
    from finetune.learnt_answers import count_learnt, read_learnt

    return {
        name: count_learnt(read_learnt(Path(model) if model != DEFAULT else None), questions)
        for name, model in models.items()
        if model
    }


def _cases() -> tuple[Case, ...]:
    from finetune.behaviour.cases import load_cases

    return load_cases()


def _versions(found: Grader) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.versions.items())


def _facts(data: _Data) -> list[tuple[str, str]]:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return [*(("Data", source) for source in data.sources), ("Made", now)]


def _described(facts: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The facts for programs: a list for each name, since data may be several."""
    found: dict[str, list[str]] = {}
    for name, value in facts:
        found.setdefault(name.lower().replace(" ", "_"), []).append(value)
    return {"about": found}


def _leave(output: Path, report: Report, metrics: dict[str, Any]) -> None:
    from finetune.evaluation import report_html

    output.mkdir(parents=True, exist_ok=True)
    (output / "report.html").write_text(report_html(report), encoding="utf-8", errors="replace")
    text = json.dumps(metrics, indent=2, ensure_ascii=False) + "\n"
    (output / "metrics.json").write_text(text, encoding="utf-8", errors="replace")


@contextmanager
def _clear_errors(*more: type[Exception]) -> Iterator[None]:
    """What a person can mend is said in a sentence, without a traceback."""
    try:
        yield
    except (SettingsError, FinetuneError, GradingError, OSError, *more) as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _progress(is_json: bool) -> Iterator[Tell]:
    """A progress bar on standard error, or nothing where a program reads."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(TextColumn("{task.description}"), *columns, console=console, disable=is_json) as bars:
        task = bars.add_task("evaluating", total=None)

        def tell(done: int, total: int, text: str) -> None:
            bars.update(task, completed=done, total=total or None, description=f"{text:.40}")

        yield tell


def _show(metrics: dict[str, Any], is_json: bool, output: Path, figures: Sequence[tuple[str, Figure]]) -> None:
    if is_json:
        click.echo(json.dumps(metrics, ensure_ascii=False))
        return
    for name, found in figures:
        ends = "" if found.low is None else f"  {found.low:.4f} to {found.high:.4f}"
        click.echo(f"{name:<25} {found.value:>8.4f}{ends}")
    click.echo(f"Written to {output}: see report.html and metrics.json there.")
