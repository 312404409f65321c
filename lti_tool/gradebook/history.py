"""Who or which model version gave an answer which score, and when: all grades of an attempt, newest first."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

from psycopg import Connection

from lti_tool.db import fetch_all
from lti_tool.gradebook.decisions import NO_WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenText:
    """An explanation that an instructor wrote, ``grade_id`` the score that they wrote it for."""

    id: int
    grade_id: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeRecord:
    """One grade of an answer. ``user_*`` is the instructor who gave it; ``versions`` what the model was.

    ``restored_grade``: the grade that this one repeats. ``is_regrade``: the model graded the answer once more.
    ``texts``: what instructors wrote for this score, oldest first; of equal ones for several scores, the first.
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
    texts: tuple[WrittenText, ...] = ()


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
    texts = _list_written_texts(connection, attempt_id)
    history: defaultdict[int, list[GradeRecord]] = defaultdict(list)
    for record in records:
        own = tuple(text for text in texts if text.grade_id == record.id)
        history[record.question_id].append(replace(record, texts=own))
    return dict(history)


def _list_written_texts(connection: Connection, attempt_id: int) -> list[WrittenText]:
    """Not that somebody gave a score without a word."""
    return fetch_all(
        connection,
        WrittenText,
        """
        SELECT min(explanations.id) AS id, min(grades.id) AS grade_id, explanations.text
        FROM explanations
        JOIN grades ON grades.id = explanations.grade_id
        JOIN submissions ON submissions.id = grades.submission_id
        WHERE submissions.attempt_id = %s AND explanations.source = 'INSTRUCTOR' AND explanations.text <> ALL(%s)
        GROUP BY submissions.id, explanations.text ORDER BY 1
        """,
        attempt_id,
        list(NO_WORDS.values()),
    )
