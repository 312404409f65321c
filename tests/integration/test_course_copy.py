"""A copied course: the same quiz, results of its own, its own gradebook column, and a copy of the quiz if wanted.

First against the practice LMS over real sockets, then page by page.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from flask import Flask
from werkzeug.serving import make_server

from config import Settings
from lti_tool import create_app, worker
from lti_tool.db import fetch_value
from lti_tool.demo.practice import PracticeLms
from lti_tool.demo.visitor import VisitFailed, Visitor
from lti_tool.gradebook.tasks import deliver_score, tend_column
from lti_tool.launch.platforms import get_registration
from lti_tool.launch.roles import Role
from lti_tool.launch.sessions import find_session
from lti_tool.practice_lms import create_practice_lms
from lti_tool.questions import origins, store
from lti_tool.worker import Workbench
from tests.course_actors import Course, Page, Person, make_question
from tests.integration.stack import free_ports

FIRST = "2"
TITLE = "Does it generalise?"
MATEO, PRIYA = "11", "13"


# A town with a practice LMS ---------------------------------------------------------------------------------------


@contextmanager
def served(app: Flask, port: int) -> Iterator[None]:
    """An application on a real socket."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@dataclass(kw_only=True)
class Town:
    """A tool and an LMS that know each other, and the people of the course."""

    lms: PracticeLms
    course: Course
    people: dict[str, Visitor] = field(default_factory=dict)

    def somebody(self, slug: str) -> Visitor:
        return self.people.setdefault(slug, Visitor(lms_url=self.lms.url, slug=slug))

    def adds_quiz(self) -> None:
        ada = self.somebody("ada")
        ada.chooses_content()
        ada.submits("/quizzes", {"title": TITLE, "language": "en", "max_attempts": "2"})
        ada.follows("/bank")
        ada.submits("/bank", {"sample": ["overfitting"], "max_points": "4"})
        ada.follows("/place")
        ada.submits("/place", {ada.fields("max_points-")[0]: "8"})

    def copies(self, *lost: str) -> str:
        """The context id of a copy of the first course."""
        return self.asks("POST", "courses", json={"without": list(lost)})["id"]

    def asks(self, method: str, path: str, **body: Any) -> Any:
        response = requests.request(
            method, f"{self.lms.url}/admin/{path}", headers=self.lms._headers, timeout=10, **body
        )
        response.raise_for_status()
        return response.json()

    def activity(self, course: str) -> dict[str, Any]:
        (found,) = self.asks("GET", f"course?id={course}")["activities"]
        return found

    def opens(self, slug: str, course: str) -> Visitor:
        visitor = self.somebody(slug)
        visitor.launches(self.activity(course)["id"])
        return visitor

    def answers(self, slug: str, course: str, fraction: float) -> Visitor:
        """Launch, answer, hand in; the answer is graded, and what is queued is sent."""
        visitor = self.opens(slug, course)
        if "/attempts/" not in visitor.url or "/result" in visitor.url:
            visitor.submits("/attempts")
        visitor.submits("/answers", dict.fromkeys(visitor.fields("answer-"), "The network learns the noise."))
        visitor.submits("/hand-in")
        assert "/result" in visitor.url
        person = Person(self.course.app.test_client(), uuid4(), "", {"mateo": MATEO, "priya": PRIYA}[slug])
        self.course.grades(person, fraction=fraction)
        self.delivers()
        return visitor

    def delivers(self) -> None:
        with self.course.transaction() as connection:
            connection.execute("UPDATE deliveries SET due_at = now() WHERE status = 'QUEUED'")
            due = connection.execute("SELECT id FROM deliveries WHERE status = 'QUEUED'").fetchall()
        for (delivery_id,) in due:
            deliver_score(self.course.registration.id, delivery_id)

    def gradebook(self, course: str) -> dict[str, tuple[float, int]]:
        """Score and number of posts by user, in one course."""
        rows = self.asks("GET", "gradebook")
        return {row["user_id"]: (row["score"], row["posts"]) for row in rows if row["course"] == course}

    def links(self) -> list[tuple[Any, ...]]:
        """Course, quiz and column of each placement, oldest first."""
        with self.course.transaction() as connection:
            return connection.execute(
                "SELECT platform_context_id, quiz_id, line_item_url, resource_links.id FROM resource_links"
                " JOIN contexts ON contexts.id = context_id ORDER BY resource_links.id"
            ).fetchall()


