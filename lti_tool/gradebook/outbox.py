"""The outbox: scores for a line item of an LMS. Only the newest version of a user's score is sent (``sending.py``)."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import Connection


def queue_delivery(
    connection: Connection, attempt_id: int, *, wait_seconds: int, has_new_comment: bool = False
) -> int | None:
    """Queue the score that counts for the attempt's student as a new version; ``None`` if it is the same as before.

    It is due when the explanations have come, at the latest after ``wait_seconds``. Which attempt counts, or whether
    the average does, is the quiz's policy; a score is the same as before if it is made of the same grades. Nothing is
    sent for previews and test users, without a gradebook column, and for a quiz that the placement no longer has.
    ``has_new_comment``: the comment on this attempt is another one now, so the same score is sent again with it.

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
            -- OFFSET keeps PostgreSQL from working out the totals of all attempts there are, to take one of them.
            CROSS JOIN LATERAL (
                SELECT * FROM attempt_totals WHERE attempt_id = counted_attempts.id OFFSET 0
            ) AS totals
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
            OR newest.status = 'SUPERSEDED'  -- it was withdrawn: see withdraw_deliveries
            OR (%(has_new_comment)s AND score.id = %(attempt)s)
        RETURNING id
        """,
        {
            "link": resource_link_id,
            "user": user_id,
            "column": line_item_url,
            "wait": wait_seconds,
            "attempt": attempt_id,
            "has_new_comment": has_new_comment,
        },
    ).fetchone()
    return row[0] if row else None


def withdraw_deliveries(connection: Connection, attempt_id: int) -> list[int]:
    """No attempt of this attempt's student counts any more: what was not delivered yet is not sent; the ids.

    Without effect while one counts (a newer version takes the place of what waits then), and on a score that is being
    sent at this moment. What was delivered stays in the gradebook.
    """
    rows = connection.execute(
        """
        UPDATE deliveries SET status = 'SUPERSEDED', finished_at = now(), parked_because = NULL
        WHERE id IN (
            SELECT waiting.id FROM deliveries AS waiting
            JOIN attempts AS own ON own.id = waiting.attempt_id
            JOIN attempts ON attempts.resource_link_id = own.resource_link_id AND attempts.user_id = own.user_id
                AND attempts.quiz_id = own.quiz_id
            WHERE attempts.id = %s AND waiting.status IN ('QUEUED', 'PARKED')
                AND NOT EXISTS (
                    SELECT 1 FROM counted_attempts
                    WHERE counted_attempts.resource_link_id = attempts.resource_link_id
                        AND counted_attempts.user_id = attempts.user_id
                        AND counted_attempts.quiz_id = attempts.quiz_id
                )
            FOR UPDATE OF waiting SKIP LOCKED
        )
        RETURNING id
        """,
        (attempt_id,),
    ).fetchall()
    withdrawn = sorted(row[0] for row in rows)
    for delivery_id in withdrawn:
        record_event(connection, delivery_id, "SUPERSEDED", "no attempt counts any more")
    return withdrawn


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


def list_due_deliveries(connection: Connection, *, per_registration: int = 2) -> list[tuple[int, int]]:
    """(registration, delivery) of what is due: what the sweep wakes.

    The oldest few of each registration: whoever is woken for one goes on with the next by himself, one registration
    with very many due keeps no other waiting, and the broker is not filled with wakes for one row over and over.
    """
    return connection.execute(
        """
        SELECT registration_id, id FROM (
            SELECT registration_id, id, due_at,
                row_number() OVER (PARTITION BY registration_id ORDER BY due_at) AS place
            FROM deliveries WHERE status = 'QUEUED' AND due_at <= now()
        ) AS due
        WHERE place <= %s ORDER BY place, due_at
        """,
        (per_registration,),
    ).fetchall()


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
