"""Grading again in PostgreSQL: answers whose new scores are computed beside the grades, to be looked at first.

What would change, and applying it, are in ``regrade_changes.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from psycopg import Connection
from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from grading.domain import Assessment, Question
from lti_tool.db import fetch_all, fetch_one, fetch_value
from lti_tool.gradebook.errors import NothingToRegrade, RegradeOpen

REGRADE_BATCH = 16
MAX_REGRADE_TRIES = 3
GIVEN_UP = "the machine failed on this answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Regrade:
    """Answers of one placement being graded again; ``question_id`` is ``None`` for the whole quiz.

    ``finished_at``: when it was applied or discarded. Of ``answer_count`` answers ``computed_count`` are through.
    """

    id: int
    registration_id: int
    resource_link_id: int
    quiz_id: UUID
    question_id: int | None
    status: Literal["COMPUTING", "READY", "APPLIED", "DISCARDED"]
    reason: str
    created_at: datetime
    finished_at: datetime | None
    answer_count: int
    computed_count: int

    @property
    def is_open(self) -> bool:
        """Neither applied nor discarded yet."""
        return self.finished_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegradeWork:
    """An answer of a regrade, locked until the transaction ends."""

    submission_id: int
    question_id: int
    answer: str
    max_points: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionCount:
    """How many answers have their latest score from these versions of the grader (names as in ``grades.versions``)."""

    versions: dict[str, str]
    answer_count: int


# Begin -------------------------------------------------------------------------------------------------------------


def start_regrade(
    connection: Connection,
    *,
    resource_link_id: int,
    quiz_id: UUID,
    question_id: int | None,
    user_id: int,
    reason: str = "",
) -> int:
    """Take up every scored answer of the placement's students to the question, or to all; the regrade's id.

    Answers to tries by instructors and test users are left out, and so are STUCK ones: they have no score yet, and
    ``mlquiz submissions retry`` gives them one. Those that an instructor scored are computed too; applying leaves them
    as they are unless asked otherwise. Raises :class:`RegradeOpen` while another one is open in the placement, and
    :class:`NothingToRegrade`.
    """
    try:
        with connection.transaction():
            regrade_id = fetch_value(
                connection,
                "INSERT INTO regrades (resource_link_id, quiz_id, question_id, created_by, reason)"
                " VALUES (%s, %s, %s, %s, %s) RETURNING id",
                resource_link_id,
                quiz_id,
                question_id,
                user_id,
                reason,
            )
    except UniqueViolation as error:
        raise RegradeOpen(f"resource link {resource_link_id} has an open regrade") from error
    assert isinstance(regrade_id, int)  # RETURNING always has a row
    taken = connection.execute(
        """
        INSERT INTO regrade_items (regrade_id, submission_id, old_grade_id)
        SELECT %(regrade)s, submissions.id, latest.id
        FROM submissions
        JOIN attempts ON attempts.id = submissions.attempt_id
        JOIN users ON users.id = attempts.user_id
        CROSS JOIN LATERAL (
            SELECT id FROM grades WHERE grades.submission_id = submissions.id ORDER BY id DESC LIMIT 1
        ) AS latest
        WHERE attempts.resource_link_id = %(link)s AND attempts.quiz_id = %(quiz)s AND submissions.status = 'GRADED'
            AND NOT attempts.is_preview AND NOT users.is_test_user
            AND (%(question)s::bigint IS NULL OR submissions.question_id = %(question)s)
        """,
        {"regrade": regrade_id, "link": resource_link_id, "quiz": quiz_id, "question": question_id},
    ).rowcount
    if not taken:
        raise NothingToRegrade(f"resource link {resource_link_id} has no scored answer")
    return regrade_id


def find_regrade(connection: Connection, regrade_id: int) -> Regrade | None:
    """The regrade with this id."""
    return fetch_one(connection, Regrade, _REGRADES + " WHERE regrades.id = %s", regrade_id)


def find_newest_regrade(connection: Connection, resource_link_id: int) -> Regrade | None:
    """The placement's latest regrade: the only one that may be open."""
    return fetch_one(
        connection,
        Regrade,
        _REGRADES + " WHERE resource_link_id = %s ORDER BY regrades.id DESC LIMIT 1",
        resource_link_id,
    )


_REGRADES = """
    SELECT regrades.id, registration_id, resource_link_id, quiz_id, question_id, status, reason, created_at,
        finished_at, counts.answer_count, counts.computed_count
    FROM regrades
    CROSS JOIN LATERAL (
        SELECT count(*) AS answer_count, count(computed_at) AS computed_count
        FROM regrade_items WHERE regrade_id = regrades.id
    ) AS counts
"""


def list_versions(connection: Connection, resource_link_id: int, quiz_id: UUID) -> list[VersionCount]:
    """With which versions of the grader the placement's answers have their scores, the most frequent first."""
    return fetch_all(
        connection,
        VersionCount,
        """
        SELECT latest.versions, count(*) AS answer_count
        FROM submissions
        JOIN attempts ON attempts.id = submissions.attempt_id
        JOIN users ON users.id = attempts.user_id
        CROSS JOIN LATERAL (
            SELECT source, versions FROM grades WHERE grades.submission_id = submissions.id ORDER BY id DESC LIMIT 1
        ) AS latest
        WHERE attempts.resource_link_id = %s AND attempts.quiz_id = %s AND submissions.status = 'GRADED'
            AND NOT attempts.is_preview AND NOT users.is_test_user AND latest.source = 'MODEL'
        GROUP BY latest.versions ORDER BY count(*) DESC, latest.versions::text LIMIT 5
        """,
        resource_link_id,
        quiz_id,
    )


# Compute -----------------------------------------------------------------------------------------------------------


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


def list_computing(connection: Connection, limit: int = 100) -> list[tuple[int, int]]:
    """(registration, regrade) of what is being computed: what the sweep wakes."""
    return connection.execute(
        "SELECT registration_id, id FROM regrades WHERE status = 'COMPUTING' ORDER BY id LIMIT %s", (limit,)
    ).fetchall()
