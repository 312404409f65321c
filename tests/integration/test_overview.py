"""The table of attempts: what needs a person, what counts, and only what was asked for."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from lti_tool.gradebook import delivery_views
from lti_tool.gradebook.outbox import queue_delivery
from lti_tool.submissions import views
from tests.course_actors import Course, Page, Person, make_question


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)


def hands_in(course: Course, student: Person, *, fraction: float = 0.5, confidence: float = 0.9) -> None:
    """A student answers the only question and is graded."""
    page = student.post("attempts", {"csrf_token": student.token()})
    name = str(page.soup.select("textarea")[0]["name"])
    page.submit("#answers-form", {name: "an answer", "then": "hand-in"}).submit("#hand-in-form")
    course.grades(student, fraction=fraction, confidence=confidence)


def changes(course: Course, query: str, *values: object) -> None:
    with course.transaction() as connection:
        connection.execute(query, values)  # pyright: ignore[reportArgumentType]


def rows_of(page: Page) -> list[str]:
    """The words of each attempt's row, without those that say more about one."""
    return [" ".join(row.get_text(" ").split()) for row in page.soup.select("tbody tr:not(.table__note)")]


def test_the_attempt_that_counts_is_marked(course: Course) -> None:
    course.has_quiz(make_question(), max_attempts=5)
    student, teacher = course.learner(), course.instructor()
    hands_in(course, student, fraction=0.2)
    assert "counts" not in rows_of(teacher.get())[0], "one alone needs no mark"
    for fraction in (0.8, 0.5):
        hands_in(course, student, fraction=fraction)
    for policy, counting in (("BEST", [False, True, False]), ("LAST", [False, False, True]), ("AVERAGE", [True] * 3)):
        changes(course, "UPDATE quizzes SET counted_attempt = %s", policy)
        assert ["counts" in row for row in rows_of(teacher.get())] == counting, policy


def test_what_the_mark_says_is_what_the_outbox_sends(course: Course) -> None:
    """Excused, waiting and opened again attempts do not count; the mark and the newest version agree."""
    course.has_quiz(make_question(), max_attempts=5)
    student = course.learner()
    for fraction in (1.0, 0.9, 0.8, 0.4):
        hands_in(course, student, fraction=fraction)
    changes(course, "UPDATE attempts SET excused_at = now() WHERE number = 1")
    changes(course, "UPDATE attempts SET approval = 'NEEDED' WHERE number = 2")
    changes(
        course,
        "UPDATE attempts SET reopened_from = (SELECT id FROM attempts WHERE number = 3) WHERE number = 4",
    )
    rows = rows_of(course.instructor().get())
    assert ["counts" in row for row in rows] == [False, False, False, True]
    assert "excused" in rows[0]
    assert "waits for your approval" in rows[1]
    assert "goes on with attempt 3" in rows[3]
    with course.transaction() as connection:
        (newest,) = connection.execute("SELECT max(id) FROM attempts").fetchone() or (0,)
        queue_delivery(connection, newest, wait_seconds=0)
        sent = connection.execute("SELECT attempt_id FROM deliveries ORDER BY version DESC LIMIT 1").fetchone()
    assert sent == (newest,)


def test_what_the_late_rule_takes_off_is_shown(course: Course) -> None:
    course.has_quiz(make_question())
    hands_in(course, course.learner(), fraction=1.0)
    changes(course, "UPDATE quizzes SET late_rule = 'DEDUCT', late_percent_per_day = 10")
    changes(course, "UPDATE attempts SET due_at = submitted_at - interval '30 hours'")
    assert "4 / 5 late: −20%" in rows_of(course.instructor().get())[0]


def test_students_come_by_name_and_those_without_one_last(course: Course) -> None:
    course.has_quiz(make_question())
    for sub, name in (("u3", "Zoë"), ("u1", None), ("u2", "ada"), ("u4", "Blaise")):
        hands_in(course, course.learner(sub, name=name))
    names = [row.split(" attempt")[0] for row in rows_of(course.instructor().get())]
    assert names[:3] == ["ada", "Blaise", "Zoë"]
    assert names[3].startswith("Student ")


def test_the_page_sums_up_what_needs_a_person_and_shows_only_that_on_request(course: Course) -> None:
    course.has_quiz(make_question())
    for sub, confidence in (("ada", 0.9), ("blaise", 0.2), ("carl", 0.9), ("emmy", 0.9)):
        hands_in(course, course.learner(sub), confidence=confidence)
    changes(course, "UPDATE attempts SET approval = 'NEEDED' WHERE id = (SELECT min(id) FROM attempts)")
    changes(
        course,
        "UPDATE deliveries SET status = 'PARKED', parked_because = 'NO_COLUMN', finished_at = now()"
        " WHERE attempt_id = (SELECT max(id) FROM attempts)",
    )
    teacher = course.instructor()
    page = teacher.get()
    assert "1 attempt waits for your approval" in page.text
    assert page.form("form[action$='/results/approve']") is not None
    assert "1 score could not be delivered." in page.text
    assert "All 4 Waiting for approval 1 Not delivered 1 Unsure 1" in page.text
    for link, name in (("Waiting for approval", "Ada"), ("Not delivered", "Emmy"), ("Unsure", "Blaise")):
        shown = page.follow(link)
        assert [row.split()[0] for row in rows_of(shown)] == [name]
        assert link in shown.form(".filters [aria-current=page]").get_text()
        live = str(shown.form("[data-live*='results/parts']")["data-live"])
        assert parse_qs(urlsplit(live).query) == parse_qs(urlsplit(shown.url).query), "it stays so by itself"
        assert [row.split()[0] for row in rows_of(teacher.get(live))] == [name]
    assert len(rows_of(teacher.get("results?show=nonsense"))) == 4


def test_sending_all_again_leads_back_to_what_was_shown(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_views, "wake_later", lambda *what: None)
    course.has_quiz(make_question())
    hands_in(course, course.learner())
    changes(course, "UPDATE deliveries SET status = 'PARKED', parked_because = 'NO_PERMISSION', finished_at = now()")
    page = course.instructor().get("results?show=undelivered").submit("#send-all-form")
    assert "show=undelivered" in page.url
    assert "On its way again." in page.text
    assert "None at this moment." in page.text
    assert len(rows_of(page.follow("All"))) == 1
