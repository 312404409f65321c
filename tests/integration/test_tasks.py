"""What workers do with an answer: grade, explain, release; each step once, each failure harmless."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from kombu.exceptions import OperationalError
from pydantic import SecretStr

from config import Settings
from lti_tool import worker
from lti_tool.embedded.valkey import EmbeddedValkey
from lti_tool.gradebook import outbox, store
from lti_tool.gradebook.tasks import explain
from lti_tool.submissions import tasks
from lti_tool.submissions.store import hand_in, list_waiting, save_draft, start_attempt
from lti_tool.worker import GRADE, Workbench, wake, wake_each, wake_grading, wake_later
from tests.course_actors import Course


@dataclass
class Shop:
    """A student's answers to the two questions of a quiz, received, and a workbench with a tiny encoder."""

    bench: Workbench
    course: Course
    attempt_id: int
    submission_ids: list[int]

    @property
    def tenant(self) -> int:
        return self.course.registration.id

    def column(self, query: str) -> list[object]:
        with self.course.transaction() as connection:
            return [row[0] for row in connection.execute(query).fetchall()]  # pyright: ignore[reportArgumentType]


@pytest.fixture
def shop(course: Course, settings: Settings, tiny_encoder_folder: Path) -> Iterator[Shop]:
    quiz_id = course.has_quiz()
    person = course.learner()
    with course.transaction() as connection:
        session = connection.execute(
            "SELECT resource_link_id, user_id FROM launch_sessions WHERE id = %s", (person.launch_id,)
        ).fetchone()
        assert session is not None
        attempt = start_attempt(
            connection,
            resource_link_id=session[0],
            user_id=session[1],
            quiz_id=quiz_id,
            max_attempts=1,
            is_preview=False,
        )
        for (question_id,) in connection.execute("SELECT id FROM questions WHERE quiz_id = %s", (quiz_id,)).fetchall():
            answer = "Random units are switched off in training, so units cannot co-adapt."
            save_draft(connection, attempt_id=attempt.id, question_id=question_id, answer=answer)
        submission_ids = hand_in(connection, attempt.id)
    bench = Workbench(settings.model_copy(update={"grader_model": str(tiny_encoder_folder), "explainer": "template"}))
    yield Shop(bench, course, attempt.id, submission_ids)
    bench.database.close()


def test_who_writes_that_they_are_not_well_gets_the_kind_text_and_is_shown_to_the_instructor(shop: Shop) -> None:
    first, _ = shop.submission_ids
    with shop.course.transaction() as connection:
        connection.execute("UPDATE submissions SET answer = answer || ' I want to die.' WHERE id = %s", (first,))
    settings = shop.bench.settings.model_copy(update={"support_contact": "the counselling service, room 12"})
    bench = Workbench(settings)
    try:
        assert tasks.grade(bench, shop.tenant, first)
    finally:
        bench.database.close()
    [text] = shop.column("SELECT text FROM explanations")
    assert "talk today to a person" in str(text)
    assert str(text).endswith("the counselling service, room 12")
    assert "die" not in str(text)
    assert shop.column("SELECT flags FROM grades") == [["needs_person"]]
    assert "needs a person" in shop.course.instructor().get(f"results/{shop.attempt_id}").text


def test_an_answer_gets_grade_verdicts_and_explanation_in_one_step(shop: Shop) -> None:
    first, _ = shop.submission_ids
    assert tasks.grade(shop.bench, shop.tenant, first)
    assert shop.column("SELECT source FROM grades") == ["MODEL"]
    assert shop.column("SELECT count(*) FROM key_point_verdicts") == [2]
    assert shop.column("SELECT source FROM explanations") == ["TEMPLATE"]
    assert shop.column("SELECT outcome FROM rewordings") == ["PENDING"]
    (versions,) = shop.column("SELECT versions FROM grades")
    assert isinstance(versions, dict)
    assert versions


