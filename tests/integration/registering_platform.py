"""Platforms that let tools register themselves, for tests: they refuse what Moodle and Canvas refuse.

Moodle's rules are those of ``mod/lti/classes/local/ltiopenid/registration_helper.php`` (notes M20), Canvas's those of
its schema ``LtiToolConfiguration`` and of "Registering an LTI Tool" (notes C18).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask.testing import FlaskClient
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response
from werkzeug.test import TestResponse

PLATFORM = "https://purl.imsglobal.org/spec/lti-platform-configuration"
TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"
EXTENSION = "https://canvas.instructure.com/lti/"
SCOPE = "https://purl.imsglobal.org/spec/"
TOKEN = "registration-token-of-the-platform"
PLACEMENTS = [
    "assignment_selection",
    "link_selection",
    "course_assignments_menu",
    "course_navigation",
    "editor_button",
]


@dataclass(kw_only=True)
class RegisteringPlatform:
    """A platform's configuration and registration addresses; a test may change ``document`` and ``answers``."""

    server: HTTPServer
    family: str
    document: Any = None
    applications: list[dict[str, Any]] = field(default_factory=list)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    used_tokens: set[str] = field(default_factory=set)
    answers: list[Response] = field(default_factory=list)
    client_id: str = "client-of-ours"
    deployment_at_top: str | None = None

    @property
    def issuer(self) -> str:
        return self.server.url_for("").rstrip("/")

    @property
    def configuration_url(self) -> str:
        return f"{self.issuer}/openid-configuration"

    def configuration(self, **changes: Any) -> dict[str, Any]:
        """What the platform says of itself."""
        messages: list[Any] = ["LtiResourceLinkRequest", "LtiDeepLinkingRequest"]
        if self.family == "canvas":
            messages = [
                {"type": "LtiResourceLinkRequest", "placements": PLACEMENTS},
                {"type": "LtiDeepLinkingRequest", "placements": PLACEMENTS[:3]},
            ]
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "registration_endpoint": f"{self.issuer}/register",
            "scopes_supported": [
                f"{SCOPE}lti-ags/scope/lineitem",
                f"{SCOPE}lti-ags/scope/lineitem.readonly",
                f"{SCOPE}lti-ags/scope/result.readonly",
                f"{SCOPE}lti-ags/scope/score",
                f"{SCOPE}lti-nrps/scope/contextmembership.readonly",
                "openid",
            ],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["id_token"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "claims_supported": ["sub", "iss", "name", "given_name", "family_name", "email"],
            "subject_types_supported": ["public"],
            PLATFORM: {
                "product_family_code": self.family,
                "version": "4.5.2 (Build: 20250210)",
                "messages_supported": messages,
                "variables": ["CourseSection.title", "User.id"],
            },
        }
        return document | changes

    def serve(self) -> None:
        """Answer at the two addresses from now on."""
        self.document = self.configuration()
        self.server.expect_request("/openid-configuration").respond_with_handler(self._serve_configuration)
        self.server.expect_request("/register").respond_with_handler(self._serve_registration)

    def _serve_configuration(self, request: Request) -> Response:
        self.seen.append((request.method, request.path, dict(request.headers)))
        if self.family == "canvas" and request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _json({"error": "Access token missing"}, 401)
        if isinstance(self.document, Response):
            return self.document
        return _json(self.document, 200)

    def _serve_registration(self, request: Request) -> Response:
        self.seen.append((request.method, request.path, dict(request.headers)))
        if self.answers:
            return self.answers.pop(0)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            return Response("missing_registration_token", 401)
        if token in self.used_tokens:
            return Response("token_already_used", 401)
        sent = json.loads(request.data)
        fault = (canvas_fault if self.family == "canvas" else moodle_fault)(sent)
        if fault or request.content_type != "application/json":
            return Response(fault or "not JSON", 400)
        self.used_tokens.add(token)
        self.applications.append(sent)
        return _json(self._registered(sent), 200)

    def _registered(self, sent: dict[str, Any]) -> dict[str, Any]:
        answer = sent | {"client_id": self.client_id}
        if self.family == "canvas":
            # Older Canvas names no deployment; newer names that of the school.
            return answer | ({"deployment_id": self.deployment_at_top} if self.deployment_at_top else {})
        return answer | {TOOL: sent[TOOL] | {"deployment_id": "4"}}

    # What its administrator does -----------------------------------------------------------------------------------

    def opens(self, client: FlaskClient, address: str, **changes: str | None) -> TestResponse:
        """The page in the platform's frame after the address was pasted; ``None`` leaves a parameter out."""
        asked = {"openid_configuration": self.configuration_url, "registration_token": TOKEN} | changes
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return client.get(f"{urlsplit(address).path}?{query}")

    def presses(self, client: FlaskClient, address: str, page: TestResponse) -> TestResponse:
        """The button of that page."""
        return client.post(urlsplit(address).path, data={"ticket": ticket_of(page)})

    def registers(self, client: FlaskClient, address: str) -> TestResponse:
        """Both."""
        page = self.opens(client, address)
        assert page.status_code == 200, page.text
        return self.presses(client, address, page)


