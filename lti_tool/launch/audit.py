"""The trail of logins, launches and refusals: append-only, without claims, names or tokens."""

from __future__ import annotations

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
) -> None:
    """Append one event; ``detail`` is one of our own sentences, never a value that was sent."""
    details = {"detail": detail[:300], "nonce_sha256": nonce_hash.hex() if nonce_hash else ""}
    connection.execute(
        "INSERT INTO audit_events (event, registration_id, user_id, correlation_id, details)"
        " VALUES (%s, %s, %s, %s, %s)",
        (event, registration_id, user_id, correlation_id, Jsonb({key: text for key, text in details.items() if text})),
    )
