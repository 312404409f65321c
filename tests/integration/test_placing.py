"""Adding quizzes to a course: several at once, with title, points, due date and attempts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest

from lti_tool.db import fetch_value
from lti_tool.errors import Refused
from lti_tool.launch.roles import Role
from lti_tool.launch.sessions import find_session
from lti_tool.questions import answer_key, placement_form, store
from lti_tool.questions.errors import FormFaults, PlacementAnswered
from lti_tool.questions.placement_form import TypedPlacement
from lti_tool.questions.views import summary
from tests.course_actors import Course, Page, Person, make_question

DL = "https://purl.imsglobal.org/spec/lti-dl/claim"
SEVERAL = {"accepts_multiple": True}


def answer_of(page: Page) -> dict[str, Any]:
    """The claims that the page is about to post to the platform."""
    assert page.status == 200, page.text
    token = str(page.form("form[action='https://lms.example.edu/return'] input[name=JWT]")["value"])
    return jwt.decode(token, options={"verify_signature": False})


def items_of(page: Page) -> list[dict[str, Any]]:
    return answer_of(page)[f"{DL}/content_items"]


def fields(quiz_id: UUID, **values: str) -> dict[str, str]:
    return {f"{name}-{quiz_id}": value for name, value in values.items()}


def placing(course: Course, *quizzes: UUID, offered: Mapping[str, object] | None = None) -> Page:
    return course.author(offered=offered).get("place", {"quiz": [str(quiz) for quiz in quizzes]})  # pyright: ignore[reportArgumentType]


def typed(**changes: str) -> TypedPlacement:
    values: dict[str, Any] = {"title": "Quiz", "max_points": "5", "max_attempts": "1"}
    return TypedPlacement(quiz_id=UUID(int=7), **values | changes)


# Choosing ---------------------------------------------------------------------------------------------------------


def test_one_quiz_is_chosen_where_the_course_takes_one(course: Course) -> None:
    course.has_quiz()
    page = course.author().get("quizzes")
    assert not page.soup.select("input[type=checkbox]")
    assert page.follow("Add to course").form("#place-form")


def test_several_quizzes_are_chosen_and_added_at_once(course: Course) -> None:
    first, second, third = (course.has_quiz(title=f"Week {number}") for number in (1, 2, 3))
    page = course.author(offered=SEVERAL).get("quizzes")
    assert len(page.soup.select("input[type=checkbox][name=quiz]")) == 3
    page = page.submit("#choose-form", {"quiz": [str(third), str(first)]})
    assert [str(heading.get_text()) for heading in page.soup.select("h2")] == ["Week 3", "Week 1"]
    claims = answer_of(page.submit("#place-form"))
    assert [item["custom"]["quiz_id"] for item in claims[f"{DL}/content_items"]] == [str(third), str(first)]
    assert claims[f"{DL}/msg"] == "2 quizzes were added."
    assert str(second) not in str(claims)


def test_choosing_none_asks_for_one(course: Course) -> None:
    course.has_quiz()
    page = course.author(offered=SEVERAL).get("quizzes").submit("#choose-form")
    assert page.status == 422
    assert "Choose at least one quiz." in page.text


def test_going_back_keeps_what_was_chosen(course: Course) -> None:
    first, second = course.has_quiz(), course.has_quiz()
    page = placing(course, second, offered=SEVERAL).follow("Back")
    checked = {str(box["value"]): box.has_attr("checked") for box in page.soup.select("input[type=checkbox]")}
    assert checked == {str(first): False, str(second): True}


def test_a_quiz_without_questions_cannot_be_chosen(course: Course) -> None:
    full = course.has_quiz()
    page = course.author(offered=SEVERAL).get("quizzes").submit("#new-quiz-form", {"title": "Empty"})
    empty = page.path.rstrip("/").split("/")[-1]
    page = page.person.get("quizzes")
    assert [str(box["value"]) for box in page.soup.select("input[type=checkbox]")] == [str(full)]
    refused = page.person.get("place", {"quiz": [str(full), empty]})  # pyright: ignore[reportArgumentType]
    assert refused.status == 422
    assert "Add at least one question" in refused.text


def test_more_than_the_course_takes_is_refused(course: Course) -> None:
    first, second = course.has_quiz(), course.has_quiz()
    assert placing(course, first, second).status == 422
    person = course.author()
    refused = person.post("place", {"quiz": [str(first), str(second)], "csrf_token": person.token()})
    assert refused.status == 422
    assert "takes one quiz at a time" in refused.text
    assert placing(course, first, second, offered=SEVERAL).status == 200


def test_the_same_quiz_twice_is_one(course: Course) -> None:
    quiz_id = course.has_quiz()
    assert len(items_of(placing(course, quiz_id, quiz_id).submit("#place-form"))) == 1


@pytest.mark.parametrize("chosen", ["foreign", "unknown", "no id"])
def test_a_quiz_of_elsewhere_is_not_found(course: Course, chosen: str) -> None:
    foreign = course.has_quiz()
    other = Course.open(course.app, course.database)
    wanted = {"foreign": str(foreign), "unknown": str(uuid4()), "no id": "'; DROP TABLE quizzes"}[chosen]
    person = other.author()
    assert person.get("place", {"quiz": wanted}).status == 404
    assert person.post("place", {"quiz": wanted, "csrf_token": person.token()}).status == 404


def test_twenty_quizzes_are_the_most(course: Course) -> None:
    quizzes = [course.has_quiz(make_question()) for _ in range(21)]
    assert "At most 20 quizzes" in placing(course, *quizzes, offered=SEVERAL).text
    assert placing(course, *quizzes[:20], offered=SEVERAL).status == 200


# The fields -------------------------------------------------------------------------------------------------------


def test_a_quiz_is_offered_with_its_own_title_points_and_attempts(course: Course) -> None:
    quiz_id = course.has_quiz(max_attempts=3)
    page = placing(course, quiz_id)
    assert page.form(f"#title-{quiz_id}")["value"] == "Regularisation"
    assert page.form(f"#max_points-{quiz_id}")["value"] == "10"
    assert page.form(f"#max_attempts-{quiz_id}")["value"] == "3"
    assert page.form(f"#due-{quiz_id}")["value"] == ""


def test_the_preview_shows_what_students_see_and_nothing_of_the_key(course: Course) -> None:
    page = placing(course, course.has_quiz())
    preview = page.form("details")
    assert not preview.has_attr("open")
    assert "What is dropout?" in preview.get_text()
    assert "What is early stopping?" in preview.get_text()
    assert "co-adaptation" not in page.text
    assert "co-adapt" not in page.text


def test_what_is_set_goes_to_the_course(course: Course) -> None:
    quiz_id = course.has_quiz()
    values = fields(
        quiz_id, title="Final <b>", max_points="37,5", max_attempts="4", due="2090-01-31T18:00", offset="-540"
    )
    (item,) = items_of(placing(course, quiz_id).submit("#place-form", values))
    assert item["title"] == "Final <b>"
    assert item["text"] == "2 questions, 37.5 points"
    assert item["lineItem"] == {
        "label": "Final <b>",
        "scoreMaximum": 37.5,
        "resourceId": str(quiz_id),
        "tag": "mlquiz",
    }
    assert item["submission"] == {"endDateTime": "2090-01-31T09:00:00.000+00:00"}
    assert item["custom"] == {
        "quiz_id": str(quiz_id),
        "max_attempts": "4",
        "due_at": "$ResourceLink.submission.endDateTime",
    }
    assert item["url"].endswith(f"/lti/launch?quiz={quiz_id}")


def test_what_is_left_as_offered_leaves_no_empty_field(course: Course) -> None:
    quiz_id = course.has_quiz(max_attempts=2)
    (item,) = items_of(placing(course, quiz_id).submit("#place-form"))
    assert set(item) == {"type", "title", "text", "url", "custom", "lineItem"}
    assert "max_attempts" not in item["custom"], "changing the quiz's attempts must keep its effect"


def test_each_quiz_has_its_own_fields(course: Course) -> None:
    first, second = course.has_quiz(title="One"), course.has_quiz(title="Two")
    values = fields(first, max_points="20") | fields(second, title="Second", due="2090-06-01T12:00")
    one, two = items_of(placing(course, first, second, offered=SEVERAL).submit("#place-form", values))
    assert (one["title"], one["lineItem"]["scoreMaximum"], "submission" in one) == ("One", 20, False)
    assert (two["title"], two["lineItem"]["scoreMaximum"]) == ("Second", 10)
    assert two["submission"] == {"endDateTime": "2090-06-01T12:00:00.000+00:00"}, "without a script it is UTC"


def test_a_course_without_columns_is_asked_for_no_points(course: Course) -> None:
    quiz_id = course.has_quiz()
    page = placing(course, quiz_id, offered={"accepts_line_item": False})
    assert not page.soup.select(f"#max_points-{quiz_id}")
    assert "asks for no gradebook column" in page.text
    (item,) = items_of(page.submit("#place-form"))
    assert "lineItem" not in item


def test_faults_stand_beside_their_fields_and_nothing_is_lost(course: Course) -> None:
    first, second = course.has_quiz(), course.has_quiz()
    values = fields(first, title="Kept", max_points="0", due="2090-06-01T12:00")
    values |= fields(second, title=" ", max_attempts="21", due="2001-01-01T00:00")
    page = placing(course, first, second, offered=SEVERAL).submit("#place-form", values)
    assert page.status == 422
    faults = {str(fault["id"]): fault.get_text() for fault in page.soup.select(".fault")}
    assert faults == {
        f"fault-max_points-{first}": "Points: a number above 0, at most 100000.",
        f"fault-title-{second}": "Give the quiz a title.",
        f"fault-max_attempts-{second}": "Attempts: a whole number from 1 to 20.",
    }
    assert page.form(f"#title-{first}")["value"] == "Kept"
    assert page.form(f"#max_points-{first}")["aria-describedby"] == f"fault-max_points-{first}"
    assert page.form(f"#due-{first}")["value"] == "2090-06-01T12:00"
    assert page.form(f"#max_attempts-{second}")["value"] == "21"
    mended = fields(first, max_points="1") | fields(second, title="Two", max_attempts="1", due="")
    assert [item["title"] for item in items_of(page.submit("#place-form", mended))] == ["Kept", "Two"]


@pytest.mark.parametrize(
    ("due", "offset", "moment"),
    [
        ("2090-03-01T08:30", "", datetime(2090, 3, 1, 8, 30, tzinfo=UTC)),
        ("2090-03-01T08:30", "0", datetime(2090, 3, 1, 8, 30, tzinfo=UTC)),
        ("2090-03-01T08:30:15", "-540", datetime(2090, 2, 28, 23, 30, 15, tzinfo=UTC)),
        ("2090-12-31T23:00", "300", datetime(2091, 1, 1, 4, tzinfo=UTC)),
        ("2090-03-01 08:30", "210", datetime(2090, 3, 1, 12, tzinfo=UTC)),
        ("2090-03-01T08:30+09:00", "0", datetime(2090, 2, 28, 23, 30, tzinfo=UTC)),
        ("", "-540", None),
        ("  ", "", None),
    ],
)
def test_a_due_date_is_in_the_readers_time(due: str, offset: str, moment: datetime | None) -> None:
    assert typed(due=due, offset=offset).parse().due_at == moment


@pytest.mark.parametrize(
    ("due", "offset"),
    [
        ("tomorrow", ""),
        ("2090-02-30T08:00", ""),
        ("275760-01-01T00:00", ""),
        ("9999-12-31T23:59", "600"),
        ("0001-01-01T00:00", "-600"),
        ("2090-03-01T08:30", "NaN"),
        ("2090-03-01T08:30", "99999"),
        ("2090-03-01T08:30", "1.5"),
    ],
)
def test_a_due_date_that_is_none_is_a_fault(course: Course, due: str, offset: str) -> None:
    with course.app.test_request_context(), pytest.raises(FormFaults) as refusal:
        typed(due=due, offset=offset).parse()
    assert refusal.value.faults == {f"due-{UUID(int=7)}": "Choose a day and a time, or leave it empty."}


def test_a_due_date_that_is_over_is_a_fault(course: Course) -> None:
    now = datetime.now(UTC)
    before = (now - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M")
    with course.app.test_request_context(), pytest.raises(FormFaults) as refusal:
        typed(due=before).parse()
    assert "is over" in refusal.value.faults[f"due-{UUID(int=7)}"]
    # Half an hour ago on a clock that is an hour behind UTC is still to come.
    behind = (now - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M")
    assert typed(due=behind, offset="60").parse().due_at is not None


@pytest.mark.parametrize("points", ["0", "-1", "100001", "1.23456", "NaN", "Infinity", "ten", ""])
def test_points_that_no_gradebook_takes_are_a_fault(course: Course, points: str) -> None:
    with course.app.test_request_context(), pytest.raises(FormFaults) as refusal:
        typed(max_points=points).parse()
    assert set(refusal.value.faults) == {f"max_points-{UUID(int=7)}"}


def test_all_quizzes_are_checked_at_once(course: Course) -> None:
    with course.app.test_request_context(), pytest.raises(FormFaults) as refusal:
        placement_form.parse_placements([typed(title=""), typed(), typed(title="x" * 201, max_attempts="0")])
    assert len(refusal.value.faults) == 2
    assert refusal.value.typed[2].title == "x" * 201


# Cancel -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["quizzes", "place"])
def test_cancelling_answers_the_course_with_nothing(course: Course, page: str) -> None:
    quiz_id = course.has_quiz()
    opened = course.author().get(page, {"quiz": str(quiz_id)} if page == "place" else None)
    answer = opened.submit("form[action$='/place/cancel']")
    claims = answer_of(answer)
    assert claims[f"{DL}/content_items"] == []
    assert claims[f"{DL}/msg"] == "No quiz was added."
    assert "Back to the course" in answer.text


def test_an_ordinary_launch_has_nothing_to_cancel(course: Course) -> None:
    course.has_quiz()
    person = course.instructor(quiz_id=None)
    assert not person.get("quizzes").soup.select("form[action$='/place/cancel']")
    assert person.post("place/cancel", {"csrf_token": person.token()}).status == 404


# A placement that has no quiz yet ---------------------------------------------------------------------------------


def terms(course: Course) -> tuple[object, object, object]:
    with course.database.transaction(course.registration.id) as connection:
        row = connection.execute("SELECT quiz_id, max_attempts, due_at FROM resource_links").fetchone()
    assert row is not None
    return row


def placed_by_hand(course: Course, **values: str) -> Person:
    """The instructor opens an activity that was made without a quiz, and uses the course's quiz in it."""
    quiz_id = course.has_quiz()
    person = course.instructor(quiz_id=None)
    page = person.get("quizzes").follow("Use this quiz")
    assert not page.soup.select(f"#title-{quiz_id}, #max_points-{quiz_id}"), "these are the course's own"
    page = page.submit("#place-form", fields(quiz_id, **values))
    assert "The quiz is in place." in page.text
    return person


