"""Grading again: computed beside the grades, seen, then applied once; nothing is lost or sent for nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import LiteralString
from uuid import UUID

import pytest

from config import Settings
from grading.domain import Assessment, Verdict
from grading.grader import Grader, grader_from
from lti_tool.db import fetch_value
from lti_tool.gradebook import regrade_changes, regrade_items, regrade_views, regrades
from lti_tool.gradebook import tasks as gradebook_tasks
from lti_tool.gradebook.decisions import override_grade
from lti_tool.gradebook.errors import NothingToRegrade, RegradeNotOpen, RegradeOpen
from lti_tool.gradebook.outbox import list_due_deliveries
from lti_tool.gradebook.regrade_changes import RegradeSummary
from lti_tool.gradebook.regrade_decisions import Applied, apply_regrade, discard_regrade, take_back_regrade
from lti_tool.gradebook.regrade_tasks import compute
from lti_tool.gradebook.store import begin_rewordings
from lti_tool.gradebook.tasks import explain
from lti_tool.questions.store import Question, get_grading_question, list_questions
from lti_tool.questions.views import editor
from lti_tool.submissions import tasks
from lti_tool.submissions.store import find_attempt, hand_in, save_draft, start_attempt
from lti_tool.worker import REGRADE, Workbench, configure
from tests.course_actors import Course, Page, Person, make_assessment

ANSWER = "Random units are switched off in training."


@pytest.fixture(scope="session")
def tiny_grader(tiny_encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Grader:
    """Loaded once: what these tests are about is not in it."""
    return grader_from(str(tiny_encoder_folder), tmp_path_factory.mktemp("models"))


@dataclass
class Classroom:
    """A placement with a quiz of two questions, and a workbench of a worker."""

    course: Course
    bench: Workbench
    quiz_id: UUID
    teacher: Person
    woken: list[tuple[object, ...]]

    @property
    def tenant(self) -> int:
        return self.course.registration.id

    def value(self, query: LiteralString, *values: object) -> object:
        with self.course.transaction() as connection:
            return fetch_value(connection, query, *values)

    def column(self, query: LiteralString) -> list[object]:
        with self.course.transaction() as connection:
            return [row[0] for row in connection.execute(query).fetchall()]

    def of_launch(self, person: Person) -> tuple[int, int]:
        """Placement and user of somebody's launch."""
        with self.course.transaction() as connection:
            row = connection.execute(
                "SELECT resource_link_id, user_id FROM launch_sessions WHERE id = %s", (person.launch_id,)
            ).fetchone()
        assert row is not None
        return row[0], row[1]

    def questions(self) -> list[Question]:
        with self.course.transaction() as connection:
            return list_questions(connection, self.quiz_id)

    def answers(self, sub: str = "ada-lovelace", *, is_preview: bool = False, **launch: object) -> int:
        """Somebody hands in an answer to each question; the attempt's id."""
        link, user = self.of_launch(self.course.learner(sub, **launch))
        with self.course.transaction() as connection:
            attempt = start_attempt(
                connection,
                resource_link_id=link,
                user_id=user,
                quiz_id=self.quiz_id,
                max_attempts=9,
                is_preview=is_preview,
            )
            for question in list_questions(connection, self.quiz_id):
                save_draft(connection, attempt_id=attempt.id, question_id=question.id, answer=ANSWER)
            hand_in(connection, attempt.id)
        return attempt.id

    def is_scored(
        self, sub: str = "ada-lovelace", *, fraction: float = 0.5, is_preview: bool = False, **launch: object
    ) -> int:
        """Somebody hands in, and a worker scored it; the attempt's id."""
        attempt_id = self.answers(sub, is_preview=is_preview, **launch)
        self.course.grades(self.course.learner(sub, **launch), fraction=fraction)
        return attempt_id

    def begin(self, *, question_id: int | None = None, reason: str = "") -> int:
        link, user = self.of_launch(self.teacher)
        with self.course.transaction() as connection:
            return regrades.start_regrade(
                connection,
                resource_link_id=link,
                quiz_id=self.quiz_id,
                question_id=question_id,
                user_id=user,
                reason=reason,
            )

    def finds(self, regrade_id: int, assessment: Assessment) -> None:
        """What a worker does where the grader finds this for every answer."""
        with self.course.transaction() as connection:
            while begun := regrade_items.begin_items(connection, regrade_id):
                for work in regrade_items.lock_items(connection, regrade_id, begun):
                    question = get_grading_question(connection, work.question_id)
                    regrade_items.record_new_score(
                        connection,
                        regrade_id,
                        work.submission_id,
                        question,
                        assessment,
                        points=Decimal(str(assessment.fraction)) * work.max_points,
                        explanation="Now you said it all.",
                    )
            assert not regrade_items.finish_computing(connection, regrade_id)

    def is_computed(self, *, fraction: float = 0.8, question_id: int | None = None) -> int:
        """A regrade that is READY."""
        regrade_id = self.begin(question_id=question_id)
        self.finds(regrade_id, make_assessment(fraction=fraction))
        return regrade_id

    def applies(self, regrade_id: int, *, with_instructor_scored: bool = False) -> Applied:
        with self.course.transaction() as connection:
            return apply_regrade(
                connection,
                regrade_id,
                self.of_launch(self.teacher)[1],
                include_instructor_scored=with_instructor_scored,
                wait_seconds=60,
            )

    def overrides(self, attempt_id: int, question: Question, points: str) -> None:
        with self.course.transaction() as connection:
            attempt = find_attempt(connection, attempt_id)
            assert attempt is not None
            latest = fetch_value(
                connection,
                "SELECT max(grades.id) FROM grades JOIN submissions ON submissions.id = submission_id"
                " WHERE attempt_id = %s AND question_id = %s",
                attempt_id,
                question.id,
            )
            assert isinstance(latest, int)
            override_grade(
                connection,
                attempt,
                question.id,
                points=Decimal(points),
                explanation="By hand.",
                reason="",
                seen_grade=latest,
                user_id=self.of_launch(self.teacher)[1],
            )

    def writes(self, attempt_id: int, question: Question, text: str) -> None:
        """An instructor edits the explanation of an answer."""
        page = self.teacher.get(f"results/{attempt_id}")
        page.submit(f"form[action$='/questions/{question.id}/explanation']", {"text": text})

    def explanations(self, question: Question) -> list[tuple[str, str]]:
        """Source and text of what was ever written about the answers to a question, in order."""
        with self.course.transaction() as connection:
            return connection.execute(
                "SELECT explanations.source, text FROM explanations JOIN grades ON grades.id = grade_id"
                " JOIN submissions ON submissions.id = submission_id WHERE question_id = %s ORDER BY explanations.id",
                (question.id,),
            ).fetchall()

    def summary(self, regrade_id: int) -> RegradeSummary:
        with self.course.transaction() as connection:
            return regrade_changes.summarise(connection, regrade_id)

    def status(self, regrade_id: int) -> str:
        with self.course.transaction() as connection:
            found = regrades.find_regrade(connection, regrade_id)
        assert found is not None
        return found.status

    def newest_scores(self) -> list[Decimal]:
        """The points that each student's newest delivery carries, by student."""
        with self.course.transaction() as connection:
            rows = connection.execute(
                "SELECT DISTINCT ON (user_id) score_given FROM deliveries ORDER BY user_id, version DESC"
            ).fetchall()
        return [row[0] for row in rows]

    def events(self) -> list[object]:
        return self.column("SELECT event FROM audit_events WHERE event ~ 'REGRADE|KEY' ORDER BY id")


