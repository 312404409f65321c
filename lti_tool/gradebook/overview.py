"""The instructor's table of attempts: one row each with score, state and delivery, and what of them needs a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import get_args
from uuid import UUID

from psycopg import Connection

from grading.domain import Flag
from lti_tool.db import fetch_all
from lti_tool.gradebook.doubts import AnswerDoubt, list_doubts
from lti_tool.gradebook.errors import words_of_the_lms
from lti_tool.gradebook.review_queue import Choice, Show

#: From here on a table is some 60 KiB.
LONG_TABLE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewRow:
    """One attempt as the instructor's table shows it; without an answer yet the numbers are ``None``.

    ``delivery_*`` and ``parked_because`` are of the newest score made of it. One that is parked while a newer score of
    the student exists is SUPERSEDED here: nobody needs to mend it. ``is_left``: an instructor decided that the grade in
    the LMS stands. ``is_counted``: it takes part in the student's score by ``counted_attempt``, the quiz's policy.
    ``answers`` are those that were handed in.
    """

    attempt_id: int
    user_id: int
    user_name: str | None
    user_sub: str
    number: int
    status: str
    is_preview: bool
    submitted_at: datetime | None
    quiz_id: UUID
    counted_attempt: str
    explanations_shown: str
    points: Decimal | None
    max_points: Decimal
    stuck_answers: int
    flags: list[str]
    delivery_status: str | None
    delivery_error: str | None
    delivered_at: datetime | None
    delivery_tries: int | None
    delivery_id: int | None
    parked_because: str | None
    is_left: bool
    approval: str
    is_excused: bool
    reopened_from: int | None
    earned_points: Decimal
    deducted_percent: Decimal
    due_at: datetime | None
    is_counted: bool
    answers: tuple[AnswerDoubt, ...] = ()

    @property
    def is_waiting(self) -> bool:
        """It is scored, and neither shown nor sent before an instructor approves it."""
        return self.status == "GRADED" and self.approval == "NEEDED" and not self.is_excused

    @property
    def holds_explanation(self) -> bool:
        """Its score is out; its explanation waits for an instructor, as the quiz wants it."""
        is_free = self.status == "GRADED" and self.approval == "NOT_NEEDED" and not self.is_excused
        return is_free and self.explanations_shown == "AFTER_APPROVAL" and not self.is_preview

    @property
    def is_undelivered(self) -> bool:
        """Its score could not be delivered, and nobody has settled that yet."""
        return self.delivery_status == "PARKED" and not self.is_left

    @property
    def is_resendable(self) -> bool:
        """Sending it once more may help; where the grade was changed in the LMS, a person has to decide instead."""
        return self.is_undelivered and self.parked_because != "CHANGED_IN_LMS"

    @property
    def is_unsure(self) -> bool:
        """One of its answers deserves a look."""
        return any(self.is_doubtful(answer) for answer in self.answers)

    @property
    def needs_person(self) -> bool:
        """Somebody wrote that they are not well."""
        return Flag.NEEDS_PERSON in self.flags

    def is_doubtful(self, answer: AnswerDoubt) -> bool:
        """The machine failed on it; or it is unsure or contradicts itself, and nobody has settled the attempt."""
        is_settled = self.approval == "APPROVED" or self.is_excused
        return answer.is_stuck or ((answer.is_low or answer.disagrees) and not is_settled)

    @property
    def lms_words(self) -> str | None:
        """What the LMS itself said about the score, if anything."""
        return words_of_the_lms(self.delivery_error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All attempts of a placement, by student's name, and those of them that are asked for, as they are asked for."""

    all_rows: list[OverviewRow]
    choice: Choice = field(default_factory=Choice)

    @property
    def ordered(self) -> list[OverviewRow]:
        """All, in the order that is asked for; first in any order whoever needs a person."""
        if not self.choice.by_doubt:
            return sorted(self.all_rows, key=lambda row: not row.needs_person)
        widths = {row.attempt_id: max((each.width for each in self._asked(row)), default=-1.0) for row in self.all_rows}
        return sorted(self.all_rows, key=lambda row: (not row.needs_person, -widths[row.attempt_id]))

    @property
    def rows(self) -> list[OverviewRow]:
        """Those to be shown."""
        return [row for row in self.ordered if self.shows(row)]

    @property
    def counts(self) -> dict[Show, int]:
        """How many rows each kind has, of those with an answer to the question that is asked for."""
        return {show: sum(self.shows(row, show) for row in self.all_rows) for show in get_args(Show)}

    def shows(self, row: OverviewRow, show: Show | None = None) -> bool:
        """Whether a row is of the kind that is asked for, or of this one."""
        if self.choice.question_id is not None and not any(self._asked(row)):
            return False
        match show or self.choice.show:
            case "all":
                return True
            case "waiting":
                return row.is_waiting
            case "undelivered":
                return row.is_undelivered
            case "unsure":
                return any(row.is_doubtful(answer) for answer in self._asked(row))
            case "wrong":
                return any(answer.is_called_wrong for answer in self._asked(row))
            case "flagged":
                return any(answer.flags for answer in self._asked(row))
            case "changed":
                return any(answer.is_changed for answer in self._asked(row))

    def focus(self, row: OverviewRow) -> AnswerDoubt | None:
        """The answer that a row stands here for: that to the question, the most doubtful, or the one called wrong.

        ``None`` for a table by name.
        """
        if self.choice.show == "wrong":
            return next((answer for answer in self._asked(row) if answer.is_called_wrong), None)
        if self.choice.question_id is None and not self.choice.by_doubt:
            return None
        return max(self._asked(row), key=lambda answer: answer.width, default=None)

    def _asked(self, row: OverviewRow) -> Iterator[AnswerDoubt]:
        """Its answer to the question that is asked for, or all."""
        asked = self.choice.question_id
        return (answer for answer in row.answers if asked in (None, answer.question_id))

    @property
    def waiting_count(self) -> int:
        """How many attempts of all wait for an instructor's approval."""
        return sum(row.is_waiting for row in self.all_rows)

    @property
    def held_explanation_count(self) -> int:
        """How many attempts have their score out and their explanation held back."""
        return sum(row.holds_explanation for row in self.all_rows)

    @property
    def called_wrong_count(self) -> int:
        """How many explanations their students call wrong, so that an instructor should look."""
        return sum(answer.is_called_wrong for row in self.all_rows for answer in row.answers)

    @property
    def resendable_count(self) -> int:
        """How many scores could not be delivered, and may be with another try."""
        return sum(row.is_resendable for row in self.all_rows)

    @property
    def changed_count(self) -> int:
        """How many grades were changed in the LMS, so that an instructor has to decide."""
        return sum(row.is_undelivered and not row.is_resendable for row in self.all_rows)

    @property
    def next_seconds(self) -> int:
        """When to look again: soon while something will change by itself, less often where the table is long."""
        is_busy = any(row.status == "SUBMITTED" or row.delivery_status == "QUEUED" for row in self.all_rows)
        is_long = len(self.rows) > LONG_TABLE
        return (10 if is_long else 3) if is_busy else (30 if is_long else 15)

    @property
    def counting(self) -> frozenset[int]:
        """The attempts that make up the score of whoever has several."""
        attempts: dict[int, list[OverviewRow]] = defaultdict(list)
        for row in self.all_rows:
            if not row.is_preview:
                attempts[row.user_id].append(row)
        return frozenset().union(*(_counting(rows) for rows in attempts.values() if len(rows) > 1))

    @property
    def numbers(self) -> dict[int, int]:
        """The number of each attempt, by its id: an attempt that was opened again names the one before."""
        return {row.attempt_id: row.number for row in self.all_rows}


