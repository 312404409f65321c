"""The instructor's pages: the table of attempts, and one attempt in full."""

from __future__ import annotations

import pytest

from lti_tool.launch.roles import Role
from lti_tool.questions.key_changes import update_answer_key
from lti_tool.questions.store import list_questions
from lti_tool.submissions import views
from tests.course_actors import Course, Page, Person, make_question


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)


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
        ("PARKED", "400: user 7 is not enrolled", "not delivered"),
        ("SUPERSEDED", None, "replaced by a newer score"),
        ("QUEUED", "503: try later", "trying again"),
    ],
)
def test_the_delivery_says_what_became_of_it(course: Course, status: str, error: str | None, words: str) -> None:
    course.has_quiz()
    student = course.learner()
    hands_in(student)
    course.grades(student)
    with course.transaction() as connection:
        connection.execute(
            "UPDATE deliveries SET status = %s, last_error = %s,"
            " finished_at = CASE WHEN %s = 'QUEUED' THEN NULL ELSE now() END,"
            " parked_because = CASE WHEN %s = 'PARKED' THEN 'NOT_A_STUDENT' END",
            (status, error, status, status),
        )
    page = course.instructor().get()
    assert words in row_of(page, "Ada Lovelace")
    assert not error or f"The gradebook's answer: {error}" in page.text


def test_a_score_that_the_model_is_unsure_of_asks_for_a_look(course: Course) -> None:
    course.has_quiz()
    for name, confidence in (("sure", 0.9), ("unsure", 0.3)):
        student = course.learner(name)
        hands_in(student)
        course.grades(student, confidence=confidence)
    page = course.instructor().get()
    assert "please look" in row_of(page, "Unsure")
    assert "please look" not in row_of(page, "Sure attempt")
    for settled in ("approval = 'APPROVED'", "approval = 'NOT_NEEDED', excused_at = now()"):
        with course.transaction() as connection:
            connection.execute("UPDATE attempts SET " + settled)  # pyright: ignore
        assert "please look" not in course.instructor().get().text


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


def test_without_key_points_the_verdicts_are_about_parts_of_the_model_answer(course: Course) -> None:
    course.has_quiz(make_question(key_points=()))
    student = course.learner()
    hands_in(student)
    course.grades(student)
    teacher = course.instructor()
    review = teacher.get().follow("Ada Lovelace")
    verdicts = [" ".join(each.get_text(" ").split()) for each in review.soup.select(".verdict")]
    assert verdicts == [
        "Dropout switches random units off while training. – covered units are switched off",
        "This prevents co-adaptation. – missing",
    ]
    shown = student.get("quiz")
    assert "You said what happens." in shown.text
    assert not shown.soup.select(".verdict"), "the explanation tells them what there is to tell"
    assert [word for word in ("Key points", "model answer", "missing", "co-adaptation") if word in shown.text] == []
    other = elsewhere(course)
    hands_in(other.learner("blaise-pascal"))
    other.grades(other.learner("blaise-pascal"))
    foreign = other.instructor("mallory").get("results").follow("Blaise Pascal")
    assert "Part 2 of the model answer – missing" in foreign.text
    assert "co-adaptation" not in foreign.response.text, "who may not see the key does not see its parts either"


def test_parts_of_another_model_answer_are_not_shown_beside_old_verdicts(course: Course) -> None:
    quiz_id = course.has_quiz(make_question(key_points=()))
    student = course.learner()
    hands_in(student)
    course.grades(student)
    with course.transaction() as connection:
        question = list_questions(connection, quiz_id)[0]
        changed = make_question(key_points=(), model_answers=("Units rest at random. None can lean on another.",))
        update_answer_key(connection, question, changed)
    review = course.instructor().get().follow("Ada Lovelace")
    assert "Part 1 of the model answer – covered units are switched off" in review.text
    assert "None can lean on another." not in review.form(".verdicts").get_text()


def test_an_attempt_that_is_not_scored_yet_is_shown_too(course: Course) -> None:
    course.has_quiz()
    hands_in(course.learner())
    page = course.instructor().get().follow("Ada Lovelace")
    assert "Received, not scored yet." in page.text
    assert "– / 10" in page.text


def test_an_answer_that_the_machine_gave_up_on_asks_for_a_person(course: Course) -> None:
    course.has_quiz()
    hands_in(course.learner())
    with course.transaction() as connection:
        connection.execute("UPDATE submissions SET status = 'STUCK'")
    page = course.instructor().get()
    assert "needs you" in row_of(page, "Ada Lovelace")
    assert "The machine failed on this answer several times" in page.follow("Ada Lovelace").text


