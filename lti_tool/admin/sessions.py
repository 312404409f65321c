"""How the administrator gets in: a link that the command line prints works once, what comes of it lasts twelve hours.

There are no accounts and no passwords: whoever may run commands where the tool runs may administer it. The database
holds hashes only.
"""

from __future__ import annotations

import secrets

from psycopg import Connection

from lti_tool.db import fetch_value
from lti_tool.launch.logins import sha256

LINK_MINUTES = 15
SESSION_SECONDS = 12 * 60 * 60


def create_link(connection: Connection) -> str:
    """The secret of a new sign-in link, good for 15 minutes and one use."""
    _forget_old(connection)
    secret = secrets.token_urlsafe(32)
    connection.execute(
        "INSERT INTO admin_sessions (secret_hash, kind, expires_at)"
        " VALUES (%s, 'LINK', now() + make_interval(mins => %s))",
        (sha256(secret), LINK_MINUTES),
    )
    return secret


def link_url(base_url: str, secret: str) -> str:
    """The address to open in a browser."""
    return f"{base_url}/admin/sign-in/{secret}"


def is_open_link(connection: Connection, secret: str) -> bool:
    """Whether the link can still be used; asking does not use it up."""
    found = fetch_value(
        connection,
        "SELECT 1 FROM admin_sessions WHERE secret_hash = %s AND kind = 'LINK' AND expires_at > now()",
        sha256(secret),
    )
    return found is not None


def start_session(connection: Connection, link_secret: str) -> str | None:
    """Use a link up: the secret of a new session, or ``None`` where the link was used, is too old or never was.

    One statement decides, so of two requests with one link one gets in.
    """
    cursor = connection.execute(
        "DELETE FROM admin_sessions WHERE secret_hash = %s AND kind = 'LINK' AND expires_at > now()",
        (sha256(link_secret),),
    )
    if cursor.rowcount != 1:
        return None
    secret = secrets.token_urlsafe(32)
    connection.execute(
        "INSERT INTO admin_sessions (secret_hash, kind, expires_at)"
        " VALUES (%s, 'SESSION', now() + make_interval(secs => %s))",
        (sha256(secret), SESSION_SECONDS),
    )
    return secret


def is_open_session(connection: Connection, secret: str) -> bool:
    """Whether a session of this secret is open."""
    found = fetch_value(
        connection,
        "SELECT 1 FROM admin_sessions WHERE secret_hash = %s AND kind = 'SESSION' AND expires_at > now()",
        sha256(secret),
    )
    return found is not None


def end_session(connection: Connection, secret: str) -> None:
    """Close a session for good."""
    connection.execute("DELETE FROM admin_sessions WHERE secret_hash = %s", (sha256(secret),))


def _forget_old(connection: Connection) -> None:
    connection.execute("DELETE FROM admin_sessions WHERE expires_at < now()")
