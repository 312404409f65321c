"""An instructor edits an explanation: the score stays, the student reads whose text it is, and it can be taken back."""

from __future__ import annotations

import threading
from typing import LiteralString

import psycopg
import pytest
from pytest_httpserver import HTTPServer

from config.settings import Settings
from lti_tool.db import fetch_value
from lti_tool.gradebook import decision_views, regrade_views, store
from lti_tool.submissions import views
from tests.course_actors import Course, Page, make_question
from tests.integration.test_decisions import Desk, delivers
from tests.integration.test_decisions import gradebook as _gradebook
from tests.scripted_gradebook import ScriptedGradebook

MACHINES = "You said what happens."
EDIT, RESTORE = "form[action$='/explanation']", "form[action$='/machine-explanation']"


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)
    for module in (decision_views, regrade_views):
        monkeypatch.setattr(module, "wake_later", lambda *arguments: None)


@pytest.fixture
def desk(course: Course) -> Desk:
    course.has_quiz(make_question(), max_attempts=3)
    return Desk(course)


gradebook = _gradebook


def edits(desk: Desk, attempt_id: int, text: str) -> Page:
    return desk.review(attempt_id).submit(EDIT, {"text": text})


def texts(desk: Desk) -> list[tuple[str, str]]:
    return desk.rows("SELECT source, text FROM explanations ORDER BY id")


def test_the_student_reads_the_instructors_text_and_the_score_stays_the_models(desk: Desk) -> None:
    attempt_id = desk.is_graded(fraction=0.5)
    assert desk.review(attempt_id).form(f"{EDIT} textarea").get_text().strip() == MACHINES, "it begins with the text"
    page = edits(desk, attempt_id, "You said <b>what</b> happens; why does it help?")
    assert page.status == 200
    assert "The explanation is changed." in page.form(".notice--good").get_text()
    assert "by an instructor" in page.text
    assert "Scored by the model." in page.text
    seen = desk.course.learner().get("quiz").text
    assert "Explanation by your instructor You said <b>what</b> happens; why does it help?" in seen
    assert "2.5 / 5" in seen
    assert "Score by your instructor" not in seen
    assert "what happens – covered" in seen, "the verdicts are those of the score"
    assert desk.value("SELECT count(*) FROM grades") == 1
    assert desk.events() == ["EXPLANATION_EDITED"]
    assert "Explanation edited by an instructor" in page.form("#record").get_text()


