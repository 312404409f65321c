"""Who may see what a quiz is graded against.

A placement of one course can lead to the quiz of another: copies of courses do. Whoever teaches the placement's
course need not teach the quiz's; a student of the one may teach the other.
"""

from __future__ import annotations

from psycopg import Connection

from lti_tool.db import fetch_value
from lti_tool.launch.sessions import LaunchSession
from lti_tool.questions.store import Quiz


def may_see_key(connection: Connection, session: LaunchSession, quiz: Quiz) -> bool:
    """Whether the instructor of this launch also teaches the course that the quiz belongs to.

    True for a quiz of the launch's own course. For any other quiz the person must have made a quiz in its course,
    launched there as an instructor (such rows last a day and a half), or tried a quiz there as instructors do.
    """
    if quiz.context_id == session.context_id:
        return True
    return bool(
        fetch_value(
            connection,
            """
            SELECT EXISTS (SELECT 1 FROM quizzes WHERE context_id = %s AND created_by = %s)
                OR EXISTS (
                    SELECT 1 FROM launch_sessions
                    WHERE context_id = %s AND user_id = %s AND role = 'INSTRUCTOR'
                )
                OR EXISTS (
                    SELECT 1 FROM attempts
                    JOIN resource_links ON resource_links.id = attempts.resource_link_id
                    JOIN users ON users.id = attempts.user_id
                    WHERE resource_links.context_id = %s AND attempts.user_id = %s
                        AND attempts.is_preview AND NOT users.is_test_user
                )
            """,
            *(quiz.context_id, session.user_id) * 3,
        )
    )


def allowed_previews(connection: Connection, session: LaunchSession, quiz: Quiz) -> int | None:
    """How many tries of the quiz its placement gives this person, ``None`` without a bound.

    Whoever may not see the key has as many as a student has attempts, over all placements of the quiz together; a
    placement of their own cannot give them more.
    """
    if may_see_key(connection, session, quiz):
        return None
    elsewhere = fetch_value(
        connection,
        "SELECT count(*) FROM attempts WHERE quiz_id = %s AND user_id = %s AND resource_link_id <> %s",
        quiz.id,
        session.user_id,
        session.resource_link_id,
    )
    assert isinstance(elsewhere, int)
    return max(0, min(quiz.max_attempts, max_attempts_here(session, quiz)) - elsewhere)


def max_attempts_here(session: LaunchSession, quiz: Quiz) -> int:
    """How many attempts a student has: as the placement says, else as the quiz says."""
    return session.max_attempts or quiz.max_attempts
