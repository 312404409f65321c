"""The pages of a registration, inside a frame of the platform's administration; and Canvas's developer key.

A platform opens the invitation's address with two parameters (LTI dynamic registration 1.0 section 3.4). We show who
asks and what will be sent; one button registers; the last page asks the platform to close it (section 3.8).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec

import structlog
from flask import Blueprint, Flask, Response, current_app, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from lti_tool.launch import access
from lti_tool.launch.audit import record_event
from lti_tool.launch.rates import MinuteLimit
from lti_tool.launch.registration.application import asked_scopes
from lti_tool.launch.registration.canvas import developer_key
from lti_tool.launch.registration.configuration import PlatformConfiguration, fetch_configuration
from lti_tool.launch.registration.enrolment import enrol
from lti_tool.launch.registration.errors import (
    InvitationOver,
    InvitationUnknown,
    RegistrationMalformed,
    RegistrationRefused,
    TooManyTries,
)
from lti_tool.launch.registration.invitations import Invitation, find_invitation
from lti_tool.launch.registration.tickets import Ticket, opened, sealed
from lti_tool.launch.registration.tool import ROSTER, SCORE
from lti_tool.platform_http import PlatformHttp
from lti_tool.web import services

TRIES_PER_MINUTE = 60
_MAX_PARAMETER = 4096
_Parameters = ParamSpec("_Parameters")
_log = structlog.get_logger(__name__)

blueprint = Blueprint("registration", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationServices:
    """What this process keeps for registrations."""

    http: PlatformHttp
    limit: MinuteLimit


def register(app: Flask) -> None:
    """Add the addresses of the registration to the app."""
    app.extensions["mlquiz.registration"] = RegistrationServices(
        http=PlatformHttp(app.extensions["mlquiz"].settings), limit=MinuteLimit(TRIES_PER_MINUTE)
    )
    app.register_blueprint(blueprint)


def _audited(view: Callable[_Parameters, ResponseReturnValue]) -> Callable[_Parameters, ResponseReturnValue]:
    """Leave a row about each refusal: its code and cause, never an address's secret."""

    @wraps(view)
    def audited(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> ResponseReturnValue:
        try:
            return view(*args, **kwargs)
        except RegistrationRefused as error:
            if not g.frame_ancestors:
                access.allow_any_frame()
            # A flood must not fill the table as well.
            if not isinstance(error, TooManyTries):
                _note(error)
            raise

    return audited


def _note(error: RegistrationRefused) -> None:
    with services().database.across_tenants() as connection:
        record_event(connection, error.code, detail=error.log_detail, correlation_id=g.correlation_id)


# The pages --------------------------------------------------------------------------------------------------------


@blueprint.get("/lti/register/<secret>")
@_audited
def ask(secret: str) -> ResponseReturnValue:
    """Who asks, and what will be sent; nothing is stored yet."""
    invitation = _invitation(secret)
    ticket = Ticket(
        invitation_id=invitation.id,
        configuration_url=_parameter("openid_configuration") or "",
        registration_token=_parameter("registration_token") or "",
    )
    if not ticket.configuration_url:
        raise RegistrationMalformed("no openid_configuration")
    platform = _platform(invitation, ticket)
    scopes = asked_scopes(platform)
    return render_template(
        "registration/ask.html",
        platform=platform,
        invitation=invitation,
        ticket=sealed(ticket, services().secret),
        has_gradebook=SCORE in scopes,
        has_roster=ROSTER in scopes,
    )


@blueprint.post("/lti/register/<secret>")
@_audited
def register_platform(secret: str) -> ResponseReturnValue:
    """Apply at the platform; platform, registration, deployment and the used invitation are stored as one."""
    invitation = _invitation(secret)
    ticket = opened(request.form.get("ticket", ""), services().secret, invitation_id=invitation.id)
    platform = _platform(invitation, ticket)
    with services().database.across_tenants() as connection:
        enrolment = enrol(
            connection,
            _registration_services().http,
            invitation,
            platform,
            token=ticket.registration_token,
            base_url=services().settings.base_url,
        )
        record_event(
            connection,
            "registration",
            registration_id=enrolment.registration.id,
            detail=platform.family,
            correlation_id=g.correlation_id,
        )
    _log.info("platform registered", registration_id=enrolment.registration.id, family=platform.family)
    return render_template("registration/done.html", platform=platform, enrolment=enrolment)


@blueprint.errorhandler(RegistrationRefused)
def refused(error: RegistrationRefused) -> ResponseReturnValue:
    """Why not, for the administrator of the platform and for ours."""
    _log.warning("refused", code=error.code, status=error.status, detail=error.log_detail)
    headers = {} if error.retry_after_seconds is None else {"Retry-After": str(int(error.retry_after_seconds))}
    return render_template("registration/refused.html", error=error), error.status, headers


def _invitation(secret: str) -> Invitation:
    if not _registration_services().limit.allows(request.remote_addr or ""):
        raise TooManyTries("too many tries from one address")
    with services().database.across_tenants() as connection:
        invitation = find_invitation(connection, secret)
    if invitation is None:
        raise InvitationUnknown("no invitation has this secret")
    if invitation.status != "OPEN":
        raise InvitationOver(f"invitation {invitation.id} is {invitation.status.lower()}")
    return invitation


def _parameter(name: str) -> str | None:
    values = request.args.getlist(name)
    if len(values) > 1:
        raise RegistrationMalformed(f"{name} is repeated")
    value = values[0] if values else ""
    # It goes into a header or a request line.
    if len(value) > _MAX_PARAMETER or not value.isascii() or not value.isprintable() or " " in value:
        raise RegistrationMalformed(f"{name} is too long or unreadable")
    return value or None


def _platform(invitation: Invitation, ticket: Ticket) -> PlatformConfiguration:
    """The platform at our door; from now on its pages, and no others, may frame ours."""
    platform = fetch_configuration(
        _registration_services().http, ticket.configuration_url, ticket.registration_token, invited_as=invitation.name
    )
    g.frame_ancestors = list(platform.page_origins)
    return platform


def _registration_services() -> RegistrationServices:
    return current_app.extensions["mlquiz.registration"]


# Canvas without a registration -------------------------------------------------------------------------------------


@blueprint.get("/lti/canvas.json")
def canvas_developer_key() -> Response:
    """The developer key of this tool as JSON, to be pasted into Canvas; ``?names=no`` asks for no names."""
    response = jsonify(developer_key(services().settings.base_url, wants_names=request.args.get("names") != "no"))
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response
