"""What came of an attempt, as far as it may be shown yet: scores, explanations, and where the total is on its way.

What the quiz's policies hide from the student is taken out here, so that no page can show it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

from psycopg import Connection

from lti_tool.db import fetch_one, fetch_value
from lti_tool.questions.store import Quiz
from lti_tool.submissions.kind_text import KindText, kind_text_for
from lti_tool.submissions.past_attempts import PastAttempt, counting, list_past_attempts
from lti_tool.submissions.results import QuestionResult, list_results
from lti_tool.submissions.store import Attempt

_SCORED = ("UNANSWERED", "GRADED")
#: How soon the page looks again: while something is under way, and while it waits for a person.
_SOON_SECONDS = 2
_LATER_SECONDS = 30

Hiding = Literal["AFTER_DUE", "AFTER_APPROVAL"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryState:
    """The newest delivery of the student's score. ``status`` is QUEUED, DELIVERED, PARKED or SUPERSEDED."""

    status: str
    parked_because: str | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that the result page says about one attempt that was handed in.

    ``hides_scores``: an instructor looks at it first, or may have to, so ``results`` have neither points nor
    explanations. ``hides_explanations``: until when they have none. ``due_at`` is when it is due for this person.
    ``kind_texts``: what to tell who is not well, by question, where no explanation on the page says it.
    """

    attempt: Attempt
    quiz: Quiz
    results: list[QuestionResult]
    kind_texts: dict[int, KindText]
    past: list[PastAttempt]
    delivery: DeliveryState | None
    deducted_percent: Decimal
    due_at: datetime | None
    hides_scores: bool
    hides_explanations: Hiding | None

    @property
    def scored_count(self) -> int:
        """How many questions have their score; an unanswered one has its 0."""
        return sum(result.status in _SCORED for result in self.results)

    @property
    def shows_explanations(self) -> bool:
        """Whether its student sees explanations, as far as there are any."""
        return not self.hides_scores and self.hides_explanations is None

    def may_rate(self, result: QuestionResult) -> bool:
        """A machine wrote what its student reads here, and is done with it. A try rates nothing."""
        is_final = result.has_machine_words and not result.explanation_pending
        return self.shows_explanations and is_final and not self.attempt.is_preview

    @property
    def needs_a_person(self) -> bool:
        """An answer could not be graded and waits for someone to look at it."""
        return any(result.status == "STUCK" for result in self.results)

    @property
    def is_held(self) -> bool:
        """It waits for an instructor's approval, or will once it is scored."""
        return self.hides_scores and (self.attempt.approval == "NEEDED" or self.quiz.posting == "APPROVAL")

    @property
    def earned_points(self) -> Decimal | None:
        """The sum over all questions, ``None`` until every one has its score; what was left unanswered counts 0."""
        if self.hides_scores or self.scored_count < len(self.results):
            return None
        return sum((result.points or Decimal(0) for result in self.results), Decimal(0))

    @property
    def points(self) -> Decimal | None:
        """What was earned, less what lateness costs."""
        if self.earned_points is None:
            return None
        return round(self.earned_points * (1 - self.deducted_percent / 100), 4)

    @property
    def max_points(self) -> Decimal:
        """The sum of what the questions give."""
        return sum((result.max_points for result in self.results), Decimal(0))

    @property
    def late_by(self) -> timedelta | None:
        """How long after its due date it was handed in, ``None`` if it was in time."""
        attempt = self.attempt
        if attempt.due_at is None or attempt.submitted_at is None or attempt.submitted_at <= attempt.due_at:
            return None
        return attempt.submitted_at - attempt.due_at

    @property
    def was_closed(self) -> bool:
        """It was handed in by itself when it was due."""
        attempt = self.attempt
        return self.quiz.late_rule == "CLOSE" and attempt.due_at is not None and attempt.submitted_at == attempt.due_at

    @property
    def scored_by(self) -> list[str]:
        """Who gave the scores: INSTRUCTOR, MODEL, or both."""
        return sorted({result.grade_source for result in self.results if result.grade_source})

    @property
    def counting(self) -> list[PastAttempt]:
        """Those of the student's attempts that count now."""
        return counting(self.past, self.quiz)

    @property
    def counts(self) -> bool:
        """Whether this attempt is among those that count."""
        return any(each.id == self.attempt.id for each in self.counting)

    @property
    def average_points(self) -> Decimal | None:
        """What all attempts that count are worth on the average, ``None`` where only one counts."""
        points = [each.points for each in self.counting if each.points is not None]
        return sum(points, Decimal(0)) / len(points) if len(points) > 1 else None

    @property
    def again(self) -> PastAttempt | None:
        """The attempt that goes on with this one, since an instructor opened it again."""
        again_id = next((each.again_id for each in self.past if each.id == self.attempt.id), None)
        return next((each for each in self.past if each.id == again_id), None)

    @property
    def is_waiting(self) -> bool:
        """Something will still change by itself: a score, an explanation, or the way to the gradebook."""
        return (
            any(result.status == "RECEIVED" or result.explanation_pending for result in self.results)
            or (self.points is not None and self.attempt.status != "GRADED")
            or (self.counts and self.delivery is not None and self.delivery.status == "QUEUED")
        )

    @property
    def seconds_to_next(self) -> int:
        """When the page should look again; 0: nothing more will change."""
        if self.is_held:
            return _LATER_SECONDS
        if self.is_waiting:
            return _SOON_SECONDS
        return _LATER_SECONDS if self.hides_explanations == "AFTER_APPROVAL" else 0


