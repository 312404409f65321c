"""Choosing, making and placing a quiz, with plain forms only."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid4

import jwt
import pytest

from lti_tool.launch.roles import Role
from lti_tool.questions import store
from tests.course_actors import Course, Page, Person, make_question

DL = "https://purl.imsglobal.org/spec/lti-dl/claim/content_items"


def new_quiz(person: Person, **fields: str) -> Page:
    """The page of a quiz that was just made."""
    return person.get("quizzes").submit("#new-quiz-form", {"title": "Week 3"} | fields)


def quiz_id_of(page: Page) -> UUID:
    return UUID(page.path.rstrip("/").split("/")[-1])


def stored_questions(course: Course, page: Page) -> list[store.Question]:
    with course.transaction() as connection:
        return store.list_questions(connection, quiz_id_of(page))


def content_item(page: Page) -> dict[str, object]:
    """What the page is about to post to the platform."""
    token = str(page.form("form[action='https://lms.example.edu/return'] input[name=JWT]")["value"])
    return jwt.decode(token, options={"verify_signature": False})[DL][0]


# Home -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "has_quiz", "path"),
    [
        (Role.LEARNER, True, "quiz"),
        (Role.LEARNER, False, "quiz"),
        (Role.INSTRUCTOR, True, "results"),
        (Role.INSTRUCTOR, False, "quizzes"),
        (Role.NONE, True, ""),
    ],
)
def test_home_sends_everyone_to_the_page_of_their_role(course: Course, role: Role, has_quiz: bool, path: str) -> None:
    if has_quiz:
        course.has_quiz()
    page = course.launch(role, "someone").get()
    assert page.status == 200
    assert page.path.removeprefix(f"/launches/{page.person.launch_id}/") == path


def test_someone_without_a_role_gets_a_polite_page(course: Course) -> None:
    course.has_quiz()
    page = course.launch(Role.NONE, "guest").get()
    assert "Nothing to do for you here" in page.text
    assert "dropout" not in page.text


def test_a_page_without_its_launch_is_refused(course: Course) -> None:
    person = course.instructor()
    stranger = course.app.test_client()
    assert stranger.get(f"/launches/{person.launch_id}/quizzes").status_code == 401


# Step 1 -----------------------------------------------------------------------------------------------------------


def test_a_deep_linking_launch_begins_with_the_quizzes_of_the_course(course: Course) -> None:
    course.has_quiz(title="Week 2: <b>trees</b>")
    page = course.author().get()
    assert "Week 2: <b>trees</b>" in page.text
    assert "2 questions, 10 points" in page.text
    assert page.form(f"a[href$='/place?quiz={course.quiz_id}']").get_text().startswith("Add to course")


def test_the_form_for_a_new_quiz_begins_with_the_language_of_the_launch(course: Course) -> None:
    page = course.author(locale="ko-KR").get()
    assert page.form("select[name=language] option[selected]")["value"] == "ko"


def test_a_new_quiz_leads_to_its_page(course: Course) -> None:
    page = new_quiz(course.author(), language="ko", max_attempts="3")
    assert page.status == 200
    assert "Week 3" in page.text
    assert "No questions yet" in page.text
    assert "3 attempts" in page.text
    assert not page.soup.select("#place-link"), "an empty quiz cannot be added to a course"


def test_a_quiz_form_that_cannot_be_used_comes_back_as_typed(course: Course) -> None:
    page = course.author().get("quizzes").submit("#new-quiz-form", {"title": " ", "max_attempts": "99"})
    assert page.status == 422
    assert "Give the quiz a title." in page.text
    assert page.form("#max_attempts")["value"] == "99"
    assert page.form("#max_attempts")["aria-describedby"] == "fault-max_attempts"
    assert "Quizzes of this course" not in page.text, "nothing was stored"


# Step 2: the bank -------------------------------------------------------------------------------------------------


def test_questions_are_picked_from_the_bank_with_points(course: Course) -> None:
    page = new_quiz(course.author()).follow("Pick from the bank")
    assert "What is overfitting" in page.text
    page = page.submit("#bank-form", {"sample": ["overfitting", "dropout"], "max_points": "2.5"})
    assert page.status == 200
    questions = stored_questions(course, page)
    assert [question.sample_id for question in questions] == ["overfitting", "dropout"]
    assert {str(question.max_points) for question in questions} == {"2.5000"}
    assert "2 questions · 5 points" in page.text


def test_the_bank_is_searched_without_scripts(course: Course) -> None:
    page = new_quiz(course.author()).follow("Pick from the bank")
    found = page.submit("form[role=search]", {"text": "gradient boosting"})
    assert [box["value"] for box in found.soup.select("input[name=sample]")] == ["gradient-boosting"]
    nothing = found.submit("form[role=search]", {"text": "xyzzy"})
    assert nothing.soup.select("input[name=sample]") == []
    assert "No question fits" in nothing.text
    assert "44" not in nothing.text


def test_the_bank_speaks_the_language_of_the_quiz(course: Course) -> None:
    page = new_quiz(course.author(), language="ko").follow("Pick from the bank")
    assert page.form("#bank-form .prompt")["lang"] == "ko"


def test_a_question_that_is_in_the_quiz_is_not_added_twice(course: Course) -> None:
    page = new_quiz(course.author()).follow("Pick from the bank").submit("#bank-form", {"sample": "dropout"})
    bank = page.follow("Pick from the bank")
    assert bank.form("input[value=dropout]").has_attr("disabled")
    page = bank.submit("#bank-form", {"sample": ["dropout", "pca"]})
    assert [question.sample_id for question in stored_questions(course, page)] == ["dropout", "pca"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Choose at least one question."),
        ({"sample": "dropout", "max_points": "many"}, "Points: a number above 0"),
        ({"sample": "no-such"}, "not in the bank"),
    ],
)
def test_a_choice_that_cannot_be_used_is_refused(course: Course, fields: dict[str, str], words: str) -> None:
    page = new_quiz(course.author())
    refused = page.follow("Pick from the bank").submit("#bank-form", fields)
    assert refused.status == 422
    assert words in refused.text
    assert stored_questions(course, page) == []


# Step 2: own questions --------------------------------------------------------------------------------------------


def test_an_own_question_is_written_with_model_answers_and_key_points(course: Course) -> None:
    form = new_quiz(course.author()).follow("Write your own")
    page = form.submit(
        "#question-form",
        {
            "prompt": "Why <em>ReLU</em>?",
            "max_points": "4",
            "model_answer": ["Its gradient does not vanish.", "It is cheap and does not saturate."],
            "key_point_name": ["what stays", ""],
            "key_point_text": ["The gradient does not vanish.", ""],
            "key_point_weight": ["2", "1"],
        },
    )
    (question,) = stored_questions(course, page)
    assert question.model_answers == ("Its gradient does not vanish.", "It is cheap and does not saturate.")
    assert [(point.name, point.weight) for point in question.key_points] == [("what stays", 2)]
    assert "Why <em>ReLU</em>?" in page.text, "shown as text, not as markup"
    assert not page.soup.find("em")


def test_a_question_form_that_cannot_be_used_comes_back_as_typed(course: Course) -> None:
    page = new_quiz(course.author())
    form = page.follow("Write your own").submit(
        "#question-form",
        {
            "prompt": "Why?",
            "max_points": "abc",
            "key_point_name": ["", "only a name"],
            "key_point_text": ["", ""],
            "key_point_weight": ["1", "3"],
        },
    )
    assert form.status == 422
    assert form.form("#prompt").get_text().strip() == "Why?"
    assert form.form("#max_points")["value"] == "abc"
    assert form.form("#key_points-0-name")["value"] == "only a name"
    assert form.form("#key_points-0-weight")["value"] == "3"
    assert "Write at least one model answer" in form.text
    assert "Say the key point in one sentence." in form.text
    assert stored_questions(course, page) == []


def test_a_question_is_edited_in_place(course: Course) -> None:
    course.has_quiz(make_question(sample_id="dropout"), make_question("Second?"))
    page = course.author().get(f"quizzes/{course.quiz_id}/")
    form = page.follow("Edit question 1")
    assert form.form("#prompt").get_text().strip() == "What is dropout?"
    page = form.submit("#question-form", {"prompt": "What does dropout do?"})
    first, second = stored_questions(course, page)
    assert (first.prompt, first.sample_id, second.prompt) == ("What does dropout do?", "dropout", "Second?")
    assert [point.name for point in first.key_points] == ["what happens", "why it helps"]
    assert "Saved." in page.text


def test_an_edit_that_cannot_be_used_leaves_the_question(course: Course) -> None:
    course.has_quiz(make_question())
    form = course.author().get(f"quizzes/{course.quiz_id}/").follow("Edit question 1")
    refused = form.submit("#question-form", {"prompt": "  "})
    assert refused.status == 422
    assert "Write the question." in refused.text
    assert "What is dropout?" in course.author().get(f"quizzes/{course.quiz_id}/").text


def test_questions_are_moved_removed_and_given_points(course: Course) -> None:
    course.has_quiz(make_question("First?"), make_question("Second?"))
    person = course.author()
    page = person.get(f"quizzes/{course.quiz_id}/").submit("ol > li:nth-of-type(2) form[action$='/move']")
    assert [question.prompt for question in stored_questions(course, page)] == ["Second?", "First?"]
    first, second = stored_questions(course, page)
    page = person.post(
        f"quizzes/{course.quiz_id}/points",
        {f"points-{first.id}": "1,5", f"points-{second.id}": "3", "csrf_token": person.token()},
    )
    assert "4.5 points" in page.text
    page = page.submit("form[action$='/remove']")
    assert [question.prompt for question in stored_questions(course, page)] == ["First?"]


def test_points_that_cannot_be_used_are_marked_where_they_stand(course: Course) -> None:
    course.has_quiz(make_question())
    person = course.author()
    (question,) = stored_questions(course, person.get(f"quizzes/{course.quiz_id}/"))
    refused = person.post(
        f"quizzes/{course.quiz_id}/points", {f"points-{question.id}": "-1", "csrf_token": person.token()}
    )
    assert refused.status == 422
    field = refused.form(f"#points-{question.id}")
    assert (field["value"], field["aria-invalid"]) == ("-1", "true")


def test_title_and_attempts_are_changed(course: Course) -> None:
    course.has_quiz()
    page = course.author().get(f"quizzes/{course.quiz_id}/")
    page = page.submit("form[action$='/details']", {"title": "New title", "max_attempts": "5", "language": "ko"})
    assert "New title" in page.text
    assert "5 attempts" in page.text
    refused = page.submit("form[action$='/details']", {"title": "x" * 201})
    assert refused.status == 422
    assert "too long" in refused.text


def test_one_point_is_not_called_points(course: Course) -> None:
    course.has_quiz(make_question(max_points=Decimal(1)))
    page = course.author().get(f"quizzes/{course.quiz_id}/")
    assert "1 question · 1 point ·" in page.text


def test_the_preview_shows_what_students_see_and_no_answers(course: Course) -> None:
    course.has_quiz()
    page = course.author().get(f"quizzes/{course.quiz_id}/").follow("Preview")
    assert "What is dropout?" in page.text
    assert "length earns nothing" in page.text
    assert "co-adaptation" not in page.text
    assert len(page.soup.select("textarea")) == 2


def test_a_quiz_that_a_student_has_begun_offers_a_copy_instead_of_changes(course: Course) -> None:
    course.has_quiz()
    course.learner().get().submit("#begin-form")
    page = course.instructor().get(f"quizzes/{course.quiz_id}/")
    assert "its questions stay as they are" in page.text
    assert not page.soup.select("form[action$='/remove'], form[action$='/move'], #points-form")
    copy = page.submit("form[action$='/copy']")
    assert "Copy of Regularisation" in copy.text
    assert copy.soup.select("form[action$='/remove']")
    person = page.person
    refused = person.post(
        f"quizzes/{course.quiz_id}/questions/new",
        {"prompt": "More?", "max_points": "1", "model_answer": "Yes.", "csrf_token": person.token()},
    )
    assert refused.status == 409
    assert "make a copy of the quiz" in refused.text


# Step 3 -----------------------------------------------------------------------------------------------------------


def test_adding_to_the_course_answers_the_deep_linking_request(course: Course) -> None:
    page = new_quiz(course.author()).follow("Pick from the bank")
    page = page.submit("#bank-form", {"sample": ["dropout", "pca", "overfitting"], "max_points": "5"})
    quiz_id = quiz_id_of(page)
    answer = page.follow("Add to course").submit("#place-form")
    item = content_item(answer)
    assert item["title"] == "Week 3"
    assert item["text"] == "3 questions, 15 points"
    assert item["custom"] == {"quiz_id": str(quiz_id), "due_at": "$ResourceLink.submission.endDateTime"}
    assert item["lineItem"]["scoreMaximum"] == 15  # pyright: ignore[reportIndexIssue]
    assert "form-action 'self' https://lms.example.edu" in answer.response.headers["Content-Security-Policy"]


def test_an_existing_quiz_is_added_as_it_is_offered(course: Course) -> None:
    quiz_id = course.has_quiz()
    item = content_item(course.author().get().follow("Add to course").submit("#place-form"))
    assert item["custom"]["quiz_id"] == str(quiz_id)  # pyright: ignore[reportIndexIssue]


def test_an_empty_quiz_is_not_added(course: Course) -> None:
    person = course.author()
    quiz_id = quiz_id_of(new_quiz(person))
    refused = person.post("place", {"quiz": str(quiz_id), "csrf_token": person.token()})
    assert refused.status == 422
    assert "Add at least one question" in refused.text


def test_a_placement_without_a_quiz_gets_one(course: Course) -> None:
    page = course.instructor().get()
    page = page.submit("#new-quiz-form", {"title": "Chosen here"}).follow("Pick from the bank")
    page = page.submit("#bank-form", {"sample": "dropout"}).follow("Use this quiz").submit("#place-form")
    assert "The quiz is in place." in page.text
    assert "Chosen here" in page.text
    assert "Chosen here" in course.learner().get().text


def test_a_placement_with_a_quiz_keeps_it(course: Course) -> None:
    course.has_quiz(title="Second quiz")
    other = course.quiz_id
    course.has_quiz(title="First quiz")
    person = course.instructor()
    refused = person.post("place", {"quiz": str(other), "csrf_token": person.token()})
    assert refused.status == 409
    assert "This activity has its quiz already" in refused.text
    assert "First quiz" in course.learner().get().text


# Whose it is ------------------------------------------------------------------------------------------------------

INSTRUCTOR_PAGES = ["", "preview", "bank", "questions/new"]
INSTRUCTOR_ACTIONS = ["details", "policies", "points", "copy", "bank", "questions/new"]
FIELDS = {"title": "x", "language": "en", "max_attempts": "1", "sample": "pca", "prompt": "Why?", "max_points": "1"}


@pytest.mark.parametrize("page", INSTRUCTOR_PAGES)
def test_another_courses_quiz_is_not_shown(course: Course, page: str) -> None:
    quiz_id = course.has_quiz()
    other = Course.open(course.app, course.database)
    assert other.author().get(f"quizzes/{quiz_id}/{page}").status == 404
    assert course.author().get(f"quizzes/{uuid4()}/{page}").status == 404


@pytest.mark.parametrize("action", INSTRUCTOR_ACTIONS)
def test_another_courses_quiz_is_not_changed(course: Course, action: str) -> None:
    quiz_id = course.has_quiz()
    person = Course.open(course.app, course.database).author()
    fields = FIELDS | {"model_answer": "So.", "csrf_token": person.token()}
    assert person.post(f"quizzes/{quiz_id}/{action}", fields).status == 404
    with course.transaction() as connection:
        assert len(store.list_questions(connection, quiz_id)) == 2


@pytest.mark.parametrize("action", ["", "/move", "/remove"])
def test_a_question_is_only_changed_through_its_own_quiz(course: Course, action: str) -> None:
    foreign = course.has_quiz()
    own = course.has_quiz()
    with course.transaction() as connection:
        question_id = store.list_questions(connection, foreign)[0].id
    person = course.author()
    fields = {"prompt": "Hijacked?", "max_points": "1", "model_answer": "x", "csrf_token": person.token()}
    assert person.post(f"quizzes/{own}/questions/{question_id}{action}", fields).status == 404
    assert person.get(f"quizzes/{own}/questions/{question_id}").status == 404


@pytest.mark.parametrize("role", [Role.LEARNER, Role.NONE])
@pytest.mark.parametrize("page", ["quizzes", "quizzes/{}/", "quizzes/{}/preview", "quizzes/{}/bank", "results"])
def test_pages_of_instructors_are_closed_to_others(course: Course, role: Role, page: str) -> None:
    course.has_quiz()
    answer = course.launch(role, "someone").get(page.format(course.quiz_id))
    assert answer.status == 403
    assert "co-adaptation" not in answer.response.text


@pytest.mark.parametrize("address", ["quizzes", "quizzes/{}/details", "place", "place/cancel", "quizzes/{}/copy"])
def test_a_form_without_the_launchs_token_changes_nothing(course: Course, address: str) -> None:
    course.has_quiz()
    person = course.author()
    answer = person.post(address.format(course.quiz_id), FIELDS | {"csrf_token": "0" * 64})
    assert answer.status == 403
    assert "Regularisation" in course.author().get().text


def test_pages_carry_no_inline_script_or_style(course: Course) -> None:
    course.has_quiz()
    person = course.author()
    for address in ("quizzes", f"quizzes/{course.quiz_id}/", f"quizzes/{course.quiz_id}/bank"):
        page = person.get(address)
        assert page.status == 200
        assert all(script.get("src") for script in page.soup.find_all("script"))
        assert not page.soup.find_all("style")
        assert not page.soup.select("[style], [onclick], [onsubmit]")
        assert "script-src 'self';" in page.response.headers["Content-Security-Policy"]
