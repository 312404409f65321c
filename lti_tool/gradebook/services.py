"""What all services of a platform share: an access token, renewed once; pages of a list; what a refusal means.

AGS 2.0 and NRPS 2.0 are called the same way; LTI security framework 1.0 section 4.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from pydantic import TypeAdapter, ValidationError
from requests.utils import parse_header_links

from lti_tool.errors import ServiceError
from lti_tool.gradebook.errors import NoAnswer, PermissionMissing, ServiceAway, ServiceMissing
from lti_tool.launch.launches import one_line
from lti_tool.launch.platforms import Registration, origin_of
from lti_tool.launch.tokens import TokenSource
from lti_tool.platform_http import AddressNotAllowed, PlatformError, PlatformHttp, PlatformRefused, PlatformResponse

MAX_PAGES = 20
# All pages together; a page has its own limit besides.
MAX_LIST_SECONDS = 20.0
# Pages are as long as this where the platform lets us choose; Moodle has no pages at all without it.
PAGE_LENGTH = "100"

_Parsed = TypeVar("_Parsed")
#: What a refusal means for one call; ``None``: the same as for all.
Explain = Callable[[PlatformRefused], ServiceError | None]


class ServiceClient:
    """The services of one registration's platform. All methods raise :class:`ServiceError`."""

    def __init__(self, registration: Registration, http: PlatformHttp, tokens: TokenSource) -> None:
        self._registration = registration
        self._http = http
        self._tokens = tokens

    def _pages(self, url: str, scopes: tuple[str, ...], accept: str) -> Iterator[PlatformResponse]:
        """The pages of a list, at most 20, within 20 seconds: whoever waits holds a thread that others need."""
        deadline = time.monotonic() + MAX_LIST_SECONDS
        for _ in range(MAX_PAGES):
            if time.monotonic() > deadline:
                raise ServiceAway("The LMS takes too long to list what was asked for.")
            response = self._got(url, scopes, accept)
            yield response
            following = next_page(response)
            if following is None:
                return
            url = following

    def _got(self, url: str, scopes: tuple[str, ...], accept: str) -> PlatformResponse:
        return self._asked(scopes, lambda bearer: self._http.get(url, accept=accept, bearer=bearer))

    def _asked(
        self, scopes: tuple[str, ...], ask: Callable[[str], PlatformResponse], explain: Explain | None = None
    ) -> PlatformResponse:
        """Ask with a token; one that is no longer taken is renewed once."""
        bearer = self._bearer(scopes)
        try:
            try:
                return ask(bearer)
            except PlatformRefused as error:
                if error.status != 401:
                    raise
            self._tokens.drop(self._registration, scopes, bearer)
            return ask(self._bearer(scopes))
        except PlatformRefused as error:
            raise (explain(error) if explain else None) or _refusal(error) from error
        except PlatformError as error:
            raise _silence(error) from error

    def _bearer(self, scopes: tuple[str, ...]) -> str:
        try:
            return self._tokens.get(self._registration, scopes)
        except PlatformRefused as error:
            raise _token_refusal(error) from error
        except PlatformError as error:
            raise _silence(error) from error


# Addresses --------------------------------------------------------------------------------------------------------


def extended_path(url: str, name: str, **query: str) -> str:
    """An address with ``/name`` at the end of its path; Moodle's addresses carry a query, which stays."""
    parts = urlsplit(url)
    return with_query(urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}", fragment="")), **query)


def with_query(url: str, **values: str | None) -> str:
    """An address with these values behind the query that it has; ``None`` leaves one out."""
    parts = urlsplit(url)
    added = urlencode({name: value for name, value in values.items() if value is not None})
    return urlunsplit(parts._replace(query="&".join(part for part in (parts.query, added) if part), fragment=""))


def next_page(response: PlatformResponse) -> str | None:
    """The next page of a list, if the platform links one on its own host; Moodle quotes ``rel`` with curly quotes."""
    header = response.headers.get("Link", "").replace("â\x80\x9c", '"').replace("â\x80\x9d", '"')
    for link in parse_header_links(header.translate({0x201C: '"', 0x201D: '"'})) if header else ():
        target = urljoin(response.url, link.get("url", ""))
        if link.get("rel", "").lower() == "next" and origin_of(target) == origin_of(response.url):
            return target
    return None


# What comes back --------------------------------------------------------------------------------------------------


def parsed(adapter: TypeAdapter[_Parsed], response: PlatformResponse) -> _Parsed:
    """The body of an answer. Raises :class:`ServiceAway` for one of another shape: a proxy or an update in between."""
    return parsed_json(adapter, json_of(response))


def parsed_json(adapter: TypeAdapter[_Parsed], body: object) -> _Parsed:
    """The same for JSON that was read before."""
    try:
        return adapter.validate_python(body)
    except ValidationError as error:
        raise ServiceAway("The LMS answered with something else than what was asked for.") from error


def json_of(response: PlatformResponse) -> Any:  # noqa: ANN401 - whatever the platform says
    """The body as JSON. Raises :class:`ServiceAway`."""
    try:
        return response.json()
    except PlatformRefused as error:
        raise ServiceAway("The LMS answered with something that cannot be read.") from error


def said_by(error: PlatformRefused) -> str:
    """What the platform gave as its reason, as one line of at most 200 characters."""
    return one_line(error.excerpt, 200)


def with_reason(sentence: str, error: PlatformRefused) -> str:
    """A sentence with status and the platform's own words."""
    said = said_by(error)
    return f"{sentence} ({error.status}{': ' + said if said else ''})."


def _silence(error: PlatformError) -> ServiceError:
    if isinstance(error, AddressNotAllowed):
        return ServiceError(str(error))
    return NoAnswer(str(error))


def _refusal(error: PlatformRefused) -> ServiceError:
    if error.is_passing:
        # 504: somebody in between gave up waiting for the platform, which may be at work on it still.
        return (NoAnswer if error.status == 504 else ServiceAway)(
            f"The LMS is busy or out of order ({error.status}).", retry_after_seconds=error.retry_after_seconds
        )
    if error.status == 401:
        # A key set that the platform could not fetch for a moment looks the same as a missing permission.
        return PermissionMissing("The LMS does not accept the tool's access token.", permanent=False)
    if error.status == 403:
        return PermissionMissing(with_reason("The LMS does not allow the tool to do this", error))
    if error.status in {404, 410}:
        return ServiceMissing(f"The LMS does not have what was asked for ({error.status}).")
    return ServiceError(with_reason("The LMS refuses what the tool asked for", error))


def _token_refusal(error: PlatformRefused) -> ServiceError:
    """Why there is no token. Only a missing permission is final: the platform may just not reach our key set."""
    if any(code in error.excerpt for code in ("invalid_scope", "unauthorized_client")):
        return PermissionMissing("The LMS does not let the tool use this service: allow it for the tool there.")
    return ServiceAway(
        f"The LMS gives the tool no access token ({error.status}).", retry_after_seconds=error.retry_after_seconds
    )
