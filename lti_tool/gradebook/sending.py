"""A score on its way, try by try: who may send it now, and what came of it. ``outbox.py`` makes and wakes the rows.

A try is counted before anything is sent, in a transaction of its own. While it lasts, two locks are held: the row's,
and one for the student's scores in this column, so that no two versions are on their way at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from psycopg import Connection

from lti_tool.db import fetch_one, fetch_value
from lti_tool.gradebook.outbox import record_event

#: Gradebooks round: shares of the points that differ by no more are taken for the same.
TOLERANCE = Decimal("0.0002")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryWork:
    """A delivery that is due, with all that its Score needs. ``tries`` counts this one.

    ``sent_fractions``: shares of the points that were ever sent for this student before, by earlier versions and, from
    the second try on, by this one; whether they arrived or not, a grade like that is our own. ``had_equal_score``: an
    earlier version had nearly the same share, so the score does not show whether this one arrived. ``is_announced``: a
    version that told of the same attempt was taken. ``announcing_fractions``: shares of earlier versions that may have
    told of it, for all that is known here. ``overwrites``: an instructor wants it to replace what is there.
    ``is_too_old``: it has been tried for longer than makes sense, since it was queued or sent again by a person.
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
    announcing_fractions: list[Decimal]
    overwrites: bool
    is_too_old: bool

    @property
    def fraction(self) -> Decimal:
        """The share of the points."""
        return self.score_given / self.score_maximum


def find_due_delivery(connection: Connection) -> int | None:
    """A delivery of the tenant that is due and that nobody sends at this moment, the one that waited longest."""
    found = fetch_value(
        connection,
        "SELECT id FROM deliveries WHERE status = 'QUEUED' AND due_at <= now()"
        " ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED",
    )
    assert found is None or isinstance(found, int)
    return found


def begin_delivery(
    connection: Connection, delivery_id: int, *, lease_seconds: float = 120.0, busy_seconds: float = 5.0
) -> bool:
    """Count a try before anything is sent; ``False``: not due, done, superseded, taken, or to be waited with.

    A score is superseded by a newer one, and where no attempt of the student counts any more.

    Until ``lease_seconds`` have passed the row is not due again: a worker that dies now has its row swept up then.
    A newer version waits as long for an older one's last try whose end nobody knows: what is still under way then would
    arrive behind our back. While another worker sends a score of the same student it waits ``busy_seconds``.
    """
    row = connection.execute(
        """
        SELECT due_at <= clock_timestamp(), EXISTS (
            SELECT 1 FROM deliveries AS new
            WHERE new.line_item_url = old.line_item_url AND new.user_id = old.user_id AND new.version > old.version
        ) OR NOT EXISTS (
            SELECT 1 FROM counted_attempts
            JOIN attempts ON attempts.resource_link_id = counted_attempts.resource_link_id
                AND attempts.user_id = counted_attempts.user_id AND attempts.quiz_id = counted_attempts.quiz_id
            WHERE attempts.id = old.attempt_id
        )
        FROM deliveries AS old WHERE id = %s AND status = 'QUEUED' FOR UPDATE OF old SKIP LOCKED
        """,
        (delivery_id,),
    ).fetchone()
    if row is None:
        return False
    is_due, is_superseded = row
    if is_superseded:
        # Not now(): the newer one may be younger than this transaction, and its comment asks which came first.
        connection.execute(
            "UPDATE deliveries SET status = 'SUPERSEDED', finished_at = clock_timestamp() WHERE id = %s", (delivery_id,)
        )
        record_event(connection, delivery_id, "SUPERSEDED")
        return False
    if not is_due or not _has_its_turn(connection, delivery_id, lease_seconds, busy_seconds):
        return False
    connection.execute(
        """
        UPDATE deliveries SET
            tries = deliveries.tries + 1,
            due_at = clock_timestamp() + make_interval(secs => %s),
            -- An older version may have been given a later time meanwhile, by a gradebook that knew a later one.
            score_timestamp = greatest(deliveries.score_timestamp, (
                SELECT max(older.score_timestamp) + interval '1 second' FROM deliveries AS older
                WHERE older.line_item_url = deliveries.line_item_url AND older.user_id = deliveries.user_id
                    AND older.version < deliveries.version
            ))
        WHERE deliveries.id = %s
        """,
        (lease_seconds, delivery_id),
    )
    record_event(connection, delivery_id, "BEGUN")
    return True


