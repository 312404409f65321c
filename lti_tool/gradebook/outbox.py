"""The outbox: scores on their way to a line item of an LMS. Only the newest version of a user's score is ever sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from psycopg import Connection

from lti_tool.db import fetch_all, fetch_one, fetch_value


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryWork:
    """A delivery that is due, with all that its Score needs. ``score_timestamp`` is set, ``tries`` counts this one.

    ``had_equal_score``: an earlier version of the same score was delivered, so the score alone does not show whether
    this one arrived. ``delivered_fraction``: share of the points that was delivered last, ``None`` before the first.
    """

    id: int
    registration_id: int
    line_item_url: str
    user_id: int
    user_sub: str
    attempt_id: int
    quiz_id: UUID
    version: int
    score_given: Decimal
    score_maximum: Decimal
    comment: str
    submitted_at: datetime
    score_timestamp: datetime
    tries: int
    had_equal_score: bool
    delivered_fraction: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationLine:
    """What the gradebook's comment says of one question: its place, points and explanation (``None``: unanswered)."""

    language: str
    position: int
    points: Decimal
    max_points: Decimal
    explanation: str | None


def queue_delivery(connection: Connection, attempt_id: int, *, wait_seconds: int) -> int | None:
    """Queue the best score of the attempt's student as the newest version; ``None`` if there is nothing to send.

    It is due when the explanations have come, at the latest after ``wait_seconds``. Nothing is sent for previews and
    test users, without a gradebook column, for a quiz that the placement no longer has, and twice for one attempt.
    """
    target = connection.execute(
        """
        SELECT resource_links.line_item_url, attempts.user_id, resource_links.id
        FROM attempts
        JOIN resource_links ON resource_links.id = attempts.resource_link_id
            AND resource_links.quiz_id = attempts.quiz_id
        JOIN users ON users.id = attempts.user_id
        WHERE attempts.id = %s AND attempts.status = 'GRADED' AND NOT attempts.is_preview AND NOT users.is_test_user
            AND resource_links.line_item_url IS NOT NULL
        """,
        (attempt_id,),
    ).fetchone()
    if target is None:
        return None
    line_item_url, user_id, resource_link_id = target
    # Versions of one student's score are made one after the other. Older ones are not touched here: one that is being
    # sent at this moment holds its lock as long as the LMS takes. Their next try finds itself superseded.
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"score {line_item_url} {user_id}",))
    delivery_id = fetch_value(
        connection,
        """
        WITH best AS (
            SELECT attempts.id, attempts.submitted_at, totals.points, totals.max_points
            FROM attempts
            JOIN resource_links ON resource_links.id = attempts.resource_link_id
                AND resource_links.quiz_id = attempts.quiz_id
            JOIN attempt_totals AS totals ON totals.attempt_id = attempts.id
            WHERE attempts.resource_link_id = %s AND attempts.user_id = %s
                AND attempts.status = 'GRADED' AND NOT attempts.is_preview
            ORDER BY totals.points DESC, attempts.number DESC LIMIT 1
        )
        INSERT INTO deliveries
            (line_item_url, user_id, attempt_id, version, score_given, score_maximum, submitted_at, due_at)
        SELECT %s, %s, best.id,
            1 + coalesce((SELECT max(version) FROM deliveries WHERE line_item_url = %s AND user_id = %s), 0),
            best.points, best.max_points, best.submitted_at, now() + make_interval(secs => %s)
        FROM best
        WHERE NOT EXISTS (
            SELECT 1 FROM deliveries WHERE deliveries.attempt_id = best.id AND deliveries.line_item_url = %s
        )
        RETURNING id
        """,
        resource_link_id,
        user_id,
        line_item_url,
        user_id,
        line_item_url,
        user_id,
        wait_seconds,
        line_item_url,
    )
    assert delivery_id is None or isinstance(delivery_id, int)
    return delivery_id