def ticket_of(page: TestResponse) -> str:
    """The hidden field of the page."""
    found = re.search(r'name="ticket" value="([^"]+)"', page.text)
    assert found, page.text
    return unescape(found[1])


def moodle_fault(sent: dict[str, Any]) -> str:
    """Why Moodle would refuse (registration_to_config); empty where it takes it."""
    for name in (
        "response_types",
        "initiate_login_uri",
        "redirect_uris",
        "client_name",
        "jwks_uri",
        "token_endpoint_auth_method",
        TOOL,
    ):
        if not sent.get(name):
            return f"missing required attribute {name}"
    tool = sent[TOOL]
    for name in ("domain", "target_link_uri"):
        if not tool.get(name):
            return f"missing required attribute {name}"
    if "id_token" not in sent["response_types"]:
        return "invalid_response_types"
    if not isinstance(sent["redirect_uris"], list):
        return "invalid_redirect_uris"
    if sent["token_endpoint_auth_method"] != "private_key_jwt":
        return "invalid_token_endpoint_auth_method"
    if sent.get("application_type", "web") != "web":
        return "invalid_application_type"
    if any(not isinstance(message, dict) or "type" not in message for message in tool.get("messages", [])):
        return "invalid messages"
    # Not refused when registering, but no link would ever be found to be the tool's.
    return "" if urlsplit(tool["target_link_uri"]).netloc == tool["domain"] else "domain does not match"


def canvas_fault(sent: dict[str, Any]) -> str:
    """Why Canvas would refuse; empty where it takes it."""
    tool = sent.get(TOOL) or {}
    required = (
        sent.get("application_type") == "web",
        set(sent.get("grant_types", [])) >= {"client_credentials", "implicit"},
    )
    if not all(required) or "id_token" not in sent.get("response_types", []):
        return "required values"
    if sent.get("token_endpoint_auth_method") != "private_key_jwt":
        return "token_endpoint_auth_method"
    known = {f"{SCOPE}lti-ags/scope/{name}" for name in ("lineitem", "lineitem.readonly", "result.readonly", "score")}
    if not set(sent["scope"].split()) <= known | {f"{SCOPE}lti-nrps/scope/contextmembership.readonly"}:
        return "scopes"
    if not re.fullmatch(r"([A-Za-z0-9-]+\.)*[A-Za-z0-9-]+(:[0-9]{1,5})?", tool.get("domain", "")):
        return "domain"
    if not isinstance(tool.get("messages"), list) or not isinstance(tool.get("claims"), list):
        return "messages or claims"
    if any(not isinstance(value, str) for value in tool.get("custom_parameters", {}).values()):
        return "custom_parameters"
    if tool.get(f"{EXTENSION}privacy_level") not in {"public", "name_only", "email_only", "anonymous"}:
        return "privacy_level"
    faults = (_canvas_message_fault(message) for message in tool["messages"])
    return next((fault for fault in faults if fault), "")


def _canvas_message_fault(message: dict[str, Any]) -> str:
    if message.get("type") not in {"LtiResourceLinkRequest", "LtiDeepLinkingRequest"}:
        return "message type"
    if not message.get("placements"):
        # Taken by Canvas, which then makes it a module link: never what is meant.
        return "no placement"
    if not set(message["placements"]) <= set(PLACEMENTS):
        return "placements"
    if message.get(f"{EXTENSION}visibility") not in {None, "admins", "members", "public"}:
        return "visibility"
    shown = {None, "default", "full_width", "full_width_in_context", "in_nav_context", "borderless", "new_window"}
    if message.get(f"{EXTENSION}display_type") not in shown:
        return "display_type"
    if not isinstance(message.get(f"{EXTENSION}course_navigation/default_enabled", False), bool):
        return "default_enabled"
    return ""


def _json(body: Any, status: int) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")
