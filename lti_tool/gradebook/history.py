"""Who or which model version gave an answer which score, and when: all grades of an attempt, newest first."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from psycopg import Connection

from lti_tool.db import fetch_all


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeRecord:
    """One grade of an answer. ``user_*`` is the instructor who gave it; ``versions`` what the model was.

    ``restored_grade``: the grade that this one repeats. ``is_regrade``: the model graded the answer once more.
    """

    id: int
    question_id: int
    source: Literal["MODEL", "INSTRUCTOR"]
    points: Decimal
    created_at: datetime
    user_id: int | None
    user_name: str | None
    reason: str
    versions: dict[str, str]
    restored_grade: int | None
    is_regrade: bool


def list_grade_history(connection: Connection, attempt_id: int) -> dict[int, list[GradeRecord]]:
    """All grades of the attempt by question, the one that counts first."""
    records = fetch_all(
        connection,
        GradeRecord,
        """
        SELECT grades.id, submissions.question_id, grades.source, grades.points, grades.created_at,
            users.id AS user_id, users.name AS user_name, grades.reason,
            grades.versions - 'restored_grade' AS versions,
            (grades.versions ->> 'restored_grade')::bigint AS restored_grade,
            grades.regrade_id IS NOT NULL AS is_regrade
        FROM grades
        JOIN submissions ON submissions.id = grades.submission_id
        LEFT JOIN users ON users.id = grades.created_by
        WHERE submissions.attempt_id = %s ORDER BY grades.id DESC
        """,
        attempt_id,
    )
    history: defaultdict[int, list[GradeRecord]] = defaultdict(list)
    for record in records:
        history[record.question_id].append(record)
    return dict(history)
