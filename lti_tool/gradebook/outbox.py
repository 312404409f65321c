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

    ``sent_fractions``: shares of the points that were ever sent for this student before, by earlier versions and, from
    the second try on, by this one; whether they arrived or not, a grade like that is our own. ``had_equal_score``: an
    earlier version had the same share, so the score alone does not show whether this one arrived. ``is_announced``: an
    earlier version told of the same attempt. ``overwrites``: an instructor wants it to replace what is there.
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
    sent_fractions: list[Decimal]
    had_equal_score: bool
    is_announced: bool
    overwrites: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationLine:
    """What the gradebook's comment says of one question: its place, points and explanation (``None``: unanswered)."""

    language: str
    position: int
    points: Decimal
    max_points: Decimal
    explanation: str | None


def queue_delivery(connection: Connection, attempt_id: int, *, wait_seconds: int) -> int | None:
    """Queue the score that counts for the attempt's student as a new version; ``None`` if it is the same as before.

    It is due when the explanations have come, at the latest after ``wait_seconds``. Which attempt counts, or whether
    the average does, is the quiz's policy; a score is the same as before if it is made of the same grades. Nothing is
    sent for previews and test users, without a gradebook column, and for a quiz that the placement no longer has.

    The timestamp is the database's clock rounded up to a whole second (Moodle compares whole seconds), and later than
    any of this line item and user before.
    """
    target = connection.execute(
        """
        SELECT resource_links.line_item_url, attempts.user_id, resource_links.id
        FROM attempts
        JOIN resource_links ON resource_links.id = attempts.resource_link_id
            AND resource_links.quiz_id = attempts.quiz_id
        JOIN users ON users.id = attempts.user_id
        WHERE attempts.id = %s AND NOT attempts.is_preview AND NOT users.is_test_user
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
    row = connection.execute(
        """
        WITH counted AS (
            SELECT counted_attempts.id, counted_attempts.number, counted_attempts.submitted_at, quizzes.counted_attempt,
                totals.points, totals.max_points, totals.grade_ids, totals.deducted_percent
            FROM counted_attempts
            JOIN resource_links ON resource_links.id = counted_attempts.resource_link_id
                AND resource_links.quiz_id = counted_attempts.quiz_id
            JOIN quizzes ON quizzes.id = counted_attempts.quiz_id
            JOIN attempt_totals AS totals ON totals.attempt_id = counted_attempts.id
            WHERE counted_attempts.resource_link_id = %(link)s AND counted_attempts.user_id = %(user)s
        ), chosen AS (
            SELECT id, submitted_at, points, max_points, grade_ids, deducted_percent, 1 AS averaged_attempts
            FROM counted WHERE counted_attempt <> 'AVERAGE'
            ORDER BY CASE counted_attempt WHEN 'BEST' THEN points ELSE 0 END DESC, number DESC LIMIT 1
        ), averaged AS (
            SELECT (array_agg(id ORDER BY number DESC))[1] AS id, max(submitted_at) AS submitted_at,
                round(avg(points), 4) AS points, max(max_points) AS max_points,
                (SELECT array_agg(one ORDER BY one) FROM counted AS each, unnest(each.grade_ids) AS one) AS grade_ids,
                max(deducted_percent) AS deducted_percent, count(*)::integer AS averaged_attempts
            FROM counted WHERE counted_attempt = 'AVERAGE' HAVING count(*) > 0
        ), score AS (
            SELECT * FROM chosen UNION ALL SELECT * FROM averaged
        ), newest AS (
            SELECT * FROM deliveries WHERE line_item_url = %(column)s AND user_id = %(user)s
            ORDER BY version DESC LIMIT 1
        )
        INSERT INTO deliveries (line_item_url, user_id, attempt_id, version, score_given, score_maximum, submitted_at,
            due_at, grade_ids, deducted_percent, averaged_attempts, score_timestamp)
        SELECT %(column)s, %(user)s, score.id, 1 + coalesce(newest.version, 0), score.points, score.max_points,
            score.submitted_at, now() + make_interval(secs => %(wait)s), coalesce(score.grade_ids, '{}'),
            score.deducted_percent, score.averaged_attempts,
            greatest(
                date_trunc('second', clock_timestamp() + interval '999.999 milliseconds'),
                (
                    SELECT max(score_timestamp) + interval '1 second' FROM deliveries
                    WHERE line_item_url = %(column)s AND user_id = %(user)s
                )
            )
        FROM score LEFT JOIN newest ON true
        WHERE newest.id IS NULL
            OR (newest.attempt_id, newest.score_given, newest.score_maximum, newest.grade_ids, newest.averaged_attempts)
                IS DISTINCT FROM
                (score.id, score.points, score.max_points, coalesce(score.grade_ids, '{}'), score.averaged_attempts)
        RETURNING id
        """,
        {"link": resource_link_id, "user": user_id, "column": line_item_url, "wait": wait_seconds},
    ).fetchone()
    return row[0] if row else None


def list_attempts_without_delivery(connection: Connection, limit: int = 500) -> list[tuple[int, int]]:
    """(registration, attempt) of students for whom nothing was ever queued for the placement's present column.

    The column came later than the grade, or it is another one now: the sweep queues them.
    """
    return connection.execute(
        """
        SELECT attempts.registration_id, min(attempts.id) FROM counted_attempts AS attempts
        JOIN resource_links ON resource_links.id = attempts.resource_link_id
            AND resource_links.quiz_id = attempts.quiz_id
        WHERE resource_links.line_item_url IS NOT NULL
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


def begin_delivery(connection: Connection, delivery_id: int, *, lease_seconds: float = 60.0) -> bool:
    """Count a try before anything is sent; ``False``: not due, done, superseded, taken.

    Until ``lease_seconds`` have passed the row is not due again: a worker that dies now has its row swept up then.
    """
    superseded = fetch_value(
        connection,
        """
        UPDATE deliveries SET status = 'SUPERSEDED', finished_at = now()
        WHERE id = (
            SELECT id FROM deliveries AS old WHERE id = %s AND status = 'QUEUED' AND EXISTS (
                SELECT 1 FROM deliveries AS new
                WHERE new.line_item_url = old.line_item_url AND new.user_id = old.user_id AND new.version > old.version
            )
            FOR UPDATE SKIP LOCKED
        )
        RETURNING tries
        """,
        delivery_id,
    )
    if superseded is not None:
        record_event(connection, delivery_id, "SUPERSEDED")
        return False
    begun = fetch_value(
        connection,
        """
        UPDATE deliveries SET
            tries = deliveries.tries + 1,
            due_at = now() + make_interval(secs => %s),
            -- An older version may have been given a later time meanwhile, by a gradebook that knew a later one.
            score_timestamp = greatest(deliveries.score_timestamp, (
                SELECT max(older.score_timestamp) + interval '1 second' FROM deliveries AS older
                WHERE older.line_item_url = deliveries.line_item_url AND older.user_id = deliveries.user_id
                    AND older.version < deliveries.version
            ))
        WHERE deliveries.id = (
            SELECT id FROM deliveries WHERE id = %s AND status = 'QUEUED' AND due_at <= now() FOR UPDATE SKIP LOCKED
        )
        RETURNING deliveries.id
        """,
        lease_seconds,
        delivery_id,
    )
    if begun is not None:
        record_event(connection, delivery_id, "BEGUN")
    return begun is not None


def postpone(connection: Connection, delivery_id: int, *, wait_seconds: float) -> None:
    """Another worker sends a score of the same student at this moment: try again soon."""
    connection.execute(
        """
        UPDATE deliveries SET due_at = now() + make_interval(secs => %s)
        WHERE id = (SELECT id FROM deliveries WHERE id = %s AND status = 'QUEUED' FOR UPDATE SKIP LOCKED)
        """,
        (wait_seconds, delivery_id),
    )


def record_event(connection: Connection, delivery_id: int, event: str, detail: str = "") -> None:
    """Add to the record of a delivery (its ``event`` is one of those that the table allows), with the try's number."""
    connection.execute(
        """
        INSERT INTO delivery_events (delivery_id, try_number, event, detail)
        SELECT id, tries, %s, %s FROM deliveries WHERE id = %s
        """,
        (event, detail[:1000], delivery_id),
    )


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
    """The delivery if it is still queued and no other worker sends a score of the same student to the same column.

    The locks last until the transaction ends: an older version that is still on its way cannot arrive after this one.
    """
    return fetch_one(
        connection,
        DeliveryWork,
        """
        SELECT deliveries.id, users.registration_id, deliveries.line_item_url, deliveries.user_id,
            users.sub AS user_sub, deliveries.attempt_id, attempts.quiz_id, deliveries.version,
            deliveries.score_given, deliveries.score_maximum, deliveries.comment, deliveries.submitted_at,
            deliveries.score_timestamp, deliveries.tries, deliveries.overwrites,
            ARRAY(
                SELECT sent.score_given / sent.score_maximum FROM deliveries AS sent
                WHERE sent.line_item_url = deliveries.line_item_url AND sent.user_id = deliveries.user_id
                    AND sent.tries > (sent.id = deliveries.id)::integer AND sent.version <= deliveries.version
                ORDER BY sent.version
            ) AS sent_fractions,
            EXISTS (
                SELECT 1 FROM deliveries AS earlier
                WHERE earlier.line_item_url = deliveries.line_item_url AND earlier.user_id = deliveries.user_id
                    AND earlier.version < deliveries.version AND earlier.tries > 0
                    AND earlier.score_given / earlier.score_maximum = deliveries.score_given / deliveries.score_maximum
            ) AS had_equal_score,
            EXISTS (
                SELECT 1 FROM deliveries AS earlier
                WHERE earlier.line_item_url = deliveries.line_item_url AND earlier.attempt_id = deliveries.attempt_id
                    AND earlier.version < deliveries.version AND earlier.tries > 0
            ) AS is_announced
        FROM deliveries JOIN users ON users.id = deliveries.user_id
        JOIN attempts ON attempts.id = deliveries.attempt_id
        WHERE deliveries.id = %s AND deliveries.status = 'QUEUED' AND deliveries.comment IS NOT NULL
            AND pg_try_advisory_xact_lock(
                hashtextextended(format('sending %%s %%s', deliveries.line_item_url, deliveries.user_id), 0))
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
    record_event(connection, delivery_id, "DELIVERED")


def record_retry(connection: Connection, delivery_id: int, *, error: str, wait_seconds: float, renew: bool) -> None:
    """It did not arrive: try again later. ``renew``: with a newer timestamp, the gradebook knows a later one."""
    connection.execute(
        """
        UPDATE deliveries SET last_error = %s, due_at = clock_timestamp() + make_interval(secs => %s),
            score_timestamp = CASE
                WHEN %s THEN date_trunc('second', greatest(now(), score_timestamp)) + interval '1 second'
                ELSE score_timestamp
            END
        WHERE id = %s
        """,
        (error[:1000], wait_seconds, renew, delivery_id),
    )
    record_event(connection, delivery_id, "FAILED", error)


def record_parked(connection: Connection, delivery_id: int, *, error: str, because: str) -> None:
    """It cannot arrive until a person mends the cause, or decides."""
    connection.execute(
        "UPDATE deliveries SET status = 'PARKED', finished_at = now(), last_error = %s, parked_because = %s"
        " WHERE id = %s",
        (error[:1000], because, delivery_id),
    )
    record_event(connection, delivery_id, "PARKED", error)


def resend_parked(connection: Connection, delivery_ids: Sequence[int], *, overwrites: bool, actor: str) -> list[int]:
    """Try parked deliveries once more, due now, with a newer timestamp; ids of those that were parked and newest.

    ``overwrites``: in place of what somebody entered in the LMS. ``actor`` goes into the record.
    """
    rows = connection.execute(
        """
        UPDATE deliveries SET status = 'QUEUED', finished_at = NULL, parked_because = NULL, due_at = now(),
            overwrites = overwrites OR %s,
            score_timestamp = greatest(date_trunc('second', now() + interval '999.999 milliseconds'),
                score_timestamp + interval '1 second')
        WHERE id = ANY(%s) AND status = 'PARKED' AND NOT EXISTS (
            SELECT 1 FROM deliveries AS newer
            WHERE newer.line_item_url = deliveries.line_item_url AND newer.user_id = deliveries.user_id
                AND newer.version > deliveries.version
        )
        RETURNING id
        """,
        (overwrites, list(delivery_ids)),
    ).fetchall()
    resent = sorted(row[0] for row in rows)
    for delivery_id in resent:
        record_event(connection, delivery_id, "RESENT", f"{actor}, replaces what is there" if overwrites else actor)
    return resent
