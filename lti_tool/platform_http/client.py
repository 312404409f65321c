"""The client itself: one request at a time, bounded in time and size; GET again where that may help."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError, ReadTimeoutError

from config.settings import Settings
from lti_tool.platform_http.addresses import CONNECT_SECONDS, CheckingAdapter, check_url
from lti_tool.platform_http.answers import (
    PlatformRefused,
    PlatformResponse,
    PlatformUnreachable,
    http_date,
    shown,
    successful,
)

_READ_SECONDS = 20.0
_MAX_BYTES = 1024 * 1024
_MAX_REDIRECTS = 3
# Canvas counts what one client does at a time; more than this at one host is throttled sooner.
_AT_A_TIME = 2
_MAX_TRIES = 3
_FIRST_PAUSE_SECONDS = 0.3
# Whoever asks for a longer pause than this is not asked again here: the outbox and people come back later.
_LONGEST_PAUSE_SECONDS = 3.0
_RETRIED_STATUSES = frozenset({502, 503, 504})
_PLAUSIBLE_LAG_SECONDS = (5.0, 86_400.0)


class _ConnectionFailed(PlatformUnreachable):
    """Refused or broken off before an answer came; not one that took too long, which would only take as long again."""


class PlatformHttp:
    """Requests to platforms. One instance serves all threads of a process; connections are kept open and reused.

    ``settings`` say whether private addresses are allowed, and our own address: it is part of the User-Agent, so
    that a platform's administrator knows whom to ask. ``read_seconds`` is how long an answer may take.
    """

    def __init__(self, settings: Settings, *, read_seconds: float = _READ_SECONDS) -> None:
        self._allow_private = settings.allow_private_platforms
        self._read_seconds = read_seconds
        self._session = requests.Session()
        # No proxies, no .netrc: they would lead around the address check.
        self._session.trust_env = False
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers["User-Agent"] = f"mlquiz/{_version()} (+{settings.base_url})"
        adapter = HTTPAdapter() if self._allow_private else CheckingAdapter()
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._turns: defaultdict[str, threading.BoundedSemaphore]
        self._turns = defaultdict(lambda: threading.BoundedSemaphore(_AT_A_TIME))
        self._turns_lock = threading.Lock()
        self._lags: dict[str, float] = {}

    def get(
        self,
        url: str,
        *,
        accept: str = "application/json",
        bearer: str = "",
        read_seconds: float | None = None,
        max_bytes: int = _MAX_BYTES,
    ) -> PlatformResponse:
        """GET; redirects within the host are followed. Raises :class:`PlatformError`.

        A broken connection, 429, 502, 503, 504 and Canvas's 403 of a spent quota are tried again, twice at most and
        after at most 3 seconds. All tries and redirects together take no longer than one answer may.
        """
        headers = _headers(accept=accept, bearer=bearer)
        until = time.monotonic() + (read_seconds or self._read_seconds)
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._patiently(url, headers, until, max_bytes)
            if response.status not in {301, 302, 303, 307, 308}:
                return successful(response)
            url = _redirected(response)
        raise PlatformRefused(f"{shown(url)} redirects in circles", status=310, headers={})

    def post(
        self, url: str, body: bytes, *, content_type: str, accept: str = "application/json", bearer: str = ""
    ) -> PlatformResponse:
        """POST ``body`` under exactly this content type, once, following no redirect. Raises :class:`PlatformError`."""
        headers = _headers(accept=accept, bearer=bearer, content_type=content_type)
        return successful(self._send("POST", url, headers, body, self._read_seconds, _MAX_BYTES))

    def put(
        self, url: str, body: bytes, *, content_type: str, accept: str = "application/json", bearer: str = ""
    ) -> PlatformResponse:
        """PUT, as :meth:`post`."""
        headers = _headers(accept=accept, bearer=bearer, content_type=content_type)
        return successful(self._send("PUT", url, headers, body, self._read_seconds, _MAX_BYTES))

    def delete(self, url: str, *, bearer: str = "") -> PlatformResponse:
        """DELETE, once; no redirect is followed. Raises :class:`PlatformError`."""
        headers = _headers(accept="*/*", bearer=bearer)
        return successful(self._send("DELETE", url, headers, None, self._read_seconds, _MAX_BYTES))

    def lag_of(self, url: str) -> timedelta:
        """How far the clock of this host is behind ours by the ``Date`` of its latest answer.

        Zero where it is not, where no answer came yet, and for what can only be a mistake (over a day).
        """
        return timedelta(seconds=self._lags.get(_host(url), 0.0))

    def _patiently(self, url: str, headers: dict[str, str], until: float, max_bytes: int) -> PlatformResponse:
        """One GET, repeated where that may help and there is time."""
        for tries in range(1, _MAX_TRIES):
            pause = _FIRST_PAUSE_SECONDS * 2 ** (tries - 1) * random.uniform(0.75, 1.25)
            try:
                response = self._send("GET", url, headers, None, _left(until), max_bytes)
                if response.status < 400:
                    return response
                successful(response)
            except _ConnectionFailed:
                if pause > _left(until):
                    raise
            except PlatformRefused as refusal:
                if not (refusal.status in _RETRIED_STATUSES or refusal.is_rate_limit):
                    raise
                pause = max(pause, refusal.retry_after_seconds or 0.0)
                if pause > min(_LONGEST_PAUSE_SECONDS, _left(until)):
                    raise
            time.sleep(pause)
        return self._send("GET", url, headers, None, _left(until), max_bytes)

    def _send(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None, read_seconds: float, max_bytes: int
    ) -> PlatformResponse:
        check_url(url, allow_private=self._allow_private)
        with self._turns_lock:
            turn = self._turns[_host(url)]
        if not turn.acquire(timeout=read_seconds):
            raise PlatformUnreachable(f"{shown(url)} is still busy with earlier requests of ours")
        try:
            return self._answered(method, url, headers, body, read_seconds, max_bytes)
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            if _is_timeout(error):
                raise PlatformUnreachable(f"{shown(url)} does not answer in time") from error
            raise _ConnectionFailed(f"{shown(url)} does not answer: {type(error).__name__}") from error
        finally:
            turn.release()

    def _answered(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None, read_seconds: float, max_bytes: int
    ) -> PlatformResponse:
        # A read timeout bounds the wait for each piece; the deadline bounds the sum of them.
        deadline = time.monotonic() + CONNECT_SECONDS + read_seconds
        with self._session.request(
            method,
            url,
            headers=headers,
            data=body,
            timeout=(CONNECT_SECONDS, read_seconds),
            allow_redirects=False,
            stream=True,
        ) as response:
            self._note_clock(url, response.headers.get("Date"))
            content = _bounded_body(response, url, max_bytes, deadline)
            if (
                response.status_code >= 400
                and not content
                and not {"Content-Length", "Transfer-Encoding"} & {name.title() for name in response.headers}
            ):
                # Broken off between its first line and its last header: nobody is refused by half an answer.
                raise PlatformUnreachable(f"{shown(url)} broke off its answer")
            return PlatformResponse(
                url=url, status=response.status_code, headers=CaseInsensitiveDict(response.headers), body=content
            )

    def _note_clock(self, url: str, date: str | None) -> None:
        """Keep how far the host's clock is behind; a few seconds are network and rounding."""
        moment = http_date(date)
        if moment is None:
            return
        least, most = _PLAUSIBLE_LAG_SECONDS
        seconds = (datetime.now(UTC) - moment).total_seconds()
        self._lags[_host(url)] = seconds if least <= seconds <= most else 0.0


