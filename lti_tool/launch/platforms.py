"""Who may launch: platforms, our registrations at them, and the deployments of a registration.

A Registration is (issuer, client id); on Canvas all schools share one issuer. Deployments are learned from launches
and wait for approval unless they were named when the platform was added.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from psycopg import Connection

from lti_tool.db import fetch_all, fetch_one, fetch_value
from lti_tool.errors import NotConfigured

FAMILIES = ("moodle", "canvas", "other")
MAX_NAME = 200
MAX_PENDING = 50
# A host as browsers write it; whatever else stands there could be read as more than a host in a header.
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Our client at a platform, joined with the platform's row."""

    id: int
    issuer: str
    name: str
    family: str
    client_id: str
    login_key: UUID
    auth_login_url: str
    auth_token_url: str
    jwks_url: str
    created_at: datetime
    disabled_at: datetime | None

    @property
    def origins(self) -> tuple[str, ...]:
        """Origins of the platform's pages as far as they are registered: issuer and login, without repeats."""
        origins = (origin_of(url) for url in (self.issuer, self.auth_login_url))
        return tuple(dict.fromkeys(origin for origin in origins if origin))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One installation of a Registration; ``status`` is PENDING, ACTIVE or DISABLED."""

    id: int
    registration_id: int
    deployment_id: str
    status: str
    created_at: datetime


class PlatformWrong(NotConfigured):
    """A platform cannot be added as described; the message names the value."""


class FamilyDiffers(PlatformWrong):
    """The issuer has registrations already, and they say that it is another kind of platform."""


def origin_of(url: str) -> str:
    """``scheme://host[:port]`` of an http(s) URL, ``""`` for anything else (an issuer need not be a web address)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(parts.hostname or ""):
        return ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if port in (None, default) else f":{port}")


# Registrations ----------------------------------------------------------------------------------------------------


def find_registration_by_login_key(connection: Connection, login_key: UUID) -> Registration | None:
    """The registration whose login URL has this key."""
    return fetch_one(
        connection,
        Registration,
        "SELECT r.id, p.issuer, r.name, p.family, r.client_id, r.login_key, r.auth_login_url, r.auth_token_url,"
        " r.jwks_url, r.created_at, r.disabled_at"
        " FROM registrations r JOIN platforms p ON p.id = r.platform_id WHERE r.login_key = %s",
        login_key,
    )


def find_registration(connection: Connection, registration_id: int) -> Registration | None:
    """The registration with this id."""
    return fetch_one(
        connection,
        Registration,
        "SELECT r.id, p.issuer, r.name, p.family, r.client_id, r.login_key, r.auth_login_url, r.auth_token_url,"
        " r.jwks_url, r.created_at, r.disabled_at"
        " FROM registrations r JOIN platforms p ON p.id = r.platform_id WHERE r.id = %s",
        registration_id,
    )


def get_registration(connection: Connection, registration_id: int) -> Registration:
    """The registration with this id. Raises :class:`LookupError`: an id comes from a foreign key, so it exists."""
    registration = find_registration(connection, registration_id)
    if registration is None:
        raise LookupError(f"there is no registration {registration_id}")
    return registration


def list_registrations(connection: Connection, *, issuer: str | None = None) -> list[Registration]:
    """All registrations, or those of one issuer (compared to the letter), oldest first."""
    return fetch_all(
        connection,
        Registration,
        "SELECT r.id, p.issuer, r.name, p.family, r.client_id, r.login_key, r.auth_login_url, r.auth_token_url,"
        " r.jwks_url, r.created_at, r.disabled_at"
        " FROM registrations r JOIN platforms p ON p.id = r.platform_id"
        " WHERE %s::text IS NULL OR p.issuer = %s ORDER BY r.id",
        issuer,
        issuer,
    )


def add_platform(
    connection: Connection,
    *,
    issuer: str,
    client_id: str,
    auth_login_url: str,
    auth_token_url: str,
    jwks_url: str,
    family: str = "other",
    name: str = "",
    deployment_ids: Iterable[str] = (),
    login_key: UUID | None = None,
    source: str = "MANUAL",
) -> Registration:
    """Add a platform with our registration there, or update both if issuer and client id are known.

    The deployments named are ACTIVE at once. A new registration gets ``login_key`` (else a random one) and ``source``
    (MANUAL or DYNAMIC), a known one keeps its own. Raises :class:`PlatformWrong` naming the value that cannot be used.
    """
    _check_platform(issuer=issuer, client_id=client_id, family=family, name=name)
    for label, url in (("login", auth_login_url), ("token", auth_token_url), ("key set", jwks_url)):
        _check_url(label, url)
    _check_family(connection, issuer=issuer, client_id=client_id, family=family)
    platform_id = fetch_value(
        connection,
        "INSERT INTO platforms (issuer, family) VALUES (%s, %s)"
        " ON CONFLICT (issuer) DO UPDATE SET family = EXCLUDED.family RETURNING id",
        issuer,
        family,
    )
    registration_id = fetch_value(
        connection,
        "INSERT INTO registrations"
        " (platform_id, name, client_id, auth_login_url, auth_token_url, jwks_url, login_key, source)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (platform_id, client_id) DO UPDATE SET"
        " name = EXCLUDED.name, auth_login_url = EXCLUDED.auth_login_url, auth_token_url = EXCLUDED.auth_token_url,"
        " jwks_url = EXCLUDED.jwks_url, disabled_at = NULL RETURNING id",
        platform_id,
        name or (origin_of(issuer).partition("://")[2] or issuer)[:MAX_NAME],
        client_id,
        auth_login_url,
        auth_token_url,
        jwks_url,
        login_key or uuid4(),
        source,
    )
    assert isinstance(registration_id, int)
    # Keys that were cached under an earlier address must not outlive it.
    connection.execute("DELETE FROM platform_keys WHERE registration_id = %s", (registration_id,))
    for deployment_id in deployment_ids:
        activate(connection, registration_id, deployment_id)
    return get_registration(connection, registration_id)


