"""Attempts and submissions in PostgreSQL. From RECEIVED on, an answer's state is here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from psycopg import Connection

from lti_tool.db import fetch_all, fetch_one, fetch_value
from lti_tool.errors import AlreadyDone, NotFound, Unusable
from lti_tool.gradebook.store import finish_attempt
from lti_tool.submissions.errors import NoAttemptsLeft, QuizClosed

MAX_ANSWER_CHARACTERS = 100_000
MAX_GRADING_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One user's go at a quiz. ``status`` is OPEN, SUBMITTED or GRADED; ``approval`` NOT_NEEDED, NEEDED or APPROVED.

    ``due_at``: when it is due for this person, ``None`` without a date. ``reopened_from``: the attempt that this one
    goes on with.
    """

    id: int
    resource_link_id: int
    user_id: int
    quiz_id: UUID
    number: int
    status: str
    is_preview: bool
    started_at: datetime
    submitted_at: datetime | None
    graded_at: datetime | None
    due_at: datetime | None
    approval: str
    excused_at: datetime | None
    reopened_from: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One user's answer to one question in an attempt. ``status`` is DRAFT, RECEIVED, GRADED or STUCK."""

    id: int
    attempt_id: int
    question_id: int
    answer: str
    status: str
    saved_at: datetime
    submitted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingWork:
    """A received submission, locked for grading until the transaction ends."""

    submission_id: int
    attempt_id: int
    question_id: int
    quiz_id: UUID
    answer: str
    max_points: Decimal


# Attempts ----------------------------------------------------------------------------------------------------------


def find_attempt(connection: Connection, attempt_id: int) -> Attempt | None:
    """The attempt with this id."""
    return fetch_one(
        connection,
        Attempt,
        """
        SELECT id, resource_link_id, user_id, quiz_id, number, status, is_preview, started_at, submitted_at, graded_at,
            due_at, approval, excused_at, reopened_from
        FROM attempts WHERE id = %s
        """,
        attempt_id,
    )


def list_attempts(connection: Connection, resource_link_id: int, user_id: int) -> list[Attempt]:
    """A user's attempts in one placement, first to last."""
    return fetch_all(
        connection,
        Attempt,
        """
        SELECT id, resource_link_id, user_id, quiz_id, number, status, is_preview, started_at, submitted_at, graded_at,
            due_at, approval, excused_at, reopened_from
        FROM attempts WHERE resource_link_id = %s AND user_id = %s ORDER BY number
        """,
        resource_link_id,
        user_id,
    )


