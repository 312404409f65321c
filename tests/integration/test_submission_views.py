"""The learner's way from start to result, with plain forms; and an instructor's own try."""

from __future__ import annotations

import pytest

from lti_tool.launch.roles import Role
from lti_tool.submissions import views
from tests.course_actors import Course, Page, make_question


def begun(course: Course, **changes: object) -> Page:
    """The answering page of a student who has just begun."""
    return course.learner(**changes).get().submit("#begin-form")  # pyright: ignore[reportArgumentType]


def answer_names(page: Page) -> list[str]:
    return [str(area["name"]) for area in page.soup.select("textarea")]


def handed_in(page: Page, *answers: str) -> Page:
    """The result page after these answers (the rest stays blank)."""
    names = answer_names(page)
    confirm = page.submit("#answers-form", {**dict(zip(names, answers, strict=False)), "then": "hand-in"})
    changes = {} if any(answers) else {"empty_is_meant": "yes"}
    return confirm.submit("#hand-in-form", changes)


def draft_url(page: Page, place: int = 0) -> str:
    return str(page.soup.select("textarea")[place]["data-save-url"])


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """What workers were told: there is no broker here, only the wake is looked at."""
    calls: list[list[int]] = []
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: calls.append(list(ids)))
    return calls


# Start ------------------------------------------------------------------------------------------------------------


def test_the_start_page_says_what_to_expect(course: Course) -> None:
    course.has_quiz(max_attempts=3)
    text = course.learner().get().text
    assert "Questions 2 Points 10 Attempts 3" in text
    assert (
        "The score is a first estimate to learn from. Answer what you know in your own words; length earns nothing."
        in text
    )
    assert "What is dropout?" not in text, "questions are shown once the attempt has begun"


def test_a_placement_without_a_quiz_says_so(course: Course) -> None:
    person = course.learner()
    assert "not ready yet" in person.get().text
    assert person.post("attempts", {"csrf_token": person.token()}).status == 404


def test_a_quiz_without_questions_cannot_be_begun(course: Course) -> None:
    course.has_quiz()
    with course.transaction() as connection:
        connection.execute("DELETE FROM questions")
    page = course.learner().get()
    assert "has not chosen the questions" in page.text
    assert not page.soup.select("#begin-form")


def test_beginning_twice_goes_on_with_the_open_attempt(course: Course) -> None:
    course.has_quiz(max_attempts=1)
    first = begun(course)
    second = first.person.post("attempts", {"csrf_token": first.person.token()})
    assert second.path == first.path
    assert course.learner().get().path.endswith(first.path.split("/attempts/")[1])


# Answer -----------------------------------------------------------------------------------------------------------


def test_all_questions_stand_on_one_page_without_their_answers(course: Course) -> None:
    course.has_quiz()
    page = begun(course)
    assert "What is dropout?" in page.text
    assert "What is early stopping?" in page.text
    assert "length earns nothing" in page.text
    for secret in ("co-adaptation", "switched off", "what happens"):
        assert secret not in page.response.text


def test_a_draft_is_saved_and_comes_back(course: Course) -> None:
    course.has_quiz()
    page = begun(course)
    token = page.person.token()
    saved = page.person.post(draft_url(page), {"answer": "Half\r\n  an answer", "csrf_token": token})
    assert saved.status == 200
    assert set(saved.response.get_json()) == {"saved_at"}
    again = course.learner().get()
    assert again.soup.select("textarea")[0].get_text() == "\nHalf\n  an answer"
    assert str(again.soup.select("textarea")[0]["data-saved-at"]) == saved.response.get_json()["saved_at"]
    assert again.soup.select("textarea")[1].get_text().strip() == ""


@pytest.mark.parametrize(
    "text", ["</textarea><script>alert(1)</script>", "{{ 7*7 }}", "\u202eright", "\n\nkept", "한국어 답"]
)
def test_an_answer_is_data(course: Course, text: str) -> None:
    course.has_quiz(make_question())
    page = begun(course)
    kept = page.submit("#answers-form", {answer_names(page)[0]: text, "then": "stay"})
    assert "Your answers are saved." in kept.text
    assert kept.soup.select("textarea")[0].get_text() == f"\n{text}"
    result = handed_in(kept, text)
    assert result.form(".quote").get_text() == text
    assert all(script.get("src") for script in result.soup.find_all("script"))


