"""The addresses that platforms know: login, launch, key set, logo; and the landing page.

A login sends the browser to the platform; the launch is the platform's answer. After it the browser is at
``/launches/<session>/…``, where the other blueprints take over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import ParamSpec
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from flask import Blueprint, Flask, Response, current_app, g, jsonify, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from psycopg import Connection

from lti_tool.launch import access, logins, platform_storage, platforms
from lti_tool.launch.access import check_csrf, csrf_token, current_session, launch_token, may_reopen, with_session
from lti_tool.launch.audit import record_event
from lti_tool.launch.errors import (
    AlreadyLaunched,
    CookieMissing,
    LaunchRefused,
    LoginTargetWrong,
    RegistrationDisabled,
    TooManyLogins,
)
from lti_tool.launch.form_opens import FormOpens, redirect_by_form
from lti_tool.launch.id_token import read_token
from lti_tool.launch.key_sets import KeySets
from lti_tool.launch.keys import ensure_key, public_jwks
from lti_tool.launch.launch_requests import is_of_this_browser, launch_form, open_login, restart_address
from lti_tool.launch.launches import LAUNCH_PATH, Launch, is_launch_url
from lti_tool.launch.login_requests import authentication_url, login_request, registration_for
from lti_tool.launch.protocol import launch_from_token
from lti_tool.launch.rates import MinuteLimit
from lti_tool.launch.sessions import checked_deployment, start_session
from lti_tool.platform_http import PlatformHttp
from lti_tool.web import error_page, services

__all__ = ["blueprint", "check_csrf", "csrf_token", "current_session", "register", "with_session"]

LOGINS_PER_MINUTE = 900
#: So many leave a row in the trail, of one address, or of one login; the log has them all.
REFUSALS_PER_MINUTE = 900
_LOGO = Path(__file__).with_name("logo.svg")
_Parameters = ParamSpec("_Parameters")
_log = structlog.get_logger(__name__)

blueprint = Blueprint("launch", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchServices:
    """What this process keeps for launches."""

    key_sets: KeySets
    login_limit: MinuteLimit
    refusal_limit: MinuteLimit


def register(app: Flask) -> None:
    """Add the launch's addresses to the app, and ``csrf_token()`` to its templates."""
    common = app.extensions["mlquiz"]
    app.extensions["mlquiz.launch"] = LaunchServices(
        key_sets=KeySets(common.database, PlatformHttp(common.settings)),
        login_limit=MinuteLimit(LOGINS_PER_MINUTE),
        refusal_limit=MinuteLimit(REFUSALS_PER_MINUTE),
    )
    app.register_blueprint(blueprint)
    app.wsgi_app = FormOpens(app.wsgi_app)
    app.after_request(redirect_by_form)
    app.context_processor(lambda: {"csrf_token": csrf_token, "launch_token": launch_token, "may_reopen": may_reopen})


