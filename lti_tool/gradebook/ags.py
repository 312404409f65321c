"""Scores to the gradebook of a platform, results back: LTI Assignment and Grade Services 2.0.

Written so that Moodle and Canvas both take it: the path is extended before the query, content types are exact, zero
is a number, comments are plain text, and on Moodle only final scores are sent (others erase the grade there).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from lti_tool.errors import ServiceError
from lti_tool.gradebook.errors import (
    AttemptsExhausted,
    ClockBehind,
    NotAStudent,
    PermissionMissing,
    ServiceMissing,
    StaleTimestamp,
)
from lti_tool.gradebook.line_items import LINE_ITEM_READ_SCOPE, LINE_ITEM_SCOPE, LineItem, LineItemClient
from lti_tool.gradebook.services import extended_path, parsed, said_by, with_reason
from lti_tool.launch.protocol import iso_milliseconds, score_message
from lti_tool.platform_http import PlatformRefused

__all__ = [
    "LINE_ITEM_READ_SCOPE",
    "LINE_ITEM_SCOPE",
    "RESULT_SCOPE",
    "SCORE_SCOPE",
    "AgsClient",
    "LineItem",
    "Result",
    "Score",
    "plain_comment",
]

SCORE_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
RESULT_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly"
MAX_COMMENT = 4000
_CANVAS_SUBMISSION = "https://canvas.instructure.com/lti/submission"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What is sent for one user (AGS 2.0 section 3.4.4). ``submitted_at`` decides about lateness, not ``timestamp``.

    ``submission_url`` opens the answer that earned the score, for gradebooks that keep such an address; it is given
    when the answer was handed in since the last score, and counts as a submission there. ``replaces_own``: the grade
    that is there is known to be our own; unless it is, Canvas is asked to let a grade stand that somebody gave.
    """

    user_sub: str
    score_given: Decimal
    score_maximum: Decimal
    comment: str | None
    timestamp: datetime
    submitted_at: datetime | None = None
    submission_url: str | None = None
    replaces_own: bool = False
    activity_progress: str = "Completed"
    grading_progress: str = "FullyGraded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the gradebook holds for one user; ``score`` is ``None`` where there is no grade, which is not zero."""

    user_sub: str
    score: Decimal | None
    maximum: Decimal | None
    comment: str | None


# Points that can be worked with: of "1e999999" no share can be told, and no page can show it.
_Points = Annotated[
    Decimal, Field(gt=-1_000_000_000, lt=1_000_000_000), AfterValidator(lambda points: round(points, 8))
]


class _ResultEntry(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, coerce_numbers_to_str=True)

    user_id: str = Field(alias="userId")
    score: _Points | None = Field(None, alias="resultScore")
    maximum: _Points | None = Field(None, alias="resultMaximum")
    comment: str | None = None


_RESULTS = TypeAdapter(list[_ResultEntry])


class AgsClient(LineItemClient):
    """The gradebook services of one registration. All methods raise :class:`ServiceError`."""

    def post_score(self, line_item_url: str, score: Score) -> None:
        """Send a score (AGS 2.0 section 3.4).

        Raises :class:`StaleTimestamp` if the gradebook has a newer one. Where a platform's clock is so far behind that
        the submission lies in its future, it is told its own present instead; the timestamp is never changed: it must
        grow from score to score, whichever of our machines sends it.
        """
        if self._registration.family == "moodle" and score.grading_progress != "FullyGraded":
            raise ServiceError("Moodle erases the grade when it is sent a score that is not final")
        url = extended_path(line_item_url, "scores")
        try:
            self._post(url, score)
        except ClockBehind:
            # The answer told us the platform's time: what our own clock says cancels out.
            there = datetime.now(UTC) - self._http.lag_of(url)
            if score.submitted_at is None or score.submitted_at <= there:
                raise
            self._post(url, replace(score, submitted_at=there))
        except AttemptsExhausted:
            if score.submission_url is None:
                raise
            # The score still counts where no further submission is taken.
            self._post(url, replace(score, submission_url=None))

    def get_result(self, line_item_url: str, user_sub: str) -> Result | None:
        """What the gradebook holds for a user (AGS 2.0 section 3.3); ``None`` if it has no entry."""
        url = extended_path(line_item_url, "results", user_id=user_sub)
        try:
            pages = list(self._pages(url, (RESULT_SCOPE,), "application/vnd.ims.lis.v2.resultcontainer+json"))
        except ServiceMissing:
            return None
        for entry in (entry for page in pages for entry in parsed(_RESULTS, page)):
            # Not every platform obeys the filter.
            if entry.user_id == user_sub:
                return Result(user_sub=user_sub, score=entry.score, maximum=entry.maximum, comment=entry.comment)
        return None

    def _post(self, url: str, score: Score) -> None:
        body = _score_body(score, is_canvas=self._registration.family == "canvas")
        self._asked(
            (SCORE_SCOPE,),
            lambda bearer: self._http.post(
                url, body, content_type="application/vnd.ims.lis.v1.score+json", bearer=bearer
            ),
            _why_not_taken,
        )


# What is sent -----------------------------------------------------------------------------------------------------


def _score_body(score: Score, *, is_canvas: bool) -> bytes:
    more: dict[str, Any] = {}
    # Canvas takes type and address of a submission with a new one only, and counts each of those as an attempt.
    # "Prioritize" lets every score stand that is there, our own too (scores_controller.rb).
    extension: dict[str, Any] = {
        "new_submission": score.submission_url is not None,
        "prioritize_non_tool_grade": not score.replaces_own,
    }
    if score.grading_progress != "FullyGraded":
        # Only with a score that is not final: with it Canvas writes none at all.
        extension["preserve_score"] = True
    if score.submission_url is not None:
        extension |= {"submission_type": "basic_lti_launch", "submission_data": score.submission_url}
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


# What comes back --------------------------------------------------------------------------------------------------


def _why_not_taken(error: PlatformRefused) -> ServiceError | None:
    """What a refusal means for the outbox: wait, ask a person, or look at what the gradebook holds."""
    said = said_by(error).lower()
    if error.status == 409 or (error.status == 400 and _is_older(said)):
        return StaleTimestamp("The gradebook holds a newer entry for this student.")
    if error.status == 400 and "in the future" in said:
        return ClockBehind("The clock of the LMS is behind that of the tool.")
    if error.is_passing or error.status == 401:
        return None
    if error.status in {404, 410}:
        return ServiceMissing("The gradebook column no longer exists in the LMS (404). Add the quiz again.")
    if error.status == 422 and "attempts" in said:
        return AttemptsExhausted(with_reason("The LMS takes no score: no attempts left there", error))
    if error.status == 403:
        sentence = "The LMS does not allow the tool to use this gradebook column: check the tool's permissions there"
        return PermissionMissing(with_reason(sentence, error))
    reasons = {
        400: "The LMS takes no score for this person: not an enrolled student of the course, or not any more",
        422: "The LMS refuses the score: not a student, or the column changed",
    }
    kind = NotAStudent if error.status in reasons else ServiceError
    return kind(with_reason(reasons.get(error.status, "The LMS refuses the score"), error))


def _is_older(said: str) -> bool:
    """Canvas and Open edX say 400 for a timestamp that is not later than what they have."""
    return "timestamp" in said and any(word in said for word in ("before", "older", "earlier", "last updated", "newer"))
