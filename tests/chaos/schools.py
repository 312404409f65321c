"""Two platforms of very many students in one process: one with Moodle's rules, one with Canvas's.

The rules are those of ``tests/platform_rules``; a gradebook in memory stands in the place of the practice LMS. Every
score that was taken is written down. ``GET /state`` tells all, and what was done to a student's grade that a person
would call harm. Students who are called ``left-…`` are none any more.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.platform_rules.canvas_gradebook import (
    C7NotBeforeTheResult,
    C8StudentsWithAttemptsLeft,
    C9NotSubmittedInTheFuture,
    C10PreserveScore,
    C11PrioritizeNonToolGrade,
    C14SpeedGraderOpensTheSubmission,
    CanvasGradebook,
    CanvasResult,
    CanvasRule,
    Taking,
    canvas_error,
)
from tests.platform_rules.layer import SERVICES, Exchange, Rule, json_answer
from tests.platform_rules.moodle_services import (
    Cell,
    M1TypeIdStaysInTheQuery,
    M2ContentTypeIsExact,
    M4LaterByAWholeSecond,
    M5OnlyFinalScoresCount,
    M7CommentIsPlainAndReplaced,
    M8ScoreIsRescaled,
    M22UserAgentIsNeeded,
    MoodleGradebook,
    moodle_error,
)

MAXIMUM = 100.0
_RESULTS_TYPE = "application/vnd.ims.lis.v2.resultcontainer+json"
# What platforms allow the clock of a tool to differ.
_LEEWAY_SECONDS = 60


@dataclass
class Grade:
    """What a student has in a column: the score that counts, and all that was ever taken."""

    score: float | None = None
    comment: str = ""
    comments: list[str] = field(default_factory=list)
    scores: list[float | None] = field(default_factory=list)
    announced: list[str] = field(default_factory=list)


class School:
    """One platform. ``told_seconds``: how long it says that a token lives; it lives ``token_seconds``."""

    prefix = ""
    told_seconds = 3600.0
    behind = timedelta(0)

    def __init__(self, *, token_seconds: float) -> None:
        self.rules: list[Rule] = []
        self.grades: dict[tuple[int, str], Grade] = {}
        self.harms: list[str] = []
        self.counts: Counter[str] = Counter()
        self._token_seconds = token_seconds
        self._tokens: dict[str, float] = {}

    def answer(self, exchange: Exchange) -> Response:
        """What it says, with the time of its own clock; one request at a time."""
        answer = self._answer(exchange)
        answer.date = datetime.now(UTC) - self.behind
        return answer

    def _answer(self, exchange: Exchange) -> Response:
        if exchange.kind == "token":
            return self._token(exchange)
        if exchange.kind not in SERVICES:
            return Response("no such page", 404)
        bearer = exchange.request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self._tokens.get(bearer, 0.0) < time.monotonic():
            self.counts["expired tokens"] += 1
            return json_answer(401, {"error": "invalid_token"})
        for rule in self.rules:
            if (refusal := rule.refuse(exchange)) is not None:
                self.counts[f"refused by {rule.row or type(rule).__name__}"] += 1
                return refusal
        answer = self._take(exchange) if exchange.kind == "scores" else self._results(exchange)
        for rule in self.rules:
            rule.change_answer(exchange, answer)
        return answer

    def state(self) -> dict[str, Any]:
        """All that it holds."""
        return {
            "grades": {f"{item} {user}": vars(grade) for (item, user), grade in self.grades.items()},
            "harms": self.harms + [f"{rule.row}: {harm}" for rule in self.rules for harm in rule.harms],
            "counts": dict(self.counts),
        }

    def _token(self, exchange: Exchange) -> Response:
        claims = jwt.decode(exchange.request.form["client_assertion"], options={"verify_signature": False})
        if not claims["iat"] - _LEEWAY_SECONDS <= time.time() <= claims["exp"] + _LEEWAY_SECONDS:
            self.harms.append(f"an assertion of another time: {claims['iat'] - time.time():+.0f} s")
            return json_answer(400, {"error": "invalid_client"})
        text = secrets.token_urlsafe(12)
        self._tokens[text] = time.monotonic() + self._token_seconds
        self.counts["tokens"] += 1
        body = {"access_token": text, "token_type": "Bearer", "expires_in": self.told_seconds}
        return json_answer(200, body | {"scope": exchange.request.form["scope"]})

    def _take(self, exchange: Exchange) -> Response:
        raise NotImplementedError

    def _result(self, key: tuple[int, str]) -> dict[str, Any] | None:
        raise NotImplementedError

    def _results(self, exchange: Exchange) -> Response:
        user = exchange.request.args.get("user_id", "")
        result = self._result((exchange.line_item_id, user))
        found = [] if result is None else [{"id": f"{exchange.request.url}#1", "userId": user, **result}]
        return json_answer(200, found, _RESULTS_TYPE)

    def _keep(self, exchange: Exchange, *, score: float | None, comment: str) -> Grade:
        assert exchange.score is not None
        grade = self.grades.setdefault(exchange.score.key, Grade())
        if score is None and grade.score is not None:
            self.harms.append(f"the grade of {exchange.score.user_id} was cleared")
        if comment in grade.comments:
            self.harms.append(f"{exchange.score.user_id} got a comment twice: {comment[:60]!r}")
        grade.score, grade.comment = score, comment
        grade.comments.append(comment)
        grade.scores.append(score)
        self.counts["scores taken"] += 1
        return grade


class MoodleStudentsOnly(Rule, is_row=False):
    """scores.php: 400 for who is no student (any more)."""

    def refuse(self, exchange: Exchange) -> Response | None:
        is_stranger = exchange.score is not None and exchange.score.user_id.startswith("left-")
        return moodle_error(exchange, 400, "Incorrect score received") if is_stranger else None


class MoodleSchool(School):
    """Newer whole seconds only; comments replace each other. Its tokens die long before their time."""

    prefix = "/moodle"

    def __init__(self, *, token_seconds: float) -> None:
        super().__init__(token_seconds=token_seconds)
        self._gradebook = MoodleGradebook()
        self.rules = [
            M22UserAgentIsNeeded(),
            M1TypeIdStaysInTheQuery(),
            M2ContentTypeIsExact(),
            M8ScoreIsRescaled(),
            MoodleStudentsOnly(),
            M4LaterByAWholeSecond(self._gradebook),
            M5OnlyFinalScoresCount(self._gradebook),
            M7CommentIsPlainAndReplaced(self._gradebook),
        ]

    def _take(self, exchange: Exchange) -> Response:
        post = exchange.score
        assert post is not None
        assert post.moment is not None
        given, maximum = post.body.get("scoreGiven"), post.body.get("scoreMaximum") or 1
        score = given / maximum * MAXIMUM if post.is_final and given is not None else None
        comment = str(post.body.get("comment") or "")
        self._keep(exchange, score=score, comment=comment)
        self._gradebook.cells[post.key] = Cell(int(post.moment.timestamp()), score is not None, comment)
        return Response("", 200)

    def _result(self, key: tuple[int, str]) -> dict[str, Any] | None:
        grade = self.grades.get(key)
        if grade is None:
            return None
        return {"resultScore": grade.score, "resultMaximum": MAXIMUM, "comment": grade.comment}


class CanvasStudents(C8StudentsWithAttemptsLeft, is_row=False):
    """422 for who is no student (any more)."""

    def refuse(self, exchange: Exchange) -> Response | None:
        is_stranger = exchange.score is not None and exchange.score.user_id.startswith("left-")
        return canvas_error(422, "User not found in course or is not a student") if is_stranger else None


class CanvasSchool(School):
    """Every comment is kept, every announced submission counts, and its clock is five minutes behind.

    That a comment comes twice is judged in ``verdict.py``, which knows the versions: C12 is not among the rules here.
    """

    prefix = "/canvas"
    told_seconds = 70.0
    behind = timedelta(minutes=5)

    def __init__(self, *, token_seconds: float) -> None:
        super().__init__(token_seconds=token_seconds)
        self._gradebook = CanvasGradebook()
        clock = C9NotSubmittedInTheFuture(self._gradebook)
        clock.behind = self.behind
        self.rules = [
            CanvasStudents(self._gradebook),
            C7NotBeforeTheResult(self._gradebook),
            clock,
            C14SpeedGraderOpensTheSubmission(self._gradebook),
            C10PreserveScore(self._gradebook),
            C11PrioritizeNonToolGrade(self._gradebook),
        ]

    def _take(self, exchange: Exchange) -> Response:
        post = exchange.score
        assert post is not None
        assert post.moment is not None
        submission = self._gradebook.submission(post.key)
        taking = Taking(post=post, submission=submission)
        for rule in self.rules:
            if isinstance(rule, CanvasRule):
                rule.take(taking)
        given, maximum = post.body.get("scoreGiven"), post.body.get("scoreMaximum")
        if taking.writes_score and given is not None:
            submission.score, submission.grader = given / maximum * MAXIMUM, "tool"
        comment = str(post.body.get("comment") or "")
        self._gradebook.results[post.key] = CanvasResult(given, maximum, comment, post.moment)
        grade = self._keep(exchange, score=submission.score, comment=comment)
        if taking.is_new_submission:
            if submission.url in grade.announced:
                self.harms.append(f"an attempt of {post.user_id} was announced twice: {submission.url}")
            grade.announced.append(submission.url)
        return json_answer(200, {"resultUrl": f"{exchange.request.url}/1"})

    def _result(self, key: tuple[int, str]) -> dict[str, Any] | None:
        result = self._gradebook.results.get(key)
        if result is None:
            return None
        return {"resultScore": result.score, "resultMaximum": result.maximum, "comment": result.comment}


class Town:
    """Both schools behind one address."""

    def __init__(self, *, token_seconds: float) -> None:
        self._schools = (MoodleSchool(token_seconds=token_seconds), CanvasSchool(token_seconds=token_seconds))
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ.get("PATH_INFO", "")
        with self._lock:
            for school in self._schools:
                if path.startswith(f"{school.prefix}/"):
                    environ["PATH_INFO"] = path.removeprefix(school.prefix)
                    return school.answer(Exchange(environ, None))(environ, start_response)
            if Request(environ).path == "/state":
                state = {school.prefix.strip("/"): school.state() for school in self._schools}
                return Response(json.dumps(state), content_type="application/json")(environ, start_response)
        return Response("no such school", 404)(environ, start_response)


class _Quiet(WSGIRequestHandler):
    def send_response(self, code: int, message: str | None = None) -> None:
        """Without a date of the server's own: a school has its own clock."""
        self.send_response_only(code, message)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Thousands of requests: nothing is said of each."""


if __name__ == "__main__":
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    make_server("127.0.0.1", port, Town(token_seconds=seconds), threaded=True, request_handler=_Quiet).serve_forever()
