"""Consent: what a course allows, what a student chooses, who may not choose for whom, and what is recorded."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from lti_tool.exports.consent import get_choice, get_course_use, list_choices, record_choice, set_course_use
from lti_tool.exports.errors import ConsentNotAsked
from lti_tool.launch.roles import Role
from lti_tool.submissions import views
from tests.course_actors import Course, Page, Person

QUESTION = "May your answers help to improve this tool?"


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)


@pytest.fixture
def asking(course: Course) -> Course:
    """A course with a quiz that asks its students."""
    course.has_quiz(max_attempts=2)
    allows(course, "ASK_STUDENTS")
    return course


def allows(course: Course, use: str, sub: str = "grace-hopper") -> Page:
    page = course.instructor(sub).get("answer-use")
    return page.submit("#answer-use-form", {"answer_use": use})


def says(page: Page, choice: str) -> Page:
    return page.submit("#consent-form", {"choice": choice})


def hands_in(person: Person) -> Page:
    page = person.post("attempts", {"csrf_token": person.token()})
    name = str(page.soup.select("textarea")[0]["name"])
    return page.submit("#answers-form", {name: "An answer.", "then": "hand-in"}).submit("#hand-in-form")


def choice_of(course: Course, sub: str = "ada-lovelace") -> str | None:
    with course.transaction() as connection:
        (user_id,) = connection.execute("SELECT id FROM users WHERE sub = %s", (sub,)).fetchone() or (0,)
        return get_choice(connection, course.context_id(connection), user_id).choice


def use_of(course: Course) -> str:
    with course.transaction() as connection:
        return get_course_use(connection, course.context_id(connection)).answer_use


def recorded(course: Course) -> list[tuple[str, str, dict[str, object]]]:
    with course.transaction() as connection:
        return connection.execute(
            "SELECT event, users.sub, details - 'context_id' FROM audit_events JOIN users ON users.id = user_id"
            " WHERE event LIKE 'CONSENT%%' OR event = 'ANSWER_USE_CHANGED' ORDER BY audit_events.id"
        ).fetchall()


# The course --------------------------------------------------------------------------------------------------------


def test_a_new_course_uses_no_answers_and_asks_nobody(course: Course) -> None:
    course.has_quiz()
    page = course.instructor().get("answer-use")
    assert page.form("input[name=answer_use][checked]")["value"] == "NO"
    assert "Set by" not in page.text
    assert "improve" not in course.learner().get("quiz").text
    assert course.learner().get("consent").status == 404


def test_an_instructor_sets_what_the_course_allows_and_the_page_says_who_and_when(course: Course) -> None:
    course.has_quiz()
    for use in ("ASK_STUDENTS", "YES_COURSE", "NO"):
        page = allows(course, use)
        assert "Saved." in page.text
        assert page.form("input[name=answer_use][checked]")["value"] == use
        assert use_of(course) == use
    assert "Set by Grace Hopper (" in page.text


def test_the_page_is_one_of_the_instructors_tabs(course: Course) -> None:
    course.has_quiz()
    page = course.instructor().get("results").follow("Use of answers")
    assert page.form("nav a[aria-current=page]").get_text() == "Use of answers"


def test_an_instructor_of_a_course_without_a_quiz_finds_the_page_too(course: Course) -> None:
    assert "Use of answers" in course.instructor(quiz_id=None).get("answer-use").text


def test_a_value_that_is_none_of_the_three_is_refused(course: Course) -> None:
    course.has_quiz()
    page = allows(course, "ALWAYS")
    assert page.status == 422
    assert page.form("#fault-answer_use").get_text() == "Choose whether answers may be used."
    assert use_of(course) == "NO"


def test_each_change_of_the_course_is_recorded_once(course: Course) -> None:
    course.has_quiz()
    for use in ("ASK_STUDENTS", "ASK_STUDENTS", "NO"):
        allows(course, use)
    assert recorded(course) == [
        ("ANSWER_USE_CHANGED", "grace-hopper", {"answer_use": "NO → ASK_STUDENTS"}),
        ("ANSWER_USE_CHANGED", "grace-hopper", {"answer_use": "ASK_STUDENTS → NO"}),
    ]


def test_a_student_cannot_set_what_the_course_allows(asking: Course) -> None:
    learner = asking.learner()
    assert learner.get("answer-use").status == 403
    answer = learner.post("answer-use", {"csrf_token": learner.token(), "answer_use": "YES_COURSE"})
    assert answer.status == 403
    assert use_of(asking) == "ASK_STUDENTS"


def test_someone_without_a_role_can_neither_set_nor_choose(asking: Course) -> None:
    nobody = asking.launch(Role.NONE, "nobody")
    for path, field in (("answer-use", {"answer_use": "NO"}), ("consent", {"choice": "YES"})):
        assert nobody.post(path, {"csrf_token": nobody.token(), **field}).status == 403
    assert use_of(asking) == "ASK_STUDENTS"


def test_an_instructor_of_another_course_sets_their_own_only(asking: Course) -> None:
    other = Course(asking.app, asking.database, asking.registration, "another-course")
    allows(other, "YES_COURSE", "alan-turing")
    assert (use_of(asking), use_of(other)) == ("ASK_STUDENTS", "YES_COURSE")


def test_another_schools_instructor_sets_their_own_only(asking: Course) -> None:
    other = Course.open(asking.app, asking.database, school="other", platform_id=asking.platform_id)
    allows(other, "YES_COURSE")
    assert (use_of(asking), use_of(other)) == ("ASK_STUDENTS", "YES_COURSE")


# The student -------------------------------------------------------------------------------------------------------


def test_a_student_is_asked_at_the_start_with_two_equal_buttons_and_nothing_chosen(asking: Course) -> None:
    page = asking.learner().get("quiz")
    assert QUESTION in page.text
    buttons = page.form("#consent-form").select("button")
    assert [(each["value"], each.get_text()) for each in buttons] == [("YES", "Yes"), ("NO", "No, thanks")]
    assert buttons[0]["class"] == buttons[1]["class"] == ["button"]
    assert choice_of(asking) is None


def test_the_question_keeps_nobody_from_beginning(asking: Course) -> None:
    page = asking.learner().get("quiz").submit("#begin-form")
    assert page.soup.select("textarea")
    assert QUESTION not in page.text


def test_who_did_not_answer_the_question_is_asked_beside_the_result(asking: Course) -> None:
    page = hands_in(asking.learner())
    assert QUESTION in page.text
    page = says(page, "YES")
    assert "/result" in page.path
    assert "You said yes (" in page.text
    assert choice_of(asking) == "YES"


def test_a_student_is_asked_once(asking: Course) -> None:
    for choice in ("YES", "NO"):
        learner = asking.learner(f"student-{choice}")
        says(learner.get("quiz"), choice)
        assert QUESTION not in asking.learner(f"student-{choice}").get("quiz").text
        assert choice_of(asking, f"student-{choice}") == choice


def test_a_yes_can_be_taken_back_and_given_again_at_any_time(asking: Course) -> None:
    page = says(asking.learner().get("quiz"), "YES")
    page = page.submit("#consent-form", {"choice": str(page.form("#consent-form button")["value"])})
    assert choice_of(asking) == "NO"
    assert "are not used to improve" in page.text
    page.submit("#consent-form", {"choice": str(page.form("#consent-form button")["value"])})
    assert choice_of(asking) == "YES"


def test_in_the_middle_of_an_attempt_the_choice_is_on_a_page_of_its_own(asking: Course) -> None:
    learner = asking.learner()
    answering = learner.get("quiz").submit("#begin-form")
    page = says(answering.follow("Use of your answers"), "YES")
    assert page.path.endswith("/consent")
    assert "You said yes (" in page.text
    assert page.follow("Back to the quiz").soup.select("textarea")


def test_where_the_whole_course_is_used_a_student_is_told_and_can_be_left_out(course: Course) -> None:
    course.has_quiz()
    allows(course, "YES_COURSE")
    page = course.learner().get("quiz")
    assert "Your institution uses the answers of this course" in page.text
    assert [each["value"] for each in page.form("#consent-form").select("button")] == ["NO"]
    assert "are not used to improve" in says(page, "NO").text


def test_a_silent_student_reads_from_when_on_answers_are_used_and_again_in_each_attempt(asking: Course) -> None:
    asking.learner().get("quiz")
    allows(asking, "YES_COURSE")
    page = asking.learner().get("quiz")
    assert "Of your attempts, only those begun since this was set (" in page.text
    answering = page.submit("#begin-form")
    assert "Your institution uses the answers of this course to improve the models." in answering.text
    says(answering.follow("Use of your answers"), "NO")
    assert choice_of(asking) == "NO"


def test_who_said_yes_is_told_of_no_moment(asking: Course) -> None:
    says(asking.learner().get("quiz"), "YES")
    allows(asking, "YES_COURSE")
    assert "only those begun since" not in asking.learner().get("quiz").text


def test_the_instructor_reads_what_becomes_of_students_who_said_nothing(course: Course) -> None:
    course.has_quiz()
    told = "Of those who said nothing"
    assert told not in allows(course, "YES_COURSE").text
    assert told in allows(course, "ASK_STUDENTS").text
    assert told in allows(course, "YES_COURSE").text


def test_a_yes_can_be_taken_back_where_the_course_no_longer_asks(asking: Course) -> None:
    says(asking.learner().get("quiz"), "YES")
    allows(asking, "NO")
    page = asking.learner().get("quiz")
    assert "uses no answers at present" in page.text
    says(page, "NO")
    assert choice_of(asking) == "NO"
    assert "improve" not in asking.learner().get("quiz").text


@pytest.mark.parametrize("before", ["YES", None])
def test_whoever_says_no_as_the_course_stops_asking_reads_what_holds_now(course: Course, before: str | None) -> None:
    course.has_quiz(max_attempts=2)
    allows(course, "YES_COURSE")
    learner = course.learner()
    result = hands_in(learner)
    if before:
        learner.post("consent", {"csrf_token": learner.token(), "choice": before})
    pages = [learner.get("consent"), learner.get(result.url)]
    allows(course, "NO")
    for page in pages:
        told = page.submit("#consent-form", {"choice": "NO"})
        assert told.status == 200
        assert "are not used to improve" in told.text
        assert told.form("#consent-form").select("button") == []
    assert choice_of(course) == "NO"


def test_a_yes_to_a_course_that_stopped_asking_is_refused(asking: Course) -> None:
    page = asking.learner().get("quiz")
    allows(asking, "NO")
    refused = says(page, "YES")
    assert refused.status == 409
    assert "nothing was changed" in refused.text
    assert choice_of(asking) is None


def test_a_choice_that_is_neither_yes_nor_no_is_refused(asking: Course) -> None:
    for field in ({"choice": "MAYBE"}, {}):
        learner = asking.learner()
        assert learner.post("consent", {"csrf_token": learner.token(), **field}).status == 422
    assert choice_of(asking) is None


def test_each_choice_of_a_student_is_recorded_once(asking: Course) -> None:
    learner = asking.learner()
    for choice in ("NO", "NO", "YES", "NO"):
        learner.post("consent", {"csrf_token": learner.token(), "choice": choice})
    assert recorded(asking)[1:] == [
        ("CONSENT_REFUSED", "ada-lovelace", {"by": "student"}),
        ("CONSENT_GIVEN", "ada-lovelace", {"by": "student"}),
        ("CONSENT_WITHDRAWN", "ada-lovelace", {"by": "student"}),
    ]


def test_instructors_and_test_users_are_not_asked_and_cannot_choose(asking: Course) -> None:
    instructor = asking.instructor()
    assert QUESTION not in instructor.get("quiz").text
    assert instructor.post("consent", {"csrf_token": instructor.token(), "choice": "YES"}).status == 403
    pretend = asking.learner("pretend", is_test_user=True)
    assert QUESTION not in pretend.get("quiz").text
    assert pretend.get("consent").status == 404
    assert pretend.post("consent", {"csrf_token": pretend.token(), "choice": "YES"}).status == 403
    assert choice_of(asking, "pretend") is None


# Attacks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "field"), [("consent", {"choice": "YES"}), ("answer-use", {"answer_use": "NO"})])
def test_a_form_without_the_launchs_token_is_refused(asking: Course, path: str, field: dict[str, str]) -> None:
    person = asking.learner() if path == "consent" else asking.instructor()
    for token in ({}, {"csrf_token": "wrong"}, {"csrf_token": asking.learner("other").token()}):
        assert person.post(path, {**token, **field}).status == 403
    assert choice_of(asking) is None or path == "answer-use"
    assert use_of(asking) == "ASK_STUDENTS"


def test_a_stranger_without_the_launchs_secret_is_refused(asking: Course) -> None:
    learner = asking.learner()
    stranger: FlaskClient = asking.app.test_client()
    for path in ("consent", "answer-use"):
        url = f"/launches/{learner.launch_id}/{path}"
        assert stranger.post(url, data={"csrf_token": learner.token(), "choice": "YES"}).status_code == 401


def test_a_student_chooses_for_themselves_whatever_else_the_form_names(asking: Course) -> None:
    asking.learner("victim")
    attacker = asking.learner("attacker")
    more = {"user_id": "1", "user": "victim", "sub": "victim", "context_id": "1", "choice": "YES"}
    attacker.post("consent", {"csrf_token": attacker.token(), **more})
    assert (choice_of(asking, "victim"), choice_of(asking, "attacker")) == (None, "YES")


def test_a_choice_holds_in_its_course_only(asking: Course) -> None:
    other = Course(asking.app, asking.database, asking.registration, "another-course")
    other.has_quiz()
    allows(other, "ASK_STUDENTS")
    says(other.learner().get("quiz"), "YES")
    assert (choice_of(asking), choice_of(other)) == (None, "YES")


def test_a_choice_with_somebody_elses_attempt_leads_nowhere_and_changes_nothing(asking: Course) -> None:
    page = hands_in(asking.learner("victim"))
    number = page.path.split("/")[-2]
    attacker = asking.learner("attacker")
    answer = attacker.post("consent", {"csrf_token": attacker.token(), "choice": "YES", "attempt": number})
    assert answer.status == 404
    assert choice_of(asking, "attacker") is None


def test_a_name_is_text_on_the_page_and_not_markup(course: Course) -> None:
    course.has_quiz()
    page = course.instructor("<b>x</b>").get("answer-use").submit("#answer-use-form", {"answer_use": "YES_COURSE"})
    assert "<B>X</B>" in page.text


# Store -------------------------------------------------------------------------------------------------------------


def test_a_students_choices_are_listed_for_courses_with_an_answer_or_a_choice(asking: Course) -> None:
    hands_in(asking.learner())
    other = Course(asking.app, asking.database, asking.registration, "another-course")
    other.has_quiz()
    other.learner()
    with asking.transaction() as connection:
        (user_id,) = connection.execute("SELECT id FROM users WHERE sub = 'ada-lovelace'").fetchone() or (0,)
        found = list_choices(connection, user_id)
    assert [(each.answer_use, each.choice, each.is_used) for each in found] == [("ASK_STUDENTS", None, False)]


@pytest.mark.parametrize(
    ("use", "choice", "is_used", "is_asked"),
    [
        ("NO", None, False, False),
        ("NO", "NO", False, False),
        ("ASK_STUDENTS", None, False, True),
        ("ASK_STUDENTS", "YES", True, False),
        ("ASK_STUDENTS", "NO", False, False),
        ("YES_COURSE", None, True, False),
        ("YES_COURSE", "YES", True, False),
        ("YES_COURSE", "NO", False, False),
    ],
)
def test_course_and_student_together_decide(
    course: Course, use: str, choice: str | None, is_used: bool, is_asked: bool
) -> None:
    course.has_quiz()
    course.learner()
    with course.transaction() as connection:
        context_id = course.context_id(connection)
        (user_id,) = connection.execute("SELECT id FROM users WHERE sub = 'ada-lovelace'").fetchone() or (0,)
        who = {"registration_id": course.registration.id, "user_id": user_id}
        set_course_use(connection, context_id, "ASK_STUDENTS", **who)
        if choice:
            record_choice(connection, context_id, choice, **who)  # pyright: ignore[reportArgumentType]
        set_course_use(connection, context_id, use, **who)  # pyright: ignore[reportArgumentType]
        found = get_choice(connection, context_id, user_id)
    assert (found.is_used, found.is_asked) == (is_used, is_asked)


def test_a_yes_is_not_stored_where_the_course_says_no(course: Course) -> None:
    course.has_quiz()
    course.learner()
    with course.transaction() as connection:
        (user_id,) = connection.execute("SELECT id FROM users WHERE sub = 'ada-lovelace'").fetchone() or (0,)
        context_id = course.context_id(connection)
        with pytest.raises(ConsentNotAsked):
            record_choice(connection, context_id, "YES", registration_id=course.registration.id, user_id=user_id)


def test_a_korean_student_is_asked_in_korean(asking: Course) -> None:
    page = asking.learner(locale="ko").get("quiz")
    assert "내 답안을 이 도구의 개선에 사용해도 되나요?" in page.text
    assert [each.get_text() for each in page.form("#consent-form").select("button")] == ["네", "아니요, 괜찮습니다"]
