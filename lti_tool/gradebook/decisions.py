"""The instructor's power over a score: another one, or an earlier one again. Grades are added, never changed.

Locks are taken in the order that workers take them: the answer, then its attempt. So a worker that grades the answer at
this moment is waited for, and the instructor's score follows; one that comes later finds nothing left to grade.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from psycopg import Connection
from psycopg.types.json import Jsonb

from grading.distress import needs_person
from grading.domain import Flag
from lti_tool.db import fetch_one, fetch_value
from lti_tool.errors import NotFound, Refused
from lti_tool.gradebook.explanation_store import add_explanation, copy_explanation, latest_explanation_id
from lti_tool.gradebook.outbox import queue_delivery
from lti_tool.gradebook.store import finish_attempt
from lti_tool.launch.audit import record_event
from lti_tool.submissions.store import Attempt

#: What stands for the student where the instructor wrote nothing: in the language of the quiz.
NO_WORDS = {"en": "Scored by your instructor.", "ko": "선생님이 직접 채점했어요."}


class DecisionRefused(Refused):
    """A decision that is not possible about the attempt, or not any more: the message says why."""

    status = 409
    code = "DECISION"
    student_text = "This page is for instructors."
    instructor_text = "This cannot be done with the attempt as it is now."


class ScoreChangedMeanwhile(DecisionRefused):
    """Another score was given since the page was shown."""

    instructor_text = (
        "This answer was given another score while the page was open. It is shown now; what you typed is kept below."
        " Look at it, then save again if you still mean it."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedAnswer:
    """An answer that is locked together with its attempt, as it is then. ``grade_*``: its latest grade."""

    submission_id: int
    text: str
    max_points: Decimal
    language: str
    registration_id: int
    resource_link_id: int
    grade_id: int | None
    grade_source: str | None

    def is_as_seen(self, seen_grade: int | None) -> bool:
        """Nobody scored it since. Who scores what has no score yet means it, whatever the model says meanwhile."""
        return self.grade_id == seen_grade or (seen_grade is None and self.grade_source == "MODEL")


def override_grade(
    connection: Connection,
    attempt: Attempt,
    question_id: int,
    *,
    points: Decimal,
    explanation: str | None,
    reason: str,
    seen_grade: int | None,
    user_id: int,
) -> int:
    """Give the answer to a question these points, 0 to its maximum, and this text for the student; the grade's id.

    Without a text (``None``) the one of the latest grade stays, as that of whoever wrote it; with an empty one the
    student reads that an instructor scored the answer. ``reason`` is for the record. ``seen_grade``: the latest grade
    that the instructor has seen. An answer that was not scored yet, or that the machine gave up on, has its score
    then, with NEEDS_PERSON where it says so; so does a question that was left unanswered (it was answered on paper,
    perhaps), with an empty answer. Raises :class:`ScoreChangedMeanwhile`, :class:`DecisionRefused` while the student is
    still answering, and :class:`NotFound` for a question of another quiz.
    """
    answer = lock_answer(connection, attempt, question_id, seen_grade)
    fraction = float(points / answer.max_points)
    # No machine's grade says it, and what becomes of the answer later, an export say, must know.
    flags = [Flag.NEEDS_PERSON.value] if answer.grade_id is None and needs_person(answer.text) else []
    grade_id = fetch_value(
        connection,
        """
        INSERT INTO grades (submission_id, source, fraction, points, low, high, confidence, flags, created_by, reason)
        VALUES (%s, 'INSTRUCTOR', %s, %s, %s, %s, 1, %s, %s, %s) RETURNING id
        """,
        answer.submission_id,
        fraction,
        points,
        fraction,
        fraction,
        flags,
        user_id,
        reason,
    )
    assert isinstance(grade_id, int)
    latest = latest_explanation_id(connection, answer.grade_id)
    if explanation is not None or not copy_explanation(connection, latest, grade_id):
        words = explanation or NO_WORDS.get(answer.language, NO_WORDS["en"])
        add_explanation(connection, grade_id, "INSTRUCTOR", words)
    _settle(connection, attempt, answer)
    record_decision(
        connection, "SCORE_CHANGED", attempt, answer, grade_id, user_id, {"points": str(points), "reason": reason}
    )
    return grade_id


def restore_grade(
    connection: Connection,
    attempt: Attempt,
    question_id: int,
    *,
    grade_id: int,
    seen_grade: int | None,
    user_id: int,
) -> int:
    """Let an earlier grade of the answer count again: a copy of it is added, with verdicts and text; the copy's id.

    Raises what :func:`override_grade` raises, and :class:`NotFound` for a grade of another answer.
    """
    answer = lock_answer(connection, attempt, question_id, seen_grade)
    if grade_id == answer.grade_id:
        raise DecisionRefused(f"grade {grade_id} counts", instructor_text="This score counts already.")
    copy_id = fetch_value(
        connection,
        """
        INSERT INTO grades (submission_id, source, fraction, points, low, high, confidence, flags, versions, created_by,
            reason)
        SELECT submission_id, 'INSTRUCTOR', fraction, points, low, high, confidence, flags, %s, %s, 'taken back'
        FROM grades WHERE id = %s AND submission_id = %s RETURNING id
        """,
        Jsonb({"restored_grade": grade_id}),
        user_id,
        grade_id,
        answer.submission_id,
    )
    if not isinstance(copy_id, int):
        raise NotFound(f"grade {grade_id} of submission {answer.submission_id}")
    connection.execute(
        """
        INSERT INTO key_point_verdicts (grade_id, position, verdict, similarity, evidence, name)
        SELECT %s, position, verdict, similarity, evidence, name FROM key_point_verdicts WHERE grade_id = %s
        """,
        (copy_id, grade_id),
    )
    copy_explanation(connection, latest_explanation_id(connection, grade_id), copy_id)
    _settle(connection, attempt, answer)
    record_decision(connection, "SCORE_RESTORED", attempt, answer, copy_id, user_id, {"restored_grade": grade_id})
    return copy_id


def lock_answer(connection: Connection, attempt: Attempt, question_id: int, seen_grade: int | None) -> LockedAnswer:
    """The answer and its attempt, locked until the transaction ends; an empty one is added where there is none.

    Raises :class:`ScoreChangedMeanwhile` where ``seen_grade`` is not its latest grade, :class:`DecisionRefused` while
    the student is still answering, and :class:`NotFound` for a question of another quiz.
    """
    if attempt.status == "OPEN":  # before any lock: handing in takes them in the other order
        raise DecisionRefused(
            f"attempt {attempt.id} is open",
            instructor_text="The student is still answering. There is nothing to score before they hand in.",
        )
    lock = "SELECT id FROM submissions WHERE attempt_id = %s AND question_id = %s FOR NO KEY UPDATE"
    submission_id = fetch_value(connection, lock, attempt.id, question_id)
    if submission_id is None:
        connection.execute(
            """
            INSERT INTO submissions (attempt_id, question_id, answer, status, submitted_at)
            SELECT attempts.id, questions.id, '', 'GRADED', attempts.submitted_at
            FROM attempts JOIN questions ON questions.quiz_id = attempts.quiz_id
            WHERE attempts.id = %s AND questions.id = %s AND attempts.status <> 'OPEN'
            ON CONFLICT DO NOTHING
            """,
            (attempt.id, question_id),
        )
        submission_id = fetch_value(connection, lock, attempt.id, question_id)
    connection.execute("SELECT 1 FROM attempts WHERE id = %s FOR NO KEY UPDATE", (attempt.id,))
    answer = fetch_one(
        connection,
        LockedAnswer,
        """
        SELECT submissions.id AS submission_id, submissions.answer AS text, questions.max_points, quizzes.language,
            attempts.registration_id, attempts.resource_link_id,
            grades.id AS grade_id, grades.source AS grade_source
        FROM attempts
        JOIN quizzes ON quizzes.id = attempts.quiz_id
        JOIN questions ON questions.quiz_id = quizzes.id
        LEFT JOIN submissions ON submissions.attempt_id = attempts.id AND submissions.question_id = questions.id
        LEFT JOIN LATERAL (
            SELECT id, source FROM grades WHERE grades.submission_id = submissions.id ORDER BY id DESC LIMIT 1
        ) AS grades ON true
        WHERE attempts.id = %s AND questions.id = %s
        """,
        attempt.id,
        question_id,
    )
    if answer is None:
        raise NotFound(f"question {question_id} of attempt {attempt.id}")
    if not answer.is_as_seen(seen_grade):
        raise ScoreChangedMeanwhile(f"submission {submission_id} has grade {answer.grade_id}, not {seen_grade}")
    return answer


def _settle(connection: Connection, attempt: Attempt, answer: LockedAnswer) -> None:
    """The answer has its grade: no worker grades it any more, and the score that counts now is on its way."""
    connection.execute("UPDATE submissions SET status = 'GRADED' WHERE id = %s", (answer.submission_id,))
    finish_attempt(connection, attempt.id, explanation_wait_seconds=0)
    queue_delivery(connection, attempt.id, wait_seconds=0)


def record_decision(
    connection: Connection,
    event: str,
    attempt: Attempt,
    answer: LockedAnswer,
    grade_id: int,
    user_id: int,
    more: Mapping[str, int | str] | None = None,
) -> None:
    """Note a decision about an answer in the record, with who took it."""
    record_event(
        connection,
        event,
        registration_id=answer.registration_id,
        user_id=user_id,
        facts={
            "attempt_id": attempt.id,
            "resource_link_id": answer.resource_link_id,
            "submission_id": answer.submission_id,
            "grade_id": grade_id,
            **(more or {}),
        },
    )
