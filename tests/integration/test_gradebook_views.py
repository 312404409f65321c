"""The instructor's pages: the table of attempts, and one attempt in full."""

from __future__ import annotations

import pytest

from lti_tool.launch.roles import Role
from lti_tool.submissions import views
from tests.course_actors import Course, Page, Person, make_question


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda ids: None)


def hands_in(person: Person, answer: str = "Units are switched off.") -> Page:
    """The result page of someone who answered the first question."""
    page = person.get("quiz").submit("#begin-form")
    name = str(page.soup.select("textarea")[0]["name"])
    return page.submit("#answers-form", {name: answer, "then": "hand-in"}).submit("#hand-in-form")


def row_of(page: Page, name: str) -> str:
    """The words of a student's row."""
    for row in page.soup.select("tbody tr"):
        words = " ".join(row.get_text(" ").split())
        if name in words:
            return words
    raise AssertionError(f"no row of {name} in {page.text}")


def test_before_anyone_came_the_page_says_so(course: Course) -> None:
    course.has_quiz()
    page = course.instructor().get()
    assert "Nobody has opened the quiz yet." in page.text
    assert page.form("[data-next]")["data-next"] == "15"


def test_the_quiz_is_shown_with_its_answer_key(course: Course) -> None:
    course.has_quiz()
    page = course.instructor().get()
    assert "Regularisation" in page.text
    assert "2 questions · 10 points" in page.text
    details = page.form("details").get_text()
    assert "Dropout switches random units off" in details
    assert "Units cannot co-adapt." in details


def test_every_state_of_an_attempt_has_its_words(course: Course) -> None:
    course.has_quiz()
    course.learner("ada-lovelace").get().submit("#begin-form")
    hands_in(course.learner("blaise-pascal"))
    done = course.learner("carl-gauss")
    hands_in(done)
    page = course.instructor().get()
    assert "answering" in row_of(page, "Ada Lovelace")
    assert "being scored" in row_of(page, "Blaise Pascal")
    assert page.form("[data-next]")["data-next"] == "3", "someone waits, so look again soon"
    course.grades(done, fraction=0.8)
    row = row_of(course.instructor().get(), "Carl Gauss")
    assert "scored" in row
    assert "4 / 10" in row
    assert "on its way" in row


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        ("DELIVERED", None, "in the gradebook"),
        ("PARKED", "400: user 7 is not enrolled", "not delivered 400: user 7 is not enrolled"),
        ("SUPERSEDED", None, "replaced by a newer score"),
        ("QUEUED", "503: try later", "trying again 503: try later"),
    ],
)
def test_the_delivery_says_what_became_of_it(course: Course, status: str, error: str | None, words: str) -> None:
    course.has_quiz()
    student = course.learner()
    hands_in(student)
    course.grades(student)
    with course.database.transaction() as connection:
        connection.execute(
            "UPDATE deliveries SET status = %s, last_error = %s,"
            " finished_at = CASE WHEN %s = 'QUEUED' THEN NULL ELSE now() END",
            (status, error, status),
        )
    assert words in row_of(course.instructor().get(), "Ada Lovelace")


def test_a_score_that_the_model_is_unsure_of_asks_for_a_look(course: Course) -> None:
    course.has_quiz()
    for name, confidence in (("sure", 0.9), ("unsure", 0.3)):
        student = course.learner(name)
        hands_in(student)
        course.grades(student, confidence=confidence)
    page = course.instructor().get()
    assert "please look" in row_of(page, "Unsure")
    assert "please look" not in row_of(page, "Sure attempt")


def test_a_student_without_a_name_has_a_pseudonym(course: Course) -> None:
    course.has_quiz()
    course.learner("u-8f3a", name=None).get().submit("#begin-form")
    page = course.instructor().get()
    assert "Student " in page.text
    assert "u-8f3a" not in page.text


def test_names_and_titles_are_data(course: Course) -> None:
    course.has_quiz(make_question("<script>alert(1)</script>?"), title="<img src=x onerror=alert(1)>")
    hands_in(course.learner("mallory", name="<b onclick=x>Mallory</b>"))
    page = course.instructor().get()
    assert "<b onclick=x>Mallory</b>" in page.text
    assert not page.soup.select("b, img, [onclick], [onerror]")
    assert all(script.get("src") for script in page.soup.find_all("script"))


def test_the_table_comes_as_a_fragment(course: Course) -> None:
    course.has_quiz()
    hands_in(course.learner())
    page = course.instructor().get()
    parts = page.person.get(str(page.form("[data-live]")["data-live"]))
    assert not parts.soup.find("html")
    assert "Ada Lovelace" in parts.form("[data-part=attempts]").get_text()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"line_item_url": None}, "No gradebook column."),
        ({"scopes": ("https://purl.imsglobal.org/spec/lti-ags/scope/lineitem",)}, "No permission to send scores."),
    ],
)
def test_a_placement_that_cannot_send_scores_says_why(course: Course, changes: dict[str, object], words: str) -> None:
    for name, value in changes.items():
        setattr(course, name, value)
    course.has_quiz()
    assert words in course.instructor().get().text


