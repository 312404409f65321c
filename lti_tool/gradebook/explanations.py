"""The instructor's power over an explanation: a text of their own, new or again, the machine's again, or as it stands.

The score stays what it is, and whose it is. Locks are taken as in :mod:`lti_tool.gradebook.decisions`, and then that of
the grade's texts, so that no worker puts the language model's words over the instructor's.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import Connection

from lti_tool.db import fetch_one, fetch_value
from lti_tool.errors import NotFound
from lti_tool.gradebook.decisions import DecisionRefused, LockedAnswer, lock_answer, record_decision
from lti_tool.gradebook.explanation_store import (
    add_explanation,
    copy_explanation,
    latest_explanation_id,
    lock_explanations,
    machine_explanation_id,
)
from lti_tool.gradebook.outbox import queue_delivery
from lti_tool.submissions.ratings import keep_as_it_is
from lti_tool.submissions.store import Attempt


class ExplanationChangedMeanwhile(DecisionRefused):
    """Another text took the place of the one that the page showed."""

    instructor_text = (
        "This explanation was changed while the page was open. The new one is shown now; what you typed is kept below."
        " Look at it, then save again if you still mean it."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A text of an answer as a page showed it."""

    id: int
    grade_id: int


def edit_explanation(
    connection: Connection, attempt: Attempt, question_id: int, *, text: str, seen_explanation: int, user_id: int
) -> None:
    """Show this text of the instructor in place of the one that was seen; the gradebook's comment follows.

    Raises :class:`ExplanationChangedMeanwhile`, what :func:`lti_tool.gradebook.decisions.lock_answer` raises, and
    :class:`NotFound` for a text of another answer.
    """
    answer, seen = _lock_text(connection, attempt, question_id, seen_explanation)
    add_explanation(connection, seen.grade_id, "INSTRUCTOR", text)
    _give_up_rewording(connection, seen.grade_id)
    _send_again(connection, attempt)
    record_decision(connection, "EXPLANATION_EDITED", attempt, answer, seen.grade_id, user_id)


def restore_explanation(
    connection: Connection, attempt: Attempt, question_id: int, *, seen_explanation: int, user_id: int
) -> None:
    """Show the machine's latest text for this score again, with what the student said about it.

    Raises what :func:`edit_explanation` raises, and :class:`DecisionRefused` where there is none to go back to.
    """
    answer, seen = _lock_text(connection, attempt, question_id, seen_explanation)
    machine = machine_explanation_id(connection, seen.grade_id)
    if machine is None:
        raise DecisionRefused(
            f"grade {seen.grade_id} has no text of a machine",
            instructor_text="The machine has no text for this score. An earlier score in the history may have one.",
        )
    if machine == seen.id:
        raise DecisionRefused(f"explanation {machine} is shown", instructor_text="The machine's text is shown already.")
    copy_explanation(connection, machine, seen.grade_id)
    _send_again(connection, attempt)
    record_decision(connection, "EXPLANATION_RESTORED", attempt, answer, seen.grade_id, user_id)


def use_written_explanation(
    connection: Connection,
    attempt: Attempt,
    question_id: int,
    *,
    explanation_id: int,
    seen_explanation: int,
    user_id: int,
) -> None:
    """Show what an instructor wrote for this answer before, be it for another score, in place of what was seen.

    Raises what :func:`edit_explanation` raises, and :class:`NotFound` for any other text.
    """
    answer, seen = _lock_text(connection, attempt, question_id, seen_explanation)
    is_theirs = fetch_value(
        connection,
        """
        SELECT true FROM explanations JOIN grades ON grades.id = explanations.grade_id
        WHERE explanations.id = %s AND explanations.source = 'INSTRUCTOR' AND grades.submission_id = %s
        """,
        explanation_id,
        answer.submission_id,
    )
    if not is_theirs:
        raise NotFound(f"explanation {explanation_id} by an instructor for submission {answer.submission_id}")
    copy_explanation(connection, explanation_id, seen.grade_id)
    _give_up_rewording(connection, seen.grade_id)
    _send_again(connection, attempt)
    record_decision(
        connection,
        "EXPLANATION_EDITED",
        attempt,
        answer,
        seen.grade_id,
        user_id,
        {"earlier_explanation": explanation_id},
    )


def keep_explanation(
    connection: Connection, attempt: Attempt, question_id: int, *, seen_explanation: int, user_id: int
) -> None:
    """Let a text stand that its student calls wrong: it asks for nobody any more. Raises as the others do."""
    answer, seen = _lock_text(connection, attempt, question_id, seen_explanation)
    if not keep_as_it_is(connection, seen.id):
        raise DecisionRefused(
            f"nobody calls explanation {seen.id} wrong",
            instructor_text="Nobody calls this explanation wrong any more, or a colleague let it stand already.",
        )
    record_decision(connection, "EXPLANATION_KEPT", attempt, answer, seen.grade_id, user_id)


def _lock_text(
    connection: Connection, attempt: Attempt, question_id: int, seen_explanation: int
) -> tuple[LockedAnswer, _Seen]:
    """The answer, its attempt and its texts, locked until the transaction ends, if this text is the one shown."""
    seen = fetch_one(
        connection,
        _Seen,
        """
        SELECT explanations.id, explanations.grade_id
        FROM explanations
        JOIN grades ON grades.id = explanations.grade_id
        JOIN submissions ON submissions.id = grades.submission_id
        WHERE explanations.id = %s AND submissions.attempt_id = %s AND submissions.question_id = %s
        """,
        seen_explanation,
        attempt.id,
        question_id,
    )
    if seen is None:
        raise NotFound(f"explanation {seen_explanation} of question {question_id} in attempt {attempt.id}")
    answer = lock_answer(connection, attempt, question_id, seen.grade_id)
    lock_explanations(connection, seen.grade_id)
    latest = latest_explanation_id(connection, seen.grade_id)
    if latest != seen.id:
        raise ExplanationChangedMeanwhile(f"explanation {latest} is shown, not {seen.id}")
    return answer, seen


def _give_up_rewording(connection: Connection, grade_id: int) -> None:
    """The language model need not word it any more; a worker that does so at this moment finds the text when done."""
    connection.execute(
        """
        UPDATE rewordings SET outcome = 'NOT_WANTED', finished_at = now()
        WHERE grade_id IN (
            SELECT grade_id FROM rewordings WHERE grade_id = %s AND outcome = 'PENDING' FOR UPDATE SKIP LOCKED
        )
        """,
        (grade_id,),
    )


def _send_again(connection: Connection, attempt: Attempt) -> None:
    """The score goes with the new comment, unless the comment holds no explanations yet."""
    is_explained = fetch_value(
        connection,
        """
        SELECT (quizzes.explanations_shown <> 'AFTER_APPROVAL' OR attempts.approval = 'APPROVED')
            AND (quizzes.explanations_shown <> 'AFTER_DUE' OR coalesce(attempts.due_at <= now(), true))
        FROM attempts JOIN quizzes ON quizzes.id = attempts.quiz_id WHERE attempts.id = %s
        """,
        attempt.id,
    )
    if is_explained:
        queue_delivery(connection, attempt.id, wait_seconds=0, has_new_comment=True)
