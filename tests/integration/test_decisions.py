"""What an instructor decides about an attempt: its scores, whether it is approved and counts, opening it again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import RaiseException
from pytest_httpserver import HTTPServer

from config.settings import Settings
from lti_tool.db import fetch_value
from lti_tool.errors import NotFound
from lti_tool.gradebook import approvals, decision_views, decisions, standing
from lti_tool.gradebook.approvals import approve_attempts
from lti_tool.gradebook.delivery import Delivery
from lti_tool.gradebook.store import finish_attempt, record_model_grade
from lti_tool.launch.platforms import add_platform
from lti_tool.questions import policies
from lti_tool.submissions import views
from lti_tool.submissions.store import find_attempt, lock_for_grading, mark_graded
from tests.course_actors import Course, Page, Person, make_assessment, make_question
from tests.scripted_gradebook import ScriptedGradebook

ANSWER = "Units are switched off."


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)
    monkeypatch.setattr(decision_views, "wake_later", lambda *arguments: None)


@dataclass
class Desk:
    """An instructor's desk: students hand in, the instructor looks and decides."""

    course: Course

    def hands_in(self, name: str = "ada-lovelace", answers: int = 1) -> Person:
        """A student answers the first questions and hands in."""
        student = self.course.learner(name)
        page = student.post("attempts", {"csrf_token": student.token()})
        fields = {str(area["name"]): ANSWER for area in page.soup.select("textarea")[:answers]}
        page.submit("#answers-form", {**fields, "then": "hand-in"}).submit(
            "#hand-in-form", {} if answers else {"empty_is_meant": "yes"}
        )
        return student

    def is_graded(self, name: str = "ada-lovelace", *, fraction: float = 0.5, **details: Any) -> int:
        """The same, and the model's score comes; the attempt's id."""
        self.course.grades(self.hands_in(name), fraction=fraction, **details)
        return self.value("SELECT max(id) FROM attempts")

    def review(self, attempt_id: int, **who: Any) -> Page:
        return self.course.instructor(**who).get(f"results/{attempt_id}")

    def scores(self, attempt_id: int, points: str, *, number: int = 1, **fields: str) -> Page:
        """The instructor fills in the form of a question's score."""
        page = self.review(attempt_id)
        form = page.soup.select("form[action$='/score']")[number - 1]
        return page.submit(f"form[action='{form['action']}']", {"points": points, "reason": "read it myself", **fields})

    def does(self, work: Callable[[Connection], Any]) -> Any:
        with self.course.transaction() as connection:
            return work(connection)

    def run(self, query: LiteralString, *values: object) -> None:
        self.does(lambda connection: connection.execute(query, values))

    def rows(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        return self.does(lambda connection: connection.execute(query, values).fetchall())

    def value(self, query: LiteralString, *values: object) -> Any:
        return self.does(lambda connection: fetch_value(connection, query, *values))

    def sent(self) -> list[float]:
        """Points of every version made so far."""
        return [float(row[0]) for row in self.rows("SELECT score_given FROM deliveries ORDER BY version")]

    def events(self) -> list[str]:
        """What the record says, without launches."""
        return [row[0] for row in self.rows("SELECT event FROM audit_events WHERE event ~ '^[A-Z_]+$' ORDER BY id")]


@pytest.fixture
def desk(course: Course) -> Desk:
    course.has_quiz(make_question(), make_question("What is early stopping?"), max_attempts=3)
    return Desk(course)


@pytest.fixture
def gradebook(course: Course, settings: Settings, httpserver: HTTPServer) -> ScriptedGradebook:
    """A gradebook that takes scores; the course's column is there."""
    scripted = ScriptedGradebook(httpserver)
    with course.database.across_tenants() as connection:
        add_platform(
            connection,
            issuer=course.registration.issuer,
            client_id=course.registration.client_id,
            family="moodle",
            auth_login_url=scripted.url("/auth"),
            auth_token_url=scripted.url("/token"),
            jwks_url=scripted.url("/jwks"),
            deployment_ids=["1"],
        )
    course.line_item_url = scripted.line_item_url
    return scripted


def delivers(desk: Desk, settings: Settings) -> None:
    """What workers do with all that is queued."""
    delivery = Delivery(settings, desk.course.database)
    desk.run("UPDATE deliveries SET due_at = now() WHERE status = 'QUEUED'")
    for (delivery_id,) in desk.rows("SELECT id FROM deliveries WHERE status = 'QUEUED' ORDER BY id"):
        delivery.deliver(desk.course.registration.id, delivery_id)


# Another score ----------------------------------------------------------------------------------------------------


def test_an_instructors_score_counts_and_the_student_sees_it(desk: Desk) -> None:
    attempt_id = desk.is_graded(fraction=0.5)
    page = desk.scores(attempt_id, "4,25", explanation="Well seen; <b>co-adaptation</b> is missing.")
    assert page.status == 200
    assert "The score is changed." in page.form(".notice--good").get_text()
    assert "4.25 / 5" in page.text
    assert "Scored by Grace Hopper . Reason: read it myself" in page.text
    student = desk.course.learner().get("quiz")
    assert "4.25 / 10" in student.text
    assert "Well seen; <b>co-adaptation</b> is missing." in student.text
    assert "read it myself" not in student.text
    assert desk.sent() == [2.5, 4.25]
    assert desk.events() == ["SCORE_CHANGED"]


def test_the_models_grade_stays_in_the_record(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    desk.scores(attempt_id, "5")
    rows = desk.rows("SELECT source, points, low, high, confidence, reason, versions FROM grades ORDER BY id")
    assert rows[0][:2] == ("MODEL", Decimal("2.5"))
    assert rows[1] == ("INSTRUCTOR", Decimal(5), 1.0, 1.0, 1.0, "read it myself", {})
    for change in ("UPDATE grades SET points = 0", "DELETE FROM grades"):
        with pytest.raises((RaiseException, psycopg.errors.InsufficientPrivilege)):
            desk.run(change)
    (event,) = desk.rows("SELECT user_id, details FROM audit_events WHERE event = 'SCORE_CHANGED'")
    grade_id, teacher = desk.rows("SELECT id, created_by FROM grades ORDER BY id DESC LIMIT 1")[0]
    assert event[0] == teacher
    assert (event[1]["attempt_id"], event[1]["grade_id"]) == (attempt_id, grade_id)
    assert event[1]["reason"] == "read it myself"


def test_the_new_score_arrives_with_the_new_text(desk: Desk, settings: Settings, gradebook: ScriptedGradebook) -> None:
    attempt_id = desk.is_graded()
    delivers(desk, settings)
    desk.scores(attempt_id, "0", explanation="This is about early stopping.")
    delivers(desk, settings)
    first, second = gradebook.scores
    assert (first["scoreGiven"], second["scoreGiven"]) == (2.5, 0)
    assert "You said what happens." in first["comment"]
    assert "1. (0/5) This is about early stopping." in second["comment"]
    assert second["timestamp"] > first["timestamp"]


def test_another_text_alone_is_another_version(desk: Desk) -> None:
    attempt_id = desk.is_graded(fraction=0.5)
    desk.scores(attempt_id, "2.5", explanation="The same points, in my own words.")
    assert desk.sent() == [2.5, 2.5]


def test_without_words_the_student_reads_who_scored_it(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    desk.scores(attempt_id, "1", explanation="  ")
    assert "Scored by your instructor." in desk.course.learner().get("quiz").text


def text_for_the_student(desk: Desk) -> tuple[str, str]:
    """Who wrote what the student reads now, and the text."""
    return desk.rows("SELECT source, text FROM explanations ORDER BY grade_id DESC, id DESC LIMIT 1")[0]


@pytest.mark.parametrize(
    ("points", "choice", "source", "text"),
    [
        ("3.75", "", "TEMPLATE", "You said what happens."),
        ("3.76", "", "INSTRUCTOR", "Scored by your instructor."),
        ("1.24", "", "INSTRUCTOR", "Scored by your instructor."),
        ("5", "keep", "TEMPLATE", "You said what happens."),
        ("2.5", "leave_out", "INSTRUCTOR", "Scored by your instructor."),
        ("5", "edit", "INSTRUCTOR", "You said what happens."),
    ],
)
def test_the_machines_words_stay_only_where_they_can_be_right(
    desk: Desk, points: str, choice: str, source: str, text: str
) -> None:
    attempt_id = desk.is_graded(fraction=0.5)
    fields: dict[str, Any] = {"comment": choice} if choice else {}
    assert desk.scores(attempt_id, points, **fields).status == 200
    assert text_for_the_student(desk) == (source, text)
    page = desk.course.learner().get("quiz")
    machine_wrote_it = source == "TEMPLATE"
    assert ("Explanation by the machine" in page.text) == machine_wrote_it
    assert ("You said what happens." in page.text) == ("You said" in text)


def test_the_gradebook_reads_what_the_student_reads(
    desk: Desk, settings: Settings, gradebook: ScriptedGradebook
) -> None:
    attempt_id = desk.is_graded(fraction=0.5)
    desk.scores(attempt_id, "5")
    delivers(desk, settings)
    assert "1. (5/5) Scored by your instructor." in gradebook.scores[-1]["comment"]
    assert "You said what happens." not in gradebook.scores[-1]["comment"]
    assert "You said what happens." not in desk.course.learner().get("quiz").text


def test_an_instructors_own_words_stay_in_the_form(desk: Desk) -> None:
    attempt_id = desk.is_graded(fraction=0.5)
    page = desk.scores(attempt_id, "3", explanation="Well seen.")
    form = page.form("form[action$='/score']")
    assert not form.select("[name=comment]")
    assert form.select_one("textarea").get_text().strip() == "Well seen."  # pyright: ignore[reportOptionalMemberAccess]
    desk.scores(attempt_id, "0")
    assert text_for_the_student(desk) == ("INSTRUCTOR", "Well seen.")


def test_a_score_is_shown_with_two_decimals_and_kept_exactly(desk: Desk) -> None:
    attempt_id = desk.is_graded(fraction=0.46666)
    form = desk.review(attempt_id).form("form[action$='/score']")
    assert form.select_one("[name=points]")["value"] == "2.33"  # pyright: ignore[reportOptionalSubscript]
    page = desk.review(attempt_id)
    page.submit("form[action$='/score']", {"reason": "the text", "comment": "leave_out"})
    assert desk.value("SELECT points FROM grades ORDER BY id DESC LIMIT 1") == Decimal("2.3333")
    desk.scores(attempt_id, "2.34")
    assert desk.value("SELECT points FROM grades ORDER BY id DESC LIMIT 1") == Decimal("2.34")


def test_points_that_cannot_be_are_named_and_what_was_typed_is_kept(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    for points in ("", "five", "-0.1", "5.0001", "1.23456", "NaN", "inf", "1e9", "1 2"):
        page = desk.scores(attempt_id, points, explanation="My words.", reason="My reason.")
        assert page.status == 422, points
        form = page.form("details[open] form")
        assert "Question 1: points from 0 to 5, with at most four decimals." in form.get_text()
        assert page.form("input[name=points]")["value"] == points
        assert page.form("textarea[name=explanation]").get_text().strip() == "My words."
        assert page.form("input[name=reason]")["value"] == "My reason."
    assert desk.sent() == [2.5]


def test_texts_that_cannot_be_are_named(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"reason": " "}, "Question 1: say in a few words why the score changes."),
        ({"reason": "x" * 2001}, "This is too long."),
        ({"explanation": "x" * 4001}, "Question 1: this text is longer than 4,000 characters."),
    ]
    for fields, words in wrong:
        page = desk.scores(attempt_id, "1", **fields)
        assert page.status == 422
        assert words in page.form("details[open] form").get_text()


def test_texts_may_hold_what_a_database_cannot(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    assert desk.scores(attempt_id, "1", explanation="a\x00b\r\nc", reason="d\x00").status == 200
    assert desk.value("SELECT text FROM explanations ORDER BY id DESC LIMIT 1") == "ab\nc"


def test_an_answer_that_the_machine_gave_up_on_is_scored_by_hand(desk: Desk) -> None:
    desk.hands_in()
    desk.run("UPDATE submissions SET status = 'STUCK', grading_tries = 5")
    attempt_id = desk.value("SELECT id FROM attempts")
    page = desk.review(attempt_id)
    assert "Please score it below." in page.text
    assert page.form("details[open] form[action$='/score']")
    page = desk.scores(attempt_id, "3")
    assert "scored" in page.form(".facts").get_text()
    assert desk.value("SELECT status FROM attempts") == "GRADED"
    assert desk.sent() == [3]


def test_an_answer_that_waits_for_the_model_is_not_graded_by_it_any_more(desk: Desk) -> None:
    desk.hands_in(answers=2)
    attempt_id, submission_id = desk.rows("SELECT attempt_id, id FROM submissions ORDER BY id LIMIT 1")[0]
    desk.scores(attempt_id, "3")
    assert desk.does(lambda connection: lock_for_grading(connection, submission_id)) is None
    assert desk.sent() == [], "the other answer is not scored yet"
    desk.course.grades(desk.course.learner(), fraction=0.2)
    assert desk.rows("SELECT points FROM grades ORDER BY id") == [(Decimal(3),), (Decimal(1),)]
    assert desk.sent() == [4]


@pytest.mark.parametrize("model_comes_through", [True, False])
def test_a_worker_that_grades_at_this_moment_is_waited_for(desk: Desk, model_comes_through: bool) -> None:
    desk.hands_in()
    attempt_id, submission_id = desk.rows("SELECT attempt_id, id FROM submissions")[0]
    page = desk.review(attempt_id)
    with ThreadPoolExecutor(1) as pool:
        with desk.course.transaction() as connection:
            assert lock_for_grading(connection, submission_id)
            answer = pool.submit(page.submit, "form[action$='/score']", {"points": "3", "reason": "too early"})
            with pytest.raises(TimeoutError):
                answer.result(0.3)
            if model_comes_through:
                record_model_grade(
                    connection,
                    submission_id,
                    make_assessment(fraction=0.2),
                    points=Decimal(1),
                    explanation="x",
                    names={},
                )
                mark_graded(connection, submission_id)
                finish_attempt(connection, attempt_id, explanation_wait_seconds=0)
        assert answer.result(10).status == 200
    assert desk.rows("SELECT points FROM grades ORDER BY id DESC LIMIT 1") == [(Decimal(3),)]
    assert desk.sent() == ([1, 3] if model_comes_through else [3])
    assert desk.does(lambda connection: lock_for_grading(connection, submission_id)) is None


def test_a_question_without_an_answer_can_be_given_points(desk: Desk) -> None:
    attempt_id = desk.is_graded(fraction=0.5)
    page = desk.review(attempt_id)
    assert "for an answer on paper say" in page.text
    page = desk.scores(attempt_id, "2", number=2, explanation="")
    assert "Nothing was written." in page.text
    assert "None" not in page.text
    assert desk.sent() == [2.5, 4.5]
    student = desk.course.learner().get("quiz").text
    assert "4.5 / 10" in student
    assert "None" not in student


def test_an_attempt_handed_in_empty_can_be_given_points(desk: Desk) -> None:
    desk.hands_in(answers=0)
    desk.scores(desk.value("SELECT id FROM attempts"), "5", number=2)
    assert desk.sent() == [0, 5]


def test_while_a_student_is_answering_there_is_nothing_to_score(desk: Desk) -> None:
    student = desk.course.learner()
    student.post("attempts", {"csrf_token": student.token()})
    attempt_id, question_id = desk.rows(
        "SELECT attempts.id, questions.id FROM attempts JOIN questions USING (quiz_id) ORDER BY 2"
    )[0]
    page = desk.review(attempt_id)
    assert not page.soup.select("form[action$='/score'], form[action$='/excuse'], form[action$='/reopen']")
    fields = {"csrf_token": page.person.token(), "points": "1", "reason": "x"}
    refused = page.person.post(f"results/{attempt_id}/questions/{question_id}/score", fields)
    assert refused.status == 409
    assert page.person.post(f"results/{attempt_id}/excuse", fields).status == 409
    assert desk.rows("SELECT 1 FROM submissions") == []


def test_a_question_of_another_quiz_is_not_found(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    other = Course.open(desk.course.app, desk.course.database)
    other.has_quiz()
    question_id = desk.value("SELECT max(id) FROM questions")
    teacher = desk.course.instructor()
    fields = {"csrf_token": teacher.token(), "points": "1", "reason": "x"}
    assert teacher.post(f"results/{attempt_id}/questions/{question_id}/score", fields).status == 404
    attempt = desk.does(lambda connection: find_attempt(connection, attempt_id))
    with pytest.raises(NotFound):
        desk.does(
            lambda connection: decisions.override_grade(
                connection,
                attempt,
                question_id,
                points=Decimal(1),
                explanation="",
                reason="x",
                seen_grade=None,
                user_id=attempt.user_id,
            )
        )


# Two at once ------------------------------------------------------------------------------------------------------


def test_a_form_that_is_sent_twice_adds_one_grade(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    page = desk.review(attempt_id)
    fields = {"points": "4", "reason": "clicked twice"}
    assert page.submit("form[action$='/score']", fields).status == 200
    again = page.submit("form[action$='/score']", fields)
    assert again.status == 409
    assert "given another score while the page was open" in again.form("details[open] [role=alert]").get_text()
    assert desk.value("SELECT count(*) FROM grades") == 2


def test_of_two_instructors_at_once_one_sees_the_others_score_first(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    pages = [desk.review(attempt_id, sub=name) for name in ("grace-hopper", "alan-turing")]
    barrier = threading.Barrier(2)

    def sends(page: Page, points: str) -> Page:
        barrier.wait()
        return page.submit("form[action$='/score']", {"points": points, "reason": f"by {page.person.sub}"})

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(sends, pages, ("1", "4")))
    assert sorted(page.status for page in answers) == [200, 409]
    refused = next(page for page in answers if page.status == 409)
    assert refused.form("input[name=reason]")["value"] == f"by {refused.person.sub}", "what was typed is kept"
    assert desk.value("SELECT count(*) FROM grades") == 2
    meant = refused.submit("form[action$='/score']")
    assert meant.status == 200, "the form knows the newer score now"
    assert desk.value("SELECT count(*) FROM grades") == 3


def test_an_unanswered_question_given_points_by_two_has_one_submission(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    pages = [desk.review(attempt_id, sub=name) for name in ("grace-hopper", "alan-turing")]
    second = str(pages[0].soup.select("form[action$='/score']")[1]["action"]).split("/results/")[1]
    barrier = threading.Barrier(2)

    def sends(page: Page) -> int:
        barrier.wait()
        return page.submit(f"form[action$='/results/{second}']", {"points": "1", "reason": "paper"}).status

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(sends, pages)) == [200, 409]
    assert desk.value("SELECT count(*) FROM submissions") == 2


# Taking back ------------------------------------------------------------------------------------------------------


def test_a_change_is_taken_back_by_the_grade_before(desk: Desk) -> None:
    attempt_id = desk.is_graded(fraction=0.5, confidence=0.4)
    page = desk.scores(attempt_id, "5", explanation="Perfect.")
    page = page.submit("form[action$='/earlier-score']")
    assert "The earlier score counts again." in page.form(".notice--good").get_text()
    assert "2.5 / 5" in page.text
    assert "confidence 40%" in page.text
    assert "what happens – covered units are switched off" in page.text
    assert "An earlier score, put back by Grace Hopper" in page.text
    assert "You said what happens." in desk.course.learner().get("quiz").text
    model, _, copy = desk.rows("SELECT id, source, points, reason, versions, low, high FROM grades ORDER BY id")
    assert copy[1:5] == ("INSTRUCTOR", model[2], "taken back", {"restored_grade": model[0]})
    assert copy[5:] == model[5:]
    assert desk.sent() == [2.5, 5, 2.5]
    assert desk.events() == ["SCORE_CHANGED", "SCORE_RESTORED"]


def test_any_score_of_the_history_can_count_again(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    desk.scores(attempt_id, "5")
    page = desk.scores(attempt_id, "1", reason="no, look again")
    history = page.form(".history").get_text(" ", strip=True)
    assert "read it myself" in history
    assert "no, look again" in history
    assert "encoder test" in history
    page.submit("details li:last-child form[action$='/earlier-score']")
    assert desk.sent() == [2.5, 5, 1, 2.5]


def test_what_is_taken_back_is_what_the_page_showed(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    page = desk.scores(attempt_id, "5")
    desk.scores(attempt_id, "3")
    refused = page.submit("form[action$='/earlier-score']")
    assert refused.status == 409
    assert "given another score while the page was open" in refused.form("details[open]").get_text()
    assert desk.value("SELECT count(*) FROM grades") == 3


def test_a_grade_of_another_answer_is_not_put_here(desk: Desk) -> None:
    desk.is_graded("carl-gauss", fraction=1.0)
    stranger = desk.value("SELECT max(id) FROM grades")
    attempt_id = desk.is_graded()
    page = desk.scores(attempt_id, "1")
    assert page.submit("form[action$='/earlier-score']", {"grade": str(stranger)}).status == 404
    own = desk.value("SELECT max(id) FROM grades")
    assert page.submit("form[action$='/earlier-score']", {"grade": str(own)}).status == 409
    assert page.submit("form[action$='/earlier-score']", {"grade": "x" * 9}).status == 404


# Excusing ---------------------------------------------------------------------------------------------------------


def test_an_excused_attempt_gives_way_to_the_next_best(desk: Desk) -> None:
    desk.is_graded(fraction=0.2)
    best = desk.is_graded(fraction=0.8)
    page = desk.review(best).submit("#excuse form", {"reason": "the fire alarm rang"})
    assert "does not count" in page.text
    assert "excused" in page.form(".facts").get_text()
    page.submit("form[action$='/count-again']")
    assert desk.sent() == [1, 4, 1, 4]
    assert desk.events() == ["ATTEMPT_EXCUSED", "ATTEMPT_COUNTED_AGAIN"]
    (details,) = desk.rows("SELECT details ->> 'reason' FROM audit_events WHERE event = 'ATTEMPT_EXCUSED'")
    assert details == ("the fire alarm rang",)


def test_the_only_score_stays_in_the_gradebook_when_it_was_delivered(
    desk: Desk, settings: Settings, gradebook: ScriptedGradebook
) -> None:
    attempt_id = desk.is_graded()
    delivers(desk, settings)
    page = desk.review(attempt_id)
    assert "this tool never clears a grade there" in page.form("#excuse").get_text()
    page = page.submit("#excuse form", {"reason": "ill"})
    assert "Its score stays in your LMS" in page.text
    delivers(desk, settings)
    assert len(gradebook.scores) == 1
    page.submit("form[action$='/count-again']")
    assert desk.sent() == [2.5], "it is there already"


@pytest.mark.parametrize("state", ["QUEUED", "PARKED"])
def test_a_score_that_was_not_delivered_yet_is_not_sent_after_excusing(desk: Desk, state: str) -> None:
    attempt_id = desk.is_graded()
    if state == "PARKED":
        desk.run("UPDATE deliveries SET status = 'PARKED', parked_because = 'REFUSED', finished_at = now()")
    page = desk.review(attempt_id).submit("#excuse form", {"reason": "ill"})
    assert desk.rows("SELECT status FROM deliveries") == [("SUPERSEDED",)]
    page.submit("form[action$='/count-again']")
    assert desk.rows("SELECT status FROM deliveries ORDER BY id") == [("SUPERSEDED",), ("QUEUED",)]


def test_excusing_needs_a_reason_and_happens_once(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    page = desk.review(attempt_id)
    refused = page.submit("#excuse form", {"reason": " "})
    assert refused.status == 422
    assert "Say in a few words why, for the record." in refused.form("#excuse[open]").get_text()
    page.submit("#excuse form", {"reason": "ill"})
    page.submit("#excuse form", {"reason": "ill"})
    assert desk.events() == ["ATTEMPT_EXCUSED"]


# Opening again ----------------------------------------------------------------------------------------------------


def test_an_attempt_is_opened_again_with_its_answers(desk: Desk) -> None:
    old = desk.is_graded(fraction=0.4)
    page = desk.review(old).submit("#reopen form", {"reason": "the battery died"})
    assert "The attempt is open again." in page.text
    assert "as attempt 2" in page.text
    answering = desk.course.learner().get("quiz")
    assert answering.form("textarea").get_text().strip() == ANSWER
    assert desk.sent() == [2]
    answering.submit("#answers-form", {"then": "hand-in"}).submit("#hand-in-form")
    assert desk.sent() == [2], "the old one counts until the new one is scored"
    desk.course.grades(desk.course.learner(), fraction=0.2)
    assert desk.sent() == [2, 1], "the new one takes its place, though it is worse"
    assert "handed in once more: attempt 2" in desk.review(old).text
    new = desk.value("SELECT max(id) FROM attempts")
    assert "goes on with attempt 1" in desk.review(new).text
    assert desk.events() == ["ATTEMPT_REOPENED"]


def test_opening_again_uses_up_no_attempt(course: Course) -> None:
    course.has_quiz(max_attempts=1)
    desk = Desk(course)
    desk.review(desk.is_graded()).submit("#reopen form", {"reason": "x"})
    student = desk.course.learner()
    assert student.post("attempts", {"csrf_token": student.token()}).soup.select("#answers-form")


def reopens(desk: Desk, attempt_id: int, *, keeps_due_date: bool = False) -> int:
    return desk.does(
        lambda connection: standing.reopen_attempt(
            connection,
            attempt_id,
            reason="x",
            keeps_due_date=keeps_due_date,
            user_id=fetch_value(connection, "SELECT min(id) FROM users"),  # pyright: ignore[reportArgumentType]
        )
    )


def test_a_due_date_that_has_passed_goes_unless_it_is_wanted(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    for rule, keeps, due, is_kept in [
        ("ACCEPT", False, "+1 day", True),
        ("CLOSE", False, "+1 day", True),
        ("DEDUCT", False, "-1 day", False),
        ("DEDUCT", True, "-1 day", True),
        ("CLOSE", True, "-1 day", False),
    ]:
        desk.run("UPDATE quizzes SET late_rule = %s", rule)
        desk.run("UPDATE attempts SET due_at = now() + %s::interval", due)
        new = reopens(desk, attempt_id, keeps_due_date=keeps)
        assert (desk.value("SELECT due_at FROM attempts WHERE id = %s", new) is not None) is is_kept, (rule, keeps, due)
        desk.review(attempt_id).submit("form[action$='/close-again']")


def test_an_attempt_is_opened_again_once_and_while_no_other_is_open(desk: Desk) -> None:
    first, second = desk.is_graded(), desk.is_graded()
    pages = [desk.review(attempt_id) for attempt_id in (first, first, second)]
    answers = [page.submit("#reopen form", {"reason": "x"}) for page in pages]
    assert [page.status for page in answers] == [200, 409, 409]
    assert "opened again before" in answers[1].form("[role=alert]").get_text()
    assert "answering another attempt now" in answers[2].form("#reopen[open] [role=alert]").get_text()


def test_an_attempt_at_a_quiz_that_is_not_there_any_more_stays_closed(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    other = desk.course.quiz_id
    desk.course.has_quiz()
    desk.run("UPDATE resource_links SET quiz_id = %s", desk.course.quiz_id)
    desk.course.quiz_id = other
    with pytest.raises(decisions.DecisionRefused, match="has quiz"):
        reopens(desk, attempt_id)


def test_opening_again_is_taken_back_while_the_student_has_changed_nothing(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    page = desk.review(attempt_id).submit("#reopen form", {"reason": "the wrong student"})
    student = desk.course.learner()
    student.get("quiz").submit("#answers-form", {"then": "stay"})
    closed = page.submit("form[action$='/close-again']")
    assert "The attempt is closed again." in closed.text
    assert desk.value("SELECT count(*) FROM attempts") == 1
    page = closed.submit("#reopen form", {"reason": "the right one"})
    answering = student.get("quiz")
    answering.submit("#answers-form", {str(answering.form("textarea")["name"]): "Changed.", "then": "stay"})
    refused = page.submit("form[action$='/close-again']")
    assert refused.status == 409
    assert "The student has changed an answer since" in refused.text
    assert desk.value("SELECT count(*) FROM attempts") == 2
    assert desk.events() == ["ATTEMPT_REOPENED", "REOPENING_WITHDRAWN", "ATTEMPT_REOPENED"]


# Approval ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def held(desk: Desk) -> Desk:
    """A desk of a quiz whose scores wait for approval."""
    desk.run("UPDATE quizzes SET posting = 'APPROVAL'")
    return desk


def test_an_approved_score_is_sent(held: Desk) -> None:
    attempt_id = held.is_graded()
    assert held.sent() == []
    page = held.review(attempt_id)
    assert "The student sees no score before you approve it" in page.text
    page = page.submit("#approve-form")
    assert "Approved." in page.text
    assert not page.soup.select("#approve-form button")
    assert held.sent() == [2.5]
    assert held.events() == ["ATTEMPT_APPROVED"]


def test_a_score_is_changed_before_it_is_approved(held: Desk) -> None:
    attempt_id = held.is_graded()
    page = held.scores(attempt_id, "4")
    assert held.sent() == []
    page.submit("#approve-form")
    assert held.sent() == [4]


def test_approving_leads_through_all_that_wait(held: Desk) -> None:
    ids = [held.is_graded(name) for name in ("ada-lovelace", "blaise-pascal", "carl-gauss")]
    page = held.review(ids[1])
    names = []
    for _ in ids:
        names.append(page.form("h1").get_text())
        page = page.submit("#approve-form", {"then": "next"})
    assert names == ["Blaise Pascal", "Carl Gauss", "Ada Lovelace"]
    assert "Approved. The score is shown and on its way." in page.text
    assert held.value("SELECT count(*) FROM deliveries") == 3


def test_all_that_wait_are_approved_at_once(held: Desk) -> None:
    for name in ("ada-lovelace", "blaise-pascal", "carl-gauss"):
        held.is_graded(name)
    held.review(held.value("SELECT min(id) FROM attempts")).submit("#excuse form", {"reason": "ill"})
    teacher = held.course.instructor()
    page = teacher.post("results/approve", {"csrf_token": teacher.token()})
    assert "Approved. The scores are shown and on their way." in page.text
    assert held.rows("SELECT approval FROM attempts ORDER BY id") == [("NEEDED",), ("APPROVED",), ("APPROVED",)]
    assert held.sent() == [2.5, 2.5]
    again = teacher.post("results/approve", {"csrf_token": teacher.token()})
    assert "Nothing was left to approve." in again.text


def test_only_what_the_page_listed_is_approved(held: Desk) -> None:
    first, second = held.is_graded("ada-lovelace"), held.is_graded("blaise-pascal")
    page = held.course.instructor().get("results")
    assert [field["value"] for field in page.soup.select("input[name=attempt]")] == [str(first), str(second)]
    page.submit("form:has(#approve-all)", {"attempt": [str(second), "9" * 30]})
    waiting = held.rows("SELECT id FROM attempts WHERE approval = 'NEEDED'")
    assert waiting == [(first,)]


def test_attempts_of_another_placement_are_not_approved_with_these(held: Desk) -> None:
    held.is_graded()
    teacher = held.course.instructor(resource_link_id="link-2")
    teacher.post("results/approve", {"csrf_token": teacher.token()})
    assert held.sent() == []


def test_whoever_queues_several_scores_does_so_by_student(held: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    early = held.is_graded("early-bird")
    ada = held.is_graded()
    again = held.is_graded("early-bird")
    students = dict(held.rows("SELECT id, user_id FROM attempts"))
    teacher = held.value("SELECT min(id) FROM users")
    quiz_id = held.value("SELECT id FROM quizzes")
    queued: list[int] = []
    for module in (approvals, policies):
        monkeypatch.setattr(
            module, "queue_delivery", lambda connection, attempt_id, **_: queued.append(students[attempt_id])
        )
    held.does(lambda connection: approve_attempts(connection, [ada, again], teacher))
    assert queued == sorted(queued) == [students[early], students[ada]], "two at once would wait for each other"
    held.run("UPDATE attempts SET approval = 'APPROVED'")
    queued.clear()
    held.does(lambda connection: policies.requeue_scores(connection, quiz_id))
    assert queued == sorted(queued) == [students[early], students[ada]]


def test_a_hidden_field_that_holds_no_id_is_refused(desk: Desk) -> None:
    page = desk.scores(desk.is_graded(), "4", seen_grade="9" * 5000)
    assert page.status == 409


def test_two_approvals_at_once_send_once(held: Desk) -> None:
    attempt_id = held.is_graded()
    teacher = held.value("SELECT min(id) FROM users")

    def approves(_: int) -> list[int]:
        return held.does(lambda connection: approve_attempts(connection, [attempt_id], teacher))

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(approves, range(2))) == [[], [attempt_id]]
    assert held.sent() == [2.5]


def test_an_explanation_is_released_and_sent_with_the_same_score(desk: Desk) -> None:
    desk.run("UPDATE quizzes SET explanations_shown = 'AFTER_APPROVAL'")
    attempt_id = desk.is_graded()
    page = desk.review(attempt_id)
    assert "no explanation before you release it" in page.text
    assert "Release the explanation" in page.form("#approve-form").get_text()
    page.submit("#approve-form")
    page.submit("#approve-form")
    assert desk.sent() == [2.5, 2.5], "once more, for its comment"
    assert desk.events() == ["EXPLANATION_RELEASED"]


def test_all_explanations_are_released_at_once(desk: Desk) -> None:
    desk.run("UPDATE quizzes SET explanations_shown = 'AFTER_APPROVAL'")
    for name in ("ada-lovelace", "blaise-pascal"):
        desk.is_graded(name)
    page = desk.course.instructor().get("results")
    assert "The explanations of 2 attempts are not shown before you release them." in page.text
    page = page.submit("form:has(#release-all)", {"what": "explanations"})
    assert "The explanations are released." in page.text
    assert not page.soup.select("#release-all")
    assert desk.events() == ["EXPLANATION_RELEASED"] * 2
    assert desk.value("SELECT count(*) FROM deliveries") == 4


def test_releasing_the_explanation_of_what_does_not_count_sends_nothing(desk: Desk) -> None:
    desk.run("UPDATE quizzes SET explanations_shown = 'AFTER_APPROVAL'")
    worse = desk.is_graded(fraction=0.2)
    desk.is_graded(fraction=0.8)
    desk.review(worse).submit("#approve-form")
    assert desk.sent() == [1, 4]


# Who, and what of others ------------------------------------------------------------------------------------------


def test_a_try_is_scored_for_practice_and_no_more(desk: Desk) -> None:
    teacher = desk.course.instructor()
    begun = teacher.post("attempts", {"csrf_token": teacher.token()})
    fields = {str(begun.form("textarea")["name"]): ANSWER, "then": "hand-in"}
    begun.submit("#answers-form", fields).submit("#hand-in-form")
    desk.course.grades(teacher)
    attempt_id = desk.value("SELECT id FROM attempts")
    page = desk.scores(attempt_id, "5")
    assert "5 / 10" in page.text
    assert not page.soup.select("#excuse, #reopen, #approve-form")
    for action in ("excuse", "reopen"):
        refused = teacher.post(f"results/{attempt_id}/{action}", {"csrf_token": teacher.token(), "reason": "x"})
        assert refused.status == 409
    assert desk.sent() == []


def test_a_teacher_of_a_copied_course_decides_without_seeing_the_key(desk: Desk) -> None:
    other = Course.open(desk.course.app, desk.course.database, quiz_id=desk.course.quiz_id)
    copy = Desk(other)
    other.author("alan-turing")
    attempt_id = copy.is_graded()
    page = copy.review(attempt_id, sub="alan-turing")
    page = page.submit("form[action$='/score']", {"points": "5", "reason": "read it"})
    assert "Scored by Alan Turing" in page.text
    assert "Units cannot co-adapt." not in page.response.text
    assert copy.sent() == [2.5, 5]


def test_students_decide_nothing(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    student = desk.course.learner()
    fields = {"csrf_token": student.token(), "points": "5", "reason": "please"}
    question = f"questions/{desk.value('SELECT min(id) FROM questions')}"
    actions = ("excuse", "count-again", "reopen", "close-again", "approve")
    for place in (f"{question}/score", f"{question}/earlier-score", *actions):
        assert student.post(f"results/{attempt_id}/{place}", fields).status == 403
    assert student.post("results/approve", fields).status == 403
    assert desk.sent() == [2.5]
