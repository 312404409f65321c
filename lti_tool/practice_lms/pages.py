"""The pages that people see: who are you, the course, an activity, adding one, gradebook and own grades."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from lti_tool.practice_lms.activities import (
    Activity,
    LineItem,
    find_activity,
    list_activities,
    list_line_items,
    set_due_date,
)
from lti_tool.practice_lms.courses import copy_course, find_course, list_courses
from lti_tool.practice_lms.errors import PageRefused
from lti_tool.practice_lms.gradebook import Grade, list_grades
from lti_tool.practice_lms.lms import current_lms
from lti_tool.practice_lms.people import COURSE, PEOPLE, STUDENTS, Course, Person, find_person, find_person_by_id
from lti_tool.practice_lms.tools import Tool, find_tool, list_tools, origin_of

blueprint = Blueprint("pages", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityRow:
    """An activity in the course list, with the grade of the person who looks at it."""

    activity: Activity
    grade: Grade | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentRow:
    """A line of the gradebook: one cell for each column."""

    person: Person
    cells: tuple[tuple[LineItem, Grade | None], ...]


def _person(slug: str) -> Person:
    if person := find_person(slug):
        return person
    raise PageRefused(404, "There is no such person in this course.")


def _instructor(slug: str) -> Person:
    person = _person(slug)
    if not person.is_instructor:
        raise PageRefused(403, "This page is for the instructor.")
    return person


def _course(course_id: str) -> Course:
    with current_lms().database.transaction() as connection:
        found = find_course(connection, course_id)
    if found is None:
        raise PageRefused(404, "There is no such course.")
    return found


@blueprint.get("/")
def who_are_you() -> str:
    """The choice of a person: there are no passwords."""
    return render_template("people.html", people=PEOPLE, course=COURSE)


@blueprint.get("/as/<slug>/course", defaults={"course_id": COURSE.id})
@blueprint.get("/as/<slug>/courses/<course_id>/course")
def course(slug: str, course_id: str) -> str:
    """The course with its activities; a student sees own grades beside them."""
    person, shown = _person(slug), _course(course_id)
    with current_lms().database.transaction() as connection:
        courses = list_courses(connection)
        activities = list_activities(connection, shown.id)
        grades = {grade.line_item_id: grade for grade in list_grades(connection) if grade.user_id == person.id}
        tools = list_tools(connection)
    rows = [
        ActivityRow(activity=activity, grade=grades.get(activity.line_item.id) if activity.line_item else None)
        for activity in activities
    ]
    added = request.args.get("added", type=int)
    return render_template(
        "course.html",
        person=person,
        course=shown,
        courses=courses,
        rows=rows,
        tools=tools,
        added=added,
        said=request.args.get("said", "")[:300],
    )


@blueprint.post("/as/<slug>/courses/<course_id>/copy")
def copy(slug: str, course_id: str) -> BaseResponse:
    """The instructor copies the course, and is led to the copy."""
    person, copied_from = _instructor(slug), _course(course_id)
    with current_lms().database.transaction() as connection:
        copied = copy_course(connection, copied_from)
    return redirect(url_for("pages.course", slug=person.slug, course_id=copied.id), 303)


@blueprint.get("/as/<slug>/activities/<int:activity_id>")
def activity(slug: str, activity_id: int) -> str:
    """An activity with the tool in a frame."""
    person = _person(slug)
    with current_lms().database.transaction() as connection:
        found = find_activity(connection, activity_id)
        tool = find_tool(connection, found.tool_number) if found else None
    if found is None or tool is None:
        raise PageRefused(404, "There is no such activity in this course.")
    return render_template(
        "activity.html",
        person=person,
        course=_course(found.course_id),
        activity=found,
        tool_origin=origin_of(found.url),
        storage_origins=_storage_origins(tool),
    )


@blueprint.get("/as/<slug>/activities/<int:activity_id>/submissions/<user_id>")
def submission(slug: str, activity_id: int, user_id: str) -> str:
    """What a student handed in at an activity, as the tool shows it, in a frame."""
    person, student = _instructor(slug), find_person_by_id(user_id)
    with current_lms().database.transaction() as connection:
        found = find_activity(connection, activity_id)
        tool = find_tool(connection, found.tool_number) if found else None
    if found is None or tool is None or student is None:
        raise PageRefused(404, "There is no such submission in this course.")
    return render_template(
        "submission.html",
        person=person,
        course=_course(found.course_id),
        activity=found,
        student=student,
        tool_origin=origin_of(found.url),
        storage_origins=_storage_origins(tool),
    )


@blueprint.get("/as/<slug>/add", defaults={"course_id": COURSE.id})
@blueprint.get("/as/<slug>/courses/<course_id>/add")
def add_activity(slug: str, course_id: str) -> str:
    """Adding an activity: the tool's content selection in a frame, or the choice of a tool where there are several."""
    person, shown = _instructor(slug), _course(course_id)
    number = request.args.get("tool", type=int)
    with current_lms().database.transaction() as connection:
        tools = list_tools(connection)
        chosen = find_tool(connection, number) if number is not None else None
    if number is not None and chosen is None:
        raise PageRefused(404, "No such tool is registered.")
    if chosen is None and len(tools) == 1:
        chosen = tools[0]
    return render_template(
        "add.html",
        person=person,
        course=shown,
        tools=tools,
        tool=chosen,
        tool_origin=origin_of(chosen.deep_link_url) if chosen else "",
        storage_origins=_storage_origins(chosen) if chosen else "",
    )


