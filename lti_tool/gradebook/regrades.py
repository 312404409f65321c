"""Grading again in PostgreSQL: answers whose new scores are computed beside the grades, to be looked at first.

Computing is in ``regrade_items.py``, what would change in ``regrade_changes.py``, applying in ``regrade_decisions.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from psycopg import Connection
from psycopg.errors import UniqueViolation

from lti_tool.db import fetch_all, fetch_one, fetch_value
from lti_tool.gradebook.errors import NothingToRegrade, RegradeOpen


@dataclass(frozen=True, slots=True, kw_only=True)
class Regrade:
    """Answers of one placement being graded again; ``question_id`` is ``None`` for the whole quiz.

    ``finished_at``: when it was applied or discarded. Of ``answer_count`` answers ``computed_count`` are through, the
    last one at ``computed_at``.
    """

    id: int
    registration_id: int
    resource_link_id: int
    quiz_id: UUID
    question_id: int | None
    status: Literal["COMPUTING", "READY", "APPLIED", "DISCARDED"]
    reason: str
    created_at: datetime
    finished_at: datetime | None
    answer_count: int
    computed_count: int
    computed_at: datetime | None

    @property
    def mark(self) -> str:
        """What tells these new scores from others that are computed later: a page carries it along."""
        return self.computed_at.isoformat() if self.computed_at else ""

    @property
    def is_open(self) -> bool:
        """Neither applied nor discarded yet."""
        return self.finished_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionCount:
    """How many answers have their latest score from these versions of the grader (names as in ``grades.versions``)."""

    versions: dict[str, str]
    answer_count: int


def start_regrade(
    connection: Connection,
    *,
    resource_link_id: int,
    quiz_id: UUID,
    question_id: int | None,
    user_id: int,
    reason: str = "",
) -> int:
    """Take up every scored answer of the placement's students to the question, or to all; the regrade's id.

    Answers to tries by instructors and test users are left out, and so are STUCK ones: they have no score yet, and
    ``mlquiz submissions retry`` gives them one. Those that an instructor scored are computed too; applying leaves them
    as they are unless asked otherwise. Raises :class:`RegradeOpen` while another one is open in the placement, and
    :class:`NothingToRegrade`.
    """
    try:
        with connection.transaction():
            regrade_id = fetch_value(
                connection,
                "INSERT INTO regrades (resource_link_id, quiz_id, question_id, created_by, reason)"
                " VALUES (%s, %s, %s, %s, %s) RETURNING id",
                resource_link_id,
                quiz_id,
                question_id,
                user_id,
                reason,
            )
    except UniqueViolation as error:
        raise RegradeOpen(f"resource link {resource_link_id} has an open regrade") from error
    assert isinstance(regrade_id, int)  # RETURNING always has a row
    taken = connection.execute(
        """
        INSERT INTO regrade_items (regrade_id, submission_id, old_grade_id)
        SELECT %(regrade)s, submissions.id, latest.id
        FROM submissions
        JOIN attempts ON attempts.id = submissions.attempt_id
        JOIN users ON users.id = attempts.user_id
        CROSS JOIN LATERAL (
            SELECT id FROM grades WHERE grades.submission_id = submissions.id ORDER BY id DESC LIMIT 1
        ) AS latest
        WHERE attempts.resource_link_id = %(link)s AND attempts.quiz_id = %(quiz)s AND submissions.status = 'GRADED'
            AND NOT attempts.is_preview AND NOT users.is_test_user AND users.erased_at IS NULL
            AND (%(question)s::bigint IS NULL OR submissions.question_id = %(question)s)
        """,
        {"regrade": regrade_id, "link": resource_link_id, "quiz": quiz_id, "question": question_id},
    ).rowcount
    if not taken:
        raise NothingToRegrade(f"resource link {resource_link_id} has no scored answer")
    return regrade_id


def find_regrade(connection: Connection, regrade_id: int) -> Regrade | None:
    """The regrade with this id."""
    return fetch_one(connection, Regrade, _REGRADES + " WHERE regrades.id = %s", regrade_id)


def find_newest_regrade(connection: Connection, resource_link_id: int) -> Regrade | None:
    """The placement's latest regrade: the only one that may be open."""
    return fetch_one(
        connection,
        Regrade,
        _REGRADES + " WHERE resource_link_id = %s ORDER BY regrades.id DESC LIMIT 1",
        resource_link_id,
    )


_REGRADES = """
    SELECT regrades.id, registration_id, resource_link_id, quiz_id, question_id, status, reason, created_at,
        finished_at, counts.answer_count, counts.computed_count, counts.computed_at
    FROM regrades
    CROSS JOIN LATERAL (
        SELECT count(*) AS answer_count, count(computed_at) AS computed_count, max(computed_at) AS computed_at
        FROM regrade_items WHERE regrade_id = regrades.id
    ) AS counts
"""


def list_versions(connection: Connection, resource_link_id: int, quiz_id: UUID) -> list[VersionCount]:
    """With which versions of the grader the placement's answers have their scores, the most frequent first."""
    return fetch_all(
        connection,
        VersionCount,
        """
        SELECT latest.versions, count(*) AS answer_count
        FROM submissions
        JOIN attempts ON attempts.id = submissions.attempt_id
        JOIN users ON users.id = attempts.user_id
        CROSS JOIN LATERAL (
            SELECT source, versions FROM grades WHERE grades.submission_id = submissions.id ORDER BY id DESC LIMIT 1
        ) AS latest
        WHERE attempts.resource_link_id = %s AND attempts.quiz_id = %s AND submissions.status = 'GRADED'
            AND NOT attempts.is_preview AND NOT users.is_test_user AND latest.source = 'MODEL'
        GROUP BY latest.versions ORDER BY count(*) DESC, latest.versions::text LIMIT 5
        """,
        resource_link_id,
        quiz_id,
    )


def list_new_versions(connection: Connection, regrade_id: int) -> list[VersionCount]:
    """The versions of the grader that the new scores come from."""
    return fetch_all(
        connection,
        VersionCount,
        "SELECT versions, count(*) AS answer_count FROM regrade_items WHERE regrade_id = %s AND versions IS NOT NULL"
        " GROUP BY versions ORDER BY count(*) DESC, versions::text LIMIT 5",
        regrade_id,
    )
