"""``mlquiz submissions``: answers that students handed in."""

from __future__ import annotations

import click

from config import load_settings
from lti_tool.cli.database import opened_database
from lti_tool.cli.output import say, say_json


@click.group()
def submissions() -> None:
    """Answers that students handed in."""


@submissions.command("retry")
@click.option("--json", "as_json", is_flag=True, help="How many answers, as JSON.")
def submissions_retry(as_json: bool) -> None:
    """Grade again what could not be graded in five tries, after the cause was mended.

    \b
    Example:
      mlquiz submissions retry
    """
    from lti_tool.submissions.store import retry_stuck

    with opened_database(load_settings()) as database, database.across_tenants() as connection:
        count = retry_stuck(connection)
    if as_json:
        say_json({"retried": count})
    else:
        say(f"{count} answers wait for grading again")
