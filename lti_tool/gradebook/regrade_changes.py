"""Who changes from what to what when a regrade is applied; applying, discarding and taking back.

An answer of a regrade is in one of these states:

WAITING     its new score is not computed yet
FAILED      there is none: the machine failed on it
MEANWHILE   its grade changed after the regrade began, so it is left alone
SAME        score (to half a hundredth of a point) and verdicts are as before
KEPT        an instructor scored it: left alone unless asked otherwise
CHANGED     it changes, or was changed
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, LiteralString

from psycopg import Connection
from psycopg.rows import class_row

from lti_tool.db import Row
from lti_tool.gradebook.errors import RegradeNotOpen
from lti_tool.gradebook.outbox import queue_delivery
from lti_tool.gradebook.regrades import Regrade, find_regrade
from lti_tool.launch.audit import record_event

State = Literal["WAITING", "FAILED", "MEANWHILE", "SAME", "KEPT", "CHANGED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegradeSummary:
    """The answers of a regrade in numbers. ``mean_change``: points, over those that change; ``None`` without any."""

    answer_count: int
    changed_count: int
    up_count: int
    down_count: int
    kept_count: int
    failed_count: int
    meanwhile_count: int
    student_count: int
    mean_change: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptChange:
    """An attempt with its points before and after, late deduction included."""

    attempt_id: int
    number: int
    user_id: int
    user_name: str | None
    old_points: Decimal
    new_points: Decimal
    max_points: Decimal

    @property
    def change(self) -> Decimal:
        """Points that it gains, negative for a loss."""
        return self.new_points - self.old_points


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerChange:
    """An answer with its old and new points; verdicts are pairs of a key point's name and a verdict's word."""

    attempt_id: int
    submission_id: int
    position: int
    max_points: Decimal
    answer: str
    state: State
    old_points: Decimal
    new_points: Decimal | None
    old_verdicts: list[tuple[str, str]]
    new_verdicts: list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What applying did: answers with a new grade, attempts they are in, answers whose grade had changed meanwhile."""

    changed_count: int
    attempt_count: int
    meanwhile_count: int


_ITEMS = """
    WITH items AS (
        SELECT regrade_items.regrade_id, regrade_items.submission_id, regrade_items.old_grade_id,
            submissions.attempt_id, submissions.question_id, old.points AS old_points,
            regrade_items.points AS new_points, old_verdicts.list AS old_verdicts, new_verdicts.list AS new_verdicts,
            CASE
                WHEN applied.id IS NOT NULL THEN 'CHANGED'
                WHEN regrade_items.computed_at IS NULL THEN 'WAITING'
                WHEN EXISTS (
                    SELECT 1 FROM grades WHERE grades.submission_id = regrade_items.submission_id
                        AND grades.id > regrade_items.old_grade_id
                        AND grades.created_at <= coalesce(regrades.finished_at, clock_timestamp())
                ) THEN 'MEANWHILE'
                WHEN regrade_items.problem IS NOT NULL THEN 'FAILED'
                WHEN abs(regrade_items.points - old.points) < 0.005 AND old_verdicts.list = new_verdicts.list
                    THEN 'SAME'
                WHEN old.source = 'INSTRUCTOR' THEN 'KEPT'
                ELSE 'CHANGED'
            END AS state
        FROM regrade_items
        JOIN regrades ON regrades.id = regrade_items.regrade_id
        JOIN submissions ON submissions.id = regrade_items.submission_id
        JOIN grades AS old ON old.id = regrade_items.old_grade_id
        LEFT JOIN grades AS applied
            ON applied.submission_id = regrade_items.submission_id AND applied.regrade_id = regrade_items.regrade_id
        CROSS JOIN LATERAL (
            SELECT coalesce(jsonb_agg(jsonb_build_array(name, verdict) ORDER BY position), '[]') AS list
            FROM key_point_verdicts WHERE grade_id = regrade_items.old_grade_id
        ) AS old_verdicts
        CROSS JOIN LATERAL (
            SELECT coalesce(jsonb_agg(jsonb_build_array(each.name, each.verdict) ORDER BY each.position), '[]') AS list
            FROM jsonb_to_recordset(regrade_items.verdicts) AS each (position integer, name text, verdict text)
        ) AS new_verdicts
        WHERE regrade_items.regrade_id = %(regrade)s
    )
"""


# What would change -------------------------------------------------------------------------------------------------


