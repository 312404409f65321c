"""Trying an answer while a question is written: scored by a worker as the form stands, shown once, forgotten."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg import sql

from config.settings import Settings
from grading.domain import Question
from grading.grader import Grader, grader_from
from lti_tool.gradebook import tasks
from lti_tool.questions.trial_tasks import assess_trial
from lti_tool.questions.views import trial_views
from lti_tool.worker import TRY_ANSWER, Workbench, configure
from tests.course_actors import Course, Page, Person

ANSWER = "Random units are switched off in training."
WRITTEN = {
    "prompt": "What is dropout?",
    "max_points": "4",
    "model_answer": ["Random units are switched off in training. No unit can lean on another one.", ""],
}


@dataclass
class Desk:
    """An instructor who writes a question, and a worker."""

    course: Course
    bench: Workbench
    quiz_id: UUID
    teacher: Person
    woken: list[tuple[object, ...]] = field(default_factory=list)

    def tries(self, answer: str = ANSWER, *, url: str = "questions/new", **fields: object) -> Page:
        """The form filled in, and its second button pressed."""
        form = self.teacher.get(f"quizzes/{self.quiz_id}/{url}")
        button = form.soup.select_one("button[formaction]")
        assert button is not None
        values = {"csrf_token": self.teacher.token(), "sample_answer": answer, **WRITTEN, **fields}
        return self.teacher.post(str(button["formaction"]), {k: v for k, v in values.items() if v is not None})

    def works(self) -> list[bool]:
        """What workers do with all that they were woken for."""
        found = [assess_trial(self.bench, int(str(tenant)), int(str(each))) for _, tenant, each in self.woken]
        self.woken.clear()
        return found

    def looks(self, page: Page) -> Page:
        """What the page of the form shows by itself after a moment."""
        return self.teacher.get(str(page.form("[data-live*='/trials/']")["data-live"]))

    def count(self, table: str = "trials") -> int:
        with self.course.transaction() as connection:
            query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            return (connection.execute(query).fetchone() or (0,))[0]


@pytest.fixture(scope="module")
def tiny_grader(tiny_encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Grader:
    return grader_from(str(tiny_encoder_folder), tmp_path_factory.mktemp("models"))


@pytest.fixture
def desk(course: Course, settings: Settings, tiny_grader: Grader, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    quiz_id = course.has_quiz()
    bench = Workbench(settings)
    bench.__dict__["grader"] = tiny_grader
    desk = Desk(course, bench, quiz_id, course.instructor())
    monkeypatch.setattr(trial_views, "wake_later", lambda *arguments: desk.woken.append(arguments))
    yield desk
    bench.database.close()


def test_an_answer_is_scored_against_what_stands_in_the_form(desk: Desk, tiny_grader: Grader) -> None:
    questions = desk.count("questions")
    page = desk.tries()
    assert page.form("textarea[name=prompt]").get_text() == "What is dropout?", "the form stays as it was typed"
    assert page.form("textarea[name=sample_answer]").get_text().strip() == ANSWER
    waiting = desk.looks(page)
    assert "Being scored…" in waiting.form("[data-part=trial-state]").get_text()
    assert waiting.form("[data-next]")["data-next"] == "1"
    assert desk.works() == [True]
    shown = desk.looks(page)
    assert shown.form("[data-next]")["data-next"] == "0"
    text = shown.soup.get_text(" ", strip=True)
    asked = Question(prompt="What is dropout?", model_answers=(WRITTEN["model_answer"][0],))
    (found,) = tiny_grader.assess(asked, [ANSWER])
    assert f"{100 * found.fraction:.0f}% of the points" in text
    assert f"Likely between {100 * found.low:.0f}% and {100 * found.high:.0f}%" in text
    assert "Random units are switched off in training." in shown.form(".verdicts").get_text()
    assert len(shown.soup.select(".verdict")) == 2
    assert desk.count("questions") == questions
    assert desk.count("submissions") == desk.count("grades") == 0


def test_a_result_is_handed_out_once_and_nothing_of_it_stays(desk: Desk) -> None:
    page = desk.tries()
    desk.works()
    assert desk.looks(page).status == 200
    assert desk.count() == 0
    assert desk.looks(page).status == 404


def test_key_points_go_by_their_names(desk: Desk) -> None:
    names: dict[str, Any] = {
        "key_point_name": ["what happens", "why"],
        "key_point_text": [ANSWER, "No unit leans on another."],
    }
    page = desk.tries(**names, key_point_weight=["2", "1"])
    desk.works()
    verdicts = desk.looks(page).form(".verdicts").get_text(" ", strip=True)
    assert "what happens" in verdicts
    assert "why" in verdicts
    assert "No unit leans on another." not in verdicts


def test_without_scripts_the_same_button_looks_again(desk: Desk) -> None:
    page = desk.tries()
    trial = str(page.form("input[name=trial]")["value"])
    again = desk.tries(trial=trial)
    assert str(again.form("input[name=trial]")["value"]) == trial
    assert len(desk.woken) == 1, "it is under way already"
    desk.works()
    assert "of the points" in desk.tries(trial=trial).form("[data-part=trial-result]").get_text()
    other = desk.tries("Another answer.", trial=trial)
    assert str(other.form("input[name=trial]")["value"]) != trial
    assert len(desk.woken) == 1


@pytest.mark.parametrize(
    ("answer", "fields", "words"),
    [
        (" ", {}, "Write an answer to try."),
        ("x" * 10_001, {}, "This is too long."),
        (ANSWER, {"model_answer": [""]}, "Write at least one model answer"),
        (ANSWER, {"prompt": ""}, "Write the question."),
    ],
)
def test_what_cannot_be_tried_is_named(desk: Desk, answer: str, fields: dict[str, Any], words: str) -> None:
    page = desk.tries(answer, **fields)
    assert page.status == 422
    assert words in page.text
    assert desk.woken == []
    assert desk.count() == 0


def test_the_key_of_a_question_that_students_have_begun_is_tried_too(desk: Desk) -> None:
    student = desk.course.learner()
    student.post("attempts", {"csrf_token": student.token()})
    with desk.course.transaction() as connection:
        (question_id,) = connection.execute("SELECT min(id) FROM questions").fetchone() or (0,)
    page = desk.tries(url=f"questions/{question_id}", prompt=None, max_points=None)
    assert page.status == 200
    assert page.soup.select("[name=prompt]") == []
    desk.works()
    assert "of the points" in desk.looks(page).soup.get_text()
    saved = page.form("#question-form")
    assert str(saved["action"]).endswith(f"/questions/{question_id}"), "the other button saves as before"
    assert "Edit the answer key" in desk.teacher.get(page.url).text, "coming back by its address"


def test_trials_are_ones_own(desk: Desk) -> None:
    page = desk.tries()
    desk.works()
    address = str(page.form("[data-live*='/trials/']")["data-live"]).partition("/trials/")[2]
    assert desk.course.instructor("alan-turing").get(f"trials/{address}").status == 404
    student = desk.course.learner()
    assert student.get(f"trials/{address}").status == 403
    assert student.post(f"quizzes/{desk.quiz_id}/try-answer", {"csrf_token": student.token()}).status == 403
    other = Course.open(desk.course.app, desk.course.database)
    other.has_quiz()
    stranger = other.instructor()
    fields = {"csrf_token": stranger.token(), **WRITTEN, "sample_answer": ANSWER}
    assert stranger.post(f"quizzes/{desk.quiz_id}/try-answer", fields).status == 404


def test_a_worker_scores_each_once_and_what_is_gone_not_at_all(desk: Desk) -> None:
    desk.tries()
    woken = desk.woken * 2
    desk.woken.extend(woken)
    assert desk.works() == [True, False, False]
    desk.tries("Another answer.")
    with desk.course.transaction() as connection:
        connection.execute("DELETE FROM trials")
    assert desk.works() == [False]


def test_the_sweep_wakes_workers_and_deletes_what_nobody_came_back_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[tuple[str, int, int]] = []
    monkeypatch.setattr(tasks, "workbench", lambda: desk.bench)
    monkeypatch.setattr(tasks, "backlog", lambda queue: 0)
    monkeypatch.setattr(tasks, "wake_each", lambda name, rows: woken.extend((name, *row) for row in rows))
    desk.tries()
    ((name, tenant, trial_id),) = desk.woken
    assert name == TRY_ANSWER
    tasks.sweep()
    assert TRY_ANSWER not in [each[0] for each in woken], "its first wake is on its way"
    with desk.course.transaction() as connection:
        connection.execute("UPDATE trials SET created_at = now() - interval '1 minute'")
    tasks.sweep()
    assert (TRY_ANSWER, tenant, trial_id) in woken
    page = desk.teacher.get(f"trials/{trial_id}")
    assert "This takes longer than usual" in page.soup.get_text()
    with desk.course.transaction() as connection:
        connection.execute("UPDATE trials SET created_at = now() - interval '11 minutes'")
    tasks.sweep()
    assert desk.count() == 0


def test_the_task_has_the_name_that_it_is_sent_by(settings: Settings) -> None:
    app = configure(settings)
    assert TRY_ANSWER in app.tasks
    assert app.conf.task_routes[TRY_ANSWER] == {"queue": "grade"}


def test_the_web_process_loads_no_model_for_it() -> None:
    program = (
        "import sys; from lti_tool import create_app; import lti_tool.gradebook.views, lti_tool.questions.views;"
        " print([name for name in ('torch', 'onnxruntime', 'transformers', 'grading.grader') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert ran.stdout.strip() == "[]"
