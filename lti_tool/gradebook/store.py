"""Grades, explanations and deliveries in PostgreSQL.

Grades, verdicts and explanations are append-only; the latest counts. A delivery is a row of the outbox: a Score on
its way to a line item, of which only the newest version is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from psycopg import Connection
from psycopg.types.json import Jsonb

from grading.domain import Assessment
from lti_tool.db import fetch_all, fetch_one, fetch_value

MAX_REWORDING_TRIES = 3
REWORDING_BATCH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewRow:
    """One attempt as the instructor's table shows it; without an answer yet the numbers are ``None``."""

    attempt_id: int
    user_id: int
    user_name: str | None
    user_sub: str
    number: int
    status: str
    is_preview: bool
    submitted_at: datetime | None
    points: Decimal | None
    max_points: Decimal
    stuck_answers: int
    lowest_confidence: float | None
    flags: list[str]
    delivery_status: str | None
    delivery_error: str | None
    delivered_at: datetime | None
    delivery_tries: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryWork:
    """A delivery that is due, with all that its Score needs. ``score_timestamp`` is set, ``tries`` counts this one."""

    id: int
    registration_id: int
    line_item_url: str
    user_id: int
    user_sub: str
    attempt_id: int
    version: int
    score_given: Decimal
    score_maximum: Decimal
    comment: str
    submitted_at: datetime
    score_timestamp: datetime
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationLine:
    """What the gradebook's comment says of one question: its place, points and explanation (``None``: unanswered)."""

    language: str
    position: int
    points: Decimal
    max_points: Decimal
    explanation: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RewordingWork:
    """A grade whose explanation the language model may reword."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRow:
    """The recorded verdict on one key point."""

    position: int
    verdict: str
    similarity: float
    evidence: str | None


# Grades ------------------------------------------------------------------------------------------------------------


def record_model_grade(
    connection: Connection, submission_id: int, assessment: Assessment, *, points: Decimal, explanation: str
) -> int:
    """Record what the grader found together with the template's explanation; the id of the grade."""
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
            "INSERT INTO key_point_verdicts (grade_id, position, verdict, similarity, evidence)"
            " VALUES (%s, %s, %s, %s, %s)",
            [(grade_id, item.position, item.verdict, item.similarity, item.evidence) for item in assessment.verdicts],
        )
    _add_explanation(connection, grade_id, "TEMPLATE", explanation, {})
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

    What was left unanswered counts 0. Nothing is queued for previews, for placements without a gradebook column, and
    for an attempt that is worse than an earlier one: the best attempt counts.
    """
    # Two workers with the last two answers come one after the other; the lock is a statement of its own, so that the
    # second one's next statement sees what the first one committed.
    connection.execute("SELECT 1 FROM attempts WHERE id = %s FOR NO KEY UPDATE", (attempt_id,))
    graded = fetch_value(
        connection,
        """
        UPDATE attempts SET status = 'GRADED', graded_at = now()
        WHERE id = %s AND status = 'SUBMITTED'
            AND NOT EXISTS (SELECT 1 FROM submissions WHERE attempt_id = attempts.id AND status <> 'GRADED')
        RETURNING id
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
            submissions.answer, grades.fraction, grades.low, grades.high, grades.confidence, grades.flags
        FROM rewordings
        JOIN grades ON grades.id = rewordings.grade_id
        JOIN submissions ON submissions.id = grades.submission_id
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
    """What came of it: SERVED with a text; REFUSED, NOT_WANTED or FAILED without one."""
    connection.execute(
        "UPDATE rewordings SET outcome = %s, reasons = %s, finished_at = now() WHERE grade_id = %s",
        (outcome, list(reasons), grade_id),
    )
    if text is not None:
        _add_explanation(connection, grade_id, "LLM", text, versions)


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


def count_pending_rewordings(connection: Connection) -> int:
    """How many explanations wait for the language model."""
    count = fetch_value(connection, "SELECT count(*) FROM rewordings WHERE outcome = 'PENDING'")
    assert isinstance(count, int)
    return count


def _add_explanation(
    connection: Connection, grade_id: int, source: str, text: str, versions: Mapping[str, str]
) -> None:
    connection.execute(
        "INSERT INTO explanations (grade_id, source, text, versions) VALUES (%s, %s, %s, %s)",
        (grade_id, source, text, Jsonb(dict(versions))),
    )


# Deliveries --------------------------------------------------------------------------------------------------------


