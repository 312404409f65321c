"""Courses and the explainers that were chosen for them, in PostgreSQL. For transactions across tenants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg import Connection

from lti_tool.db import fetch_all, fetch_one
from lti_tool.models import store
from lti_tool.models.errors import CourseUnknown
from lti_tool.models.versions import ModelVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A course; ``digest`` is that of its own explainer, ``None`` where what serves everybody serves it."""

    id: int
    registration_id: int
    title: str
    platform: str
    digest: str | None
    chosen_by: str | None
    chosen_at: datetime | None


_COURSES: LiteralString = """
    SELECT contexts.id, contexts.registration_id, contexts.title, registrations.name AS platform, digest, chosen_by,
        chosen_at
    FROM contexts
    JOIN registrations ON registrations.id = contexts.registration_id
    LEFT JOIN course_explainers ON course_explainers.context_id = contexts.id
"""


def list_courses(connection: Connection) -> list[Course]:
    """All courses, by platform and title."""
    return fetch_all(connection, Course, _COURSES + " ORDER BY platform, title, contexts.id")


def list_served_courses(connection: Connection) -> list[Course]:
    """Those with an explainer of their own, by platform and title."""
    return fetch_all(connection, Course, _COURSES + " WHERE digest IS NOT NULL ORDER BY platform, title, contexts.id")


def get_course(connection: Connection, course_id: int) -> Course:
    """The course with this number. Raises :class:`CourseUnknown`."""
    found = fetch_one(connection, Course, _COURSES + " WHERE contexts.id = %s::numeric", course_id)
    if found is None:
        raise CourseUnknown(f"no course has the number {course_id}")
    return found


def find_serving(connection: Connection, course: Course) -> ModelVersion | None:
    """The explainer that serves a course: its own, else the promoted one; ``None``: the model of the settings."""
    if course.digest is not None:
        return store.get_version(connection, course.digest)
    return store.find_current(connection, "EXPLAINER")


def list_chosen_digests(connection: Connection) -> frozenset[str]:
    """The explainers that were chosen for any course: what the workers ask every few seconds."""
    return frozenset(row[0] for row in connection.execute("SELECT DISTINCT digest FROM course_explainers"))


def choose_explainer(connection: Connection, course: Course, digest: str, *, by: str) -> None:
    """Let a version word this course's explanations. To be called with the lock of :func:`store.lock_versions`."""
    connection.execute(
        "INSERT INTO course_explainers (registration_id, context_id, digest, chosen_by) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (context_id) DO UPDATE SET digest = EXCLUDED.digest, chosen_by = EXCLUDED.chosen_by,"
        " chosen_at = now()",
        (course.registration_id, course.id, digest, by),
    )


def give_up_explainer(connection: Connection, course: Course) -> None:
    """Let what serves everybody serve this course too. To be called with the lock."""
    connection.execute("DELETE FROM course_explainers WHERE context_id = %s", (course.id,))
