"""Canvas's rules, one class a row of the notes (C1 to C24), read in ``app/controllers/lti/ims`` of canvas-lms.

Two rows are stricter here than the API's documentation sounds. ``scores_controller.rb`` writes no score at all where
``preserve_score`` is true, final or not (C10), and with ``prioritize_non_tool_grade`` it protects *any* score that is
there, the tool's own as well (C11). The result, which the tool reads back, takes the new score in both cases.

What a layer of HTTP cannot show:

====  =============================================================  ==================================================
row   why not here                                                   where the tool's side is tested
====  =============================================================  ==================================================
C4    whether a frame answers ``lti.capabilities`` is the browser's  ``tests/browser``; the rule here always names a
      matter                                                         storage target
C19   the developer key's JSON is pasted by a person, no request     ``test_canvas.py`` reads the JSON as Canvas does
C20   Safari's treatment of Canvas's own cookies                     ``tests/browser`` (the new window)
====  =============================================================  ==================================================
"""

from __future__ import annotations

import io
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flask import Flask
from werkzeug import Response

from lti_tool.practice_lms.activities import find_line_item
from lti_tool.practice_lms.lms import PracticeLms
from lti_tool.practice_lms.people import LEARNER, STUDENTS
from tests.platform_rules.layer import (
    BY_THE_TOOL,
    LTI_CLAIM,
    PLATFORM_CONFIGURATION,
    TOOL_CONFIGURATION,
    Exchange,
    Rule,
    RuleLayer,
    ScorePost,
    json_answer,
)
from tests.platform_rules.moodle import CourseCopy, move_to_copy

ISSUER = "https://canvas.instructure.com"
CANVAS = "https://canvas.instructure.com/lti/"
EXTENSION = f"{CANVAS}submission"
SUBMISSION_TYPES = frozenset({"none", "basic_lti_launch", "online_text_entry", "online_url", "external_tool"})
TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"
_MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
RESULTS_TYPE = "application/vnd.ims.lis.v2.resultcontainer+json"


def canvas_error(status: int, message: str) -> Response:
    """An error as ``render_error`` of ``lti_services.rb`` writes it."""
    names = {400: "bad_request", 401: "unauthorized", 404: "not_found", 422: "unprocessable_entity"}
    return json_answer(status, {"errors": {"type": names.get(status, "precondition_failed"), "message": message}})


# The gradebook ----------------------------------------------------------------------------------------------------


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


# Rules ------------------------------------------------------------------------------------------------------------


class CanvasRule(Rule, is_row=False):
    """A rule that knows the gradebook and may change how a score is taken."""

    def __init__(self, gradebook: CanvasGradebook) -> None:
        super().__init__()
        self.gradebook = gradebook

    def take(self, taking: Taking) -> None:
        """Change what is written of a score."""


class C1IssuerIsShared(Rule):
    """All schools are ``https://canvas.instructure.com``; login, keys and tokens are at ``sso.canvaslms.com``.

    The sign-in host leads the browser on to the school (``authorize_redirect``); pages and services are the school's.
    """

    def refuse(self, exchange: Exchange) -> Response | None:
        assert isinstance(exchange.lms, CanvasLms)
        sign_in = urlsplit(exchange.lms.sign_in).netloc
        at_sign_in = exchange.request.host == sign_in
        if exchange.kind == "auth" and at_sign_in:
            self.exercised += 1
            query = urlencode(list(exchange.request.values.items(multi=True)))
            return Response(status=302, headers={"Location": f"{exchange.lms.school}/auth?{query}"})
        if exchange.kind in {"jwks", "token"} and not at_sign_in:
            return canvas_error(404, "The specified resource does not exist.")
        return None

    def change_claims(self, exchange: Exchange, claims: dict[str, Any]) -> None:
        assert claims["iss"] == ISSUER


class C2DeploymentOfAnAccount(Rule):
    """One client has a deployment for every account or course that it is installed in; a launch names its own.

    While ``account`` is set, launches come from that sub-account.
    """

    account: str | None = None

    def change_claims(self, exchange: Exchange, claims: dict[str, Any]) -> None:
        if self.account is not None:
            self.exercised += 1
            claims[f"{LTI_CLAIM}deployment_id"] = self.account


class C3LoginNamesDeployment(Rule):
    """Logins say ``deployment_id`` (not ``lti_deployment_id``), ``canvas_region`` and ``canvas_environment``.

    ``pretended`` is a deployment that the login names although the message will be of another.
    """

    pretended: str | None = None

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if exchange.kind != "open" or answer.status_code != 302:
            return
        self.exercised += 1
        parts = urlsplit(answer.headers["Location"])
        query = dict(parse_qsl(parts.query))
        deployment_id = query.pop("lti_deployment_id")
        query |= {"deployment_id": self.pretended or deployment_id, "canvas_region": "us-east-1"}
        query["canvas_environment"] = "prod"
        answer.headers["Location"] = urlunsplit(parts._replace(query=urlencode(query)))


