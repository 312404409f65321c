"""How far each answer of a placement can be trusted: how sure the machine was, and whether what it says agrees.

grade ──▶ interval, confidence, flags ──┐
verdicts ──▶ their share of the key ────┴──▶ AnswerDoubt ──▶ the table of attempts, the page of one attempt
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal

from psycopg import Connection

from grading.distress import needs_person
from grading.domain import Flag
from lti_tool.db import fetch_all

#: Below this the score is marked for a second look.
LOW_CONFIDENCE = 0.5
#: So far, as a fraction of the points, may a score lie from what its verdicts say.
FAR_APART = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDoubt:
    """One answer that was handed in, with what counts of it now; without a grade the numbers are ``None``.

    ``width``: of the interval that the machine gave, 0..1, whoever scored it since; 1 where the machine gave up.
    ``verdict_share``: what the machine's verdicts say, 0..1: covered 1, partial a half, by weight; ``None`` for a score
    of an instructor. ``flags``: of the grade; where there is none NEEDS_PERSON alone, if the answer says so.
    ``is_changed``: an instructor gave the score, rather than put one of the machine's back. ``is_called_wrong``: the
    student says that something in the explanation is wrong, and no instructor let it stand.
    """

    attempt_id: int
    question_id: int
    position: int
    is_stuck: bool
    points: Decimal | None
    max_points: Decimal
    fraction: float | None
    low: float | None
    high: float | None
    confidence: float | None
    flags: list[str]
    width: float
    verdict_share: float | None
    is_changed: bool
    is_called_wrong: bool

    @property
    def is_low(self) -> bool:
        """It was scored with too little confidence."""
        return self.confidence is not None and self.confidence < LOW_CONFIDENCE

    @property
    def disagrees(self) -> bool:
        """The machine's score and its verdicts on the key points contradict each other."""
        if self.fraction is None or self.verdict_share is None:
            return False
        return abs(self.fraction - self.verdict_share) > FAR_APART


def list_doubts(connection: Connection, resource_link_id: int) -> dict[int, tuple[AnswerDoubt, ...]]:
    """The answers of the placement's attempts that were handed in, by attempt, in the order of the questions."""
    # A weight is that of the key point as it is now; one that is gone, and a part of a model answer, weighs 1.
    rows = fetch_all(
        connection,
        AnswerDoubt,
        """
        SELECT attempts.id AS attempt_id, questions.id AS question_id, questions.position,
            submissions.status = 'STUCK' AS is_stuck, latest.points, questions.max_points, latest.fraction,
            latest.low, latest.high, latest.confidence, coalesce(latest.flags, '{}') AS flags,
            CASE
                WHEN machine.low IS NOT NULL THEN machine.high - machine.low
                WHEN submissions.status <> 'RECEIVED' AND submissions.answer <> '' THEN 1
                ELSE 0
            END AS width,
            verdicts.share AS verdict_share,
            coalesce(
                (SELECT source FROM grades WHERE id = (latest.versions ->> 'restored_grade')::bigint), latest.source, ''
            ) = 'INSTRUCTOR' AS is_changed,
            coalesce(
                (
                    SELECT ratings.rating = 'WRONG' AND ratings.kept_at IS NULL
                    FROM explanations
                    LEFT JOIN explanation_ratings AS ratings ON ratings.explanation_id = explanations.id
                    WHERE explanations.grade_id = latest.id ORDER BY explanations.id DESC LIMIT 1
                ),
                false
            ) AS is_called_wrong
        FROM attempts
        JOIN submissions ON submissions.attempt_id = attempts.id
        JOIN questions ON questions.id = submissions.question_id
        LEFT JOIN LATERAL (
            SELECT * FROM grades WHERE grades.submission_id = submissions.id ORDER BY id DESC LIMIT 1
        ) AS latest ON true
        LEFT JOIN LATERAL (
            SELECT low, high FROM grades
            WHERE grades.submission_id = submissions.id AND source = 'MODEL' ORDER BY id DESC LIMIT 1
        ) AS machine ON true
        LEFT JOIN LATERAL (
            SELECT sum(weight * CASE verdict WHEN 'covered' THEN 1 WHEN 'partial' THEN 0.5 ELSE 0 END)
                / nullif(sum(weight), 0) AS share
            FROM (
                SELECT verdict, coalesce(key_points.weight, 1)::float8 AS weight
                FROM key_point_verdicts
                LEFT JOIN key_points ON key_points.question_id = questions.id
                    AND key_points.position = key_point_verdicts.position AND key_points.name = key_point_verdicts.name
                WHERE key_point_verdicts.grade_id = latest.id
            ) AS weighed
        ) AS verdicts ON latest.source = 'MODEL'
        WHERE attempts.resource_link_id = %s AND attempts.status <> 'OPEN'
        ORDER BY attempts.id, questions.position
        """,
        resource_link_id,
    )
    in_need = _list_unscored_in_need(connection, resource_link_id)
    doubts: defaultdict[int, list[AnswerDoubt]] = defaultdict(list)
    for row in rows:
        is_in_need = (row.attempt_id, row.question_id) in in_need
        doubts[row.attempt_id].append(replace(row, flags=[Flag.NEEDS_PERSON.value]) if is_in_need else row)
    return {attempt_id: tuple(answers) for attempt_id, answers in doubts.items()}


def _list_unscored_in_need(connection: Connection, resource_link_id: int) -> frozenset[tuple[int, int]]:
    """(attempt, question) of answers without a grade, waiting or given up, which say that their writer is not well.

    As the student reads the kind text at once, so does the instructor see it at once: a worker may be long in coming.
    """
    rows = connection.execute(
        """
        SELECT attempts.id, submissions.question_id, submissions.answer
        FROM attempts JOIN submissions ON submissions.attempt_id = attempts.id
        WHERE attempts.resource_link_id = %s AND submissions.status IN ('RECEIVED', 'STUCK')
        """,
        (resource_link_id,),
    ).fetchall()
    return frozenset((attempt_id, question_id) for attempt_id, question_id, answer in rows if needs_person(answer))