def test_nul_in_an_answer_does_not_lose_it(course: Course) -> None:
    course.has_quiz(make_question())
    page = handed_in(begun(course), "before\x00after")
    assert page.status == 200
    assert page.form(".quote").get_text() in ("beforeafter", "before\ufffdafter")


def test_an_answer_beyond_all_bounds_is_refused_and_the_last_one_kept(course: Course) -> None:
    course.has_quiz(make_question())
    page = begun(course)
    token = page.person.token()
    page.person.post(draft_url(page), {"answer": "short", "csrf_token": token})
    refused = page.person.post(draft_url(page), {"answer": "x" * 100_001, "csrf_token": token})
    assert refused.status in (413, 422)
    assert page.person.post(draft_url(page), {"csrf_token": token}).status == 422
    assert page.person.get(page.url).soup.select("textarea")[0].get_text().strip() == "short"


def test_a_draft_for_a_question_of_another_quiz_is_not_found(course: Course) -> None:
    course.has_quiz(make_question("Other?"))
    foreign = draft_url(begun(course, sub="bob")).rsplit("/", 1)[1]
    course.has_quiz(make_question())
    page = begun(course)
    token = page.person.token()
    address = draft_url(page).rsplit("/", 1)[0] + f"/{foreign}"
    assert page.person.post(address, {"answer": "x", "csrf_token": token}).status == 404


# Hand in ----------------------------------------------------------------------------------------------------------


def test_handing_in_asks_once_more_and_lists_what_is_unanswered(course: Course, woken: list[list[int]]) -> None:
    course.has_quiz()
    page = begun(course)
    confirm = page.submit("#answers-form", {answer_names(page)[0]: "Units are switched off.", "then": "hand-in"})
    assert "1 question has no answer and counts 0: Question 2" in confirm.text
    assert woken == [], "nothing is handed in yet"
    back = confirm.follow("Back to my answers")
    assert back.soup.select("textarea")[0].get_text().strip() == "Units are switched off."
    assert "OPEN" in statuses(course)


def test_a_complete_attempt_lists_nothing(course: Course) -> None:
    course.has_quiz()
    page = begun(course)
    one, two = answer_names(page)
    confirm = page.submit("#answers-form", {one: "a", two: "b", "then": "hand-in"})
    assert "All 2 answers are saved." in confirm.text
    assert "counts 0" not in confirm.text


def test_blanks_are_no_answer(course: Course) -> None:
    course.has_quiz(make_question())
    page = begun(course)
    confirm = page.submit("#answers-form", {answer_names(page)[0]: " \n\t ", "then": "hand-in"})
    assert "1 question has no answer" in confirm.text


def test_an_answer_is_received_at_once_and_a_worker_is_told(course: Course, woken: list[list[int]]) -> None:
    course.has_quiz()
    result = handed_in(begun(course), "Units are switched off.")
    assert "Your answers are received and safe." in result.text
    assert "Received. The score comes in a moment." in result.text
    assert "Not answered, so it counts 0." in result.text
    assert result.form("[data-next]")["data-next"] == "2"
    assert [len(ids) for ids in woken] == [1]


def test_an_empty_attempt_must_be_meant(course: Course, woken: list[list[int]]) -> None:
    course.has_quiz()
    confirm = begun(course).submit("#answers-form", {"then": "hand-in"})
    refused = confirm.submit("#hand-in-form")
    assert refused.status == 422
    assert "Tick the box if that is what you mean." in refused.text
    assert statuses(course) == ["OPEN"]
    result = refused.submit("#hand-in-form", {"empty_is_meant": "yes"})
    assert "0 / 10" in result.text
    assert result.text.count("Not answered, so it counts 0.") == 2
    assert statuses(course) == ["GRADED"]
    assert woken == [[]]


def test_handing_in_twice_is_refused_and_nothing_lost(course: Course, woken: list[list[int]]) -> None:
    course.has_quiz(make_question())
    page = begun(course)
    confirm = page.submit("#answers-form", {answer_names(page)[0]: "An answer.", "then": "hand-in"})
    confirm.submit("#hand-in-form")
    second = confirm.submit("#hand-in-form")
    assert second.status == 409
    assert "already handed in" in second.text
    assert [len(ids) for ids in woken] == [1]
    assert "An answer." in course.learner().get().text


