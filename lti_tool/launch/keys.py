"""Our own signing keys: made at first start, encrypted at rest, published as a key set, rotated with overlap.

The key that encrypts them is derived from the application secret, which is not in the database. Platforms cache our
key set, so a new key is published for 24 hours before it signs; the one before stays published until a later rotation.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

from cryptography.fernet import InvalidToken
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from psycopg import Connection
from psycopg.types.json import Jsonb

from lti_tool.db import fetch_all, fetch_one, fetch_value
from lti_tool.errors import NotConfigured
from lti_tool.secrets import cipher

#: How long a key is published before it signs.
NOTICE_HOURS = 24
# Advisory lock: of several processes, one makes a key.
_MAKING_A_KEY = 0x6D6C_6B65_7973
_PURPOSE = "tool keys"


class ToolKeyUnreadable(NotConfigured):
    """A signing key cannot be decrypted: the application secret is not the one it was made with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key and the name under which its public half is published."""

    kid: str
    private_key: rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedKey:
    """A key of our key set.

    ``state``: SIGNING is in use; NEXT takes over at ``signs_from``; EARLIER signed before and is still published, so
    that what it signed can be verified.
    """

    kid: str
    state: Literal["SIGNING", "NEXT", "EARLIER"]
    created_at: datetime
    signs_from: datetime

    @property
    def age_days(self) -> int:
        """Whole days since it was made."""
        return (datetime.now(UTC) - self.created_at).days


@dataclass(frozen=True, slots=True, kw_only=True)
class _KeyRow:
    kid: str
    private_pem_encrypted: bytes
    created_at: datetime


# What signs and what is published ---------------------------------------------------------------------------------


def signing_key(connection: Connection, secret: str) -> SigningKey:
    """The key to sign with, made if there is none.

    The newest key counts that was published for 24 hours; until there is one, the oldest. Raises
    :class:`ToolKeyUnreadable` if ``secret`` is not the one the key was encrypted with.
    """
    ensure_key(connection, secret)
    row = _row_in_use(connection)
    assert row is not None
    return SigningKey(kid=row.kid, private_key=_decrypted(row, secret))


def ensure_key(connection: Connection, secret: str) -> None:
    """Make the first key if there is none; of several processes at once one does."""
    if _row_in_use(connection) is not None:
        return
    private_key = _new_private_key()  # before the lock: nobody waits for it
    _lock(connection)
    if _row_in_use(connection) is None:
        _add_key(connection, secret, private_key)


def public_jwks(connection: Connection) -> dict[str, list[dict[str, str]]]:
    """The key set that platforms fetch: the public halves of all keys that are not retired (RFC 7517 section 5)."""
    keys = fetch_value(
        connection,
        "SELECT coalesce(jsonb_agg(public_jwk ORDER BY created_at), '[]') FROM tool_keys WHERE retired_at IS NULL",
    )
    assert isinstance(keys, list)
    return {"keys": keys}


def list_keys(connection: Connection) -> list[PublishedKey]:
    """All published keys, the newest first."""
    rows = fetch_all(
        connection,
        _KeyRow,
        "SELECT kid, private_pem_encrypted, created_at FROM tool_keys WHERE retired_at IS NULL"
        " ORDER BY created_at DESC",
    )
    in_use = _row_in_use(connection)
    return [
        PublishedKey(
            kid=row.kid,
            state="SIGNING"
            if row == in_use
            else "NEXT"
            if in_use and row.created_at > in_use.created_at
            else "EARLIER",
            created_at=row.created_at,
            signs_from=row.created_at + timedelta(hours=NOTICE_HOURS),
        )
        for row in rows
    ]


# Rotation ---------------------------------------------------------------------------------------------------------


def rotate(connection: Connection, secret: str) -> str:
    """Publish a new key, to be signed with in 24 hours, and retire what nobody needs any more; its ``kid``.

    The key in use stays published until it has been replaced for a while, so nothing signed a moment ago becomes
    unverifiable. Raises :class:`ToolKeyUnreadable` if ``secret`` does not fit the key in use: a key made with it now
    could not be used by the tool tomorrow.
    """
    private_key = _new_private_key()
    _lock(connection)
    return _rotated(connection, secret, private_key)


def rotate_if_due(connection: Connection, secret: str, *, days: int) -> str | None:
    """Rotate if the newest key is at least ``days`` old; the new ``kid``, or ``None`` where nothing was due.

    Safe in several processes at once: one of them rotates. ``days`` 0 means never.
    """
    if days == 0 or not _is_due(connection, days):
        return None
    private_key = _new_private_key()
    _lock(connection)
    return _rotated(connection, secret, private_key) if _is_due(connection, days) else None


def start_anew(connection: Connection, secret: str) -> str:
    """Retire all keys and sign with a new one at once: for a tool whose application secret was lost; its ``kid``.

    Platforms that cached the key set refuse us until they fetch it again (Moodle at the first failure, others within
    the hour).
    """
    private_key = _new_private_key()
    _lock(connection)
    connection.execute("UPDATE tool_keys SET retired_at = now() WHERE retired_at IS NULL")
    return _add_key(connection, secret, private_key)


def reencrypt(connection: Connection, *, old_secret: str, new_secret: str) -> int:
    """Encrypt all published keys with another application secret; how many there were.

    Raises :class:`ToolKeyUnreadable` if ``old_secret`` is not the one they were made with; nothing changes then.
    """
    _lock(connection)
    rows = fetch_all(
        connection, _KeyRow, "SELECT kid, private_pem_encrypted, created_at FROM tool_keys WHERE retired_at IS NULL"
    )
    for row in rows:
        pem = _decrypted_pem(row, old_secret)
        connection.execute(
            "UPDATE tool_keys SET private_pem_encrypted = %s WHERE kid = %s",
            (cipher(new_secret, _PURPOSE).encrypt(pem), row.kid),
        )
    return len(rows)


def _rotated(connection: Connection, secret: str, private_key: rsa.RSAPrivateKey) -> str:
    in_use = _row_in_use(connection)
    if in_use is not None:
        _decrypted(in_use, secret)
    kid = _add_key(connection, secret, private_key)
    # Retired are keys that wait and are overtaken, and those whose successor has signed for over an hour.
    connection.execute(
        "UPDATE tool_keys SET retired_at = now() WHERE retired_at IS NULL AND kid <> %s AND kid <> %s"
        " AND (created_at > now() - interval '24 hours' OR EXISTS (SELECT 1 FROM tool_keys AS later"
        " WHERE later.retired_at IS NULL AND later.created_at > tool_keys.created_at"
        " AND later.created_at <= now() - interval '25 hours'))",
        (kid, in_use.kid if in_use else kid),
    )
    return kid


def _is_due(connection: Connection, days: int) -> bool:
    is_due = fetch_value(
        connection,
        "SELECT max(created_at) <= now() - make_interval(days => %s) FROM tool_keys WHERE retired_at IS NULL",
        days,
    )
    return is_due is True


# Rows -------------------------------------------------------------------------------------------------------------


def _lock(connection: Connection) -> None:
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING_A_KEY,))


def _row_in_use(connection: Connection) -> _KeyRow | None:
    return fetch_one(
        connection,
        _KeyRow,
        "SELECT kid, private_pem_encrypted, created_at FROM tool_keys WHERE retired_at IS NULL"
        " ORDER BY created_at <= now() - interval '24 hours' DESC,"
        " CASE WHEN created_at <= now() - interval '24 hours' THEN created_at END DESC, created_at LIMIT 1",
    )


def _new_private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _add_key(connection: Connection, secret: str, private_key: rsa.RSAPrivateKey) -> str:
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    kid = secrets.token_urlsafe(16)
    numbers = json.loads(RSAAlgorithm.to_jwk(private_key.public_key()))
    jwk = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": numbers["n"], "e": numbers["e"]}
    connection.execute(
        # Not now(): within one transaction it stands still, and the order of keys is their age.
        "INSERT INTO tool_keys (kid, private_pem_encrypted, public_jwk, created_at)"
        " VALUES (%s, %s, %s, clock_timestamp())",
        (kid, cipher(secret, _PURPOSE).encrypt(pem), Jsonb(jwk)),
    )
    return kid


def _decrypted(row: _KeyRow, secret: str) -> rsa.RSAPrivateKey:
    return _loaded(_decrypted_pem(row, secret))


def _decrypted_pem(row: _KeyRow, secret: str) -> bytes:
    try:
        return cipher(secret, _PURPOSE).decrypt(bytes(row.private_pem_encrypted))
    except InvalidToken as error:
        raise ToolKeyUnreadable(
            f"signing key {row.kid} cannot be decrypted: SECRET_KEY (or DATA_DIR/secret.key) is not the one it was"
            " made with. Restore that secret, or start anew with `mlquiz keys rotate --lost`."
        ) from error


@lru_cache(maxsize=4)
def _loaded(pem: bytes) -> rsa.RSAPrivateKey:
    """Loading checks the numbers of the key, which takes about 30 ms; signing takes 0.3."""
    private_key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(private_key, rsa.RSAPrivateKey)
    return private_key
