"""The command line: ``mlquiz``. Exit codes: 0 done, 1 something is wrong with the work, 2 wrong usage or settings."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from config import Settings, SettingsError, load_settings
from finetune.cli import train
from lti_tool import __version__
from lti_tool.errors import NotConfigured, ToolError

if TYPE_CHECKING:
    from lti_tool.db import Database

console = Console(stderr=False)
complaints = Console(stderr=True)


class _Commands(click.Group):
    """Shows errors that a person can mend as a sentence instead of a stack."""

    def invoke(self, ctx: click.Context) -> object:
        from grading.errors import GradingError

        try:
            return super().invoke(ctx)
        except SettingsError as error:
            complaints.print(Text(str(error), style="red"), soft_wrap=True)
            sys.exit(2)
        except NotConfigured as error:
            complaints.print(Text(str(error), style="red"), soft_wrap=True)
            sys.exit(2)
        except (ToolError, GradingError) as error:
            complaints.print(Text(str(error), style="red"), soft_wrap=True)
            sys.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mlquiz")
def main() -> None:
    """Free-text quiz questions for Moodle and Canvas: graded by S-BERT, explained by a small language model.

    \b
    mlquiz demo          see it all at work with a practice LMS
    mlquiz up            run everything on one machine
    mlquiz doctor        find out what is missing
    """


main.add_command(train)


# Running -----------------------------------------------------------------------------------------------------------


@main.command()
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
        with running_tool(settings, say=_say):
            console.print(f"[green]ready[/green]  {settings.base_url}   (Ctrl-C stops everything)")
            _wait_for_interrupt()
    except KeyboardInterrupt:
        console.print("stopped")


@main.command()
def web() -> None:
    """Run the web server alone (needs DATABASE_URL and BROKER_URL).

    \b
    Example:
      WEB_WORKERS=4 DATABASE_URL=postgresql://… BROKER_URL=redis://… mlquiz web
    """
    from lti_tool import create_app, db
    from lti_tool.server import serve

    settings = _settings_with_addresses()
    db.require_current_schema(settings.database_url.get_secret_value())
    _follow_parent()
    serve(
        lambda: create_app(settings),
        host=settings.web_host,
        port=settings.web_port,
        workers=settings.web_workers,
        threads=settings.web_threads,
    )


@main.command()
@click.option(
    "--queue",
    "queues",
    multiple=True,
    type=click.Choice(["grade", "explain", "deliver"]),
    help="What this worker does; may be given several times. Default: everything.",
)
def worker(queues: tuple[str, ...]) -> None:
    """Run a worker (needs DATABASE_URL and BROKER_URL). Models are loaded once per process.

    \b
    Examples:
      mlquiz worker --queue grade
      mlquiz worker --queue explain --queue deliver
    """
    from lti_tool import db
    from lti_tool.worker import QUEUES, run_worker

    settings = _settings_with_addresses()
    db.require_current_schema(settings.database_url.get_secret_value())
    _follow_parent()
    run_worker(settings, tuple(queue for queue in QUEUES if not queues or queue in queues))


@main.command()
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


@main.command()
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
def doctor(as_json: bool) -> None:
    """Look at every part and say what is wrong with which.

    \b
    Examples:
      mlquiz doctor
      mlquiz doctor --json | jq '.[] | select(.ok | not)'
    """
    from lti_tool.doctor import examine

    findings = []
    for finding in examine(load_settings()):
        findings.append(finding)
        if not as_json:
            mark = "[green]ok[/green]  " if finding.ok else "[red]FAIL[/red]"
            console.print(f"{mark}  {finding.part:<18}{finding.detail}", highlight=False)
            if not finding.ok:
                console.print(f"      → {finding.advice}", highlight=False)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    sys.exit(0 if all(finding.ok for finding in findings) else 1)


# Database ----------------------------------------------------------------------------------------------------------


@main.group()
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
        click.echo(json.dumps({"applied": applied}))
    else:
        console.print(f"applied: {', '.join(applied)}" if applied else "the schema is up to date")


# Platforms ---------------------------------------------------------------------------------------------------------


@main.group()
def platform() -> None:
    """Learning platforms that may launch the tool."""


@platform.command("add")
@click.option("--name", required=True, help="What people call it.")
@click.option("--issuer", required=True, help="The platform's issuer, exactly as it writes it.")
@click.option("--client-id", required=True, help="The client id that the platform gave this tool.")
@click.option("--auth-login-url", required=True, help="OpenID Connect authentication endpoint.")
@click.option("--auth-token-url", required=True, help="OAuth 2 access token endpoint.")
@click.option("--jwks-url", required=True, help="Public key set of the platform.")
@click.option("--deployment-id", "deployment_ids", multiple=True, help="A deployment to accept; may be repeated.")
@click.option("--family", type=click.Choice(["moodle", "canvas", "other"]), default="other", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The registration as JSON.")
def platform_add(deployment_ids: tuple[str, ...], as_json: bool, **values: str) -> None:
    """Register a platform, or change the addresses of one; prints what to enter on the platform's side.

    \b
    Example:
      mlquiz platform add --name "Moodle" --family moodle --issuer https://moodle.example.edu \\
        --client-id a1B2c3 --deployment-id 1 \\
        --auth-login-url https://moodle.example.edu/mod/lti/auth.php \\
        --auth-token-url https://moodle.example.edu/mod/lti/token.php \\
        --jwks-url https://moodle.example.edu/mod/lti/certs.php
    """
    from lti_tool.launch.platforms import add_platform

    settings = load_settings()
    with _database(settings) as database, database.across_tenants() as connection:
        registration = add_platform(connection, deployment_ids=deployment_ids, **values)
    addresses = {
        "login_url": f"{settings.base_url}/lti/login/{registration.login_key}",
        "launch_url": f"{settings.base_url}/lti/launch",
        "deep_linking_url": f"{settings.base_url}/lti/launch",
        "jwks_url": f"{settings.base_url}/lti/jwks.json",
    }
    if as_json:
        click.echo(json.dumps({"registration_id": registration.id, **addresses}))
        return
    if "localhost" in settings.base_url and values["issuer"].startswith("https://"):
        complaints.print("PUBLIC_URL is not set: these addresses work on this machine only", style="yellow")
    console.print("Enter these on the platform's side:")
    for name, address in addresses.items():
        console.print(f"  {name.replace('_', ' '):<18}{address}", highlight=False)


@platform.command("approve")
@click.option("--issuer", required=True, help="The platform's issuer.")
@click.option("--client-id", required=True, help="The client id of the registration.")
@click.option(
    "--deployment-id", required=True, help="The deployment to accept; `mlquiz platform list` shows what waits."
)
def platform_approve(issuer: str, client_id: str, deployment_id: str) -> None:
    """Accept launches from a further deployment of a registered platform.

    \b
    Example:
      mlquiz platform approve --issuer https://canvas.instructure.com --client-id 10000000000001 \\
        --deployment-id 42:8865aa05b4b79b64a91a86042e43af5ea8ae79eb
    """
    from lti_tool.launch.platforms import activate, list_registrations

    with _database(load_settings()) as database, database.across_tenants() as connection:
        found = [item for item in list_registrations(connection, issuer=issuer) if item.client_id == client_id]
        if not found:
            raise NotConfigured(f"no registration of {issuer} with client id {client_id}: see `mlquiz platform list`")
        activate(connection, found[0].id, deployment_id)
    console.print(f"deployment {deployment_id} is accepted", highlight=False)


@platform.command("list")
@click.option("--json", "as_json", is_flag=True, help="The registrations as JSON.")
def platform_list(as_json: bool) -> None:
    """List the registered platforms.

    \b
    Example:
      mlquiz platform list
    """
    from lti_tool.launch.platforms import list_deployments, list_registrations

    settings = load_settings()
    with _database(settings) as database, database.across_tenants() as connection:
        registrations = list_registrations(connection)
        deployments = {
            item.id: {each.deployment_id: each.status for each in list_deployments(connection, item.id)}
            for item in registrations
        }
    if as_json:
        facts = [
            {"id": item.id, "issuer": item.issuer, "client_id": item.client_id, "deployments": deployments[item.id]}
            for item in registrations
        ]
        click.echo(json.dumps(facts))
        return
    for item in registrations:  # whole addresses, to be copied: no table
        states = ", ".join(f"{name} ({state.lower()})" for name, state in deployments[item.id].items())
        click.echo(f"{item.id}. {item.name}  {item.issuer}")
        click.echo(f"   client id    {item.client_id}")
        click.echo(f"   deployments  {states or 'none yet'}")
        click.echo(f"   login URL    {settings.base_url}/lti/login/{item.login_key}")
    if not registrations:
        click.echo("No platform yet: see `mlquiz platform add --help`.")


# Submissions -------------------------------------------------------------------------------------------------------


@main.group()
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

    with _database(load_settings()) as database, database.across_tenants() as connection:
        count = retry_stuck(connection)
    click.echo(json.dumps({"retried": count}) if as_json else f"{count} answers wait for grading again")


# Grading -----------------------------------------------------------------------------------------------------------


@main.command()
@click.option("--question", required=True, help="What was asked.")
@click.option("--reference", "references", required=True, multiple=True, help="A model answer; may be repeated.")
@click.option("--answer", required=True, help="What the student wrote.")
@click.option("--language", default="", help="ISO 639-1 code; default: guessed from the model answer.")
@click.option("--json", "as_json", is_flag=True, help="The assessment as JSON.")
def grade(question: str, references: tuple[str, ...], answer: str, language: str, as_json: bool) -> None:
    """Grade one answer on the command line.

    \b
    Example:
      mlquiz grade --question "What is overfitting?" \\
        --reference "The model learns the noise of the training data and fails on new data." \\
        --answer "it memorises the training set"
    """
    from grading.domain import Question
    from grading.explanation.feedback import feedback_from
    from grading.explanation.template import template_text
    from grading.grader import load_grader
    from grading.text import language_of

    guessed = language or language_of(references[0])
    asked = Question(prompt=question, model_answers=references, language="en" if guessed == "und" else guessed)
    assessment = load_grader(load_settings()).assess(asked, [answer])[0]
    explanation = template_text(feedback_from(asked, answer, assessment))
    if as_json:
        facts = asdict(assessment) | {"flags": sorted(assessment.flags), "explanation": explanation}
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    console.print(
        f"{assessment.fraction:.2f}  (between {assessment.low:.2f} and {assessment.high:.2f})", highlight=False
    )
    if assessment.flags:
        console.print(f"flags: {', '.join(sorted(assessment.flags))}", highlight=False)
    console.print(explanation, highlight=False, markup=False)


# Helpers, in the order they are called -----------------------------------------------------------------------------


def _say(text: str) -> None:
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


def _follow_parent() -> None:
    from lti_tool.supervisor import PARENT_VARIABLE, die_with_parent

    parent = os.environ.get(PARENT_VARIABLE)
    if parent:
        die_with_parent(int(parent))


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
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