def queue_delivery(connection: Connection, attempt_id: int, *, wait_seconds: int) -> int | None:
    """Queue the attempt's score as the newest version for its line item and user; ``None`` if there is nothing to send.

    It is due when the explanations have come, at the latest after ``wait_seconds``. Older queued versions are
    superseded.
    """
    target = connection.execute(
        """
        SELECT resource_links.line_item_url, attempts.user_id, attempts.resource_link_id, attempts.quiz_id
        FROM attempts
        JOIN resource_links ON resource_links.id = attempts.resource_link_id
        JOIN users ON users.id = attempts.user_id
        WHERE attempts.id = %s AND attempts.status = 'GRADED' AND NOT attempts.is_preview AND NOT users.is_test_user
            AND resource_links.line_item_url IS NOT NULL
        """,
        (attempt_id,),
    ).fetchone()
    if target is None or not _is_best(connection, attempt_id):
        return None
    line_item_url, user_id, *_ = target
    # Versions of one student's score are made one after the other.
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"score {line_item_url} {user_id}",))
    connection.execute(
        """
        UPDATE deliveries SET status = 'SUPERSEDED', finished_at = now()
        WHERE line_item_url = %s AND user_id = %s AND status = 'QUEUED'
        """,
        (line_item_url, user_id),
    )
    delivery_id = fetch_value(
        connection,
        """
        INSERT INTO deliveries
            (line_item_url, user_id, attempt_id, version, score_given, score_maximum, submitted_at, due_at)
        SELECT %s, attempts.user_id, attempts.id,
            1 + coalesce((SELECT max(version) FROM deliveries WHERE line_item_url = %s AND user_id = %s), 0),
            totals.points, totals.max_points, attempts.submitted_at, now() + make_interval(secs => %s)
        FROM attempts JOIN attempt_totals AS totals ON totals.attempt_id = attempts.id
        WHERE attempts.id = %s RETURNING id
        """,
        line_item_url,
        line_item_url,
        user_id,
        wait_seconds,
        attempt_id,
    )
    assert isinstance(delivery_id, int)
    return delivery_id


def _is_best(connection: Connection, attempt_id: int) -> bool:
    better = fetch_value(
        connection,
        """
        SELECT EXISTS (
            SELECT 1
            FROM attempts AS this
            JOIN attempt_totals AS this_total ON this_total.attempt_id = this.id
            JOIN attempts AS other ON other.resource_link_id = this.resource_link_id
                AND other.user_id = this.user_id AND other.quiz_id = this.quiz_id
                AND other.status = 'GRADED' AND NOT other.is_preview AND other.id <> this.id
            JOIN attempt_totals AS other_total ON other_total.attempt_id = other.id
            WHERE this.id = %s AND other_total.points > this_total.points
        )
        """,
        attempt_id,
    )
    return not better


def release_deliveries(connection: Connection, attempt_ids: Sequence[int]) -> list[int]:
    """The explanations are there: the attempts' first sendings are due now; their ids."""
    rows = connection.execute(
        """
        UPDATE deliveries SET due_at = now()
        WHERE attempt_id = ANY(%s) AND status = 'QUEUED' AND tries = 0 RETURNING id
        """,
        (list(attempt_ids),),
    ).fetchall()
    return sorted(row[0] for row in rows)


def list_due_deliveries(connection: Connection, limit: int = 500) -> list[int]:
    """Ids of deliveries that are due, oldest first: what the sweep wakes."""
    rows = connection.execute(
        "SELECT id FROM deliveries WHERE status = 'QUEUED' AND due_at <= now() ORDER BY due_at LIMIT %s", (limit,)
    ).fetchall()
    return [row[0] for row in rows]


def begin_delivery(connection: Connection, delivery_id: int) -> bool:
    """Count a try and fix the Score's timestamp before anything is sent; ``False``: not due, done, or another has it.

    The timestamp is the database's clock rounded up to a whole second (Moodle compares whole seconds), and later
    than any sent before for this line item and user. Until ``tries`` runs again the row is not due: a worker that
    dies now has its row swept up after a minute.
    """
    begun = fetch_value(
        connection,
        """
        UPDATE deliveries SET
            tries = deliveries.tries + 1,
            due_at = now() + interval '1 minute',
            score_timestamp = coalesce(deliveries.score_timestamp, greatest(
                date_trunc('second', now() + interval '999 milliseconds'),
                (
                    SELECT max(sent.score_timestamp) + interval '1 second' FROM deliveries AS sent
                    WHERE sent.line_item_url = deliveries.line_item_url AND sent.user_id = deliveries.user_id
                )
            ))
        WHERE deliveries.id = (
            SELECT id FROM deliveries WHERE id = %s AND status = 'QUEUED' AND due_at <= now() FOR UPDATE SKIP LOCKED
        )
        RETURNING deliveries.id
        """,
        delivery_id,
    )
    return begun is not None


def set_comment(connection: Connection, delivery_id: int, comment: str) -> None:
    """Fix the comment at the first sending: every later try repeats it word for word."""
    connection.execute("UPDATE deliveries SET comment = %s WHERE id = %s AND comment IS NULL", (comment, delivery_id))


