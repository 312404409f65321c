"""Our own signing keys: made at first use, encrypted at rest, published as a key set, rotated with overlap.

The key that encrypts them is derived from the application secret, which is not in the database.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import datetime

from cryptography.fernet import InvalidToken
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from psycopg import Connection
from psycopg.types.json import Jsonb

from lti_tool.db import fetch_one, fetch_value
from lti_tool.errors import NotConfigured
from lti_tool.secrets import cipher

# Advisory lock: of several processes that start at once, one makes the first key.
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
class _KeyRow:
    kid: str
    private_pem_encrypted: bytes
    created_at: datetime


def signing_key(connection: Connection, secret: str) -> SigningKey:
    """The key to sign with, made if there is none.

    Platforms cache our key set, so the newest key counts that was published for 24 hours; until there is one, the
    oldest. Raises :class:`ToolKeyUnreadable` if ``secret`` is not the one the key was encrypted with.
    """
    row = _find_row(connection)
    if row is None:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING_A_KEY,))
        row = _find_row(connection)
    if row is None:
        _add_key(connection, secret)
        row = _find_row(connection)
    assert row is not None
    return SigningKey(kid=row.kid, private_key=_decrypted(row, secret))


def public_jwks(connection: Connection) -> dict[str, list[dict[str, str]]]:
    """The key set that platforms fetch: the public halves of all keys that are not retired (RFC 7517 section 5)."""
    keys = fetch_value(
        connection,
        "SELECT coalesce(jsonb_agg(public_jwk ORDER BY created_at), '[]') FROM tool_keys WHERE retired_at IS NULL",
    )
    assert isinstance(keys, list)
    return {"keys": keys}


def rotate(connection: Connection, secret: str) -> str:
    """Publish a new key, to be signed with in 24 hours, and retire those that are no longer signed with; its ``kid``.

    The key in use stays published until the next rotation, so nothing signed a moment ago becomes unverifiable.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING_A_KEY,))
    in_use = _find_row(connection)
    kid = _add_key(connection, secret)
    connection.execute(
        "UPDATE tool_keys SET retired_at = now() WHERE retired_at IS NULL AND kid <> %s AND kid <> %s",
        (kid, in_use.kid if in_use else kid),
    )
    return kid


def _find_row(connection: Connection) -> _KeyRow | None:
    return fetch_one(
        connection,
        _KeyRow,
        "SELECT kid, private_pem_encrypted, created_at FROM tool_keys WHERE retired_at IS NULL"
        " ORDER BY created_at <= now() - interval '24 hours' DESC,"
        " CASE WHEN created_at <= now() - interval '24 hours' THEN created_at END DESC, created_at LIMIT 1",
    )


def _add_key(connection: Connection, secret: str) -> str:
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
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
    try:
        pem = cipher(secret, _PURPOSE).decrypt(bytes(row.private_pem_encrypted))
    except InvalidToken as error:
        raise ToolKeyUnreadable(
            f"signing key {row.kid} cannot be decrypted: SECRET_KEY (or DATA_DIR/secret.key) is not the one it was"
            " made with. Restore that secret, or make new keys with `mlquiz keys rotate`."
        ) from error
    private_key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(private_key, rsa.RSAPrivateKey)
    return private_key