def _headers(*, accept: str, bearer: str, content_type: str = "") -> dict[str, str]:
    headers = {"Accept": accept, "Content-Type": content_type, "Authorization": f"Bearer {bearer}" if bearer else ""}
    return {name: value for name, value in headers.items() if value}


def _left(until: float) -> float:
    """Seconds until then, but never none: a timeout of zero is an error."""
    return max(until - time.monotonic(), 0.05)


def _is_timeout(error: Exception) -> bool:
    # A body that stops coming is a ConnectionError of requests around the timeout of urllib3.
    return isinstance(error, requests.Timeout) or any(isinstance(cause, ReadTimeoutError) for cause in error.args)


def _bounded_body(response: requests.Response, url: str, max_bytes: int, deadline: float) -> bytes:
    pieces: list[bytes] = []
    size = 0
    # read1 gives what has arrived: a server that sends drop by drop must not be waited for until a piece is full.
    while piece := response.raw.read1(16 * 1024, decode_content=True):
        size += len(piece)
        if size > max_bytes:
            raise PlatformRefused(
                f"{shown(url)} answers with more than {max_bytes} bytes",
                status=response.status_code,
                headers=response.headers,
            )
        if time.monotonic() > deadline:
            raise PlatformUnreachable(f"{shown(url)} does not answer in time")
        pieces.append(piece)
    return b"".join(pieces)


def _redirected(response: PlatformResponse) -> str:
    target = urljoin(response.url, response.headers.get("Location", ""))
    old, new = urlsplit(response.url), urlsplit(target)
    is_upgrade = (old.scheme, new.scheme) == ("http", "https") and old.hostname == new.hostname
    if (old.scheme, old.netloc) != (new.scheme, new.netloc) and not is_upgrade:
        raise PlatformRefused(
            f"{shown(response.url)} redirects to another host", status=response.status, headers=response.headers
        )
    return target


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower()


def _version() -> str:
    try:
        return version("mlquiz")
    except PackageNotFoundError:
        return "0"