def _audited(view: Callable[_Parameters, ResponseReturnValue]) -> Callable[_Parameters, ResponseReturnValue]:
    """Leave a row about each refusal: code and cause, registration, hash of the nonce."""

    @wraps(view)
    def audited(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> ResponseReturnValue:
        try:
            return view(*args, **kwargs)
        except LaunchRefused as error:
            access.allow_any_frame()
            # A flood must not fill the table as well.
            if not isinstance(error, TooManyLogins) and _launch_services().refusal_limit.allows(_who_was_refused()):
                with _of_this_launch() as connection:
                    _record(connection, error.code, detail=error.log_detail)
            raise

    return audited


def _who_was_refused() -> str:
    nonce_hash: bytes | None = g.get("launch_nonce_hash")
    return nonce_hash.hex() if nonce_hash else request.remote_addr or ""


def _of_this_launch() -> AbstractContextManager[Connection]:
    """A transaction of the registration that this login or launch turned out to be of, if it did."""
    registration_id = g.get("launch_registration_id")
    database = services().database
    return database.across_tenants() if registration_id is None else database.transaction(registration_id)


def _record(connection: Connection, event: str, *, detail: str = "", user_id: int | None = None) -> None:
    record_event(
        connection,
        event,
        registration_id=g.get("launch_registration_id"),
        user_id=user_id,
        nonce_hash=g.get("launch_nonce_hash"),
        detail=detail,
        correlation_id=g.get("correlation_id", ""),
    )


# Login ------------------------------------------------------------------------------------------------------------


@blueprint.route("/lti/login", methods=["GET", "POST"], defaults={"login_key": None})
@blueprint.route("/lti/login/<uuid:login_key>", methods=["GET", "POST"])
@_audited
def login(login_key: UUID | None) -> ResponseReturnValue:
    """Third-party initiated login (LTI security framework 1.0 section 5.1.1): on to the platform's own login.

    Each registration has its own address; the one without a key serves platforms that cannot hold it. Where the
    platform can keep data for us, a page first sees whether this browser needs that.
    """
    if not _launch_services().login_limit.allows(request.remote_addr or ""):
        raise TooManyLogins("too many logins from one address")
    base_url = services().settings.base_url
    asked = login_request(request.form if request.method == "POST" else request.args)
    with services().database.across_tenants() as connection:
        registration = registration_for(connection, asked, login_key)
    g.launch_registration_id = registration.id
    if registration.disabled_at is not None:
        raise RegistrationDisabled("the registration is disabled")
    if not is_launch_url(asked.target_link_uri, base_url):
        raise LoginTargetWrong("target_link_uri is missing or not our launch address")
    with services().database.transaction(registration.id) as connection:
        issued = logins.issue_login(
            connection, registration.id, asked.target_link_uri, asked.hints, asked.storage_target
        )
    next_url = authentication_url(registration, issued, asked.hints, f"{base_url}{LAUNCH_PATH}")
    if asked.storage_target is None:
        response = make_response(redirect(next_url, 302))
    else:
        access.allow_any_frame()
        response = platform_storage.login_page(issued, next_url, registration, asked.storage_target)
    response.set_cookie(
        issued.cookie_name,
        issued.cookie_value,
        max_age=600,
        path=f"{urlsplit(base_url).path}{LAUNCH_PATH}",
        secure=True,
        httponly=True,
        samesite="None",
        partitioned=True,
    )
    return response


# Launch -----------------------------------------------------------------------------------------------------------


@blueprint.post(LAUNCH_PATH)
@_audited
def launch() -> ResponseReturnValue:
    """The platform's answer (section 5.1.1.3): verified, it opens a session and leads to its first page.

    A browser without the login's cookie first gets a page that asks the platform's frame for the login's secret and
    posts the launch once more, with that proof; its session is carried by a token.
    """
    id_token, state = launch_form()
    login, registration = open_login(state)
    is_proven = is_of_this_browser(state, login, registration)
    launched = _verified(id_token, login, registration)
    if not is_proven:
        with services().database.transaction(registration.id) as connection:
            _record(connection, "storage-asked", detail=launched.message_type)
        access.allow_any_frame()
        return platform_storage.launch_page(
            id_token, state, login, registration, restart_address(state, login, registration)
        )
    with services().database.transaction(registration.id) as connection:
        if not logins.use_login(connection, login.state_hash):
            raise AlreadyLaunched("the state was used a moment ago")
        session_id, secret = start_session(connection, launched, registration)
        _record(connection, "launch", detail=launched.message_type)
    base_url = services().settings.base_url
    base_path = urlsplit(base_url).path
    if platform_storage.PROOF_HEADER in request.headers:
        return jsonify(location=f"{base_path}/launches/{session_id}/", token=secret)
    response = redirect(f"{base_url}/launches/{session_id}/", 303)
    access.set_session_cookie(response, session_id, secret, base_path=base_path)
    return response


def _verified(id_token: str, login: logins.Login, registration: platforms.Registration) -> Launch:
    """The launch in the token, of a deployment that may launch."""
    token = read_token(id_token)
    launched = launch_from_token(
        token,
        _launch_services().key_sets.get_jwk(registration, token.kid),
        registration=registration,
        nonce_hash=login.nonce_hash,
        target_link_uri=login.target_link_uri,
        base_url=services().settings.base_url,
        now=time.time(),
    )
    with services().database.transaction(registration.id) as connection:
        deployment = platforms.find_deployment(connection, registration.id, launched.deployment_id)
        if deployment is None:
            # Kept although the launch is refused: it is what the administrator approves.
            platforms.add_pending_deployment(connection, registration.id, launched.deployment_id)
    checked_deployment(deployment)
    return launched


@blueprint.errorhandler(CookieMissing)
def cookies_blocked(error: CookieMissing) -> ResponseReturnValue:
    """The way out for browsers that block cookies in frames: the same login in a new window."""
    _log.warning("refused", code=error.code, status=error.status, detail=error.log_detail)
    if request.accept_mimetypes.best == "application/json":
        return error_page(error)
    return render_template("launch/cookies_blocked.html", error=error, restart_url=error.restart_url), error.status


# What anyone may read ---------------------------------------------------------------------------------------------


@blueprint.get("/lti/jwks.json")
def jwks() -> Response:
    """Our public keys; platforms may keep them for an hour (new keys are published a day before use)."""
    with services().database.across_tenants() as connection:
        ensure_key(connection, services().secret)
        response = jsonify(public_jwks(connection))
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


@blueprint.get("/lti/logo.svg")
def logo() -> Response:
    """The icon that platforms show beside the activity."""
    response = make_response(_LOGO.read_bytes())
    response.content_type = "image/svg+xml"
    response.headers["Cache-Control"] = "public, max-age=86400"
    return response


@blueprint.get("/")
def landing() -> ResponseReturnValue:
    """What this is, for whoever opens the address by hand."""
    return render_template("launch/landing.html", base_url=services().settings.base_url)


def _launch_services() -> LaunchServices:
    return current_app.extensions["mlquiz.launch"]
