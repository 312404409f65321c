"""What came of an attempt: every question with its answer, latest grade and latest explanation."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg import Connection
from psycopg.rows import kwargs_row

from lti_tool.submissions.ratings import Rating


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPointResult:
    """What became of one key point: its name, the verdict's word, the student's words that show it.

    A part of a model answer that stands for the key points where none were written has no name: ``""``.
    """

    position: int
    name: str
    verdict: str
    evidence: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionResult:
    """A question of an attempt with its answer, latest grade and latest explanation.

    ``status`` is UNANSWERED or the submission's; ``grade_id``, ``points`` and what follows are ``None`` until it is
    graded. A question that was left unanswered and given points by an instructor is GRADED with ``answer`` ``None``.
    ``rating`` is what the student says about this text (:mod:`lti_tool.submissions.ratings`), ``is_kept`` whether an
    instructor lets it stand though it is called wrong. ``has_machine_text``: there is a machine's text to go back to.
    """

    question_id: int
    position: int
    prompt: str
    max_points: Decimal
    answer: str | None
    grade_id: int | None
    status: str
    points: Decimal | None
    fraction: float | None
    low: float | None
    high: float | None
    confidence: float | None
    flags: list[str] | None
    grade_source: str | None
    explanation_id: int | None
    explanation: str | None
    explanation_source: str | None
    explanation_pending: bool
    has_machine_text: bool
    rating: Rating | None
    rating_note: str
    is_kept: bool
    verdicts: list[KeyPointResult]

    @property
    def has_machine_words(self) -> bool:
        """A machine wrote what the student reads beside the answer now."""
        return self.explanation is not None and self.explanation_source != "INSTRUCTOR"


def list_results(connection: Connection, attempt_id: int) -> list[QuestionResult]:
    """Every question of the attempt's quiz, in order, with what the student wrote and what came of it."""
    with connection.cursor(row_factory=kwargs_row(_result_from_row)) as cursor:
        return cursor.execute(
            """
            SELECT questions.id AS question_id, questions.position, questions.prompt, questions.max_points,
                nullif(submissions.answer, '') AS answer, coalesce(submissions.status, 'UNANSWERED') AS status,
                grades.id AS grade_id,
                grades.points, grades.fraction, grades.low, grades.high, grades.confidence, grades.flags,
                grades.source AS grade_source, explanations.id AS explanation_id, explanations.text AS explanation,
                explanations.source AS explanation_source,
                EXISTS (
                    SELECT 1 FROM explanations AS machine
                    WHERE machine.grade_id = grades.id AND machine.source <> 'INSTRUCTOR'
                ) AS has_machine_text,
                ratings.rating, coalesce(ratings.note, '') AS rating_note, ratings.kept_at IS NOT NULL AS is_kept,
                coalesce(rewordings.outcome = 'PENDING', false) AS explanation_pending,
                coalesce(verdicts.list, '[]'::json) AS verdicts
            FROM attempts
            JOIN questions ON questions.quiz_id = attempts.quiz_id
            LEFT JOIN submissions
                ON submissions.attempt_id = attempts.id AND submissions.question_id = questions.id
            LEFT JOIN LATERAL (
                SELECT * FROM grades WHERE grades.submission_id = submissions.id ORDER BY grades.id DESC LIMIT 1
            ) AS grades ON true
            LEFT JOIN LATERAL (
                SELECT * FROM explanations WHERE explanations.grade_id = grades.id ORDER BY explanations.id DESC LIMIT 1
            ) AS explanations ON true
            LEFT JOIN explanation_ratings AS ratings ON ratings.explanation_id = explanations.id
            LEFT JOIN rewordings ON rewordings.grade_id = grades.id
            LEFT JOIN LATERAL (
                SELECT json_agg(json_build_object('name', name, 'verdict', verdict, 'evidence', evidence)
                    ORDER BY position) AS list
                FROM key_point_verdicts
                WHERE key_point_verdicts.grade_id = grades.id
            ) AS verdicts ON true
            WHERE attempts.id = %s ORDER BY questions.position
            """,
            (attempt_id,),
        ).fetchall()


def _result_from_row(*, verdicts: list[dict[str, str]], **columns: Any) -> QuestionResult:
    return QuestionResult(
        **columns,
        verdicts=[
            KeyPointResult(position=position, name=item["name"], verdict=item["verdict"], evidence=item["evidence"])
            for position, item in enumerate(verdicts)
        ],
    )