def test_a_late_autosave_does_not_change_what_was_handed_in(course: Course) -> None:
    course.has_quiz(make_question())
    page = begun(course)
    token = page.person.token()
    handed_in(page, "First thought.")
    late = page.person.client.post(
        draft_url(page), data={"answer": "Second thought.", "csrf_token": token}, headers={"Accept": "application/json"}
    )
    assert late.status_code == 409
    assert late.get_json()["code"] == "ALREADY-DONE"
    assert "First thought." in page.person.get().text


# Result -----------------------------------------------------------------------------------------------------------


def test_the_result_shows_score_explanation_and_key_points_by_name(course: Course) -> None:
    course.has_quiz()
    result = handed_in(begun(course), "Units are switched off.")
    course.grades(result.person, fraction=0.7)
    page = result.person.get()
    assert "3.5 / 10" in page.text
    assert "3.5 / 5" in page.text
    assert "You said what happens." in page.text
    assert "what happens – covered" in page.text
    assert "why it helps – missing" in page.text
    assert "Written by a machine" in page.text
    assert "Units cannot co-adapt." not in page.response.text, "a missed point shows its name, not its sentence"
    assert "prevents co-adaptation" not in page.response.text


def test_the_result_says_where_the_score_is(course: Course) -> None:
    course.has_quiz(make_question())
    result = handed_in(begun(course), "Units are switched off.")
    course.grades(result.person)
    page = result.person.get()
    assert "On its way to your course's gradebook" in page.text
    assert page.form("[data-next]")["data-next"] == "2"
    for status, words in (("DELIVERED", "In the gradebook"), ("PARKED", "did not take the score")):
        with course.transaction() as connection:
            connection.execute("UPDATE rewordings SET outcome = 'NOT_WANTED', finished_at = now()")
            connection.execute(
                "UPDATE deliveries SET status = %s, finished_at = now(), last_error = 'user 7 is not enrolled',"
                " parked_because = CASE WHEN %s = 'PARKED' THEN 'NOT_A_STUDENT' END",
                (status, status),
            )
        page = result.person.get()
        assert words in page.text
        assert "user 7" not in page.text, "the gradebook's own words are for instructors"
        assert page.form("[data-next]")["data-next"] == "0", "nothing more will change"
    with course.transaction() as connection:
        connection.execute("UPDATE deliveries SET parked_because = 'CHANGED_IN_LMS'")
    assert "holds a grade that was entered there" in result.person.get().text


def test_a_placement_without_a_column_says_so(course: Course) -> None:
    course.line_item_url = None
    course.has_quiz(make_question())
    result = handed_in(begun(course), "Units are switched off.")
    course.grades(result.person)
    assert "no column in your course's gradebook" in result.person.get().text


def test_a_better_earlier_attempt_keeps_counting(course: Course) -> None:
    course.has_quiz(make_question(), max_attempts=2)
    first = handed_in(begun(course), "A full answer.")
    course.grades(first.person, fraction=1.0)
    again = first.person.get().submit("form[action$='/attempts']")
    assert "Attempt 2 of 2" in again.text
    second = handed_in(again, "A weak answer.")
    course.grades(second.person, fraction=0.2)
    page = second.person.get()
    assert "attempt 2" in page.text
    assert "A better attempt of yours counts in the gradebook." in page.text
    assert "Try again" not in page.text
    past = page.follow("Attempt 1")
    assert "A full answer." in past.text


def test_the_attempts_of_a_quiz_are_counted(course: Course) -> None:
    course.has_quiz(make_question(), max_attempts=1)
    result = handed_in(begun(course), "An answer.")
    assert "Try again" not in result.text
    refused = result.person.post("attempts", {"csrf_token": result.person.token()})
    assert refused.status == 409
    assert "used all attempts" in refused.text


