"""``mlquiz audit``: the record of scores, decisions and deliveries, for those who run the tool."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click

from config import load_settings
from lti_tool.cli.database import opened_database
from lti_tool.cli.output import complain, say, say_json
from lti_tool.errors import NotConfigured


@click.group()
def audit() -> None:
    """The record: which score came from whom, what was decided, and every try to deliver."""


@audit.command("export")
@click.option("--platform", "name", required=True, help="Name, number or client id of the platform.")
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The CSV file to write.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Only what happened from this day or moment on, in UTC.",
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option("--json", "as_json", is_flag=True, help="What was written, as JSON.")
def audit_export(name: str, output: Path, since: datetime | None, force: bool, as_json: bool) -> None:
    """Write the record of all courses of a platform into a CSV file, one quiz in its course after the other.

    The file holds names: it is readable by you alone. docs/how-to/read-the-record.md says what is in it.

    \b
    Example:
      mlquiz audit export --platform "Our Moodle" --output record.csv --since 2026-09-01
    """
    from lti_tool.admin.store import named_registration
    from lti_tool.gradebook.record import iterate_record, list_placements
    from lti_tool.gradebook.record_csv import write_heading, write_rows

    if output.exists() and not force:
        raise NotConfigured(f"{output} exists already: choose another name, or --force to replace it")
    from_moment = since.replace(tzinfo=UTC) if since else None
    with opened_database(load_settings()) as database:
        with database.across_tenants() as connection:
            registration = named_registration(connection, name)
        with database.transaction(registration.id) as connection:
            placements = list_placements(connection)
        count = 0
        with _new_file(output) as file:
            write_heading(file)
            for number, placement in enumerate(placements, 1):
                with database.transaction(registration.id) as connection:
                    rows = iterate_record(connection, placement.id, since=from_moment)
                    count += write_rows(file, placement, rows)
                complain(f"{number} of {len(placements)}: {placement.course or '–'}, {placement.activity or '–'}")
    if as_json:
        say_json({"file": str(output), "placements": len(placements), "rows": count})
    else:
        say(f"{count} rows of {len(placements)} quizzes in {output}")


@contextmanager
def _new_file(path: Path) -> Iterator[TextIO]:
    """A file for its owner alone, which gets its name when it is whole. Raises :class:`NotConfigured`."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise NotConfigured(f"{path} cannot be written: {error.strerror}") from error
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
