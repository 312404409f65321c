"""Canvas's gradebook and the rules by which it takes scores: ``scores_controller.rb``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from werkzeug import Response

from lti_tool.practice_lms.people import STUDENTS
from tests.platform_rules.layer import (
    BY_THE_TOOL,
    LTI_CLAIM,
    Exchange,
    Rule,
    ScorePost,
    json_answer,
)

CANVAS = "https://canvas.instructure.com/lti/"
EXTENSION = f"{CANVAS}submission"
SUBMISSION_TYPES = frozenset({"none", "basic_lti_launch", "online_text_entry", "online_url", "external_tool"})


def canvas_error(status: int, message: str) -> Response:
    """An error as ``render_error`` of ``lti_services.rb`` writes it."""
    names = {400: "bad_request", 401: "unauthorized", 404: "not_found", 422: "unprocessable_entity"}
    return json_answer(status, {"errors": {"type": names.get(status, "precondition_failed"), "message": message}})


@dataclass(slots=True)
class Submission:
    """What SpeedGrader shows of a student in an assignment."""

    score: float | None = None
    grader: str = ""
    attempts: int = 0
    allowed_attempts: int | None = None
    submitted_at: datetime | None = None
    submission_type: str = ""
    url: str = ""
    is_late: bool = False
    comments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class CanvasResult:
    """What the results service tells: the tool's last score, or the grade that somebody gave since."""

    score: float | None
    maximum: float | None
    comment: str
    updated_at: datetime


@dataclass(slots=True, kw_only=True)
class Taking:
    """A score on its way into a submission; rules take from it what Canvas does not write."""

    post: ScorePost
    submission: Submission
    writes_score: bool = True

    @property
    def extension(self) -> dict[str, Any]:
        found = self.post.body.get(EXTENSION)
        return found if isinstance(found, dict) else {}

    @property
    def is_new_submission(self) -> bool:
        """``new_submission?``: true unless it is said to be false, or that there is no submission."""
        return self.extension.get("new_submission") is not False and self.extension.get("submission_type") != "none"

    @property
    def submitted_at(self) -> datetime | None:
        submission = self.post.body.get("submission")
        told = submission.get("submittedAt") if isinstance(submission, dict) else None
        return _moment(told or self.post.body.get("submittedAt") or self.extension.get("submitted_at"))

    @property
    def resets_score(self) -> bool:
        """``reset_score?``: neither FullyGraded nor PendingManual, or without a score."""
        accepted = self.post.body.get("gradingProgress") in {"FullyGraded", "PendingManual"}
        return not accepted or self.post.body.get("scoreGiven") is None


@dataclass(slots=True)
class CanvasGradebook:
    """Submissions and results, by line item and user."""

    submissions: dict[tuple[int, str], Submission] = field(default_factory=dict)
    results: dict[tuple[int, str], CanvasResult] = field(default_factory=dict)
    due_at: datetime | None = None
    removed: set[str] = field(default_factory=set)

    def submission(self, key: tuple[int, str]) -> Submission:
        return self.submissions.setdefault(key, Submission())

    def teacher_grades(self, line_item_id: int, user_id: str, points: float) -> None:
        """The teacher types a grade; the result follows, its time does not (``update_line_item_result``)."""
        submission = self.submission((line_item_id, user_id))
        submission.score, submission.grader = points, "teacher"
        if result := self.results.get((line_item_id, user_id)):
            result.score = points


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None


class CanvasRule(Rule, is_row=False):
    """A rule that knows the gradebook and may change how a score is taken."""

    def __init__(self, gradebook: CanvasGradebook) -> None:
        super().__init__()
        self.gradebook = gradebook

    def take(self, taking: Taking) -> None:
        """Change what is written of a score."""


class C7NotBeforeTheResult(CanvasRule):
    """verify_valid_timestamp: 400 if the timestamp is before the result's, with its fractions; equal is fine."""

    def refuse(self, exchange: Exchange) -> Response | None:
        if (score := exchange.score) is None:
            return None
        if score.moment is None or score.moment.tzinfo is None:
            return canvas_error(400, f"Provided timestamp of {score.body.get('timestamp')} not a valid timestamp")
        result = self.gradebook.results.get(score.key)
        if result is None:
            return None
        self.exercised += 1
        if result.updated_at <= score.moment:
            return None
        known = result.updated_at.isoformat(timespec="milliseconds")
        told = score.body["timestamp"]
        return canvas_error(400, f"Provided timestamp of {told} before last updated timestamp of {known}")


class C8StudentsWithAttemptsLeft(CanvasRule):
    """422 for who is no student, for a score without scoreMaximum, and for a new submission without attempts left.

    A score is a new submission unless the extension says otherwise.
    """

    def refuse(self, exchange: Exchange) -> Response | None:
        if (score := exchange.score) is None:
            return None
        self.exercised += 1
        if score.user_id not in {student.id for student in STUDENTS} - self.gradebook.removed:
            return canvas_error(422, "User not found in course or is not a student")
        submission = self.gradebook.submission(score.key)
        taking = Taking(post=score, submission=submission)
        if not taking.resets_score and score.body.get("scoreMaximum") is None:
            return canvas_error(422, "ScoreMaximum not supplied when ScoreGiven present.")
        allowed = submission.allowed_attempts
        if taking.is_new_submission and allowed is not None and submission.attempts >= allowed:
            text = "The maximum number of allowed attempts has been reached for this submission"
            return canvas_error(422, text)
        return None

    def take(self, taking: Taking) -> None:
        if taking.is_new_submission:
            taking.submission.attempts += 1
            taking.submission.submitted_at = taking.submitted_at or datetime.now(UTC)