def summarise(connection: Connection, regrade_id: int) -> RegradeSummary:
    """The regrade in numbers."""
    (found,) = _rows(
        connection,
        RegradeSummary,
        _ITEMS  # noqa: S608 - only literals
        + """
        SELECT count(*) AS answer_count,
            count(*) FILTER (WHERE state = 'CHANGED') AS changed_count,
            count(*) FILTER (WHERE state = 'CHANGED' AND new_points - old_points >= 0.005) AS up_count,
            count(*) FILTER (WHERE state = 'CHANGED' AND old_points - new_points >= 0.005) AS down_count,
            count(*) FILTER (WHERE state = 'KEPT') AS kept_count,
            count(*) FILTER (WHERE state = 'FAILED') AS failed_count,
            count(*) FILTER (WHERE state = 'MEANWHILE') AS meanwhile_count,
            count(DISTINCT attempts.user_id) FILTER (WHERE state = 'CHANGED') AS student_count,
            avg(new_points - old_points) FILTER (WHERE state = 'CHANGED') AS mean_change
        FROM items JOIN attempts ON attempts.id = items.attempt_id
        """,
        {"regrade": regrade_id},
    )
    return found  # an aggregate without GROUP BY has one row


def list_attempt_changes(
    connection: Connection, regrade: Regrade, *, changing: bool, limit: int, offset: int = 0
) -> list[AttemptChange]:
    """Attempts with an answer in another state than SAME, the largest change first; or else all the others."""
    return _rows(
        connection,
        AttemptChange,
        _ITEMS  # noqa: S608 - only literals
        + """
        , changes AS MATERIALIZED (
            SELECT attempt_id, bool_or(state <> 'SAME') AS is_touched,
                coalesce(sum(new_points - old_points) FILTER (WHERE state = 'CHANGED'), 0) AS change
            FROM items GROUP BY attempt_id
        )
        SELECT attempts.id AS attempt_id, attempts.number, attempts.user_id, users.name AS user_name,
            totals.max_points,
            -- Once applied, the attempt's points have the change in them.
            round((earned_points - CASE WHEN %(applied)s THEN change ELSE 0 END) * kept_share, 4) AS old_points,
            round((earned_points + CASE WHEN %(applied)s THEN 0 ELSE change END) * kept_share, 4) AS new_points
        FROM changes
        JOIN attempts ON attempts.id = changes.attempt_id
        JOIN users ON users.id = attempts.user_id
        JOIN (
            SELECT attempt_id, earned_points, max_points, 1 - deducted_percent / 100 AS kept_share FROM attempt_totals
        ) AS totals ON totals.attempt_id = attempts.id
        WHERE is_touched = %(changing)s
        ORDER BY abs(change) * kept_share DESC, users.name, attempts.id LIMIT %(limit)s OFFSET %(offset)s
        """,
        {
            "regrade": regrade.id,
            "applied": regrade.status == "APPLIED",
            "changing": changing,
            "limit": limit,
            "offset": offset,
        },
    )


def count_attempts(connection: Connection, regrade_id: int) -> tuple[int, int]:
    """How many attempts :func:`list_attempt_changes` has: (changing, others)."""
    row = connection.execute(
        _ITEMS  # noqa: S608 - only literals
        + """
        SELECT count(*) FILTER (WHERE is_touched), count(*) FILTER (WHERE NOT is_touched)
        FROM (SELECT bool_or(state <> 'SAME') AS is_touched FROM items GROUP BY attempt_id) AS attempts
        """,
        {"regrade": regrade_id},
    ).fetchone()
    assert row is not None  # an aggregate without GROUP BY has one row
    return row[0], row[1]


def list_answer_changes(connection: Connection, regrade_id: int, attempt_ids: Sequence[int]) -> list[AnswerChange]:
    """The answers of these attempts that are not SAME, in the order of the questions."""
    return _rows(
        connection,
        AnswerChange,
        _ITEMS  # noqa: S608 - only literals
        + """
        SELECT items.attempt_id, items.submission_id, questions.position, questions.max_points,
            left(submissions.answer, 4000) AS answer, items.state, items.old_points, items.new_points,
            items.old_verdicts, items.new_verdicts
        FROM items
        JOIN submissions ON submissions.id = items.submission_id
        JOIN questions ON questions.id = items.question_id
        WHERE items.attempt_id = ANY(%(attempts)s) AND state <> 'SAME' ORDER BY items.attempt_id, questions.position
        """,
        {"regrade": regrade_id, "attempts": list(attempt_ids)},
    )


def _rows(connection: Connection, row_type: type[Row], query: LiteralString, values: Mapping[str, object]) -> list[Row]:
    with connection.cursor(row_factory=class_row(row_type)) as cursor:
        return cursor.execute(query, values).fetchall()


# Applying and discarding -------------------------------------------------------------------------------------------