def outcome_of(
    connection: Connection, attempt: Attempt, quiz: Quiz, *, due_at: datetime | None, support_contact: str
) -> Outcome:
    """The outcome of an attempt as it stands, without what its student may not see yet.

    ``support_contact``: to whom the operator sends those who need a person, empty if to nobody.
    """
    hides_scores = _hides_scores(attempt, quiz)
    hides_explanations = _hides_explanations(attempt, quiz, due_at)
    results = list_results(connection, attempt.id)
    shows_explanations = not hides_scores and hides_explanations is None
    kind_texts = {
        each.question_id: kind_text_for(
            each, quiz.language, contact=support_contact, shows_explanation=shows_explanations
        )
        for each in results
    }
    if hides_scores:
        results = [_without_score(result) for result in results]
    elif hides_explanations:
        results = [_without_explanation(result) for result in results]
    results = [_without_parts(result) for result in results]
    deducted = fetch_value(connection, "SELECT deducted_percent FROM attempt_totals WHERE attempt_id = %s", attempt.id)
    assert isinstance(deducted, Decimal)
    return Outcome(
        attempt=attempt,
        quiz=quiz,
        results=results,
        kind_texts={question_id: found for question_id, found in kind_texts.items() if found is not None},
        past=list_past_attempts(connection, attempt, quiz),
        delivery=_newest_delivery(connection, attempt.id),
        deducted_percent=deducted,
        due_at=due_at,
        hides_scores=hides_scores,
        hides_explanations=hides_explanations,
    )


def _hides_scores(attempt: Attempt, quiz: Quiz) -> bool:
    """Before the last answer is scored it is not known yet whether the attempt must be looked at."""
    if attempt.is_preview:
        return False
    may_be_held = quiz.posting == "APPROVAL" or quiz.review_confidence is not None
    return attempt.approval == "NEEDED" or (attempt.status == "SUBMITTED" and may_be_held)


def _hides_explanations(attempt: Attempt, quiz: Quiz, due_at: datetime | None) -> Hiding | None:
    if attempt.is_preview:
        return None
    if quiz.explanations_shown == "AFTER_APPROVAL" and attempt.approval != "APPROVED":
        return "AFTER_APPROVAL"
    if quiz.explanations_shown == "AFTER_DUE" and due_at is not None and due_at > datetime.now(UTC):
        return "AFTER_DUE"
    return None


def _without_parts(result: QuestionResult) -> QuestionResult:
    """Without verdicts on sentences of a model answer, which nobody wrote as what an answer must say.

    What they found the explanation tells, by topic and softly: "part 2 – missing" beside it would say something else.
    """
    return replace(result, verdicts=[verdict for verdict in result.verdicts if verdict.name])


def _without_explanation(result: QuestionResult) -> QuestionResult:
    return replace(
        result,
        explanation_id=None,
        explanation=None,
        explanation_source=None,
        explanation_pending=False,
        rating=None,
        rating_note="",
        verdicts=[],
    )


def _without_score(result: QuestionResult) -> QuestionResult:
    return replace(
        _without_explanation(result),
        grade_id=None,
        points=None,
        fraction=None,
        low=None,
        high=None,
        confidence=None,
        flags=None,
        grade_source=None,
    )


def _newest_delivery(connection: Connection, attempt_id: int) -> DeliveryState | None:
    """Of the score that counts, whichever attempt it is of, to the placement's present column."""
    return fetch_one(
        connection,
        DeliveryState,
        """
        SELECT deliveries.status, deliveries.parked_because, deliveries.finished_at
        FROM attempts
        JOIN resource_links ON resource_links.id = attempts.resource_link_id
        JOIN deliveries ON deliveries.line_item_url = resource_links.line_item_url
            AND deliveries.user_id = attempts.user_id
        JOIN attempts AS sent ON sent.id = deliveries.attempt_id AND sent.quiz_id = attempts.quiz_id
        WHERE attempts.id = %s ORDER BY deliveries.version DESC LIMIT 1
        """,
        attempt_id,
    )
