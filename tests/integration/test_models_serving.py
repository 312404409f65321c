"""Workers and promotions: picked up between two tasks, gone on without where it cannot be loaded, nothing dropped."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from celery.signals import task_postrun, task_prerun

from config import Settings
from grading.domain import Assessment, KeyPoint, Question
from grading.explanation.feedback_making import feedback_from
from grading.grader import Grader
from lti_tool.db import Database, fetch_value
from lti_tool.errors import DatabaseUnavailable, NotConfigured
from lti_tool.models import health, renewal, serving, store
from lti_tool.models.adding import add_run
from lti_tool.models.folders import Kind, remove_folder
from lti_tool.models.promotion import Judgement, promote, roll_back
from lti_tool.models.versions import ModelVersion
from lti_tool.submissions import tasks
from lti_tool.submissions.store import hand_in, save_draft, start_attempt
from lti_tool.worker import Workbench
from tests.course_actors import Course
from tests.model_runs import make_default_run, make_explainer_run, make_run

QUESTION = Question(prompt="What is dropout?", model_answers=("Dropout switches random units off while training.",))
ANSWER = "it switches units off"


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Two threads that wait for each other on a busy machine take twenty times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass
class Operator:
    """One who adds and promotes, beside a worker's workbench."""

    bench: Workbench
    database: Database
    folder: Path

    @property
    def settings(self) -> Settings:
        return self.bench.settings

    def adds(self, note: str = "one") -> ModelVersion:
        return self.adds_run(make_run(self.folder / note, note))

    def adds_run(self, run: Path) -> ModelVersion:
        with self.database.across_tenants() as connection:
            return add_run(connection, self.settings, run, by="ada").version

    def promotes(self, version: ModelVersion) -> str:
        with self.database.across_tenants() as connection:
            current = store.current_digest(connection, version.kind)
            judgement = Judgement(ok=True)
            promote(connection, self.settings, version, judged_against=current, judgement=judgement, by="ada")
        return version.digest

    def rolls_back(self, kind: Kind = "GRADER") -> None:
        with self.database.across_tenants() as connection:
            current = store.current_digest(connection, kind)
            roll_back(connection, kind, taken_for_current=current, by="ada")

    def loses(self, version: ModelVersion) -> Path:
        """The folder is away, as on a machine that it was not copied to; where it went."""
        folder = self.settings.versions_path / version.digest
        folder.chmod(0o755)
        return folder.rename(self.folder / f"lost-{version.digest}")

    def gives_back(self, version: ModelVersion) -> None:
        (self.folder / f"lost-{version.digest}").rename(self.settings.versions_path / version.digest)

    def problems(self) -> list[str]:
        with self.database.across_tenants() as connection:
            return [each.problem for each in store.list_load_problems(connection, minutes=5)]


def served_by(grader: Grader) -> str | None:
    """The version that an assessment of this grader names."""
    [assessment] = grader.assess(QUESTION, [ANSWER])
    return assessment.versions.get("version")


@pytest.fixture
def operator(settings: Settings, database: Database, tiny_encoder_folder: Path, tmp_path: Path) -> Iterator[Operator]:
    (tmp_path / "runs").mkdir()
    bench = Workbench(settings.model_copy(update={"grader_model": str(tiny_encoder_folder), "explainer": "template"}))
    yield Operator(bench, database, tmp_path / "runs")
    bench.database.close()
    remove_folder(bench.settings.versions_path)


# Picking up -------------------------------------------------------------------------------------------------------


def test_without_a_promotion_the_settings_model_serves(operator: Operator) -> None:
    operator.adds()
    assert served_by(operator.bench.grader) is None
    assert not operator.bench.has_news()


def test_a_process_that_starts_loads_the_version_that_serves(operator: Operator) -> None:
    digest = operator.promotes(operator.adds())
    assert served_by(operator.bench.grader) == digest


def test_a_running_process_loads_what_is_promoted(operator: Operator) -> None:
    assert served_by(operator.bench.grader) is None
    digest = operator.promotes(operator.adds())
    assert operator.bench.has_news()
    operator.bench.renew()
    assert served_by(operator.bench.grader) == digest
    assert not operator.bench.has_news()


def test_a_rollback_is_picked_up_the_same_way(operator: Operator) -> None:
    operator.promotes(operator.adds())
    assert served_by(operator.bench.grader)
    operator.rolls_back()
    operator.bench.renew()
    assert served_by(operator.bench.grader) is None


