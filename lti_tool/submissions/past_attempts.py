"""All attempts of one student at a quiz, side by side: what each is worth, and which of them count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from psycopg import Connection

from lti_tool.db import fetch_all
from lti_tool.questions.store import Quiz
from lti_tool.submissions.store import Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class PastAttempt:
    """One of the attempts. ``points``: what it is worth, ``None`` while that is not known or not shown.

    ``is_held``: it waits for approval. ``is_counted``: it may count; which of those does is the quiz's policy.
    ``again_id``: the attempt that goes on with this one, since an instructor opened it again.
    """

    id: int
    number: int
    status: str
    is_preview: bool
    is_held: bool
    is_excused: bool
    is_counted: bool
    submitted_at: datetime | None
    points: Decimal | None
    max_points: Decimal
    again_id: int | None


def list_past_attempts(connection: Connection, attempt: Attempt, quiz: Quiz) -> list[PastAttempt]:
    """The attempts of this attempt's student at its quiz in its placement, first to last; no points before time."""
    found = fetch_all(
        connection,
        PastAttempt,
        """
        SELECT attempts.id, attempts.number, attempts.status, attempts.is_preview, attempts.submitted_at,
            attempts.approval = 'NEEDED' AND NOT attempts.is_preview AS is_held,
            attempts.excused_at IS NOT NULL AS is_excused,
            EXISTS (SELECT 1 FROM counted_attempts WHERE counted_attempts.id = attempts.id) AS is_counted,
            CASE WHEN attempts.status = 'GRADED' THEN totals.points END AS points, totals.max_points,
            (SELECT again.id FROM attempts AS again WHERE again.reopened_from = attempts.id) AS again_id
        FROM attempts
        -- OFFSET keeps PostgreSQL from working out the totals of all attempts there are: this page is asked for often.
        CROSS JOIN LATERAL (SELECT * FROM attempt_totals WHERE attempt_id = attempts.id OFFSET 0) AS totals
        WHERE attempts.resource_link_id = %s AND attempts.user_id = %s AND attempts.quiz_id = %s
        ORDER BY attempts.number
        """,
        attempt.resource_link_id,
        attempt.user_id,
        quiz.id,
    )
    return [replace(each, points=None) if each.is_held else each for each in found]


def counting(past: Sequence[PastAttempt], quiz: Quiz) -> list[PastAttempt]:
    """Those that count now: the best or the last one, or all of which the average is taken."""
    counted = [each for each in past if each.is_counted]
    if not counted or quiz.counted_attempt == "AVERAGE":
        return counted
    if quiz.counted_attempt == "LAST":
        return counted[-1:]
    return [max(counted, key=lambda each: (each.points or Decimal(0), each.number))]
