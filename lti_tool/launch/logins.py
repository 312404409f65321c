"""Logins that wait for their launch: state and nonce are issued together and used once.

Only hashes are stored. The state also carries what a new window needs to begin the same login again; as its hash is
stored, nobody can alter that part.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from lti_tool.db import fetch_one

# Longer hints are left out of the state, and with them the button for a new window.
_CARRIED_HINTS = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedLogin:
    """State and nonce for the platform; ``cookie_name`` and ``cookie_value`` for the browser."""

    state: str
    nonce: str
    cookie_name: str
    cookie_value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A stored login; ``is_expired`` after ten minutes.

    ``storage_target`` names the platform's frame that may keep the login's secret for a browser without cookies.
    """

    state_hash: bytes
    nonce_hash: bytes
    registration_id: int
    target_link_uri: str
    storage_target: str | None
    used_at: datetime | None
    is_expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginHints:
    """The platform's own words about who logs in where; echoed to it unaltered."""

    login_hint: str
    lti_message_hint: str | None


def sha256(text: str) -> bytes:
    """What is stored instead of a secret."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def issue_login(
    connection: Connection,
    registration_id: int,
    target_link_uri: str,
    hints: LoginHints,
    storage_target: str | None = None,
) -> IssuedLogin:
    """Store a new login for ten minutes and forget those of an hour ago."""
    binding = secrets.token_urlsafe(32)
    state = f"{binding}.{_packed(hints)}"
    nonce = secrets.token_urlsafe(32)
    connection.execute(
        "INSERT INTO logins (state_hash, nonce_hash, registration_id, target_link_uri, storage_target)"
        " VALUES (%s, %s, %s, %s, %s)",
        (sha256(state), sha256(nonce), registration_id, target_link_uri, storage_target),
    )
    purge(connection)
    return IssuedLogin(state=state, nonce=nonce, cookie_name=cookie_name(state), cookie_value=binding)


def purge(connection: Connection) -> None:
    """Forget some of the logins that are an hour old. Until then a second use is told from an unknown state."""
    connection.execute(
        "DELETE FROM logins WHERE state_hash IN (SELECT state_hash FROM logins"
        " WHERE created_at < now() - interval '1 hour' ORDER BY created_at LIMIT 500 FOR UPDATE SKIP LOCKED)"
    )


def find_login(connection: Connection, state: str) -> Login | None:
    """The login that issued this state, used or not."""
    return fetch_one(
        connection,
        Login,
        "SELECT state_hash, nonce_hash, registration_id, target_link_uri, storage_target, used_at,"
        " created_at <= now() - interval '10 minutes' AS is_expired FROM logins WHERE state_hash = %s",
        sha256(state),
    )


def use_login(connection: Connection, state_hash: bytes) -> bool:
    """Mark a login as used; ``False`` if it was used before or is too old.

    One statement, so that of any number of simultaneous launches exactly one goes on. It holds for the caller's
    transaction: if the launch fails after this, the login is free again.
    """
    used = connection.execute(
        "UPDATE logins SET used_at = now()"
        " WHERE state_hash = %s AND used_at IS NULL AND created_at > now() - interval '10 minutes' RETURNING 1",
        (state_hash,),
    )
    return used.fetchone() is not None


def cookie_name(state: str) -> str:
    """Name of the cookie that ties a state to a browser: one a login, so that tabs do not disturb each other."""
    return f"__Secure-state-{sha256(state).hex()[:16]}"


def storage_key(state: str) -> str:
    """The key under which the platform's frame keeps the secret of this state."""
    return f"mlquiz-state-{sha256(state).hex()[:32]}"


def is_of_this_browser(state: str, kept: str | None) -> bool:
    """Whether what this browser kept, in its cookie or in the platform's frame, was given out with the state."""
    return kept is not None and secrets.compare_digest(sha256(kept), sha256(state.partition(".")[0]))


def hints_of(state: str) -> LoginHints | None:
    """The hints that an issued state carries; ``None`` if they were too long to be carried."""
    packed = state.partition(".")[2]
    try:
        login_hint, lti_message_hint = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    except (ValueError, binascii.Error, TypeError):
        return None
    return LoginHints(login_hint=login_hint, lti_message_hint=lti_message_hint)


def _packed(hints: LoginHints) -> str:
    text = json.dumps([hints.login_hint, hints.lti_message_hint], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") if len(text) <= _CARRIED_HINTS else ""