def test_a_task_that_runs_twice_grades_once(shop: Shop) -> None:
    first, _ = shop.submission_ids
    assert tasks.grade(shop.bench, shop.tenant, first)
    assert not tasks.grade(shop.bench, shop.tenant, first)
    assert shop.column("SELECT count(*) FROM grades") == [1]


def test_eight_workers_at_once_grade_each_answer_once_and_make_one_delivery(shop: Shop) -> None:
    _ = shop.bench.grader
    done: list[bool] = []
    threads = [
        threading.Thread(target=lambda each=each: done.append(tasks.grade(shop.bench, shop.tenant, each)))
        for each in shop.submission_ids * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for each in shop.submission_ids:  # those that found the row taken left it to the sweep
        tasks.grade(shop.bench, shop.tenant, each)
    assert shop.column("SELECT count(*) FROM grades") == [2]
    assert shop.column("SELECT count(*) FROM deliveries") == [1]
    assert shop.column("SELECT status FROM attempts") == ["GRADED"]


def test_the_score_is_delivered_only_after_the_last_answer_and_waits_for_explanations(shop: Shop) -> None:
    first, second = shop.submission_ids
    tasks.grade(shop.bench, shop.tenant, first)
    assert shop.column("SELECT count(*) FROM deliveries") == [0]
    tasks.grade(shop.bench, shop.tenant, second)
    (given,) = shop.column("SELECT score_given FROM deliveries")
    (graded,) = shop.column("SELECT sum(points) FROM grades")
    assert given == graded
    with shop.course.transaction() as connection:
        assert outbox.list_due_deliveries(connection) == []
    delivery_ids, more = explain(shop.bench, shop.tenant)
    assert not more
    with shop.course.transaction() as connection:
        assert outbox.list_due_deliveries(connection) == [(shop.tenant, each) for each in delivery_ids]
    assert len(delivery_ids) == 1


def test_a_failure_while_grading_leaves_the_answer_received(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = shop.submission_ids

    def breaks(*_: object, **__: object) -> None:
        raise MemoryError("in the middle of it")

    monkeypatch.setattr(tasks, "record_model_grade", breaks)
    with pytest.raises(MemoryError):
        tasks.grade(shop.bench, shop.tenant, first)
    assert shop.column("SELECT count(*) FROM grades") == [0]
    with shop.course.transaction() as connection:
        assert (shop.tenant, first) in list_waiting(connection)
    monkeypatch.undo()
    assert tasks.grade(shop.bench, shop.tenant, first)


def test_without_a_language_model_the_template_stays_and_nothing_waits(shop: Shop) -> None:
    for each in shop.submission_ids:
        tasks.grade(shop.bench, shop.tenant, each)
    explain(shop.bench, shop.tenant)
    assert shop.column("SELECT DISTINCT outcome FROM rewordings") == ["NOT_WANTED"]
    assert shop.column("SELECT DISTINCT source FROM explanations") == ["TEMPLATE"]
    assert explain(shop.bench, shop.tenant) == ([], False)


def test_what_a_language_model_babbles_is_refused_with_reasons(shop: Shop, tiny_lm_folder: Path) -> None:
    for each in shop.submission_ids:
        tasks.grade(shop.bench, shop.tenant, each)
    changes = {"explainer": "local", "explainer_model": str(tiny_lm_folder), "explainer_adapter": ""}
    babbling = Workbench(shop.bench.settings.model_copy(update=changes))
    delivery_ids, _ = explain(babbling, shop.tenant)
    babbling.database.close()
    outcomes = shop.column("SELECT DISTINCT outcome FROM rewordings")
    assert set(outcomes) <= {"REFUSED", "NOT_WANTED"}
    assert shop.column("SELECT DISTINCT source FROM explanations") == ["TEMPLATE"]
    if "REFUSED" in outcomes:
        assert all(shop.column("SELECT cardinality(reasons) FROM rewordings WHERE outcome = 'REFUSED'"))
        # The template's text stands: only this says which model was asked.
        asked = shop.column("SELECT DISTINCT versions ->> 'explainer' FROM rewordings WHERE outcome = 'REFUSED'")
        assert asked == [str(tiny_lm_folder)]
    assert len(delivery_ids) == 1


def test_an_explanation_that_keeps_killing_workers_is_given_up(shop: Shop) -> None:
    for each in shop.submission_ids:
        tasks.grade(shop.bench, shop.tenant, each)
    for expected in (2, 2, 2, 0):
        with shop.course.transaction() as connection:
            assert len(store.begin_rewordings(connection)) == expected
    assert shop.column("SELECT DISTINCT outcome FROM rewordings") == ["FAILED"]


def test_two_explain_workers_share_the_work(shop: Shop) -> None:
    for each in shop.submission_ids:
        tasks.grade(shop.bench, shop.tenant, each)
    with shop.course.transaction() as first:
        grade_ids = store.begin_rewordings(first)
    with shop.course.transaction() as first:
        assert len(store.lock_rewordings(first, grade_ids[:1])) == 1
        with shop.course.transaction() as second:
            assert [item.grade_id for item in store.lock_rewordings(second, grade_ids)] == grade_ids[1:]


def test_points_are_the_share_of_the_questions_points(shop: Shop) -> None:
    first, _ = shop.submission_ids
    tasks.grade(shop.bench, shop.tenant, first)
    with shop.course.transaction() as connection:
        row = connection.execute("SELECT fraction, points FROM grades").fetchone()
    assert row is not None
    assert abs(Decimal(str(row[0])) * 5 - row[1]) < Decimal("0.001")


def test_a_broker_that_is_away_is_noticed_once_and_harms_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _uses_broker(settings, "redis://127.0.0.1:1/0")
    assert not wake(GRADE, 1)
    calls: list[tuple[int, ...]] = []
    monkeypatch.setattr(worker, "wake", lambda name, *ids: calls.append(ids))
    wake_each(GRADE, [(7, 1), (7, 2), (8, 3)])
    assert calls == [(7, 1)]


def test_a_broker_of_new_settings_is_the_one_that_is_sent_to(settings: Settings) -> None:
    _uses_broker(settings, "memory://localhost")
    assert wake(GRADE, 1)
    _uses_broker(settings, "redis://127.0.0.1:1/0")
    assert not wake(GRADE, 1)


def test_pages_do_not_pile_up_wakes_for_a_broker_that_is_away(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_absence", worker._Absence())
    asked: list[str] = []
    monkeypatch.setattr(worker.celery, "send_task", lambda name, *_, **__: asked.append(name) or _refuse())
    for number in range(20):
        wake_grading(1, [number])
        wake_later(GRADE, 1, number)
    worker._background.submit(lambda: None).result(30)
    assert asked == [GRADE]


def _refuse() -> None:
    raise OperationalError("nobody there")


def _uses_broker(settings: Settings, url: str) -> None:
    worker.configure(settings.model_copy(update={"broker_url": SecretStr(url)}))


def test_the_sweep_knows_how_much_is_woken_already(settings: Settings) -> None:
    with tempfile.TemporaryDirectory(prefix="mlquiz-v-", ignore_cleanup_errors=True) as folder:
        valkey = EmbeddedValkey(Path(folder) / "valkey", Path(folder))
        worker.configure(settings.model_copy(update={"broker_url": SecretStr(valkey.url)}))
        assert worker.backlog("deliver") == 0, "no broker"
        valkey.start()
        try:
            assert worker.backlog("deliver") == 0, "no queue yet"
            wake_each(worker.DELIVER, [(1, number) for number in range(3)])
            assert worker.backlog("deliver") == 3
        finally:
            valkey.stop()
            worker.configure(settings)


def test_a_child_that_takes_the_place_of_a_dead_one_may_load_its_models(settings: Settings) -> None:
    # Celery's own default of 4 seconds would kill each child before it is ready, for ever.
    assert worker.configure(settings).conf.worker_proc_alive_timeout >= 120
