"""Moodle's rules about what a tool asks of it: tokens, scores, results, columns, class lists."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jwt
import requests
from werkzeug import Response

from lti_tool.practice_lms.activities import find_line_item
from lti_tool.practice_lms.people import STUDENTS
from lti_tool.practice_lms.tools import Tool, find_tool_by_client_id
from tests.platform_rules.layer import (
    AGS_CLAIM,
    BY_THE_TOOL,
    SERVICES,
    Exchange,
    Rule,
    ScorePost,
    json_answer,
)
from tests.platform_rules.moodle_launches import moodle_page

SCORE_TYPE = "application/vnd.ims.lis.v1.score+json"
LINE_ITEM_TYPE = "application/vnd.ims.lis.v2.lineitem+json"
_ACCEPTED = {
    "line_items": ("application/vnd.ims.lis.v2.lineitemcontainer+json", LINE_ITEM_TYPE),
    "line_item": (LINE_ITEM_TYPE,),
    "results": ("application/vnd.ims.lis.v2.resultcontainer+json",),
    "members": (
        "application/vnd.ims.lti-nrps.v2.membershipcontainer+json",
        "application/vnd.ims.lis.v2.membershipcontainer+json",
    ),
}
_SENT = {"line_items": LINE_ITEM_TYPE, "line_item": LINE_ITEM_TYPE, "scores": SCORE_TYPE}


def moodle_error(exchange: Exchange, status: int, reason: str) -> Response:
    """An error of a service as ``mod/lti/classes/local/ltiservice/response.php`` writes it."""
    request = {"method": exchange.request.method, "url": exchange.request.full_path.rstrip("?")}
    return json_answer(status, {"status": status, "reason": reason, "request": request})


@dataclass(slots=True)
class Cell:
    """What Moodle keeps for a student in a column."""

    modified_at: int
    has_grade: bool
    comment: str


@dataclass(slots=True)
class MoodleGradebook:
    """What the rules know of the gradebook; the teacher's hand moves in here."""

    cells: dict[tuple[int, str], Cell] = field(default_factory=dict)
    overridden: dict[tuple[int, str], float] = field(default_factory=dict)
    unenrolled: set[str] = field(default_factory=set)

    def teacher_overrides(self, line_item_id: int, user_id: str, points: float, *, at: float) -> None:
        """The teacher types another grade into the gradebook (``at`` in seconds since 1970)."""
        self.overridden[line_item_id, user_id] = points
        kept = self.cells.get((line_item_id, user_id))
        self.cells[line_item_id, user_id] = Cell(int(at), True, kept.comment if kept else "")


class M1TypeIdStaysInTheQuery(Rule):
    """Line item addresses end in ``?type_id=N``: what is added belongs into the path. Without it: 401 or 403."""

    def refuse(self, exchange: Exchange) -> Response | None:
        if not exchange.path.startswith("/services/ags/"):
            return None
        self.exercised += 1
        type_ids = exchange.request.args.getlist("type_id")
        if len(type_ids) == 1 and type_ids[0].isdecimal():
            return None
        return moodle_error(exchange, 403 if exchange.kind in {"scores", "results"} else 401, "Unauthorized")


class M2ContentTypeIsExact(Rule):
    """services.php finds a resource by the exact ``Content-Type``, without parameters (GET: ``Accept``); else 400."""

    def refuse(self, exchange: Exchange) -> Response | None:
        if exchange.kind not in SERVICES:
            return None
        if exchange.is_sent_with_body:
            self.exercised += 1
            fits = exchange.request.headers.get("Content-Type") == _SENT.get(exchange.kind)
        else:
            accept = exchange.request.headers.get("Accept", "")
            fits = not accept or "*/*" in accept or accept in _ACCEPTED.get(exchange.kind, (accept,))
        return None if fits or exchange.request.method == "DELETE" else moodle_error(exchange, 400, "Bad Request")


class GradebookRule(Rule, is_row=False):
    """A rule that knows the gradebook."""

    def __init__(self, gradebook: MoodleGradebook) -> None:
        super().__init__()
        self.gradebook = gradebook

    def cell(self, score: ScorePost) -> Cell | None:
        return self.gradebook.cells.get(score.key)


class M3OnlyGradableUsers(GradebookRule):
    """scores.php: 400 unless the user is enrolled with a gradebook role; teachers and those who left are not."""

    def refuse(self, exchange: Exchange) -> Response | None:
        score = exchange.score
        if score is None:
            return None
        self.exercised += 1
        gradable = {student.id for student in STUDENTS} - self.gradebook.unenrolled
        return None if score.user_id in gradable else moodle_error(exchange, 400, "Incorrect score received")


class M4LaterByAWholeSecond(GradebookRule):
    """scores.php: 409 unless the timestamp is later than the stored one, in whole seconds; a teacher's edit counts."""

    def refuse(self, exchange: Exchange) -> Response | None:
        score = exchange.score
        if score is None:
            return None
        if score.moment is None:
            return moodle_error(exchange, 400, "Incorrect score received")
        cell = self.cell(score)
        if cell is None:
            return None
        self.exercised += 1
        if cell.modified_at < int(score.moment.timestamp()):
            return None
        reason = f"Refusing score with an earlier timestamp for item {score.line_item_id} and user {score.user_id}"
        return moodle_error(exchange, 409, reason)


