"""Who changes from what to what when a regrade is applied.

An answer of a regrade is in one of these states:

WAITING     its new score is not computed yet
FAILED      there is none: the machine failed on it
MEANWHILE   its grade changed after the regrade began, so it is left alone
SAME        score (to half a hundredth of a point) and verdicts are as before
KEPT        an instructor scored it: left alone unless asked otherwise
CHANGED     it changes, or was changed

An explanation that an instructor wrote for an answer was written for its score: it STAYS beside a new grade with the
same points, and is REPLACED by the machine's where these change. It stays in the history, to be used again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, LiteralString

from psycopg import Connection
from psycopg.rows import class_row

from lti_tool.db import Row
from lti_tool.gradebook.decisions import NO_WORDS
from lti_tool.gradebook.regrades import Regrade

State = Literal["WAITING", "FAILED", "MEANWHILE", "SAME", "KEPT", "CHANGED"]
Fate = Literal["STAYS", "REPLACED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegradeSummary:
    """The answers of a regrade in numbers.

    ``mean_change``: points, over those that change; ``None`` without any. ``standing_count``: applied, and still so.
    ``replaced_text_count``, ``staying_text_count``: of those that change, how many explanations by an instructor are
    replaced, and how many stay; ``kept_text_count``: how many more are replaced where those KEPT change too.
    ``newest_text``: the latest explanation of all that may be replaced, ``None`` without any.
    """

    answer_count: int
    changed_count: int
    up_count: int
    down_count: int
    kept_count: int
    failed_count: int
    meanwhile_count: int
    standing_count: int
    mean_change: Decimal | None
    replaced_text_count: int
    staying_text_count: int
    kept_text_count: int
    newest_text: int | None


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
    """An answer with its old and new points; verdicts are pairs of a key point's name and a verdict's word.

    ``written``: the explanation that an instructor wrote for its old score, if one did, and its ``fate`` if it changes.
    """

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
    written: str | None
    fate: Fate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacedText:
    """An answer whose explanation by an instructor is replaced, or would be; ``state`` is CHANGED or KEPT."""

    attempt_id: int
    number: int
    user_id: int
    user_name: str | None
    question_id: int
    position: int
    state: State


#: The answers of regrade ``%(regrade)s`` with their states, as ``items``; a query follows. Values: :func:`item_values`.
ITEMS = """
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
                        -- Whatever the clock says while it is open: what is there came after.
                        AND (regrades.finished_at IS NULL OR grades.created_at <= regrades.finished_at)
                ) THEN 'MEANWHILE'
                WHEN regrade_items.problem IS NOT NULL THEN 'FAILED'
                WHEN abs(regrade_items.points - old.points) < 0.005 AND old_verdicts.list = new_verdicts.list
                    THEN 'SAME'
                WHEN old.source = 'INSTRUCTOR' THEN 'KEPT'
                ELSE 'CHANGED'
            END AS state,
            written.id AS written_id, written.text AS written,
            CASE
                WHEN written.id IS NULL OR regrade_items.points IS NULL THEN NULL
                WHEN abs(regrade_items.points - old.points) < 0.005 THEN 'STAYS'
                ELSE 'REPLACED'
            END AS fate,
            -- Applied, and no other grade came after.
            applied.id IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM grades
                WHERE grades.submission_id = regrade_items.submission_id AND grades.id > applied.id
            ) AS stands
        FROM regrade_items
        JOIN regrades ON regrades.id = regrade_items.regrade_id
        JOIN submissions ON submissions.id = regrade_items.submission_id
        JOIN grades AS old ON old.id = regrade_items.old_grade_id
        LEFT JOIN grades AS applied
            ON applied.submission_id = regrade_items.submission_id AND applied.regrade_id = regrade_items.regrade_id
        LEFT JOIN LATERAL (
            SELECT id, source, text FROM explanations
            WHERE grade_id = regrade_items.old_grade_id ORDER BY id DESC LIMIT 1
        ) AS written ON written.source = 'INSTRUCTOR' AND written.text <> ALL(%(no_words)s)
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


def item_values(regrade_id: int) -> dict[str, object]:
    """The values for :data:`ITEMS`. That an instructor gave a score without a word is no text of theirs."""
    return {"regrade": regrade_id, "no_words": list(NO_WORDS.values())}


# What would change -------------------------------------------------------------------------------------------------


def summarise(connection: Connection, regrade_id: int) -> RegradeSummary:
    """The regrade in numbers."""
    (found,) = _rows(
        connection,
        RegradeSummary,
        ITEMS  # noqa: S608 - only literals
        + """
        SELECT count(*) AS answer_count,
            count(*) FILTER (WHERE state = 'CHANGED') AS changed_count,
            count(*) FILTER (WHERE state = 'CHANGED' AND new_points - old_points >= 0.005) AS up_count,
            count(*) FILTER (WHERE state = 'CHANGED' AND old_points - new_points >= 0.005) AS down_count,
            count(*) FILTER (WHERE state = 'KEPT') AS kept_count,
            count(*) FILTER (WHERE state = 'FAILED') AS failed_count,
            count(*) FILTER (WHERE state = 'MEANWHILE') AS meanwhile_count,
            count(*) FILTER (WHERE stands) AS standing_count,
            avg(new_points - old_points) FILTER (WHERE state = 'CHANGED') AS mean_change,
            count(*) FILTER (WHERE state = 'CHANGED' AND fate = 'REPLACED') AS replaced_text_count,
            count(*) FILTER (WHERE state = 'CHANGED' AND fate = 'STAYS') AS staying_text_count,
            count(*) FILTER (WHERE state = 'KEPT' AND fate = 'REPLACED') AS kept_text_count,
            max(written_id) FILTER (WHERE state IN ('CHANGED', 'KEPT') AND fate = 'REPLACED') AS newest_text
        FROM items
        """,
        item_values(regrade_id),
    )
    return found  # an aggregate without GROUP BY has one row


