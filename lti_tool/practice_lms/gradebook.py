"""Grades: the rules by which a score message is taken or refused, what is kept, and the log of what was posted.

The rules are those of Moodle's gradebook services, the strictest of the common ones.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from lti1p3platform.score import ActivityProgress, GradeProgress
from pydantic import Field

from lti_tool.practice_lms.activities import LineItem, MomentText, Points, ToolBody, parse_moment
from lti_tool.practice_lms.errors import WrongGrade
from lti_tool.practice_lms.people import PEOPLE, STUDENTS


class ScoreMessage(ToolBody):
    """A score as the tool posts it (AGS 2.0 section 3.4)."""

    user_id: Annotated[str, Field(strict=True, min_length=1, max_length=255)]
    timestamp: MomentText
    activity_progress: ActivityProgress
    grading_progress: GradeProgress
    score_given: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] | None = None
    score_maximum: Points | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """What the gradebook holds for one student in one column; ``score`` is in points of the column, ``None`` = none."""

    line_item_id: int
    user_id: str
    score: float | None
    comment: str
    timestamp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostCount:
    """How many score messages came for a student and a column, and how many of them were accepted."""

    received: int = 0
    accepted: int = 0


def _is_student(user_id: str) -> bool:
    return any(student.id == user_id for student in STUDENTS)


def record_score(connection: sqlite3.Connection, line_item: LineItem, message: ScoreMessage) -> Grade:
    """Takes a score into the gradebook. Raises :class:`WrongGrade` with the status that Moodle would answer."""
    if not _is_student(message.user_id):
        # Moodle scores.php: 400 unless the user is enrolled with a gradebook role; teachers are not.
        raise WrongGrade(400, f"User {message.user_id} has no grades in this course.")
    if message.score_given is not None and message.score_maximum is None:
        # Moodle scores.php: scoreGiven without scoreMaximum is an incorrect score.
        raise WrongGrade(400, "scoreGiven needs scoreMaximum.")
    stored = find_grade(connection, line_item.id, message.user_id)
    if stored and _whole_seconds(stored.timestamp) >= _whole_seconds(message.timestamp):
        # Moodle scores.php: 409 when the stored time is the same or later, compared in whole seconds.
        raise WrongGrade(409, "Refusing score with an earlier or equal timestamp.")
    score = None
    # Moodle scores.php: any gradingProgress but FullyGraded clears the grade that is there.
    if message.grading_progress is GradeProgress.FULLYGRADED and message.score_given is not None:
        # Moodle gradebookservices.php: scores are scaled to the maximum of the column.
        score = message.score_given / (message.score_maximum or 1.0) * line_item.score_maximum
    grade = Grade(
        line_item_id=line_item.id,
        user_id=message.user_id,
        score=score,
        # Moodle scores.php: stored as FORMAT_PLAIN; a message without a comment wipes the one that is there.
        comment=message.comment,
        timestamp=message.timestamp,
    )
    connection.execute(
        """
        INSERT INTO grade (line_item_id, user_id, score, comment, timestamp) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (line_item_id, user_id) DO UPDATE
        SET score = excluded.score, comment = excluded.comment, timestamp = excluded.timestamp
        """,
        (grade.line_item_id, grade.user_id, grade.score, grade.comment, grade.timestamp),
    )
    return grade


def _whole_seconds(timestamp: str) -> int:
    return int(parse_moment(timestamp).timestamp())


def record_post(connection: sqlite3.Connection, *, line_item_id: int, user_id: str, status: int, body: str) -> None:
    """Logs a score message that was posted, whatever became of it."""
    connection.execute(
        "INSERT INTO score_post (line_item_id, user_id, status, body, received_at) VALUES (?, ?, ?, ?, ?)",
        (line_item_id, user_id, status, body, datetime.now(UTC).isoformat()),
    )


def find_grade(connection: sqlite3.Connection, line_item_id: int, user_id: str) -> Grade | None:
    """The grade of one student in one column; a cleared one has the score ``None``."""
    return next((grade for grade in list_grades(connection, line_item_id) if grade.user_id == user_id), None)


def list_grades(connection: sqlite3.Connection, line_item_id: int | None = None) -> list[Grade]:
    """All grades, or those of one column, in the order of the class list."""
    rows = connection.execute(
        """
        SELECT line_item_id, user_id, score, comment, timestamp FROM grade
        WHERE :item IS NULL OR line_item_id = :item ORDER BY line_item_id
        """,
        {"item": line_item_id},
    )
    order = [person.id for person in PEOPLE]
    return sorted(
        (Grade(**dict(row)) for row in rows), key=lambda grade: (grade.line_item_id, order.index(grade.user_id))
    )


def count_posts(connection: sqlite3.Connection) -> dict[tuple[int, str], PostCount]:
    """How often scores were posted, by line item id and user id."""
    rows = connection.execute(
        """
        SELECT line_item_id, user_id, count(*) AS received, sum(status < 300) AS accepted
        FROM score_post GROUP BY line_item_id, user_id
        """
    )
    return {
        (row["line_item_id"], row["user_id"]): PostCount(received=row["received"], accepted=row["accepted"])
        for row in rows
    }


def points_text(points: float) -> str:
    """Points as people write them: at most two decimals, none that say nothing."""
    return f"{points:.2f}".rstrip("0").rstrip(".")
