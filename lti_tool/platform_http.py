"""The one HTTP client for everything that is asked of a platform: keys, tokens, scores.

The addresses come from administrators and signed messages, so they are trusted little: https and public addresses
only (unless ``allow_private``), the address that was checked is the one connected to, no redirect leads to another
host, and time and size are bounded. Every request names us: since 2026 Canvas answers 403 without a User-Agent.

::

    PlatformError (ToolError)
    ├── PlatformUnreachable     no answer: worth another try
    │   └── AddressNotAllowed   an address we do not talk to: not worth one
    └── PlatformRefused         an answer that is not 2xx, or not what was asked for
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError

from config.settings import Settings
from lti_tool.errors import ToolError

_CONNECT_SECONDS = 3.05
_READ_SECONDS = 20.0
_MAX_BYTES = 1024 * 1024
_MAX_REDIRECTS = 3
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class PlatformError(ToolError):
    """A request to a platform failed."""


class PlatformUnreachable(PlatformError):
    """No answer, or not within its time: worth another try."""


class AddressNotAllowed(PlatformUnreachable):
    """The address is not https, or leads into a private network."""


class PlatformRefused(PlatformError):
    """The platform answered, but not with what was asked for. ``excerpt``: the first 500 characters of its answer."""

    def __init__(self, message: str, *, status: int, headers: Mapping[str, str], excerpt: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.headers: Mapping[str, str] = CaseInsensitiveDict(headers)
        self.excerpt = excerpt


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformResponse:
    """A 2xx answer; header names are found in any case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever the platform says; the caller checks it
        """The body as JSON. Raises :class:`PlatformRefused` if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise PlatformRefused(
                f"{_shown(self.url)} answered with something that is no JSON",
                status=self.status,
                headers=self.headers,
                excerpt=_excerpt(self.body),
            ) from error


class PlatformHttp:
    """Requests to platforms. One instance serves all threads of a process; connections are kept open and reused.

    ``settings`` say whether private addresses are allowed, and our own address: it is part of the User-Agent, so
    that a platform's administrator knows whom to ask.
    """

    def __init__(self, settings: Settings) -> None:
        self._allow_private = settings.allow_private_platforms
        self._session = requests.Session()
        # No proxies, no .netrc: they would lead around the address check.
        self._session.trust_env = False
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers["User-Agent"] = f"mlquiz/{_version()} (+{settings.base_url})"
        adapter = HTTPAdapter() if self._allow_private else _CheckingAdapter()
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def get(
        self,
        url: str,
        *,
        accept: str = "application/json",
        bearer: str = "",
        read_seconds: float = _READ_SECONDS,
        max_bytes: int = _MAX_BYTES,
    ) -> PlatformResponse:
        """GET; redirects within the host are followed. Raises :class:`PlatformError`."""
        headers = {"Accept": accept} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._send("GET", url, headers, None, read_seconds, max_bytes)
            if response.status not in {301, 302, 303, 307, 308}:
                return _successful(response)
            url = _redirected(response)
        raise PlatformRefused(f"{_shown(url)} redirects in circles", status=310, headers={})

    def post(
        self, url: str, body: bytes, *, content_type: str, accept: str = "application/json", bearer: str = ""
    ) -> PlatformResponse:
        """POST ``body`` under exactly this content type; no redirect is followed. Raises :class:`PlatformError`."""
        headers = {"Accept": accept, "Content-Type": content_type}
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        return _successful(self._send("POST", url, headers, body, _READ_SECONDS, _MAX_BYTES))

    def _send(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None, read_seconds: float, max_bytes: int
    ) -> PlatformResponse:
        _check_url(url, allow_private=self._allow_private)
        # A read timeout bounds the wait for each piece; the deadline bounds the sum of them.
        deadline = time.monotonic() + _CONNECT_SECONDS + read_seconds
        try:
            with self._session.request(
                method,
                url,
                headers=headers,
                data=body,
                timeout=(_CONNECT_SECONDS, read_seconds),
                allow_redirects=False,
                stream=True,
            ) as response:
                content = _bounded_body(response, url, max_bytes, deadline)
                return PlatformResponse(
                    url=url, status=response.status_code, headers=CaseInsensitiveDict(response.headers), body=content
                )
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            raise PlatformUnreachable(f"{_shown(url)} does not answer: {type(error).__name__}") from error


# Answers ----------------------------------------------------------------------------------------------------------


def _bounded_body(response: requests.Response, url: str, max_bytes: int, deadline: float) -> bytes:
    pieces: list[bytes] = []
    size = 0
    for piece in response.iter_content(16 * 1024):
        size += len(piece)
        if size > max_bytes:
            raise PlatformRefused(
                f"{_shown(url)} answers with more than {max_bytes} bytes",
                status=response.status_code,
                headers=response.headers,
            )
        if time.monotonic() > deadline:
            raise PlatformUnreachable(f"{_shown(url)} does not answer in time")
        pieces.append(piece)
    return b"".join(pieces)


def _successful(response: PlatformResponse) -> PlatformResponse:
    if 200 <= response.status < 300:
        return response
    raise PlatformRefused(
        f"{_shown(response.url)} answered {response.status}",
        status=response.status,
        headers=response.headers,
        excerpt=_excerpt(response.body),
    )


def _redirected(response: PlatformResponse) -> str:
    target = urljoin(response.url, response.headers.get("Location", ""))
    old, new = urlsplit(response.url), urlsplit(target)
    is_upgrade = (old.scheme, new.scheme) == ("http", "https") and old.hostname == new.hostname
    if (old.scheme, old.netloc) != (new.scheme, new.netloc) and not is_upgrade:
        raise PlatformRefused(
            f"{_shown(response.url)} redirects to another host", status=response.status, headers=response.headers
        )
    return target


def _excerpt(body: bytes) -> str:
    return body[:2000].decode("utf-8", "replace")[:500]


def _shown(url: str) -> str:
    """An address as it may stand in a message: without query, which can name people, and without password."""
    scheme, _, rest = url.partition("?")[0].partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"[:200]


# Addresses --------------------------------------------------------------------------------------------------------


class _CheckingConnection(HTTPConnection):
    """Resolves once, checks the addresses, and connects to one that was checked; Host and SNI keep the name."""

    def _new_conn(self) -> socket.socket:
        return _connected(self)


class _CheckingTlsConnection(HTTPSConnection):
    """The same under TLS."""

    def _new_conn(self) -> socket.socket:
        return _connected(self)


class _CheckingPool(HTTPConnectionPool):
    ConnectionCls = _CheckingConnection  # pyright: ignore[reportAssignmentType]


class _CheckingTlsPool(HTTPSConnectionPool):
    ConnectionCls = _CheckingTlsConnection  # pyright: ignore[reportAssignmentType]


class _CheckingAdapter(HTTPAdapter):
    """Transport whose connections check where they lead."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: object) -> None:
        super().init_poolmanager(connections, maxsize, block, **options)
        pools: dict[str, type[HTTPConnectionPool] | type[HTTPSConnectionPool]]
        pools = {"http": _CheckingPool, "https": _CheckingTlsPool}
        self.poolmanager.pool_classes_by_scheme = pools


