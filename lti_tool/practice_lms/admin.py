"""Administration by programs, in JSON: register a tool, see what is there, start afresh. Needs the admin token."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request
from pydantic import BaseModel, ConfigDict, ValidationError
from werkzeug.exceptions import HTTPException

from lti_tool.practice_lms.activities import Activity, LineItem, list_activities, list_line_items
from lti_tool.practice_lms.courses import Lost, copy_course, find_course
from lti_tool.practice_lms.database import reset
from lti_tool.practice_lms.gradebook import PostCount, count_posts, list_grades
from lti_tool.practice_lms.identity import rotated_identity
from lti_tool.practice_lms.lms import EXTENSION, address, current_lms
from lti_tool.practice_lms.people import COURSE, PEOPLE, find_person_by_id
from lti_tool.practice_lms.tools import ToolApplication, activate_tool, register_tool

blueprint = Blueprint("admin", __name__, url_prefix="/admin")


@blueprint.before_request
def check_token() -> tuple[Response, int] | None:
    """Refuses who does not hold the token of the folder's ``admin.token``."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    expected = current_lms().identity.admin_token
    if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), expected.encode()):
        return jsonify(error="The admin token is missing or wrong."), 401
    return None


@blueprint.errorhandler(HTTPException)
def explain(error: HTTPException) -> tuple[Response, int]:
    """Programs get JSON."""
    return jsonify(error=error.description), error.code or 500


@blueprint.post("/tool")
def register() -> Response | tuple[Response, int]:
    """Registers a tool, or brings the one with this ``launch_url`` up to date; answers with what the tool must know."""
    try:
        application = ToolApplication.model_validate(request.get_json())
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"]) or "body"
        return jsonify(error=f"{place}: {fault['msg']}"), 400
    lms = current_lms()
    with lms.database.transaction() as connection:
        tool = register_tool(connection, application)
        activate_tool(connection, tool.number)
    return jsonify(
        issuer=lms.issuer,
        client_id=tool.client_id,
        deployment_id=tool.deployment_id,
        auth_login_url=address("launches.authenticate"),
        auth_token_url=lms.token_url,
        jwks_url=address("launches.jwks"),
    )


class CourseCopy(BaseModel):
    """Which course to copy, and what gets lost on the way."""

    model_config = ConfigDict(extra="forbid")

    id: str = COURSE.id
    without: set[Lost] = set()


@blueprint.post("/courses")
def add_course() -> Response | tuple[Response, int]:
    """Copies a course (JSON ``id``, and ``without``: some of ``custom``, ``url``, ``columns``); the copy's id."""
    try:
        wanted = CourseCopy.model_validate(request.get_json())
    except ValidationError as error:
        return jsonify(error=error.errors()[0]["msg"]), 400
    with current_lms().database.transaction() as connection:
        copied_from = find_course(connection, wanted.id)
        if copied_from is None:
            return jsonify(error="There is no such course."), 404
        copy = copy_course(connection, copied_from, without=wanted.without)
    return jsonify(id=copy.id, title=copy.title)


@blueprint.get("/course")
def course() -> Response | tuple[Response, int]:
    """A course (``?id=``, else the first), its people and its activities with the addresses to launch them at."""
    with current_lms().database.transaction() as connection:
        found = find_course(connection, request.args.get("id", COURSE.id))
        if found is None:
            return jsonify(error="There is no such course."), 404
        activities = list_activities(connection, found.id)
    people = [
        {"id": person.id, "slug": person.slug, "name": person.name, "role": person.role, "locale": person.locale}
        for person in PEOPLE
    ]
    return jsonify(id=found.id, title=found.title, people=people, activities=[_described(it) for it in activities])


def _described(activity: Activity) -> dict[str, Any]:
    line_item = activity.line_item
    return {
        "id": activity.id,
        "resource_link_id": activity.resource_link_id,
        "title": activity.title,
        "url": activity.url,
        "custom": dict(activity.custom),
        "due": activity.submission_until,
        "maximum": line_item.score_maximum if line_item else None,
        "lineitem": _line_item_address(line_item) if line_item else None,
        "open_url": {
            person.slug: address("launches.open_activity", slug=person.slug, activity_id=activity.id)
            for person in PEOPLE
        },
    }


def _line_item_address(line_item: LineItem) -> str:
    return address(
        "grades.line_item", course_id=line_item.course_id, line_item_id=line_item.id, type_id=line_item.tool_number
    )


@blueprint.get("/gradebook")
def gradebook() -> Response:
    """Every grade, as a list: ``posts`` counts all score messages that came for it, ``accepted`` those taken."""
    with current_lms().database.transaction() as connection:
        line_items = {item.id: item for item in list_line_items(connection)}
        grades = list_grades(connection)
        posts = count_posts(connection)
    rows = []
    for grade in grades:
        count = posts.get((grade.line_item_id, grade.user_id), PostCount())
        person = find_person_by_id(grade.user_id)
        rows.append(
            {
                "course": line_items[grade.line_item_id].course_id,
                "user_id": grade.user_id,
                "name": person.name if person else "",
                "lineitem": _line_item_address(line_items[grade.line_item_id]),
                "label": line_items[grade.line_item_id].label,
                "score": grade.score,
                "maximum": line_items[grade.line_item_id].score_maximum,
                "comment": grade.comment,
                "timestamp": grade.timestamp,
                "posts": count.received,
                "accepted": count.accepted,
            }
        )
    return jsonify(rows)


@blueprint.post("/reset")
def start_afresh() -> tuple[str, int]:
    """Forgets activities, grades, messages and copies of the course; with ``?tools=1`` also the registered tools."""
    with current_lms().database.transaction() as connection:
        reset(connection, tools=request.args.get("tools") == "1")
    return "", 204


@blueprint.post("/keys")
def rotate_key() -> Response:
    """Signs with a new key from now on; the one before stays published, unless ``?forget=1``. Answers with the JWKS."""
    lms = current_lms()
    identity = rotated_identity(lms.database.path.parent, forgets=request.args.get("forget") == "1")
    current_app.extensions[EXTENSION] = replace(lms, identity=identity)
    return jsonify(identity.key_set)
