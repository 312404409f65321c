"""What a student says about a machine's explanation, who may say it of which text, and what the instructor sees."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
import pytest

from lti_tool.db import fetch_value
from lti_tool.gradebook import decision_views
from lti_tool.gradebook.store import record_rewording
from lti_tool.submissions import views
from tests.course_actors import Course, Page, Person, make_question

MACHINES = "You said what happens."


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)
    monkeypatch.setattr(decision_views, "wake_later", lambda *arguments: None)


@pytest.fixture
def student(course: Course) -> Person:
    """A student whose one answer is scored and explained."""
    course.has_quiz(make_question(), max_attempts=3)
    return explained(course)


def explained(course: Course, sub: str = "ada-lovelace", **launch: Any) -> Person:
    person = course.learner(sub, **launch)
    page = person.post("attempts", {"csrf_token": person.token()})
    name = str(page.soup.select("textarea")[0]["name"])
    page.submit("#answers-form", {name: "An answer.", "then": "hand-in"}).submit("#hand-in-form")
    course.grades(person, fraction=0.5)
    change(course, "UPDATE rewordings SET outcome = 'NOT_WANTED', finished_at = now() WHERE outcome = 'PENDING'")
    return person


def change(course: Course, statement: LiteralString, *values: object) -> None:
    with course.transaction() as connection:
        connection.execute(statement, values)


def value(course: Course, query: LiteralString) -> Any:
    with course.transaction() as connection:
        return fetch_value(connection, query)


def ratings(course: Course) -> list[tuple[Any, ...]]:
    with course.transaction() as connection:
        return connection.execute("SELECT rating, note FROM explanation_ratings ORDER BY explanation_id").fetchall()


def rate(person: Person, rating: str, note: str = "") -> Page:
    """Press a button of the rating that the result page shows."""
    return person.get("quiz").submit(".rating", {"rating": rating, "note": note})


def pressed(page: Page) -> list[str]:
    return [" ".join(each.get_text(" ").split()) for each in page.soup.select(".rating [aria-pressed=true]")]


# The label ---------------------------------------------------------------------------------------------------------


def test_each_machines_explanation_is_labelled_so_and_an_instructors_is_not(course: Course, student: Person) -> None:
    assert "Explanation by the machine" in student.get("quiz").text
    change(course, "INSERT INTO explanations (grade_id, source, text) SELECT id, 'LLM', 'Reworded.' FROM grades")
    page = student.get("quiz")
    assert "Explanation by the machine Reworded." in page.text
    change(course, "INSERT INTO explanations (grade_id, source, text) SELECT id, 'INSTRUCTOR', 'Mine.' FROM grades")
    page = student.get("quiz")
    assert "Explanation by your instructor Mine." in page.text
    assert "Explanation by the machine" not in page.text
    assert page.soup.select(".rating") == []


# Rating ------------------------------------------------------------------------------------------------------------


def test_a_student_rates_an_explanation_changes_it_and_takes_it_back(course: Course, student: Person) -> None:
    assert pressed(student.get("quiz")) == []
    page = rate(student, "HELPFUL")
    assert pressed(page) == ["Helpful"]
    assert (
        page.form("[role=status]:not([data-part])").get_text() == "You found this helpful. Your instructor sees that."
    )
    page = rate(student, "NOT_HELPFUL")
    assert pressed(page) == ["Not helpful"]
    page = rate(student, "WRONG", "Units are not <b>removed</b>.")
    assert "You said that something in it is wrong." in page.text
    assert "Units are not <b>removed</b>." in page.text, "what a student writes is text"
    assert pressed(page) == []
    assert ratings(course) == [("WRONG", "Units are not <b>removed</b>.")]
    page = rate(student, "NONE")
    assert "Taken back." in page.text
    assert pressed(page) == []
    assert ratings(course) == []


def test_a_note_is_kept_only_with_what_is_called_wrong(course: Course, student: Person) -> None:
    rate(student, "WRONG", "  \r\nIt says\r\nthe opposite.\x00 ")
    assert ratings(course) == [("WRONG", "It says\nthe opposite.")]
    rate(student, "HELPFUL", "A note that was left in the field.")
    assert ratings(course) == [("HELPFUL", "")]


@pytest.mark.parametrize("fields", [{"rating": "GREAT"}, {}, {"rating": "WRONG", "note": "x" * 1001}])
def test_a_form_that_cannot_be_used_rates_nothing(course: Course, student: Person, fields: dict[str, str]) -> None:
    form = student.get("quiz").form(".rating")
    page = student.post(str(form["action"]), {"csrf_token": student.token(), **fields})
    assert page.status == 422
    assert ratings(course) == []


def test_a_rating_needs_the_token_of_its_form(course: Course, student: Person) -> None:
    form = student.get("quiz").form(".rating")
    assert student.post(str(form["action"]), {"rating": "HELPFUL"}).status == 403
    assert ratings(course) == []


def test_a_newer_text_begins_without_a_rating(course: Course, student: Person) -> None:
    rate(student, "WRONG", "No.")
    change(course, "INSERT INTO explanations (grade_id, source, text) SELECT id, 'LLM', 'Reworded.' FROM grades")
    page = student.get("quiz")
    assert pressed(page) == []
    assert "something in it is wrong. Your" not in page.text
    assert ratings(course) == [("WRONG", "No.")], "what was said of the old text is still known"


def test_a_rating_of_a_text_that_was_replaced_meanwhile_is_not_taken_for_the_new_one(
    course: Course, student: Person
) -> None:
    page = student.get("quiz")
    change(course, "INSERT INTO explanations (grade_id, source, text) SELECT id, 'LLM', 'Reworded.' FROM grades")
    page = page.submit(".rating", {"rating": "WRONG"})
    assert page.status == 200
    assert "The explanation was changed while this page was open." in page.text
    assert ratings(course) == []


def test_a_text_that_may_still_be_reworded_cannot_be_rated(course: Course, student: Person) -> None:
    url = str(student.get("quiz").form(".rating")["action"])
    change(course, "UPDATE rewordings SET outcome = 'PENDING', finished_at = NULL")
    assert student.get("quiz").soup.select(".rating") == []
    student.post(url, {"csrf_token": student.token(), "rating": "HELPFUL"})
    assert ratings(course) == []


@pytest.mark.parametrize(
    "hidden",
    [
        "UPDATE attempts SET approval = 'NEEDED'",
        "UPDATE quizzes SET explanations_shown = 'AFTER_APPROVAL'",
        "UPDATE attempts SET due_at = now() + interval '1 hour'; UPDATE quizzes SET explanations_shown = 'AFTER_DUE'",
    ],
)
def test_what_the_student_does_not_see_cannot_be_rated(course: Course, student: Person, hidden: LiteralString) -> None:
    url = str(student.get("quiz").form(".rating")["action"])
    for statement in hidden.split("; "):
        change(course, statement)
    assert student.get("quiz").soup.select(".rating") == []
    assert student.post(url, {"csrf_token": student.token(), "rating": "HELPFUL"}).status == 404
    assert ratings(course) == []


def test_an_instructors_text_cannot_be_rated(course: Course, student: Person) -> None:
    url = str(student.get("quiz").form(".rating")["action"])
    with course.transaction() as connection:
        grade_id = fetch_value(connection, "SELECT id FROM grades")
        added = fetch_value(
            connection,
            "INSERT INTO explanations (grade_id, source, text) VALUES (%s, 'INSTRUCTOR', 'Mine.') RETURNING id",
            grade_id,
        )
    own = f"{url.rsplit('/', 2)[0]}/{added}/rating"
    student.post(own, {"csrf_token": student.token(), "rating": "HELPFUL"})
    assert ratings(course) == []


def test_nobody_rates_what_was_written_for_another(course: Course, student: Person) -> None:
    url = str(student.get("quiz").form(".rating")["action"])
    other = explained(course, "blaise-pascal")
    teacher = course.instructor()
    for person, expected in ((other, 404), (teacher, 404)):
        address = url.replace(str(student.launch_id), str(person.launch_id))
        assert person.post(address, {"csrf_token": person.token(), "rating": "WRONG"}).status == expected
    foreign_text = str(other.get("quiz").form(".rating")["action"]).split("/")[-2]
    mixed = f"{url.rsplit('/', 2)[0]}/{foreign_text}/rating"
    assert student.post(mixed, {"csrf_token": student.token(), "rating": "WRONG"}).status == 404
    assert ratings(course) == []


def test_tries_of_a_test_user_rate_nothing(course: Course) -> None:
    course.has_quiz(make_question())
    person = explained(course, "test-student", is_test_user=True)
    page = person.get("quiz")
    assert "Explanation by the machine" in page.text
    assert page.soup.select(".rating") == []


def test_the_database_itself_refuses_what_is_no_rating(course: Course, student: Person) -> None:
    statements: tuple[LiteralString, ...] = (
        "INSERT INTO explanation_ratings (explanation_id, rating) SELECT id, 'GREAT' FROM explanations",
        "INSERT INTO explanation_ratings (explanation_id, rating, note) SELECT id, 'HELPFUL', 'x' FROM explanations",
        "INSERT INTO explanation_ratings (explanation_id, rating, note)"
        " SELECT id, 'WRONG', repeat('x', 1001) FROM explanations",
        "INSERT INTO explanation_ratings (explanation_id, rating, kept_at) SELECT id, 'HELPFUL', now()"
        " FROM explanations",
    )
    for statement in statements:
        with pytest.raises(psycopg.errors.CheckViolation):
            change(course, statement)


# What the instructor sees ------------------------------------------------------------------------------------------


def review(course: Course) -> Page:
    return course.instructor().get(f"results/{value(course, 'SELECT max(id) FROM attempts')}")


@pytest.mark.parametrize(
    ("rating", "words"),
    [("HELPFUL", "the student finds it helpful"), ("NOT_HELPFUL", "the student finds it not helpful")],
)
def test_the_instructor_sees_the_rating_beside_the_explanation(
    course: Course, student: Person, rating: str, words: str
) -> None:
    assert words not in review(course).text
    rate(student, rating)
    assert words in review(course).text


def test_what_is_called_wrong_is_told_on_results_and_found_there(course: Course, student: Person) -> None:
    explained(course, "blaise-pascal")
    teacher = course.instructor()
    assert "called wrong" not in teacher.get("results").text
    rate(student, "WRONG", "It is <i>not</i> so.")
    page = teacher.get("results")
    assert "1 explanation was called wrong by its student." in page.text
    narrowed = page.follow("Called wrong")
    (row,) = narrowed.soup.select("tbody tr")
    assert "Ada Lovelace" in row.get_text()
    assert "explanation called wrong" in row.get_text()
    link = row.select_one("a")
    assert link is not None
    assert str(link["href"]).endswith(f"#question-{value(course, 'SELECT id FROM questions')}")
    attempt = narrowed.follow("Ada Lovelace")
    assert "The student says that something in this explanation is wrong." in attempt.text
    assert "It is <i>not</i> so." in attempt.text


def test_an_explanation_called_wrong_that_stands_asks_nobody_any_more(course: Course, student: Person) -> None:
    rate(student, "WRONG", "No.")
    page = review(course).submit("form[action$='/kept-explanation']")
    assert "The explanation stays as it is." in page.form(".notice--good").get_text()
    assert "called wrong, left as it is" in page.text
    assert "No." in page.text
    assert "called wrong by" not in course.instructor().get("results").text
    seen = student.get("quiz")
    assert "Your instructor looked at it and let the explanation stand." in seen.text
    rate(student, "WRONG", "No.")
    assert "called wrong by" not in course.instructor().get("results").text, "the same once more is nothing new"
    rate(student, "WRONG", "Still no: it is the other way round.")
    assert "1 explanation was called wrong" in course.instructor().get("results").text


def test_letting_it_stand_twice_is_told(course: Course, student: Person) -> None:
    rate(student, "WRONG")
    page = review(course)
    page.submit("form[action$='/kept-explanation']")
    again = page.submit("form[action$='/kept-explanation']")
    assert again.status == 409
    assert "a colleague let it stand already" in again.form("[data-focus]").get_text()


# Where the same words stand again ----------------------------------------------------------------------------------


def test_what_was_said_of_the_machines_words_goes_along_with_them(course: Course, student: Person) -> None:
    """Another score that keeps them, and an earlier score that brings them back."""
    rate(student, "WRONG", "No.")
    page = review(course)
    form = page.form("form[action$='/score']")
    page = page.submit(
        f"form[action='{form['action']}']", {"points": "3", "comment": "keep", "reason": "read it myself"}
    )
    assert page.status == 200
    assert "something in it is wrong" in student.get("quiz").text
    assert [rating for rating, _ in ratings(course)] == ["WRONG", "WRONG"]
    rate(student, "NONE")
    page.submit("form[action$='/earlier-score']")
    assert "You said that something in it is wrong." in student.get("quiz").text, "the first score has its rating"


def test_taking_a_regrade_back_brings_the_rating_back(course: Course, student: Person) -> None:
    rate(student, "HELPFUL")
    teacher = course.instructor()
    regrade = teacher.post("regrades", {"csrf_token": teacher.token()})
    course.grades_again(fraction=0.8)
    applied = teacher.get(regrade.path).submit("form[action$='/apply']", {"reason": "a better model"})
    change(course, "UPDATE rewordings SET outcome = 'NOT_WANTED', finished_at = now() WHERE outcome = 'PENDING'")
    assert pressed(student.get("quiz")) == []
    teacher.get(applied.path).submit("form[action$='/take-back']", {"reason": "no better"})
    assert pressed(student.get("quiz")) == ["Helpful"]


def test_a_reworded_text_that_came_late_is_not_put_over_the_instructors(course: Course, student: Person) -> None:
    change(course, "INSERT INTO explanations (grade_id, source, text) SELECT id, 'INSTRUCTOR', 'Mine.' FROM grades")
    with course.transaction() as connection:
        grade_id = fetch_value(connection, "SELECT id FROM grades")
        assert isinstance(grade_id, int)
        record_rewording(connection, grade_id, outcome="SERVED", text="The model's.", reasons=(), versions={})
    assert value(course, "SELECT text FROM explanations ORDER BY id DESC LIMIT 1") == "Mine."
    assert value(course, "SELECT outcome FROM rewordings") == "NOT_WANTED"
