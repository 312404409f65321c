"""What an administrator sees of registrations, and what may be done with them. All of it across tenants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import Connection

from lti_tool.db import fetch_all, fetch_one, fetch_value
from lti_tool.errors import NotConfigured
from lti_tool.launch.platforms import (
    Deployment,
    PlatformWrong,
    Registration,
    get_registration,
    list_deployments,
    list_registrations,
)


class PlatformUnclear(NotConfigured):
    """No registration, or more than one, goes by what was given; the message lists what there is."""


class PlatformInUse(NotConfigured):
    """A registration cannot be removed: people have launched from there. The message names what would be lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What hangs on a registration."""

    people: int
    courses: int
    quizzes: int
    answers: int
    last_launch_at: datetime | None

    @property
    def is_none(self) -> bool:
        """Whether nothing would be lost with the registration."""
        return not (self.people or self.courses)

    def __str__(self) -> str:
        return f"{self.people} people, {self.courses} courses, {self.quizzes} quizzes, {self.answers} answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformOverview:
    """A registration with all that the administrator looks at."""

    registration: Registration
    deployments: tuple[Deployment, ...]
    usage: Usage

    @property
    def pending(self) -> tuple[Deployment, ...]:
        """Deployments that wait for the administrator."""
        return tuple(each for each in self.deployments if each.status == "PENDING")


# Reading ----------------------------------------------------------------------------------------------------------


def overview_of(connection: Connection, registration: Registration) -> PlatformOverview:
    """A registration with its deployments, those that wait first, and its usage."""
    deployments = sorted(list_deployments(connection, registration.id), key=lambda each: each.status != "PENDING")
    return PlatformOverview(
        registration=registration, deployments=tuple(deployments), usage=usage_of(connection, registration.id)
    )


def list_overviews(connection: Connection) -> list[PlatformOverview]:
    """All registrations: those with something to approve first, disabled ones last."""
    overviews = [overview_of(connection, registration) for registration in list_registrations(connection)]
    return sorted(overviews, key=lambda each: (each.registration.disabled_at is not None, not each.pending))


def usage_of(connection: Connection, registration_id: int) -> Usage:
    """What a registration holds. Drafts are no answers."""
    usage = fetch_one(
        connection,
        Usage,
        "SELECT (SELECT count(*) FROM users WHERE registration_id = %s) AS people,"
        " (SELECT count(*) FROM contexts WHERE registration_id = %s) AS courses,"
        " (SELECT count(*) FROM quizzes WHERE registration_id = %s) AS quizzes,"
        " (SELECT count(*) FROM submissions WHERE registration_id = %s AND status <> 'DRAFT') AS answers,"
        " (SELECT max(at) FROM audit_events WHERE registration_id = %s AND event = 'launch') AS last_launch_at",
        *[registration_id] * 5,
    )
    assert usage is not None
    return usage


def named_registration(connection: Connection, name: str) -> Registration:
    """The registration with this number, name or client id. Raises :class:`PlatformUnclear`."""
    registrations = list_registrations(connection)
    for found in (
        [each for each in registrations if name == str(each.id)],
        [each for each in registrations if name.casefold() == each.name.casefold()],
        [each for each in registrations if name == each.client_id],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            numbers = ", ".join(f"{each.id} ({each.issuer}, client {each.client_id})" for each in found)
            raise PlatformUnclear(f"{len(found)} platforms are called {name!r}, so give a number: {numbers}")
    known = ", ".join(f"{each.id} ({each.name})" for each in registrations) or "none yet"
    raise PlatformUnclear(f"no platform is called {name!r}. There is: {known}")


# Changing ---------------------------------------------------------------------------------------------------------


def enable_registration(connection: Connection, registration_id: int) -> None:
    """Let a disabled registration log in and launch again."""
    connection.execute("UPDATE registrations SET disabled_at = NULL WHERE id = %s", (registration_id,))


def update_registration(
    connection: Connection,
    registration_id: int,
    *,
    name: str,
    family: str,
    client_id: str,
    auth_login_url: str,
    auth_token_url: str,
    jwks_url: str,
) -> Registration:
    """Change what is known of a platform; its issuer stays, for another issuer is another platform.

    Raises :class:`PlatformWrong` where another registration at the platform has the client id.
    """
    try:
        with connection.transaction():
            connection.execute(
                "UPDATE registrations SET name = %s, client_id = %s, auth_login_url = %s, auth_token_url = %s,"
                " jwks_url = %s WHERE id = %s",
                (name, client_id, auth_login_url, auth_token_url, jwks_url, registration_id),
            )
    except psycopg.errors.UniqueViolation as error:
        raise PlatformWrong(f"client id {client_id[:60]!r}: another registration at this platform has it") from error
    connection.execute(
        "UPDATE platforms SET family = %s WHERE id = (SELECT platform_id FROM registrations WHERE id = %s)",
        (family, registration_id),
    )
    # What was fetched from the old addresses, or as the old client, must not outlive them.
    connection.execute("DELETE FROM platform_keys WHERE registration_id = %s", (registration_id,))
    connection.execute("DELETE FROM access_tokens WHERE registration_id = %s", (registration_id,))
    return get_registration(connection, registration_id)


def remove_registration(connection: Connection, registration_id: int) -> None:
    """Forget a registration from which nobody has launched, with its deployments.

    Raises :class:`PlatformInUse`, naming what would be lost, where somebody has.
    """
    registration = get_registration(connection, registration_id)
    usage = usage_of(connection, registration_id)
    if not usage.is_none:
        raise PlatformInUse(
            f"{registration.name} cannot be removed: with it {usage} would be lost. Disable it instead; that can be"
            " undone."
        )
    connection.execute("DELETE FROM deployments WHERE registration_id = %s", (registration_id,))
    platform_id = fetch_value(
        connection, "DELETE FROM registrations WHERE id = %s RETURNING platform_id", registration_id
    )
    connection.execute(
        "DELETE FROM platforms WHERE id = %s AND NOT EXISTS (SELECT 1 FROM registrations WHERE platform_id = %s)",
        (platform_id, platform_id),
    )


# The trail --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A line of the audit trail: a launch, a refusal with its code, or what an administrator did."""

    id: int
    at: datetime
    event: str
    registration_id: int | None
    platform_name: str | None
    correlation_id: str
    detail: str


def list_events(
    connection: Connection, *, days: int, registration_id: int | None = None, limit: int = 200
) -> list[Event]:
    """The newest events of the last days, of one registration or all."""
    return fetch_all(
        connection,
        Event,
        "SELECT e.id, e.at, e.event, e.registration_id, r.name AS platform_name, e.correlation_id,"
        " coalesce(e.details ->> 'detail', '') AS detail"
        " FROM audit_events e LEFT JOIN registrations r ON r.id = e.registration_id"
        " WHERE e.at > now() - make_interval(days => %s) AND (%s::numeric IS NULL OR e.registration_id = %s)"
        " ORDER BY e.id DESC LIMIT %s",
        days,
        registration_id,
        registration_id,
        limit,
    )


def find_events(connection: Connection, correlation_id: str) -> list[Event]:
    """What happened in the request with this number, which its error page shows."""
    return fetch_all(
        connection,
        Event,
        "SELECT e.id, e.at, e.event, e.registration_id, r.name AS platform_name, e.correlation_id,"
        " coalesce(e.details ->> 'detail', '') AS detail"
        " FROM audit_events e LEFT JOIN registrations r ON r.id = e.registration_id"
        " WHERE e.correlation_id = %s ORDER BY e.id DESC LIMIT 50",
        correlation_id,
    )