def list_explanation_lines(connection: Connection, delivery_id: int) -> list[ExplanationLine]:
    """Points and latest explanation of every question of the delivery's attempt, in order."""
    return fetch_all(
        connection,
        ExplanationLine,
        """
        SELECT quizzes.language, questions.position, coalesce(grades.points, 0) AS points, questions.max_points,
            explanations.text AS explanation
        FROM deliveries
        JOIN attempts ON attempts.id = deliveries.attempt_id
        JOIN quizzes ON quizzes.id = attempts.quiz_id
        JOIN questions ON questions.quiz_id = attempts.quiz_id
        LEFT JOIN submissions ON submissions.attempt_id = attempts.id AND submissions.question_id = questions.id
        LEFT JOIN LATERAL (
            SELECT id, points FROM grades WHERE grades.submission_id = submissions.id ORDER BY id DESC LIMIT 1
        ) AS grades ON true
        LEFT JOIN LATERAL (
            SELECT text FROM explanations WHERE explanations.grade_id = grades.id ORDER BY id DESC LIMIT 1
        ) AS explanations ON true
        WHERE deliveries.id = %s ORDER BY questions.position
        """,
        delivery_id,
    )


def lock_delivery(connection: Connection, delivery_id: int) -> DeliveryWork | None:
    """The delivery if it is still queued and no other worker has it; the lock lasts until the transaction ends."""
    return fetch_one(
        connection,
        DeliveryWork,
        """
        SELECT deliveries.id, users.registration_id, deliveries.line_item_url, deliveries.user_id,
            users.sub AS user_sub, deliveries.attempt_id, deliveries.version, deliveries.score_given,
            deliveries.score_maximum, deliveries.comment, deliveries.submitted_at, deliveries.score_timestamp,
            deliveries.tries
        FROM deliveries JOIN users ON users.id = deliveries.user_id
        WHERE deliveries.id = %s AND deliveries.status = 'QUEUED' AND deliveries.score_timestamp IS NOT NULL
            AND deliveries.comment IS NOT NULL
        FOR UPDATE OF deliveries SKIP LOCKED
        """,
        delivery_id,
    )


def record_delivered(connection: Connection, delivery_id: int) -> None:
    """The gradebook holds the score."""
    connection.execute(
        "UPDATE deliveries SET status = 'DELIVERED', finished_at = now(), last_error = NULL WHERE id = %s",
        (delivery_id,),
    )


def record_retry(connection: Connection, delivery_id: int, *, error: str, wait_seconds: float, renew: bool) -> None:
    """It did not arrive: try again later. ``renew``: with a newer timestamp, the gradebook knows a later one."""
    connection.execute(
        """
        UPDATE deliveries SET last_error = %s, due_at = now() + make_interval(secs => %s),
            score_timestamp = CASE WHEN %s THEN date_trunc('second', greatest(now(), score_timestamp)) + interval '1 second'
                ELSE score_timestamp END
        WHERE id = %s
        """,
        (error[:1000], wait_seconds, renew, delivery_id),
    )


def record_parked(connection: Connection, delivery_id: int, *, error: str) -> None:
    """It cannot arrive until a person mends the cause."""
    connection.execute(
        "UPDATE deliveries SET status = 'PARKED', finished_at = now(), last_error = %s WHERE id = %s",
        (error[:1000], delivery_id),
    )


# Overview ----------------------------------------------------------------------------------------------------------


def list_overview(connection: Connection, resource_link_id: int) -> list[OverviewRow]:
    """All attempts in a placement, by student and attempt, with score and delivery."""
    return fetch_all(
        connection,
        OverviewRow,
        """
        SELECT attempts.id AS attempt_id, users.id AS user_id, users.name AS user_name, users.sub AS user_sub,
            attempts.number, attempts.status, attempts.is_preview, attempts.submitted_at,
            CASE WHEN attempts.status = 'GRADED' THEN totals.points END AS points, totals.max_points,
            totals.stuck_answers, totals.lowest_confidence, totals.flags,
            deliveries.status AS delivery_status, deliveries.last_error AS delivery_error,
            CASE WHEN deliveries.status = 'DELIVERED' THEN deliveries.finished_at END AS delivered_at,
            deliveries.tries AS delivery_tries
        FROM attempts
        JOIN users ON users.id = attempts.user_id
        JOIN attempt_totals AS totals ON totals.attempt_id = attempts.id
        LEFT JOIN LATERAL (
            SELECT * FROM deliveries WHERE deliveries.attempt_id = attempts.id ORDER BY version DESC LIMIT 1
        ) AS deliveries ON true
        WHERE attempts.resource_link_id = %s
        ORDER BY users.id, attempts.number
        """,
        resource_link_id,
    )