def _connected(connection: HTTPConnection) -> socket.socket:
    host, port = connection.host.strip("[]"), connection.port
    failure = OSError("it has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if not is_public(str(address[0])):
            raise AddressNotAllowed(f"{host} leads to an address inside a private network")
        dialling = socket.socket(family, kind, protocol)
        try:
            dialling.settimeout(_CONNECT_SECONDS)
            dialling.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            dialling.connect(address)
        except OSError as error:
            dialling.close()
            failure = error
        else:
            # The pool sets the timeout of reading afterwards.
            return dialling
    raise NewConnectionError(connection, f"cannot connect to {host}:{port}: {failure}") from failure


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet; what is embedded in an IPv6 address counts too."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        embedded = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if embedded is None and ip in _NAT64:
            embedded = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if embedded is not None:
            return is_public(str(embedded))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _check_url(url: str, *, allow_private: bool) -> None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise AddressNotAllowed("the address cannot be read") from error
    if parts.scheme not in ({"http", "https"} if allow_private else {"https"}):
        raise AddressNotAllowed(f"{_shown(url)}: only https is allowed")
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise AddressNotAllowed(f"{_shown(url)}: not an address of a platform")


def _version() -> str:
    try:
        return version("mlquiz")
    except PackageNotFoundError:
        return "0"