def _has_its_turn(connection: Connection, delivery_id: int, lease_seconds: float, busy_seconds: float) -> bool:
    """Whether nothing else of this student may be on its way; if something may, the row is due again after that."""
    return not connection.execute(
        """
        UPDATE deliveries SET due_at = waits.until
        FROM (
            SELECT own.id, CASE
                WHEN NOT pg_try_advisory_xact_lock(
                    hashtextextended(format('sending %%s %%s', own.line_item_url, own.user_id), 0))
                THEN clock_timestamp() + make_interval(secs => %(busy)s)
                ELSE (
                    SELECT max(least(older.due_at, (
                        SELECT max(at) FROM delivery_events
                        WHERE delivery_id = older.id AND event IN ('BEGUN', 'FAILED')
                    ) + make_interval(secs => %(lease)s)))
                    FROM deliveries AS older
                    WHERE older.line_item_url = own.line_item_url AND older.user_id = own.user_id
                        AND older.version < own.version AND older.tries > 0
                        AND older.status IN ('QUEUED', 'SUPERSEDED')
                )
            END AS until
            FROM deliveries AS own WHERE own.id = %(id)s
        ) AS waits
        WHERE deliveries.id = waits.id AND waits.until > clock_timestamp()
        """,
        {"id": delivery_id, "lease": lease_seconds, "busy": busy_seconds},
    ).rowcount


def postpone(connection: Connection, delivery_id: int, *, wait_seconds: float) -> None:
    """Another worker sends a score of the same student at this moment: try again soon."""
    connection.execute(
        """
        UPDATE deliveries SET due_at = now() + make_interval(secs => %s)
        WHERE id = (SELECT id FROM deliveries WHERE id = %s AND status = 'QUEUED' FOR UPDATE SKIP LOCKED)
        """,
        (wait_seconds, delivery_id),
    )


def lock_delivery(connection: Connection, delivery_id: int, *, longest_days: int = 14) -> DeliveryWork | None:
    """The delivery if it is still queued and no other worker sends a score of the same student to the same column.

    The locks last until the transaction ends: an older version that is still on its way cannot arrive after this one.
    ``is_too_old``: it has been tried for ``longest_days``.
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
                    -- One whose only try found somebody else's grade was never sent.
                    -- (Of a score that is not parked the reason is NULL, which would make all of this unknown.)
                    AND NOT (
                        sent.status = 'PARKED' AND sent.parked_because = 'CHANGED_IN_LMS' AND sent.tries = 1
                        AND NOT EXISTS (
                            SELECT 1 FROM delivery_events WHERE delivery_id = sent.id AND event = 'DELIVERED'
                        )
                    )
                ORDER BY sent.version
            ) AS sent_fractions,
            EXISTS (
                SELECT 1 FROM deliveries AS earlier
                WHERE earlier.line_item_url = deliveries.line_item_url AND earlier.user_id = deliveries.user_id
                    AND earlier.version < deliveries.version AND earlier.tries > 0
                    AND abs(earlier.score_given / earlier.score_maximum
                        - deliveries.score_given / deliveries.score_maximum) <= %s
            ) AS had_equal_score,
            EXISTS (
                SELECT 1 FROM deliveries AS telling
                JOIN delivery_events ON delivery_events.delivery_id = telling.id AND event = 'DELIVERED'
                WHERE telling.line_item_url = deliveries.line_item_url AND telling.attempt_id = deliveries.attempt_id
                    AND telling.version <= deliveries.version
            ) AS is_announced,
            ARRAY(
                SELECT telling.score_given / telling.score_maximum FROM deliveries AS telling
                WHERE telling.line_item_url = deliveries.line_item_url AND telling.attempt_id = deliveries.attempt_id
                    AND telling.version < deliveries.version AND telling.tries > 0
            ) AS announcing_fractions,
            tried.since < now() - make_interval(days => %s) AS is_too_old
        FROM deliveries JOIN users ON users.id = deliveries.user_id
        JOIN attempts ON attempts.id = deliveries.attempt_id
        CROSS JOIN LATERAL (
            SELECT coalesce(min(at), now()) AS since FROM delivery_events
            WHERE delivery_id = deliveries.id AND event = 'BEGUN' AND delivery_events.id > coalesce((
                SELECT max(sent.id) FROM delivery_events AS sent
                WHERE sent.delivery_id = deliveries.id AND sent.event = 'RESENT'
            ), 0)
        ) AS tried
        WHERE deliveries.id = %s AND deliveries.status = 'QUEUED' AND deliveries.comment IS NOT NULL
            AND pg_try_advisory_xact_lock(
                hashtextextended(format('sending %%s %%s', deliveries.line_item_url, deliveries.user_id), 0))
        -- Waited for: whoever holds the row now only looks whether it is due. Senders hold the lock above as well.
        FOR UPDATE OF deliveries
        """,
        2 * TOLERANCE,
        longest_days,
        delivery_id,
    )


def require_locks(connection: Connection) -> None:
    """Raise an error of the database unless its connection lives, and with it the locks of :func:`lock_delivery`.

    Asked for right before a score leaves: after a restart of PostgreSQL another worker may be at it.
    """
    connection.execute("SELECT 1")


def record_taken(connection: Connection, delivery_id: int) -> None:
    """The platform took the score, and shows another one all the same: the attempt was told of."""
    record_event(connection, delivery_id, "DELIVERED", "taken, but not shown")


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