class C9NotSubmittedInTheFuture(CanvasRule):
    """verify_valid_submitted_at: 400 if the submission lies more than a minute ahead of Canvas's clock.

    ``behind`` is how far that clock is behind ours; the ``Date`` of every answer tells it.
    """

    behind = timedelta(0)

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if exchange.kind in BY_THE_TOOL:
            answer.date = datetime.now(UTC) - self.behind

    def refuse(self, exchange: Exchange) -> Response | None:
        if (score := exchange.score) is None:
            return None
        submitted_at = Taking(post=score, submission=Submission()).submitted_at
        if submitted_at is None:
            return None
        self.exercised += 1
        if submitted_at <= datetime.now(UTC) - self.behind + timedelta(minutes=1):
            return None
        answer = canvas_error(400, f"Provided submitted_at timestamp of {submitted_at.isoformat()} in the future")
        self.change_answer(exchange, answer)
        return answer


class C10PreserveScore(CanvasRule):
    """score_submission: with ``preserve_score`` no score is written; without, a score that is not final clears it."""

    def take(self, taking: Taking) -> None:
        self.exercised += 1
        who = taking.post.user_id
        if taking.extension.get("preserve_score") is True:
            taking.writes_score = False
            if taking.post.is_final:
                self.harms.append(f"the final score of {who} was not written: preserve_score")
        elif taking.resets_score:
            taking.writes_score = False
            if taking.submission.score is not None:
                self.harms.append(f"the grade of {who} was cleared by {taking.post.body.get('gradingProgress')}")
            taking.submission.score = None


class C11PrioritizeNonToolGrade(CanvasRule):
    """score_submission: with ``prioritize_non_tool_grade`` no score that is there is replaced, whoever gave it.

    A tool that knows the score to be its own must leave it out, or a better attempt never counts.
    """

    def take(self, taking: Taking) -> None:
        self.exercised += 1
        if not taking.writes_score or taking.submission.score is None:
            return
        if taking.extension.get("prioritize_non_tool_grade") is True:
            taking.writes_score = False
            if taking.submission.grader == "tool":
                self.harms.append(f"a newer score of {taking.post.user_id} was not written: the tool's own was there")


class C12EveryCommentIsKept(CanvasRule):
    """score_submission: every comment becomes a further submission comment, a repeated one too."""

    def take(self, taking: Taking) -> None:
        comment = str(taking.post.body.get("comment") or "")
        if not comment:
            return
        self.exercised += 1
        if comment in taking.submission.comments:
            self.harms.append(f"{taking.post.user_id} reads a comment twice: {comment[:60]}")
        taking.submission.comments.append(comment)


class C13LateBySubmission(CanvasRule):
    """The late policy goes by ``submission.submittedAt`` of a new submission; without it, by the time of the post."""

    def take(self, taking: Taking) -> None:
        due_at = self.gradebook.due_at
        if due_at is None:
            return
        self.exercised += 1
        submission = taking.submission
        if submission.submitted_at is None:
            self.harms.append(f"{taking.post.user_id} is marked as missing: a grade without a submission")
        else:
            submission.is_late = submission.submitted_at > due_at


class C14SpeedGraderOpensTheSubmission(CanvasRule):
    """SpeedGrader opens ``submission_data`` of ``basic_lti_launch`` as a launch; there is no submission review.

    A submission type that it does not know is dropped without a word. While ``opened`` is set, launches are of this
    address in place of the assignment's own.
    """

    opened = ""

    def change_claims(self, exchange: Exchange, claims: dict[str, Any]) -> None:
        if self.opened:
            claims[f"{LTI_CLAIM}target_link_uri"] = self.opened

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if self.opened and exchange.kind == "open" and answer.status_code == 302:
            parts = urlsplit(answer.headers["Location"])
            query = dict(parse_qsl(parts.query)) | {"target_link_uri": self.opened}
            answer.headers["Location"] = urlunsplit(parts._replace(query=urlencode(query)))

    def take(self, taking: Taking) -> None:
        if not taking.is_new_submission:
            return
        self.exercised += 1
        submission_type = taking.extension.get("submission_type", "external_tool")
        if submission_type not in SUBMISSION_TYPES:
            self.harms.append(f"submission type {submission_type!r} was dropped")
            return
        taking.submission.submission_type = submission_type
        if submission_type in {"basic_lti_launch", "online_url"}:
            url = str(taking.extension.get("submission_data", ""))
            if not re.match(r"https?://", url):
                self.harms.append(f"SpeedGrader has nothing to open for {taking.post.user_id}")
            taking.submission.url = url


class C21TeachersGradeStays(CanvasRule):
    """A teacher's grade is overwritten by the next score that does not ask for its protection."""

    def take(self, taking: Taking) -> None:
        if taking.submission.grader != "teacher":
            return
        self.exercised += 1
        if taking.writes_score:
            self.harms.append(f"the teacher's grade of {taking.post.user_id} was overwritten")
