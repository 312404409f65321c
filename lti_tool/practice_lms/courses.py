"""The courses: the one that is there from the start, and copies of it, as every platform makes them for the next term.

A copy has a context id of its own. Its activities are new resource links that lead to the same content of the tool;
their gradebook columns are new and empty, and the people are the same.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Collection
from typing import Literal

from lti_tool.practice_lms.activities import list_activities
from lti_tool.practice_lms.people import COURSE, Course

#: What some platforms lose when they copy a course: custom parameters, the address of a link, its gradebook column.
Lost = Literal["custom", "url", "columns"]


def list_courses(connection: sqlite3.Connection) -> list[Course]:
    """All courses, the first one first."""
    copies = connection.execute("SELECT id, label, title FROM course_copy ORDER BY CAST(id AS INTEGER)")
    return [COURSE, *(Course(**dict(row)) for row in copies)]


def find_course(connection: sqlite3.Connection, course_id: str) -> Course | None:
    """The course with this context id."""
    return next((course for course in list_courses(connection) if course.id == course_id), None)


def copy_course(connection: sqlite3.Connection, course: Course, *, without: Collection[Lost] = ()) -> Course:
    """A copy of a course with all of its activities and no grades; ``without`` is what gets lost on the way."""
    courses = list_courses(connection)
    copy = Course(
        id=str(1 + max(int(one.id) for one in courses)),
        label=f"{COURSE.label}-{len(courses) + 1}",
        title=f"{COURSE.title} (copy {len(courses)})",
    )
    connection.execute("INSERT INTO course_copy (id, label, title) VALUES (?, ?, ?)", (copy.id, copy.label, copy.title))
    for activity in list_activities(connection, course.id):
        copied = connection.execute(
            """
            INSERT INTO activity (resource_link_id, course_id, tool_number, title, text, url, custom, available_from,
                                  available_until, submission_from, submission_until)
            SELECT ?, ?, tool_number, title, text,
                   CASE WHEN ? THEN (SELECT launch_url FROM tool WHERE number = tool_number) ELSE url END,
                   CASE WHEN ? THEN '{}' ELSE custom END,
                   available_from, available_until, submission_from, submission_until
            FROM activity WHERE id = ? RETURNING id
            """,
            (str(uuid.uuid4()), copy.id, "url" in without, "custom" in without, activity.id),
        ).fetchone()["id"]
        if "columns" not in without:
            connection.execute(
                """
                INSERT INTO line_item (tool_number, course_id, activity_id, coupled, label, score_maximum, resource_id,
                                       tag, starts_at, ends_at)
                SELECT tool_number, ?, ?, 1, label, score_maximum, resource_id, tag, starts_at, ends_at
                FROM line_item WHERE activity_id = ? AND coupled
                """,
                (copy.id, copied, activity.id),
            )
    return copy
