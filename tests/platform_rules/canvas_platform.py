"""Canvas's rules beside its gradebook: who launches from where, registration, class lists, throttling."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from werkzeug import Response

from lti_tool.practice_lms.activities import find_line_item
from lti_tool.practice_lms.lms import PracticeLms
from lti_tool.practice_lms.people import LEARNER
from tests.platform_rules.canvas_gradebook import CANVAS, canvas_error
from tests.platform_rules.layer import (
    BY_THE_TOOL,
    LTI_CLAIM,
    PLATFORM_CONFIGURATION,
    TOOL_CONFIGURATION,
    Exchange,
    Rule,
    json_answer,
)
from tests.platform_rules.moodle_launches import CourseCopy, move_to_copy

ISSUER = "https://canvas.instructure.com"
TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"
_MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"


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
