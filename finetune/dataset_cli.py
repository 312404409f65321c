"""``mlquiz dataset …``: import files of graded answers and check a dataset, for people, or as JSON for programs.

Everything heavy is imported inside the commands, so that ``mlquiz --help`` stays quick.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from finetune.errors import FinetuneError

if TYPE_CHECKING:
    from finetune.dataset.finding import Finding

Tell = Callable[[int, int], None]

_QUICK_SECONDS = 2.0


@click.group()
def dataset() -> None:
    """Bring graded answers into a folder that models are trained on, and check it.

    A dataset is a folder that never changes once written: questions.jsonl, examples.jsonl, schema.json, manifest.json.
    """


@dataset.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The folder to write; new, or empty.")
@click.option(
    "--max-score",
    type=click.FloatRange(min=0, min_open=True, max=1_000_000),
    default=1.0,
    show_default=True,
    help="What full marks are in a table: scores are divided by it.",
)
@click.option(
    "--encoding",
    type=click.Choice(["utf-8", "utf-16", "cp949"]),
    default=None,
    help="Of a table.  [default: UTF-8, or what its byte-order mark says]",
)
@click.option("--json", "is_json", is_flag=True, help="Print what was imported as JSON.")
def import_files(files: tuple[Path, ...], output: Path, max_score: float, encoding: str | None, is_json: bool) -> None:
    """Import FILES as one dataset: tables (CSV, TSV), a dataset's folder, or its examples.jsonl after changes.

    A table has the columns question, reference, answer and score, and may have explanation, language, split, verdicts
    and tags. Blank cells of question, reference and tags are those of the row above. Where a row cannot be taken in,
    nothing is written.

    \b
    Examples:
      mlquiz dataset import answers.csv --output datasets/course-1
      mlquiz dataset import term1.csv term2.tsv --max-score 5 --output datasets/course-2
      mlquiz dataset import datasets/course-2 --output datasets/course-2-mended
    """
    from finetune.dataset.checking import findings_of
    from finetune.dataset.importing import gather
    from finetune.dataset.writing import require_free_folder, write_dataset

    with _clear_errors(), _progress("importing", is_hidden=is_json) as tell:
        require_free_folder(output)
        gathering = gather(files, max_score=max_score, encoding=encoding, tell=tell)
        material = gathering.material()
        warnings = findings_of(material, tell)
        manifest = write_dataset(
            output,
            questions=material.questions,
            examples=material.examples,
            producer="mlquiz dataset import",
            filters={"files": [path.name for path in files], "max_score": max_score, "encoding": encoding},
            sources=gathering.sources,
        )
    if is_json:
        facts = manifest.model_dump(mode="json") | {
            "digest": manifest.digest,
            "columns_not_read": gathering.unread_columns,
            "warnings": [warning.as_json() for warning in warnings],
        }
        _say_json(facts)
        return
    counts = manifest.counts
    click.echo(f"{counts['examples']} answers to {counts['questions']} questions; {counts['confirmed']} have a score.")
    for name, columns in gathering.unread_columns.items():
        if columns:
            from finetune.dataset.table import shown_names

            click.echo(f"Columns of {name} that were not read: {shown_names(columns)}.")
    _say_warnings(warnings)
    click.echo(f"Written to {output}, digest {manifest.digest}.")


@dataset.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--json", "is_json", is_flag=True, help="Print all findings with all their places as JSON.")
def check(folder: Path, is_json: bool) -> None:
    """Check a dataset: faults, for which no model is trained on it (exit code 1), and warnings for a person to judge.

    \b
    Examples:
      mlquiz dataset check datasets/course-1
      mlquiz dataset check datasets/course-1 --json
    """
    from finetune.dataset.checking import check_dataset

    with _clear_errors(), _progress("checking", is_hidden=is_json) as tell:
        report = check_dataset(folder, tell)
    if is_json:
        _say_json(report.as_json())
    else:
        languages = ", ".join(f"{count} in {language}" for language, count in report.languages.items())
        counts = report.counts
        click.echo(f"{counts['examples']} answers ({languages or 'none'}) to {counts['questions']} questions.")
        if report.faults.count:
            click.echo(f"\nFaults: {report.faults.count}\n{report.faults}")
        _say_warnings(report.warnings)
        click.echo("No faults." if report.is_usable else "Models are not trained on this.")
    sys.exit(0 if report.is_usable else 1)


def _say_warnings(warnings: Sequence[Finding]) -> None:
    if warnings:
        click.echo(f"\nWarnings: {len(warnings)}")
        for warning in warnings:
            click.echo(f"- {warning.text}\n  {warning.where()}")
        click.echo()


def _say_json(facts: dict[str, Any]) -> None:
    click.echo(json.dumps(facts, ensure_ascii=False, indent=2))


@contextmanager
def _clear_errors() -> Iterator[None]:
    """What a person can mend is said in a sentence, without a traceback."""
    try:
        yield
    except FinetuneError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _progress(title: str, *, is_hidden: bool) -> Iterator[Tell]:
    """Gives a function that is told what is done of what; its bar on standard error appears after two seconds."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bars = Progress(*columns, console=Console(stderr=True), disable=is_hidden)
    task = bars.add_task("", total=None)
    began = time.monotonic()

    def tell(done: int, total: int) -> None:
        if not bars.live.is_started and time.monotonic() - began > _QUICK_SECONDS:
            bars.start()
        bars.update(task, completed=done, total=total)

    try:
        yield tell
    finally:
        if bars.live.is_started:
            bars.stop()
