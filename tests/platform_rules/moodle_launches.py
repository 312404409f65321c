"""Moodle's rules about launches, content items, registration and courses."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from werkzeug import Response

from lti_tool.practice_lms.activities import list_line_items
from lti_tool.practice_lms.people import COURSE
from lti_tool.practice_lms.tools import find_tool_by_client_id
from tests.platform_rules.layer import (
    AGS_CLAIM,
    AGS_SCOPE,
    DL_SETTINGS_CLAIM,
    LTI_CLAIM,
    PLATFORM_CONFIGURATION,
    TOOL_CONFIGURATION,
    Exchange,
    Rule,
    json_answer,
    posting_page,
    with_query,
)

MOODLE_PATH = "/moodle"


def moodle_page(message: str) -> Response:
    """Moodle's page for an exception (``core_renderer::fatal_error``): 404, whatever the cause."""
    return Response(f"<html><body><p class='errormessage'>{message}</p></body></html>", 404, content_type="text/html")


class M10SeveralColumnsNoClaim(Rule):
    """gradebookservices.php: a link with several line items is launched without the ``lineitem`` claim."""

    def change_claims(self, exchange: Exchange, claims: dict[str, Any]) -> None:
        link = claims.get(f"{LTI_CLAIM}resource_link", {}).get("id")
        if not link or AGS_CLAIM not in claims:
            return
        with exchange.lms.database.transaction() as connection:
            columns = list_line_items(connection, resource_link_id=link)
        if len(columns) > 1:
            self.exercised += 1
            claims[AGS_CLAIM].pop("lineitem", None)


class M13RedirectUriIsExact(Rule):
    """auth.php: a ``redirect_uri`` that is not a registered one, to the letter, gets a 404 page, everything else that
    is wrong an error in a form: ``invalid_scope``, ``unsupported_response_type``, ``invalid_request``.

    ``session_is_over`` makes it answer as it does to somebody who was signed out meanwhile: ``access_denied``.
    """

    session_is_over = False

    def refuse(self, exchange: Exchange) -> Response | None:
        if exchange.kind != "auth":
            return None
        self.exercised += 1
        asked = exchange.request.values
        with exchange.lms.database.transaction() as connection:
            tool = find_tool_by_client_id(connection, asked.get("client_id", ""))
        redirect_uri = asked.get("redirect_uri", "")
        if tool is None or redirect_uri != tool.launch_url:
            return moodle_page("Invalid request")
        error = _auth_fault(asked.to_dict()) or (("access_denied", "") if self.session_is_over else None)
        if error is None:
            return None
        fields = {"error": error[0]} | ({"error_description": error[1]} if error[1] else {})
        return posting_page(redirect_uri, fields | {"state": asked.get("state", "")})


def _auth_fault(asked: dict[str, str]) -> tuple[str, str] | None:
    needed = ("scope", "response_type", "client_id", "redirect_uri", "login_hint", "nonce", "lti_message_hint")
    if not all(asked.get(name) for name in needed):
        return "invalid_request", ""
    if asked["scope"] != "openid":
        return "invalid_scope", ""
    if asked["response_type"] != "id_token":
        return "unsupported_response_type", ""
    if asked.get("response_mode") != "form_post":
        return "invalid_request", "Invalid response_mode" if "response_mode" in asked else "Missing response_mode"
    if asked.get("prompt", "none") != "none":
        return "invalid_request", "Invalid prompt"
    return None


class M14HintComesBackUnaltered(Rule):
    """auth.php: ``lti_message_hint`` is JSON since 4.0 and must come back byte for byte: ``invalid_request``."""

    def __init__(self) -> None:
        super().__init__()
        self._given: dict[str, str] = {}

    def refuse(self, exchange: Exchange) -> Response | None:
        if exchange.kind != "auth":
            return None
        self.exercised += 1
        asked = exchange.request.values
        original = self._given.get(asked.get("lti_message_hint", ""))
        if original is None:
            fields = {"error": "invalid_request", "state": asked.get("state", "")}
            return posting_page(asked.get("redirect_uri", ""), fields)
        exchange.replace_query(lti_message_hint=original)
        return None

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if exchange.kind == "open" and answer.status_code == 302:
            location = answer.headers["Location"]
            hint = dict(parse_qsl(urlsplit(location).query))["lti_message_hint"]
            # Spaces, slashes and quotes as PHP's json_encode writes them: what is trimmed or decoded does not fit.
            given = (
                json.dumps({"cmid": 12, "launchid": f"ltilaunch12_{secrets.randbits(31)} ", "é": "a\\/b+c%20"}) + " "
            )
            self._given[given] = hint
            answer.headers["Location"] = _with_login_parameters(location, lti_message_hint=given)