def apply_regrade(
    connection: Connection, regrade_id: int, user_id: int, *, include_instructor_scored: bool, wait_seconds: int
) -> Applied:
    """Give every answer that changes its new grade, and queue the scores that differ by it.

    Answers whose grade changed since the regrade began are left alone. An attempt's approval stays as it was.
    ``wait_seconds``: how long a score waits for the language model at most. Raises :class:`RegradeNotOpen` unless the
    regrade is READY.
    """
    regrade = _lock_open(connection, regrade_id, "READY")
    _lock_attempts(connection, regrade_id)
    meanwhile_count = summarise(connection, regrade_id).meanwhile_count
    changed_count = connection.execute(
        _ITEMS  # noqa: S608 - only literals
        + """
        INSERT INTO grades (submission_id, source, fraction, points, low, high, confidence, flags, versions, regrade_id)
        SELECT submission_id, 'MODEL', fraction, points, low, high, confidence, flags, versions, regrade_id
        FROM regrade_items JOIN items USING (regrade_id, submission_id)
        WHERE state = 'CHANGED' OR (state = 'KEPT' AND %(included)s)
        """,
        {"regrade": regrade_id, "included": include_instructor_scored},
    ).rowcount
    connection.execute(
        """
        INSERT INTO key_point_verdicts (grade_id, position, verdict, similarity, evidence, name)
        SELECT grades.id, each.position, each.verdict, each.similarity, each.evidence, each.name
        FROM grades JOIN regrade_items USING (regrade_id, submission_id)
        CROSS JOIN LATERAL jsonb_to_recordset(regrade_items.verdicts)
            AS each (position integer, verdict text, similarity double precision, evidence text, name text)
        WHERE grades.regrade_id = %s
        """,
        (regrade_id,),
    )
    connection.execute(
        """
        INSERT INTO explanations (grade_id, source, text)
        SELECT grades.id, 'TEMPLATE', regrade_items.explanation
        FROM grades JOIN regrade_items USING (regrade_id, submission_id) WHERE grades.regrade_id = %s
        """,
        (regrade_id,),
    )
    connection.execute(
        "INSERT INTO rewordings (grade_id) SELECT id FROM grades WHERE regrade_id = %s ORDER BY id", (regrade_id,)
    )
    attempt_ids = _attempts_with_grades_of(connection, regrade_id)
    for attempt_id in attempt_ids:
        queue_delivery(connection, attempt_id, wait_seconds=wait_seconds)
    applied = Applied(changed_count=changed_count, attempt_count=len(attempt_ids), meanwhile_count=meanwhile_count)
    _finish(
        connection,
        regrade,
        "APPLIED",
        user_id,
        changed=applied.changed_count,
        attempts=applied.attempt_count,
        changed_meanwhile=applied.meanwhile_count,
        with_instructor_scored=int(include_instructor_scored),
    )
    return applied


def discard_regrade(connection: Connection, regrade_id: int, user_id: int) -> None:
    """Forget the new scores; no grade changes. Raises :class:`RegradeNotOpen`."""
    _finish(connection, _lock_open(connection, regrade_id, "COMPUTING", "READY"), "DISCARDED", user_id)


def _lock_open(connection: Connection, regrade_id: int, *statuses: str) -> Regrade:
    connection.execute("SELECT 1 FROM regrades WHERE id = %s FOR UPDATE", (regrade_id,))
    regrade = find_regrade(connection, regrade_id)
    if regrade is None or regrade.status not in statuses:
        raise RegradeNotOpen(f"regrade {regrade_id} is {regrade.status if regrade else 'not there'}")
    return regrade


def _lock_attempts(connection: Connection, regrade_id: int) -> None:
    """Hold off whoever gives one of these answers a grade at this moment; what they gave is seen afterwards."""
    connection.execute(
        """
        SELECT 1 FROM attempts WHERE id IN (
            SELECT submissions.attempt_id FROM regrade_items
            JOIN submissions ON submissions.id = regrade_items.submission_id WHERE regrade_items.regrade_id = %s
        )
        ORDER BY id FOR NO KEY UPDATE
        """,
        (regrade_id,),
    )


def _attempts_with_grades_of(connection: Connection, regrade_id: int) -> list[int]:
    rows = connection.execute(
        "SELECT DISTINCT attempt_id FROM grades JOIN submissions ON submissions.id = grades.submission_id"
        " WHERE regrade_id = %s ORDER BY attempt_id",
        (regrade_id,),
    ).fetchall()
    return [row[0] for row in rows]


def _finish(connection: Connection, regrade: Regrade, status: str, user_id: int, **counts: int) -> None:
    connection.execute(
        "UPDATE regrades SET status = %s, finished_at = clock_timestamp() WHERE id = %s", (status, regrade.id)
    )
    record_event(
        connection,
        f"REGRADE_{status}",
        registration_id=regrade.registration_id,
        user_id=user_id,
        facts={"regrade_id": regrade.id, "reason": regrade.reason} | counts,
    )
