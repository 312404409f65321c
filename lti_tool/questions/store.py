"""Quizzes with their questions and key points. Every read names the course: another course's quiz is not found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from psycopg import Connection

from grading import domain
from lti_tool.db import fetch_all, fetch_one, fetch_value
from lti_tool.errors import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiz:
    """A quiz of one course. ``max_points`` is the sum over its questions; ``language`` is an ISO 639-1 code.

    The policies from ``posting`` on are described in migration 0003 and, for people, on the quiz's settings page.
    ``review_confidence`` and ``review_share`` are fractions 0..1.
    """

    id: UUID
    context_id: int
    title: str
    language: str
    max_attempts: int
    created_at: datetime
    updated_at: datetime
    question_count: int
    max_points: Decimal
    posting: Literal["AT_ONCE", "APPROVAL"]
    counted_attempt: Literal["BEST", "LAST", "AVERAGE"]
    late_rule: Literal["ACCEPT", "DEDUCT", "CLOSE"]
    late_percent_per_day: Decimal
    explanations_shown: Literal["AT_ONCE", "AFTER_DUE", "AFTER_APPROVAL"]
    review_confidence: float | None
    review_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPoint:
    """One thing a full answer says; ``position`` counts from 0, ``weight`` is relative to the other key points."""

    position: int
    name: str
    text: str
    weight: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of a quiz with everything that it is graded against; ``position`` counts from 0."""

    id: int
    quiz_id: UUID
    position: int
    prompt: str
    max_points: Decimal
    model_answers: tuple[str, ...]
    sample_id: str | None
    key_points: tuple[KeyPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKeyPoint:
    """A key point that is not stored yet."""

    name: str
    text: str
    weight: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class NewQuestion:
    """A question that is not stored yet; its position follows from its place in the quiz."""

    prompt: str
    max_points: Decimal
    model_answers: tuple[str, ...]
    key_points: tuple[NewKeyPoint, ...] = ()
    sample_id: str | None = None


_QUIZ_TOTALS = """
    SELECT quizzes.id, context_id, title, language, max_attempts, created_at, updated_at,
           count(questions.id)::int AS question_count, coalesce(sum(max_points), 0) AS max_points,
           posting, counted_attempt, late_rule, late_percent_per_day, explanations_shown, review_confidence,
           review_share
      FROM quizzes LEFT JOIN questions ON questions.quiz_id = quizzes.id
"""


# Quizzes ----------------------------------------------------------------------------------------------------------


def get_quiz(connection: Connection, quiz_id: UUID, context_id: int) -> Quiz:
    """The quiz of this course; :class:`NotFound` for an unknown id and for a quiz of another course alike."""
    quiz = fetch_one(
        connection,
        Quiz,
        _QUIZ_TOTALS + " WHERE quizzes.id = %s AND context_id = %s GROUP BY quizzes.id",
        quiz_id,
        context_id,
    )
    if quiz is None:
        raise NotFound(f"no quiz {quiz_id} in context {context_id}")
    return quiz


def get_placed_quiz(connection: Connection, quiz_id: UUID, resource_link_id: int) -> Quiz:
    """The quiz that a placement has now, or had when someone attempted it there; :class:`NotFound` otherwise.

    After a course was copied, its placements lead to the quiz of the first course: it can be answered, not changed.
    """
    quiz = fetch_one(
        connection,
        Quiz,
        _QUIZ_TOTALS  # noqa: S608 - only literals
        + " WHERE quizzes.id = %s AND (EXISTS (SELECT 1 FROM resource_links WHERE id = %s AND quiz_id = quizzes.id)"
        " OR EXISTS (SELECT 1 FROM attempts WHERE resource_link_id = %s AND quiz_id = quizzes.id)) GROUP BY quizzes.id",
        quiz_id,
        resource_link_id,
        resource_link_id,
    )
    if quiz is None:
        raise NotFound(f"quiz {quiz_id} is not placed at resource link {resource_link_id}")
    return quiz


def list_quizzes(connection: Connection, context_id: int) -> list[Quiz]:
    """The quizzes of a course, the one changed last first."""
    return fetch_all(
        connection,
        Quiz,
        _QUIZ_TOTALS + " WHERE context_id = %s GROUP BY quizzes.id ORDER BY updated_at DESC, quizzes.id",
        context_id,
    )


def add_quiz(
    connection: Connection,
    *,
    context_id: int,
    title: str,
    language: str,
    max_attempts: int = 1,
    created_by: int | None = None,
    questions: Iterable[NewQuestion] = (),
) -> UUID:
    """Store a quiz with its questions in their order; its id."""
    quiz_id = fetch_value(
        connection,
        "INSERT INTO quizzes (context_id, title, language, max_attempts, created_by)"
        " VALUES (%s, %s, %s, %s, %s) RETURNING id",
        context_id,
        title,
        language,
        max_attempts,
        created_by,
    )
    assert isinstance(quiz_id, UUID)  # RETURNING always has a row
    for question in questions:
        insert_question(connection, quiz_id, question)
    return quiz_id


def is_fixed(connection: Connection, quiz_id: UUID) -> bool:
    """Whether a student has begun the quiz. An instructor's own tries do not count."""
    return bool(
        fetch_value(connection, "SELECT EXISTS (SELECT 1 FROM attempts WHERE quiz_id = %s AND NOT is_preview)", quiz_id)
    )


def place_quiz(connection: Connection, quiz_id: UUID, resource_link_id: int) -> None:
    """Make this the quiz of a placement."""
    connection.execute("UPDATE resource_links SET quiz_id = %s WHERE id = %s", (quiz_id, resource_link_id))


def set_terms(
    connection: Connection, resource_link_id: int, *, max_attempts: int | None, due_at: datetime | None
) -> None:
    """Attempts and due date of a placement; ``None``: as the quiz says, no due date."""
    connection.execute(
        "UPDATE resource_links SET max_attempts = %s, due_at = %s WHERE id = %s",
        (max_attempts, due_at, resource_link_id),
    )


# Questions --------------------------------------------------------------------------------------------------------


def list_questions(connection: Connection, quiz_id: UUID) -> list[Question]:
    """The questions of a quiz in their order, with key points."""
    with connection.cursor() as cursor:
        key_points: dict[int, list[KeyPoint]] = {}
        rows = cursor.execute(
            "SELECT question_id, key_points.position, name, text, weight"
            " FROM key_points JOIN questions ON questions.id = question_id"
            " WHERE quiz_id = %s ORDER BY question_id, key_points.position",
            (quiz_id,),
        )
        for question_id, position, name, text, weight in rows:
            point = KeyPoint(position=position, name=name, text=text, weight=weight)
            key_points.setdefault(question_id, []).append(point)
        rows = cursor.execute(
            "SELECT id, position, prompt, max_points, model_answers, sample_id"
            " FROM questions WHERE quiz_id = %s ORDER BY position",
            (quiz_id,),
        )
        return [
            Question(
                id=question_id,
                quiz_id=quiz_id,
                position=position,
                prompt=prompt,
                max_points=max_points,
                model_answers=tuple(model_answers),
                sample_id=sample_id,
                key_points=tuple(key_points.get(question_id, ())),
            )
            for question_id, position, prompt, max_points, model_answers, sample_id in rows
        ]


def get_question(connection: Connection, quiz_id: UUID, question_id: int) -> Question:
    """The question of this quiz; :class:`NotFound` for any other id."""
    for question in list_questions(connection, quiz_id):
        if question.id == question_id:
            return question
    raise NotFound(f"no question {question_id} in quiz {quiz_id}")


def get_grading_question(connection: Connection, question_id: int) -> domain.Question:
    """What ``grading`` needs for this question; for workers, which follow ids that the tool itself stored.

    Raises :class:`NotFound`.
    """
    row = connection.execute(
        "SELECT quiz_id, context_id FROM questions JOIN quizzes ON quizzes.id = quiz_id WHERE questions.id = %s",
        (question_id,),
    ).fetchone()
    if row is None:
        raise NotFound(f"no question {question_id}")
    quiz = get_quiz(connection, row[0], row[1])
    return grading_question(get_question(connection, quiz.id, question_id), quiz)


def grading_question(question: Question, quiz: Quiz) -> domain.Question:
    """What ``grading`` needs to score an answer to this question."""
    return domain.Question(
        prompt=question.prompt,
        model_answers=question.model_answers,
        key_points=tuple(
            domain.KeyPoint(position=point.position, name=point.name, text=point.text, weight=float(point.weight))
            for point in question.key_points
        ),
        language=quiz.language,
    )


# Rows in ----------------------------------------------------------------------------------------------------------


def insert_question(connection: Connection, quiz_id: UUID, question: NewQuestion) -> int:
    """Put a question at the end of a quiz; its id."""
    question_id = fetch_value(
        connection,
        "INSERT INTO questions (quiz_id, position, prompt, max_points, model_answers, sample_id)"
        " VALUES (%s, (SELECT coalesce(max(position) + 1, 0) FROM questions WHERE quiz_id = %s), %s, %s, %s, %s)"
        " RETURNING id",
        quiz_id,
        quiz_id,
        question.prompt,
        question.max_points,
        list(question.model_answers),
        question.sample_id,
    )
    assert isinstance(question_id, int)  # RETURNING always has a row
    insert_key_points(connection, question_id, question.key_points)
    return question_id


def insert_key_points(connection: Connection, question_id: int, key_points: Iterable[NewKeyPoint]) -> None:
    """Store the key points of a question in their order."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO key_points (question_id, position, name, text, weight) VALUES (%s, %s, %s, %s, %s)",
            [
                (question_id, position, point.name, point.text, point.weight)
                for position, point in enumerate(key_points)
            ],
        )