def _with_login_parameters(location: str, **values: str | None) -> str:
    """The login address with parameters changed, or taken away by ``None``."""
    parts = urlsplit(location)
    query = dict(parse_qsl(parts.query)) | values
    return urlunsplit(parts._replace(query=urlencode({name: text for name, text in query.items() if text is not None})))


class M15AuthenticationRequestIsAGet(Rule):
    """MDL-83526: the session cookie is ``SameSite=Lax``, so a cross-site POST comes without a session.

    auth.php answers it with a page that posts again with ``repost``, and that one, still without cookie, with the way
    to the login page: the launch is lost. Only a redirect by GET keeps the session.
    """

    def refuse(self, exchange: Exchange) -> Response | None:
        if exchange.kind != "auth":
            return None
        self.exercised += 1
        if "repost" in exchange.request.values:
            return Response(status=303, headers={"Location": "/login/index.php"})
        if exchange.request.method == "POST":
            return Response("<form id='ltirepost'><input name='repost'></form>", 200, content_type="text/html")
        return None


class M18ContentItemReturn(Rule):
    """contentitem_return.php: the browser posts to the address as given, ``course``, ``id`` and ``sesskey`` included.

    An item without ``lineItem`` becomes an activity without a grade. ``custom`` is kept as lines of ``name=value``,
    and launches carry service addresses beside it, one with a placeholder that nobody filled in.
    """

    def __init__(self) -> None:
        super().__init__()
        self._session_keys: set[str] = set()

    def refuse(self, exchange: Exchange) -> Response | None:
        if exchange.kind != "return":
            return None
        self.exercised += 1
        query = exchange.request.args
        if query.get("course") != COURSE.id or not query.get("id") or query.get("sesskey") not in self._session_keys:
            return moodle_page("A required parameter was missing, or your session has most likely timed out")
        for item in exchange.content_items:
            if "lineItem" not in item:
                self.harms.append(f"{item.get('title')!r} came without a column")
            if any(re.search(r"[\r\n]", str(value)) for value in item.get("custom", {}).values()):
                self.harms.append(f"a custom parameter of {item.get('title')!r} was broken into lines")
        return None

    def change_claims(self, exchange: Exchange, claims: dict[str, Any]) -> None:
        settings = claims.get(DL_SETTINGS_CLAIM)
        if settings is not None:
            key = secrets.token_hex(5)
            self._session_keys.add(key)
            url = with_query(settings["deep_link_return_url"], course=COURSE.id, id="1", sesskey=key)
            settings |= {"deep_link_return_url": url, "accept_multiple": True}
        services = {"system_setting_url": f"{exchange.lms.issuer}/mod/lti/services.php/tool/1/custom"}
        services["context_history"] = "$Context.id.history"
        claims[f"{LTI_CLAIM}custom"] = claims.get(f"{LTI_CLAIM}custom", {}) | services


class M19AcceptGrades(Rule):
    """locallib.php: "accept grades" is set by the teacher: never, and a launch has no column and no right to score."""

    accepts = True

    def change_claims(self, exchange: Exchange, claims: dict[str, Any]) -> None:
        if self.accepts or AGS_CLAIM not in claims:
            return
        self.exercised += 1
        claims[AGS_CLAIM].pop("lineitem", None)
        claims[AGS_CLAIM]["scope"] = [scope for scope in claims[AGS_CLAIM]["scope"] if scope != f"{AGS_SCOPE}score"]