def test_what_the_gradebook_answered_is_shown_with_the_attempt(course: Course) -> None:
    course.has_quiz()
    student = course.learner()
    hands_in(student)
    course.grades(student)
    with course.transaction() as connection:
        connection.execute(
            "UPDATE deliveries SET status = 'PARKED', parked_because = 'NO_COLUMN', finished_at = now(),"
            " last_error = '404: no such column'"
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


# The answer key of another course's quiz --------------------------------------------------------------------------

KEY = ("Dropout switches random units off", "Random units are switched off in training.", "Units cannot co-adapt.")
CLOSED = "This quiz belongs to another course."


def elsewhere(course: Course, **changes: object) -> Course:
    """Another course of the same school whose placement leads to the quiz of ``course``."""
    return Course.open(course.app, course.database, quiz_id=course.quiz_id, **changes)


def pages_of(teacher: Person, page: Page) -> list[Page]:
    """Every page that an instructor can open from here."""
    found = [page]
    for link in page.soup.select("a[href]"):
        found.append(teacher.get(str(link["href"])))
    return found


def test_who_studies_here_and_teaches_elsewhere_finds_no_answer_key(course: Course) -> None:
    quiz_id = course.has_quiz()
    course.learner("mallory").get()
    other = elsewhere(course)
    teacher = other.instructor("mallory")
    hands_in(teacher)
    other.grades(teacher)
    page = teacher.get("results")
    review = page.follow("Mallory")
    assert CLOSED in page.text
    assert CLOSED in review.text
    assert "what happens – covered" in review.text, "as a student sees it"
    assert "units are switched off" not in review.text, "the words that the key was found in"
    direct = [teacher.get(f"quizzes/{quiz_id}/{part}") for part in ("", "preview", "bank", "questions/new")]
    assert {each.status for each in direct} == {404}
    for each in [*pages_of(teacher, page), *pages_of(teacher, review), *direct]:
        assert not any(secret in each.response.text for secret in KEY), each.url


def test_who_teaches_neither_course_of_a_copy_still_sees_the_students(course: Course) -> None:
    course.has_quiz()
    other = elsewhere(course)
    hands_in(other.learner())
    teacher = other.instructor("alan-turing")
    assert "Units are switched off." in teacher.get().follow("Ada Lovelace").text


@pytest.mark.parametrize("known_by", ["a launch", "a quiz", "a try"])
def test_who_teaches_the_quizs_course_too_sees_its_key_elsewhere(course: Course, known_by: str) -> None:
    course.has_quiz()
    teacher = course.instructor()
    if known_by == "a try":
        hands_in(teacher)
    with course.transaction() as connection:
        if known_by == "a quiz":
            connection.execute("UPDATE quizzes SET created_by = (SELECT id FROM users WHERE sub = 'grace-hopper')")
        if known_by != "a launch":
            connection.execute("DELETE FROM launch_sessions")
    page = elsewhere(course).instructor().get()
    assert CLOSED not in page.text
    assert "Units cannot co-adapt." in page.text


def test_a_launch_of_the_quizs_course_as_a_student_opens_no_key(course: Course) -> None:
    course.has_quiz(max_attempts=2)
    hands_in(course.learner("mallory"))
    course.launch(Role.NONE, "mallory")
    course.instructor("grace-hopper")
    page = elsewhere(course).instructor("mallory").get()
    assert CLOSED in page.text
    assert "Units cannot co-adapt." not in page.response.text


def test_another_courses_quiz_is_tried_as_often_as_a_student_may(course: Course) -> None:
    course.has_quiz(make_question(), max_attempts=2)
    other = elsewhere(course)
    teacher = other.instructor("mallory")
    start = teacher.get("quiz")
    assert CLOSED in start.text
    assert "Attempts 2" in start.text
    assert "You have 1 attempt left." in hands_in(teacher).text
    assert "Attempts 1" in other.instructor("mallory", resource_link_id="link-2").get("quiz").text
    begun = teacher.post("attempts", {"csrf_token": teacher.token()})
    name = str(begun.soup.select("textarea")[0]["name"])
    last = begun.submit("#answers-form", {name: "x", "then": "hand-in"}).submit("#hand-in-form")
    assert "Try again" not in last.text
    for link in ("link-1", "link-2"):
        again = other.instructor("mallory", resource_link_id=link)
        assert again.post("attempts", {"csrf_token": again.token()}).status == 409


def test_students_of_a_copied_course_have_all_their_attempts(course: Course) -> None:
    course.has_quiz(make_question(), max_attempts=2)
    other = elsewhere(course)
    student = other.learner()
    assert "Attempts 2" in student.get("quiz").text
    assert "You have 1 attempt left." in hands_in(student).text


def test_the_pretend_student_of_a_foreign_course_has_no_more_attempts_than_others(course: Course) -> None:
    course.has_quiz(make_question(), max_attempts=1)
    student = elsewhere(course).learner("test-student", is_test_user=True)
    hands_in(student)
    assert student.post("attempts", {"csrf_token": student.token()}).status == 409
    at_home = course.learner("test-student", is_test_user=True)
    hands_in(at_home)
    assert at_home.post("attempts", {"csrf_token": at_home.token()}).status == 200
