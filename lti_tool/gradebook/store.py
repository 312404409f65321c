"""Grades, verdicts and explanations in PostgreSQL: append-only, the latest counts. Deliveries are in ``outbox.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from psycopg import Connection
from psycopg.types.json import Jsonb

from grading.domain import Assessment
from lti_tool.db import fetch_all, fetch_value
from lti_tool.gradebook.explanation_store import add_explanation, is_explained_by_instructor, lock_explanations
from lti_tool.gradebook.outbox import queue_delivery

MAX_REWORDING_TRIES = 3
REWORDING_BATCH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class RewordingWork:
    """A grade whose explanation the language model may reword; ``explainer`` is the version chosen for its course."""

    grade_id: int
    submission_id: int
    attempt_id: int
    question_id: int
    answer: str
    fraction: float
    low: float
    high: float
    confidence: float
    flags: list[str]
    explainer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRow:
    """The recorded verdict on one key point."""

    position: int
    verdict: str
    similarity: float
    evidence: str | None


# Grades ------------------------------------------------------------------------------------------------------------


def record_model_grade(
    connection: Connection,
    submission_id: int,
    assessment: Assessment,
    *,
    points: Decimal,
    explanation: str,
    names: Mapping[int, str],
) -> int:
    """Record what the grader found together with the template's explanation; the id of the grade.

    ``names``: of the key points by position, as they were when it was assessed. The key may have changed since.
    """
    grade_id = fetch_value(
        connection,
        """
        INSERT INTO grades (submission_id, source, fraction, points, low, high, confidence, flags, versions)
        VALUES (%s, 'MODEL', %s, %s, %s, %s, %s, %s, %s) RETURNING id
        """,
        submission_id,
        assessment.fraction,
        points,
        assessment.low,
        assessment.high,
        assessment.confidence,
        sorted(assessment.flags),
        Jsonb(dict(assessment.versions)),
    )
    assert isinstance(grade_id, int)
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO key_point_verdicts (grade_id, position, verdict, similarity, evidence, name)
            VALUES (%s, %s, %s, %s, %s, %s)
            """,
            [
                (grade_id, item.position, item.verdict, item.similarity, item.evidence, names.get(item.position, ""))
                for item in assessment.verdicts
            ],
        )
    add_explanation(connection, grade_id, "TEMPLATE", explanation)
    connection.execute("INSERT INTO rewordings (grade_id) VALUES (%s)", (grade_id,))
    return grade_id


def list_verdicts(connection: Connection, grade_id: int) -> list[VerdictRow]:
    """The verdicts of a grade, by position of the key point."""
    return fetch_all(
        connection,
        VerdictRow,
        "SELECT position, verdict, similarity, evidence FROM key_point_verdicts WHERE grade_id = %s ORDER BY position",
        grade_id,
    )


def finish_attempt(connection: Connection, attempt_id: int, *, explanation_wait_seconds: int) -> bool:
    """Make the attempt GRADED and queue its delivery if its last answer is graded; whether it was.

    What was left unanswered counts 0. Where the quiz holds scores for approval, or too many points were scored with too
    little confidence, the attempt waits for an instructor, and nothing is queued (:mod:`lti_tool.gradebook.approvals`).
    """
    # Two workers with the last two answers come one after the other; the lock is a statement of its own, so that the
    # second one's next statement sees what the first one committed.
    connection.execute("SELECT 1 FROM attempts WHERE id = %s FOR NO KEY UPDATE", (attempt_id,))
    graded = fetch_value(
        connection,
        """
        UPDATE attempts SET status = 'GRADED', graded_at = now(),
            approval = CASE
                WHEN attempts.is_preview THEN 'NOT_NEEDED'
                WHEN quizzes.posting = 'APPROVAL' OR totals.unsure_share > quizzes.review_share THEN 'NEEDED'
                ELSE 'NOT_NEEDED'
            END
        FROM quizzes, attempt_totals AS totals
        WHERE attempts.id = %s AND attempts.status = 'SUBMITTED' AND quizzes.id = attempts.quiz_id
            AND totals.attempt_id = attempts.id
            AND NOT EXISTS (SELECT 1 FROM submissions WHERE attempt_id = attempts.id AND status <> 'GRADED')
        RETURNING attempts.id
        """,
        attempt_id,
    )
    if graded is None:
        return False
    queue_delivery(connection, attempt_id, wait_seconds=explanation_wait_seconds)
    return True


# Explanations ------------------------------------------------------------------------------------------------------


