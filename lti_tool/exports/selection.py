"""Which answers may be exported: released, with consent, of students; read from one snapshot, however many they are.

Released is what its student sees as it stands: scored, not held for approval, not excused, not replaced by the same
attempt opened again (the view ``counted_attempts``). Confirmed is a score that an instructor gave, or the model's
where an instructor approved the attempt after it was given: a release of explanations alone confirms no score. An
answer whose explanation an instructor wrote is exported, too, for that text; its score is the model's until confirmed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, LiteralString
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from lti_tool.db import fetch_all, fetch_value
from lti_tool.exports.errors import CourseUnclear, QuizUnknown
from lti_tool.submissions.ratings import Rating

_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What was asked for; an empty tuple is no bound. ``since``: handed in then or later."""

    quizzes: tuple[UUID, ...] = ()
    courses: tuple[int, ...] = ()
    since: datetime | None = None
    all_scores: bool = False

    def values(self) -> dict[str, object]:
        """For the queries here."""
        return {**asdict(self), "quizzes": list(self.quizzes), "courses": list(self.courses)}

    def recorded(self) -> dict[str, object]:
        """For our own books: with our numbers of quizzes and courses."""
        return {
            "quizzes": [str(each) for each in self.quizzes],
            "courses": list(self.courses),
            **self.published(),
        }

    def published(self) -> dict[str, object]:
        """For the manifest: nothing that leads back to a course."""
        return {
            "quizzes_named": len(self.quizzes),
            "courses_named": len(self.courses),
            "since": self.since.isoformat() if self.since else None,
            "scores": "all" if self.all_scores else "confirmed",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedQuestion:
    """A question that has an answer to export."""

    id: int
    language: str
    prompt: str
    model_answers: list[str]
    is_of_the_bank: bool
    key_points: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedAnswer:
    """One answer with the grade that counts; ``verdicts`` and ``explanation`` only where the student sees them.

    ``rating`` is what the student says about that explanation.
    ``verdicts`` are pairs of a key point's name, as it was then, and a verdict's word, by position.
    """

    registration_id: int
    context_id: int
    submission_id: int
    question_id: int
    user_id: int
    user_name: str | None
    language: str
    answer: str
    fraction: float
    is_confirmed: bool
    verdicts: list[list[str]]
    explanation: str | None
    explanation_source: Literal["TEMPLATE", "LLM", "INSTRUCTOR"] | None
    rating: Rating | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Released answers of students that fit the filters, by what becomes of them."""

    exported: int
    course_says_no: int
    student_did_not_agree: int
    student_was_erased: int
    student_needs_person: int
    not_confirmed: int

    def left_out(self) -> dict[str, int]:
        """How many are not exported, by why."""
        return {name: count for name, count in asdict(self).items() if name != "exported"}


#: Released answers of the filters as ``released``, and those of them to export as ``selected``; a query follows.
_SELECTION: LiteralString = r"""
    WITH released AS (
        SELECT submissions.registration_id, resource_links.context_id, submissions.id AS submission_id,
            submissions.question_id, attempts.user_id, attempts.quiz_id, latest.id AS grade_id,
            CASE
                WHEN users.erased_at IS NOT NULL THEN 'ERASED'
                WHEN contexts.answer_use = 'NO' THEN 'COURSE'
                WHEN contexts.answer_use = 'ASK_STUDENTS' AND consents.choice IS DISTINCT FROM 'YES' THEN 'STUDENT'
                WHEN consents.choice = 'NO' THEN 'STUDENT'
                -- Asked, and said nothing: what they wrote before they could read of the course's yes stays theirs.
                WHEN consents.choice IS NULL AND contexts.has_asked
                    AND (attempts.started_at < contexts.answer_use_at OR attempts.reopened_from IS NOT NULL)
                    THEN 'STUDENT'
                -- A cry for help is nobody's training data, whoever scored the answer since.
                WHEN EXISTS (
                    SELECT 1 FROM grades
                    WHERE grades.submission_id = submissions.id AND 'needs_person' = ANY(grades.flags)
                ) THEN 'PERSON'
            END AS held_by,
            latest.source = 'INSTRUCTOR' OR EXISTS (
                SELECT 1 FROM audit_events
                WHERE details ->> 'attempt_id' = attempts.id::text AND event = 'ATTEMPT_APPROVED'
                    AND audit_events.at >= latest.created_at
            ) AS is_confirmed,
            seen.is_explained, shown.id AS explanation_id, coalesce(shown.source = 'INSTRUCTOR', false) AS is_edited
        FROM counted_attempts AS attempts
        JOIN quizzes ON quizzes.id = attempts.quiz_id
        JOIN users ON users.id = attempts.user_id
        JOIN resource_links ON resource_links.id = attempts.resource_link_id
        JOIN contexts ON contexts.id = resource_links.context_id
        JOIN submissions ON submissions.attempt_id = attempts.id
        CROSS JOIN LATERAL (
            SELECT * FROM grades WHERE grades.submission_id = submissions.id ORDER BY grades.id DESC LIMIT 1
        ) AS latest
        -- As the result page decides it: lti_tool/submissions/outcome.py.
        CROSS JOIN LATERAL (
            SELECT (quizzes.explanations_shown <> 'AFTER_APPROVAL' OR attempts.approval = 'APPROVED') AND
                (quizzes.explanations_shown <> 'AFTER_DUE' OR coalesce(attempts.due_at <= now(), true)) AS is_explained
        ) AS seen
        LEFT JOIN LATERAL (
            SELECT id, source FROM explanations WHERE explanations.grade_id = latest.id AND seen.is_explained
            ORDER BY explanations.id DESC LIMIT 1
        ) AS shown ON true
        LEFT JOIN consents ON consents.context_id = contexts.id AND consents.user_id = users.id
        WHERE submissions.status = 'GRADED' AND (submissions.answer ~ '\S' OR users.erased_at IS NOT NULL)
            AND (cardinality(%(quizzes)s::uuid[]) = 0 OR attempts.quiz_id = ANY(%(quizzes)s))
            AND (cardinality(%(courses)s::bigint[]) = 0 OR contexts.id = ANY(%(courses)s))
            AND attempts.submitted_at >= coalesce(%(since)s, '-infinity'::timestamptz)
    ), selected AS (
        SELECT * FROM released WHERE held_by IS NULL AND (is_confirmed OR is_edited OR %(all_scores)s)
    )
"""


def tally(connection: Connection, filters: Filters) -> Tally:
    """How many answers are exported, and how many are not, by the first reason that holds one back."""
    with connection.cursor(row_factory=class_row(Tally)) as cursor:
        found = cursor.execute(
            _SELECTION + _TALLY,
            filters.values(),
        ).fetchone()
    assert found is not None
    return found


def list_asked_questions(connection: Connection, filters: Filters) -> list[AskedQuestion]:
    """The questions of the answers to export, with their answer key as it is now."""
    with connection.cursor(row_factory=class_row(AskedQuestion)) as cursor:
        return cursor.execute(
            _SELECTION + _ASKED,
            filters.values(),
        ).fetchall()


def iterate_answers(connection: Connection, filters: Filters, *, shuffled_by: int) -> Iterator[ReleasedAnswer]:
    """The answers, one course after the other, within it in an order that tells nothing; never all in memory."""
    values: Mapping[str, object] = {**filters.values(), "seed": shuffled_by}
    with connection.cursor(name="export", row_factory=class_row(ReleasedAnswer)) as cursor:
        cursor.itersize = _BATCH
        yield from cursor.execute(_SELECTION + _ANSWERS, values)


_TALLY: LiteralString = """
    SELECT (SELECT count(*) FROM selected) AS exported,
        count(*) FILTER (WHERE held_by = 'COURSE') AS course_says_no,
        count(*) FILTER (WHERE held_by = 'STUDENT') AS student_did_not_agree,
        count(*) FILTER (WHERE held_by = 'ERASED') AS student_was_erased,
        count(*) FILTER (WHERE held_by = 'PERSON') AS student_needs_person,
        count(*) FILTER (WHERE held_by IS NULL AND NOT (is_confirmed OR is_edited OR %(all_scores)s)) AS not_confirmed
    FROM released
"""
_ASKED: LiteralString = """
    SELECT questions.id, quizzes.language, questions.prompt, questions.model_answers,
        questions.sample_id IS NOT NULL AS is_of_the_bank,
        coalesce((
            SELECT jsonb_agg(
                jsonb_build_object('name', name, 'text', text, 'weight', weight::float8) ORDER BY position
            ) FROM key_points WHERE key_points.question_id = questions.id
        ), '[]') AS key_points
    FROM questions JOIN quizzes ON quizzes.id = questions.quiz_id
    WHERE questions.id IN (SELECT question_id FROM selected)
    ORDER BY questions.id
"""
_ANSWERS: LiteralString = """
    SELECT selected.registration_id, selected.context_id, selected.submission_id, selected.question_id,
        selected.user_id, users.name AS user_name, quizzes.language, submissions.answer, grades.fraction,
        selected.is_confirmed,
        CASE WHEN selected.is_explained THEN coalesce((
            SELECT jsonb_agg(jsonb_build_array(name, verdict) ORDER BY position)
            FROM key_point_verdicts WHERE key_point_verdicts.grade_id = grades.id
        ), '[]') ELSE '[]' END AS verdicts,
        explanations.text AS explanation, explanations.source AS explanation_source, ratings.rating
    FROM selected
    JOIN users ON users.id = selected.user_id
    JOIN quizzes ON quizzes.id = selected.quiz_id
    JOIN submissions ON submissions.id = selected.submission_id
    JOIN grades ON grades.id = selected.grade_id
    LEFT JOIN explanations ON explanations.id = selected.explanation_id
    LEFT JOIN explanation_ratings AS ratings ON ratings.explanation_id = explanations.id
    ORDER BY selected.registration_id, selected.context_id,
        hashint8extended(selected.submission_id, %(seed)s), selected.submission_id
"""


def list_people(connection: Connection, registration_id: int, context_id: int) -> list[tuple[str, str | None]]:
    """Everyone who may be named in a course's answers: its class list, who answered, taught, scored or launched there.

    Pairs of the platform's id and the name.
    """
    return connection.execute(
        """
        SELECT member ->> 'sub' AS sub, member ->> 'name' AS name
        FROM rosters CROSS JOIN LATERAL jsonb_array_elements(coalesce(members, '[]')) AS member
        WHERE rosters.context_id = %(context)s AND member ->> 'sub' IS NOT NULL
        UNION
        SELECT sub, name FROM users WHERE registration_id = %(registration)s AND id IN (
            SELECT user_id FROM attempts JOIN resource_links ON resource_links.id = attempts.resource_link_id
                WHERE resource_links.context_id = %(context)s
            UNION SELECT grades.created_by FROM grades
                JOIN submissions ON submissions.id = grades.submission_id
                JOIN attempts ON attempts.id = submissions.attempt_id
                JOIN resource_links ON resource_links.id = attempts.resource_link_id
                WHERE resource_links.context_id = %(context)s AND grades.created_by IS NOT NULL
            UNION SELECT quizzes.created_by FROM quizzes
                LEFT JOIN resource_links ON resource_links.quiz_id = quizzes.id
                WHERE %(context)s IN (quizzes.context_id, resource_links.context_id)
            UNION SELECT user_id FROM launch_sessions WHERE context_id = %(context)s
            UNION SELECT user_id FROM consents WHERE context_id = %(context)s
            UNION SELECT answer_use_by FROM contexts WHERE id = %(context)s
        )
        """,
        {"context": context_id, "registration": registration_id},
    ).fetchall()


# What was asked for -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    id: int
    title: str
    platform: str


def named_courses(connection: Connection, names: Sequence[str]) -> tuple[int, ...]:
    """Our numbers of the courses with these titles or numbers. Raises :class:`CourseUnclear`."""
    courses = fetch_all(
        connection,
        _Course,
        """
        SELECT contexts.id, contexts.title, registrations.name AS platform
        FROM contexts JOIN registrations ON registrations.id = contexts.registration_id ORDER BY contexts.id
        """,
    )
    return tuple(dict.fromkeys(_named_course(courses, name).id for name in names))


def require_quizzes(connection: Connection, quizzes: Sequence[UUID]) -> None:
    """Raise :class:`QuizUnknown` for the first number that no quiz has."""
    for quiz in quizzes:
        if fetch_value(connection, "SELECT id FROM quizzes WHERE id = %s", quiz) is None:
            raise QuizUnknown(f"no quiz has the number {quiz}: it is part of the address of the quiz's page")


def _named_course(courses: Sequence[_Course], name: str) -> _Course:
    for found in (
        [each for each in courses if name == str(each.id)],
        # An empty name is a variable that somebody forgot, no course without a title.
        [each for each in courses if name.strip() and name.casefold() == each.title.casefold()],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            numbers = ", ".join(f"{each.id} ({each.platform})" for each in found)
            raise CourseUnclear(f"{len(found)} courses are called {name!r}, so give a number: {numbers}")
    known = ", ".join(f"{each.id} ({each.title or '–'}, {each.platform})" for each in courses[:50]) or "none yet"
    raise CourseUnclear(f"no course is called {name!r}. There is: {known}")
