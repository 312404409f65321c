"""A layer in front of the practice LMS that refuses what a real platform refuses and behaves as it behaves.

A :class:`Rule` is one row of the notes on a platform. It sees every request before the LMS does and may answer in its
place (:meth:`Rule.refuse`), the claims of every message before they are signed (:meth:`Rule.change_claims`), and every
answer (:meth:`Rule.change_answer`). Each counts how often it had something to look at, so that a suite can prove that
no rule is idle.
"""

from __future__ import annotations

import html
import io
import json
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import jwt
from flask import Flask
from werkzeug import Request, Response

from lti_tool.practice_lms.lms import EXTENSION, PracticeLms

AGS_CLAIM = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
NRPS_CLAIM = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
DL_SETTINGS_CLAIM = "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"
DL_ITEMS_CLAIM = "https://purl.imsglobal.org/spec/lti-dl/claim/content_items"
TOOL_CONFIGURATION = "https://purl.imsglobal.org/spec/lti-tool-configuration"
PLATFORM_CONFIGURATION = "https://purl.imsglobal.org/spec/lti-platform-configuration"
LTI_CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
AGS_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/"

Kind = Literal[
    "open",
    "auth",
    "jwks",
    "token",
    "line_items",
    "line_item",
    "scores",
    "results",
    "members",
    "return",
    "configuration",
    "register",
    "page",
]
SERVICES = frozenset({"line_items", "line_item", "scores", "results", "members"})
#: What the tool itself asks for, not a person's browser.
BY_THE_TOOL = SERVICES | {"jwks", "token", "configuration", "register"}

_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"/as/[^/]+/(activities/\d+/open|tools/\d+/choose)", "open"),
    (r"/auth", "auth"),
    (r"/jwks", "jwks"),
    (r"/token", "token"),
    (r"/services/ags/[^/]+/lineitems", "line_items"),
    (r"/services/ags/[^/]+/lineitems/\d+/lineitem", "line_item"),
    (r"/services/ags/[^/]+/lineitems/\d+/lineitem/scores", "scores"),
    (r"/services/ags/[^/]+/lineitems/\d+/lineitem/results", "results"),
    (r"/services/CourseSection/[^/]+/memberships", "members"),
    (r"/deep-linking/return", "return"),
    (r"/\.well-known/openid-configuration", "configuration"),
    (r"/register", "register"),
)
_FIELD = r'(<input type="hidden" name="{name}" value=")([^"]*)(")'


@dataclass(slots=True, kw_only=True)
class ScorePost:
    """A score as it was posted (AGS 2.0 section 3.4.4)."""

    line_item_id: int
    body: dict[str, Any]

    @property
    def user_id(self) -> str:
        return str(self.body.get("userId", ""))

    @property
    def key(self) -> tuple[int, str]:
        """Line item and user: the cell of the gradebook."""
        return self.line_item_id, self.user_id

    @property
    def moment(self) -> datetime | None:
        """The timestamp, ``None`` if it cannot be read."""
        try:
            return datetime.fromisoformat(str(self.body.get("timestamp", "")))
        except ValueError:
            return None

    @property
    def is_final(self) -> bool:
        return self.body.get("gradingProgress") == "FullyGraded"