def start_attempt(
    connection: Connection,
    *,
    resource_link_id: int,
    user_id: int,
    quiz_id: UUID,
    max_attempts: int,
    is_preview: bool,
    due_at: datetime | None = None,
    is_closed: bool = False,
) -> Attempt:
    """The user's open attempt at this quiz, made if there is none; a preview is an attempt of its own kind.

    Raises :class:`QuizClosed` where none is open and ``is_closed`` lets none begin, :class:`NoAttemptsLeft`,
    :class:`AlreadyDone` when the placement was just given another quiz, and
    :class:`NotFound` for a quiz without questions.
    """
    # Two tabs of one student come one after the other, and the second finds the attempt of the first.
    connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"attempt {resource_link_id} {user_id}",)
    )
    attempts = list_attempts(connection, resource_link_id, user_id)
    same_kind = [each for each in attempts if each.quiz_id == quiz_id and each.is_preview == is_preview]
    if same_kind and same_kind[-1].status == "OPEN":
        return same_kind[-1]
    if is_closed:
        raise QuizClosed(f"resource link {resource_link_id} was due {due_at} for user {user_id}")
    used = count_used(same_kind)
    if used >= max_attempts:
        raise NoAttemptsLeft(f"user {user_id} has used {used} of {max_attempts} attempts")
    # Whoever puts another quiz in this place at this moment is waited for.
    placed = fetch_value(connection, "SELECT quiz_id FROM resource_links WHERE id = %s FOR KEY SHARE", resource_link_id)
    if placed != quiz_id:
        raise AlreadyDone(
            f"resource link {resource_link_id} has quiz {placed} now",
            student_text="This activity has another quiz now. Please open it again from your course.",
            instructor_text="The activity was given another quiz a moment ago. Open it again from the course.",
        )
    # Whoever edits the quiz at this moment is waited for: an attempt begins with the questions as they are then.
    connection.execute("SELECT 1 FROM quizzes WHERE id = %s FOR KEY SHARE", (quiz_id,))
    if not fetch_value(connection, "SELECT count(*) FROM questions WHERE quiz_id = %s", quiz_id):
        raise NotFound(f"quiz {quiz_id} has no questions")
    attempt = fetch_one(
        connection,
        Attempt,
        """
        INSERT INTO attempts (resource_link_id, user_id, quiz_id, number, is_preview, due_at)
        VALUES (%s, %s, %s, %s, %s, %s)
        RETURNING id, resource_link_id, user_id, quiz_id, number, status, is_preview, started_at, submitted_at,
            graded_at, due_at, approval, excused_at, reopened_from
        """,
        resource_link_id,
        user_id,
        quiz_id,
        # Not their count: one that was opened again is gone once that is taken back.
        attempts[-1].number + 1 if attempts else 1,
        is_preview,
        due_at,
    )
    assert attempt is not None  # an INSERT without ON CONFLICT returns its row
    return attempt


def count_used(attempts: Sequence[Attempt]) -> int:
    """How many attempts these are to the quiz's limit: one that was opened again is the same attempt still."""
    return sum(attempt.reopened_from is None for attempt in attempts)


# Submissions -------------------------------------------------------------------------------------------------------


def list_submissions(connection: Connection, attempt_id: int) -> list[Submission]:
    """The answers of an attempt, drafts included."""
    return fetch_all(
        connection,
        Submission,
        """
        SELECT id, attempt_id, question_id, answer, status, saved_at, submitted_at
        FROM submissions WHERE attempt_id = %s ORDER BY question_id
        """,
        attempt_id,
    )


def save_draft(connection: Connection, *, attempt_id: int, question_id: int, answer: str) -> Submission:
    """Keep the text typed so far.

    Raises :class:`AlreadyDone` after the attempt was handed in, :class:`Unusable` for a text that is too long and
    :class:`NotFound` for a question of another quiz.
    """
    if len(answer) > MAX_ANSWER_CHARACTERS:
        limit = f"{MAX_ANSWER_CHARACTERS:,}"
        raise Unusable(
            f"answer of {len(answer)} characters",
            student_text=f"This answer is longer than {limit} characters. Please shorten it; nothing was lost.",
            instructor_text=f"An answer may hold {limit} characters.",
        )
    # The lock makes a late autosave wait for the handing in, and then be refused.
    status = fetch_value(connection, "SELECT status FROM attempts WHERE id = %s FOR NO KEY UPDATE", attempt_id)
    if status is None:
        raise NotFound(f"attempt {attempt_id}")
    if status != "OPEN":
        raise AlreadyDone(f"attempt {attempt_id} is {status}")
    draft = fetch_one(
        connection,
        Submission,
        """
        INSERT INTO submissions (attempt_id, question_id, answer)
        SELECT attempts.id, questions.id, %s
        FROM attempts JOIN questions ON questions.quiz_id = attempts.quiz_id
        WHERE attempts.id = %s AND questions.id = %s
        ON CONFLICT (attempt_id, question_id) DO UPDATE SET answer = excluded.answer, saved_at = now()
        RETURNING id, attempt_id, question_id, answer, status, saved_at, submitted_at
        """,
        storable(answer),
        attempt_id,
        question_id,
    )
    if draft is None:
        raise NotFound(f"question {question_id} of attempt {attempt_id}")
    return draft


