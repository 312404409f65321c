"""Tools that register themselves (LTI dynamic registration 1.0), with the rules of Moodle's mod/lti.

The site's administrator pastes a tool's address; its page opens in a frame with the address of our configuration and
a token for one registration. The tool is pending until the administrator activates it.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import jwt
from flask import Blueprint, Response, g, jsonify, redirect, render_template, request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from werkzeug.wrappers import Response as BaseResponse

from lti_tool.practice_lms.errors import PageRefused, RegistrationRefused
from lti_tool.practice_lms.lms import PracticeLms, address, current_lms
from lti_tool.practice_lms.tools import (
    ALL_SCOPES,
    Tool,
    ToolApplication,
    WebAddress,
    activate_tool,
    find_any_tool,
    list_pending_tools,
    list_tools,
    origin_of,
    register_tool,
    set_pending,
)

blueprint = Blueprint("registration", __name__)

PLATFORM_CONFIGURATION = "https://purl.imsglobal.org/spec/lti-platform-configuration"
TOOL_CONFIGURATION = "https://purl.imsglobal.org/spec/lti-tool-configuration"
MESSAGES = ("LtiResourceLinkRequest", "LtiDeepLinkingRequest", "LtiSubmissionReviewRequest")
TOKEN_SECONDS = 3600
_NAME_CLAIMS = frozenset({"name", "given_name", "family_name"})


class _Message(BaseModel):
    model_config = ConfigDict(strict=True)

    type: str
    target_link_uri: WebAddress | None = None


class _ToolConfiguration(BaseModel):
    model_config = ConfigDict(strict=True)

    domain: Annotated[str, Field(min_length=1)]
    target_link_uri: WebAddress
    claims: list[str] = []
    messages: list[_Message] = []


class ClientApplication(BaseModel):
    """What a tool sends to be registered (section 3.6); strict where Moodle's registration_helper.php is."""

    model_config = ConfigDict(strict=True)

    response_types: list[str]
    initiate_login_uri: WebAddress
    redirect_uris: Annotated[list[WebAddress], Field(min_length=1)]
    client_name: Annotated[str, Field(min_length=1, max_length=100)]
    jwks_uri: WebAddress
    token_endpoint_auth_method: Literal["private_key_jwt"]
    application_type: Literal["web"] = "web"
    scope: str = ""
    tool: Annotated[_ToolConfiguration, Field(alias=TOOL_CONFIGURATION)]

    def as_tool(self) -> ToolApplication:
        """The same in the words of the practice LMS; claims decide about names, scopes about services."""
        choosing = next((one for one in self.tool.messages if one.type == "LtiDeepLinkingRequest"), None)
        return ToolApplication(
            name=self.client_name,
            login_url=self.initiate_login_uri,
            launch_url=self.redirect_uris[0],
            jwks_url=self.jwks_uri,
            deep_link_url=(choosing.target_link_uri if choosing else None) or self.tool.target_link_uri,
            share_names=not _NAME_CLAIMS.isdisjoint(self.tool.claims),
            share_emails="email" in self.tool.claims,
            scopes=tuple(scope for scope in ALL_SCOPES if scope in self.scope.split()),
        )


# For tools --------------------------------------------------------------------------------------------------------


@blueprint.get("/.well-known/openid-configuration")
def configuration() -> Response:
    """What tools need to know to register (section 3.5.1)."""
    lms = current_lms()
    return jsonify(
        {
            "issuer": lms.issuer,
            "authorization_endpoint": address("launches.authenticate"),
            "token_endpoint": lms.token_url,
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
            "jwks_uri": address("launches.jwks"),
            "registration_endpoint": address("registration.register"),
            "scopes_supported": [*ALL_SCOPES, "openid"],
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "claims_supported": ["sub", "iss", "name", "given_name", "family_name", "email"],
            PLATFORM_CONFIGURATION: {
                "product_family_code": "practice-lms",
                "version": "1.0",
                "messages_supported": list(MESSAGES),
                "variables": [],
            },
        }
    )


@blueprint.post("/register")
def register() -> Response:
    """Register the tool that holds a registration token; it is pending. Answers as section 3.7 says."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        raise RegistrationRefused(401, "missing_registration_token")
    lms = current_lms()
    client_id = _client_id_of(lms, token.strip())
    application = _application(request.get_json(force=True, silent=True))
    with lms.database.transaction() as connection:
        tool = _registered(connection, application, client_id)
    sent = request.get_json(force=True)
    sent[TOOL_CONFIGURATION]["deployment_id"] = tool.deployment_id
    return jsonify(sent | {"client_id": tool.client_id, "scope": " ".join(tool.scopes)})


@blueprint.errorhandler(RegistrationRefused)
def refuse(error: RegistrationRefused) -> tuple[str, int, dict[str, str]]:
    """Moodle's openid-registration.php answers with the bare reason."""
    return str(error), error.status, {"Content-Type": "text/plain"}