class Exchange:
    """One request to the platform, with its body at hand."""

    def __init__(self, environ: dict[str, Any], lms: PracticeLms | None) -> None:
        body = Request(environ).get_data(cache=False)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        self.environ = environ
        self.body = body
        self.request = Request({**environ, "wsgi.input": io.BytesIO(body)})
        self._lms = lms

    @property
    def lms(self) -> PracticeLms:
        """The practice LMS behind the layer."""
        assert self._lms is not None, "this layer has no practice LMS behind it"
        return self._lms

    @property
    def path(self) -> str:
        return self.request.path

    @cached_property
    def kind(self) -> Kind:
        """What is asked for."""
        for pattern, kind in _KINDS:
            if re.fullmatch(pattern, self.path):
                return kind
        return "page"

    @property
    def is_sent_with_body(self) -> bool:
        return self.request.method in {"POST", "PUT"}

    @cached_property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @cached_property
    def line_item_id(self) -> int:
        found = re.search(r"/lineitems/(\d+)/", self.path + "/")
        return int(found[1]) if found else 0

    @cached_property
    def score(self) -> ScorePost | None:
        """The score that is posted, ``None`` for any other request and where it is no JSON object."""
        if self.kind != "scores" or not isinstance(self.json, dict):
            return None
        return ScorePost(line_item_id=self.line_item_id, body=self.json)

    def replace_query(self, **values: str | None) -> None:
        """Let the LMS behind the layer see other parameters; ``None`` takes one away."""
        query = dict(parse_qsl(self.environ.get("QUERY_STRING", ""), keep_blank_values=True))
        kept = {name: value for name, value in {**query, **values}.items() if value is not None}
        self.environ["QUERY_STRING"] = urlencode(kept)

    @cached_property
    def assertion(self) -> dict[str, Any]:
        """Claims of the client assertion of a token request, unverified."""
        try:
            return jwt.decode(self.request.form.get("client_assertion", ""), options={"verify_signature": False})
        except jwt.InvalidTokenError:
            return {}

    @cached_property
    def content_items(self) -> list[dict[str, Any]]:
        """What a deep linking response brings, unverified."""
        try:
            claims = jwt.decode(self.request.form.get("JWT", ""), options={"verify_signature": False})
        except jwt.InvalidTokenError:
            return []
        items = claims.get(DL_ITEMS_CLAIM)
        return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


class Rule:
    """One row.

    ``exercised`` counts the requests that it had to look at, ``refused`` those that it answered itself. ``harms`` are
    things that the platform does without a word to a tool that does not know better: a grade cleared, a comment lost.
    """

    row: ClassVar[str] = ""

    def __init_subclass__(cls, *, is_row: bool = True) -> None:
        super().__init_subclass__()
        found = re.match(r"([MC]\d{1,2})[A-Z]", cls.__name__)
        assert bool(found) is is_row, f"{cls.__name__} names no row"
        assert cls.__doc__, f"{cls.__name__} does not say what the platform does"
        cls.row = found[1] if found else ""

    def __init__(self) -> None:
        self.exercised = 0
        self.refused = 0
        self.harms: list[str] = []

    def refuse(self, exchange: Exchange) -> Response | None:
        """The platform's refusal, ``None`` to let the request pass."""
        del exchange
        return None

    def change_claims(self, exchange: Exchange, claims: dict[str, Any]) -> None:
        """Change what a message says before it is signed."""

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        """Change an answer of the LMS."""


AnyRule = TypeVar("AnyRule", bound=Rule)


