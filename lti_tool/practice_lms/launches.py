"""Launching: login initiation for a frame or window, the OpenID authentication endpoint, the platform's JWKS."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from lti_tool.practice_lms.activities import find_activity
from lti_tool.practice_lms.courses import find_course
from lti_tool.practice_lms.errors import AuthenticationRefused, PageRefused
from lti_tool.practice_lms.intents import Intent, add_intent, add_selection, find_intent
from lti_tool.practice_lms.lms import current_lms
from lti_tool.practice_lms.messages import launch_form, login_initiation
from lti_tool.practice_lms.people import COURSE, Person, find_person, find_person_by_id
from lti_tool.practice_lms.tools import Tool, find_tool, find_tool_by_client_id

blueprint = Blueprint("launches", __name__)


@blueprint.get("/jwks")
def jwks() -> Response:
    """The platform's public keys."""
    return jsonify(current_lms().identity.key_set)


@blueprint.get("/as/<slug>/activities/<int:activity_id>/open")
def open_activity(slug: str, activity_id: int) -> BaseResponse:
    """Starts a launch of an activity; ``?target=window`` where it fills a window of its own."""
    lms = current_lms()
    person = _person(slug)
    with lms.database.transaction() as connection:
        activity = find_activity(connection, activity_id)
        tool = find_tool(connection, activity.tool_number) if activity else None
        if activity is None or tool is None:
            raise PageRefused(404, "There is no such activity in this course.")
        intent = add_intent(connection, tool=tool, person=person, activity=activity, document_target=_target())
    return login_initiation(lms, tool, person, activity, intent.hint, _storage_target())


@blueprint.get("/as/<slug>/activities/<int:activity_id>/submissions/<user_id>/open")
def open_submission(slug: str, activity_id: int, user_id: str) -> BaseResponse:
    """Starts a submission review: the instructor looks at what a student handed in at an activity."""
    lms = current_lms()
    person, student = _person(slug), find_person_by_id(user_id)
    if not person.is_instructor:
        raise PageRefused(403, "Only the instructor reviews submissions.")
    with lms.database.transaction() as connection:
        activity = find_activity(connection, activity_id)
        tool = find_tool(connection, activity.tool_number) if activity else None
        if activity is None or tool is None or student is None:
            raise PageRefused(404, "There is no such submission in this course.")
        intent = add_intent(
            connection, tool=tool, person=person, activity=activity, document_target=_target(), for_user=student
        )
    return login_initiation(lms, tool, person, activity, intent.hint, _storage_target())


@blueprint.get("/as/<slug>/tools/<int:tool_number>/choose", defaults={"course_id": COURSE.id})
@blueprint.get("/as/<slug>/courses/<course_id>/tools/<int:tool_number>/choose")
def choose_content(slug: str, course_id: str, tool_number: int) -> BaseResponse:
    """Starts deep linking: the instructor chooses content in the tool for a course."""
    lms = current_lms()
    person = _person(slug)
    if not person.is_instructor:
        raise PageRefused(403, "Only the instructor adds activities to the course.")
    with lms.database.transaction() as connection:
        tool = find_tool(connection, tool_number)
        if tool is None or find_course(connection, course_id) is None:
            raise PageRefused(404, "There is no such tool or course.")
        intent = add_intent(
            connection, tool=tool, person=person, activity=None, document_target=_target(), course_id=course_id
        )
    return login_initiation(lms, tool, person, None, intent.hint, _storage_target())


def _person(slug: str) -> Person:
    if person := find_person(slug):
        return person
    raise PageRefused(404, "There is no such person in this course.")


def _target() -> str:
    return "window" if request.args.get("target") == "window" else "iframe"


def _storage_target() -> str | None:
    """The page around the frame says so if it keeps data for tools (``static/storage.js``)."""
    return "_parent" if request.args.get("storage") == "_parent" else None


@blueprint.route("/auth", methods=["GET", "POST"])
def authenticate() -> str | tuple[str, int]:
    """Answers the tool's authentication request with a message, or with an OpenID error at its redirect address.

    Until client and redirect address are known to be right, nothing is sent there: the person gets a page instead
    (OpenID Connect Core 3.1.2.1 and 3.1.2.6).
    """
    with current_lms().database.transaction() as connection:
        tool = find_tool_by_client_id(connection, request.values.get("client_id", ""))
    if tool is None:
        raise PageRefused(400, "The tool asked to sign somebody in with a client id that is not registered here.")
    # Moodle auth.php: the redirect address must equal a registered one, character for character.
    if request.values.get("redirect_uri") != tool.launch_url:
        raise PageRefused(400, "The tool asked for an answer at an address that is not registered for it.")
    try:
        return _message(tool)
    except AuthenticationRefused as refusal:
        fields = {"error": refusal.code, "error_description": str(refusal), "state": request.values.get("state", "")}
        return render_template("forward.html", action=tool.launch_url, fields=fields)


_FIXED = {
    "scope": ("openid", "invalid_scope"),
    "response_type": ("id_token", "unsupported_response_type"),
    "response_mode": ("form_post", "invalid_request"),
    "prompt": ("none", "invalid_request"),
}


def _message(tool: Tool) -> str:
    for name, (expected, code) in _FIXED.items():
        if request.values.get(name) != expected:
            raise AuthenticationRefused(code, f"{name} must be {expected}.")
    for name in ("nonce", "state"):
        if not request.values.get(name):
            raise AuthenticationRefused("invalid_request", f"{name} is missing.")
    lms = current_lms()
    with lms.database.transaction() as connection:
        intent = find_intent(connection, request.values.get("lti_message_hint", ""))
        person = _intended_person(tool, intent)
        assert intent
        activity = find_activity(connection, intent.activity_id) if intent.activity_id else None
        data = None if activity else add_selection(connection, tool=tool, person=person, course_id=intent.course_id)
    return launch_form(lms, tool, person, activity, intent, data)


def _intended_person(tool: Tool, intent: Intent | None) -> Person:
    if intent is None or intent.tool_number != tool.number:
        raise AuthenticationRefused("invalid_request", "lti_message_hint is unknown or too old.")
    person = find_person_by_id(intent.user_id)
    if person is None or request.values.get("login_hint") != intent.user_id:
        raise AuthenticationRefused("login_required", "login_hint is not the person who opened the activity.")
    return person
