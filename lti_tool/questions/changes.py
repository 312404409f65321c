"""Changes of a stored quiz. What a student was asked stays as it was: then the change is refused.

Each function takes the connection of the caller's transaction.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal
from uuid import UUID

from psycopg import Connection
from psycopg.errors import ForeignKeyViolation

from lti_tool.db import fetch_value
from lti_tool.questions.errors import QuestionTried, QuizFixed
from lti_tool.questions.policies import copy_policies
from lti_tool.questions.store import (
    NewKeyPoint,
    NewQuestion,
    Question,
    Quiz,
    add_quiz,
    insert_key_points,
    insert_question,
    is_fixed,
    list_questions,
)


def update_quiz(
    connection: Connection, quiz_id: UUID, *, title: str, max_attempts: int, language: str | None = None
) -> None:
    """Change title, attempts and, with ``language``, the language: that one only while :func:`is_fixed` is false.

    Raises :class:`QuizFixed`.
    """
    if language is not None:
        current = fetch_value(connection, "SELECT language FROM quizzes WHERE id = %s", quiz_id)
        if language != current:
            _require_free(connection, quiz_id)
    connection.execute(
        "UPDATE quizzes SET title = %s, max_attempts = %s, language = coalesce(%s, language), updated_at = now()"
        " WHERE id = %s",
        (title, max_attempts, language, quiz_id),
    )


def copy_quiz(
    connection: Connection, quiz: Quiz, *, title: str, created_by: int | None, context_id: int | None = None
) -> UUID:
    """A new quiz with the same questions and policies, free to be changed; its id.

    It is of the same course, or of ``context_id``.
    """
    copied = add_quiz(
        connection,
        context_id=context_id or quiz.context_id,
        title=title,
        language=quiz.language,
        max_attempts=quiz.max_attempts,
        created_by=created_by,
        questions=[_as_new(question) for question in list_questions(connection, quiz.id)],
    )
    copy_policies(connection, quiz.id, copied)
    return copied


def add_question(connection: Connection, quiz_id: UUID, question: NewQuestion) -> int:
    """Add a question at the end; its id. Raises :class:`QuizFixed`."""
    _require_free(connection, quiz_id)
    return insert_question(connection, quiz_id, question)


def update_question(connection: Connection, current: Question, changed: NewQuestion) -> None:
    """Replace wording, points, model answers and key points. Raises :class:`QuizFixed`."""
    _require_free(connection, current.quiz_id)
    connection.execute(
        "UPDATE questions SET prompt = %s, max_points = %s, model_answers = %s WHERE id = %s",
        (changed.prompt, changed.max_points, list(changed.model_answers), current.id),
    )
    connection.execute("DELETE FROM key_points WHERE question_id = %s", (current.id,))
    insert_key_points(connection, current.id, changed.key_points)


def update_points(connection: Connection, quiz_id: UUID, points: dict[int, Decimal]) -> None:
    """Set the points of questions of this quiz by question id. Raises :class:`QuizFixed`."""
    _require_free(connection, quiz_id)
    for question_id, max_points in points.items():
        connection.execute(
            "UPDATE questions SET max_points = %s WHERE id = %s AND quiz_id = %s", (max_points, question_id, quiz_id)
        )


def move_question(connection: Connection, question: Question, direction: Literal["up", "down"]) -> None:
    """Change places with the neighbour; at the end of the list nothing happens. Raises :class:`QuizFixed`."""
    _require_free(connection, question.quiz_id)
    order = [row.id for row in list_questions(connection, question.quiz_id)]
    place = order.index(question.id)
    other = place + (-1 if direction == "up" else 1)
    if 0 <= other < len(order):
        order[place], order[other] = order[other], order[place]
        _renumber(connection, order)


def remove_question(connection: Connection, question: Question) -> None:
    """Remove a question and close the gap. Raises :class:`QuizFixed` or :class:`QuestionTried`."""
    _require_free(connection, question.quiz_id)
    try:
        with connection.transaction():
            connection.execute("DELETE FROM questions WHERE id = %s", (question.id,))
    except ForeignKeyViolation as error:
        raise QuestionTried(f"question {question.id} has submissions") from error
    _renumber(connection, [row.id for row in list_questions(connection, question.quiz_id)])


def _require_free(connection: Connection, quiz_id: UUID) -> None:
    """Refuse a change once a student has begun, and hold back whoever wants to begin until we are done."""
    connection.execute("UPDATE quizzes SET updated_at = now() WHERE id = %s", (quiz_id,))
    # FOR UPDATE waits for, and holds off, the key-share lock that a new attempt takes on its quiz.
    connection.execute("SELECT 1 FROM quizzes WHERE id = %s FOR UPDATE", (quiz_id,))
    if is_fixed(connection, quiz_id):
        raise QuizFixed(f"quiz {quiz_id} has attempts")


def _renumber(connection: Connection, question_ids: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE questions SET position = %s WHERE id = %s",
            [(position, question_id) for position, question_id in enumerate(question_ids)],
        )


def _as_new(question: Question) -> NewQuestion:
    return NewQuestion(
        prompt=question.prompt,
        max_points=question.max_points,
        model_answers=question.model_answers,
        key_points=tuple(
            NewKeyPoint(name=point.name, text=point.text, weight=point.weight) for point in question.key_points
        ),
        sample_id=question.sample_id,
    )