def words(visitor: Visitor) -> str:
    """All words of the page in front of somebody."""
    return " ".join(visitor.page.get_text(" ").split())


@pytest.fixture
def town(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    lms_port, tool_port = free_ports(2)
    # No broker answers: the tests run the tasks themselves.
    settings = settings.model_copy(update={"web_port": tool_port, "explanation_wait_seconds": 0})
    folder = tmp_path / "lms"
    lms_app = create_practice_lms(folder, f"http://127.0.0.1:{lms_port}")
    app = create_app(settings)
    bench = Workbench(settings)
    monkeypatch.setattr(worker, "_workbench", bench)
    database = app.extensions["mlquiz"].database
    with ExitStack() as open_things:
        open_things.callback(database.close)
        open_things.callback(bench.database.close)
        open_things.enter_context(served(lms_app, lms_port))
        open_things.enter_context(served(app, tool_port))
        lms = PracticeLms(f"http://127.0.0.1:{lms_port}", folder)
        lms.register(settings, database)
        with database.across_tenants() as connection:
            registration_id = fetch_value(connection, "SELECT id FROM registrations")
            registration = get_registration(connection, registration_id)  # pyright: ignore[reportArgumentType]
        yield Town(lms=lms, course=Course(app, database, registration, platform_id=FIRST))


@pytest.mark.parametrize("lost", [(), ("custom",), ("url",)], ids=["nothing", "custom", "url"])
def test_a_copied_course_has_the_quiz_and_results_of_its_own(town: Town, lost: tuple[str, ...]) -> None:
    town.adds_quiz()
    town.answers("mateo", FIRST, 0.5)
    assert town.gradebook(FIRST) == {MATEO: (4, 1)}
    copy = town.copies(*lost)

    ada = town.opens("ada", copy)
    assert TITLE in words(ada)
    assert not ada.page.select("table tbody tr"), "nobody's results are there yet"
    assert "This quiz comes from another course, “Introduction to Machine Learning”" in words(ada)

    mateo = town.opens("mateo", copy)
    assert mateo.url.endswith("/quiz"), "he begins anew"
    town.answers("mateo", copy, 1.0)
    assert town.gradebook(copy) == {MATEO: (8, 1)}
    assert town.gradebook(FIRST) == {MATEO: (4, 1)}, "nothing was posted to the first course"

    town.answers("priya", FIRST, 0.25)
    assert set(town.gradebook(copy)) == {MATEO}
    first, second = town.links()
    assert first[0] != second[0]
    assert first[1] == second[1], "one quiz"
    assert first[2] != second[2], "two columns"
    overview = words(town.opens("ada", copy))
    assert "Mateo" in overview
    assert "Priya" not in overview


def test_a_copy_without_a_column_posts_nowhere(town: Town) -> None:
    town.adds_quiz()
    town.answers("mateo", FIRST, 0.5)
    copy = town.copies("columns")
    town.answers("mateo", copy, 1.0)
    second = town.links()[1]
    assert second[2] is None
    tend_column(town.course.registration.id, second[3])
    town.delivers()
    assert town.links()[1][2] is None, "the first course's column was not taken for this one's"
    assert town.gradebook(FIRST) == {MATEO: (4, 1)}
    assert town.gradebook(copy) == {}
    with town.course.transaction() as connection:
        assert fetch_value(connection, "SELECT count(DISTINCT line_item_url) FROM deliveries") == 1


def test_a_copy_that_lost_everything_asks_for_a_quiz(town: Town) -> None:
    town.adds_quiz()
    copy = town.copies("custom", "url")
    assert town.opens("ada", copy).url.endswith("/quizzes")
    assert "not ready yet" in town.opens("mateo", copy).text


def test_a_copied_activity_takes_a_copy_of_the_quiz(town: Town) -> None:
    town.adds_quiz()
    copy = town.copies()
    ada = town.opens("ada", copy)
    ada.submits("/place/copy")
    assert "This activity has a copy of the quiz now" in ada.text
    ada.follows("/questions/new")
    ada.submits("/questions/new", {"prompt": "Asked in the copy only?", "max_points": "1", "model_answer": "Yes."})
    assert "Asked in the copy only?" in str(ada.page)
    assert "comes from another course" not in words(town.opens("ada", copy)), "the launch still names the first quiz"
    mateo = town.opens("mateo", copy)
    mateo.submits("/attempts")
    assert "Asked in the copy only?" in str(mateo.page)
    town.answers("mateo", copy, 0.5)
    assert set(town.gradebook(copy)) == {MATEO}
    assert town.gradebook(FIRST) == {}
    mateo = town.opens("mateo", FIRST)
    mateo.submits("/attempts")
    assert "Asked in the copy only?" not in str(mateo.page)


def test_once_a_student_has_begun_the_copied_activity_keeps_its_quiz(town: Town) -> None:
    town.adds_quiz()
    copy = town.copies()
    town.opens("mateo", copy).submits("/attempts")
    ada = town.opens("ada", copy)
    assert "A student has begun it here, so this activity keeps it" in words(ada)
    with pytest.raises(VisitFailed, match="no form"):
        ada.submits("/place/copy")


def test_a_due_date_that_moves_in_the_course_is_known_at_the_next_launch(town: Town) -> None:
    ada = town.somebody("ada")
    ada.chooses_content()
    ada.submits("/quizzes", {"title": TITLE, "language": "en", "max_attempts": "1"})
    ada.follows("/bank")
    ada.submits("/bank", {"sample": ["overfitting"], "max_points": "4"})
    ada.follows("/place")
    ada.submits("/place", {ada.fields("due-")[0]: "2090-01-31T12:00", ada.fields("max_attempts-")[0]: "3"})
    activity = town.activity(FIRST)
    assert activity["due"] == "2090-01-31T12:00:00.000+00:00"
    assert activity["custom"]["max_attempts"] == "3"
    assert "Due 2090-01-31 12:00 UTC" in town.opens("mateo", FIRST).text
    assert "Attempts 3" in town.opens("mateo", FIRST).text
    copy = town.copies()
    requests.post(
        f"{town.lms.url}/as/ada/activities/{town.activity(copy)['id']}/due", {"due": "2091-06-30T12:00"}, timeout=10
    )
    assert "Due 2091-06-30 12:00 UTC" in town.opens("mateo", copy).text
    assert "Due 2090-01-31 12:00 UTC" in town.opens("mateo", FIRST).text
    requests.post(f"{town.lms.url}/as/ada/activities/{activity['id']}/due", {"due": ""}, timeout=10)
    assert "Due" not in town.opens("mateo", FIRST).text


def test_several_quizzes_are_added_at_once(town: Town) -> None:
    ada = town.somebody("ada")
    for title in ("Week 1", "Week 2"):
        ada.chooses_content()
        ada.submits("/quizzes", {"title": title, "language": "en", "max_attempts": "1"})
        ada.follows("/bank")
        ada.submits("/bank", {"sample": ["overfitting"], "max_points": "4"})
    ada.chooses_content()
    quizzes = [str(box["value"]) for box in ada.page.select("input[name=quiz]")]
    ada._go(f"{ada.url.split('/quizzes')[0]}/place?quiz={quizzes[1]}&quiz={quizzes[0]}")
    ada.submits("/place")
    activities = town.asks("GET", "course")["activities"]
    assert [activity["title"] for activity in activities] == ["Week 1", "Week 2"]
    assert [activity["maximum"] for activity in activities] == [4, 4]
    assert "said=2+quizzes+were+added." in str(ada.page)


def test_cancelling_adds_nothing(town: Town) -> None:
    ada = town.somebody("ada")
    ada.chooses_content()
    ada.submits("/place/cancel")
    assert "Nothing was added" in ada.text
    assert town.asks("GET", "course")["activities"] == []


# Page by page -----------------------------------------------------------------------------------------------------


@pytest.fixture
def copied(course: Course) -> Course:
    """Another course of the same school, whose placement leads to the first course's quiz."""
    course.has_quiz(make_question())
    copy = Course.open(course.app, course.database, quiz_id=course.quiz_id)
    copy.line_item_url = "https://lms.example.edu/items/2"
    return copy


def placed(course: Course) -> tuple[UUID, UUID]:
    """The quiz of the course's placement, and the one that its launches name."""
    with course.database.transaction(course.registration.id) as connection:
        row = connection.execute(
            "SELECT quiz_id, named_quiz_id FROM resource_links WHERE context_id = %s", (course.context_id(connection),)
        ).fetchone()
    assert row is not None
    return row


def takes_copy(person: Person) -> Page:
    return person.post("place/copy", {"csrf_token": person.token()})


def test_the_notice_is_for_those_who_teach_both_courses(course: Course, copied: Course) -> None:
    course.instructor("both", context_title="Secret course")
    theirs = copied.instructor("both").get("results")
    assert "comes from another course, “Secret course”" in theirs.text
    assert theirs.form("#take-copy-form")
    stranger = copied.instructor("stranger").get("results")
    assert "Secret course" not in stranger.text
    assert not stranger.soup.select("#take-copy-form")
    assert "shown only to those who teach that course" in stranger.text
    assert "co-adaptation" not in stranger.text
    assert "another course" not in course.instructor("both").get("results").text


def test_a_copy_belongs_to_the_course_and_its_maker(course: Course, copied: Course) -> None:
    course.instructor("both")
    page = takes_copy(copied.instructor("both"))
    assert page.status == 200
    assert "This activity has a copy of the quiz now" in page.text
    quiz_id, named = placed(copied)
    assert named == course.quiz_id != quiz_id
    with course.database.transaction(course.registration.id) as connection:
        made = store.get_quiz(connection, quiz_id, copied.context_id(connection))
        assert (made.title, made.question_count) == ("Regularisation", 1)
        (question,) = store.list_questions(connection, quiz_id)
        assert [point.name for point in question.key_points] == ["what happens", "why it helps"]
    stranger = copied.instructor("stranger").get("results")
    assert "co-adaptation" in stranger.text, "whoever teaches this course sees the key of its own quiz"
    assert placed(course) == (course.quiz_id, course.quiz_id)


@pytest.mark.parametrize("name", ["stranger", "student"])
def test_who_may_not_see_the_key_cannot_copy(course: Course, copied: Course, name: str) -> None:
    person = copied.instructor(name) if name == "stranger" else copied.learner(name)
    refused = takes_copy(person)
    assert refused.status == 403
    assert placed(copied) == (course.quiz_id, course.quiz_id)
    with course.database.transaction(course.registration.id) as connection:
        assert fetch_value(connection, "SELECT count(*) FROM quizzes") == 1


def test_a_student_of_the_first_course_who_teaches_the_copy_gets_no_copy(course: Course, copied: Course) -> None:
    course.learner("assistant").get().submit("#begin-form")
    assert takes_copy(copied.instructor("assistant")).status == 403


def test_answers_keep_the_quiz_and_tries_do_not(course: Course, copied: Course) -> None:
    course.instructor("both")
    person = copied.instructor("both")
    person.get("quiz").submit("#begin-form")
    assert person.get("results").form("#take-copy-form"), "an instructor's own try is in nobody's way"
    copied.learner().get().submit("#begin-form")
    page = person.get("results")
    assert not page.soup.select("#take-copy-form")
    refused = takes_copy(person)
    assert refused.status == 409
    assert "PLACEMENT-ANSWERED" in refused.text
    assert placed(copied)[0] == course.quiz_id


def test_answers_in_the_first_course_are_in_nobodys_way(course: Course, copied: Course) -> None:
    course.learner().get().submit("#begin-form")
    course.instructor("both")
    assert takes_copy(copied.instructor("both")).status == 200


def test_a_quiz_of_the_own_course_is_not_copied_here(course: Course) -> None:
    course.has_quiz()
    assert takes_copy(course.instructor()).status == 404
    assert takes_copy(course.instructor(quiz_id=None, resource_link_id="other")).status == 404
    assert takes_copy(course.author()).status == 404


def test_taking_the_copy_twice_makes_one(course: Course, copied: Course) -> None:
    course.instructor("both")
    person = copied.instructor("both")
    assert takes_copy(person).status == 200
    assert takes_copy(person).status == 404
    with course.database.transaction(course.registration.id) as connection:
        assert fetch_value(connection, "SELECT count(*) FROM quizzes") == 2


def test_who_begins_while_the_copy_is_made_waits_and_opens_again(course: Course, copied: Course) -> None:
    course.instructor("both")
    teacher, learner = copied.instructor("both"), copied.learner()
    began: list[Page] = []
    begin = threading.Thread(
        target=lambda: began.append(learner.post("attempts", {"csrf_token": learner.token()})), daemon=True
    )
    with course.database.transaction(course.registration.id) as connection:
        opened = find_session(connection, teacher.launch_id, teacher.secret)
        assert opened is not None
        assert opened.quiz_id is not None
        assert opened.resource_link_id is not None
        quiz = store.get_placed_quiz(connection, opened.quiz_id, opened.resource_link_id)
        copy = origins.take_copy(connection, opened, quiz)
        begin.start()
        begin.join(0.5)
        assert not began, "the student waits for the copy"
    begin.join(20)
    assert began[0].status == 409
    assert "This activity has another quiz now" in began[0].text
    with course.database.transaction(course.registration.id) as connection:
        assert fetch_value(connection, "SELECT count(*) FROM attempts") == 0
    page = learner.get().submit("#begin-form")
    assert page.status == 200
    assert placed(copied) == (copy, course.quiz_id)


def test_later_launches_find_the_copy(course: Course, copied: Course) -> None:
    course.instructor("both")
    takes_copy(copied.instructor("both"))
    own = placed(copied)[0]
    copied.learner("second")
    copied.learner("third", quiz_id=None)
    assert placed(copied) == (own, course.quiz_id)


def test_a_placement_that_is_changed_in_the_course_follows(course: Course, copied: Course) -> None:
    course.instructor("both")
    takes_copy(copied.instructor("both"))
    other = course.has_quiz(title="Another")
    copied.learner("second", quiz_id=other)
    assert placed(copied) == (other, other)


def test_a_placement_of_before_this_version_keeps_its_quiz(course: Course) -> None:
    quiz_id = course.has_quiz()
    course.learner()
    with course.database.transaction(course.registration.id) as connection:
        connection.execute("UPDATE resource_links SET named_quiz_id = NULL")
    course.learner("second")
    assert placed(course) == (quiz_id, quiz_id)


def test_each_placement_of_a_quiz_has_its_own_attempts(course: Course, copied: Course) -> None:
    course.learner("student").get().submit("#begin-form").submit("#answers-form").submit(
        "#hand-in-form", {"empty_is_meant": "yes"}
    )
    page = copied.launch(Role.LEARNER, "student").get()
    assert page.form("#begin-form"), "used up in the first course, begun anew here"
    assert "Student" not in copied.instructor("stranger").get("results").text