def test_a_placement_that_can_send_scores_has_no_warning(course: Course) -> None:
    course.has_quiz()
    text = course.instructor().get().text
    assert "No gradebook column" not in text
    assert "No permission" not in text


def test_an_attempt_is_shown_in_full(course: Course) -> None:
    course.has_quiz()
    student = course.learner()
    hands_in(student, "During training units are switched off.\nAt random.")
    course.grades(student, fraction=0.7, confidence=0.4)
    page = course.instructor().get().follow("Ada Lovelace")
    assert page.form(".quote").get_text() == "During training units are switched off.\nAt random."
    assert "Estimate 70%, likely between 60% and 80%; confidence 40%." in page.text
    assert "Scored by the model." in page.text
    assert "unsure: please look" in page.text
    assert "what happens – covered units are switched off" in page.text
    assert "why it helps – missing" in page.text
    assert "You said what happens." in page.text
    assert "from the template" in page.text
    assert "Not answered, so it counts 0." in page.text
    assert "id in your LMS: ada-lovelace" in page.text


def test_an_attempt_that_is_not_scored_yet_is_shown_too(course: Course) -> None:
    course.has_quiz()
    hands_in(course.learner())
    page = course.instructor().get().follow("Ada Lovelace")
    assert "Received, not scored yet." in page.text
    assert "– / 10" in page.text


def test_an_answer_that_the_machine_gave_up_on_asks_for_a_person(course: Course) -> None:
    course.has_quiz()
    hands_in(course.learner())
    with course.database.transaction() as connection:
        connection.execute("UPDATE submissions SET status = 'STUCK'")
    page = course.instructor().get()
    assert "needs you" in row_of(page, "Ada Lovelace")
    assert "The machine failed on this answer several times" in page.follow("Ada Lovelace").text


def test_what_the_gradebook_answered_is_shown_with_the_attempt(course: Course) -> None:
    course.has_quiz()
    student = course.learner()
    hands_in(student)
    course.grades(student)
    with course.database.transaction() as connection:
        connection.execute(
            "UPDATE deliveries SET status = 'PARKED', finished_at = now(), last_error = '404: no such column'"
        )
    page = course.instructor().get().follow("Ada Lovelace")
    assert "The gradebook's answer: 404: no such column" in page.text


def test_a_try_is_marked_and_not_sent(course: Course) -> None:
    course.has_quiz()
    teacher = course.instructor()
    hands_in(teacher)
    course.grades(teacher)
    row = row_of(teacher.get(), "Grace Hopper")
    assert "try" in row
    assert "not sent: a try" in row


def test_attempts_of_another_placement_are_neither_listed_nor_shown(course: Course) -> None:
    course.has_quiz()
    hands_in(course.learner())
    attempt = str(course.instructor().get().form("tbody a")["href"]).rsplit("/", 1)[1]
    elsewhere = course.instructor(resource_link_id="link-2")
    assert "Ada Lovelace" not in elsewhere.get("results").text
    assert elsewhere.get(f"results/{attempt}").status == 404
    other_course = Course.open(course.app, course.database)
    other_course.has_quiz()
    assert other_course.instructor("other-teacher").get(f"results/{attempt}").status == 404


@pytest.mark.parametrize("page", ["results", "results/parts", "results/1"])
@pytest.mark.parametrize("role", [Role.LEARNER, Role.NONE])
def test_results_are_closed_to_others(course: Course, role: Role, page: str) -> None:
    course.has_quiz()
    hands_in(course.learner("ada-lovelace"))
    answer = course.launch(role, "someone").get(page)
    assert answer.status == 403
    assert "Ada" not in answer.response.text


def test_a_quiz_of_a_copied_course_is_shown_but_changed_elsewhere(course: Course) -> None:
    quiz_id = course.has_quiz()
    copy = Course.open(course.app, course.database, quiz_id=quiz_id)
    page = copy.instructor().get()
    assert "What is dropout?" in page.text
    assert "made in another course" in page.text
    assert str(quiz_id) not in page.response.text, "no link to change it"
    assert "What is dropout?" in copy.learner().get().submit("#begin-form").text


def test_a_placement_without_a_quiz_leads_to_choosing_one(course: Course) -> None:
    page = course.instructor().get("results")
    assert "Make your first quiz" in page.text
    assert course.instructor().get("results/parts").status == 200