class C4StorageTargetIsAlwaysThere(Rule):
    """``lti_storage_target`` is always sent, in apps without platform storage too; ``_parent`` or a frame's name."""

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if exchange.kind == "open" and answer.status_code == 302:
            self.exercised += 1
            parts = urlsplit(answer.headers["Location"])
            query = dict(parse_qsl(parts.query)) | {"lti_storage_target": "post_message_forwarding"}
            answer.headers["Location"] = urlunsplit(parts._replace(query=urlencode(query)))


class C5PeopleAreAnonymous(Rule):
    """The default privacy level is ``anonymous``: neither launches nor rosters hold names or addresses."""

    names = ("name", "given_name", "family_name", "email", "picture")

    def change_claims(self, exchange: Exchange, claims: dict[str, Any]) -> None:
        self.exercised += 1
        for name in self.names:
            claims.pop(name, None)

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if exchange.kind == "members" and answer.status_code == 200:
            self.exercised += 1
            body = json.loads(answer.get_data())
            for member in body["members"]:
                for name in self.names:
                    member.pop(name, None)
            answer.set_data(json.dumps(body))


class C6RolesOfAssistantsAndTestStudents(Rule):
    """An assistant is Instructor and a sub-role of it; the student view's test student is Learner and TestUser."""

    def __init__(self, *, assistants: set[str], test_students: set[str]) -> None:
        super().__init__()
        self.assistants, self.test_students = assistants, test_students

    def change_claims(self, exchange: Exchange, claims: dict[str, Any]) -> None:
        if claims["sub"] in self.assistants:
            self.exercised += 1
            claims[f"{LTI_CLAIM}roles"] = [f"{_MEMBERSHIP}#Instructor", f"{_MEMBERSHIP}/Instructor#TeachingAssistant"]
        if claims["sub"] in self.test_students:
            self.exercised += 1
            claims[f"{LTI_CLAIM}roles"] = [LEARNER, TEST_USER]


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


class C15CoupledColumnsStay(Rule):
    """line_items_controller.rb: deleting a line item that came with an assignment is a bare 401."""

    def refuse(self, exchange: Exchange) -> Response | None:
        if exchange.kind != "line_item" or exchange.request.method != "DELETE":
            return None
        self.exercised += 1
        with exchange.lms.database.transaction() as connection:
            number = int(exchange.request.args.get("type_id", "0"))
            item = find_line_item(connection, exchange.line_item_id, number)
        return Response(status=401) if item is not None and item.coupled else None


class C16CourseCopy(Rule):
    """A copied course has other contexts, links and columns, and says nothing of where it came from.

    While ``copy`` is set, every launch is one in the copy.
    """

    copy: CourseCopy | None = None

    def change_claims(self, exchange: Exchange, claims: dict[str, Any]) -> None:
        if self.copy is not None and f"{LTI_CLAIM}resource_link" in claims:
            self.exercised += 1
            move_to_copy(claims, self.copy)


