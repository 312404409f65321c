"""What a launch is about, kept between its three steps: login initiation, authentication request, message.

Hints are opaque to the tool and must come back unaltered, as on Moodle (auth.php).
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from dataclasses import dataclass

from lti_tool.practice_lms.activities import Activity
from lti_tool.practice_lms.people import COURSE, Person
from lti_tool.practice_lms.tools import Tool

INTENT_SECONDS = 600
SELECTION_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A person is about to open an activity, or with ``activity_id`` ``None`` to choose content in the tool.

    With ``for_user_id`` it is to review what that student handed in at the activity.
    """

    hint: str
    tool_number: int
    user_id: str
    activity_id: int | None
    document_target: str
    course_id: str
    for_user_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Who chooses content for which course."""

    user_id: str
    course_id: str


def add_intent(
    connection: sqlite3.Connection,
    *,
    tool: Tool,
    person: Person,
    activity: Activity | None,
    document_target: str,
    for_user: Person | None = None,
    course_id: str = COURSE.id,
) -> Intent:
    """A new intent with a hint that cannot be guessed; an activity says itself which course it is in."""
    connection.execute("DELETE FROM intent WHERE created_at < ?", (time.time() - INTENT_SECONDS,))
    intent = Intent(
        hint=secrets.token_urlsafe(24),
        tool_number=tool.number,
        user_id=person.id,
        activity_id=activity.id if activity else None,
        document_target=document_target,
        course_id=activity.course_id if activity else course_id,
        for_user_id=for_user.id if for_user else None,
    )
    connection.execute(
        """
        INSERT INTO intent (hint, tool_number, user_id, activity_id, document_target, course_id, for_user_id,
                            created_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            intent.hint,
            intent.tool_number,
            intent.user_id,
            intent.activity_id,
            intent.document_target,
            intent.course_id,
            intent.for_user_id,
            time.time(),
        ),
    )
    return intent


def find_intent(connection: sqlite3.Connection, hint: str) -> Intent | None:
    """The intent of this hint, unless it is older than ten minutes. It may be used again: browsers do reload."""
    row = connection.execute(
        """
        SELECT hint, tool_number, user_id, activity_id, document_target, course_id, for_user_id
        FROM intent WHERE hint = ? AND created_at >= ?
        """,
        (hint, time.time() - INTENT_SECONDS),
    ).fetchone()
    return Intent(**dict(row)) if row else None


def add_selection(connection: sqlite3.Connection, *, tool: Tool, person: Person, course_id: str = COURSE.id) -> str:
    """The ``data`` of a new deep linking request."""
    connection.execute("DELETE FROM selection WHERE created_at < ?", (time.time() - SELECTION_SECONDS,))
    data = secrets.token_urlsafe(24)
    connection.execute(
        "INSERT INTO selection (data, tool_number, user_id, course_id, created_at) VALUES (?, ?, ?, ?, ?)",
        (data, tool.number, person.id, course_id, time.time()),
    )
    return data


def take_selection(connection: sqlite3.Connection, *, tool: Tool, data: str) -> Selection | None:
    """Whose deep linking request this ``data`` belongs to, and the course; it is good once, for an hour."""
    row = connection.execute(
        "DELETE FROM selection WHERE data = ? AND tool_number = ? AND created_at >= ? RETURNING user_id, course_id",
        (data, tool.number, time.time() - SELECTION_SECONDS),
    ).fetchone()
    return Selection(**dict(row)) if row else None
