"""The policies of a quiz: the form on its page, what it keeps, and scores that are worked out anew."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal

import pytest

from lti_tool.questions import store
from lti_tool.questions.changes import copy_quiz
from lti_tool.questions.policies import Policies, lock_policies, update_policies
from lti_tool.submissions import views
from tests.course_actors import Course, Page, Person, make_question


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)


def policies_of(course: Course) -> Policies:
    assert course.quiz_id is not None
    with course.transaction() as connection:
        return Policies.of_quiz(store.get_quiz(connection, course.quiz_id, course.context_id(connection)))


def saves(course: Course, **fields: str) -> Page:
    """The page after an instructor changed these fields of the form; ``review=""`` clears the box."""
    page = course.instructor().get(f"quizzes/{course.quiz_id}/")
    return page.submit("#policies-form", fields)


def answers(course: Course, fraction: float, sub: str = "ada-lovelace") -> Person:
    """A student makes one more attempt, which gets this share of the points."""
    person = course.learner(sub)
    page = person.post("attempts", {"csrf_token": person.token()})
    name = str(page.soup.select("textarea")[0]["name"])
    page.submit("#answers-form", {name: "An answer.", "then": "hand-in"}).submit("#hand-in-form")
    course.grades(person, fraction=fraction)
    return person


def sent_scores(course: Course) -> list[Decimal]:
    with course.transaction() as connection:
        return [row[0] for row in connection.execute("SELECT score_given FROM deliveries ORDER BY id").fetchall()]


def test_a_new_quiz_sends_scores_at_once_counts_the_best_and_takes_late_answers(course: Course) -> None:
    course.has_quiz()
    assert policies_of(course) == Policies(
        posting="AT_ONCE",
        counted_attempt="BEST",
        late_rule="ACCEPT",
        late_percent_per_day=Decimal(10),
        explanations_shown="AT_ONCE",
        review_confidence=None,
        review_share=0.0,
    )
    page = course.instructor().get(f"quizzes/{course.quiz_id}/")
    assert "Scores are sent at once · the best attempt counts · late answers are taken" in page.text


def test_each_policy_is_saved_and_told_in_one_line(course: Course) -> None:
    course.has_quiz()
    choices = [
        ("posting", "APPROVAL", "Scores wait for your approval"),
        ("counted_attempt", "LAST", "the last attempt counts"),
        ("counted_attempt", "AVERAGE", "the average of all attempts counts"),
        ("late_rule", "DEDUCT", "10 % off for each day late"),
        ("late_rule", "CLOSE", "closed once it is due"),
        ("explanations_shown", "AFTER_DUE", "explanations after the due date"),
        ("explanations_shown", "AFTER_APPROVAL", "explanations after approval"),
    ]
    for field, value, words in choices:
        page = saves(course, **{field: value})
        assert "Saved." in page.text
        assert words in page.form("#policies summary").get_text()
        assert getattr(policies_of(course), field) == value
        assert page.form(f"#policies-form input[name={field}][checked]")["value"] == value


def test_shares_are_typed_in_percent_with_a_decimal_comma_too(course: Course) -> None:
    course.has_quiz()
    page = saves(course, late_percent_per_day="12,5", review="on", review_confidence="62.5", review_share="29")
    assert "unsure scores wait for you" in page.text
    saved = policies_of(course)
    assert (saved.late_percent_per_day, saved.review_confidence, saved.review_share) == (Decimal("12.5"), 0.625, 0.29)
    form = page.form("#policies-form")
    shown = {str(each["name"]): str(each["value"]) for each in form.select("input[type=text]")}
    assert shown == {"late_percent_per_day": "12.5", "review_confidence": "62.5", "review_share": "29"}
    saves(course, review="")
    assert policies_of(course).review_confidence is None


def test_a_wrong_value_is_named_and_what_was_typed_stays(course: Course) -> None:
    course.has_quiz()
    before = policies_of(course)
    page = saves(course, late_rule="CLOSE", late_percent_per_day="ten", review="on", review_share="100", posting="")
    assert page.status == 422
    assert "Nothing was saved yet" in page.text
    for field, value in (("late_percent_per_day", "ten"), ("review_share", "100")):
        assert page.form(f"#fault-{field}").get_text().endswith(".")
        assert page.form(f"[name={field}]")["aria-describedby"] == f"fault-{field}"
        assert page.form(f"[name={field}]")["value"] == value
    assert page.form("#fault-posting").get_text() == "Choose when scores count."
    assert page.form("#policies").has_attr("open")
    assert page.form("#review-details").has_attr("open")
    assert page.form("input[name=late_rule][checked]")["value"] == "CLOSE", "what was right is kept too"
    assert policies_of(course) == before


def test_a_change_of_policies_is_in_the_record(course: Course) -> None:
    course.has_quiz()
    saves(course, late_rule="DEDUCT", late_percent_per_day="25")
    saves(course)  # nothing changed
    with course.transaction() as connection:
        recorded = connection.execute(
            "SELECT details - 'quiz_id', details ->> 'quiz_id' FROM audit_events WHERE event = 'POLICIES_CHANGED'"
        ).fetchall()
    changes = {"late_rule": "ACCEPT → DEDUCT", "late_percent_per_day": "10.00 → 25"}
    assert recorded == [(changes, str(course.quiz_id))]


def test_a_copy_has_the_policies_of_its_quiz(course: Course) -> None:
    course.has_quiz()
    saves(course, posting="APPROVAL", counted_attempt="AVERAGE", late_rule="DEDUCT", late_percent_per_day="25")
    saves(course, explanations_shown="AFTER_DUE", review="on", review_confidence="40", review_share="10")
    assert course.quiz_id is not None
    with course.transaction() as connection:
        quiz = store.get_quiz(connection, course.quiz_id, course.context_id(connection))
        copied = store.get_quiz(connection, copy_quiz(connection, quiz, title="Copy", created_by=None), quiz.context_id)
    assert Policies.of_quiz(copied) == Policies.of_quiz(quiz)


def test_another_attempt_that_counts_makes_new_scores_where_they_differ(course: Course) -> None:
    course.has_quiz(make_question(), max_attempts=2)
    answers(course, 0.8)
    answers(course, 0.2)
    answers(course, 0.6, "carl-gauss")
    assert sent_scores(course) == [Decimal(4), Decimal(3)]
    page = saves(course, counted_attempt="LAST")
    assert "1 score changes with this and is sent again." in page.text
    assert sent_scores(course) == [Decimal(4), Decimal(3), Decimal(1)]
    saves(course, counted_attempt="AVERAGE")
    assert sent_scores(course)[3:] == [Decimal("2.5")]
    assert "sent again." not in saves(course, posting="APPROVAL").form("main").get_text()[:400]
    assert len(sent_scores(course)) == 4


def test_another_late_rule_makes_new_scores_of_what_was_late(course: Course) -> None:
    course.has_quiz(make_question())
    answers(course, 0.8)
    answers(course, 0.6, "carl-gauss")
    with course.transaction() as connection:
        connection.execute(
            "UPDATE attempts SET due_at = submitted_at - interval '25 hours' FROM users"
            " WHERE users.id = user_id AND sub = 'ada-lovelace'"
        )
    saves(course, late_rule="DEDUCT")
    assert sent_scores(course) == [Decimal(4), Decimal(3), Decimal("3.2")], "two days begun, 20 % off"
    saves(course, late_percent_per_day="50")
    assert sent_scores(course)[3:] == [Decimal(0)]
    saves(course, late_rule="CLOSE")
    assert sent_scores(course)[4:] == [Decimal(4)]


def test_of_two_changes_at_once_the_later_one_is_what_scores_are_made_by(course: Course) -> None:
    course.has_quiz(make_question(), max_attempts=2)
    answers(course, 0.8)
    answers(course, 0.2)
    best = policies_of(course)
    saves(course, counted_attempt="AVERAGE")
    last = replace(best, counted_attempt="LAST")
    average = policies_of(course)
    begun = threading.Event()

    def changes_to_average_again() -> None:
        with course.transaction() as connection:
            assert course.quiz_id is not None
            quiz = store.get_quiz(connection, course.quiz_id, course.context_id(connection))
            begun.set()
            update_policies(connection, lock_policies(connection, quiz), average)

    other = threading.Thread(target=changes_to_average_again)
    with course.transaction() as connection:
        assert course.quiz_id is not None
        quiz = store.get_quiz(connection, course.quiz_id, course.context_id(connection))
        update_policies(connection, lock_policies(connection, quiz), last)
        other.start()
        begun.wait(10)
    other.join(10)
    assert policies_of(course).counted_attempt == "AVERAGE"
    assert sent_scores(course)[-2:] == [1, Decimal("2.5")], "the last one, then the average of 4 and 1"
