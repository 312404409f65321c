"""Invitations: an address that lets one platform register itself once.

Nobody becomes a platform here without one. Only the hash of its secret is kept, so the address is shown once.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import Connection

from lti_tool.db import fetch_all, fetch_one

INVITATION_DAYS = 7
_MAX_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """An address that was made for a platform.

    ``name`` is what the administrator calls the platform, ``registration_id`` what came of it. ``wants_names``: the
    platform is asked to send people's names along with launches.
    """

    id: int
    name: str
    wants_names: bool
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    registration_id: int | None

    @property
    def status(self) -> str:
        """OPEN, USED or EXPIRED."""
        if self.used_at is not None:
            return "USED"
        return "OPEN" if datetime.now(UTC) < self.expires_at else "EXPIRED"


def create_invitation(connection: Connection, *, name: str, wants_names: bool) -> tuple[Invitation, str]:
    """A new invitation for seven days, and its secret, which is nowhere else from now on.

    ``name`` is cut to 200 characters. The address to paste is :func:`invitation_url`.
    """
    secret = secrets.token_urlsafe(32)
    invitation = fetch_one(
        connection,
        Invitation,
        "INSERT INTO invitations (secret_hash, name, wants_names, expires_at)"
        " VALUES (%s, %s, %s, now() + make_interval(days => %s))"
        " RETURNING id, name, wants_names, created_at, expires_at, used_at, registration_id",
        _hash(secret),
        name.strip()[:_MAX_NAME],
        wants_names,
        INVITATION_DAYS,
    )
    assert invitation is not None
    return invitation, secret


def invitation_url(base_url: str, secret: str) -> str:
    """The address that the administrator pastes into the platform."""
    return f"{base_url}/lti/register/{secret}"


def list_invitations(connection: Connection) -> list[Invitation]:
    """All invitations, newest first; those that are over as well."""
    return fetch_all(
        connection,
        Invitation,
        "SELECT id, name, wants_names, created_at, expires_at, used_at, registration_id"
        " FROM invitations ORDER BY id DESC",
    )


def find_invitation(connection: Connection, secret: str) -> Invitation | None:
    """The invitation with this secret, whatever became of it."""
    return fetch_one(
        connection,
        Invitation,
        "SELECT id, name, wants_names, created_at, expires_at, used_at, registration_id"
        " FROM invitations WHERE secret_hash = %s",
        _hash(secret),
    )


def revoke_invitation(connection: Connection, invitation_id: int) -> bool:
    """Forget an invitation that was not used; ``False`` where there is none such."""
    cursor = connection.execute("DELETE FROM invitations WHERE id = %s AND used_at IS NULL", (invitation_id,))
    return cursor.rowcount == 1


def use_invitation(connection: Connection, invitation_id: int) -> bool:
    """Mark an open invitation as used; ``False`` where it was used, revoked or is too old.

    One statement decides, so two requests that come at once cannot both register.
    """
    cursor = connection.execute(
        "UPDATE invitations SET used_at = now() WHERE id = %s AND used_at IS NULL AND expires_at > now()",
        (invitation_id,),
    )
    return cursor.rowcount == 1


def name_what_came_of_it(connection: Connection, invitation_id: int, registration_id: int) -> None:
    """Note which registration a used invitation led to."""
    connection.execute(
        "UPDATE invitations SET registration_id = %s WHERE id = %s AND used_at IS NOT NULL",
        (registration_id, invitation_id),
    )


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
