"""``mlquiz platform``: who may launch the tool. Registrations, their deployments, and invitations to register."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from config import Settings, load_settings
from lti_tool.cli.database import opened_database
from lti_tool.cli.output import complain, console, say, say_json
from lti_tool.errors import NotConfigured

if TYPE_CHECKING:
    from psycopg import Connection

    from lti_tool.admin.store import PlatformOverview
    from lti_tool.launch.platforms import Registration


@click.group()
def platform() -> None:
    """Learning platforms that may launch the tool.

    A platform goes by its name, its number in `mlquiz platform list`, or the client id it gave this tool.
    """


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
def platform_add(
    name: str,
    issuer: str,
    client_id: str,
    auth_login_url: str,
    auth_token_url: str,
    jwks_url: str,
    deployment_ids: tuple[str, ...],
    family: str,
    as_json: bool,
) -> None:
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
    with _all_tenants(settings) as connection:
        registration = add_platform(
            connection,
            name=name,
            family=family,
            issuer=issuer,
            client_id=client_id,
            auth_login_url=auth_login_url,
            auth_token_url=auth_token_url,
            jwks_url=jwks_url,
            deployment_ids=deployment_ids,
        )
        _record(connection, "platform-added", registration)
    addresses = {
        "login_url": f"{settings.base_url}/lti/login/{registration.login_key}",
        "launch_url": f"{settings.base_url}/lti/launch",
        "deep_linking_url": f"{settings.base_url}/lti/launch",
        "jwks_url": f"{settings.base_url}/lti/jwks.json",
    }
    if as_json:
        say_json({"registration_id": registration.id, **addresses})
        return
    if issuer.startswith("https://"):
        warn_of_local_addresses(settings)
    console.print("Enter these on the platform's side:")
    for kind, address in addresses.items():
        say(f"  {kind.replace('_', ' '):<18}{address}")
    say(f"Then check it: mlquiz doctor --platform {registration.id}")


@platform.command("list")
@click.option("--json", "as_json", is_flag=True, help="The registrations as JSON.")
def platform_list(as_json: bool) -> None:
    """List the registered platforms, their deployments, and when somebody last launched from there.

    \b
    Example:
      mlquiz platform list
    """
    from lti_tool.admin.store import list_overviews

    settings = load_settings()
    with _all_tenants(settings) as connection:
        overviews = list_overviews(connection)
    if as_json:
        say_json([_facts_of(overview, settings) for overview in overviews])
        return
    for overview in overviews:  # whole addresses, to be copied: no table
        registration = overview.registration
        states = ", ".join(f"{each.deployment_id} ({each.status.lower()})" for each in overview.deployments)
        say(f"{registration.id}. {registration.name}  {registration.issuer}" + _state_of(registration))
        say(f"   client id    {registration.client_id}")
        say(f"   deployments  {states or 'none yet'}")
        say(f"   login URL    {settings.base_url}/lti/login/{registration.login_key}")
        say(f"   last launch  {_moment(overview.usage.last_launch_at)}")
    if not overviews:
        say("No platform yet: see `mlquiz platform invite --help` and `mlquiz platform add --help`.")


# Deployments -------------------------------------------------------------------------------------------------------


@platform.command("approve")
@click.argument("name", required=False)
@click.option("--issuer", help="Instead of NAME: the platform's issuer, together with --client-id.")
@click.option("--client-id", help="Instead of NAME: the client id of the registration.")
@click.option("--deployment-id", help="The deployment to accept. Default: the one that waits.")
def platform_approve(name: str | None, issuer: str | None, client_id: str | None, deployment_id: str | None) -> None:
    """Accept launches from a further deployment of a registered platform.

    \b
    Examples:
      mlquiz platform approve "Our Moodle"
      mlquiz platform approve 2 --deployment-id 42:8865aa05b4b79b64a91a86042e43af5ea8ae79eb
    """
    from lti_tool.launch.platforms import activate

    with _all_tenants(load_settings()) as connection:
        registration = _registration(connection, name, issuer, client_id)
        deployment_id = _settle(connection, registration, deployment_id, activate, "platform-approved")
    say(f"deployment {deployment_id} is accepted")


@platform.command("refuse")
@click.argument("name", required=False)
@click.option("--issuer", help="Instead of NAME: the platform's issuer, together with --client-id.")
@click.option("--client-id", help="Instead of NAME: the client id of the registration.")
@click.option("--deployment-id", help="The deployment to refuse. Default: the one that waits.")
def platform_refuse(name: str | None, issuer: str | None, client_id: str | None, deployment_id: str | None) -> None:
    """Refuse launches from a deployment, also one that was accepted before; `approve` takes it back.

    \b
    Example:
      mlquiz platform refuse "Our Moodle" --deployment-id 7
    """
    from lti_tool.launch.platforms import disable_deployment

    with _all_tenants(load_settings()) as connection:
        registration = _registration(connection, name, issuer, client_id)
        deployment_id = _settle(connection, registration, deployment_id, disable_deployment, "platform-refused")
    say(f"deployment {deployment_id} is refused")


# Whole platforms ---------------------------------------------------------------------------------------------------


@platform.command("disable")
@click.argument("name")
def platform_disable(name: str) -> None:
    """Refuse logins, launches and open pages of a platform from now on; all it holds stays, `enable` undoes it.

    \b
    Example:
      mlquiz platform disable "Our Moodle"
    """
    from lti_tool.launch.platforms import disable_registration

    with _all_tenants(load_settings()) as connection:
        registration = _registration(connection, name)
        disable_registration(connection, registration.id)
        _record(connection, "platform-disabled", registration)
    say(f"{registration.name} is disabled")


@platform.command("enable")
@click.argument("name")
def platform_enable(name: str) -> None:
    """Let a disabled platform launch again.

    \b
    Example:
      mlquiz platform enable "Our Moodle"
    """
    from lti_tool.admin.store import enable_registration

    with _all_tenants(load_settings()) as connection:
        registration = _registration(connection, name)
        enable_registration(connection, registration.id)
        _record(connection, "platform-enabled", registration)
    say(f"{registration.name} is enabled")


@platform.command("remove")
@click.argument("name")
def platform_remove(name: str) -> None:
    """Forget a platform from which nobody has launched. Where somebody has, it says what would be lost.

    \b
    Example:
      mlquiz platform remove "Mistyped Moodle"
    """
    from lti_tool.admin.store import remove_registration

    with _all_tenants(load_settings()) as connection:
        registration = _registration(connection, name)
        remove_registration(connection, registration.id)
        _record(connection, "platform-removed", registration)
    say(f"{registration.name} is removed")


# What the commands share, in the order of use -----------------------------------------------------------------------


@contextmanager
def _all_tenants(settings: Settings) -> Iterator[Connection]:
    with opened_database(settings) as database, database.across_tenants() as connection:
        yield connection


def warn_of_local_addresses(settings: Settings) -> None:
    """Say so where the addresses that follow cannot be reached from elsewhere."""
    if urlsplit(settings.base_url).hostname in {"localhost", "127.0.0.1", "::1"}:
        reason = "names this machine" if settings.public_url else "is not set"
        complain(f"PUBLIC_URL {reason}: these addresses work on this machine only")


def _facts_of(overview: PlatformOverview, settings: Settings) -> dict[str, object]:
    registration, usage = overview.registration, overview.usage
    return {
        "id": registration.id,
        "name": registration.name,
        "family": registration.family,
        "issuer": registration.issuer,
        "client_id": registration.client_id,
        "is_enabled": registration.disabled_at is None,
        "login_url": f"{settings.base_url}/lti/login/{registration.login_key}",
        "deployments": {each.deployment_id: each.status for each in overview.deployments},
        "people": usage.people,
        "courses": usage.courses,
        "answers": usage.answers,
        "last_launch_at": usage.last_launch_at.isoformat() if usage.last_launch_at else None,
    }


def _state_of(registration: Registration) -> str:
    return "  (disabled)" if registration.disabled_at else ""


def _moment(at: datetime | None) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M %Z") if at else "never"


def _registration(
    connection: Connection, name: str | None, issuer: str | None = None, client_id: str | None = None
) -> Registration:
    """The registration that the arguments mean. Raises :class:`NotConfigured` naming what there is."""
    from lti_tool.admin.store import named_registration
    from lti_tool.launch.platforms import list_registrations

    if name is not None:
        return named_registration(connection, name)
    if not issuer or not client_id:
        raise click.UsageError("give the platform's NAME or number, or --issuer and --client-id")
    found = [each for each in list_registrations(connection, issuer=issuer) if each.client_id == client_id]
    if not found:
        raise NotConfigured(f"no registration of {issuer} with client id {client_id}: see `mlquiz platform list`")
    return found[0]


def _settle(
    connection: Connection,
    registration: Registration,
    deployment_id: str | None,
    decide: Callable[[Connection, int, str], object],
    event: str,
) -> str:
    """Accept or refuse a deployment, by default the one that waits, and note it; its id."""
    settled = deployment_id or _waiting_deployment(connection, registration)
    decide(connection, registration.id, settled)
    _record(connection, event, registration, f"deployment {settled}")
    return settled


def _waiting_deployment(connection: Connection, registration: Registration) -> str:
    from lti_tool.launch.platforms import list_deployments

    waiting = [each for each in list_deployments(connection, registration.id) if each.status == "PENDING"]
    if len(waiting) == 1:
        return waiting[0].deployment_id
    names = ", ".join(each.deployment_id for each in waiting) or "none"
    raise NotConfigured(f"say which with --deployment-id; waiting at {registration.name}: {names}")


def _record(connection: Connection, event: str, registration: Registration, detail: str = "by command") -> None:
    from lti_tool.launch.audit import record_event

    record_event(connection, event, registration_id=registration.id, detail=detail)