@dataclass
class RuleLayer:
    """The practice LMS (or any Flask app in its place) behind rules, as a WSGI application.

    ``prefix`` is a path that the platform's addresses begin with; the practice LMS itself lives at the root.
    """

    app: Flask
    rules: Sequence[Rule]
    prefix: str = ""
    log: list[tuple[str, str, int]] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if self.prefix and path.startswith(f"{self.prefix}/"):
            environ["PATH_INFO"] = path.removeprefix(self.prefix)
        exchange = Exchange(environ, self.app.extensions.get(EXTENSION))
        answer = self.answer(exchange)
        self.log.append((exchange.request.method, exchange.path, answer.status_code))
        return answer(environ, start_response)

    def answer(self, exchange: Exchange) -> Response:
        """The first refusal, else the LMS's answer as the rules change it."""
        for rule in self.rules:
            refusal = rule.refuse(exchange)
            if refusal is not None:
                rule.refused += 1
                return refusal
        answer = Response.from_app(self.app, exchange.environ, buffered=True)
        if exchange.kind == "auth":
            self._sign_again(exchange, answer)
        for rule in self.rules:
            rule.change_answer(exchange, answer)
        return answer

    def idle_rules(self) -> list[str]:
        """Names of the rules that had nothing to look at."""
        return [type(rule).__name__ for rule in self.rules if not rule.exercised]

    def harms(self) -> list[str]:
        """What was done to the tool's work without a refusal."""
        return [f"{rule.row}: {harm}" for rule in self.rules for harm in rule.harms]

    def rule(self, kind: type[AnyRule]) -> AnyRule:
        """The rule of this class."""
        return next(rule for rule in self.rules if isinstance(rule, kind))

    def _sign_again(self, exchange: Exchange, answer: Response) -> None:
        """Let the rules change the message in the form, and sign it with the platform's key."""
        token = form_field(answer, "id_token")
        if token is None:
            return
        claims = jwt.decode(token, options={"verify_signature": False})
        for rule in self.rules:
            rule.change_claims(exchange, claims)
        header = {"kid": jwt.get_unverified_header(token)["kid"]}
        key = exchange.lms.identity.private_key
        set_form_field(answer, "id_token", jwt.encode(claims, key, algorithm="RS256", headers=header))


# Answers ----------------------------------------------------------------------------------------------------------


def form_field(answer: Response, name: str) -> str | None:
    """A hidden field of a page that posts itself on."""
    found = re.search(_FIELD.format(name=name), answer.get_data(as_text=True))
    return html.unescape(found[2]) if found else None


def set_form_field(answer: Response, name: str, value: str) -> None:
    """Replace a hidden field of such a page."""
    page = answer.get_data(as_text=True)
    answer.set_data(
        re.sub(_FIELD.format(name=name), lambda found: found[1] + html.escape(value, quote=True) + found[3], page)
    )


def posting_page(action: str, fields: dict[str, str]) -> Response:
    """A page that posts itself on, as platforms answer an authentication request."""
    inputs = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in fields.items()
    )
    return Response(
        f'<form id="forward" method="post" action="{html.escape(action)}">{inputs}</form>', content_type="text/html"
    )


def json_answer(status: int, body: object, content_type: str = "application/json; charset=utf-8") -> Response:
    """JSON with a status."""
    return Response(json.dumps(body), status, content_type=content_type)


def with_query(url: str, **values: str) -> str:
    """The address with more parameters."""
    parts = urlsplit(url)
    return urlunsplit(
        parts._replace(query=urlencode([*parse_qsl(parts.query, keep_blank_values=True), *values.items()]))
    )


def line_item_of(url: str) -> int:
    """The number of a line item in its address."""
    found = re.search(r"/lineitems/(\d+)/lineitem", url)
    assert found, url
    return int(found[1])


class LostAnswers(Rule, is_row=False):
    """Not a platform's rule: the network loses the answers to the next ``count`` scores after they were taken."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if exchange.kind == "scores" and answer.status_code < 300 and self.count:
            self.count -= 1
            answer.status_code = 504
            answer.set_data(b"")


class EndedTokens(Rule, is_row=False):
    """Not a platform's rule: tokens that were granted before :meth:`end_all` are over, whatever was said of them."""

    def __init__(self) -> None:
        super().__init__()
        self._granted: set[str] = set()
        self._over: set[str] = set()

    def end_all(self) -> None:
        """No token of today is taken any more."""
        self._over |= self._granted
        # The practice LMS dates tokens by the second: within this one it would grant the very same again.
        time.sleep(1.001 - time.time() % 1)

    def refuse(self, exchange: Exchange) -> Response | None:
        bearer = exchange.request.headers.get("Authorization", "").removeprefix("Bearer ")
        if exchange.kind not in SERVICES or bearer not in self._over:
            return None
        return json_answer(401, {"error": "invalid_token"})

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if exchange.kind == "token" and answer.status_code == 200:
            self._granted.add(json.loads(answer.get_data())["access_token"])
