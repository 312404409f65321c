"""What the tool's database holds of the quiz: which versions scored and explained each answer, and what was sent."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg import Connection

from lti_tool.db import fetch_all
from tests.circle.quiz import QUIZ_TITLE


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """An answer; ``scored_by`` are the versions of the model's grade, ``points`` what counts now.

    ``worded`` is what came of asking the explainer, ``asked`` its versions, ``shown_by`` those of the text that stands.
    """

    attempt_id: int
    attempt_number: int
    approval: str
    user_sub: str
    scored_by: dict[str, Any] | None
    points: Decimal | None
    max_points: Decimal
    worded: str | None
    asked: dict[str, Any] | None
    shown_from: str | None
    shown_by: dict[str, Any] | None
    delivery_status: str | None
    score_given: Decimal | None


def list_answers(connection: Connection, *, attempt: int = 1) -> list[AnswerRow]:
    """All answers of everybody's attempt of this number, in the order of the questions."""
    return fetch_all(
        connection,
        AnswerRow,
        """
        SELECT attempts.id AS attempt_id, attempts.number AS attempt_number, attempts.approval, users.sub AS user_sub,
            by_model.versions AS scored_by, latest.points, questions.max_points, rewordings.outcome AS worded,
            rewordings.versions AS asked, shown.source AS shown_from, shown.versions AS shown_by,
            sent.status AS delivery_status, sent.score_given
        FROM submissions
        JOIN attempts ON attempts.id = submissions.attempt_id
        JOIN users ON users.id = attempts.user_id
        JOIN questions ON questions.id = submissions.question_id
        JOIN quizzes ON quizzes.id = attempts.quiz_id
        LEFT JOIN grades AS by_model ON by_model.submission_id = submissions.id AND by_model.source = 'MODEL'
        LEFT JOIN rewordings ON rewordings.grade_id = by_model.id
        LEFT JOIN LATERAL (
            SELECT * FROM grades WHERE grades.submission_id = submissions.id ORDER BY id DESC LIMIT 1
        ) AS latest ON true
        LEFT JOIN LATERAL (
            SELECT * FROM explanations WHERE explanations.grade_id = latest.id ORDER BY id DESC LIMIT 1
        ) AS shown ON true
        LEFT JOIN LATERAL (
            SELECT * FROM deliveries WHERE deliveries.attempt_id = attempts.id ORDER BY version DESC LIMIT 1
        ) AS sent ON true
        WHERE quizzes.title = %s AND attempts.number = %s AND NOT attempts.is_preview
        ORDER BY attempts.id, questions.position
        """,
        QUIZ_TITLE,
        attempt,
    )


def list_promoted(connection: Connection) -> list[str]:
    """Digests in the trail of events of the models that were put in charge, with and without force."""
    rows = connection.execute(
        "SELECT details ->> 'digest' FROM audit_events WHERE event IN ('model-promoted', 'model-promotion-forced')"
        " ORDER BY id"
    ).fetchall()
    return [row[0] for row in rows]