def test_a_placement_by_hand_gets_attempts_and_due_date_here(course: Course) -> None:
    placed_by_hand(course, max_attempts="2", due="2090-05-01T10:00", offset="-120")
    assert terms(course) == (course.quiz_id, 2, datetime(2090, 5, 1, 8, tzinfo=UTC))
    page = course.learner(quiz_id=None).get()
    assert "Your best attempt counts." in page.text, "two attempts, although the quiz has one"
    assert page.form("time")["datetime"] == "2090-05-01T08:00:00Z"
    assert terms(course)[1] == 2, "a launch that names no quiz has nothing to say about attempts"


def test_a_placement_by_hand_follows_the_quizs_attempts(course: Course) -> None:
    placed_by_hand(course)
    assert terms(course) == (course.quiz_id, None, None)


def test_custom_parameters_written_by_hand_win(course: Course) -> None:
    placed_by_hand(course, max_attempts="2")
    course.learner(quiz_id=None, max_attempts=5)
    assert terms(course)[1] == 5


def test_a_launch_that_names_its_quiz_brings_its_terms(course: Course) -> None:
    course.has_quiz()
    due = datetime(2090, 5, 1, 8, tzinfo=UTC)
    course.instructor(max_attempts=3, due_at=due)
    assert terms(course) == (course.quiz_id, 3, due)
    course.learner()
    assert terms(course) == (course.quiz_id, None, None), "the due date was taken away in the course"


