"""Scores to the gradebook of a platform, results back: LTI Assignment and Grade Services 2.0.

Written so that Moodle and Canvas both take it: the path is extended before the query, content types are exact, zero
is a number, comments are plain text, and on Moodle only final scores are sent (others erase the grade there).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from requests.utils import parse_header_links

from lti_tool.errors import DeliveryError
from lti_tool.launch.launches import one_line
from lti_tool.launch.platforms import Registration, origin_of
from lti_tool.launch.protocol import iso_milliseconds, score_message
from lti_tool.launch.tokens import TokenSource
from lti_tool.platform_http import AddressNotAllowed, PlatformError, PlatformHttp, PlatformRefused, PlatformResponse

SCORE_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
RESULT_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly"
LINE_ITEM_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"
LINE_ITEM_READ_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem.readonly"
MAX_COMMENT = 4000
_CANVAS_SUBMISSION = "https://canvas.instructure.com/lti/submission"
_MAX_PAGES = 20
_BUSY_STATUSES = frozenset({408, 425, 429})


class StaleTimestamp(DeliveryError):
    """The gradebook holds something as new or newer for this user: read the result, then send with a later time."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What is sent for one user (AGS 2.0 section 3.4.4). ``submitted_at`` decides about lateness, not ``timestamp``."""

    user_sub: str
    score_given: Decimal
    score_maximum: Decimal
    comment: str | None
    timestamp: datetime
    submitted_at: datetime | None = None
    activity_progress: str = "Completed"
    grading_progress: str = "FullyGraded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the gradebook holds for one user; ``score`` is ``None`` where there is no grade, which is not zero."""

    user_sub: str
    score: Decimal | None
    maximum: Decimal | None
    comment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineItem:
    """A gradebook column."""

    url: str
    label: str
    score_maximum: Decimal | None
    resource_link_id: str | None
    tag: str | None


class _ResultEntry(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, coerce_numbers_to_str=True)

    user_id: str = Field(alias="userId")
    score: Decimal | None = Field(None, alias="resultScore")
    maximum: Decimal | None = Field(None, alias="resultMaximum")
    comment: str | None = None


class _LineItemEntry(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, coerce_numbers_to_str=True)

    id: str
    label: str = ""
    score_maximum: Decimal | None = Field(None, alias="scoreMaximum")
    resource_link_id: str | None = Field(None, alias="resourceLinkId")
    tag: str | None = None


_RESULTS = TypeAdapter(list[_ResultEntry])
_LINE_ITEMS = TypeAdapter(list[_LineItemEntry])


