"""The answers of a regrade: taken up by workers, given their new score, computed anew when the key changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from psycopg import Connection
from psycopg.types.json import Jsonb

from grading.domain import Assessment, Question
from lti_tool.db import fetch_all, fetch_value

REGRADE_BATCH = 16
MAX_REGRADE_TRIES = 3
GIVEN_UP = "the machine failed on this answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegradeWork:
    """An answer of a regrade, locked until the transaction ends."""

    submission_id: int
    question_id: int
    answer: str
    max_points: Decimal


def begin_items(connection: Connection, regrade_id: int) -> list[int]:
    """Count a try of the next answers before it is made; ids of their submissions, none where none is left to begin.

    Sixteen at once, and one alone where a worker has ended in the middle before: so the one answer that kills workers
    is found. After three tries it is given up, and keeps its old score.
    """
    connection.execute(
        """
        UPDATE regrade_items SET problem = %s, computed_at = now()
        WHERE regrade_id = %s AND submission_id IN (
            SELECT submission_id FROM regrade_items
            WHERE regrade_id = %s AND computed_at IS NULL AND tries >= %s FOR UPDATE SKIP LOCKED
        )
        """,
        (GIVEN_UP, regrade_id, regrade_id, MAX_REGRADE_TRIES),
    )
    waiting = connection.execute(
        """
        SELECT regrade_items.submission_id, regrade_items.tries
        FROM regrade_items
        JOIN regrades ON regrades.id = regrade_items.regrade_id AND regrades.status = 'COMPUTING'
        WHERE regrade_id = %s AND computed_at IS NULL
        ORDER BY tries, submission_id LIMIT %s FOR UPDATE OF regrade_items SKIP LOCKED
        """,
        (regrade_id, REGRADE_BATCH),
    ).fetchall()
    begun = [submission_id for submission_id, tries in waiting if tries == 0] or [row[0] for row in waiting[:1]]
    connection.execute(
        "UPDATE regrade_items SET tries = tries + 1 WHERE regrade_id = %s AND submission_id = ANY(%s)",
        (regrade_id, begun),
    )
    return begun


def lock_items(connection: Connection, regrade_id: int, submission_ids: Sequence[int]) -> list[RegradeWork]:
    """Those of the answers that still have no new score and that no other worker has, by question."""
    return fetch_all(
        connection,
        RegradeWork,
        """
        SELECT submissions.id AS submission_id, submissions.question_id, submissions.answer, questions.max_points
        FROM regrade_items
        JOIN submissions ON submissions.id = regrade_items.submission_id
        JOIN questions ON questions.id = submissions.question_id
        WHERE regrade_items.regrade_id = %s AND submissions.id = ANY(%s) AND regrade_items.computed_at IS NULL
        ORDER BY submissions.question_id, submissions.id
        FOR UPDATE OF regrade_items SKIP LOCKED
        """,
        regrade_id,
        list(submission_ids),
    )


def record_new_score(
    connection: Connection,
    regrade_id: int,
    submission_id: int,
    question: Question,
    assessment: Assessment,
    *,
    points: Decimal,
    explanation: str,
) -> None:
    """Keep what the grader finds now, with the names of the key points as they are now."""
    names = {point.position: point.name for point in question.key_points}
    verdicts = [
        {
            "position": item.position,
            "name": names.get(item.position, ""),
            "verdict": item.verdict,
            "similarity": item.similarity,
            "evidence": item.evidence,
        }
        for item in assessment.verdicts
    ]
    connection.execute(
        """
        UPDATE regrade_items SET fraction = %s, points = %s, low = %s, high = %s, confidence = %s, flags = %s,
            versions = %s, verdicts = %s, explanation = %s, problem = NULL, computed_at = now()
        WHERE regrade_id = %s AND submission_id = %s
        """,
        (
            assessment.fraction,
            points,
            assessment.low,
            assessment.high,
            assessment.confidence,
            sorted(assessment.flags),
            Jsonb(dict(assessment.versions)),
            Jsonb(verdicts),
            explanation,
            regrade_id,
            submission_id,
        ),
    )


def finish_computing(connection: Connection, regrade_id: int) -> bool:
    """READY once every answer has its new score; whether there is still one to compute."""
    # The lock is a statement of its own: the next one then sees a key that was changed meanwhile (compute_anew).
    status = fetch_value(connection, "SELECT status FROM regrades WHERE id = %s FOR UPDATE", regrade_id)
    if status != "COMPUTING":
        return False
    connection.execute(
        """
        UPDATE regrades SET status = 'READY'
        WHERE id = %s AND NOT EXISTS (
            SELECT 1 FROM regrade_items WHERE regrade_id = regrades.id AND computed_at IS NULL
        )
        """,
        (regrade_id,),
    )
    return fetch_value(connection, "SELECT status FROM regrades WHERE id = %s", regrade_id) == "COMPUTING"


def compute_anew(connection: Connection, question_id: int) -> list[int]:
    """The key of this question changed: open regrades, of any placement, compute its answers once more; their ids."""
    # First the regrades, then their answers: nobody who holds an answer waits for its regrade.
    rows = connection.execute(
        """
        SELECT id FROM regrades WHERE status IN ('COMPUTING', 'READY') AND EXISTS (
            SELECT 1 FROM regrade_items JOIN submissions ON submissions.id = regrade_items.submission_id
            WHERE regrade_items.regrade_id = regrades.id AND submissions.question_id = %s
        )
        ORDER BY id FOR UPDATE
        """,
        (question_id,),
    ).fetchall()
    regrade_ids = [row[0] for row in rows]
    connection.execute(
        """
        UPDATE regrade_items SET computed_at = NULL, problem = NULL, tries = 0
        FROM submissions
        WHERE regrade_id = ANY(%s) AND submissions.id = regrade_items.submission_id AND submissions.question_id = %s
        """,
        (regrade_ids, question_id),
    )
    connection.execute("UPDATE regrades SET status = 'COMPUTING' WHERE id = ANY(%s)", (regrade_ids,))
    return regrade_ids


def list_stalled(connection: Connection, limit: int = 100) -> list[tuple[int, int]]:
    """(registration, regrade) of what nobody has computed any of for half a minute: what the sweep wakes.

    Not the others: each wake goes on until all is done, and many at once would keep students' answers waiting.
    """
    return connection.execute(
        """
        SELECT registration_id, id FROM regrades
        WHERE status = 'COMPUTING' AND created_at < now() - interval '30 seconds' AND NOT EXISTS (
            SELECT 1 FROM regrade_items
            WHERE regrade_id = regrades.id AND computed_at >= now() - interval '30 seconds'
        )
        ORDER BY id LIMIT %s
        """,
        (limit,),
    ).fetchall()
