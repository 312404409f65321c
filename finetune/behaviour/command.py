"""``python -m finetune.behaviour``: judge a grader and show where it is not fair."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from config.settings import SettingsError, load_settings
from finetune.behaviour.case import Case
from finetune.behaviour.cases import load_cases
from finetune.behaviour.judging import Outcome, Tell, judge
from finetune.behaviour.summary import Summary, Tally, summary_of, worst
from grading.errors import GradingError

_BEGINNING = 160


@click.command()
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write all outcomes here.")
@click.option("--model", default=None, help="Encoder: bundled:…, a folder or a hub id. Default: GRADER_MODEL.")
@click.option("--language", type=click.Choice(["en", "ko"]), default=None, help="Only this language.")
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="Only every n-th question.")
@click.option("--worst", "worst_count", type=click.IntRange(0), default=12, show_default=True, help="Failures to show.")
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Processor cores to use.")
def main(
    json_file: Path | None, model: str | None, language: str | None, every: int, worst_count: int, threads: int
) -> None:
    """Judge the grader by the behaviour suite; the exit code is 0 if it behaves.

    \b
    Examples:
      python -m finetune.behaviour
      python -m finetune.behaviour --language ko --worst 40
      python -m finetune.behaviour --every 5
      python -m finetune.behaviour --json runs/behaviour.json
    """
    import torch

    from grading.grader import grader_from, load_grader

    torch.set_num_threads(threads)
    console = Console(stderr=True)
    cases = chosen_cases(language, every)
    try:
        settings = load_settings()
        with console.status("loading the grader"):
            grader = grader_from(model, settings.models_path) if model else load_grader(settings)
    except (GradingError, SettingsError) as error:
        raise click.ClickException(str(error)) from error
    with _progress(console) as tell:
        outcomes = judge(grader, cases, tell)
    summary = summary_of(outcomes)
    show(Console(), summary, worst(outcomes, worst_count))
    if json_file:
        json_file.write_text(json.dumps(_as_json(summary, outcomes), ensure_ascii=False, indent=1), encoding="utf-8")
    sys.exit(0 if summary.is_good else 1)


def chosen_cases(language: str | None, every: int) -> list[Case]:
    """The cases of every n-th question, all of each, in one language or both."""
    cases = [case for case in load_cases() if language in (None, case.language)]
    prompts = list(dict.fromkeys(case.question.prompt for case in cases))
    kept = set(prompts[::every])
    return [case for case in cases if case.question.prompt in kept]


def show(console: Console, summary: Summary, failures: Sequence[Outcome]) -> None:
    """The tables, the measures and the failures, for people."""
    table = Table("case", "en unseen", "en seen", "ko unseen", "ko seen", title="Passed of all, by case")
    names = dict.fromkeys(key.split("/", 1)[1].rsplit("/", 1)[0] for key in summary.by_name)
    for name in sorted(names):
        cells = [summary.by_name.get(f"{lang}/{name}/{origin}") for lang in ("en", "ko") for origin in _ORIGINS]
        table.add_row(name, *(_cell(tally) for tally in cells))
    console.print(table)
    total = Table("", "passed", "total", "share", title="Passed of all")
    for tallies in (summary.by_sort, summary.by_origin, summary.by_gate, summary.by_language):
        for name, tally in tallies.items():
            total.add_row(name, str(tally.passed), str(tally.total), f"{tally.share:.1%}")
        total.add_section()
    console.print(total)
    for language, mean in summary.short_error.items():
        console.print(
            f"{language}: short right answers, unseen: mean absolute error {mean.value:.3f} (n = {mean.count})"
        )
    for language, mean in summary.long_wrong_mean.items():
        console.print(f"{language}: long wrong answers, unseen: mean fraction {mean.value:.3f} (n = {mean.count})")
    for outcome in failures:
        _show_failure(console, outcome)
    console.print("The grader behaves." if summary.is_good else "The grader does not behave yet.")


_ORIGINS = ("unseen", "seen")


def _cell(tally: Tally | None) -> str:
    if tally is None:
        return ""
    style = "green" if tally.share >= 0.97 else "yellow" if tally.share >= 0.8 else "red"
    return f"[{style}]{tally.passed}/{tally.total}[/]"


def _show_failure(console: Console, outcome: Outcome) -> None:
    console.print(f"\n{outcome.case.id}", style="bold", markup=False, highlight=False)
    console.print(f"  got {outcome.got:.2f}, expected {' and '.join(outcome.faults)}", markup=False)
    for label, text in zip(("judged", "plain"), outcome.case.texts, strict=False):
        beginning = " ".join(text.encode("utf-8", "replace").decode("utf-8")[:_BEGINNING].split())
        console.print(f"  {label}: {beginning}", markup=False, highlight=False)


def _as_json(summary: Summary, outcomes: Sequence[Outcome]) -> dict[str, object]:
    rows = [
        {"id": found.case.id, "got": found.got, "passed": found.passed, "faults": found.faults} for found in outcomes
    ]
    return {"summary": summary.as_json(), "outcomes": rows}


@contextmanager
def _progress(console: Console) -> Iterator[Tell]:
    """A bar in a terminal; elsewhere a line now and then."""
    if not console.is_terminal:
        yield lambda done, total, text: None if done % 10 else console.print(f"judging {done}/{total}: {text}")
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *columns, console=console) as progress:
        task = progress.add_task("judging", total=None)

        def tell(done: int, total: int, text: str) -> None:
            progress.update(task, completed=done, total=total, description=f"judging {text:.40}")

        yield tell