def test_a_model_in_hand_stays_the_one_that_it_was(operator: Operator) -> None:
    in_hand = operator.bench.grader
    digest = operator.promotes(operator.adds())
    operator.bench.renew()
    assert served_by(in_hand) is None
    assert served_by(operator.bench.grader) == digest


def test_a_look_loads_nothing_where_nothing_changed(operator: Operator) -> None:
    operator.promotes(operator.adds())
    before = operator.bench.grader
    operator.bench.renew()
    assert operator.bench.grader is before


def test_a_process_that_holds_no_model_never_loads_one(operator: Operator) -> None:
    operator.promotes(operator.adds())
    assert not operator.bench.has_news()
    operator.bench.renew()
    assert "grader" not in operator.bench.__dict__


def test_what_is_promoted_while_another_one_is_loaded_is_picked_up_next(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ = operator.bench.grader
    first, second = operator.adds("one"), operator.adds("two")
    operator.promotes(first)
    looks_at = serving.intact_folder

    def slow(versions: Path, digest: str) -> Path:
        if digest == first.digest:
            operator.promotes(second)
        return looks_at(versions, digest)

    monkeypatch.setattr(serving, "intact_folder", slow)
    operator.bench.renew()
    assert served_by(operator.bench.grader) == first.digest
    operator.bench.renew()
    assert served_by(operator.bench.grader) == second.digest


# What cannot be loaded ----------------------------------------------------------------------------------------------


def test_a_version_whose_folder_this_machine_lacks_leaves_the_worker_with_what_it_has(operator: Operator) -> None:
    before = operator.bench.grader
    version = operator.adds()
    operator.promotes(version)
    operator.loses(version)
    operator.bench.renew()
    assert operator.bench.grader is before
    (problem,) = operator.problems()
    assert "MODEL_VERSIONS_DIR" in problem


def test_a_version_that_was_changed_on_the_disk_is_not_loaded(operator: Operator) -> None:
    before = operator.bench.grader
    version = operator.adds()
    operator.promotes(version)
    head = operator.settings.versions_path / version.digest / "head.json"
    head.chmod(0o644)
    head.write_text("{}", encoding="utf-8")
    operator.bench.renew()
    assert operator.bench.grader is before
    assert "head.json is missing or was changed" in operator.problems()[0]


def test_it_is_tried_again_later_and_then_all_is_well(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    _ = operator.bench.grader
    version = operator.adds()
    operator.promotes(version)
    operator.loses(version)
    operator.bench.renew()
    operator.gives_back(version)
    assert not operator.bench.has_news(), "tried again at once"
    later = serving.time.monotonic() + serving.RETRY_SECONDS
    monkeypatch.setattr(serving.time, "monotonic", lambda: later)
    assert operator.bench.has_news()
    operator.bench.renew()
    assert served_by(operator.bench.grader) == version.digest
    assert operator.problems() == []


def test_another_version_is_tried_at_once(operator: Operator) -> None:
    _ = operator.bench.grader
    first, second = operator.adds("one"), operator.adds("two")
    operator.promotes(first)
    operator.loses(first)
    operator.bench.renew()
    operator.promotes(second)
    operator.bench.renew()
    assert served_by(operator.bench.grader) == second.digest
    assert operator.problems() == []


def test_a_rollback_of_what_could_not_be_loaded_ends_the_problem(operator: Operator) -> None:
    before = operator.bench.grader
    version = operator.adds()
    operator.promotes(version)
    operator.loses(version)
    operator.bench.renew()
    operator.rolls_back()
    operator.bench.renew()
    assert operator.bench.grader is before
    with operator.database.across_tenants() as connection:
        assert fetch_value(connection, "SELECT count(*) FROM model_load_problems") == 0


def test_a_process_that_starts_without_the_folder_serves_the_settings_model_and_says_so(operator: Operator) -> None:
    version = operator.adds()
    operator.promotes(version)
    operator.loses(version)
    assert served_by(operator.bench.grader) is None
    assert len(operator.problems()) == 1


def test_without_a_database_nothing_is_loaded_instead(operator: Operator) -> None:
    away = operator.settings.database_url.__class__("host=127.0.0.1 port=1 dbname=x connect_timeout=1")
    bench = Workbench(operator.settings.model_copy(update={"database_url": away}))
    bench.database._pool.timeout = 0.1
    with pytest.raises(DatabaseUnavailable):
        _ = bench.grader
    assert "grader" not in bench.__dict__
    bench.database.close()


# Doctor -----------------------------------------------------------------------------------------------------------


def state(operator: Operator) -> str:
    return health.state_of_models(operator.settings, operator.settings.database_url.get_secret_value())


def test_doctor_says_what_serves(operator: Operator) -> None:
    assert state(operator) == "grader of the settings, explainer of the settings"
    digest = operator.promotes(operator.adds())
    assert state(operator) == f"grader {digest}, explainer of the settings"


def test_doctor_names_a_folder_that_this_machine_lacks(operator: Operator) -> None:
    version = operator.adds()
    operator.promotes(version)
    operator.loses(version)
    with pytest.raises(NotConfigured, match=f"no folder .*{version.digest}"):
        state(operator)


def test_doctor_names_the_machine_whose_workers_go_on_without(operator: Operator) -> None:
    version = operator.adds()
    operator.promotes(version)
    with operator.database.across_tenants() as connection:
        store.record_load_problem(connection, "worker-2", "GRADER", version.digest, "no folder there")
    with pytest.raises(NotConfigured, match="workers on worker-2 go on without grader: no folder there"):
        state(operator)


@pytest.mark.parametrize("reason", ["old", "of another version"])
def test_doctor_leaves_out_what_is_over(operator: Operator, reason: str) -> None:
    first, second = operator.adds("one"), operator.adds("two")
    operator.promotes(second)
    digest = second.digest if reason == "old" else first.digest
    with operator.database.across_tenants() as connection:
        store.record_load_problem(connection, "worker-2", "GRADER", digest, "no folder there")
        if reason == "old":
            connection.execute("UPDATE model_load_problems SET at = now() - interval '6 minutes'")
    assert state(operator).startswith(f"grader {second.digest}")


# Between two tasks --------------------------------------------------------------------------------------------------


class Bench:
    """Counts what it is asked for."""

    def __init__(self, *, news: bool = True, error: Exception | None = None) -> None:
        self.news, self.error, self.renewed = news, error, threading.Event()

    def has_news(self) -> bool:
        if self.error:
            raise self.error
        return self.news

    def renew(self) -> None:
        self.renewed.set()


def test_nothing_is_loaded_while_a_task_is_in_hand() -> None:
    bench, in_hand = Bench(), threading.Lock()
    in_hand.acquire()
    thread = threading.Thread(target=renewal.renew_between_tasks, args=(bench, in_hand))
    thread.start()
    assert not bench.renewed.wait(0.05)
    in_hand.release()
    assert bench.renewed.wait(10)
    thread.join(10)


def test_a_task_waits_for_nothing_where_there_is_no_news() -> None:
    bench, in_hand = Bench(news=False), threading.Lock()
    in_hand.acquire()
    renewal.renew_between_tasks(bench, in_hand)  # returns
    assert not bench.renewed.is_set()


def test_a_database_that_is_away_does_not_end_the_looking() -> None:
    renewal.renew_between_tasks(Bench(error=DatabaseUnavailable("away")), threading.Lock())


def test_a_process_looks_between_its_tasks_from_the_first_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(task_prerun, "receivers", list(task_prerun.receivers or ()))
    monkeypatch.setattr(task_postrun, "receivers", list(task_postrun.receivers or ()))
    bench = Bench(news=False)
    renewal.keep_renewing(bench)
    task_prerun.send(sender=None)
    bench.news = True
    assert not bench.renewed.wait(0.1)
    task_postrun.send(sender=None)
    assert bench.renewed.wait(10)
    bench.news = False


def test_the_web_process_knows_of_versions_without_torch() -> None:
    code = (
        "import sys, lti_tool.models.promotion, lti_tool.models.serving, lti_tool.models.adding, lti_tool.worker;"
        "print([name for name in ('torch', 'transformers', 'onnxruntime') if name in sys.modules])"
    )
    root = str(Path(__file__).parent.parent.parent)
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


# Tasks ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def received(course: Course) -> tuple[int, list[int]]:
    """Tenant and answers that a student handed in."""
    quiz_id = course.has_quiz()
    person = course.learner()
    with course.transaction() as connection:
        link, user = connection.execute(
            "SELECT resource_link_id, user_id FROM launch_sessions WHERE id = %s", (person.launch_id,)
        ).fetchone() or (0, 0)
        attempt = start_attempt(
            connection, resource_link_id=link, user_id=user, quiz_id=quiz_id, max_attempts=1, is_preview=False
        )
        for (question_id,) in connection.execute("SELECT id FROM questions WHERE quiz_id = %s", (quiz_id,)).fetchall():
            save_draft(connection, attempt_id=attempt.id, question_id=question_id, answer=ANSWER)
        return course.registration.id, hand_in(connection, attempt.id)


def test_a_grade_says_which_version_gave_it(
    operator: Operator, course: Course, received: tuple[int, list[int]]
) -> None:
    tenant, (first, second) = received
    assert tasks.grade(operator.bench, tenant, first)
    digest = operator.promotes(operator.adds())
    operator.bench.renew()
    assert tasks.grade(operator.bench, tenant, second)
    with course.transaction() as connection:
        versions = connection.execute("SELECT versions ->> 'version' FROM grades ORDER BY id").fetchall()
    assert versions == [(None,), (digest,)]


def test_answers_are_graded_all_the_same_while_a_version_cannot_be_loaded(
    operator: Operator, course: Course, received: tuple[int, list[int]]
) -> None:
    tenant, answers = received
    _ = operator.bench.grader
    version = operator.adds()
    operator.promotes(version)
    operator.loses(version)
    operator.bench.renew()
    assert [tasks.grade(operator.bench, tenant, each) for each in answers] == [True, True]
    with course.transaction() as connection:
        assert fetch_value(connection, "SELECT count(*) FROM grades") == 2


# The explainer ----------------------------------------------------------------------------------------------------


@pytest.fixture
def writer(operator: Operator, tiny_lm_folder: Path) -> Operator:
    """The same, where a tiny language model words explanations."""
    change = {"explainer": "local", "explainer_model": str(tiny_lm_folder), "explainer_adapter": ""}
    return replace(operator, bench=Workbench(operator.settings.model_copy(update=change)))


def worded_by(bench: Workbench) -> str | None:
    item = Assessment(fraction=1.0, low=1.0, high=1.0, confidence=1.0, verdicts=())
    # A small model words what has names.
    question = replace(QUESTION, key_points=(KeyPoint(position=0, name="what it is", text="It is."),))
    assert feedback_from(question, ANSWER, item).is_named
    (explanation,) = bench.explainer.explain([(question, ANSWER, item)])
    return explanation.versions.get("version")


def test_a_promoted_explainer_words_with_the_model_that_it_was_trained_for(
    writer: Operator, tiny_lm_folder: Path
) -> None:
    assert worded_by(writer.bench) is None
    version = writer.adds_run(make_explainer_run(writer.folder / "explainer", tiny_lm_folder))
    assert version.kind == "EXPLAINER"
    digest = writer.promotes(version)
    writer.bench.renew()
    assert worded_by(writer.bench) == digest
    writer.rolls_back("EXPLAINER")
    writer.bench.renew()
    assert worded_by(writer.bench) is None
    writer.bench.database.close()


def test_settings_without_a_language_model_keep_a_promoted_explainer_out(
    operator: Operator, tiny_lm_folder: Path
) -> None:
    version = operator.adds_run(make_explainer_run(operator.folder / "explainer", tiny_lm_folder))
    operator.promotes(version)
    operator.loses(version)
    assert worded_by(operator.bench) is None
    assert not operator.bench.has_news()
    assert operator.problems() == []


# The bundled grader -------------------------------------------------------------------------------------------------


@pytest.mark.model
def test_the_bundled_grader_gives_way_to_a_version_of_it(operator: Operator, models_path: Path) -> None:
    operator.settings.data_path.mkdir(parents=True)
    (operator.settings.data_path / "models").symlink_to(models_path)
    settings = operator.settings.model_copy(update={"grader_model": "bundled:multilingual-e5-small"})
    real = replace(operator, bench=Workbench(settings))
    before = real.bench.grader
    digest = real.promotes(real.adds_run(make_default_run(real.folder / "copy")))
    real.bench.renew()
    [old] = before.assess(QUESTION, [ANSWER])
    [new] = real.bench.grader.assess(QUESTION, [ANSWER])
    assert (new.fraction, new.versions["version"], new.versions["head"]) == (old.fraction, digest, f"reader@{digest}")
    assert "version" not in old.versions
    real.bench.database.close()