def test_the_parts_that_change_come_as_a_fragment(course: Course) -> None:
    course.has_quiz()
    result = handed_in(begun(course), "Units are switched off.")
    parts = result.person.get(result.form("[data-live]")["data-live"])  # pyright: ignore[reportArgumentType]
    assert not parts.soup.find("html")
    names = [str(part["data-part"]) for part in parts.soup.select("[data-part]")]
    assert names == [str(part["data-part"]) for part in result.soup.select("[data-part]")]
    assert parts.form("[data-part=progress]")["role"] == "status"
    assert "1 of 2 answers are scored." in parts.form("[data-part=progress]").get_text()


def test_an_answer_that_the_machine_cannot_score_waits_for_a_person(course: Course) -> None:
    course.has_quiz(make_question())
    result = handed_in(begun(course), "An answer.")
    with course.transaction() as connection:
        connection.execute("UPDATE submissions SET status = 'STUCK'")
    page = result.person.get()
    assert "could not be scored by the machine" in page.text
    assert "Received. The machine could not score this answer" in page.text
    assert page.form("[data-next]")["data-next"] == "0"


# Whose it is ------------------------------------------------------------------------------------------------------

PAGES = ["", "hand-in", "result", "result/parts"]


@pytest.mark.parametrize("page", PAGES)
def test_another_students_attempt_is_not_found(course: Course, page: str) -> None:
    course.has_quiz()
    begun_page = begun(course)
    attempt = begun_page.path.split("/attempts/")[1]
    if page.startswith("result"):
        handed_in(begun_page, "Secret words.")
    thief = course.learner("bob").get(f"attempts/{attempt}{page}")
    assert thief.status == 404
    assert "Secret words." not in thief.response.text
    assert course.learner("bob").get(f"attempts/{10**25}/{page}").status == 404


@pytest.mark.parametrize("address", ["answers", "hand-in", "drafts/1"])
def test_another_students_attempt_is_not_changed(course: Course, address: str) -> None:
    course.has_quiz()
    attempt = begun(course).path.split("/attempts/")[1]
    thief = course.learner("bob")
    fields = {"answer": "x", "empty_is_meant": "yes", "csrf_token": thief.token()}
    assert thief.post(f"attempts/{attempt}{address}", fields).status == 404
    assert statuses(course) == ["OPEN"]


def test_an_attempt_of_another_placement_is_not_found(course: Course) -> None:
    course.has_quiz()
    attempt = begun(course).path.split("/attempts/")[1]
    elsewhere = course.learner(resource_link_id="link-2")
    assert elsewhere.get(f"attempts/{attempt}").status == 404


def test_a_form_without_the_launchs_token_is_refused(course: Course) -> None:
    course.has_quiz()
    page = begun(course)
    assert page.person.post(draft_url(page), {"answer": "x"}).status == 403
    assert page.person.post(page.path + "hand-in", {"empty_is_meant": "yes"}).status == 403


def test_a_deep_linking_launch_has_nothing_to_answer(course: Course) -> None:
    course.has_quiz()
    author = course.author()
    assert "not ready yet" in author.get("quiz").text
    assert author.get("results/1").status == 404


# Trying it out ----------------------------------------------------------------------------------------------------


def test_an_instructors_try_is_scored_and_never_sent(course: Course) -> None:
    course.has_quiz(make_question(), max_attempts=1)
    teacher = course.instructor()
    page = teacher.get().follow("Try it as a student")
    assert "never sent to the gradebook" in page.text
    result = handed_in(page.submit("#begin-form"), "My own answer.")
    course.grades(teacher)
    page = teacher.get("quiz")
    assert "This was a try; it is not sent to the gradebook." in page.text
    assert "Try again" in page.text
    with course.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM deliveries").fetchone() == (0,)
    assert handed_in(page.submit("form[action$='/attempts']"), "Again.").status == 200
    assert result.status == 200


def test_a_test_user_is_never_sent_either(course: Course) -> None:
    course.has_quiz(make_question())
    result = handed_in(begun(course, is_test_user=True), "Pretending.")
    course.grades(result.person)
    assert "This was a try" in result.person.get().text


def test_someone_without_a_role_cannot_begin(course: Course) -> None:
    course.has_quiz()
    assert course.launch(Role.NONE, "guest").get("quiz").status == 403


def statuses(course: Course) -> list[str]:
    with course.transaction() as connection:
        return [row[0] for row in connection.execute("SELECT status FROM attempts ORDER BY id").fetchall()]