def _storage_origins(tool: Tool) -> str:
    """Who may keep data in the page, for ``static/storage.js``: nobody with ``?storage=off``."""
    return "" if request.args.get("storage") == "off" else " ".join(sorted(tool.origins))


@blueprint.post("/as/<slug>/activities/<int:activity_id>/due")
def set_due(slug: str, activity_id: int) -> BaseResponse:
    """The instructor sets the due date (field ``due``, in UTC); empty takes it away."""
    person = _instructor(slug)
    try:
        due = datetime.fromisoformat(text).replace(tzinfo=UTC) if (text := request.form.get("due", "")) else None
    except ValueError:
        raise PageRefused(400, "That is no day and time.") from None
    with current_lms().database.transaction() as connection:
        found = find_activity(connection, activity_id)
        if found is None:
            raise PageRefused(404, "There is no such activity in this course.")
        set_due_date(connection, found, due)
    return redirect(url_for("pages.activity", slug=person.slug, activity_id=activity_id), 303)


def _gradebook(course: Course) -> dict[str, object]:
    with current_lms().database.transaction() as connection:
        columns = list_line_items(connection, course_id=course.id)
        grades = {(grade.line_item_id, grade.user_id): grade for grade in list_grades(connection)}
    rows = [
        StudentRow(person=student, cells=tuple((item, grades.get((item.id, student.id))) for item in columns))
        for student in STUDENTS
    ]
    return {"course": course, "columns": columns, "rows": rows}


@blueprint.get("/as/<slug>/gradebook", defaults={"course_id": COURSE.id})
@blueprint.get("/as/<slug>/courses/<course_id>/gradebook")
def gradebook(slug: str, course_id: str) -> str:
    """All students and all columns; keeps itself up to date."""
    return render_template("gradebook.html", person=_instructor(slug), **_gradebook(_course(course_id)))


@blueprint.get("/as/<slug>/gradebook/table", defaults={"course_id": COURSE.id})
@blueprint.get("/as/<slug>/courses/<course_id>/gradebook/table")
def gradebook_table(slug: str, course_id: str) -> str:
    """The table alone, for the script of the page."""
    return render_template("_gradebook.html", person=_instructor(slug), **_gradebook(_course(course_id)))


def _own_grades(person: Person, course: Course) -> dict[str, object]:
    if person.is_instructor:
        raise PageRefused(403, "The instructor has no grades of their own; see the gradebook.")
    with current_lms().database.transaction() as connection:
        columns = list_line_items(connection, course_id=course.id)
        grades = {grade.line_item_id: grade for grade in list_grades(connection) if grade.user_id == person.id}
    return {"course": course, "cells": [(item, grades.get(item.id)) for item in columns]}


@blueprint.get("/as/<slug>/grades", defaults={"course_id": COURSE.id})
@blueprint.get("/as/<slug>/courses/<course_id>/grades")
def grades(slug: str, course_id: str) -> str:
    """A student's own grades with comments; keeps itself up to date."""
    person = _person(slug)
    return render_template("grades.html", person=person, **_own_grades(person, _course(course_id)))


@blueprint.get("/as/<slug>/grades/table", defaults={"course_id": COURSE.id})
@blueprint.get("/as/<slug>/courses/<course_id>/grades/table")
def grades_table(slug: str, course_id: str) -> str:
    """The list alone, for the script of the page."""
    person = _person(slug)
    return render_template("_grades.html", person=person, **_own_grades(person, _course(course_id)))


@blueprint.app_errorhandler(404)
def nothing_here(error: NotFound) -> tuple[str, int]:
    """An address that does not exist."""
    del error
    return render_template("error.html", status=404, message="There is nothing at this address."), 404
