"""What a quiz does with its scores: when they count, which attempt does, what lateness costs, what students see.

The policies can be changed at any time: they say how scores are made from now on. A change of what an attempt is worth,
or of which attempt counts, makes new versions of the scores that were sent, where these differ.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Literal, Self
from uuid import UUID

from psycopg import Connection

from lti_tool.gradebook.outbox import queue_delivery
from lti_tool.questions.store import Quiz, get_quiz


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The policies of a quiz; the words are those of the columns in migration 0003.

    ``late_percent_per_day``: of the points earned, for each day begun. ``review_confidence`` (``None``: off) and
    ``review_share`` are fractions 0..1.
    """

    posting: Literal["AT_ONCE", "APPROVAL"]
    counted_attempt: Literal["BEST", "LAST", "AVERAGE"]
    late_rule: Literal["ACCEPT", "DEDUCT", "CLOSE"]
    late_percent_per_day: Decimal
    explanations_shown: Literal["AT_ONCE", "AFTER_DUE", "AFTER_APPROVAL"]
    review_confidence: float | None
    review_share: float

    @classmethod
    def of_quiz(cls, quiz: Quiz) -> Self:
        """Those of a stored quiz."""
        return cls(
            posting=quiz.posting,
            counted_attempt=quiz.counted_attempt,
            late_rule=quiz.late_rule,
            late_percent_per_day=quiz.late_percent_per_day,
            explanations_shown=quiz.explanations_shown,
            review_confidence=quiz.review_confidence,
            review_share=quiz.review_share,
        )

    def changes_from(self, other: Policies) -> dict[str, str]:
        """What differs, as ``before → now`` by the name of the policy."""
        before, now = asdict(other), asdict(self)
        return {name: f"{before[name]} → {now[name]}" for name in now if before[name] != now[name]}

    def scores_differ_from(self, other: Policies) -> bool:
        """Whether the same grades can make other scores."""
        taken_off = [each.late_percent_per_day if each.late_rule == "DEDUCT" else 0 for each in (self, other)]
        return self.counted_attempt != other.counted_attempt or taken_off[0] != taken_off[1]


def lock_policies(connection: Connection, quiz: Quiz) -> Quiz:
    """The quiz as it is once nobody else changes its policies: whoever does so at this moment is waited for."""
    connection.execute("SELECT 1 FROM quizzes WHERE id = %s FOR NO KEY UPDATE", (quiz.id,))
    return get_quiz(connection, quiz.id, quiz.context_id)


def update_policies(connection: Connection, quiz: Quiz, policies: Policies) -> int:
    """Change the policies of a quiz (from :func:`lock_policies`); how many scores have a new version because of it."""
    connection.execute(
        """
        UPDATE quizzes SET posting = %(posting)s, counted_attempt = %(counted_attempt)s, late_rule = %(late_rule)s,
            late_percent_per_day = %(late_percent_per_day)s, explanations_shown = %(explanations_shown)s,
            review_confidence = %(review_confidence)s, review_share = %(review_share)s, updated_at = now()
        WHERE id = %(quiz)s
        """,
        {**asdict(policies), "quiz": quiz.id},
    )
    return requeue_scores(connection, quiz.id) if policies.scores_differ_from(Policies.of_quiz(quiz)) else 0


def copy_policies(connection: Connection, source_id: UUID, target_id: UUID) -> None:
    """Give a quiz the policies of another."""
    connection.execute(
        """
        UPDATE quizzes SET posting = source.posting, counted_attempt = source.counted_attempt,
            late_rule = source.late_rule, late_percent_per_day = source.late_percent_per_day,
            explanations_shown = source.explanations_shown, review_confidence = source.review_confidence,
            review_share = source.review_share
        FROM quizzes AS source WHERE source.id = %s AND quizzes.id = %s
        """,
        (source_id, target_id),
    )


def requeue_scores(connection: Connection, quiz_id: UUID) -> int:
    """Queue the score of every student of the quiz, in all its placements, where it differs from the one before.

    Returns how many differ. The sweep sends them.
    """
    # Attempts that workers finish or instructors decide about at this moment are waited for, so that none keeps the
    # score of the old policies; those that come after wait for us, and find the new ones.
    connection.execute(
        "SELECT 1 FROM attempts WHERE quiz_id = %s AND status <> 'OPEN' AND NOT is_preview"
        " ORDER BY id FOR NO KEY UPDATE",
        (quiz_id,),
    )
    # By student, as wherever several scores are queued: so two who do that at once never wait for each other.
    rows = connection.execute(
        """
        SELECT min(id) FROM counted_attempts WHERE quiz_id = %s
        GROUP BY resource_link_id, user_id ORDER BY resource_link_id, user_id
        """,
        (quiz_id,),
    ).fetchall()
    return sum(queue_delivery(connection, attempt_id, wait_seconds=0) is not None for (attempt_id,) in rows)
