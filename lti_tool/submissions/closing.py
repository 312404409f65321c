"""Attempts that end with their due date, where the quiz closes then: they are handed in with what was saved by then.

A save that is under way when it is due still counts: an attempt ends some seconds after its due date. Whoever looks
first hands it in, the student's own page or the sweep.
"""

from __future__ import annotations

from datetime import datetime

from psycopg import Connection

from lti_tool.db import fetch_value
from lti_tool.submissions.store import hand_in

#: For what was typed in the last moment and is on its way.
GRACE_SECONDS = 10


def list_overdue_attempts(connection: Connection, limit: int = 500) -> list[tuple[int, int]]:
    """(registration, attempt) of what is open although it has ended: what the sweep hands in. No tries."""
    return connection.execute(
        """
        SELECT attempts.registration_id, attempts.id
        FROM attempts JOIN quizzes ON quizzes.id = attempts.quiz_id
        WHERE attempts.status = 'OPEN' AND NOT attempts.is_preview AND quizzes.late_rule = 'CLOSE'
            AND attempts.due_at <= now() - make_interval(secs => %s)
        ORDER BY attempts.due_at LIMIT %s
        """,
        (GRACE_SECONDS, limit),
    ).fetchall()


def has_ended(connection: Connection, attempt_id: int) -> bool:
    """Whether the attempt is open although it has ended. It is locked then, so that nobody else hands it in."""
    return bool(
        fetch_value(
            connection,
            """
            SELECT true FROM attempts JOIN quizzes ON quizzes.id = attempts.quiz_id
            WHERE attempts.id = %s AND attempts.status = 'OPEN' AND NOT attempts.is_preview
                AND quizzes.late_rule = 'CLOSE' AND attempts.due_at <= now() - make_interval(secs => %s)
            FOR NO KEY UPDATE OF attempts
            """,
            attempt_id,
            GRACE_SECONDS,
        )
    )


def hand_in_ended(connection: Connection, attempt_id: int, *, explanation_wait_seconds: int) -> list[int]:
    """Hand the attempt in if it has ended; ids of the submissions that wait for grading now."""
    if not has_ended(connection, attempt_id):
        return []
    return hand_in_in_time(connection, attempt_id, explanation_wait_seconds=explanation_wait_seconds)


def hand_in_in_time(connection: Connection, attempt_id: int, *, explanation_wait_seconds: int) -> list[int]:
    """Hand in now, or with the due date if the quiz closed then and nothing was written since.

    Returns and raises what :func:`~lti_tool.submissions.store.hand_in` does.
    """
    closed_at = fetch_value(
        connection,
        """
        SELECT attempts.due_at FROM attempts JOIN quizzes ON quizzes.id = attempts.quiz_id
        WHERE attempts.id = %s AND NOT attempts.is_preview AND quizzes.late_rule = 'CLOSE'
            AND attempts.due_at < now() AND attempts.started_at < attempts.due_at
            AND NOT EXISTS (
                SELECT 1 FROM submissions WHERE submissions.attempt_id = attempts.id
                    AND submissions.saved_at > attempts.due_at + make_interval(secs => %s)
            )
        """,
        attempt_id,
        GRACE_SECONDS,
    )
    assert closed_at is None or isinstance(closed_at, datetime)
    return hand_in(connection, attempt_id, explanation_wait_seconds=explanation_wait_seconds, submitted_at=closed_at)
