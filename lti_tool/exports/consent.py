"""Consent in PostgreSQL: what a course allows, and what a student chose in it. Every change is in the audit.

::

    course        student said nothing   said yes    said no
    NO            –                      –           –
    ASK_STUDENTS  –                      exported    –
    YES_COURSE    exported               exported    –

Who was asked and said nothing did not agree: in a course that ever asked, YES_COURSE takes of them only attempts that
began after it was set. The page of such an attempt tells them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, LiteralString

from psycopg import Connection

from lti_tool.db import fetch_all, fetch_one
from lti_tool.errors import NotFound
from lti_tool.exports.errors import ConsentNotAsked
from lti_tool.launch.audit import record_event
from lti_tool.launch.roles import Role
from lti_tool.launch.sessions import LaunchSession

AnswerUse = Literal["NO", "ASK_STUDENTS", "YES_COURSE"]
Choice = Literal["YES", "NO"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseUse:
    """What a course allows; ``user_*`` is who said so, ``None`` where nobody ever did.

    ``has_asked``: whether it asks its students, or ever did.
    """

    answer_use: AnswerUse
    has_asked: bool
    changed_at: datetime | None
    user_id: int | None
    user_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentChoice:
    """What a student chose in a course, beside what the course allows; ``choice`` is ``None`` before.

    ``used_since``: only attempts that began then or later are used; ``None``: no such bound.
    """

    context_id: int
    course: str
    answer_use: AnswerUse
    choice: Choice | None
    chosen_at: datetime | None
    used_since: datetime | None

    @property
    def is_asked(self) -> bool:
        """Whether the course asks and the student has not said anything yet."""
        return self.answer_use == "ASK_STUDENTS" and self.choice is None

    @property
    def is_used(self) -> bool:
        """Whether answers of the student may be exported."""
        return (self.answer_use == "ASK_STUDENTS" and self.choice == "YES") or (
            self.answer_use == "YES_COURSE" and self.choice != "NO"
        )

    @property
    def concerns(self) -> bool:
        """Whether there is anything to tell the student: of a course that says no only a yes that could count again."""
        return self.answer_use != "NO" or self.choice == "YES"


_CHOICES: LiteralString = """
    SELECT contexts.id AS context_id, contexts.title AS course, contexts.answer_use, consents.choice,
        consents.chosen_at,
        CASE
            WHEN contexts.answer_use = 'YES_COURSE' AND contexts.has_asked AND consents.choice IS NULL
                THEN contexts.answer_use_at
        END AS used_since
    FROM contexts LEFT JOIN consents ON consents.context_id = contexts.id AND consents.user_id = %s
"""
_OF_STUDENT: LiteralString = """
    WHERE consents.choice IS NOT NULL OR EXISTS (
        SELECT 1 FROM attempts JOIN resource_links ON resource_links.id = attempts.resource_link_id
        WHERE attempts.user_id = %s AND resource_links.context_id = contexts.id
    )
    ORDER BY lower(contexts.title), contexts.id
"""


def get_course_use(connection: Connection, context_id: int) -> CourseUse:
    """What the course allows now. Raises :class:`NotFound`."""
    found = fetch_one(
        connection,
        CourseUse,
        """
        SELECT contexts.answer_use, contexts.has_asked, contexts.answer_use_at AS changed_at,
            users.id AS user_id, users.name AS user_name
        FROM contexts LEFT JOIN users ON users.id = contexts.answer_use_by WHERE contexts.id = %s
        """,
        context_id,
    )
    if found is None:
        raise NotFound(f"context {context_id}")
    return found


def set_course_use(
    connection: Connection, context_id: int, answer_use: AnswerUse, *, registration_id: int, user_id: int
) -> None:
    """Let the course allow this from now on; what students chose stays."""
    # Two instructors at once come one after the other, so that the audit tells what really was before.
    connection.execute("SELECT 1 FROM contexts WHERE id = %s FOR NO KEY UPDATE", (context_id,))
    before = get_course_use(connection, context_id).answer_use
    if before == answer_use:
        return
    connection.execute(
        "UPDATE contexts SET answer_use = %s, answer_use_by = %s, answer_use_at = now(),"
        " has_asked = has_asked OR %s = 'ASK_STUDENTS' WHERE id = %s",
        (answer_use, user_id, answer_use, context_id),
    )
    record_event(
        connection,
        "ANSWER_USE_CHANGED",
        registration_id=registration_id,
        user_id=user_id,
        facts={"context_id": context_id, "answer_use": f"{before} → {answer_use}"},
    )


def get_choice(connection: Connection, context_id: int, user_id: int) -> StudentChoice:
    """What the student chose in the course. Raises :class:`NotFound` for a course that is not there."""
    found = fetch_one(
        connection,
        StudentChoice,
        _CHOICES + " WHERE contexts.id = %s",
        user_id,
        context_id,
    )
    if found is None:
        raise NotFound(f"context {context_id}")
    return found


def choice_to_show(
    connection: Connection, session: LaunchSession, *, just_chosen: bool = False
) -> StudentChoice | None:
    """What pages tell this person about the use of their answers; ``None``: nothing, as for everyone who only tries.

    Whoever has ``just_chosen`` is told what holds now, even where the course meanwhile stopped asking.
    """
    if session.role is not Role.LEARNER or session.is_test_user:
        return None
    choice = get_choice(connection, session.context_id, session.user_id)
    return choice if choice.concerns or (just_chosen and choice.choice is not None) else None


def list_choices(connection: Connection, user_id: int) -> list[StudentChoice]:
    """The courses in which the student answered or chose something, by title."""
    return fetch_all(
        connection,
        StudentChoice,
        _CHOICES + _OF_STUDENT,
        user_id,
        user_id,
    )


def record_choice(
    connection: Connection,
    context_id: int,
    choice: Choice,
    *,
    registration_id: int,
    user_id: int,
    by: Literal["student", "operator"] = "student",
) -> None:
    """The student says yes or no in the course. Raises :class:`ConsentNotAsked` for a yes where the course says no."""
    before = get_choice(connection, context_id, user_id)
    if choice == "YES" and before.answer_use == "NO":
        raise ConsentNotAsked(f"context {context_id} does not ask")
    if before.choice == choice:
        return
    connection.execute(
        """
        INSERT INTO consents (registration_id, context_id, user_id, choice) VALUES (%s, %s, %s, %s)
        ON CONFLICT (context_id, user_id) DO UPDATE SET choice = EXCLUDED.choice, chosen_at = now()
        """,
        (registration_id, context_id, user_id, choice),
    )
    record_event(
        connection,
        "CONSENT_GIVEN" if choice == "YES" else "CONSENT_REFUSED" if before.choice is None else "CONSENT_WITHDRAWN",
        registration_id=registration_id,
        user_id=user_id,
        facts={"context_id": context_id, "by": by},
    )