class M20DynamicRegistration(Rule):
    """registration_helper.php: what is required, and the bare reason with 400; what a token may do once only (401).

    The configuration lists messages as strings. Scopes and claims decide what the site will send; custom parameters
    are kept as lines of ``name=value``.
    """

    required = (
        "response_types",
        "initiate_login_uri",
        "redirect_uris",
        "client_name",
        "jwks_uri",
        "token_endpoint_auth_method",
    )

    def refuse(self, exchange: Exchange) -> Response | None:
        if exchange.kind != "register":
            return None
        self.exercised += 1
        body = exchange.json if isinstance(exchange.json, dict) else {}
        reason = self._fault(body)
        if reason:
            return Response(reason, 400, content_type="text/plain")
        configuration = body[TOOL_CONFIGURATION]
        for name, value in configuration.get("custom_parameters", {}).items():
            if re.search(r"[=\r\n]", f"{name}{value}"):
                self.harms.append(f"the custom parameter {name} was cut")
        if "email" in configuration.get("claims", ()):
            self.harms.append("addresses were asked for")
        return None

    def _fault(self, body: dict[str, Any]) -> str:
        configuration = body.get(TOOL_CONFIGURATION)
        configuration = configuration if isinstance(configuration, dict) else {}
        missing = [name for name in (*self.required, TOOL_CONFIGURATION) if not body.get(name)]
        missing += [name for name in ("domain", "target_link_uri") if not configuration.get(name)]
        if missing:
            return f"missing required attribute {missing[0]}"
        if "id_token" not in body["response_types"]:
            return "invalid_response_types"
        if not isinstance(body["redirect_uris"], list):
            return "invalid_redirect_uris"
        if body["token_endpoint_auth_method"] != "private_key_jwt":
            return "invalid_token_endpoint_auth_method"
        if body.get("application_type") not in (None, "web"):
            return "invalid_application_type"
        return ""

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if exchange.kind == "configuration" and answer.status_code == 200:
            body = json.loads(answer.get_data())
            messages = ["LtiResourceLinkRequest", "LtiDeepLinkingRequest"]
            body[PLATFORM_CONFIGURATION] |= {"product_family_code": "moodle", "messages_supported": messages}
            answer.set_data(json.dumps(body))


class M21IssuerHasAPath(Rule):
    """registration_helper.php: the issuer is wwwroot, path included; assertions and answers are for exactly that."""

    def refuse(self, exchange: Exchange) -> Response | None:
        if exchange.kind == "token":
            self.exercised += 1
            audience = exchange.assertion.get("aud")
            if exchange.lms.token_url not in (audience if isinstance(audience, list) else [audience]):
                return json_answer(400, {"error": "invalid_client"})
        return None

    def change_claims(self, exchange: Exchange, claims: dict[str, Any]) -> None:
        assert urlsplit(claims["iss"]).path == MOODLE_PATH
        assert claims["sub"].isdecimal()


class M23NoStorageTarget(Rule):
    """Logins come without ``lti_storage_target``: nothing but cookies and new windows."""

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if exchange.kind == "open" and answer.status_code == 302:
            self.exercised += 1
            answer.headers["Location"] = _with_login_parameters(answer.headers["Location"], lti_storage_target=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseCopy:
    """Another course that holds a copy of an activity, with a column of its own."""

    context_id: str
    title: str
    resource_link_id: str
    line_item_url: str


class M24CourseCopy(Rule):
    """A restored or copied course keeps its links, with new resource link ids and columns, and with the old ``custom``.

    While ``copy`` is set, every launch is one in the copy.
    """

    copy: CourseCopy | None = None

    def change_claims(self, exchange: Exchange, claims: dict[str, Any]) -> None:
        if self.copy is None or f"{LTI_CLAIM}resource_link" not in claims:
            return
        self.exercised += 1
        move_to_copy(claims, self.copy)


def move_to_copy(claims: dict[str, Any], copy: CourseCopy) -> None:
    """Make a launch one of the copied activity."""
    claims[f"{LTI_CLAIM}context"] |= {"id": copy.context_id, "title": copy.title}
    claims[f"{LTI_CLAIM}resource_link"] |= {"id": copy.resource_link_id}
    if AGS_CLAIM in claims:
        claims[AGS_CLAIM]["lineitem"] = copy.line_item_url