class C17Throttle(Rule):
    """Too many requests: 403 "Rate Limit Exceeded" from older hosts, 429 from newer ones, budget in headers.

    ``script`` holds the statuses of the next service calls; ``None`` lets one pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self.script: list[int | None] = []

    def refuse(self, exchange: Exchange) -> Response | None:
        if exchange.kind not in {"scores", "results", "line_items", "members"} or not self.script:
            return None
        status = self.script.pop(0)
        if status is None:
            return None
        self.exercised += 1
        answer = Response(f"{status} Forbidden (Rate Limit Exceeded)\n", status, content_type="text/html")
        answer.headers["X-Rate-Limit-Remaining"] = "0.0"
        answer.headers["X-Request-Cost"] = "12.3"
        return answer

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if exchange.kind in BY_THE_TOOL:
            answer.headers["X-Rate-Limit-Remaining"] = "599.7"
            answer.headers["X-Request-Cost"] = "0.3"


class C18DynamicRegistration(Rule):
    """The configuration is shown to who bears the registration token only; messages are objects with placements.

    An application with a message or a placement that Canvas does not know is 422; the answer names no deployment.
    """

    placements: ClassVar[Mapping[str, list[str]]] = {
        "LtiResourceLinkRequest": ["course_navigation", "link_selection", "assignment_selection"],
        "LtiDeepLinkingRequest": ["assignment_selection", "link_selection", "course_assignments_menu"],
    }

    def refuse(self, exchange: Exchange) -> Response | None:
        if exchange.kind not in {"configuration", "register"}:
            return None
        self.exercised += 1
        if not exchange.request.headers.get("Authorization", "").startswith("Bearer "):
            return json_answer(401, {"errorMessage": "Missing registration token"})
        if exchange.kind == "configuration":
            return None
        body = exchange.json if isinstance(exchange.json, dict) else {}
        faults = list(self._faults(body.get(TOOL_CONFIGURATION, {})))
        return json_answer(422, {"errors": faults}) if faults else None

    def _faults(self, configuration: dict[str, Any]) -> Iterator[str]:
        level = configuration.get(f"{CANVAS}privacy_level")
        if level not in {"public", "name_only", "email_only", "anonymous"}:
            yield f"privacy_level {level!r}"
        if not configuration.get("messages"):
            yield "messages is missing"
        for message in configuration.get("messages", ()):
            known = self.placements.get(message.get("type"), ())
            unknown = [name for name in message.get("placements", ()) if name not in known]
            if not known or unknown or not message.get("placements"):
                yield f"{message.get('type')} has no placements, or unknown ones: {unknown}"

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if exchange.kind not in {"configuration", "register"} or answer.status_code >= 300:
            return
        body = json.loads(answer.get_data())
        if exchange.kind == "configuration":
            messages = [{"type": kind, "placements": places} for kind, places in self.placements.items()]
            body[PLATFORM_CONFIGURATION] |= {
                "product_family_code": "canvas",
                "messages_supported": messages,
                "variables": [],
                f"{CANVAS}account_name": "A school",
            }
        else:
            body[TOOL_CONFIGURATION].pop("deployment_id", None)
        answer.set_data(json.dumps(body))


class C21TeachersGradeStays(CanvasRule):
    """A teacher's grade is overwritten by the next score that does not ask for its protection."""

    def take(self, taking: Taking) -> None:
        if taking.submission.grader != "teacher":
            return
        self.exercised += 1
        if taking.writes_score:
            self.harms.append(f"the teacher's grade of {taking.post.user_id} was overwritten")


class C22RosterRepeatsPeople(Rule):
    """Members come twice where pages meet, and people whose enrolment ended come as ``Inactive``."""

    page_size = 3

    def refuse(self, exchange: Exchange) -> Response | None:
        if exchange.kind == "members":
            self.exercised += 1
            exchange.replace_query(limit=str(self.page_size), page=exchange.request.args.get("page", "1"))
        return None

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if exchange.kind != "members" or answer.status_code != 200:
            return
        body = json.loads(answer.get_data())
        page = exchange.request.args.get("page", 1, int)
        if answer.headers.pop("Link", None):
            url = f"{exchange.lms.url}{exchange.path}?{urlencode({'page': page + 1, 'per_page': self.page_size})}"
            answer.headers["Link"] = f'<{url}>; rel="next"'
        if page > 1:
            body["members"].insert(0, {"status": "Active", "user_id": "11", "roles": ["Learner"]})
            body["members"].append({"status": "Inactive", "user_id": "99", "roles": ["Learner"]})
        answer.set_data(json.dumps(body))


class C23UserAgentIsNeeded(Rule):
    """Since January 2026: 403 for every request without a User-Agent."""

    def refuse(self, exchange: Exchange) -> Response | None:
        if exchange.kind not in BY_THE_TOOL:
            return None
        self.exercised += 1
        named = exchange.request.headers.get("User-Agent", "").strip()
        return None if named else Response("User-Agent header is required", 403, content_type="text/plain")


class C24HeadersChangeCase(Rule):
    """Header names changed case twice: every other answer writes them in lower case, the others in Title Case."""

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if exchange.kind not in BY_THE_TOOL:
            return
        self.exercised += 1
        change = str.lower if self.exercised % 2 else str.title
        named = [(change(name), value) for name, value in answer.headers.items()]
        answer.headers.clear()
        for name, value in named:
            answer.headers.add(name, value)


# The platform -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CanvasLms(PracticeLms):
    """A school on Canvas's shared issuer: its pages are at ``school``, keys and tokens at ``sign_in``."""

    school: str
    sign_in: str

    @property
    def url(self) -> str:
        """Where pages and services are."""
        return self.school

    @property
    def token_url(self) -> str:
        """Where tools get access tokens."""
        return f"{self.sign_in}/token"


