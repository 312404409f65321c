"""What came of an attempt: scores, explanations and where the total is on its way to the gradebook."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from psycopg import Connection

from lti_tool.db import fetch_one
from lti_tool.questions.store import Quiz
from lti_tool.submissions.results import QuestionResult, list_results
from lti_tool.submissions.store import Attempt

_SCORED = ("UNANSWERED", "GRADED")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryState:
    """The newest delivery of an attempt. ``status`` is QUEUED, DELIVERED, PARKED or SUPERSEDED."""

    status: str
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that the result page says about one attempt that was handed in."""

    attempt: Attempt
    quiz: Quiz
    results: list[QuestionResult]
    delivery: DeliveryState | None

    @property
    def scored_count(self) -> int:
        """How many questions have their score; an unanswered one has its 0."""
        return sum(result.status in _SCORED for result in self.results)

    @property
    def needs_a_person(self) -> bool:
        """An answer could not be graded and waits for someone to look at it."""
        return any(result.status == "STUCK" for result in self.results)

    @property
    def points(self) -> Decimal | None:
        """The sum over all questions, ``None`` until every one has its score; what was left unanswered counts 0."""
        if self.scored_count < len(self.results):
            return None
        return sum((result.points or Decimal(0) for result in self.results), Decimal(0))

    @property
    def max_points(self) -> Decimal:
        """The sum of what the questions give."""
        return sum((result.max_points for result in self.results), Decimal(0))

    @property
    def is_waiting(self) -> bool:
        """Something will still change by itself: a score, an explanation, or the way to the gradebook."""
        return (
            any(result.status == "RECEIVED" or result.explanation_pending for result in self.results)
            or (self.points is not None and self.attempt.status != "GRADED")
            or (self.delivery is not None and self.delivery.status == "QUEUED")
        )


def outcome_of(connection: Connection, attempt: Attempt, quiz: Quiz) -> Outcome:
    """The outcome of an attempt as it stands."""
    return Outcome(
        attempt=attempt,
        quiz=quiz,
        results=list_results(connection, attempt.id),
        delivery=fetch_one(
            connection,
            DeliveryState,
            "SELECT status, finished_at FROM deliveries WHERE attempt_id = %s ORDER BY id DESC LIMIT 1",
            attempt.id,
        ),
    )