def storable(text: str) -> str:
    """The text with what PostgreSQL cannot hold (NUL, unpaired surrogates) replaced by U+FFFD."""
    return text.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def hand_in(
    connection: Connection,
    attempt_id: int,
    *,
    explanation_wait_seconds: int = 60,
    submitted_at: datetime | None = None,
) -> list[int]:
    """Close the attempt and receive its answers; the ids of the submissions that wait for grading now.

    ``submitted_at``: when it was handed in, ``None``: now. A blank draft is no submission: the question stays
    unanswered and counts 0. Raises :class:`AlreadyDone` the second time.
    """
    closed = fetch_value(
        connection,
        "UPDATE attempts SET status = 'SUBMITTED', submitted_at = coalesce(%s, now())"
        " WHERE id = %s AND status = 'OPEN' RETURNING id",
        submitted_at,
        attempt_id,
    )
    if closed is None:
        raise AlreadyDone(f"attempt {attempt_id} is not open")
    connection.execute(r"DELETE FROM submissions WHERE attempt_id = %s AND answer !~ '\S'", (attempt_id,))
    received = connection.execute(
        """
        UPDATE submissions SET status = 'RECEIVED', submitted_at = now()
        WHERE attempt_id = %s AND status = 'DRAFT' RETURNING id
        """,
        (attempt_id,),
    ).fetchall()
    if not received:  # Nothing was answered: nothing to wait for.
        finish_attempt(connection, attempt_id, explanation_wait_seconds=explanation_wait_seconds)
    return sorted(row[0] for row in received)


# Grading -----------------------------------------------------------------------------------------------------------


def begin_grading(connection: Connection, submission_id: int) -> bool:
    """Count a try before it is made, so that an answer that kills the worker is noticed; ``False``: nothing to do.

    After five tries the submission is STUCK: it waits for a person instead of killing workers for ever.
    """
    status = fetch_value(
        connection,
        """
        UPDATE submissions SET
            grading_tries = grading_tries + 1,
            status = CASE WHEN grading_tries >= %s THEN 'STUCK' ELSE status END
        WHERE id = (SELECT id FROM submissions WHERE id = %s AND status = 'RECEIVED' FOR UPDATE SKIP LOCKED)
        RETURNING status
        """,
        MAX_GRADING_TRIES,
        submission_id,
    )
    return status == "RECEIVED"


def lock_for_grading(connection: Connection, submission_id: int) -> GradingWork | None:
    """The submission if it still waits and no other worker has it; the lock lasts until the transaction ends."""
    return fetch_one(
        connection,
        GradingWork,
        """
        SELECT submissions.id AS submission_id, submissions.attempt_id, submissions.question_id, attempts.quiz_id,
            submissions.answer, questions.max_points
        FROM submissions
        JOIN attempts ON attempts.id = submissions.attempt_id
        JOIN questions ON questions.id = submissions.question_id
        WHERE submissions.id = %s AND submissions.status = 'RECEIVED'
        FOR UPDATE OF submissions SKIP LOCKED
        """,
        submission_id,
    )


def retry_stuck(connection: Connection) -> int:
    """Let workers try again what was stuck, after whatever broke them was mended; how many answers."""
    return connection.execute(
        "UPDATE submissions SET status = 'RECEIVED', grading_tries = 0 WHERE status = 'STUCK'"
    ).rowcount


def mark_graded(connection: Connection, submission_id: int) -> None:
    """The submission has its grade."""
    connection.execute("UPDATE submissions SET status = 'GRADED' WHERE id = %s", (submission_id,))


def list_waiting(connection: Connection, limit: int = 500) -> list[tuple[int, int]]:
    """(registration, submission) of what waits for grading, oldest first: what the sweep wakes."""
    return connection.execute(
        "SELECT registration_id, id FROM submissions WHERE status = 'RECEIVED' ORDER BY submitted_at LIMIT %s", (limit,)
    ).fetchall()