def _client_id_of(lms: PracticeLms, token: str) -> str:
    """The client id that this token's registration will have."""
    try:
        claims = jwt.decode(
            token,
            lms.identity.private_key.public_key(),
            algorithms=["RS256"],
            audience=address("registration.register"),
            options={"require": ["sub", "exp", "aud"]},
        )
    except jwt.InvalidTokenError as error:
        raise RegistrationRefused(401, "invalid_registration_token") from error
    return claims["sub"]


def _application(body: object) -> ClientApplication:
    try:
        application = ClientApplication.model_validate(body)
    except ValidationError as error:
        fault = error.errors()[0]
        place = str(fault["loc"][-1]) if fault["loc"] else "body"
        reason = f"missing required attribute {place}" if fault["type"] == "missing" else f"invalid_{place}"
        raise RegistrationRefused(400, reason) from error
    if "id_token" not in application.response_types:
        raise RegistrationRefused(400, "invalid_response_types")
    if urlsplit(application.tool.target_link_uri).netloc != application.tool.domain:
        # Moodle takes it, and then finds no link to be of this tool.
        raise RegistrationRefused(400, "invalid_domain")
    return application


def _registered(connection: sqlite3.Connection, application: ClientApplication, client_id: str) -> Tool:
    known = [*list_tools(connection), *list_pending_tools(connection)]
    if any(tool.client_id == client_id for tool in known):
        raise RegistrationRefused(401, "token_already_used")
    wanted = application.as_tool()
    if any(tool.launch_url == wanted.launch_url for tool in known):
        # Moodle would keep two; here a launch address is a tool's identity.
        raise RegistrationRefused(400, "tool_already_registered")
    tool = register_tool(connection, wanted, client_id=client_id)
    set_pending(connection, tool.number)
    return tool


# For the site's administrator -------------------------------------------------------------------------------------


@blueprint.before_request
def stay_on_own_pages() -> None:
    """Forms of this site's administration come from its own pages."""
    is_form = request.endpoint == "registration.activate"
    if is_form and request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise PageRefused(403, "This button belongs to another site.")


@blueprint.get("/site/tools")
def tools() -> str:
    """All tools, and the field for the address of another."""
    with current_lms().database.transaction() as connection:
        active, pending = list_tools(connection), list_pending_tools(connection)
    activated = request.args.get("activated", type=int)
    return render_template("site_tools.html", active=active, pending=pending, activated=activated)


@blueprint.get("/site/tools/add")
def add() -> str:
    """The tool's registration page in a frame; its close message ends it."""
    url = _pasted_address()
    g.framed_origin = origin_of(url)
    return render_template("site_add.html", url=url, tool_origin=g.framed_origin)


@blueprint.get("/site/tools/start")
def start() -> BaseResponse:
    """On to the tool with our configuration and a fresh token (section 3.4; Moodle's startltiadvregistration.php)."""
    lms = current_lms()
    now = int(time.time())
    claims = {
        "sub": secrets.token_hex(12),
        "scope": "reg",
        "aud": address("registration.register"),
        "iat": now,
        "exp": now + TOKEN_SECONDS,
    }
    parts = urlsplit(_pasted_address())
    query = [
        *parse_qsl(parts.query, keep_blank_values=True),
        ("openid_configuration", address("registration.configuration")),
        ("registration_token", jwt.encode(claims, lms.identity.private_key, algorithm="RS256")),
    ]
    return redirect(urlunsplit(parts._replace(query=urlencode(query))))


@blueprint.post("/site/tools/<int:number>/activate")
def activate(number: int) -> BaseResponse:
    """Let a pending tool be used in courses."""
    with current_lms().database.transaction() as connection:
        if find_any_tool(connection, number) is None:
            raise PageRefused(404, "There is no such tool.")
        activate_tool(connection, number)
    return redirect(f"{address('registration.tools')}?activated={number}", 303)


def _pasted_address() -> str:
    try:
        return TypeAdapter(WebAddress).validate_python(request.args.get("url", "").strip())
    except ValidationError as error:
        raise PageRefused(400, "A tool's registration address begins with https:// or http://.") from error
