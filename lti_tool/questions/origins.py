"""A placement whose quiz belongs to another course, as copies of courses leave it: its origin, and a copy to change.

A copied placement has a new id in a new course, so it starts without attempts and with its own gradebook column; only
the quiz itself is shared, by its id in the placement's custom parameter or address.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from psycopg import Connection

from lti_tool.db import fetch_value
from lti_tool.errors import NotAllowed, NotFound
from lti_tool.launch.sessions import LaunchSession
from lti_tool.questions.answer_key import may_see_key
from lti_tool.questions.changes import copy_quiz
from lti_tool.questions.errors import PlacementAnswered
from lti_tool.questions.store import Quiz, place_quiz


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The other course that a quiz is from; its ``title`` and a copy are for those who teach it too.

    ``is_answered``: a student has begun the quiz here, so no copy can take its place any more.
    """

    title: str
    is_theirs: bool
    is_answered: bool


def find_origin(connection: Connection, session: LaunchSession, quiz: Quiz) -> Origin | None:
    """Where the quiz of this launch's placement comes from; ``None`` for a quiz of its own course."""
    if quiz.context_id == session.context_id or session.resource_link_id is None:
        return None
    is_theirs = may_see_key(connection, session, quiz)
    title = fetch_value(connection, "SELECT title FROM contexts WHERE id = %s", quiz.context_id) if is_theirs else ""
    assert isinstance(title, str)  # a quiz has its course
    return Origin(title=title, is_theirs=is_theirs, is_answered=_is_answered(connection, session.resource_link_id))


def take_copy(connection: Connection, session: LaunchSession, quiz: Quiz) -> UUID:
    """Copy the quiz of another course into this one and make the copy the quiz of this placement; the copy's id.

    Later launches name the first quiz still and find the copy. A copy shows the answer key, so it is for those who
    may see that. Raises :class:`NotFound`, :class:`NotAllowed` or :class:`PlacementAnswered`.
    """
    if quiz.context_id == session.context_id or session.resource_link_id is None:
        raise NotFound(f"quiz {quiz.id} is not another course's")
    if not may_see_key(connection, session, quiz):
        raise NotAllowed(
            f"user {session.user_id} does not teach context {quiz.context_id}",
            instructor_text="Only those who teach the course that the quiz belongs to can copy it.",
        )
    # Holds back whoever begins an attempt here, which refers to the placement.
    connection.execute("SELECT 1 FROM resource_links WHERE id = %s FOR UPDATE", (session.resource_link_id,))
    if _is_answered(connection, session.resource_link_id):
        raise PlacementAnswered(f"resource link {session.resource_link_id} has attempts")
    copied = copy_quiz(connection, quiz, title=quiz.title, created_by=session.user_id, context_id=session.context_id)
    place_quiz(connection, copied, session.resource_link_id)
    return copied


def _is_answered(connection: Connection, resource_link_id: int) -> bool:
    return bool(
        fetch_value(
            connection,
            "SELECT EXISTS (SELECT 1 FROM attempts WHERE resource_link_id = %s AND NOT is_preview)",
            resource_link_id,
        )
    )