class M5OnlyFinalScoresCount(GradebookRule):
    """scores.php: any ``gradingProgress`` but FullyGraded clears the grade that is there."""

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        score = exchange.score
        if score is None or answer.status_code >= 300:
            return
        self.exercised += 1
        cell = self.cell(score)
        if not score.is_final and cell is not None and cell.has_grade:
            self.harms.append(f"the grade of {score.user_id} was cleared by {score.body.get('gradingProgress')}")


class M6OverriddenGradeStays(GradebookRule):
    """gradebookservices.php: a score for an overridden or locked grade gets 200, and the grade stays as it is."""

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if exchange.kind != "results" or answer.status_code != 200:
            return
        results = json.loads(answer.get_data())
        for result in results:
            points = self.gradebook.overridden.get((exchange.line_item_id, result["userId"]))
            if points is not None:
                self.exercised += 1
                result["resultScore"] = points
        answer.set_data(json.dumps(results))


class M7CommentIsPlainAndReplaced(GradebookRule):
    """scores.php: the comment is kept as plain text; a score without one wipes the feedback that is there."""

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        score = exchange.score
        if score is None or answer.status_code >= 300:
            return
        self.exercised += 1
        comment = str(score.body.get("comment") or "")
        cell = self.cell(score)
        if cell is not None and cell.comment and not comment:
            self.harms.append(f"the feedback of {score.user_id} was wiped")
        if re.search(r"</?[a-z][^>]*>|\*\*|&[a-z]+;", comment):
            self.harms.append(f"{score.user_id} reads markup: {comment[:60]}")


class M8ScoreIsRescaled(Rule):
    """gradebookservices.php: scores are rescaled by ``scoreMaximum``; without a final grade a result has no score.

    Only ``userId`` and ``id`` are left of such a result. A missing ``scoreMaximum`` counts as 1, a missing
    ``scoreGiven`` as no grade: neither is refused. What is no number is (400).
    """

    def refuse(self, exchange: Exchange) -> Response | None:
        score = exchange.score
        if score is None:
            return None
        self.exercised += 1
        numbers = [score.body[name] for name in ("scoreGiven", "scoreMaximum") if score.body.get(name) is not None]
        if all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in numbers):
            return None
        return moodle_error(exchange, 400, "Incorrect score received")

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        score = exchange.score
        if score is not None and answer.status_code < 300:
            if score.is_final and score.body.get("scoreGiven") is None:
                self.harms.append(f"no score for {score.user_id}: a zero that was left out?")
            if not score.body.get("scoreMaximum"):
                self.harms.append(f"the score of {score.user_id} was taken as one out of 1")
        if exchange.kind == "results" and answer.status_code == 200:
            results = json.loads(answer.get_data())
            bare = [
                result if "resultScore" in result else {name: result[name] for name in ("id", "userId")}
                for result in results
            ]
            answer.set_data(json.dumps(bare))


class M9LineItemIsWrittenWhole(Rule):
    """lineitem.php: PUT needs label and scoreMaximum (400), wipes what it leaves out; DELETE of a coupled one: 403."""

    def refuse(self, exchange: Exchange) -> Response | None:
        if exchange.kind != "line_item" or exchange.request.method not in {"PUT", "DELETE"}:
            return None
        self.exercised += 1
        with exchange.lms.database.transaction() as connection:
            number = int(exchange.request.args.get("type_id", "0"))
            item = find_line_item(connection, exchange.line_item_id, number)
        if item is None:
            return moodle_error(exchange, 404, "Line item does not exist")
        if exchange.request.method == "DELETE":
            return moodle_error(exchange, 403, "Forbidden") if item.coupled else None
        body = exchange.json if isinstance(exchange.json, dict) else {}
        if body.get("label") is None or body.get("scoreMaximum") is None:
            return moodle_error(exchange, 400, "Bad Request")
        for name, kept in (("resourceId", item.resource_id), ("tag", item.tag)):
            if kept and not body.get(name):
                self.harms.append(f"{name} {kept!r} of line item {item.id} was wiped")
        return None


class M11PagesOnlyOnRequest(Rule):
    """lineitems.php: pages only where ``limit`` is given, counted by ``from``; ``rel`` stands in curly quotes.

    Pages here hold two at most, whatever ``limit`` says, so that a handful of columns fills several.
    """

    page_size = 2

    def refuse(self, exchange: Exchange) -> Response | None:
        if exchange.kind == "line_items" and exchange.request.method == "GET" and "limit" in exchange.request.args:
            page = exchange.request.args.get("from", 0, int) // self.page_size + 1
            exchange.replace_query(limit=str(self.page_size), page=str(page), **{"from": None})
        return None

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if exchange.kind != "line_items" or answer.status_code != 200 or "limit" not in exchange.request.args:
            return
        self.exercised += 1
        has_next = bool(answer.headers.pop("Link", None))
        start = exchange.request.args.get("from", 0, int)
        starts = {"first": 0, "canonical": start} | ({"next": start + self.page_size} if has_next else {}) | {"last": 0}
        links = ", ".join(f"<{_page_address(exchange, at)}>; rel=“{name}”" for name, at in starts.items())
        # Header bytes are UTF-8; WSGI wants them one character a byte.
        answer.headers["Link"] = links.encode().decode("latin-1")


