"""``mlquiz db``: the schema; and the database for all commands that look into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from config import Settings, load_settings
from lti_tool.cli.output import console, say_json
from lti_tool.errors import NotConfigured

if TYPE_CHECKING:
    from lti_tool.db import Database


@click.group()
def db() -> None:
    """The database's schema."""


@db.command("upgrade")
@click.option("--json", "as_json", is_flag=True, help="The applied migrations as JSON.")
def db_upgrade(as_json: bool) -> None:
    """Create the schema or bring it up to date; safe to run again.

    \b
    Example:
      DATABASE_URL=postgresql://… mlquiz db upgrade
    """
    from lti_tool import db as database
    from lti_tool.embedded import embedded_servers

    with embedded_servers(load_settings(), broker=False) as servers:
        applied = database.upgrade(servers.database_owner, tool=servers.database)
    if as_json:
        say_json({"applied": applied})
    else:
        console.print(f"applied: {', '.join(applied)}" if applied else "the schema is up to date")


@contextmanager
def opened_database(settings: Settings) -> Iterator[Database]:
    """The database with its schema up to date; an embedded server runs for as long as the command does."""
    from lti_tool.db import Database, upgrade
    from lti_tool.embedded import embedded_servers

    if not settings.database_url.get_secret_value() and not settings.data_path.exists():
        raise NotConfigured(
            f"no data in {settings.data_path}: run this where the tool runs, or set DATA_DIR or DATABASE_URL"
            " (`mlquiz up` begins a new one)"
        )
    with embedded_servers(settings, broker=False) as servers:
        upgrade(servers.database_owner, tool=servers.database)
        database = Database(servers.database)
        try:
            yield database
        finally:
            database.close()
