"""The trail of logins, launches and refusals: append-only, without claims, names or tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb


def record_event(
    connection: Connection,
    event: str,
    *,
    registration_id: int | None = None,
    user_id: int | None = None,
    nonce_hash: bytes | None = None,
    detail: str = "",
    correlation_id: str = "",
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Append one event; ``detail`` is one of our own sentences, never a value that was sent.

    ``facts`` are numbers of rows, what a person wrote as a reason, and figures that a decision rests on; empty ones are
    left out.
    """
    details: dict[str, Any] = {"detail": detail[:300], "nonce_sha256": nonce_hash.hex() if nonce_hash else ""}
    details |= facts or {}
    connection.execute(
        "INSERT INTO audit_events (event, registration_id, user_id, correlation_id, details)"
        " VALUES (%s, %s, %s, %s, %s)",
        (
            event,
            registration_id,
            user_id,
            correlation_id,
            Jsonb({key: value for key, value in details.items() if value not in ("", {})}),
        ),
    )
