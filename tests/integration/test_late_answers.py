"""The late rule: a quiz that closes with its due date, and what students are told before and after."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import pytest
from psycopg import Connection

from config.settings import Settings
from lti_tool.gradebook import tasks
from lti_tool.submissions import views
from lti_tool.submissions.closing import GRACE_SECONDS, hand_in_ended
from lti_tool.worker import Workbench
from tests.course_actors import Course, Page, Person, make_question

SOON = timedelta(hours=1)
LONG_AGO = timedelta(hours=-5)


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)


@pytest.fixture
def sweeps(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, int]]]:
    """What the sweep wakes: (task, number of wakes)."""
    woken: list[tuple[str, int]] = []
    bench = Workbench(settings)
    monkeypatch.setattr(tasks, "workbench", lambda: bench)
    monkeypatch.setattr(tasks, "wake_each", lambda name, rows: woken.append((name.rpartition(".")[2], len(rows))))
    monkeypatch.setattr(tasks, "wake", lambda *arguments: True)
    monkeypatch.setattr(tasks, "backlog", lambda queue: 0, raising=False)
    yield woken
    bench.database.close()


def closing(course: Course, rule: str = "CLOSE") -> None:
    course.has_quiz(make_question(), max_attempts=2)
    with course.transaction() as connection:
        connection.execute("UPDATE quizzes SET late_rule = %s", (rule,))


def opens(course: Course, due_in: timedelta, sub: str = "ada-lovelace") -> Person:
    return course.learner(sub, due_at=datetime.now(UTC) + due_in)


def begins(person: Person) -> Page:
    return person.post("attempts", {"csrf_token": person.token()})


def is_due(course: Course, ago: timedelta) -> None:
    """Time passes: all that is open was due so long ago, and was begun and written before."""
    with course.transaction() as connection:
        connection.execute(
            "UPDATE attempts SET due_at = now() - %s, started_at = now() - %s - interval '1 hour'", (ago, ago)
        )
        connection.execute("UPDATE submissions SET saved_at = now() - %s - interval '1 minute'", (ago,))


def rows(course: Course, query: LiteralString) -> list[tuple[object, ...]]:
    with course.transaction() as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("ACCEPT", "Your course decides what becomes of later answers.", "You can still answer; your course decides"),
        (
            "DEDUCT",
            "for each day begun after that, 10 % of your points are taken off.",
            "for each day begun since then, 10 % of your points are taken off.",
        ),
        ("CLOSE", "The quiz closes then: what is written by then is handed in by itself", "is closed now."),
    ],
)
def test_students_are_told_what_lateness_costs(course: Course, rule: str, before: str, after: str) -> None:
    closing(course, rule)
    assert before in opens(course, SOON).get().text
    late = opens(course, LONG_AGO, "carl-gauss").get()
    assert after in late.text
    assert bool(late.soup.select("#begin-form")) == (rule != "CLOSE")


def test_after_the_due_date_nobody_begins_where_the_quiz_closes(course: Course) -> None:
    closing(course)
    refused = begins(opens(course, LONG_AGO))
    assert refused.status == 409
    assert "QUIZ-CLOSED" in refused.text
    assert "Ask your instructor if you need more time." in refused.text
    assert begins(opens(course, SOON, "carl-gauss")).status == 200, "who was given more time can begin"
    assert begins(course.learner("emmy-noether")).status == 200, "without a due date nothing closes"
    assert begins(course.instructor(due_at=datetime.now(UTC) + LONG_AGO)).status == 200, "a try is always possible"


def test_an_attempt_that_is_open_when_it_is_due_is_handed_in_by_the_sweep(
    course: Course, sweeps: list[tuple[str, int]]
) -> None:
    closing(course)
    page = begins(opens(course, SOON))
    assert "What is written by then is handed in by itself." in page.text
    page.submit("#answers-form", {str(page.form("textarea")["name"]): "Half an ans", "then": "stay"})
    begins(opens(course, SOON, "carl-gauss"))  # writes nothing
    begins(course.instructor(due_at=datetime.now(UTC) + SOON))
    tasks.sweep()
    assert rows(course, "SELECT count(*) FROM attempts WHERE status <> 'OPEN'") == [(0,)], "it is not due yet"
    is_due(course, timedelta(minutes=1))
    tasks.sweep()
    assert rows(course, "SELECT is_preview, status, submitted_at = due_at FROM attempts ORDER BY id") == [
        (False, "SUBMITTED", True),
        (False, "GRADED", True),
        (True, "OPEN", None),
    ]
    assert ("grade_submission", 1) in sweeps, "what was handed in is graded"
    assert rows(course, "SELECT answer, status FROM submissions") == [("Half an ans", "RECEIVED")]
    result = opens(course, LONG_AGO).get()
    assert "Half an ans" in result.text
    assert "Try again" not in result.text
    assert "Handed in by itself when it was due" in result.text


def test_an_attempt_that_cannot_be_handed_in_keeps_no_other_waiting(
    course: Course, sweeps: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    closing(course)
    begins(opens(course, SOON))
    begins(opens(course, SOON, "carl-gauss"))
    is_due(course, timedelta(minutes=1))
    ((first,),) = rows(course, "SELECT min(id) FROM attempts")

    def breaks_on_the_first(connection: Connection, attempt_id: int, *, explanation_wait_seconds: int) -> list[int]:
        if attempt_id == first:
            connection.execute("SELECT 1 / 0")
        return hand_in_ended(connection, attempt_id, explanation_wait_seconds=explanation_wait_seconds)

    monkeypatch.setattr(tasks, "hand_in_ended", breaks_on_the_first)
    tasks.sweep()
    assert rows(course, "SELECT status FROM attempts ORDER BY id") == [("OPEN",), ("GRADED",)]
    assert sweeps, "and the sweep goes on"


def test_who_comes_back_before_the_sweep_finds_the_attempt_handed_in(course: Course) -> None:
    closing(course)
    page = begins(opens(course, SOON))
    is_due(course, timedelta(minutes=1))
    again = page.person.get(page.path)
    assert again.path.endswith("/result")
    assert rows(course, "SELECT status FROM attempts") == [("GRADED",)]


def test_what_is_saved_after_the_end_is_refused_and_what_was_saved_before_is_kept(course: Course) -> None:
    closing(course)
    page = begins(opens(course, SOON))
    field = page.form("textarea")
    save = str(field["data-save-url"])
    person = page.person
    assert person.post(save, {"answer": "In time", "csrf_token": person.token()}).status == 200
    is_due(course, timedelta(seconds=GRACE_SECONDS / 2))
    just = person.post(save, {"answer": "In time.", "base": "", "known": "", "csrf_token": person.token()})
    assert just.status == 200, "it was on its way when it was due"
    is_due(course, timedelta(seconds=GRACE_SECONDS + 1))
    assert person.post(save, {"answer": "Too late", "csrf_token": person.token()}).status == 409
    late = page.submit("#answers-form", {str(field["name"]): "Too late", "then": "hand-in"})
    assert late.status == 409
    assert "handed in with what was saved by then" in late.text
    assert "In time." in person.get(page.path).text


def test_handing_in_at_the_last_moment_is_not_late(course: Course) -> None:
    closing(course)
    page = begins(opens(course, SOON))
    confirm = page.submit("#answers-form", {str(page.form("textarea")["name"]): "An answer", "then": "hand-in"})
    is_due(course, timedelta(seconds=2))
    confirm.submit("#hand-in-form")
    assert rows(course, "SELECT status, submitted_at = due_at FROM attempts") == [("SUBMITTED", True)]


def test_what_was_written_late_while_it_was_allowed_is_not_dated_back(course: Course) -> None:
    closing(course, "ACCEPT")
    page = begins(opens(course, SOON))
    is_due(course, timedelta(hours=2))
    page.submit("#answers-form", {str(page.form("textarea")["name"]): "Late", "then": "stay"})
    with course.transaction() as connection:
        connection.execute("UPDATE quizzes SET late_rule = 'CLOSE'")
        (attempt_id,) = connection.execute("SELECT id FROM attempts").fetchone() or (0,)
        assert hand_in_ended(connection, attempt_id, explanation_wait_seconds=0)
        assert not hand_in_ended(connection, attempt_id, explanation_wait_seconds=0), "once"
    assert rows(course, "SELECT submitted_at > due_at + interval '1 hour' FROM attempts") == [(True,)]


def test_an_attempt_opened_again_is_not_due_before_that(course: Course) -> None:
    closing(course)
    begins(opens(course, SOON))
    with course.transaction() as connection:
        connection.execute("UPDATE attempts SET status = 'GRADED', submitted_at = now(), graded_at = now()")
        connection.execute(
            "INSERT INTO attempts (resource_link_id, user_id, quiz_id, number, reopened_from)"
            " SELECT resource_link_id, user_id, quiz_id, 2, id FROM attempts"
        )
    page = opens(course, LONG_AGO).get()
    assert "Your instructor opened this attempt again; your earlier answers are filled in." in page.text
    assert rows(course, "SELECT due_at FROM attempts WHERE reopened_from IS NOT NULL") == [(None,)]
    opens(course, SOON)
    assert rows(course, "SELECT due_at > now() FROM attempts WHERE reopened_from IS NOT NULL") == [(True,)]
