"""The pages of the administration: signing in and out, signing keys, the trail; platforms join the same blueprint."""

from __future__ import annotations

import structlog
from flask import Blueprint, Flask, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from psycopg import Connection

from lti_tool.admin import sessions, store
from lti_tool.admin.access import (
    admin_services,
    delete_session_cookie,
    guard,
    limit,
    set_session_cookie,
    start_services,
)
from lti_tool.admin.errors import LinkOver
from lti_tool.admin.events import explanation
from lti_tool.launch import keys as signing_keys
from lti_tool.launch.audit import record_event
from lti_tool.launch.platforms import list_registrations
from lti_tool.web import services

blueprint = Blueprint("admin", __name__, url_prefix="/admin")
guard(blueprint)
#: How many days back the trail may be looked at.
PERIODS = (1, 7, 30)
_log = structlog.get_logger(__name__)


def register(app: Flask) -> None:
    """Add the administration to the app, behind its sign-in."""
    start_services(app)
    app.register_blueprint(blueprint)


def record(connection: Connection, event: str, *, registration_id: int | None = None, detail: str = "") -> None:
    """Note what the administrator did."""
    record_event(
        connection, event, registration_id=registration_id, detail=detail, correlation_id=g.get("correlation_id", "")
    )


# Signing in and out -----------------------------------------------------------------------------------------------


@blueprint.get("/sign-in/<secret>")
def sign_in(secret: str) -> ResponseReturnValue:
    """A button that signs in. The link itself changes nothing, so a preview of it does not use it up."""
    limit(admin_services().sign_ins)
    with services().database.across_tenants() as connection:
        if not sessions.is_open_link(connection, secret):
            raise LinkOver("no open link")
    return render_template("admin/sign_in.html", secret=secret)


@blueprint.post("/sign-in/<secret>")
def sign_in_now(secret: str) -> ResponseReturnValue:
    """Use the link up and open a session of twelve hours."""
    limit(admin_services().sign_ins)
    with services().database.across_tenants() as connection:
        session_secret = sessions.start_session(connection, secret)
        if session_secret is None:
            raise LinkOver("no open link")
        record(connection, "admin-sign-in")
    response = redirect(url_for("admin.platforms"), 303)
    set_session_cookie(response, session_secret)
    return response


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session."""
    with services().database.across_tenants() as connection:
        sessions.end_session(connection, g.admin_secret)
    g.admin_secret = ""
    response = redirect(url_for("launch.landing"), 303)
    delete_session_cookie(response)
    return response


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """The first page."""
    return redirect(url_for("admin.platforms"))


# Signing keys -----------------------------------------------------------------------------------------------------


@blueprint.get("/keys")
def keys() -> ResponseReturnValue:
    """The keys that this tool signs with, and when they change."""
    return _keys_page()


@blueprint.post("/keys")
def rotate_keys() -> ResponseReturnValue:
    """Publish a new key now."""
    try:
        with services().database.across_tenants() as connection:
            kid = signing_keys.rotate(connection, services().secret)
            record(connection, "keys-rotated", detail=kid)
    except signing_keys.ToolKeyUnreadable as error:
        _log.error("keys not rotated", error=str(error))
        return _keys_page(problem=str(error)), 409
    return redirect(url_for("admin.keys", notice="key-made"), 303)


def _keys_page(*, problem: str = "") -> str:
    with services().database.across_tenants() as connection:
        signing_keys.ensure_key(connection, services().secret)
        published = signing_keys.list_keys(connection)
    days = services().settings.key_rotation_days
    return render_template("admin/keys.html", keys=published, rotation_days=days, problem=problem)


# The trail --------------------------------------------------------------------------------------------------------


@blueprint.get("/events")
def events() -> ResponseReturnValue:
    """What happened in the last days, of one platform or all; or what the number on an error page means."""
    number = request.args.get("number", "").replace("\x00", "").strip().lower()[:40]
    platform = request.args.get("platform", type=int)
    days = request.args.get("days", 7, type=int)
    days = days if days in PERIODS else 7
    with services().database.across_tenants() as connection:
        registrations = list_registrations(connection)
        found = (
            store.find_events(connection, number)
            if number
            else store.list_events(connection, days=days, registration_id=platform)
        )
    return render_template(
        "admin/events.html",
        events=[(event, explanation(event.event)) for event in found],
        registrations=registrations,
        platform=platform,
        number=number,
        days=days,
        periods={1: _("today and yesterday"), 7: _("the last 7 days"), 30: _("the last 30 days")},
    )


from lti_tool.admin import (  # noqa: E402 - their views join the blueprint
    dataset_views,  # noqa: F401
    invitation_views,  # noqa: F401
    model_views,  # noqa: F401
    platform_views,  # noqa: F401
    training_views,  # noqa: F401
)