def begin_rewordings(connection: Connection) -> list[int]:
    """Take up to twelve grades that wait for the language model and count the try; their ids, oldest first.

    One that was tried three times without an end is given up: the template's text stays.
    """
    connection.execute(
        """
        UPDATE rewordings SET outcome = 'FAILED', finished_at = now(), reasons = '{the worker ended while writing it}'
        WHERE grade_id IN (
            SELECT grade_id FROM rewordings WHERE outcome = 'PENDING' AND tries >= %s FOR UPDATE SKIP LOCKED
        )
        """,
        (MAX_REWORDING_TRIES,),
    )
    rows = connection.execute(
        """
        UPDATE rewordings SET tries = tries + 1
        WHERE grade_id IN (
            SELECT grade_id FROM rewordings WHERE outcome = 'PENDING' ORDER BY created_at LIMIT %s
            FOR UPDATE SKIP LOCKED
        )
        RETURNING grade_id
        """,
        (REWORDING_BATCH,),
    ).fetchall()
    return sorted(row[0] for row in rows)


def lock_rewordings(connection: Connection, grade_ids: Sequence[int]) -> list[RewordingWork]:
    """Those of the grades that still wait and that no other worker has; locked until the transaction ends."""
    return fetch_all(
        connection,
        RewordingWork,
        """
        SELECT grades.id AS grade_id, grades.submission_id, submissions.attempt_id, submissions.question_id,
            submissions.answer, grades.fraction, grades.low, grades.high, grades.confidence, grades.flags,
            course_explainers.digest AS explainer
        FROM rewordings
        JOIN grades ON grades.id = rewordings.grade_id
        JOIN submissions ON submissions.id = grades.submission_id
        JOIN attempts ON attempts.id = submissions.attempt_id
        JOIN resource_links ON resource_links.id = attempts.resource_link_id
        LEFT JOIN course_explainers ON course_explainers.context_id = resource_links.context_id
        WHERE rewordings.grade_id = ANY(%s) AND rewordings.outcome = 'PENDING'
        ORDER BY grades.id
        FOR UPDATE OF rewordings SKIP LOCKED
        """,
        list(grade_ids),
    )


def record_rewording(
    connection: Connection,
    grade_id: int,
    *,
    outcome: str,
    text: str | None,
    reasons: Sequence[str],
    versions: Mapping[str, str],
) -> None:
    """What came of it: SERVED with a text; REFUSED, NOT_WANTED or FAILED without one. ``versions``: who was asked.

    A text that comes when an instructor has written one is NOT_WANTED.
    """
    if text is not None:
        lock_explanations(connection, grade_id)
        if is_explained_by_instructor(connection, grade_id):
            outcome, text = "NOT_WANTED", None
    connection.execute(
        "UPDATE rewordings SET outcome = %s, reasons = %s, versions = %s, finished_at = now() WHERE grade_id = %s",
        (outcome, list(reasons), Jsonb(dict(versions)), grade_id),
    )
    if text is not None:
        add_explanation(connection, grade_id, "LLM", text, versions)


def list_questions_of(connection: Connection, grade_ids: Sequence[int]) -> list[int]:
    """The questions that these grades are for."""
    rows = connection.execute(
        "SELECT DISTINCT question_id FROM grades JOIN submissions ON submissions.id = grades.submission_id"
        " WHERE grades.id = ANY(%s) ORDER BY question_id",
        (list(grade_ids),),
    ).fetchall()
    return [row[0] for row in rows]


def give_up_rewordings(connection: Connection, question_id: int, *, reason: str) -> list[int]:
    """Leave the template's text of this question where it waits for the language model; ids of the attempts.

    What a worker is wording at this moment is left to it.
    """
    rows = connection.execute(
        """
        WITH waiting AS (
            SELECT rewordings.grade_id, submissions.attempt_id
            FROM rewordings
            JOIN grades ON grades.id = rewordings.grade_id
            JOIN submissions ON submissions.id = grades.submission_id
            WHERE rewordings.outcome = 'PENDING' AND submissions.question_id = %s
            FOR UPDATE OF rewordings SKIP LOCKED
        )
        UPDATE rewordings SET outcome = 'FAILED', finished_at = now(), reasons = ARRAY[%s]
        FROM waiting WHERE rewordings.grade_id = waiting.grade_id
        RETURNING waiting.attempt_id
        """,
        (question_id, reason),
    ).fetchall()
    return sorted({row[0] for row in rows})


def list_attempts_fully_explained(connection: Connection, attempt_ids: Sequence[int]) -> list[int]:
    """Those of the attempts for which no rewording is pending any more."""
    rows = connection.execute(
        """
        SELECT attempts.id FROM attempts
        WHERE attempts.id = ANY(%s) AND NOT EXISTS (
            SELECT 1 FROM submissions
            JOIN grades ON grades.submission_id = submissions.id
            JOIN rewordings ON rewordings.grade_id = grades.id
            WHERE submissions.attempt_id = attempts.id AND rewordings.outcome = 'PENDING'
        )
        ORDER BY attempts.id
        """,
        (list(attempt_ids),),
    ).fetchall()
    return [row[0] for row in rows]


def list_tenants_with_rewordings(connection: Connection) -> list[int]:
    """Registrations of which explanations wait for the language model."""
    rows = connection.execute(
        "SELECT DISTINCT registration_id FROM rewordings WHERE outcome = 'PENDING' ORDER BY registration_id"
    ).fetchall()
    return [row[0] for row in rows]
