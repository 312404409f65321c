"""Approval: scores that an instructor looks at first, and explanations that wait for one."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from psycopg import Connection

from lti_tool.gradebook.outbox import queue_delivery
from lti_tool.launch.audit import record_event


def approve_attempts(connection: Connection, attempt_ids: Sequence[int], user_id: int) -> list[int]:
    """Approve those of the attempts that wait for it; their ids. Their scores are shown and go to the gradebook.

    Where the quiz shows explanations after approval only, an attempt waits for that too, though its score did not: then
    the score is sent once more, with its explanation. Attempts are locked in the order of their ids, and their scores
    queued by student, as wherever several are: so two at once never wait for each other.
    """
    waiting = connection.execute(
        """
        SELECT attempts.id, attempts.registration_id, attempts.resource_link_id, attempts.approval, attempts.user_id
        FROM attempts JOIN quizzes ON quizzes.id = attempts.quiz_id
        WHERE attempts.id = ANY(%s) AND attempts.status = 'GRADED' AND NOT attempts.is_preview
            AND (attempts.approval = 'NEEDED'
                OR (attempts.approval = 'NOT_NEEDED' AND quizzes.explanations_shown = 'AFTER_APPROVAL'))
        ORDER BY attempts.id FOR NO KEY UPDATE OF attempts
        """,
        (list(attempt_ids),),
    ).fetchall()
    approved = [row[0] for row in waiting]
    connection.execute("UPDATE attempts SET approval = 'APPROVED' WHERE id = ANY(%s)", (approved,))
    for attempt_id, registration_id, resource_link_id, approval, _ in sorted(waiting, key=itemgetter(2, 4, 0)):
        record_event(
            connection,
            "ATTEMPT_APPROVED" if approval == "NEEDED" else "EXPLANATION_RELEASED",
            registration_id=registration_id,
            user_id=user_id,
            facts={"attempt_id": attempt_id, "resource_link_id": resource_link_id},
        )
        queue_delivery(connection, attempt_id, wait_seconds=0, has_new_comment=True)
    return approved