# What comes of it -------------------------------------------------------------------------------------------------


def hand_in_one(page: Page) -> Page:
    """From the first page to the result."""
    page = page.submit("#begin-form")
    answers = {str(area["name"]): "Units are switched off." for area in page.soup.select("textarea")}
    return page.submit("#answers-form", answers).submit("#hand-in-form")


@pytest.mark.parametrize(("of_quiz", "of_placement", "left"), [(3, 1, 0), (1, 3, 2), (2, None, 1)])
def test_the_placements_attempts_count(course: Course, of_quiz: int, of_placement: int | None, left: int) -> None:
    course.has_quiz(make_question(), max_attempts=of_quiz)
    person = course.learner(max_attempts=of_placement)
    page = hand_in_one(person.get())
    for remaining in range(left, 0, -1):
        assert f"You have {remaining} attempt" in page.text
        page = page.submit("form[action$='/attempts']")
        assert f"Attempt {left - remaining + 2} of {left + 1}" in page.text
        page = page.submit("#answers-form").submit("#hand-in-form", {"empty_is_meant": "yes"})
    assert not page.soup.select("form[action$='/attempts']")
    refused = person.post("attempts", {"csrf_token": person.token()})
    assert refused.status == 409
    assert "max_attempts in your course" in refused.text


def test_the_due_date_is_shown_and_keeps_nobody_out(course: Course) -> None:
    course.has_quiz(make_question())
    page = course.learner(due_at=datetime(2090, 5, 1, 8, tzinfo=UTC)).get()
    assert "Due 2090-05-01 08:00 UTC . Your course decides what becomes of later answers." in page.text
    assert "Due 2090-05-01" in page.submit("#begin-form").text
    late = course.learner("late", due_at=datetime(2020, 5, 1, 8, tzinfo=UTC)).get()
    assert "This was due 2020-05-01 08:00 UTC . You can still answer" in late.text
    assert "Handed in" in hand_in_one(late).text
    assert "due" not in course.learner("free").get().text.lower()


