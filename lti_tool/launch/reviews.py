"""Launches that show one answer: submission review from a gradebook, or an address that a gradebook kept.

LTI Submission Review 1.0. Canvas has no such message; its SpeedGrader opens the address that came with the score, as
an ordinary launch of whoever looks at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from lti_tool.db import fetch_one
from lti_tool.launch.errors import SubmissionUnknown
from lti_tool.launch.launches import SUBMISSION_REVIEW, Launch
from lti_tool.launch.roles import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedAttempt:
    """The attempt that a launch shows, and the placement that it was made in.

    ``due_at``: when it is due for the person who made it, as the launch says if it is one of that placement.
    """

    id: int
    resource_link_id: int
    due_at: datetime | None


def reviewed_attempt(
    connection: Connection, launch: Launch, *, context_id: int, user_id: int
) -> ReviewedAttempt | None:
    """The attempt that the launch is about; ``None`` for a launch that is about none.

    ``context_id`` and ``user_id`` are our numbers of the course and of the person who launches. Raises
    :class:`SubmissionUnknown` for what is not there, and for what is not theirs to see.
    """
    if launch.message_type == SUBMISSION_REVIEW:
        found = _find_submission(connection, launch, context_id) if launch.role is Role.INSTRUCTOR else None
    elif launch.attempt_id is not None and launch.resource_link_id is not None:
        found = _find_attempt(connection, launch, context_id, user_id)
    else:
        return None
    if found is None:
        raise SubmissionUnknown("no such attempt for this person in this course")
    return found


def _find_submission(connection: Connection, launch: Launch, context_id: int) -> ReviewedAttempt | None:
    """What a student handed in at the placement that is named, or else has the column that is named.

    Of several attempts the one whose score went to the gradebook last, else the latest.
    """
    return fetch_one(
        connection,
        ReviewedAttempt,
        """
        SELECT attempts.id, attempts.resource_link_id,
            CASE WHEN resource_links.platform_link_id = %s THEN %s::timestamptz ELSE attempts.due_at END AS due_at
        FROM attempts
        JOIN users ON users.id = attempts.user_id
        JOIN resource_links ON resource_links.id = attempts.resource_link_id
        WHERE resource_links.context_id = %s AND users.sub = %s AND attempts.status <> 'OPEN'
            AND NOT attempts.is_preview
            AND CASE WHEN %s::text IS NOT NULL THEN resource_links.platform_link_id = %s
                ELSE resource_links.line_item_url = %s END
        ORDER BY (SELECT max(deliveries.id) FROM deliveries WHERE deliveries.attempt_id = attempts.id) DESC NULLS LAST,
            attempts.number DESC
        LIMIT 1
        """,
        launch.resource_link_id,
        launch.due_at,
        context_id,
        launch.for_user_sub,
        launch.resource_link_id,
        launch.resource_link_id,
        launch.ags.line_item_url if launch.ags else None,
    )


def _find_attempt(connection: Connection, launch: Launch, context_id: int, user_id: int) -> ReviewedAttempt | None:
    """The attempt that the address names: any of the course for an instructor, only their own for a student."""
    if launch.role is Role.NONE:
        return None
    return fetch_one(
        connection,
        ReviewedAttempt,
        """
        SELECT attempts.id, attempts.resource_link_id,
            CASE WHEN resource_links.platform_link_id = %s THEN %s::timestamptz ELSE attempts.due_at END AS due_at
        FROM attempts JOIN resource_links ON resource_links.id = attempts.resource_link_id
        WHERE attempts.id = %s AND resource_links.context_id = %s AND attempts.status <> 'OPEN'
            AND (%s OR attempts.user_id = %s)
        """,
        launch.resource_link_id,
        launch.due_at,
        launch.attempt_id,
        context_id,
        launch.role is Role.INSTRUCTOR,
        user_id,
    )