def list_attempts_without_delivery(connection: Connection, limit: int = 500) -> list[tuple[int, int]]:
    """(registration, attempt) of students for whom nothing was ever queued for the placement's present column.

    The column came later than the grade, or it is another one now: the sweep queues them.
    """
    return connection.execute(
        """
        SELECT attempts.registration_id, min(attempts.id) FROM attempts
        JOIN resource_links ON resource_links.id = attempts.resource_link_id
            AND resource_links.quiz_id = attempts.quiz_id
        JOIN users ON users.id = attempts.user_id
        WHERE attempts.status = 'GRADED' AND NOT attempts.is_preview AND NOT users.is_test_user
            AND resource_links.line_item_url IS NOT NULL
            AND NOT EXISTS (
                SELECT 1 FROM deliveries
                WHERE deliveries.line_item_url = resource_links.line_item_url AND deliveries.user_id = attempts.user_id
            )
        GROUP BY attempts.registration_id, attempts.resource_link_id, attempts.user_id LIMIT %s
        """,
        (limit,),
    ).fetchall()


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


def list_due_deliveries(connection: Connection, limit: int = 500) -> list[tuple[int, int]]:
    """(registration, delivery) of what is due: what the sweep wakes.

    Registrations in turn, the oldest of each first: one with very many due keeps no other waiting.
    """
    return connection.execute(
        """
        SELECT registration_id, id FROM deliveries WHERE status = 'QUEUED' AND due_at <= now()
        ORDER BY row_number() OVER (PARTITION BY registration_id ORDER BY due_at), due_at LIMIT %s
        """,
        (limit,),
    ).fetchall()


def begin_delivery(connection: Connection, delivery_id: int) -> bool:
    """Count a try and fix the Score's timestamp before anything is sent; ``False``: not due, done, superseded, taken.

    The timestamp is the database's clock rounded up to a whole second (Moodle compares whole seconds), and later
    than any sent before for this line item and user. Until ``tries`` runs again the row is not due: a worker that
    dies now has its row swept up after a minute.
    """
    connection.execute(
        """
        UPDATE deliveries SET status = 'SUPERSEDED', finished_at = now()
        WHERE id = (
            SELECT id FROM deliveries AS old WHERE id = %s AND status = 'QUEUED' AND EXISTS (
                SELECT 1 FROM deliveries AS new
                WHERE new.line_item_url = old.line_item_url AND new.user_id = old.user_id AND new.version > old.version
            )
            FOR UPDATE SKIP LOCKED
        )
        """,
        (delivery_id,),
    )
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
            users.sub AS user_sub, deliveries.attempt_id, attempts.quiz_id, deliveries.version,
            deliveries.score_given, deliveries.score_maximum, deliveries.comment, deliveries.submitted_at,
            deliveries.score_timestamp, deliveries.tries,
            EXISTS (
                SELECT 1 FROM deliveries AS earlier
                WHERE earlier.line_item_url = deliveries.line_item_url AND earlier.user_id = deliveries.user_id
                    AND earlier.version < deliveries.version AND earlier.status = 'DELIVERED'
                    AND earlier.score_given / earlier.score_maximum = deliveries.score_given / deliveries.score_maximum
            ) AS had_equal_score,
            (
                SELECT earlier.score_given / earlier.score_maximum FROM deliveries AS earlier
                WHERE earlier.line_item_url = deliveries.line_item_url AND earlier.user_id = deliveries.user_id
                    AND earlier.version < deliveries.version AND earlier.status = 'DELIVERED'
                ORDER BY earlier.version DESC LIMIT 1
            ) AS delivered_fraction
        FROM deliveries JOIN users ON users.id = deliveries.user_id
        JOIN attempts ON attempts.id = deliveries.attempt_id
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
            score_timestamp = CASE
                WHEN %s THEN date_trunc('second', greatest(now(), score_timestamp)) + interval '1 second'
                ELSE score_timestamp
            END
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