def test_a_placement_gives_nobody_more_tries_at_a_closed_key(course: Course) -> None:
    quiz_id = course.has_quiz(max_attempts=2)
    other = Course.open(course.app, course.database, quiz_id=quiz_id)
    session = other.launch(Role.INSTRUCTOR, "stranger", max_attempts=20)
    with course.database.transaction(course.registration.id) as connection:
        quiz = store.get_quiz(connection, quiz_id, course.context_id(connection))
        opened = find_session(connection, session.launch_id, session.secret)
        assert opened is not None
        assert answer_key.max_attempts_here(opened, quiz) == 20
        assert answer_key.allowed_previews(connection, opened, quiz) == 2


def test_the_quiz_page_says_that_a_placement_has_its_own_number(course: Course) -> None:
    course.has_quiz(max_attempts=1)
    page = course.instructor(max_attempts=4).get(f"quizzes/{course.quiz_id}/")
    assert "a number of its own: 4 attempts." in page.text
    assert "4 attempts" in page.person.get("results").text
    assert "a number of its own" not in course.instructor().get(f"quizzes/{course.quiz_id}/").text


def test_a_summary_names_the_points_of_the_column(course: Course) -> None:
    quiz_id = course.has_quiz()
    with course.app.test_request_context(), course.database.transaction(course.registration.id) as connection:
        quiz = store.get_quiz(connection, quiz_id, course.context_id(connection))
        assert summary(quiz) == "2 questions, 10 points"
        assert summary(quiz, Decimal("2.50")) == "2 questions, 2.5 points"
        assert fetch_value(connection, "SELECT count(*) FROM quizzes") == 1


def test_refusals_say_what_an_instructor_can_do() -> None:
    assert issubclass(PlacementAnswered, Refused)
    assert PlacementAnswered.status == 409
    assert "add a new activity" in PlacementAnswered.instructor_text
