"""The record: who or which model version gave which score when, what instructors decided, and every try to deliver.

It is read from rows that are only ever added: ``grades``, ``audit_events`` and ``delivery_events``; and from attempts
(when they were handed in), rewordings (which explainer was asked) and deliveries (which scores were made of them),
whose numbers never change. Answers and explanations are no part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import class_row

from lti_tool.db import fetch_all

#: Facts of a decision that only say where it belongs; the record has columns for those.
_PLACES = frozenset({"attempt_id", "resource_link_id", "submission_id", "question_id", "quiz_id", "regrade_id"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """One thing that happened.

    ``event``: HANDED_IN; SCORED_BY_MODEL, SCORED_BY_INSTRUCTOR; EXPLAINED_BY_MODEL, EXPLANATION_REFUSED (by the checks,
    so that the template's text stands); SCORE_MADE (a version for the gradebook); TRY_BEGUN,
    DELIVERED, FAILED, PARKED, SUPERSEDED, RESENT (of a version); else the name of a decision. ``question`` counts from
    1. ``actor_*`` is the instructor, ``model_versions`` what the model was made of. ``attempt_id`` is ``None`` for what
    is about the whole placement. ``facts``: whatever else a decision noted. ``detail``: words of the LMS or the tool.
    """

    at: datetime
    event: str
    attempt_id: int | None
    attempt_number: int | None
    is_preview: bool | None
    student_name: str | None
    student_sub: str | None
    question: int | None
    actor_name: str | None
    actor_sub: str | None
    model_versions: dict[str, str] | None
    points: Decimal | None
    max_points: Decimal | None
    fraction: float | None
    confidence: float | None
    flags: list[str] | None
    reason: str
    regrade_id: int | None
    delivery_id: int | None
    version: int | None
    try_number: int | None
    deducted_percent: Decimal | None
    averaged_attempts: int | None
    detail: str
    facts: dict[str, Any] | None

    @property
    def noted(self) -> Mapping[str, Any]:
        """The facts of a decision that no column shows."""
        shown = _PLACES | {"reason", "detail"}
        return {name: value for name, value in (self.facts or {}).items() if name not in shown}


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A quiz in a course, as people call both."""

    id: int
    course: str
    activity: str


_OF_ATTEMPT: LiteralString = """
    WITH own AS (
        SELECT attempts.id, attempts.number, attempts.is_preview, attempts.submitted_at, users.name, users.sub
        FROM attempts JOIN users ON users.id = attempts.user_id WHERE attempts.id = %(id)s
    ), decided AS (
        SELECT * FROM audit_events WHERE details ->> 'attempt_id' = %(id)s::text
    )
"""
_OF_PLACEMENT: LiteralString = """
    WITH own AS (
        SELECT attempts.id, attempts.number, attempts.is_preview, attempts.submitted_at, users.name, users.sub
        FROM attempts JOIN users ON users.id = attempts.user_id WHERE attempts.resource_link_id = %(id)s
    ), decided AS (
        SELECT * FROM audit_events
        WHERE details ->> 'resource_link_id' = %(id)s::text
            OR details ->> 'attempt_id' IN (SELECT id::text FROM own)
            OR details ->> 'regrade_id' IN (SELECT id::text FROM regrades WHERE resource_link_id = %(id)s)
            OR details ->> 'quiz_id' = (SELECT quiz_id::text FROM resource_links WHERE id = %(id)s)
    )
"""
_RECORD: LiteralString = r"""
    , happened AS (
        SELECT submitted_at AS at, 0 AS rank, id AS row_id, 'HANDED_IN' AS event, id AS attempt_id,
            NULL::bigint AS submission_id, NULL::bigint AS question_id, NULL::bigint AS actor_id,
            NULL::jsonb AS model_versions,
            NULL::numeric AS points, NULL::numeric AS max_points, NULL::double precision AS fraction,
            NULL::double precision AS confidence, NULL::text[] AS flags, '' AS reason, NULL::bigint AS regrade_id,
            NULL::bigint AS delivery_id, NULL::integer AS version, NULL::integer AS try_number,
            NULL::numeric AS deducted_percent, NULL::integer AS averaged_attempts, '' AS detail, NULL::jsonb AS facts
        FROM own WHERE submitted_at IS NOT NULL
        UNION ALL
        SELECT grades.created_at, 1, grades.id, 'SCORED_BY_' || grades.source, own.id, submissions.id, NULL,
            grades.created_by, CASE WHEN grades.source = 'MODEL' THEN grades.versions END, grades.points, NULL,
            grades.fraction, grades.confidence, grades.flags, grades.reason, grades.regrade_id,
            NULL, NULL, NULL, NULL, NULL, '', NULL
        FROM own JOIN submissions ON submissions.attempt_id = own.id
        JOIN grades ON grades.submission_id = submissions.id
        UNION ALL
        SELECT rewordings.finished_at, 2, grades.id,
            CASE rewordings.outcome WHEN 'SERVED' THEN 'EXPLAINED_BY_MODEL' ELSE 'EXPLANATION_REFUSED' END, own.id,
            submissions.id, NULL, NULL, rewordings.versions, NULL, NULL, NULL, NULL, NULL, '', NULL,
            NULL, NULL, NULL, NULL, NULL, '', NULL
        FROM own JOIN submissions ON submissions.attempt_id = own.id
        JOIN grades ON grades.submission_id = submissions.id
        JOIN rewordings ON rewordings.grade_id = grades.id
        WHERE rewordings.outcome IN ('SERVED', 'REFUSED')
        UNION ALL
        SELECT at, 3, id, event,
            CASE WHEN details ->> 'attempt_id' ~ '^\d{1,18}$' THEN (details ->> 'attempt_id')::bigint END,
            CASE WHEN details ->> 'submission_id' ~ '^\d{1,18}$' THEN (details ->> 'submission_id')::bigint END,
            CASE WHEN details ->> 'question_id' ~ '^\d{1,18}$' THEN (details ->> 'question_id')::bigint END,
            user_id, NULL, NULL, NULL, NULL, NULL, NULL, coalesce(details ->> 'reason', ''),
            CASE WHEN details ->> 'regrade_id' ~ '^\d{1,18}$' THEN (details ->> 'regrade_id')::bigint END,
            NULL, NULL, NULL, NULL, NULL, coalesce(details ->> 'detail', ''), details
        FROM decided
        UNION ALL
        SELECT deliveries.created_at, 4, deliveries.id, 'SCORE_MADE', own.id, NULL, NULL, NULL, NULL,
            deliveries.score_given, deliveries.score_maximum, NULL, NULL, NULL, '', NULL,
            deliveries.id, deliveries.version, NULL, deliveries.deducted_percent, deliveries.averaged_attempts, '', NULL
        FROM own JOIN deliveries ON deliveries.attempt_id = own.id
        UNION ALL
        SELECT delivery_events.at, 5, delivery_events.id,
            CASE delivery_events.event WHEN 'BEGUN' THEN 'TRY_BEGUN' ELSE delivery_events.event END, own.id, NULL, NULL,
            -- Who sent it again stands there as a number, so that no name is kept for ever.
            CASE WHEN delivery_events.event = 'RESENT'
                THEN substring(delivery_events.detail FROM '^user (\d{1,18})')::bigint END,
            NULL, deliveries.score_given, deliveries.score_maximum, NULL, NULL, NULL, '', NULL,
            deliveries.id, deliveries.version, delivery_events.try_number, NULL, NULL,
            CASE WHEN delivery_events.event = 'RESENT'
                THEN regexp_replace(delivery_events.detail, '^user \d+(, )?', '') ELSE delivery_events.detail END,
            NULL
        FROM own JOIN deliveries ON deliveries.attempt_id = own.id
        JOIN delivery_events ON delivery_events.delivery_id = deliveries.id
    )
    SELECT happened.at, happened.event, happened.attempt_id, own.number AS attempt_number, own.is_preview,
        own.name AS student_name, own.sub AS student_sub, questions.position + 1 AS question,
        actors.name AS actor_name, actors.sub AS actor_sub, happened.model_versions, happened.points,
        coalesce(happened.max_points, CASE WHEN happened.rank = 1 THEN questions.max_points END) AS max_points,
        happened.fraction, happened.confidence, happened.flags, happened.reason, happened.regrade_id,
        happened.delivery_id, happened.version, happened.try_number, happened.deducted_percent,
        happened.averaged_attempts, happened.detail, happened.facts
    FROM happened
    LEFT JOIN own ON own.id = happened.attempt_id
    LEFT JOIN submissions ON submissions.id = happened.submission_id
    LEFT JOIN questions ON questions.id = coalesce(submissions.question_id, happened.question_id)
    LEFT JOIN users AS actors ON actors.id = happened.actor_id
    WHERE happened.at >= coalesce(%(since)s, '-infinity'::timestamptz)
    ORDER BY happened.at, happened.rank, happened.row_id
"""


def list_record(connection: Connection, attempt_id: int) -> list[RecordRow]:
    """What happened to one attempt, in time order."""
    with connection.cursor(row_factory=class_row(RecordRow)) as cursor:
        return cursor.execute(_OF_ATTEMPT + _RECORD, {"id": attempt_id, "since": None}).fetchall()


def iterate_record(
    connection: Connection, resource_link_id: int, *, since: datetime | None = None
) -> Iterator[RecordRow]:
    """What happened in a placement, in time order, however much it is; the transaction stays open meanwhile."""
    with connection.cursor(name="record", row_factory=class_row(RecordRow)) as cursor:
        cursor.itersize = 1000
        yield from cursor.execute(_OF_PLACEMENT + _RECORD, {"id": resource_link_id, "since": since})


def for_people(rows: Sequence[RecordRow]) -> list[RecordRow]:
    """The rows as a page tells them: without what another row says too.

    A try that came to an end is told by its end, a changed score by the grade that was given.
    """
    ended = {(row.delivery_id, row.try_number) for row in rows if row.event in {"DELIVERED", "FAILED", "PARKED"}}
    return [
        row
        for row in rows
        if row.event != "SCORE_CHANGED" and (row.event != "TRY_BEGUN" or (row.delivery_id, row.try_number) not in ended)
    ]


def list_placements(connection: Connection, resource_link_id: int | None = None) -> list[Placement]:
    """The placements of the tenant with an attempt or a quiz, or this one only, by course."""
    return fetch_all(
        connection,
        Placement,
        """
        SELECT resource_links.id, contexts.title AS course,
            coalesce(nullif(resource_links.title, ''), quizzes.title, '') AS activity
        FROM resource_links
        JOIN contexts ON contexts.id = resource_links.context_id
        LEFT JOIN quizzes ON quizzes.id = resource_links.quiz_id
        WHERE %s::bigint IS NULL OR resource_links.id = %s
        ORDER BY lower(contexts.title), contexts.id, resource_links.id
        """,
        resource_link_id,
        resource_link_id,
    )