class AgsClient:
    """The gradebook services of one registration. All methods raise :class:`DeliveryError`."""

    def __init__(self, registration: Registration, http: PlatformHttp, tokens: TokenSource) -> None:
        self._registration = registration
        self._http = http
        self._tokens = tokens

    def post_score(self, line_item_url: str, score: Score) -> None:
        """Send a score (AGS 2.0 section 3.4). Raises :class:`StaleTimestamp` if the gradebook has a newer one."""
        if self._registration.family == "moodle" and score.grading_progress != "FullyGraded":
            raise DeliveryError("Moodle erases the grade when it is sent a score that is not final", permanent=True)
        body = _score_body(score, is_canvas=self._registration.family == "canvas")
        url = extended_path(line_item_url, "scores")
        self._asked(
            (SCORE_SCOPE,),
            lambda bearer: self._http.post(
                url, body, content_type="application/vnd.ims.lis.v1.score+json", bearer=bearer
            ),
        )

    def get_result(self, line_item_url: str, user_sub: str) -> Result | None:
        """What the gradebook holds for a user (AGS 2.0 section 3.3); ``None`` if it has no entry."""
        url = extended_path(line_item_url, "results", user_id=user_sub)
        try:
            pages = list(self._pages(url, (RESULT_SCOPE,), "application/vnd.ims.lis.v2.resultcontainer+json"))
        except _Missing:
            return None
        for entry in (entry for page in pages for entry in _entries(_RESULTS, page)):
            # Not every platform obeys the filter.
            if entry.user_id == user_sub:
                return Result(user_sub=user_sub, score=entry.score, maximum=entry.maximum, comment=entry.comment)
        return None

    def find_line_item(
        self, line_items_url: str, *, resource_link_id: str, scopes: Collection[str], tag: str | None = None
    ) -> LineItem | None:
        """The column of a placement among those of the course; with several, the one with ``tag``, else the first.

        ``scopes`` are those that the launch granted: a token is asked for the least of them that will do.
        """
        scope = LINE_ITEM_READ_SCOPE if LINE_ITEM_READ_SCOPE in scopes else LINE_ITEM_SCOPE
        url = _with_query(line_items_url, resource_link_id=resource_link_id, limit="100")
        pages = self._pages(url, (scope,), "application/vnd.ims.lis.v2.lineitemcontainer+json")
        found = [
            LineItem(
                url=entry.id,
                label=entry.label,
                score_maximum=entry.score_maximum,
                resource_link_id=entry.resource_link_id,
                tag=entry.tag,
            )
            for page in pages
            for entry in _entries(_LINE_ITEMS, page)
            if entry.resource_link_id == resource_link_id and origin_of(entry.id)
        ]
        return next((item for item in found if tag is not None and item.tag == tag), found[0] if found else None)

    def _pages(self, url: str, scopes: tuple[str, ...], accept: str) -> Iterator[PlatformResponse]:
        for _ in range(_MAX_PAGES):
            page_url = url
            response = self._asked(scopes, lambda bearer: self._http.get(page_url, accept=accept, bearer=bearer))  # noqa: B023
            yield response
            following = next_page(response)
            if following is None:
                return
            url = following

    def _asked(self, scopes: tuple[str, ...], ask: Callable[[str], PlatformResponse]) -> PlatformResponse:
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
        except PlatformError as error:
            raise _delivery_error(error) from error

    def _bearer(self, scopes: tuple[str, ...]) -> str:
        try:
            return self._tokens.get(self._registration, scopes)
        except PlatformError as error:
            raise _token_error(error) from error


# What is sent -----------------------------------------------------------------------------------------------------


def _score_body(score: Score, *, is_canvas: bool) -> bytes:
    more: dict[str, Any] = {}
    extension: dict[str, Any] = {"new_submission": False, "preserve_score": True, "prioritize_non_tool_grade": True}
    if score.submitted_at is not None:
        # Never later than the score itself: Canvas refuses what lies in the future.
        submitted_at = iso_milliseconds(min(score.submitted_at, score.timestamp))
        more["submission"] = {"submittedAt": submitted_at}
        extension["submitted_at"] = submitted_at
    if is_canvas:
        more[_CANVAS_SUBMISSION] = extension
    return score_message(
        user_sub=score.user_sub,
        score_given=score.score_given,
        score_maximum=score.score_maximum,
        comment=plain_comment(score.comment or ""),
        timestamp=score.timestamp,
        activity_progress=score.activity_progress,
        grading_progress=score.grading_progress,
        more=more,
    )