@pytest.fixture
def room(
    course: Course, settings: Settings, tiny_grader: Grader, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Classroom]:
    woken: list[tuple[object, ...]] = []
    for module in (regrade_views, editor):
        monkeypatch.setattr(module, "wake_later", lambda *arguments: woken.append(arguments))
    quiz_id = course.has_quiz()
    bench = Workbench(settings.model_copy(update={"explainer": "template"}))
    bench.__dict__["grader"] = tiny_grader
    yield Classroom(course, bench, quiz_id, course.instructor(), woken)
    bench.database.close()


# Beginning --------------------------------------------------------------------------------------------------------


def test_it_takes_up_the_scored_answers_of_the_placements_students(room: Classroom) -> None:
    room.is_scored("ada-lovelace")
    room.is_scored("blaise-pascal")
    room.is_scored("a-try", is_preview=True)
    room.is_scored("test-student", is_test_user=True)
    room.is_scored("elsewhere", resource_link_id="link-2")
    room.answers("waits")
    with room.course.transaction() as connection:
        connection.execute(
            "UPDATE submissions SET status = 'STUCK' WHERE status = 'RECEIVED' AND question_id = %s",
            (room.questions()[0].id,),
        )
    room.begin()
    found = room.column(
        "SELECT name FROM regrade_items JOIN submissions ON submissions.id = submission_id"
        " JOIN attempts ON attempts.id = attempt_id JOIN users ON users.id = attempts.user_id ORDER BY name"
    )
    assert found == ["Ada Lovelace"] * 2 + ["Blaise Pascal"] * 2


def test_one_question_alone(room: Classroom) -> None:
    room.is_scored()
    first, _ = room.questions()
    room.begin(question_id=first.id)
    found = room.column(
        "SELECT question_id FROM regrade_items JOIN submissions ON submissions.id = regrade_items.submission_id"
    )
    assert found == [first.id]


def test_one_at_a_time_in_a_placement(room: Classroom) -> None:
    room.is_scored()
    first = room.begin()
    with pytest.raises(RegradeOpen):
        room.begin()
    with room.course.transaction() as connection:
        discard_regrade(connection, first, room.of_launch(room.teacher)[1])
    assert room.begin() != first


def test_without_a_scored_answer_there_is_nothing_to_begin(room: Classroom) -> None:
    room.answers()
    with pytest.raises(NothingToRegrade):
        room.begin()
    assert room.value("SELECT count(*) FROM regrades") == 0


# Computing --------------------------------------------------------------------------------------------------------


def test_a_worker_computes_all_and_changes_no_grade(room: Classroom) -> None:
    for number in range(10):
        room.is_scored(f"student-{number}", fraction=0.9)
    regrade_id = room.begin()
    assert compute(room.bench, room.tenant, regrade_id), "twenty answers are more than a batch"
    assert room.value("SELECT count(computed_at) FROM regrade_items") == regrade_items.REGRADE_BATCH
    assert not compute(room.bench, room.tenant, regrade_id)
    assert room.status(regrade_id) == "READY"
    assert room.value("SELECT count(*) FROM grades") == 20
    assert room.column("SELECT DISTINCT verdicts->0->>'name' FROM regrade_items") == ["what happens"]
    (versions,) = room.column("SELECT DISTINCT versions FROM regrade_items")
    assert isinstance(versions, dict)
    assert set(versions) == {"encoder", "head", "code"}


