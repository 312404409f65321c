"""``mlquiz up``, ``web``, ``worker`` and ``demo``: run all of the tool, or one process of it."""

from __future__ import annotations

import os
import sys

import click

from config import Settings, load_settings
from lti_tool.cli.output import console
from lti_tool.errors import NotConfigured


@click.command()
def up() -> None:
    """Run everything: servers, web, workers; stops it all on Ctrl-C.

    \b
    Example:
      PUBLIC_URL=https://quiz.example.edu mlquiz up
    """
    from lti_tool.supervisor import require_free_ports, running_tool

    settings = load_settings()
    require_free_ports(WEB_PORT=settings.web_port)
    try:
        with running_tool(settings, say=_tell):
            console.print(f"[green]ready[/green]  {settings.base_url}   (Ctrl-C stops everything)")
            _wait_for_interrupt()
    except KeyboardInterrupt:
        console.print("stopped")


@click.command()
def web() -> None:
    """Run the web server alone (needs DATABASE_URL and BROKER_URL).

    \b
    Example:
      WEB_WORKERS=4 DATABASE_URL=postgresql://… BROKER_URL=redis://… mlquiz web
    """
    from lti_tool import create_app
    from lti_tool.server import serve

    settings = _settings_with_addresses()
    _require_fit_database(settings)
    _make_first_key(settings)
    _follow_parent()
    serve(
        lambda: create_app(settings),
        host=settings.web_host,
        port=settings.web_port,
        workers=settings.web_workers,
        threads=settings.web_threads,
    )


@click.command()
@click.option(
    "--queue",
    "queues",
    multiple=True,
    type=click.Choice(["grade", "explain", "deliver", "train"]),
    help="What this worker does; may be given several times. Default: everything.",
)
def worker(queues: tuple[str, ...]) -> None:
    """Run a worker (needs DATABASE_URL and BROKER_URL). Models are loaded once per process.

    \b
    Examples:
      mlquiz worker --queue grade
      mlquiz worker --queue explain --queue deliver
    """
    from lti_tool.worker import QUEUES, run_worker

    settings = _settings_with_addresses()
    _require_fit_database(settings)
    _follow_parent()
    run_worker(settings, tuple(queue for queue in QUEUES if not queues or queue in queues))


@click.command()
@click.option("--once", is_flag=True, help="End after the table; exit 0 only if the gradebook equals the database.")
def demo(once: bool) -> None:
    """Do the main job for real: practice LMS, deep linking, four students, grades in the gradebook.

    \b
    Example:
      mlquiz demo --once
    """
    from lti_tool.demo import run_demo

    try:
        sys.exit(run_demo(load_settings(), once=once))
    except KeyboardInterrupt:
        console.print("\nstopped")


def _tell(text: str) -> None:
    console.print(f"[dim]starting[/dim] {text}", highlight=False)


def _wait_for_interrupt() -> None:
    import threading

    threading.Event().wait()


def _settings_with_addresses() -> Settings:
    """Settings of a process that is one of several: it starts no servers."""
    settings = load_settings()
    missing = [
        name
        for name, value in (("DATABASE_URL", settings.database_url), ("BROKER_URL", settings.broker_url))
        if not value.get_secret_value()
    ]
    if missing:
        raise NotConfigured(f"{' and '.join(missing)} not set: set it, or run everything with `mlquiz up`")
    return settings


def _require_fit_database(settings: Settings) -> None:
    from lti_tool import db

    conninfo = settings.database_url.get_secret_value()
    db.require_current_schema(conninfo)
    if settings.environment == "production":
        db.require_bound_role(conninfo)


def _make_first_key(settings: Settings) -> None:
    """Before the first request: no platform that fetches our key set waits for a key to be made."""
    from lti_tool.db import Database
    from lti_tool.launch.keys import ensure_key
    from lti_tool.secrets import app_secret

    database = Database(settings.database_url.get_secret_value(), max_connections=1)
    try:
        with database.across_tenants() as connection:
            ensure_key(connection, app_secret(settings))
    finally:
        database.close()


def _follow_parent() -> None:
    from lti_tool.supervisor import PARENT_VARIABLE, die_with_parent

    parent = os.environ.get(PARENT_VARIABLE)
    if parent:
        die_with_parent(int(parent))