@dataclass
class Canvas(RuleLayer):
    """The practice LMS behind Canvas's rules, with Canvas's gradebook in place of its own."""

    gradebook: CanvasGradebook = field(default_factory=CanvasGradebook)

    def answer(self, exchange: Exchange) -> Response:
        """Scores and results are Canvas's; everything else is the practice LMS's."""
        if exchange.kind not in {"scores", "results"} or exchange.request.method not in {"POST", "GET"}:
            return super().answer(exchange)
        for rule in self.rules:
            if (refusal := rule.refuse(exchange)) is not None:
                rule.refused += 1
                return refusal
        answer = self._not_granted(exchange)
        if answer is None:
            answer = self._take(exchange) if exchange.kind == "scores" else self._results(exchange)
        for rule in self.rules:
            rule.change_answer(exchange, answer)
        return answer

    def _not_granted(self, exchange: Exchange) -> Response | None:
        """The practice LMS looks at token, scope and line item; a body that holds no score is never taken by it."""
        environ = dict(exchange.environ)
        if exchange.kind == "scores":
            environ |= {"wsgi.input": io.BytesIO(b"{}"), "CONTENT_LENGTH": "2"}
        asked = Response.from_app(self.app, environ, buffered=True)
        if asked.status_code in {401, 403, 404}:
            return canvas_error(asked.status_code, "Insufficient permissions")
        return None

    def _take(self, exchange: Exchange) -> Response:
        post = exchange.score
        if post is None or post.moment is None:
            return canvas_error(400, "param is missing or the value is empty: userId")
        taking = Taking(post=post, submission=self.gradebook.submission(post.key))
        for rule in self.rules:
            if isinstance(rule, CanvasRule):
                rule.take(taking)
        given, maximum = post.body.get("scoreGiven"), post.body.get("scoreMaximum")
        if taking.writes_score and given is not None:
            scale = self._score_maximum(exchange) / maximum if maximum else 1.0
            taking.submission.score, taking.submission.grader = given * scale, "tool"
        # result.update!: the result takes the score even where the submission did not.
        self.gradebook.results[post.key] = CanvasResult(
            given, maximum, str(post.body.get("comment") or ""), post.moment
        )
        url = f"{exchange.lms.url}{exchange.path.removesuffix('/scores')}/results/{secrets.randbits(20)}"
        return json_answer(200, {"resultUrl": url}, "application/vnd.ims.lis.v1.score+json; charset=utf-8")

    def _score_maximum(self, exchange: Exchange) -> float:
        with exchange.lms.database.transaction() as connection:
            item = find_line_item(connection, exchange.line_item_id, int(exchange.request.args.get("type_id", "0")))
        assert item is not None
        return item.score_maximum

    def _results(self, exchange: Exchange) -> Response:
        wanted = exchange.request.args.get("user_id")
        found = [
            {
                "id": f"{exchange.lms.url}{exchange.path}/{number}",
                "userId": user_id,
                "resultScore": result.score,
                "resultMaximum": result.maximum,
                "comment": result.comment,
                "scoreOf": f"{exchange.lms.url}{exchange.path.removesuffix('/results')}",
            }
            for number, ((line_item_id, user_id), result) in enumerate(self.gradebook.results.items())
            if line_item_id == exchange.line_item_id and wanted in (None, user_id)
        ]
        return json_answer(200, found, f"{RESULTS_TYPE}; charset=utf-8")


def canvas(app: Flask, *more: Rule, is_shared: bool = True) -> Canvas:
    """The practice LMS as a school on Canvas; its extension must be a :class:`CanvasLms`. ``more`` rules come first.

    Without ``is_shared`` it is a Canvas of the school's own, with an issuer of its own.
    """
    gradebook = CanvasGradebook()
    rules = (
        *more,
        C23UserAgentIsNeeded(),
        *([C1IssuerIsShared()] if is_shared else []),
        C17Throttle(),
        C18DynamicRegistration(),
        C2DeploymentOfAnAccount(),
        C3LoginNamesDeployment(),
        C4StorageTargetIsAlwaysThere(),
        C5PeopleAreAnonymous(),
        C6RolesOfAssistantsAndTestStudents(assistants={"14"}, test_students={"15"}),
        C15CoupledColumnsStay(),
        C16CourseCopy(),
        C22RosterRepeatsPeople(),
        C7NotBeforeTheResult(gradebook),
        C9NotSubmittedInTheFuture(gradebook),
        C8StudentsWithAttemptsLeft(gradebook),
        C13LateBySubmission(gradebook),
        C14SpeedGraderOpensTheSubmission(gradebook),
        C10PreserveScore(gradebook),
        C11PrioritizeNonToolGrade(gradebook),
        C21TeachersGradeStays(gradebook),
        C12EveryCommentIsKept(gradebook),
        C24HeadersChangeCase(),
    )
    return Canvas(app, rules, gradebook=gradebook)