def test_two_workers_at_once_compute_each_answer_once(room: Classroom) -> None:
    for number in range(10):
        room.is_scored(f"student-{number}")
    regrade_id = room.begin()
    threads = [threading.Thread(target=compute, args=(room.bench, room.tenant, regrade_id)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    while compute(room.bench, room.tenant, regrade_id):  # what was locked at the wrong moment is left to the next one
        pass
    assert room.status(regrade_id) == "READY"
    assert room.value("SELECT count(*) FROM regrade_items WHERE problem IS NOT NULL") == 0


def test_the_work_of_a_killed_worker_is_taken_up_again(room: Classroom) -> None:
    room.is_scored()
    regrade_id = room.begin()
    with room.course.transaction() as connection:
        begun = regrade_items.begin_items(connection, regrade_id)
    assert len(begun) == 2
    while compute(room.bench, room.tenant, regrade_id):
        pass
    assert room.status(regrade_id) == "READY"
    assert room.summary(regrade_id).failed_count == 0


def test_the_sweep_wakes_a_worker_where_nothing_goes_on(room: Classroom, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[tuple[object, ...]] = []
    monkeypatch.setattr(gradebook_tasks, "workbench", lambda: room.bench)
    monkeypatch.setattr(gradebook_tasks, "wake_each", lambda name, rows: woken.extend((name, *row) for row in rows))
    monkeypatch.setattr(gradebook_tasks, "wake", lambda *_: True)
    monkeypatch.setattr(gradebook_tasks, "backlog", lambda _: 0)
    room.is_scored()
    regrade_id = room.begin()
    gradebook_tasks.sweep()
    assert REGRADE not in [each[0] for each in woken], "its first wake is on its way"
    with room.course.transaction() as connection:
        connection.execute("UPDATE regrades SET created_at = now() - interval '1 minute'")
    gradebook_tasks.sweep()
    assert (REGRADE, room.tenant, regrade_id) in woken
    woken.clear()
    with room.course.transaction() as connection:
        connection.execute(
            "UPDATE regrade_items SET computed_at = now(), problem = 'x'"
            " WHERE submission_id = (SELECT min(submission_id) FROM regrade_items)"
        )
    gradebook_tasks.sweep()
    assert REGRADE not in [each[0] for each in woken], "a worker is at it"


def test_the_task_has_the_name_that_it_is_sent_by(room: Classroom) -> None:
    app = configure(room.bench.settings)
    assert REGRADE in app.tasks
    assert app.conf.task_routes[REGRADE] == {"queue": "grade"}


def test_an_answer_that_kills_workers_is_given_up_and_the_others_are_not(room: Classroom) -> None:
    room.is_scored("ada-lovelace")
    room.is_scored("blaise-pascal")
    regrade_id = room.begin()
    deadly = min(int(str(each)) for each in room.column("SELECT submission_id FROM regrade_items"))
    for _ in range(20):
        with room.course.transaction() as connection:
            begun = regrade_items.begin_items(connection, regrade_id)
        if deadly in begun:
            continue  # killed: nothing of the batch is computed
        with room.course.transaction() as connection:
            for each in begun:
                connection.execute("UPDATE regrade_items SET tries = 0 WHERE submission_id = %s", (each,))
        if not compute(room.bench, room.tenant, regrade_id):
            break
    assert room.status(regrade_id) == "READY"
    assert room.column("SELECT submission_id FROM regrade_items WHERE problem IS NOT NULL") == [deadly]
    assert room.summary(regrade_id).failed_count == 1
    room.applies(regrade_id)
    assert room.value("SELECT count(*) FROM grades WHERE submission_id = %s", deadly) == 1


def test_a_discarded_one_is_computed_no_further(room: Classroom) -> None:
    room.is_scored()
    regrade_id = room.begin()
    with room.course.transaction() as connection:
        discard_regrade(connection, regrade_id, room.of_launch(room.teacher)[1])
    assert not compute(room.bench, room.tenant, regrade_id)
    assert room.value("SELECT count(computed_at) FROM regrade_items") == 0
    assert room.events() == ["REGRADE_DISCARDED"]


# Applying ---------------------------------------------------------------------------------------------------------


def test_applying_gives_new_grades_and_one_new_version_each(room: Classroom) -> None:
    attempt_id = room.is_scored(fraction=0.5)
    regrade_id = room.is_computed(fraction=0.8)
    summary = room.summary(regrade_id)
    assert (summary.answer_count, summary.changed_count, summary.up_count, summary.down_count) == (2, 2, 2, 0)
    assert summary.mean_change == Decimal("1.5")
    assert room.applies(regrade_id) == Applied(changed_count=2, attempt_count=1, meanwhile_count=0)
    assert room.column("SELECT points FROM grades ORDER BY id") == [Decimal("2.5")] * 2 + [Decimal("4.0")] * 2
    assert (
        room.column(
            "SELECT name FROM key_point_verdicts JOIN grades ON grades.id = grade_id WHERE regrade_id IS NOT NULL"
            " ORDER BY grade_id, position"
        )
        == ["what happens", "why it helps"] * 2
    )
    assert (
        room.column("SELECT text FROM explanations JOIN grades ON grades.id = grade_id WHERE regrade_id IS NOT NULL")
        == ["Now you said it all."] * 2
    )
    assert room.value("SELECT count(*) FROM rewordings WHERE outcome = 'PENDING'") == 4
    assert room.column("SELECT score_given FROM deliveries ORDER BY version") == [5, 8]
    assert room.value("SELECT points FROM attempt_totals WHERE attempt_id = %s", attempt_id) == 8
    details = room.value("SELECT details FROM audit_events WHERE event = 'REGRADE_APPLIED'")
    assert isinstance(details, dict)
    assert (details["regrade_id"], details["changed"], details["attempts"]) == (regrade_id, 2, 1)


def test_the_score_waits_for_the_language_model_and_goes_when_it_is_through(room: Classroom) -> None:
    room.is_scored()
    explain(room.bench, room.tenant)
    room.applies(room.is_computed())
    newest = room.value("SELECT max(id) FROM deliveries")
    with room.course.transaction() as connection:
        assert (room.tenant, newest) not in list_due_deliveries(connection)
    delivery_ids, _ = explain(room.bench, room.tenant)
    assert newest in delivery_ids


def test_it_is_applied_once(room: Classroom) -> None:
    room.is_scored()
    regrade_id = room.is_computed()
    room.applies(regrade_id)
    with pytest.raises(RegradeNotOpen):
        room.applies(regrade_id)
    assert room.value("SELECT count(*) FROM grades") == 4
    assert room.value("SELECT count(*) FROM deliveries") == 2


def test_what_is_not_computed_is_not_applied(room: Classroom) -> None:
    room.is_scored()
    with pytest.raises(RegradeNotOpen):
        room.applies(room.begin())


def test_the_same_findings_change_and_send_nothing(room: Classroom) -> None:
    attempt_id = room.answers()
    for each in room.column("SELECT id FROM submissions"):
        tasks.grade(room.bench, room.tenant, int(str(each)))
    regrade_id = room.begin()
    while compute(room.bench, room.tenant, regrade_id):
        pass
    assert room.status(regrade_id) == "READY"
    assert room.applies(regrade_id) == Applied(changed_count=0, attempt_count=0, meanwhile_count=0)
    assert room.value("SELECT count(*) FROM grades") == 2
    assert room.value("SELECT count(*) FROM deliveries WHERE attempt_id = %s", attempt_id) == 1


def test_a_score_that_an_instructor_gave_is_kept_unless_asked_otherwise(room: Classroom) -> None:
    first, _ = room.questions()
    room.overrides(room.is_scored(), first, "1")
    regrade_id = room.is_computed()
    assert (room.summary(regrade_id).changed_count, room.summary(regrade_id).kept_count) == (1, 1)
    room.applies(regrade_id)
    assert room.newest_scores() == [Decimal(5)], "1 by hand and 4 by the model"
    again = room.is_computed(fraction=0.9)
    room.applies(again, with_instructor_scored=True)
    assert room.newest_scores() == [Decimal(9)]


def test_an_override_meanwhile_is_left_alone_and_counted(room: Classroom) -> None:
    first, _ = room.questions()
    attempt_id = room.is_scored()
    regrade_id = room.is_computed()
    room.overrides(attempt_id, first, "0")
    assert room.summary(regrade_id).meanwhile_count == 1
    applied = room.applies(regrade_id, with_instructor_scored=True)
    assert (applied.changed_count, applied.meanwhile_count) == (1, 1)
    assert room.newest_scores() == [Decimal(4)]


def test_an_override_is_left_alone_though_the_clock_was_set_back_since(room: Classroom) -> None:
    first, _ = room.questions()
    room.is_scored()
    regrade_id = room.is_computed()
    with room.course.transaction() as connection:
        connection.execute(
            "INSERT INTO grades (submission_id, source, fraction, points, low, high, confidence, created_at)"
            " SELECT id, 'INSTRUCTOR', 0, 0, 0, 0, 1, now() + interval '1 hour' FROM submissions"
            " WHERE question_id = %s",
            (first.id,),
        )
    applied = room.applies(regrade_id, with_instructor_scored=True)
    assert (applied.changed_count, applied.meanwhile_count) == (1, 1)
    assert room.newest_scores() == [Decimal(4)]


def test_who_overrides_at_the_same_moment_is_waited_for(room: Classroom) -> None:
    first, _ = room.questions()
    attempt_id = room.is_scored()
    regrade_id = room.is_computed()
    done: list[Applied] = []
    applying = threading.Thread(target=lambda: done.append(room.applies(regrade_id)))
    with room.course.transaction() as connection:
        connection.execute("SELECT 1 FROM attempts WHERE id = %s FOR NO KEY UPDATE", (attempt_id,))
        connection.execute(
            "INSERT INTO grades (submission_id, source, fraction, points, low, high, confidence)"
            " SELECT id, 'INSTRUCTOR', 0, 0, 0, 0, 1 FROM submissions WHERE question_id = %s",
            (first.id,),
        )
        applying.start()
        applying.join(0.3)
        assert applying.is_alive()
    applying.join(10)
    assert (done[0].changed_count, done[0].meanwhile_count) == (1, 1)


def test_what_waits_for_approval_goes_on_waiting(room: Classroom) -> None:
    with room.course.transaction() as connection:
        connection.execute("UPDATE quizzes SET posting = 'APPROVAL'")
    room.is_scored()
    room.applies(room.is_computed())
    assert room.column("SELECT approval FROM attempts") == ["NEEDED"]
    assert room.value("SELECT count(*) FROM deliveries") == 0


def test_taking_it_back_gives_the_scores_from_before(room: Classroom) -> None:
    first, _ = room.questions()
    attempt_id = room.is_scored(fraction=0.5)
    regrade_id = room.is_computed()
    room.applies(regrade_id)
    room.overrides(attempt_id, first, "5")
    with room.course.transaction() as connection:
        user = room.of_launch(room.teacher)[1]
        changed = take_back_regrade(connection, regrade_id, user, reason="A mistake.", wait_seconds=0)
    assert changed == 1, "the answer that was scored by hand since is not touched"
    assert room.newest_scores() == [Decimal("7.5")]
    newest = room.value("SELECT max(id) FROM grades")
    row = room.value("SELECT (source, reason, points)::text FROM grades WHERE id = %s", newest)
    assert row == '(INSTRUCTOR,"A mistake.",2.5000)'
    assert room.value("SELECT text FROM explanations WHERE grade_id = %s", newest) == "You said what happens."
    assert room.value("SELECT count(*) FROM key_point_verdicts WHERE grade_id = %s", newest) == 2
    assert room.events() == ["REGRADE_APPLIED", "REGRADE_TAKEN_BACK"]
    assert room.summary(regrade_id).standing_count == 0


# The answer key ---------------------------------------------------------------------------------------------------


def changes_key(room: Classroom, **fields: str | list[str]) -> Page:
    """The instructor changes the key of the first question."""
    question = room.questions()[0]
    page = room.teacher.get(f"quizzes/{room.quiz_id}/questions/{question.id}")
    return page.submit("#question-form", fields or {"model_answer": ["Units are switched off at random."]})


def test_the_key_of_a_quiz_that_students_began_can_change_and_what_is_asked_cannot(room: Classroom) -> None:
    room.is_scored()
    before = room.questions()[0]
    page = room.teacher.get(f"quizzes/{room.quiz_id}/").follow("Edit the answer key")
    assert "what this question asks and its points stay as they are" in page.text
    assert not page.soup.select("[name=prompt], [name=max_points]")
    page = changes_key(room, key_point_name=["what they do", "why"], key_point_weight=["3", "1"])
    assert "Scores that were given stay as they are" in page.text
    assert "Grade answers again with the new key" in page.text
    after = room.questions()[0]
    assert [(point.name, point.weight) for point in after.key_points] == [("what they do", 3), ("why", 1)]
    assert (after.prompt, after.max_points) == (before.prompt, before.max_points)
    assert room.events() == ["ANSWER_KEY_CHANGED"]
    details = room.value("SELECT details FROM audit_events WHERE event = 'ANSWER_KEY_CHANGED'")
    assert details == {"question_id": before.id, "quiz_id": str(room.quiz_id)}
    token = {"csrf_token": room.teacher.token(), "model_answer": "Yes.", "prompt": "Else?", "max_points": "9"}
    assert room.teacher.post(f"quizzes/{room.quiz_id}/questions/{before.id}", token).status == 409
    assert room.questions()[0] == after


def test_a_key_that_is_saved_unchanged_changes_nothing(room: Classroom) -> None:
    room.is_scored()
    page = room.teacher.get(f"quizzes/{room.quiz_id}/questions/{room.questions()[0].id}")
    page.submit("#question-form")
    assert room.events() == []
    assert room.value("SELECT count(*) FROM rewordings WHERE outcome = 'PENDING'") == 2


def test_a_key_that_cannot_be_used_is_shown_again(room: Classroom) -> None:
    room.is_scored()
    page = changes_key(room, key_point_weight=["heavy", "1"])
    assert page.status == 422
    assert "Weight: a number above 0" in page.text
    assert room.events() == []


def test_what_waits_for_the_language_model_is_not_worded_against_the_new_key(room: Classroom) -> None:
    room.is_scored()
    explained = room.questions()[1]
    with room.course.transaction() as connection:
        connection.execute(
            "UPDATE rewordings SET outcome = 'NOT_WANTED', finished_at = now() FROM grades, submissions"
            " WHERE grades.id = grade_id AND submissions.id = submission_id AND question_id = %s",
            (explained.id,),
        )
        assert list_due_deliveries(connection) == []
    changes_key(room)
    assert room.column(
        "SELECT outcome || ' ' || array_to_string(reasons, ',') FROM rewordings WHERE outcome <> 'NOT_WANTED'"
    ) == ["FAILED the answer key changed"]
    with room.course.transaction() as connection:
        assert len(list_due_deliveries(connection)) == 1, "nothing is waited for any more"
        assert begin_rewordings(connection) == []


def test_what_is_being_worded_at_this_moment_is_not_waited_for(room: Classroom) -> None:
    room.is_scored()
    with room.course.transaction() as connection:
        connection.execute("SELECT 1 FROM rewordings FOR UPDATE")
        assert changes_key(room).status == 200
    assert room.value("SELECT count(*) FROM rewordings WHERE outcome = 'PENDING'") == 2


def test_an_answer_that_waits_gets_the_new_key(room: Classroom) -> None:
    room.answers()
    changes_key(room, key_point_name=["what they do", "why"])
    for each in room.column("SELECT id FROM submissions ORDER BY question_id"):
        tasks.grade(room.bench, room.tenant, int(str(each)))
    assert room.column("SELECT name FROM key_point_verdicts ORDER BY grade_id, position LIMIT 2") == [
        "what they do",
        "why",
    ]


def test_verdicts_keep_the_names_that_they_were_given_for(room: Classroom) -> None:
    attempt_id = room.is_scored()
    changes_key(room, key_point_name=["what they do", "why"])
    page = room.teacher.get(f"results/{attempt_id}")
    assert "what happens – covered" in page.text


def test_an_open_regrade_is_computed_anew_with_the_new_key(room: Classroom) -> None:
    room.is_scored()
    regrade_id = room.is_computed()
    changes_key(room, key_point_name=["what they do", "why"])
    assert room.status(regrade_id) == "COMPUTING"
    assert room.value("SELECT count(computed_at) FROM regrade_items") == 1, "the other question's stays"
    assert [arguments[1:] for arguments in room.woken] == [(room.tenant, regrade_id)]
    while compute(room.bench, room.tenant, regrade_id):
        pass
    assert "what they do" in room.column("SELECT verdicts->0->>'name' FROM regrade_items")


def test_a_new_name_of_a_key_point_is_a_change(room: Classroom) -> None:
    room.is_scored(fraction=0.5)
    changes_key(room, key_point_name=["what they do", "why it helps"])
    summary = room.summary(room.is_computed(fraction=0.5))
    assert (summary.changed_count, summary.up_count, summary.down_count) == (1, 0, 0)


def test_other_activities_with_the_quiz_are_named(room: Classroom) -> None:
    room.is_scored()
    room.is_scored("elsewhere", resource_link_id="link-2")
    page = changes_key(room)
    assert "1 other activity has answers to this quiz" in page.text


# Pages ------------------------------------------------------------------------------------------------------------


def test_from_the_results_page_to_new_scores(room: Classroom) -> None:
    room.is_scored("ada-lovelace", fraction=0.5)
    room.is_scored("blaise-pascal", fraction=0.8)
    form = room.teacher.get("results").follow("Grade again…")
    assert "encoder test" in form.text
    page = form.submit("#regrade-form", {"reason": "The key was too strict."})
    assert "0 of 4 answers have their new score." in page.text
    assert page.form("[data-next]")["data-next"] == "2"
    assert "Answers are being graded again: 0 of 4." in room.teacher.get("results").text
    regrade_id = int(page.path.rsplit("/", 1)[1])
    assert [arguments[1:] for arguments in room.woken] == [(room.tenant, regrade_id)]
    room.finds(regrade_id, make_assessment(fraction=0.8))
    assert "Answers were graded again." in room.teacher.get("results").text
    parts = room.teacher.get(str(page.form("[data-live]")["data-live"]))
    assert not parts.soup.find("html")
    assert parts.form("[data-next]")["data-next"] == "0"
    page = room.teacher.get(f"regrades/{regrade_id}")
    assert "Answers 4 Would change 2 Up 2 Down 0 Average change +1.5" in page.text
    row = " ".join(page.form("tbody tr").get_text(" ").split())
    assert "Ada Lovelace attempt 1 5 → 8 / 10 +3" in row
    assert "2.5 → 4 / 5 +1.5" in row
    assert ANSWER in row
    assert "1 attempt stays as it is" in page.text
    page = page.submit("#apply-form")
    assert "Applied: 2 answers have their new scores." in page.text
    assert "Ada Lovelace attempt 1 5 → 8 / 10 +3" in page.text
    assert room.newest_scores() == [Decimal(8), Decimal(8)]
    page = page.submit("#take-back-form")
    assert "every score has been changed or taken back since" in page.text
    assert room.newest_scores() == [Decimal(5), Decimal(8)]


def test_a_second_click_on_apply_or_discard_does_no_harm(room: Classroom) -> None:
    room.is_scored()
    page = room.teacher.get(f"regrades/{room.is_computed()}")
    for _ in range(2):
        assert "Applied: 2 answers" in page.submit("#apply-form").text
    assert page.submit("#discard-form").status == 409
    assert room.value("SELECT count(*) FROM grades") == 4
    page = room.teacher.get(f"regrades/{room.is_computed(fraction=0.1)}")
    for _ in range(2):
        assert "no score changed" in page.submit("#discard-form").text


def test_scores_that_were_computed_anew_are_not_applied_unseen(room: Classroom) -> None:
    room.is_scored()
    regrade_id = room.is_computed()
    page = room.teacher.get(f"regrades/{regrade_id}")
    changes_key(room)
    room.finds(regrade_id, make_assessment(fraction=0.1))
    refused = page.submit("#apply-form")
    assert refused.status == 409
    assert "these scores were computed anew since the page was opened" in refused.text
    assert room.newest_scores() == [Decimal(5)]
    assert "Applied" in room.teacher.get(f"regrades/{regrade_id}").submit("#apply-form").text


def test_the_form_leads_to_the_one_that_is_open(room: Classroom) -> None:
    room.is_scored()
    regrade_id = room.begin()
    assert room.teacher.get("regrades/new").path.endswith(f"/regrades/{regrade_id}")
    refused = room.teacher.post("regrades", {"csrf_token": room.teacher.token(), "question": ""})
    assert refused.status == 409
    assert "being graded again already" in refused.text


def test_the_question_whose_key_changed_is_chosen(room: Classroom) -> None:
    room.is_scored()
    form = changes_key(room).follow("Grade answers again with the new key")
    question = room.questions()[0]
    assert form.form("input[type=radio][checked]")["value"] == str(question.id)
    page = form.submit("#regrade-form")
    assert "0 of 1 answers" in page.text
    assert question.prompt in page.text


def test_a_preview_without_changes_says_so_and_offers_nothing_to_apply(room: Classroom) -> None:
    room.is_scored(fraction=0.5)
    page = room.teacher.get(f"regrades/{room.is_computed(fraction=0.5)}")
    assert "Nothing would change" in page.text
    assert not page.soup.select("#apply-form")


def test_what_an_instructor_scored_is_marked_and_can_be_included(room: Classroom) -> None:
    room.overrides(room.is_scored(), room.questions()[0], "1")
    page = room.teacher.get(f"regrades/{room.is_computed()}")
    assert "1 answer was scored by an instructor and keeps its score" in page.text
    assert "scored by an instructor, kept the machine: " in page.text
    page.submit("#apply-form", {"include_instructor_scored": "yes"})
    assert room.newest_scores() == [Decimal(8)]


def test_the_page_names_the_explanations_by_instructors_that_would_be_replaced(room: Classroom) -> None:
    attempt_id = room.is_scored("ada-lovelace", fraction=0.5)
    room.is_scored("blaise-pascal", fraction=0.5)
    _, second = room.questions()
    room.writes(attempt_id, second, "Half of it <b>is</b> there.")
    regrade_id = room.is_computed(fraction=0.8)
    page = room.teacher.get(f"regrades/{regrade_id}")
    assert (
        "1 explanation that an instructor wrote would be replaced." in page.form("#decision ~ .notice--warn").get_text()
    )
    named = page.form("#replaced-texts li")
    assert " ".join(named.get_text(" ").split()) == "Ada Lovelace attempt 1, question 2"
    assert str(page.form("#replaced-texts a")["href"]).endswith(f"results/{attempt_id}#question-{second.id}")
    assert page.text.count("edited text replaced") == 1
    assert "Half of it <b>is</b> there." in page.text
    page = page.submit("#apply-form")
    assert "1 explanation that an instructor wrote was replaced." in page.text
    assert room.explanations(second)[-1] == ("TEMPLATE", "Now you said it all.")
    details = room.value("SELECT details FROM audit_events WHERE event = 'REGRADE_APPLIED'")
    assert isinstance(details, dict)
    assert details["replaced_explanations"] == 1


def test_an_explanation_that_was_replaced_is_in_the_history_and_can_be_used_again(room: Classroom) -> None:
    attempt_id = room.is_scored(fraction=0.5)
    _, second = room.questions()
    room.writes(attempt_id, second, "In my own words.")
    room.applies(room.is_computed(fraction=0.8))
    page = room.teacher.get(f"results/{attempt_id}")
    assert "An instructor wrote another text before." in page.text
    history = page.form(f"#history-{second.id}")
    assert "In my own words." in history.get_text()
    assert page.form(str(page.form("a[href^='#explanation-text-']")["href"])) in history.find_all("div")
    page = page.submit(f"#history-{second.id} form[action$='/earlier-explanation']")
    assert "The explanation is changed." in page.form(".notice--good").get_text()
    assert "shown now" in page.form(f"#history-{second.id}").get_text()
    assert not page.soup.select("form[action$='/earlier-explanation']"), "it is shown"
    assert room.explanations(second)[-1] == ("INSTRUCTOR", "In my own words.")
    assert room.value("SELECT points FROM attempt_totals WHERE attempt_id = %s", attempt_id) == 8, "the score stays"
    student = room.course.learner().get("quiz").text
    assert "Explanation by your instructor In my own words." in student
    assert "An instructor wrote another text before." not in page.text
    outcomes = room.column(
        "SELECT outcome FROM rewordings JOIN grades ON grades.id = grade_id WHERE regrade_id IS NOT NULL ORDER BY 1"
    )
    assert outcomes == ["NOT_WANTED", "PENDING"], "no model puts its words over it"


def test_an_explanation_by_an_instructor_stays_where_the_points_stay(room: Classroom) -> None:
    attempt_id = room.is_scored(fraction=0.5)
    first, second = room.questions()
    room.writes(attempt_id, second, "In my own words.")
    regrade_id = room.begin()
    found = make_assessment(fraction=0.5)
    room.finds(
        regrade_id, replace(found, verdicts=tuple(replace(each, verdict=Verdict.PARTIAL) for each in found.verdicts))
    )
    summary = room.summary(regrade_id)
    assert (summary.changed_count, summary.replaced_text_count, summary.staying_text_count) == (2, 0, 1)
    page = room.teacher.get(f"regrades/{regrade_id}")
    assert "1 explanation that an instructor wrote stays" in page.text
    assert "edited text stays" in page.text
    assert not page.soup.select("#decision ~ .notice--warn")
    page.submit("#apply-form")
    assert room.explanations(second)[-2:] == [("TEMPLATE", "Now you said it all."), ("INSTRUCTOR", "In my own words.")]
    assert room.explanations(first)[-1] == ("TEMPLATE", "Now you said it all.")
    assert room.value("SELECT count(*) FROM rewordings JOIN grades ON grades.id = grade_id WHERE regrade_id > 0") == 1
    assert "Use the machine's text again" in room.teacher.get(f"results/{attempt_id}").text


def test_a_score_waits_for_no_language_model_where_every_text_stays(room: Classroom) -> None:
    attempt_id = room.is_scored(fraction=0.5)
    explain(room.bench, room.tenant)
    for question in room.questions():
        room.writes(attempt_id, question, "In my own words.")
    regrade_id = room.begin()
    found = make_assessment(fraction=0.5)
    room.finds(
        regrade_id, replace(found, verdicts=tuple(replace(each, verdict=Verdict.PARTIAL) for each in found.verdicts))
    )
    assert room.summary(regrade_id).staying_text_count == 2
    room.applies(regrade_id)
    newest = room.value("SELECT max(id) FROM deliveries")
    with room.course.transaction() as connection:
        assert (room.tenant, newest) in list_due_deliveries(connection, per_registration=9)


def test_an_explanation_beside_an_instructors_score_is_named_where_that_would_change_too(room: Classroom) -> None:
    attempt_id = room.is_scored("ada-lovelace", fraction=0.5)
    first, _ = room.questions()
    room.overrides(attempt_id, first, "1")
    regrade_id = room.is_computed(fraction=0.8)
    summary = room.summary(regrade_id)
    assert (summary.replaced_text_count, summary.kept_text_count) == (0, 1)
    page = room.teacher.get(f"regrades/{regrade_id}")
    assert (
        "1 of their explanations is an instructor's and would be replaced, too" in page.form("#apply-form").get_text()
    )
    assert "question 1" in page.form("#kept-texts").get_text()
    page = page.submit("#apply-form", {"include_instructor_scored": "yes"})
    assert "1 explanation that an instructor wrote was replaced." in page.text
    assert room.explanations(first)[-1] == ("TEMPLATE", "Now you said it all.")


def test_a_score_without_a_word_by_an_instructor_is_no_explanation_of_theirs(room: Classroom) -> None:
    attempt_id = room.is_scored(fraction=0.5)
    first, _ = room.questions()
    room.writes(attempt_id, first, "Scored by your instructor.")
    assert room.summary(room.is_computed(fraction=0.8)).replaced_text_count == 0


def test_an_explanation_that_was_edited_since_is_not_replaced_unseen(room: Classroom) -> None:
    attempt_id = room.is_scored(fraction=0.5)
    first, second = room.questions()
    room.writes(attempt_id, first, "Seen.")
    regrade_id = room.is_computed(fraction=0.8)
    page = room.teacher.get(f"regrades/{regrade_id}")
    room.writes(attempt_id, second, "Not seen.")
    refused = page.submit("#apply-form")
    assert refused.status == 409
    assert "was edited since the page was opened" in refused.text
    assert room.newest_scores() == [Decimal(5)]
    page = room.teacher.get(f"regrades/{regrade_id}")
    assert "2 explanations that instructors wrote would be replaced." in page.text
    assert "Applied" in page.submit("#apply-form").text


def test_only_what_an_instructor_wrote_for_this_answer_can_be_used_again(room: Classroom) -> None:
    attempt_id, other = room.is_scored("ada-lovelace"), room.is_scored("blaise-pascal")
    first, _ = room.questions()
    room.writes(attempt_id, first, "Mine.")
    room.writes(other, first, "For Blaise.")
    room.applies(room.is_computed(fraction=0.8))
    form = f"#history-{first.id} form[action$='/earlier-explanation']"
    page = room.teacher.get(f"results/{attempt_id}")
    for_blaise = room.value("SELECT id FROM explanations WHERE text = 'For Blaise.'")
    machines = room.value("SELECT max(id) FROM explanations WHERE source = 'TEMPLATE'")
    for earlier in (for_blaise, machines, "", "x", "0", "99999999999999999999"):
        assert page.submit(form, {"earlier": str(earlier)}).status == 404
    assert room.explanations(first)[-1][0] == "TEMPLATE"
    room.writes(attempt_id, first, "Newer.")
    assert page.submit(form).status == 409, "another text is shown now"
    assert room.explanations(first)[-1] == ("INSTRUCTOR", "Newer.")


def test_many_students_are_shown_page_by_page(room: Classroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regrade_views, "_ATTEMPTS_A_PAGE", 2)
    for number, fraction in enumerate((0.7, 0.1, 0.4)):
        room.is_scored(f"student-{number}", fraction=fraction)
    page = room.teacher.get(f"regrades/{room.is_computed(fraction=0.8)}")
    names = [link.get_text() for link in page.soup.select("tbody th a")]
    assert names == ["Student 1", "Student 2"], "the largest change first"
    assert [link.get_text() for link in page.follow("Smaller changes").soup.select("tbody th a")] == ["Student 0"]


def test_a_students_answer_is_data(room: Classroom) -> None:
    room.is_scored("mallory", name="<b onclick=x>Mallory</b>")
    with room.course.transaction() as connection:
        connection.execute("UPDATE submissions SET answer = '<img src=x onerror=alert(1)>'")
    page = room.teacher.get(f"regrades/{room.is_computed()}")
    assert "<img src=x onerror=alert(1)>" in page.text
    assert not page.soup.select("b, img, [onclick], [onerror]")


def test_students_have_no_such_pages(room: Classroom) -> None:
    room.is_scored()
    student = room.course.learner()
    regrade_id = room.is_computed()
    for address in ("regrades/new", f"regrades/{regrade_id}", f"regrades/{regrade_id}/parts"):
        assert student.get(address).status == 403
    for address in ("regrades", f"regrades/{regrade_id}/apply", f"regrades/{regrade_id}/take-back"):
        assert student.post(address, {"csrf_token": student.token()}).status == 403
