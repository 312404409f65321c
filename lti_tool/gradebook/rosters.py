"""Class lists in PostgreSQL, and who of them has not answered yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg import Connection
from psycopg.types.json import Jsonb

from lti_tool.db import fetch_all, fetch_one, fetch_value
from lti_tool.gradebook.roster import Member
from lti_tool.launch.roles import Role

Problem = Literal["AWAY", "NOT_ALLOWED", "REFUSED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """A course's class list: of when it is, whether it is due to be asked for, and why the last try brought none."""

    fetched_at: datetime | None
    problem: Problem | None
    is_awaited: bool
    is_due: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """A student of the class list at one placement; ``user_id`` is ``None`` for whoever never opened the tool."""

    user_sub: str
    name: str | None
    user_id: int | None
    has_begun: bool
    has_answered: bool


def find_roster(connection: Connection, context_id: int) -> Roster | None:
    """The class list of a course, if it was ever asked for.

    It is due ten minutes after it came, after a failure that may pass as soon as it may be asked for again.
    """
    return fetch_one(
        connection,
        Roster,
        """
        SELECT fetched_at, problem,
            problem IS NULL AND coalesce(fetched_at < asked_at, true) AND asked_at > now() - interval '1 minute'
                AS is_awaited,
            asked_at < now() - interval '1 minute' AND (
                CASE WHEN problem IS NULL OR problem = 'AWAY' THEN
                    coalesce(fetched_at < asked_at, true) OR fetched_at < now() - interval '10 minutes'
                ELSE asked_at < now() - interval '10 minutes' END
            ) AS is_due
        FROM rosters WHERE context_id = %s
        """,
        context_id,
    )


def begin_asking(connection: Connection, context_id: int) -> bool:
    """Whether the platform may be asked now: a course once a minute, whoever asks."""
    begun = fetch_value(
        connection,
        """
        INSERT INTO rosters AS known (context_id) VALUES (%s)
        ON CONFLICT (context_id) DO UPDATE SET asked_at = now(), problem = NULL
            WHERE known.asked_at < now() - interval '1 minute'
        RETURNING context_id
        """,
        context_id,
    )
    return begun is not None


def record_members(connection: Connection, context_id: int, members: Sequence[Member]) -> None:
    """Keep the students of a class list; nobody else is stored."""
    students = [
        {"sub": member.user_sub, "name": member.name}
        for member in members
        if member.role is Role.LEARNER and not member.is_test_user
    ]
    connection.execute(
        """
        UPDATE rosters SET members = %s, fetched_at = clock_timestamp(), problem = NULL WHERE context_id = %s
        """,
        (Jsonb(students), context_id),
    )


def record_problem(connection: Connection, context_id: int, problem: Problem) -> None:
    """No list came; the last one stays."""
    connection.execute("UPDATE rosters SET problem = %s WHERE context_id = %s", (problem, context_id))


def list_students(connection: Connection, context_id: int, resource_link_id: int) -> list[Student]:
    """The students of the last class list, with what they did at one placement; the platform's test user is none."""
    return fetch_all(
        connection,
        Student,
        """
        SELECT member.sub AS user_sub, coalesce(member.name, users.name) AS name, users.id AS user_id,
            EXISTS (SELECT 1 FROM attempts WHERE attempts.user_id = users.id
                AND attempts.resource_link_id = %s AND NOT attempts.is_preview) AS has_begun,
            EXISTS (SELECT 1 FROM attempts WHERE attempts.user_id = users.id
                AND attempts.resource_link_id = %s AND NOT attempts.is_preview
                AND attempts.status <> 'OPEN') AS has_answered
        FROM rosters
        CROSS JOIN LATERAL jsonb_to_recordset(rosters.members) AS member (sub text, name text)
        LEFT JOIN users ON users.registration_id = rosters.registration_id AND users.sub = member.sub
        WHERE rosters.context_id = %s AND NOT coalesce(users.is_test_user, false)
        ORDER BY lower(coalesce(member.name, users.name)) NULLS LAST, users.id, member.sub
        """,
        resource_link_id,
        resource_link_id,
        context_id,
    )
