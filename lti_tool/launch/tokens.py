"""Access tokens for the services of a platform: OAuth 2 client credentials with a signed assertion (RFC 7523).

LTI security framework 1.0 section 4. A token is kept until a minute before its end, one for each registration and set
of scopes: two clients at one issuer must never share. All processes of the tool share it through PostgreSQL, where it
lies encrypted.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

import jwt
from cryptography.fernet import InvalidToken
from psycopg import Connection
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lti_tool.db import Database, fetch_one, fetch_value
from lti_tool.launch.keys import SigningKey, signing_key
from lti_tool.launch.platforms import Registration
from lti_tool.platform_http import PlatformHttp, PlatformRefused, PlatformResponse, PlatformUnreachable
from lti_tool.secrets import cipher

_ASSERTION_SECONDS = 300
_EARLY_SECONDS = 60
_CacheKey = tuple[int, tuple[str, ...]]


class _TokenAnswer(BaseModel):
    """What a token endpoint answers (RFC 6749 section 5.1)."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    access_token: str = Field(min_length=1, max_length=16384, pattern=r"^[\x21-\x7e]+$")
    token_type: str = Field("Bearer", pattern="^[Bb]earer$")
    expires_in: float = Field(3600, ge=0, le=31_536_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class _KeptToken:
    text: str
    good_until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredToken:
    token_encrypted: bytes
    seconds_left: float


class TokenSource:
    """Where access tokens come from, for all registrations. One instance serves all threads of a process."""

    def __init__(self, http: PlatformHttp, database: Database, secret: str) -> None:
        self._database = database
        self._http = http
        self._secret = secret
        self._cipher = cipher(secret, "access tokens")
        self._kept: dict[_CacheKey, _KeptToken] = {}
        self._silent_at: dict[_CacheKey, float] = {}
        self._locks: defaultdict[_CacheKey, threading.Lock] = defaultdict(threading.Lock)

    def get(self, registration: Registration, scopes: Iterable[str]) -> str:
        """A bearer token for these scopes, kept or new.

        Raises :class:`~lti_tool.platform_http.PlatformError`: unreachable, or refused with the platform's reason.
        """
        key = _cache_key(registration, scopes)
        waits_since = time.monotonic()
        with self._locks[key]:
            kept = self._kept.get(key)
            if kept is None or kept.good_until <= time.monotonic():
                if self._silent_at.get(key, 0.0) > waits_since:
                    raise PlatformUnreachable("the token endpoint did not answer a moment ago")
                kept = self._new(registration, key)
            return kept.text

    def _new(self, registration: Registration, key: _CacheKey) -> _KeptToken:
        try:
            kept = self._kept[key] = self._shared(registration, key[1])
        except PlatformUnreachable:
            # Those in line behind us would only wait as long again, one after the other.
            self._silent_at[key] = time.monotonic()
            raise
        return kept

    def newly_asked(self, registration: Registration, scopes: Iterable[str]) -> str:
        """A token that is asked for now, whatever is kept, and is not kept: to see whether the platform gives one.

        Raises :class:`~lti_tool.platform_http.PlatformError`.
        """
        return self._requested(registration, _cache_key(registration, scopes)[1], *self._key_and_time()).text

    def drop(self, registration: Registration, scopes: Iterable[str], token: str) -> None:
        """Forget a token that the platform no longer takes, unless somebody replaced it already."""
        key = _cache_key(registration, scopes)
        with self._locks[key]:
            kept = self._kept.get(key)
            if kept is not None and kept.text == token:
                del self._kept[key]
            with self._database.transaction(registration.id) as connection:
                _lock(connection, key)
                stored = _find_token(connection, key[1])
                if stored is not None and self._decrypted(stored) == token:
                    connection.execute("DELETE FROM access_tokens WHERE scopes = %s", (" ".join(key[1]),))

    def _shared(self, registration: Registration, scopes: tuple[str, ...]) -> _KeptToken:
        """The token that another process stored, or a new one, stored for the others. One process asks at a time."""
        # Before the transaction: whoever waits for a platform holds one connection, and no second one.
        key, now = self._key_and_time()
        with self._database.transaction(registration.id) as connection:
            _lock(connection, (registration.id, scopes))
            stored = _find_token(connection, scopes)
            text = self._decrypted(stored) if stored is not None else None
            if stored is not None and text is not None:
                return _KeptToken(text=text, good_until=time.monotonic() + stored.seconds_left)
            kept = self._requested(registration, scopes, key, now)
            connection.execute(
                # clock_timestamp(): the transaction began before the platform answered.
                "INSERT INTO access_tokens (registration_id, scopes, token_encrypted, expires_at)"
                " VALUES (%s, %s, %s, clock_timestamp() + make_interval(secs => %s))"
                " ON CONFLICT (registration_id, scopes) DO UPDATE SET token_encrypted = EXCLUDED.token_encrypted,"
                " expires_at = EXCLUDED.expires_at",
                (
                    registration.id,
                    " ".join(scopes),
                    self._cipher.encrypt(kept.text.encode()),
                    kept.good_until - time.monotonic(),
                ),
            )
            return kept

    def _decrypted(self, stored: _StoredToken) -> str | None:
        """``None`` for one that was encrypted under another secret: it is asked for again."""
        try:
            return self._cipher.decrypt(stored.token_encrypted).decode()
        except InvalidToken:
            return None

    def _requested(self, registration: Registration, scopes: tuple[str, ...], key: SigningKey, now: int) -> _KeptToken:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": _assertion(registration, key, now),
            "scope": " ".join(scopes),
        }
        asked_at = time.monotonic()
        response = self._http.post(
            registration.auth_token_url,
            urlencode(form).encode(),
            content_type="application/x-www-form-urlencoded",
        )
        answer = _token_answer(response)
        return _KeptToken(text=answer.access_token, good_until=asked_at + answer.expires_in - _EARLY_SECONDS)

    def _key_and_time(self) -> tuple[SigningKey, int]:
        """The key to sign with, and the time in whole seconds by the database: a worker's clock may be wrong."""
        with self._database.across_tenants() as connection:
            now = fetch_value(connection, "SELECT floor(extract(epoch FROM clock_timestamp()))::bigint")
            assert isinstance(now, int)
            return signing_key(connection, self._secret), now


def _assertion(registration: Registration, key: SigningKey, now: int) -> str:
    claims = {
        "iss": registration.client_id,
        "sub": registration.client_id,
        "aud": registration.auth_token_url,
        "iat": now,
        "exp": now + _ASSERTION_SECONDS,
        "jti": secrets.token_urlsafe(24),
    }
    return jwt.encode(claims, key.private_key, algorithm="RS256", headers={"kid": key.kid})


def _cache_key(registration: Registration, scopes: Iterable[str]) -> _CacheKey:
    return registration.id, tuple(sorted(set(scopes)))


def _lock(connection: Connection, key: _CacheKey) -> None:
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"token {key[0]} {' '.join(key[1])}",))


def _find_token(connection: Connection, scopes: tuple[str, ...]) -> _StoredToken | None:
    return fetch_one(
        connection,
        _StoredToken,
        "SELECT token_encrypted, extract(epoch FROM expires_at - now())::float AS seconds_left FROM access_tokens"
        " WHERE scopes = %s AND expires_at > now()",
        " ".join(scopes),
    )


def _token_answer(response: PlatformResponse) -> _TokenAnswer:
    try:
        return _TokenAnswer.model_validate(response.json())
    except ValidationError as error:
        raise PlatformRefused(
            "the token endpoint answered without a bearer token", status=response.status, headers=response.headers
        ) from error
