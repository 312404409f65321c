"""A training from the page's row to a model that serves: the real commands, with a tiny encoder of random weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.exports.exporting import export_dataset
from lti_tool.exports.selection import Filters
from lti_tool.models.folders import remove_folder
from lti_tool.models.store import current_digest, get_version
from lti_tool.submissions import views
from lti_tool.training import tasks
from lti_tool.training.processes import is_alive
from lti_tool.training.runs import LOG, OUTPUT, export_folder
from lti_tool.training.store import RunKind, TrainingRun, queue_again
from tests.course_actors import Course, make_question
from tests.integration.test_export_answers import allows, answers
from tests.training_actors import BY, STUDENT_TEXT, Trainer, make_dataset

pytestmark = pytest.mark.slow

TINY = {"mode": "reader", "start": "fresh", "has_bank": False, "epochs": 1, "seed": 1}


@pytest.fixture
def trainer(database: Database, settings: Settings, tiny_encoder_folder: Path) -> Iterator[Trainer]:
    chosen = {"grader_model": str(tiny_encoder_folder), "explainer": "template", "model_threads": 1}
    made = Trainer(database, settings.model_copy(update=chosen))
    yield made
    made.waits_until(lambda: not [each for each in tasks._started if each.poll() is None])
    remove_folder(made.settings.versions_path)


def done(trainer: Trainer, kind: RunKind, **values: object) -> TrainingRun:
    """A run that a worker has started and that came to its end."""
    number = trainer.asks(kind, **values)
    tasks.tend(trainer.database, trainer.settings)
    return trainer.waits_for_end(number)


def test_a_training_becomes_a_candidate_and_then_serves(trainer: Trainer) -> None:
    dataset = make_dataset(trainer.settings, questions=14)
    trained = done(trainer, "GRADER", dataset_digest=dataset, settings=TINY)
    assert (trained.status, trained.error) == ("FINISHED", None)
    assert trained.version_digest is not None
    assert trained.done == trained.total > 0
    assert trained.losses, "the command tells its losses to the file of MLQUIZ_PROGRESS_FILE"
    with trainer.database.across_tenants() as connection:
        version = get_version(connection, trained.version_digest)
    assert (version.status, version.created_by) == ("CANDIDATE", BY)
    assert STUDENT_TEXT not in (Path(trained.folder or "") / LOG).read_text(encoding="utf-8")

    promoted = done(
        trainer, "PROMOTION", version_digest=version.digest, settings={"reason": "Agreed with the course team"}
    )
    assert (promoted.status, promoted.error) == ("FINISHED", None)
    assert promoted.result == {
        "kind": "GRADER",
        "before": None,
        "now": version.digest,
        "course": None,
        "reasons": [],
        "was_judged": False,
    }
    with trainer.database.across_tenants() as connection:
        assert current_digest(connection, "GRADER") == version.digest


def test_a_training_is_cancelled_in_the_middle_and_leaves_no_process(trainer: Trainer) -> None:
    dataset = make_dataset(trainer.settings)
    number = trainer.asks("GRADER", dataset_digest=dataset, settings=TINY | {"epochs": 100})
    tasks.tend(trainer.database, trainer.settings)
    output = Path(trainer.settings.data_path) / "training" / str(number) / OUTPUT
    trainer.waits_until(lambda: output.exists() or trainer.run(number).is_over)
    process = trainer.run(number).process
    assert process is not None
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    assert max(each.nice() for each in family) >= 10
    trainer.cancels(number)
    assert trainer.waits_for_end(number).status == "CANCELLED"
    trainer.waits_until(lambda: not is_alive(process))
    assert [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []


def test_an_export_is_written_and_then_checked(
    trainer: Trainer, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)
    course.has_quiz(make_question())
    allows(course, "YES_COURSE")
    answers(course, STUDENT_TEXT)
    exported = done(trainer, "EXPORT", settings={"courses": [], "all_scores": True})
    assert (exported.status, exported.error) == ("FINISHED", None)
    assert exported.result["counts"]["examples"] == 1
    tasks.tend(trainer.database, trainer.settings)
    checked = trainer.waits_for_end(exported.id + 1)
    assert (checked.kind, checked.dataset_digest) == ("CHECK", exported.dataset_digest)
    assert checked.status == "FINISHED"
    assert STUDENT_TEXT not in str(checked.result)


def test_an_export_that_is_in_place_already_is_finished_when_it_goes_on(
    trainer: Trainer, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)
    course.has_quiz(make_question())
    allows(course, "YES_COURSE")
    answers(course, "Ada Lovelace says: units are switched off.")
    first = done(trainer, "EXPORT", settings={"courses": [], "all_scores": True})
    tasks.tend(trainer.database, trainer.settings)
    trainer.waits_for_end(first.id + 1)
    # As where the process beside it died before it could write that down.
    with trainer.database.across_tenants() as connection:
        connection.execute(
            "UPDATE training_runs SET status = 'FAILED', error = 'died', result = '{}', dataset_digest = NULL"
            " WHERE id = %s",
            (first.id,),
        )
        queue_again(connection, first.id)
    tasks.tend(trainer.database, trainer.settings)
    again = trainer.waits_for_end(first.id)
    assert (again.status, again.error) == ("FINISHED", None)
    assert (again.dataset_digest, again.result) == (first.dataset_digest, first.result)
    assert trainer.run(first.id + 2).kind == "CHECK"


@pytest.mark.parametrize("fault", ["changed", "of an earlier database"])
def test_a_folder_that_is_not_this_exports_is_not_taken_for_it(
    trainer: Trainer, course: Course, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)
    course.has_quiz(make_question())
    allows(course, "YES_COURSE")
    answers(course, "Units are switched off.")
    number = trainer.asks("EXPORT", settings={"courses": [], "all_scores": True})
    folder = export_folder(trainer.run(number), trainer.settings)
    exported = export_dataset(trainer.database, folder, Filters(all_scores=True))
    if fault == "changed":
        (folder / "examples.jsonl").write_text("", encoding="utf-8")
    else:
        with trainer.database.across_tenants() as connection:
            connection.execute("UPDATE dataset_exports SET exported_at = exported_at - interval '1 day'")
    tasks.tend(trainer.database, trainer.settings)
    failed = trainer.waits_for_end(number)
    assert failed.status == "FAILED"
    assert "there already" in (failed.error or "")
    assert failed.dataset_digest != exported.manifest.digest


def test_an_export_of_nothing_says_why(trainer: Trainer) -> None:
    failed = done(trainer, "EXPORT", settings={"courses": []})
    assert failed.status == "FAILED"
    assert "nothing to export" in (failed.error or "")