def list_overview(connection: Connection, resource_link_id: int) -> list[OverviewRow]:
    """All attempts in a placement, by student's name and attempt, with score and delivery."""
    doubts = list_doubts(connection, resource_link_id)
    # OFFSET 0 keeps the view where it is: asked once an attempt it takes that attempt's answers; joined as a whole it
    # would add up the attempts of all courses first.
    rows = fetch_all(
        connection,
        OverviewRow,
        """
        SELECT attempts.id AS attempt_id, users.id AS user_id, users.name AS user_name, users.sub AS user_sub,
            attempts.number, attempts.status, attempts.is_preview, attempts.submitted_at, attempts.quiz_id,
            quizzes.counted_attempt, quizzes.explanations_shown,
            CASE WHEN attempts.status = 'GRADED' THEN totals.points END AS points, totals.max_points,
            totals.stuck_answers, totals.flags,
            CASE WHEN deliveries.status = 'PARKED' AND deliveries.is_old THEN 'SUPERSEDED' ELSE deliveries.status END
                AS delivery_status,
            deliveries.last_error AS delivery_error,
            CASE WHEN deliveries.status = 'DELIVERED' THEN deliveries.finished_at END AS delivered_at,
            deliveries.tries AS delivery_tries, deliveries.id AS delivery_id, deliveries.parked_because,
            deliveries.status = 'PARKED' AND EXISTS (
                SELECT 1 FROM audit_events
                WHERE audit_events.registration_id = attempts.registration_id AND event = 'LMS_GRADE_LEFT'
                    AND audit_events.at >= deliveries.finished_at
                    AND audit_events.details ->> 'delivery_id' = deliveries.id::text
            ) AS is_left,
            attempts.approval, attempts.excused_at IS NOT NULL AS is_excused, attempts.reopened_from,
            totals.earned_points, totals.deducted_percent, attempts.due_at,
            resource_links.quiz_id = attempts.quiz_id AND EXISTS (
                SELECT 1 FROM counted_attempts
                WHERE counted_attempts.id = attempts.id AND counted_attempts.resource_link_id = %s
            ) AS is_counted
        FROM attempts
        JOIN resource_links ON resource_links.id = attempts.resource_link_id
        JOIN quizzes ON quizzes.id = attempts.quiz_id
        JOIN users ON users.id = attempts.user_id
        JOIN LATERAL (
            SELECT * FROM attempt_totals WHERE attempt_totals.attempt_id = attempts.id OFFSET 0
        ) AS totals ON true
        LEFT JOIN LATERAL (
            SELECT sent.*, EXISTS (
                SELECT 1 FROM deliveries AS newer
                WHERE newer.line_item_url = sent.line_item_url AND newer.user_id = sent.user_id
                    AND newer.version > sent.version
            ) AS is_old
            FROM deliveries AS sent WHERE sent.attempt_id = attempts.id ORDER BY sent.id DESC LIMIT 1
        ) AS deliveries ON true
        WHERE attempts.resource_link_id = %s
        ORDER BY lower(users.name) NULLS LAST, users.id, attempts.number
        """,
        resource_link_id,
        resource_link_id,
    )
    return [_with_answers(row, doubts.get(row.attempt_id, ())) for row in rows]


def _with_answers(row: OverviewRow, answers: tuple[AnswerDoubt, ...]) -> OverviewRow:
    """Flagged as its grades are, and as its answers that have none yet."""
    flags = {*row.flags, *(flag for answer in answers for flag in answer.flags)}
    return replace(row, answers=answers, flags=sorted(flags))


def _counting(rows: Sequence[OverviewRow]) -> set[int]:
    """Those of one student's attempts that their score is made of, as the outbox chooses them."""
    counted = [row for row in rows if row.is_counted]
    if not counted or counted[0].counted_attempt == "AVERAGE":
        return {row.attempt_id for row in counted}
    if counted[0].counted_attempt == "LAST":
        return {max(counted, key=lambda row: row.number).attempt_id}
    return {max(counted, key=lambda row: (row.points or 0, row.number)).attempt_id}