def plain_comment(text: str, limit: int = MAX_COMMENT) -> str:
    """Text as a gradebook takes it: lines of plain characters, at most ``limit`` of them."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(each for each in lines if each in "\n\t" or unicodedata.category(each) not in {"Cc", "Cs"}).strip()
    return kept if len(kept) <= limit else kept[: limit - 1].rstrip() + "…"


def extended_path(url: str, name: str, **query: str) -> str:
    """A line item's address with ``/name`` at the end of its path; Moodle's addresses carry a query, which stays."""
    parts = urlsplit(url)
    return _with_query(urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}", fragment="")), **query)


def _with_query(url: str, **values: str) -> str:
    parts = urlsplit(url)
    added = urlencode(values)
    query = "&".join(part for part in (parts.query, added) if part)
    return urlunsplit(parts._replace(query=query, fragment=""))


# What comes back --------------------------------------------------------------------------------------------------


def _entries(adapter: TypeAdapter[list[Any]], response: PlatformResponse) -> list[Any]:
    try:
        return adapter.validate_python(response.json())
    except (ValidationError, PlatformRefused) as error:
        raise DeliveryError("The LMS answered with something that is no list of results", permanent=False) from error


def next_page(response: PlatformResponse) -> str | None:
    """The next page of a list, if the platform links one on its own host; Moodle quotes ``rel`` with curly quotes."""
    header = response.headers.get("Link", "").replace("â\x80\x9c", '"').replace("â\x80\x9d", '"')
    for link in parse_header_links(header.translate({0x201C: '"', 0x201D: '"'})) if header else ():
        target = urljoin(response.url, link.get("url", ""))
        if link.get("rel", "").lower() == "next" and origin_of(target) == origin_of(response.url):
            return target
    return None


class _Missing(DeliveryError):
    """404: the line item, or the entry asked for, does not exist."""


def _delivery_error(error: PlatformError) -> DeliveryError:
    """What an answer means for the outbox: wait, ask a person, or look at what the gradebook holds."""
    if not isinstance(error, PlatformRefused):
        return DeliveryError(str(error), permanent=isinstance(error, AddressNotAllowed))
    said = one_line(error.excerpt, 200)
    if error.status == 409 or (error.status == 400 and _is_about_time(said)):
        return StaleTimestamp("The gradebook holds a newer entry for this student.")
    if _is_busy(error):
        return DeliveryError(
            f"The LMS is busy or out of order ({error.status}).",
            permanent=False,
            retry_after_seconds=retry_after_seconds(error.headers.get("Retry-After")),
        )
    if error.status == 401:
        return DeliveryError("The LMS does not accept the tool's access token.", permanent=False)
    if error.status in {404, 410}:
        return _Missing("The gradebook column no longer exists in the LMS (404). Add the quiz again.", permanent=True)
    reasons = {
        400: "The LMS takes no score for this person: not an enrolled student of the course, or not any more",
        403: "The LMS does not allow the tool to use this gradebook column: check the tool's permissions there",
        422: "The LMS refuses the score: not a student, no attempts left there, or the column changed",
    }
    reason = reasons.get(error.status, "The LMS refuses the score")
    return DeliveryError(f"{reason} ({error.status}{': ' + said if said else ''}).", permanent=True)


def _is_about_time(said: str) -> bool:
    """Canvas and Open edX say 400 for a timestamp that is not later than what they have."""
    words = said.lower()
    return "timestamp" in words and any(
        word in words for word in ("before", "older", "earlier", "last updated", "newer")
    )


def _is_busy(error: PlatformRefused) -> bool:
    if error.status in _BUSY_STATUSES or error.status >= 500:
        return True
    remaining = error.headers.get("X-Rate-Limit-Remaining", "")
    is_spent = remaining.strip().startswith(("0", "-"))
    return error.status == 403 and (is_spent or "rate limit exceeded" in error.excerpt.lower())


def _token_error(error: PlatformError) -> DeliveryError:
    """Why there is no token. Only a missing permission is final: the platform may just not reach our key set."""
    if isinstance(error, PlatformRefused):
        if any(code in error.excerpt for code in ("invalid_scope", "unauthorized_client")):
            return DeliveryError(
                "The LMS does not let the tool write grades: allow grade services for the tool there.", permanent=True
            )
        return DeliveryError(
            f"The LMS gives the tool no access token ({error.status}).",
            permanent=False,
            retry_after_seconds=retry_after_seconds(error.headers.get("Retry-After")),
        )
    return DeliveryError(str(error), permanent=isinstance(error, AddressNotAllowed))


def retry_after_seconds(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or a date, at most an hour; ``None`` without one."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), 3600.0) if seconds == seconds else None
