"""Scores that could not be delivered: which they are, and what an instructor decided about them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from psycopg import Connection

from lti_tool.db import fetch_one
from lti_tool.gradebook.errors import words_of_the_lms
from lti_tool.gradebook.outbox import resend_parked
from lti_tool.launch.audit import record_event


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedScore:
    """The newest score of a student, which could not be delivered; what kept it is ``parked_because``."""

    id: int
    registration_id: int
    resource_link_id: int
    attempt_id: int
    line_item_url: str
    user_sub: str
    score_given: Decimal
    score_maximum: Decimal
    parked_because: str
    last_error: str | None

    @property
    def lms_words(self) -> str | None:
        """What the LMS itself said, if anything."""
        return words_of_the_lms(self.last_error)


def find_parked(connection: Connection, attempt_id: int) -> ParkedScore | None:
    """The parked score made of this attempt, unless the student has a newer one."""
    return fetch_one(
        connection,
        ParkedScore,
        """
        SELECT deliveries.id, deliveries.registration_id, attempts.resource_link_id, deliveries.attempt_id,
            deliveries.line_item_url, users.sub AS user_sub, deliveries.score_given, deliveries.score_maximum,
            deliveries.parked_because, deliveries.last_error
        FROM deliveries
        JOIN attempts ON attempts.id = deliveries.attempt_id
        JOIN users ON users.id = deliveries.user_id
        WHERE deliveries.attempt_id = %s AND deliveries.status = 'PARKED' AND NOT EXISTS (
            SELECT 1 FROM deliveries AS newer
            WHERE newer.line_item_url = deliveries.line_item_url AND newer.user_id = deliveries.user_id
                AND newer.version > deliveries.version
        )
        ORDER BY deliveries.id DESC LIMIT 1
        """,
        attempt_id,
    )


def list_resendable(connection: Connection, resource_link_id: int) -> list[int]:
    """Ids of the parked scores of a placement that another try may deliver: none that was changed in the LMS."""
    rows = connection.execute(
        """
        SELECT deliveries.id FROM deliveries JOIN attempts ON attempts.id = deliveries.attempt_id
        WHERE attempts.resource_link_id = %s AND deliveries.status = 'PARKED'
            AND deliveries.parked_because <> 'CHANGED_IN_LMS'
        ORDER BY deliveries.id
        """,
        (resource_link_id,),
    ).fetchall()
    return [row[0] for row in rows]


def send_again(connection: Connection, delivery_ids: list[int], *, user_id: int) -> list[int]:
    """Try these parked scores once more, without replacing what somebody entered; ids of those that are due now.

    ``user_id``: who asked for it, for the record.
    """
    return resend_parked(connection, delivery_ids, overwrites=False, actor=actor_name(user_id))


def leave(connection: Connection, parked: ParkedScore, *, user_id: int) -> None:
    """An instructor decides that the grade in the LMS stands. The score stays parked, and no longer asks for anyone.

    The decision is about this version as it is parked now: one that is parked later asks again.
    """
    _record(connection, "LMS_GRADE_LEFT", parked, user_id, {})


def replace(connection: Connection, parked: ParkedScore, *, lms_grade: str, user_id: int) -> list[int]:
    """An instructor lets the score take the place of the grade in the LMS (``lms_grade``, as it was shown)."""
    resent = resend_parked(connection, [parked.id], overwrites=True, actor=actor_name(user_id))
    if resent:
        _record(connection, "LMS_GRADE_REPLACED", parked, user_id, {"lms_grade": lms_grade})
    return resent


def actor_name(user_id: int) -> str:
    """Who did something, in the trail of a delivery: a number of a row, no name. The record shows whose it is."""
    return f"user {user_id}"


def _record(connection: Connection, event: str, parked: ParkedScore, user_id: int, more: dict[str, int | str]) -> None:
    record_event(
        connection,
        event,
        registration_id=parked.registration_id,
        user_id=user_id,
        facts={
            "attempt_id": parked.attempt_id,
            "resource_link_id": parked.resource_link_id,
            "delivery_id": parked.id,
            **more,
        },
    )
