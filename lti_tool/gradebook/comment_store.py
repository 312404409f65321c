"""What the gradebook's comment says of a score, out of PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import dict_row

from lti_tool.db import fetch_all


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationLine:
    """What the comment says of one question: its place, points and explanation (``None``: unanswered).

    ``grade_source`` is MODEL or INSTRUCTOR, ``None`` where there is no grade. ``is_private``: the text is for its
    student alone, since the answer says that they are not well.
    """

    position: int
    points: Decimal
    max_points: Decimal
    explanation: str | None
    grade_source: str | None = None
    is_private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentFacts:
    """All that the comment on a score says.

    ``number`` and ``lines`` are of the attempt that the score is of; of an average, of its last one.
    ``deducted_percent``: what lateness costs; of an average, the most. ``hides_explanations``: until when they stay
    out of the comment; ``due_at`` is when it is due for this student. ``version``: the number of this score, where
    the very same one was sent before. ``again`` says why it is sent once more: RETURNS, since another one, or none,
    counted in between; or TEXT, since only what is said about it is new.
    """

    language: str
    lines: list[ExplanationLine]
    number: int = 1
    averaged_attempts: int = 1
    deducted_percent: Decimal = Decimal(0)
    hides_explanations: Literal["AFTER_DUE", "AFTER_APPROVAL"] | None = None
    due_at: datetime | None = None
    version: int | None = None
    again: Literal["RETURNS", "TEXT"] | None = None


def get_comment_facts(connection: Connection, delivery_id: int) -> CommentFacts:
    """What is to be said with this delivery, as it is now: policies, and the latest grade and explanation."""
    with connection.cursor(row_factory=dict_row) as cursor:
        facts: dict[str, Any] | None = cursor.execute(
            """
            SELECT quizzes.language, attempts.number, deliveries.averaged_attempts, deliveries.deducted_percent,
                attempts.due_at,
                CASE WHEN same.version IS NOT NULL THEN deliveries.version END AS version,
                CASE WHEN same.version IS NULL THEN NULL WHEN EXISTS (
                    -- Since then another score counted; or none did: one was given up before the next was made.
                    -- One that was given up later only made way for the next.
                    SELECT 1 FROM deliveries AS passed
                    JOIN deliveries AS next ON next.line_item_url = passed.line_item_url
                        AND next.user_id = passed.user_id AND next.version = passed.version + 1
                    WHERE passed.line_item_url = deliveries.line_item_url AND passed.user_id = deliveries.user_id
                        AND passed.version >= same.version AND passed.version < deliveries.version
                        AND (
                            passed.status = 'SUPERSEDED' AND passed.finished_at < next.created_at
                            OR (passed.attempt_id, passed.score_given, passed.score_maximum, passed.grade_ids,
                                passed.averaged_attempts)
                                <> (deliveries.attempt_id, deliveries.score_given, deliveries.score_maximum,
                                deliveries.grade_ids, deliveries.averaged_attempts)
                        )
                ) THEN 'RETURNS' ELSE 'TEXT' END AS again,
                CASE
                    WHEN quizzes.explanations_shown = 'AFTER_APPROVAL' AND attempts.approval <> 'APPROVED'
                        THEN 'AFTER_APPROVAL'
                    WHEN quizzes.explanations_shown = 'AFTER_DUE' AND attempts.due_at > now() THEN 'AFTER_DUE'
                END AS hides_explanations
            FROM deliveries
            JOIN attempts ON attempts.id = deliveries.attempt_id
            JOIN quizzes ON quizzes.id = attempts.quiz_id
            LEFT JOIN LATERAL (
                -- The last time that this score was sent.
                SELECT earlier.version FROM deliveries AS earlier
                WHERE earlier.line_item_url = deliveries.line_item_url AND earlier.user_id = deliveries.user_id
                    AND earlier.version < deliveries.version AND earlier.tries > 0
                    AND (earlier.attempt_id, earlier.score_given, earlier.score_maximum, earlier.grade_ids,
                        earlier.averaged_attempts)
                        = (deliveries.attempt_id, deliveries.score_given, deliveries.score_maximum,
                        deliveries.grade_ids, deliveries.averaged_attempts)
                ORDER BY earlier.version DESC LIMIT 1
            ) AS same ON true
            WHERE deliveries.id = %s
            """,
            (delivery_id,),
        ).fetchone()
    assert facts is not None  # a delivery is of an attempt, and neither is ever deleted
    return CommentFacts(**facts, lines=_list_lines(connection, delivery_id))


def _list_lines(connection: Connection, delivery_id: int) -> list[ExplanationLine]:
    """Points and latest explanation of every question of the delivery's attempt, in order."""
    return fetch_all(
        connection,
        ExplanationLine,
        """
        SELECT questions.position, coalesce(grades.points, 0) AS points, questions.max_points,
            explanations.text AS explanation, grades.source AS grade_source,
            -- Of any of its grades: one that an instructor gives keeps the machine's text, but has no flags.
            coalesce(explanations.source, 'INSTRUCTOR') <> 'INSTRUCTOR' AND EXISTS (
                SELECT 1 FROM grades AS flagged
                WHERE flagged.submission_id = submissions.id AND 'needs_person' = ANY(flagged.flags)
            ) AS is_private
        FROM deliveries
        JOIN attempts ON attempts.id = deliveries.attempt_id
        JOIN questions ON questions.quiz_id = attempts.quiz_id
        LEFT JOIN submissions ON submissions.attempt_id = attempts.id AND submissions.question_id = questions.id
        LEFT JOIN LATERAL (
            SELECT id, points, source FROM grades WHERE grades.submission_id = submissions.id ORDER BY id DESC LIMIT 1
        ) AS grades ON true
        LEFT JOIN LATERAL (
            SELECT text, source FROM explanations WHERE explanations.grade_id = grades.id ORDER BY id DESC LIMIT 1
        ) AS explanations ON true
        WHERE deliveries.id = %s ORDER BY questions.position
        """,
        delivery_id,
    )
