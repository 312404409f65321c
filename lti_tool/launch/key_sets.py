"""Key sets of platforms, cached in PostgreSQL: an hour fresh, a day if the platform does not answer.

A kid that the cache lacks makes us look again, at most once in 30 seconds: so a platform that just rotated its key
is believed at once, and strangers who invent kids cannot make us fetch. One process fetches, the others wait for it.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.types.json import Jsonb

from lti_tool.db import Database, fetch_one
from lti_tool.launch.claims import strict_json_object
from lti_tool.launch.errors import KeysUnavailable, KeyUnknown, TokenMalformed
from lti_tool.launch.id_token import select_jwk
from lti_tool.launch.platforms import Registration
from lti_tool.platform_http import PlatformError, PlatformHttp

_READ_SECONDS = 5.0
_MAX_BYTES = 256 * 1024
_MAX_KEYS = 100
# A platform that hangs must not collect threads; one that answers does so in a fraction of this.
_WAIT_SECONDS = 3.0
# After a failure the platform is left alone for this long.
_PAUSE_SECONDS = 10.0
_FETCHING_KEYS = 0x6B657973


@dataclass(frozen=True, slots=True, kw_only=True)
class _CachedKeys:
    """A cached key set and how old it is, by the database's clock."""

    jwks: dict[str, Any]
    is_fresh: bool
    is_usable: bool
    may_refetch: bool


class KeySets:
    """The keys of all platforms. One instance serves all threads of a process."""

    def __init__(self, database: Database, http: PlatformHttp) -> None:
        self._database = database
        self._http = http
        self._locks: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)
        self._failed_at: dict[int, float] = {}

    def get_jwk(self, registration: Registration, kid: str) -> dict[str, Any]:
        """The platform's key of this name.

        Raises :class:`KeyUnknown` if there is none, :class:`KeysUnavailable` if the key set cannot be had.
        """
        jwk = select_jwk(self._keys_for(registration, kid), kid)
        if jwk is None:
            raise KeyUnknown("the kid is not in the platform's key set")
        return jwk

    def _keys_for(self, registration: Registration, kid: str) -> dict[str, Any]:
        """The key set to look in: the cached one if it is fresh and has the kid, else the platform's."""
        with self._database.transaction(registration.id) as connection:
            cached = _find_keys(connection, registration.id)
        if cached is not None and cached.is_fresh and _has(cached.jwks, kid):
            return cached.jwks
        try:
            return self._in_turn(registration, kid)
        except KeysUnavailable:
            # Old keys are better than none.
            if cached is not None and cached.is_usable and _has(cached.jwks, kid):
                return cached.jwks
            raise

    def _in_turn(self, registration: Registration, kid: str) -> dict[str, Any]:
        """The key set after whoever fetches it at this moment; not waiting longer than a platform may be slow."""
        # Threads queue here, not at the database: waiting must not use up its connections.
        lock = self._locks[registration.id]
        if not lock.acquire(timeout=_WAIT_SECONDS):
            raise KeysUnavailable("another launch has been waiting for the same key set")
        try:
            with self._database.transaction(registration.id) as connection:
                connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{round(1000 * _WAIT_SECONDS)}ms",))
                connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_FETCHING_KEYS, registration.id))
                return self._refreshed(connection, registration, kid)
        except psycopg.errors.LockNotAvailable as error:
            raise KeysUnavailable("another process has been waiting for the same key set") from error
        finally:
            lock.release()

    def _refreshed(self, connection: Connection, registration: Registration, kid: str) -> dict[str, Any]:
        cached = _find_keys(connection, registration.id)
        if cached is not None and cached.is_fresh and (_has(cached.jwks, kid) or not cached.may_refetch):
            return cached.jwks
        jwks = self._fetched(registration)
        was_for_the_kid = cached is not None and cached.is_fresh
        # A fetch that did not find the kid counts as one for it, so that the next stranger cannot cause another.
        _store_keys(connection, registration.id, jwks, is_refetch=was_for_the_kid or not _has(jwks, kid))
        return jwks

    def _fetched(self, registration: Registration) -> dict[str, Any]:
        failed_at = self._failed_at.get(registration.id)
        if failed_at is not None and time.monotonic() - failed_at < _PAUSE_SECONDS:
            raise KeysUnavailable("the key set could not be fetched a moment ago")
        try:
            response = self._http.get(registration.jwks_url, read_seconds=_READ_SECONDS, max_bytes=_MAX_BYTES)
            jwks = _checked(response.body)
        except (PlatformError, TokenMalformed) as error:
            self._failed_at[registration.id] = time.monotonic()
            raise KeysUnavailable(f"key set: {error}") from error
        self._failed_at.pop(registration.id, None)
        return jwks


def _checked(body: bytes) -> dict[str, Any]:
    """A key set (RFC 7517 section 5), reduced to its keys. Raises :class:`TokenMalformed` for anything else."""
    jwks = strict_json_object(body)
    keys = jwks.get("keys")
    if not isinstance(keys, list) or len(keys) > _MAX_KEYS or not all(isinstance(key, dict) for key in keys):
        raise TokenMalformed("no list of keys")
    return {"keys": keys}


def _has(jwks: dict[str, Any], kid: str) -> bool:
    return any(key.get("kid") == kid for key in jwks["keys"])


def _find_keys(connection: Connection, registration_id: int) -> _CachedKeys | None:
    return fetch_one(
        connection,
        _CachedKeys,
        "SELECT jwks, fetched_at > now() - interval '1 hour' AS is_fresh,"
        " fetched_at > now() - interval '24 hours' AS is_usable,"
        " coalesce(refetched_at <= now() - interval '30 seconds', true) AS may_refetch"
        " FROM platform_keys WHERE registration_id = %s",
        registration_id,
    )


def _store_keys(connection: Connection, registration_id: int, jwks: dict[str, Any], *, is_refetch: bool) -> None:
    # clock_timestamp(): the transaction began before the platform answered.
    connection.execute(
        "INSERT INTO platform_keys (registration_id, jwks, fetched_at, refetched_at)"
        " VALUES (%s, %s, clock_timestamp(), CASE WHEN %s THEN clock_timestamp() END)"
        " ON CONFLICT (registration_id) DO UPDATE SET jwks = EXCLUDED.jwks, fetched_at = EXCLUDED.fetched_at,"
        " refetched_at = coalesce(EXCLUDED.refetched_at, platform_keys.refetched_at)",
        (registration_id, Jsonb(jwks), is_refetch),
    )
