"""A gradebook over HTTP whose answers a test scripts: token endpoint, scores, results; it keeps what it was sent."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from lti_tool.gradebook.ags import RESULT_SCOPE, SCORE_SCOPE
from lti_tool.launch.platforms import add_platform
from tests.course_actors import Course

LINE_ITEM = "/lineitems/7/lineitem"


@dataclass
class ScriptedGradebook:
    """Answers each score by the next of ``script`` (default: takes it), keeps scores as Moodle does."""

    server: HTTPServer
    script: list[Callable[[dict[str, Any]], Response | None]] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    maximum: float = 100.0
    result_status: int = 200
    before_results: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self.server.expect_request("/token", method="POST").respond_with_handler(self._token)
        self.server.expect_request(f"{LINE_ITEM}/scores", method="POST").respond_with_handler(self._score)
        self.server.expect_request(f"{LINE_ITEM}/results", method="GET").respond_with_handler(self._results)

    @property
    def line_item_url(self) -> str:
        return self.server.url_for(f"{LINE_ITEM}?type_id=3")

    def url(self, path: str) -> str:
        return self.server.url_for(path)

    def serves(self, course: Course) -> None:
        """Be the gradebook of a course's platform, a Moodle; the course's placement has its column here."""
        with course.database.across_tenants() as connection:
            add_platform(
                connection,
                issuer=course.registration.issuer,
                client_id=course.registration.client_id,
                family="moodle",
                auth_login_url=self.url("/auth"),
                auth_token_url=self.url("/token"),
                jwks_url=self.url("/jwks"),
                deployment_ids=["1"],
            )
        course.line_item_url = self.line_item_url
        course.scopes = (SCORE_SCOPE, RESULT_SCOPE)

    def keeps(self, body: dict[str, Any]) -> None:
        """Put a score into the gradebook, scaled to its maximum."""
        self.results[body["userId"]] = {
            "id": "1",
            "userId": body["userId"],
            "resultScore": body["scoreGiven"] / body["scoreMaximum"] * self.maximum,
            "resultMaximum": self.maximum,
            "comment": body.get("comment", ""),
        }

    def _token(self, request: Request) -> Response:
        return _json({"access_token": "t", "token_type": "Bearer", "expires_in": 3600, "scope": request.form["scope"]})

    def _score(self, request: Request) -> Response:
        body = json.loads(request.data)
        self.scores.append(body)
        answer = self.script.pop(0)(body) if self.script else None
        if answer is not None:
            return answer
        self.keeps(body)
        return Response("", 200)

    def _results(self, request: Request) -> Response:
        if self.before_results is not None:
            self.before_results()
        if self.result_status != 200:
            return Response("no reading here", self.result_status)
        user = request.args.get("user_id")
        found = [result for result in self.results.values() if user in (None, result["userId"])]
        return _json(found, "application/vnd.ims.lis.v2.resultcontainer+json")


def refuses(status: int, text: str = "no", **headers: str) -> Callable[[dict[str, Any]], Response]:
    """Answer a score with this status and keep nothing."""
    return lambda body: Response(
        text, status, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def keeps_and_then_fails(gradebook: ScriptedGradebook, status: int = 502) -> Callable[[dict[str, Any]], Response]:
    """Take the score, then answer as if it had failed: what a lost reply looks like."""

    def answer(body: dict[str, Any]) -> Response:
        gradebook.keeps(body)
        return Response("lost", status)

    return answer


def is_slow(seconds: float) -> Callable[[dict[str, Any]], None]:
    """Take the score after a while."""

    def answer(body: dict[str, Any]) -> None:
        time.sleep(seconds)

    return answer


def is_slow_and_then_fails(seconds: float, status: int = 503) -> Callable[[dict[str, Any]], Response]:
    """Keep the sender waiting, then take nothing."""

    def answer(body: dict[str, Any]) -> Response:
        time.sleep(seconds)
        return Response("busy", status)

    return answer


def _json(content: object, media_type: str = "application/json") -> Response:
    return Response(json.dumps(content), 200, content_type=media_type)
