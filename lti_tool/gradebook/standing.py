"""Whether an attempt counts, and opening one again. An attempt that was handed in is never changed itself."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import Connection

from lti_tool.db import fetch_one, fetch_value
from lti_tool.errors import NotFound
from lti_tool.gradebook.decisions import DecisionRefused
from lti_tool.gradebook.outbox import queue_delivery, withdraw_deliveries
from lti_tool.launch.audit import record_event
from lti_tool.submissions.store import Attempt, find_attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopening:
    """The attempt that goes on with another one. ``is_begun``: its answers are no longer those that it began with."""

    id: int
    number: int
    status: str
    is_begun: bool


def excuse_attempt(connection: Connection, attempt_id: int, *, reason: str, user_id: int) -> None:
    """The attempt does not count; what counts of the student's others now is sent, and what waits of this one is not.

    A score that was delivered stays in the gradebook if nothing else counts: nothing is ever cleared there. Raises
    :class:`DecisionRefused` for a try of an instructor.
    """
    attempt = _lock(connection, attempt_id)
    if attempt.excused_at is not None:
        return
    connection.execute("UPDATE attempts SET excused_at = now() WHERE id = %s", (attempt_id,))
    _record(connection, "ATTEMPT_EXCUSED", attempt, user_id, {"reason": reason})
    queue_delivery(connection, attempt_id, wait_seconds=0)
    withdraw_deliveries(connection, attempt_id)


def count_again(connection: Connection, attempt_id: int, *, user_id: int) -> None:
    """An excused attempt counts like any other again."""
    attempt = _lock(connection, attempt_id)
    if attempt.excused_at is None:
        return
    connection.execute("UPDATE attempts SET excused_at = NULL WHERE id = %s", (attempt_id,))
    _record(connection, "ATTEMPT_COUNTED_AGAIN", attempt, user_id, {})
    queue_delivery(connection, attempt_id, wait_seconds=0)


def find_reopening(connection: Connection, attempt_id: int) -> Reopening | None:
    """The attempt that goes on with this one."""
    return fetch_one(
        connection,
        Reopening,
        r"""
        SELECT again.id, again.number, again.status,
            EXISTS (
                SELECT 1 FROM (SELECT * FROM submissions WHERE attempt_id = again.reopened_from) AS old
                FULL JOIN (SELECT * FROM submissions WHERE attempt_id = again.id) AS new USING (question_id)
                WHERE coalesce(old.answer, '') <> coalesce(new.answer, '')
            ) AS is_begun
        FROM attempts AS again WHERE again.reopened_from = %s
        """,
        attempt_id,
    )


def reopen_attempt(connection: Connection, attempt_id: int, *, reason: str, keeps_due_date: bool, user_id: int) -> int:
    """Let the student go on with what was handed in: a new open attempt that begins with its answers; its id.

    The old one counts until the new one is graded. A due date that has passed stays only with ``keeps_due_date``, and
    never where the quiz closes then. Raises :class:`DecisionRefused` for a try of an instructor, an attempt that is
    open or was opened again before, while the student answers another one, and for a quiz that is no longer there.
    """
    found = find_attempt(connection, attempt_id)
    if found is None:
        raise NotFound(f"attempt {attempt_id}")
    # As when a student begins one: two at once come one after the other.
    connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"attempt {found.resource_link_id} {found.user_id}",)
    )
    attempt = _lock(connection, attempt_id)
    _require_reopenable(connection, attempt)
    again = fetch_value(
        connection,
        """
        INSERT INTO attempts (resource_link_id, user_id, quiz_id, number, due_at, reopened_from)
        SELECT attempts.resource_link_id, attempts.user_id, attempts.quiz_id,
            (
                SELECT 1 + max(number) FROM attempts AS each
                WHERE each.resource_link_id = attempts.resource_link_id AND each.user_id = attempts.user_id
            ),
            CASE WHEN attempts.due_at > now() OR (%s AND quizzes.late_rule <> 'CLOSE') THEN attempts.due_at END,
            attempts.id
        FROM attempts JOIN quizzes ON quizzes.id = attempts.quiz_id WHERE attempts.id = %s RETURNING id
        """,
        keeps_due_date,
        attempt_id,
    )
    assert isinstance(again, int)
    connection.execute(
        """
        INSERT INTO submissions (attempt_id, question_id, answer)
        SELECT %s, question_id, answer FROM submissions WHERE attempt_id = %s AND answer <> ''
        """,
        (again, attempt_id),
    )
    _record(connection, "ATTEMPT_REOPENED", attempt, user_id, {"reason": reason, "new_attempt_id": again})
    return again


def withdraw_reopening(connection: Connection, attempt_id: int, *, user_id: int) -> None:
    """Take back that the attempt was opened again, as long as the student has changed nothing.

    Raises :class:`DecisionRefused` otherwise.
    """
    attempt = _lock(connection, attempt_id)
    again = find_reopening(connection, attempt_id)
    if again is None:
        raise DecisionRefused(f"attempt {attempt_id} was not opened again")
    # A draft that is saved at this moment is waited for, and looked at after that.
    connection.execute("SELECT 1 FROM attempts WHERE id = %s FOR UPDATE", (again.id,))
    again = find_reopening(connection, attempt_id)
    if again is None or again.status != "OPEN" or again.is_begun:
        raise DecisionRefused(
            f"the attempt after {attempt_id} is in use",
            instructor_text="The student has changed an answer since, so the attempt stays open to them.",
        )
    connection.execute("DELETE FROM submissions WHERE attempt_id = %s", (again.id,))
    connection.execute("DELETE FROM attempts WHERE id = %s", (again.id,))
    _record(connection, "REOPENING_WITHDRAWN", attempt, user_id, {"new_attempt_id": again.id})


def _require_reopenable(connection: Connection, attempt: Attempt) -> None:
    if attempt.status == "OPEN":
        raise DecisionRefused(f"attempt {attempt.id} is open", instructor_text="The attempt is open still.")
    if find_reopening(connection, attempt.id) is not None:
        raise DecisionRefused(
            f"attempt {attempt.id} was opened again", instructor_text="This attempt was opened again before."
        )
    placed = fetch_value(connection, "SELECT quiz_id FROM resource_links WHERE id = %s", attempt.resource_link_id)
    if placed != attempt.quiz_id:
        raise DecisionRefused(
            f"resource link {attempt.resource_link_id} has quiz {placed}",
            instructor_text="This activity has another quiz now, so the student could not get to the attempt.",
        )
    is_answering = fetch_value(
        connection,
        """
        SELECT true FROM attempts
        WHERE resource_link_id = %s AND user_id = %s AND quiz_id = %s AND NOT is_preview AND status = 'OPEN'
        """,
        attempt.resource_link_id,
        attempt.user_id,
        attempt.quiz_id,
    )
    if is_answering:
        raise DecisionRefused(
            f"user {attempt.user_id} has an open attempt",
            instructor_text="The student is answering another attempt now. Only one can be open at a time.",
        )


def _lock(connection: Connection, attempt_id: int) -> Attempt:
    """The attempt as it is now; nothing about it is decided or graded meanwhile."""
    connection.execute("SELECT 1 FROM attempts WHERE id = %s FOR NO KEY UPDATE", (attempt_id,))
    attempt = find_attempt(connection, attempt_id)
    if attempt is None:
        raise NotFound(f"attempt {attempt_id}")
    if attempt.is_preview:
        raise DecisionRefused(
            f"attempt {attempt_id} is a preview",
            instructor_text="This was a try. It counts nowhere, so it stays as it is.",
        )
    return attempt


def _record(connection: Connection, event: str, attempt: Attempt, user_id: int, more: dict[str, int | str]) -> None:
    registration_id = fetch_value(connection, "SELECT registration_id FROM attempts WHERE id = %s", attempt.id)
    assert isinstance(registration_id, int)
    record_event(
        connection,
        event,
        registration_id=registration_id,
        user_id=user_id,
        facts={"attempt_id": attempt.id, "resource_link_id": attempt.resource_link_id, **more},
    )