def _page_address(exchange: Exchange, start: int) -> str:
    query = {name: value for name, value in exchange.request.args.items() if name != "from"} | {"from": str(start)}
    return f"{exchange.lms.issuer}{exchange.path}?{urlencode(query)}"


class M12RosterPathHasCapitals(Rule):
    """The roster is at ``…/CourseSection/…`` (any other case: 400); pages by ``limit`` and ``from``, ``rel="next"``."""

    page_size = 4

    def refuse(self, exchange: Exchange) -> Response | None:
        if "/coursesection/" in exchange.path:
            self.exercised += 1
            return moodle_error(exchange, 400, "Bad Request")
        if exchange.kind == "members":
            self.exercised += 1
            page = exchange.request.args.get("from", 0, int) // self.page_size + 1
            exchange.replace_query(limit=str(self.page_size), page=str(page), **{"from": None})
        return None

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if exchange.kind == "members" and answer.status_code == 200 and answer.headers.pop("Link", None):
            start = exchange.request.args.get("from", 0, int) + self.page_size
            query = {"limit": str(self.page_size), "from": str(start)}
            query |= {"rlid": exchange.request.args["rlid"]} if "rlid" in exchange.request.args else {}
            answer.headers["Link"] = f'<{exchange.lms.issuer}{exchange.path}?{urlencode(query)}>; rel="next"'


class M16ScopesAreAskedFor(Rule):
    """token.php: 400 ``invalid_scope`` if none of the scopes asked for is permitted; a token lives 3600 s.

    ``permitted`` narrows what the site allows; launches then name no other scopes either. A service call whose token
    was not asked for its scope gets 401, read-only ones included.
    """

    permitted: frozenset[str] | None = None

    def refuse(self, exchange: Exchange) -> Response | None:
        if exchange.kind != "token":
            return None
        self.exercised += 1
        asked = set(exchange.request.form.get("scope", "").split())
        if self.permitted is not None and not asked & self.permitted:
            return json_answer(400, {"error": "invalid_scope"})
        return None

    def change_claims(self, exchange: Exchange, claims: dict[str, Any]) -> None:
        if self.permitted is not None and AGS_CLAIM in claims:
            claims[AGS_CLAIM]["scope"] = [scope for scope in claims[AGS_CLAIM]["scope"] if scope in self.permitted]

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if exchange.kind == "token" and answer.status_code == 200:
            answer.set_data(json.dumps(json.loads(answer.get_data()) | {"expires_in": 3600}))
        elif exchange.kind in SERVICES and answer.status_code in {401, 403}:
            self.harms.append(f"{exchange.kind} answered {answer.status_code}: {answer.get_data(as_text=True)[:80]}")


class M17ToolKeysAreKept(Rule):
    """locallib.php: the tool's key set is cached and fetched again when a signature fails; then ``invalid_client``.

    So a key must be published before it signs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fetches = 0
        self._kept: dict[str, set[str]] = {}

    def refuse(self, exchange: Exchange) -> Response | None:
        token = exchange.request.form.get("client_assertion" if exchange.kind == "token" else "JWT", "")
        if exchange.kind not in {"token", "return"} or not token:
            return None
        self.exercised += 1
        tool = _signer(exchange, token)
        if tool is not None and self._publishes(tool, token):
            return None
        return json_answer(400, {"error": "invalid_client"}) if exchange.kind == "token" else moodle_page("Invalid key")

    def _publishes(self, tool: Tool, token: str) -> bool:
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
        except jwt.InvalidTokenError:
            return False
        if key_id not in self._kept.get(tool.jwks_url, ()):
            self.fetches += 1
            keys = requests.get(tool.jwks_url, timeout=5).json()["keys"]
            self._kept[tool.jwks_url] = {key["kid"] for key in keys}
        return key_id in self._kept[tool.jwks_url]


def _signer(exchange: Exchange, token: str) -> Tool | None:
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss", "")
    except jwt.InvalidTokenError:
        return None
    with exchange.lms.database.transaction() as connection:
        return find_tool_by_client_id(connection, str(issuer))


class M22UserAgentIsNeeded(Rule):
    """Some sites' firewalls answer 403 to requests without a User-Agent."""

    def refuse(self, exchange: Exchange) -> Response | None:
        if exchange.kind not in BY_THE_TOOL:
            return None
        self.exercised += 1
        named = exchange.request.headers.get("User-Agent", "").strip()
        return None if named else Response("<h1>Forbidden</h1>", 403, content_type="text/html")