def is_client_elsewhere(connection: Connection, *, issuer: str, client_id: str) -> bool:
    """Whether another issuer knows us under this client id.

    Our assertions to a platform that chose it would open the services of the other one as well, where that does not
    look whom an assertion is for: Moodle's token.php looks at subject and signature only.
    """
    return bool(
        fetch_value(
            connection,
            "SELECT EXISTS (SELECT 1 FROM registrations r JOIN platforms p ON p.id = r.platform_id"
            " WHERE r.client_id = %s AND p.issuer <> %s)",
            client_id,
            issuer,
        )
    )


def disable_registration(connection: Connection, registration_id: int) -> None:
    """Refuse logins, launches and open sessions of a registration from now on; adding it again enables it."""
    connection.execute("UPDATE registrations SET disabled_at = now() WHERE id = %s", (registration_id,))


# Deployments ------------------------------------------------------------------------------------------------------


def find_deployment(connection: Connection, registration_id: int, deployment_id: str) -> Deployment | None:
    """The deployment that the platform calls ``deployment_id``."""
    return fetch_one(
        connection,
        Deployment,
        "SELECT id, registration_id, deployment_id, status, created_at FROM deployments"
        " WHERE registration_id = %s AND deployment_id = %s",
        registration_id,
        deployment_id,
    )


def list_deployments(connection: Connection, registration_id: int) -> list[Deployment]:
    """All deployments of a registration, oldest first."""
    return fetch_all(
        connection,
        Deployment,
        "SELECT id, registration_id, deployment_id, status, created_at FROM deployments"
        " WHERE registration_id = %s ORDER BY id",
        registration_id,
    )


def add_pending_deployment(connection: Connection, registration_id: int, deployment_id: str) -> None:
    """Note a deployment that a verified launch named, for the administrator to approve; known ones stay as they are.

    No more than fifty wait at a time, so that a platform cannot fill the table and the administrator's page.
    """
    connection.execute(
        "INSERT INTO deployments (registration_id, deployment_id) SELECT %s, %s"
        " WHERE (SELECT count(*) FROM deployments WHERE registration_id = %s AND status = 'PENDING') < %s"
        " ON CONFLICT (registration_id, deployment_id) DO NOTHING",
        (registration_id, deployment_id, registration_id, MAX_PENDING),
    )


def activate(connection: Connection, registration_id: int, deployment_id: str) -> Deployment:
    """Let a deployment launch, known before or not. Raises :class:`PlatformWrong` for an id that cannot be one."""
    return _set_status(connection, registration_id, deployment_id, "ACTIVE")


def disable_deployment(connection: Connection, registration_id: int, deployment_id: str) -> Deployment:
    """Refuse launches and open sessions of a deployment from now on."""
    return _set_status(connection, registration_id, deployment_id, "DISABLED")


def _set_status(connection: Connection, registration_id: int, deployment_id: str, status: str) -> Deployment:
    if not 1 <= len(deployment_id) <= 255 or "\x00" in deployment_id:
        raise PlatformWrong(f"deployment id {deployment_id[:40]!r}: expected 1 to 255 characters")
    deployment = fetch_one(
        connection,
        Deployment,
        "INSERT INTO deployments (registration_id, deployment_id, status) VALUES (%s, %s, %s)"
        " ON CONFLICT (registration_id, deployment_id) DO UPDATE SET status = EXCLUDED.status"
        " RETURNING id, registration_id, deployment_id, status, created_at",
        registration_id,
        deployment_id,
        status,
    )
    assert deployment is not None
    return deployment


# Checks -----------------------------------------------------------------------------------------------------------


def _check_platform(*, issuer: str, client_id: str, family: str, name: str) -> None:
    if len(name) > MAX_NAME or "\x00" in name:
        raise PlatformWrong(f"name {name[:40]!r}: expected at most {MAX_NAME} characters")
    if not 8 <= len(issuer) <= 2000 or any(character.isspace() or character == "\x00" for character in issuer):
        raise PlatformWrong(f"issuer {issuer[:60]!r}: expected the platform's issuer, e.g. https://moodle.example.edu")
    if not 1 <= len(client_id) <= 255 or "\x00" in client_id:
        raise PlatformWrong("client id: expected 1 to 255 characters, as the platform shows it")
    if family not in FAMILIES:
        raise PlatformWrong(f"family {family!r}: expected one of {', '.join(FAMILIES)}")


def _check_family(connection: Connection, *, issuer: str, client_id: str, family: str) -> None:
    """Nobody's new registration makes another kind of platform out of one that others use."""
    known = fetch_value(
        connection,
        "SELECT p.family FROM platforms p JOIN registrations r ON r.platform_id = p.id"
        " WHERE p.issuer = %s AND r.client_id <> %s LIMIT 1",
        issuer,
        client_id,
    )
    if known is not None and known != family:
        raise FamilyDiffers(f"family {family!r}: {issuer} has other registrations and is known as {known!r}")


def _check_url(label: str, url: str) -> None:
    parts = urlsplit(url) if url.isascii() and url.isprintable() and " " not in url else None
    if parts is None or not origin_of(url) or parts.username is not None or parts.fragment:
        raise PlatformWrong(f"{label} URL {url[:100]!r}: expected an address such as https://moodle.example.edu/…")