def test_the_machines_text_can_be_used_again(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    assert not desk.review(attempt_id).soup.select(RESTORE), "it is the machine's already"
    page = edits(desk, attempt_id, "Mine.").submit(RESTORE)
    assert "The student reads the machine's text again." in page.form(".notice--good").get_text()
    assert not page.soup.select(RESTORE)
    assert f"Explanation by the machine {MACHINES}" in desk.course.learner().get("quiz").text
    assert texts(desk) == [("TEMPLATE", MACHINES), ("INSTRUCTOR", "Mine."), ("TEMPLATE", MACHINES)]
    assert desk.events() == ["EXPLANATION_EDITED", "EXPLANATION_RESTORED"]


def test_a_text_is_edited_again_from_the_latest(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    page = edits(desk, attempt_id, "First.")
    assert page.form(f"{EDIT} textarea").get_text().strip() == "First."
    page.submit(EDIT, {"text": "Second."})
    assert texts(desk)[-1] == ("INSTRUCTOR", "Second.")


def test_an_edited_text_calls_for_nobody_any_more(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    desk.run("INSERT INTO explanation_ratings (explanation_id, rating) SELECT id, 'WRONG' FROM explanations")
    assert "called wrong by its student" in desk.course.instructor().get("results").text
    page = edits(desk, attempt_id, "Mine.")
    assert "something in this explanation is wrong" not in page.text
    assert "called wrong by its student" not in desk.course.instructor().get("results").text
    assert "something in this explanation is wrong" in page.submit(RESTORE).text, "of these words it was said"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  \r\n ", "Write what the student is to read."),
        ("x" * 4001, "This text is longer than 4,000 characters."),
        (f" {MACHINES}\r\n", "This is the text as it was."),
    ],
)
def test_a_text_that_cannot_be_used_is_shown_again_with_the_reason(desk: Desk, text: str, words: str) -> None:
    page = edits(desk, desk.is_graded(), text)
    assert page.status == 422
    form = page.form("details[open] form")
    assert words in form.get_text()
    area = page.form(f"{EDIT} textarea")
    assert area.get_text().strip() == text.strip()
    assert area["aria-invalid"] == "true"
    assert texts(desk) == [("TEMPLATE", MACHINES)]


def test_nobody_replaces_a_text_that_they_have_not_seen(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    old = desk.review(attempt_id)
    desk.run("INSERT INTO explanations (grade_id, source, text) SELECT id, 'LLM', 'Reworded.' FROM grades")
    page = old.submit(EDIT, {"text": "Mine."})
    assert page.status == 409
    assert "This explanation was changed while the page was open." in page.form("[data-focus]").get_text()
    assert "Reworded." in page.text
    assert page.form(f"{EDIT} textarea").get_text().strip() == "Mine.", "what was typed is kept"
    assert page.submit(EDIT, {"text": "Mine."}).status == 200
    assert texts(desk)[-1] == ("INSTRUCTOR", "Mine.")


def test_nobody_edits_beside_a_score_that_they_have_not_seen(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    old = desk.review(attempt_id)
    desk.scores(attempt_id, "1", explanation="Another one.")
    page = old.submit(EDIT, {"text": "Mine."})
    assert page.status == 409
    assert "another score while the page was open" in page.form("[data-focus]").get_text()
    assert texts(desk)[-1] == ("INSTRUCTOR", "Another one.")


def test_without_a_machines_text_there_is_none_to_go_back_to(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    page = desk.scores(attempt_id, "1", explanation="Mine.")
    assert not page.soup.select(RESTORE)
    url = str(page.form(EDIT)["action"]).replace("/explanation", "/machine-explanation")
    seen = str(page.form(f"{EDIT} input[name=seen_explanation]")["value"])
    teacher = page.person
    refused = teacher.post(url, {"csrf_token": teacher.token(), "seen_explanation": seen})
    assert refused.status == 409
    assert "The machine has no text for this score." in refused.form("[data-focus]").get_text()


@pytest.mark.parametrize("seen", ["", "0", "-1", "x", "99999999999999999999"])
def test_a_text_that_is_not_of_this_answer_is_not_found(desk: Desk, seen: str) -> None:
    page = desk.review(desk.is_graded())
    assert page.submit(EDIT, {"text": "Mine.", "seen_explanation": seen}).status == 404
    assert texts(desk) == [("TEMPLATE", MACHINES)]


def test_the_gradebook_gets_the_new_text_with_the_same_score(
    desk: Desk, settings: Settings, gradebook: ScriptedGradebook, httpserver: HTTPServer
) -> None:
    attempt_id = desk.is_graded(fraction=0.5)
    delivers(desk, settings)
    edits(desk, attempt_id, "In my own words.")
    delivers(desk, settings)
    first, second = gradebook.scores
    assert (first["scoreGiven"], second["scoreGiven"]) == (2.5, 2.5)
    assert MACHINES in first["comment"]
    assert "In my own words." in second["comment"]
    assert MACHINES not in second["comment"]
    assert second["comment"].startswith("The score is the same as before, what is said about it is new (score no. 2).")


@pytest.mark.parametrize(
    "hidden",
    [
        "UPDATE quizzes SET explanations_shown = 'AFTER_APPROVAL'",
        "UPDATE attempts SET approval = 'NEEDED'",
    ],
)
def test_what_the_comment_does_not_hold_yet_is_not_sent(desk: Desk, hidden: LiteralString) -> None:
    attempt_id = desk.is_graded()
    desk.run(hidden)
    assert edits(desk, attempt_id, "Mine.").status == 200
    assert desk.sent() == [2.5]


def test_the_language_model_need_not_word_what_is_edited(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    edits(desk, attempt_id, "Mine.")
    assert desk.value("SELECT outcome FROM rewordings") == "NOT_WANTED"


def test_a_worker_that_words_it_at_this_moment_does_not_put_its_text_over_it(desk: Desk, owner_url: str) -> None:
    """The instructor does not wait for the model; the worker, once it is done, waits for the instructor."""
    attempt_id = desk.is_graded()
    page = desk.review(attempt_id)
    grade_id = desk.value("SELECT id FROM grades")
    with desk.course.transaction() as worker:
        assert len(store.lock_rewordings(worker, [grade_id])) == 1
        assert page.submit(EDIT, {"text": "Mine."}).status == 200
        store.record_rewording(worker, grade_id, outcome="SERVED", text="The model's.", reasons=(), versions={})
    assert texts(desk)[-1] == ("INSTRUCTOR", "Mine.")
    assert desk.value("SELECT outcome FROM rewordings") == "NOT_WANTED"


def test_a_worker_that_was_first_is_seen_by_the_instructor(desk: Desk, owner_url: str) -> None:
    attempt_id = desk.is_graded()
    page = desk.review(attempt_id)
    grade_id = desk.value("SELECT id FROM grades")
    answered: list[int] = []
    editing = threading.Thread(target=lambda: answered.append(page.submit(EDIT, {"text": "Mine."}).status))
    with desk.course.transaction() as worker:
        store.record_rewording(worker, grade_id, outcome="SERVED", text="The model's.", reasons=(), versions={})
        editing.start()
        _waits_until_somebody_waits(owner_url)
    editing.join(60)
    assert answered == [409]
    assert texts(desk)[-1] == ("LLM", "The model's.")


def _waits_until_somebody_waits(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for _ in range(2000):
            if fetch_value(connection, "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"):
                return
            connection.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("nobody waits")


def test_grading_again_takes_the_machines_text_and_taking_it_back_the_instructors(desk: Desk) -> None:
    edits(desk, desk.is_graded(), "Mine.")
    teacher = desk.course.instructor()
    regrade = teacher.post("regrades", {"csrf_token": teacher.token()})
    desk.course.grades_again(fraction=0.8)
    applied = teacher.get(regrade.path).submit("form[action$='/apply']", {"reason": "a better model"})
    assert texts(desk)[-1] == ("TEMPLATE", "Now you said it all.")
    teacher.get(applied.path).submit("form[action$='/take-back']", {"reason": "no better"})
    assert texts(desk)[-1] == ("INSTRUCTOR", "Mine.")


def test_only_instructors_of_the_placement_edit(desk: Desk) -> None:
    attempt_id = desk.is_graded()
    form = desk.review(attempt_id).form(EDIT)
    seen = desk.value("SELECT id FROM explanations")
    student = desk.course.learner()
    address = f"results/{attempt_id}/questions/{desk.value('SELECT id FROM questions')}"
    for action in ("explanation", "machine-explanation", "kept-explanation"):
        fields = {"csrf_token": student.token(), "text": "Mine.", "seen_explanation": str(seen)}
        assert student.post(f"{address}/{action}", fields).status == 403
    assert str(form["action"]).endswith("/explanation")
    assert texts(desk) == [("TEMPLATE", MACHINES)]
