"""What platforms answer, and how asking them fails."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from requests.structures import CaseInsensitiveDict

from lti_tool.errors import ToolError

_BUSY_STATUSES = frozenset({408, 425, 429})


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

    @property
    def is_rate_limit(self) -> bool:
        """Whether it asks us to come more slowly: 429, or Canvas's 403 with a spent quota."""
        if self.status == 429:
            return True
        is_spent = self.headers.get("X-Rate-Limit-Remaining", "").strip().startswith(("0", "-"))
        return self.status == 403 and (is_spent or "rate limit exceeded" in self.excerpt.lower())

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed later: the platform is busy or out of order."""
        return self.status in _BUSY_STATUSES or self.status >= 500 or self.is_rate_limit

    @property
    def retry_after_seconds(self) -> float | None:
        """Seconds after which the platform wants to be asked again, at most an hour; ``None``: it does not say."""
        return retry_after_seconds(self.headers.get("Retry-After"))


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
                f"{shown(self.url)} answered with something that is no JSON",
                status=self.status,
                headers=self.headers,
                excerpt=_excerpt(self.body),
            ) from error


def successful(response: PlatformResponse) -> PlatformResponse:
    """The response itself. Raises :class:`PlatformRefused` unless it is a 2xx."""
    if 200 <= response.status < 300:
        return response
    raise PlatformRefused(
        f"{shown(response.url)} answered {response.status}",
        status=response.status,
        headers=response.headers,
        excerpt=_excerpt(response.body),
    )


def retry_after_seconds(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or a date, at most an hour; ``None`` without one."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        moment = http_date(value)
        if moment is None:
            return None
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), 3600.0) if seconds == seconds else None


def http_date(value: str | None) -> datetime | None:
    """The moment in a header such as ``Date`` (RFC 9110 section 5.6.7), ``None`` for anything else."""
    try:
        moment = parsedate_to_datetime(value or "")
    except (ValueError, TypeError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def shown(url: str) -> str:
    """An address as it may stand in a message: without query, which can name people, and without password."""
    scheme, _, rest = url.partition("?")[0].partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"[:200]


def _excerpt(body: bytes) -> str:
    return body[:2000].decode("utf-8", "replace")[:500]
