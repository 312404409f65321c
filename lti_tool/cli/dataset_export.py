"""``mlquiz dataset export``: answers of courses and students that allow it, as a dataset to learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from config import load_settings
from lti_tool.cli.database import opened_database
from lti_tool.cli.output import complain, complaints, say, say_json

if TYPE_CHECKING:
    from lti_tool.exports.exporting import Exported


@click.command("export")
@click.option("--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder to write.")
@click.option("--quiz", "quizzes", multiple=True, type=click.UUID, help="Only this quiz, by its number; repeatable.")
@click.option("--course", "courses", multiple=True, help="Only this course, by title or number; repeatable.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Only what was handed in from this day or moment on, in UTC.",
)
@click.option("--all-scores", is_flag=True, help="Also answers with scores that no instructor confirmed.")
@click.option("--json", "as_json", is_flag=True, help="What was written, as JSON.")
def dataset_export(
    output: Path,
    quizzes: tuple[UUID, ...],
    courses: tuple[str, ...],
    since: datetime | None,
    all_scores: bool,
    as_json: bool,
) -> None:
    """Write released answers of courses and students that allow it into a dataset folder, without personal data.

    The folder is readable by you alone: what students write can tell who they are in ways that no program finds.
    docs/how-to/use-answers-for-training.md says what is in it.

    \b
    Example:
      mlquiz dataset export --output answers --course "Machine learning 101" --since 2026-09-01
    """
    from lti_tool.exports.exporting import export_dataset
    from lti_tool.exports.selection import Filters, named_courses, require_quizzes

    with opened_database(load_settings()) as database:
        with database.across_tenants() as connection:
            require_quizzes(connection, quizzes)
            numbers = named_courses(connection, courses)
        filters = Filters(
            quizzes=quizzes,
            courses=numbers,
            since=since.replace(tzinfo=UTC) if since else None,
            all_scores=all_scores,
        )
        with _progress(is_hidden=as_json) as (begun, advance):
            exported = export_dataset(database, output, filters, begun=begun, advance=advance)
    if as_json:
        say_json(_facts(output, exported))
        return
    counts, digest = exported.manifest.counts, exported.manifest.digest
    say(f"{counts['examples']} answers to {counts['questions']} questions in {output}, dataset {digest}")
    say(f"taken out: {_listed(exported.scrubbed) or 'nothing'}")
    say(f"left out: {_listed(exported.tally.left_out()) or 'nothing'}")
    complain("Look through it before you give it away: what students write can tell who they are in other ways.")


@contextmanager
def _progress(*, is_hidden: bool) -> Iterator[tuple[Callable[[int], None], Callable[[int], None]]]:
    from rich.progress import Progress

    with Progress(console=complaints, disable=is_hidden, transient=True) as bars:
        task = bars.add_task("exporting", total=None)
        yield lambda total: bars.update(task, total=total), lambda count: bars.advance(task, count)


def _facts(output: Path, exported: Exported) -> dict[str, object]:
    return {
        "folder": str(output),
        "digest": exported.manifest.digest,
        "counts": dict(exported.manifest.counts),
        "scrubbed": dict(exported.scrubbed),
        "left_out": exported.tally.left_out(),
    }


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)