def list_attempt_changes(
    connection: Connection, regrade: Regrade, *, changing: bool, limit: int, offset: int = 0
) -> list[AttemptChange]:
    """Attempts with an answer in another state than SAME, the largest change first; or else all the others."""
    return _rows(
        connection,
        AttemptChange,
        ITEMS  # noqa: S608 - only literals
        + """
        , changes AS MATERIALIZED (
            SELECT attempt_id, bool_or(state <> 'SAME') AS is_touched,
                coalesce(sum(new_points - old_points) FILTER (WHERE state = 'CHANGED'), 0) AS change
            FROM items GROUP BY attempt_id
        )
        SELECT attempts.id AS attempt_id, attempts.number, attempts.user_id, users.name AS user_name,
            totals.max_points,
            round((standing.points - CASE WHEN %(applied)s THEN change ELSE 0 END) * kept_share, 4) AS old_points,
            round((standing.points + CASE WHEN %(applied)s THEN 0 ELSE change END) * kept_share, 4) AS new_points
        FROM changes
        JOIN attempts ON attempts.id = changes.attempt_id
        JOIN users ON users.id = attempts.user_id
        CROSS JOIN LATERAL (
            -- OFFSET keeps PostgreSQL from working out the totals of all attempts there are.
            SELECT max_points, 1 - deducted_percent / 100 AS kept_share
            FROM attempt_totals WHERE attempt_id = attempts.id OFFSET 0
        ) AS totals
        CROSS JOIN LATERAL (
            -- Now or, once applied, as it was then: with the change in it.
            SELECT coalesce(sum(latest.points), 0) AS points
            FROM submissions
            CROSS JOIN LATERAL (
                SELECT points FROM grades WHERE grades.submission_id = submissions.id
                    AND (%(finished)s::timestamptz IS NULL OR created_at <= %(finished)s) ORDER BY id DESC LIMIT 1
            ) AS latest
            WHERE submissions.attempt_id = attempts.id
        ) AS standing
        WHERE is_touched = %(changing)s
        ORDER BY abs(change) * kept_share DESC, users.name, attempts.id LIMIT %(limit)s OFFSET %(offset)s
        """,
        item_values(regrade.id)
        | {
            "applied": regrade.status == "APPLIED",
            "finished": regrade.finished_at,
            "changing": changing,
            "limit": limit,
            "offset": offset,
        },
    )


def count_attempts(connection: Connection, regrade_id: int) -> tuple[int, int]:
    """How many attempts :func:`list_attempt_changes` has: (changing, others)."""
    row = connection.execute(
        ITEMS  # noqa: S608 - only literals
        + """
        SELECT count(*) FILTER (WHERE is_touched), count(*) FILTER (WHERE NOT is_touched)
        FROM (SELECT bool_or(state <> 'SAME') AS is_touched FROM items GROUP BY attempt_id) AS attempts
        """,
        item_values(regrade_id),
    ).fetchone()
    assert row is not None  # an aggregate without GROUP BY has one row
    return row[0], row[1]


def list_answer_changes(connection: Connection, regrade_id: int, attempt_ids: Sequence[int]) -> list[AnswerChange]:
    """The answers of these attempts that are not SAME, in the order of the questions."""
    return _rows(
        connection,
        AnswerChange,
        ITEMS  # noqa: S608 - only literals
        + """
        SELECT items.attempt_id, items.submission_id, questions.position, questions.max_points,
            left(submissions.answer, 4000) AS answer, items.state, items.old_points, items.new_points,
            items.old_verdicts, items.new_verdicts, items.written, items.fate
        FROM items
        JOIN submissions ON submissions.id = items.submission_id
        JOIN questions ON questions.id = items.question_id
        WHERE items.attempt_id = ANY(%(attempts)s) AND state <> 'SAME' ORDER BY items.attempt_id, questions.position
        """,
        item_values(regrade_id) | {"attempts": list(attempt_ids)},
    )


def list_replaced_texts(connection: Connection, regrade_id: int, *, limit: int) -> list[ReplacedText]:
    """Whose explanations by an instructor are replaced where it is applied, those KEPT last; by name."""
    return _rows(
        connection,
        ReplacedText,
        ITEMS  # noqa: S608 - only literals
        + """
        SELECT items.attempt_id, attempts.number, attempts.user_id, users.name AS user_name, items.question_id,
            questions.position, items.state
        FROM items
        JOIN attempts ON attempts.id = items.attempt_id
        JOIN users ON users.id = attempts.user_id
        JOIN questions ON questions.id = items.question_id
        WHERE items.state IN ('CHANGED', 'KEPT') AND items.fate = 'REPLACED'
        ORDER BY items.state, users.name, attempts.id, questions.position LIMIT %(limit)s
        """,
        item_values(regrade_id) | {"limit": limit},
    )


def _rows(connection: Connection, row_type: type[Row], query: LiteralString, values: Mapping[str, object]) -> list[Row]:
    with connection.cursor(row_factory=class_row(row_type)) as cursor:
        return cursor.execute(query, values).fetchall()
