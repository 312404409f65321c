"""What a student is shown of an attempt, and when: nothing that an instructor looks at first, nowhere in the page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import LiteralString

import pytest

from lti_tool.gradebook.approvals import approve_attempts
from lti_tool.launch.roles import Role
from lti_tool.submissions import views
from tests.course_actors import Course, Page, Person, make_question

#: Words of the explanation and of the key points' verdicts that the actors' grades have.
SECRETS = ("You said what happens.", "why it helps", "covered", "missing")
SOON = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)


def has_quiz(course: Course, setting: LiteralString = "", **changes: object) -> None:
    """A quiz of one question of 5 points with these policies."""
    course.has_quiz(make_question(), **changes)
    if setting:
        changes_rows(course, "UPDATE quizzes SET " + setting)


def changes_rows(course: Course, statement: LiteralString) -> None:
    with course.transaction() as connection:
        connection.execute(statement)


def hands_in(person: Person, answer: str = "An answer.") -> Page:
    page = person.post("attempts", {"csrf_token": person.token()})
    name = str(page.soup.select("textarea")[0]["name"])
    return page.submit("#answers-form", {name: answer, "then": "hand-in"}).submit("#hand-in-form")


def shown(person: Person) -> Page:
    """The result page; that it and its live part say the same is looked at on the way."""
    page = person.get("quiz")
    parts = person.get(str(page.form("[data-live]")["data-live"]))
    assert parts.text in page.text
    return page


def holds(page: Page, *words: str) -> list[str]:
    """Which of the words stand anywhere in the page or in its live part, in the open or not."""
    raw = page.response.text + page.person.get(str(page.form("[data-live]")["data-live"])).response.text
    return [word for word in words if word in raw]


def next_look(page: Page) -> str:
    return str(page.form("[data-next]")["data-next"])


def is_settled(course: Course) -> None:
    """The explanations are final and the score has arrived."""
    changes_rows(course, "UPDATE rewordings SET outcome = 'NOT_WANTED', finished_at = now()")
    changes_rows(course, "UPDATE deliveries SET status = 'DELIVERED', finished_at = now()")


def approves(course: Course) -> None:
    with course.transaction() as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM attempts").fetchall()]
        (user_id,) = connection.execute("SELECT id FROM users WHERE sub = 'grace-hopper'").fetchone() or (0,)
        approve_attempts(connection, ids, user_id)


def test_nothing_of_a_held_attempt_is_in_the_page_until_it_is_approved(course: Course) -> None:
    has_quiz(course, "posting = 'APPROVAL'", max_attempts=2)
    person = course.learner()
    assert "your instructor looks at the scores" in person.get().text
    hands_in(person)
    before = shown(person)
    assert "Handed in. Your instructor looks at it before the score counts." in before.text
    course.grades(person, fraction=0.7)
    held = shown(person)
    assert "Handed in. Your instructor looks at it before the score counts." in held.text
    assert holds(held, *SECRETS, "3.5", "gradebook:") == []
    assert next_look(held) == "30", "it is looked at again, slowly"
    hands_in(person)
    changes_rows(course, "UPDATE attempts SET submitted_at = '2026-01-01' WHERE submitted_at IS NOT NULL")
    course.grades(person, fraction=0.3)
    both = shown(person)
    assert "your instructor looks at it" in both.form("[data-part=past]").get_text()
    assert holds(both, *SECRETS, "3.5", "1.5") == []
    approves(course)
    page = shown(person)
    assert "1.5 / 5" in page.text
    assert "You said what happens." in page.text
    assert "looked at by your instructor" in page.text
    assert "3.5 / 5" in page.form("[data-part=past]").get_text()


def test_a_review_launch_of_the_student_shows_nothing_of_a_held_attempt(course: Course) -> None:
    has_quiz(course, "posting = 'APPROVAL'")
    person = course.learner()
    hands_in(person)
    course.grades(person, fraction=0.7)
    with course.transaction() as connection:
        (attempt_id,) = connection.execute("SELECT id FROM attempts").fetchone() or (0,)
    review = course.learner(attempt_id=attempt_id).get()
    assert review.path.endswith("/result")
    assert holds(review, *SECRETS, "3.5") == []
    assert course.learner().get(f"results/{attempt_id}").status == 403


@pytest.mark.parametrize(("confidence", "is_held"), [(0.3, True), (0.9, False)])
def test_an_unsure_attempt_is_held_and_none_is_shown_before_that_is_known(
    course: Course, confidence: float, is_held: bool
) -> None:
    has_quiz(course, "review_confidence = 0.5")
    person = course.learner()
    hands_in(person)
    assert "They are being scored now." in shown(person).text
    changes_rows(course, "UPDATE submissions SET status = 'STUCK'")  # of two answers, say, the other one
    assert "looks at it before" not in shown(person).text
    changes_rows(course, "UPDATE submissions SET status = 'RECEIVED'")
    course.grades(person, fraction=0.7, confidence=confidence)
    page = shown(person)
    assert ("Your instructor looks at it before the score counts." in page.text) == is_held
    assert bool(holds(page, "You said what happens.", "3.5")) != is_held


def test_what_is_scored_already_is_not_shown_while_the_attempt_may_be_held(course: Course) -> None:
    course.has_quiz()
    changes_rows(course, "UPDATE quizzes SET review_confidence = 0.5")
    person = course.learner()
    page = person.post("attempts", {"csrf_token": person.token()})
    answers = {str(area["name"]): "An answer." for area in page.soup.select("textarea")}
    page.submit("#answers-form", {**answers, "then": "hand-in"}).submit("#hand-in-form")
    course.grades(person, fraction=0.7)
    changes_rows(course, "UPDATE attempts SET status = 'SUBMITTED', graded_at = NULL")
    changes_rows(course, "UPDATE submissions SET status = 'RECEIVED' WHERE id = (SELECT max(id) FROM submissions)")
    page = shown(person)
    assert holds(page, *SECRETS, "3.5") == []
    assert "They are being scored now." in page.text


def test_an_instructors_try_shows_all_whatever_the_policies(course: Course) -> None:
    has_quiz(course, "posting = 'APPROVAL', explanations_shown = 'AFTER_APPROVAL', late_rule = 'CLOSE'")
    person = course.instructor(due_at=datetime.now(UTC) - SOON)
    hands_in(person)
    course.grades(person, fraction=0.7)
    page = shown(person)
    assert "3.5 / 5" in page.text
    assert "You said what happens." in page.text


def test_explanations_after_the_due_date(course: Course) -> None:
    has_quiz(course, "explanations_shown = 'AFTER_DUE'")
    due_at = datetime.now(UTC) + SOON
    person = course.learner(due_at=due_at)
    hands_in(person)
    course.grades(person, fraction=0.7)
    is_settled(course)
    page = shown(person)
    assert "3.5 / 5" in page.text
    assert f"Explanations are shown after {due_at:%Y-%m-%d %H:%M} UTC" in page.text
    assert holds(page, *SECRETS) == []
    assert next_look(page) == "0"
    extended = course.learner(due_at=due_at + SOON)
    assert f"after {due_at + SOON:%Y-%m-%d %H:%M} UTC" in shown(extended).text, "they were given more time"
    over = course.learner(due_at=datetime.now(UTC) - SOON)
    assert "You said what happens." in shown(over).text


def test_without_a_due_date_explanations_are_shown_at_once(course: Course) -> None:
    has_quiz(course, "explanations_shown = 'AFTER_DUE'")
    person = course.learner()
    hands_in(person)
    course.grades(person)
    assert "You said what happens." in shown(person).text


def test_explanations_after_approval(course: Course) -> None:
    has_quiz(course, "explanations_shown = 'AFTER_APPROVAL'")
    course.instructor()
    person = course.learner()
    hands_in(person)
    course.grades(person, fraction=0.7)
    is_settled(course)
    page = shown(person)
    assert "3.5 / 5" in page.text
    assert "Explanations are shown when your instructor has released them." in page.text
    assert holds(page, *SECRETS) == []
    assert next_look(page) == "30"
    approves(course)
    assert "You said what happens." in shown(person).text


def test_what_lateness_cost_is_shown_with_how_late_it_was(course: Course) -> None:
    has_quiz(course, "late_rule = 'DEDUCT'")
    person = course.learner(due_at=datetime.now(UTC) - timedelta(hours=5, minutes=2))
    hands_in(person)
    course.grades(person, fraction=0.6)
    page = shown(person)
    assert "2.7 / 5" in page.text
    assert "3 of 5, 10 % taken off: handed in 5 hours late." in page.text
    assert "5시간 늦게" in course.learner(locale="ko").get().text


@pytest.mark.parametrize(
    ("policy", "first", "second"),
    [
        ("BEST", "In the gradebook", "A better attempt of yours counts in the gradebook."),
        ("LAST", "A later attempt of yours counts in the gradebook.", "In the gradebook"),
        ("AVERAGE", "The average of your 2 attempts counts: 2.5 of 5.", "The average of your 2 attempts counts"),
    ],
)
def test_the_attempt_that_counts_is_named(course: Course, policy: str, first: str, second: str) -> None:
    has_quiz(course, max_attempts=3)
    with course.transaction() as connection:
        connection.execute("UPDATE quizzes SET counted_attempt = %s", (policy,))
    person = course.learner()
    hands_in(person)
    course.grades(person, fraction=0.8)
    hands_in(person)
    course.grades(person, fraction=0.2)
    is_settled(course)
    page = shown(person)
    assert second in page.text
    assert first in page.follow("Attempt 1").text
    marked = [
        item.get_text().split()[1] for item in page.soup.select("[data-part=past] li") if item.select(".tag--good")
    ]
    assert marked == {"BEST": ["1"], "LAST": ["2"], "AVERAGE": ["1", "2"]}[policy]
    counts = {"BEST": "best attempt", "LAST": "last attempt", "AVERAGE": "average of your attempts"}[policy]
    assert f"{counts} counts" in page.text


def test_an_excused_attempt_says_that_it_does_not_count(course: Course) -> None:
    has_quiz(course, max_attempts=2)
    person = course.learner()
    hands_in(person)
    course.grades(person, fraction=0.8)
    changes_rows(course, "UPDATE attempts SET excused_at = now()")
    assert "Your instructor excused this attempt: it does not count." in shown(person).text
    hands_in(person)
    course.grades(person, fraction=0.2)
    is_settled(course)
    page = shown(person)
    assert "In the gradebook" in page.text
    assert "does not count" in page.form("[data-part=past]").get_text()


def test_an_attempt_that_was_opened_again_leads_to_the_new_one(course: Course) -> None:
    has_quiz(course)
    person = course.learner()
    hands_in(person)
    course.grades(person, fraction=0.2)
    changes_rows(
        course,
        "INSERT INTO attempts (resource_link_id, user_id, quiz_id, number, reopened_from)"
        " SELECT resource_link_id, user_id, quiz_id, 2, id FROM attempts",
    )
    answering = person.get("quiz")
    assert "Attempt 2 ·" in answering.text
    assert "Your instructor opened this attempt again" in answering.text
    with course.transaction() as connection:
        (first,) = connection.execute("SELECT min(id) FROM attempts").fetchone() or (0,)
    old = person.get(f"attempts/{first}/result")
    assert "Until you have handed that in, this one counts." in old.text
    assert old.follow("Go on with attempt 2").path == answering.path
    name = str(answering.soup.select("textarea")[0]["name"])
    answering.submit("#answers-form", {name: "Better.", "then": "hand-in"}).submit("#hand-in-form")
    course.grades(person, fraction=0.1)
    assert "Attempt 2 goes on with this one and counts in its place." in person.get(f"attempts/{first}/result").text


def test_what_an_instructor_scored_and_wrote_is_named(course: Course) -> None:
    has_quiz(course)
    person = course.learner()
    hands_in(person)
    course.grades(person, fraction=0.2)
    changes_rows(
        course,
        "WITH grade AS (INSERT INTO grades (submission_id, source, fraction, points, low, high, confidence, created_by)"
        " SELECT submission_id, 'INSTRUCTOR', 1, 5, 1, 1, 1, (SELECT min(id) FROM users) FROM grades RETURNING id)"
        " INSERT INTO explanations (grade_id, source, text) SELECT id, 'INSTRUCTOR', 'Look <b>again</b>.' FROM grade",
    )
    page = shown(person)
    assert "Score by your instructor" in page.text
    assert "Explanation by your instructor Look <b>again</b>." in page.text
    assert "Scored by your instructor." in page.text
    assert "machine" not in page.text


def test_a_learner_has_no_other_way_to_a_held_attempt(course: Course) -> None:
    has_quiz(course, "posting = 'APPROVAL'")
    person = course.learner()
    hands_in(person)
    course.grades(person, fraction=0.7)
    with course.transaction() as connection:
        (attempt_id,) = connection.execute("SELECT id FROM attempts").fetchone() or (0,)
    for address in ("", "quiz", f"attempts/{attempt_id}/", f"attempts/{attempt_id}/hand-in"):
        raw = person.get(address).response.text
        assert [word for word in (*SECRETS, "3.5") if word in raw] == [], address
    assert course.launch(Role.LEARNER, "carl-gauss").get(f"attempts/{attempt_id}/result").status == 404
