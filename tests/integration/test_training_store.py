"""Runs as rows: who may take one, who may write for it, and what becomes of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.training import store
from lti_tool.training.errors import RunBusy, RunUnknown
from lti_tool.training.store import ProcessOf, Progress
from tests.training_actors import BY, Trainer

HERE, THERE = "worker-1", "worker-2"
PROCESS = ProcessOf(host=HERE, pid=4711, started=1000.0)


@pytest.fixture
def trainer(database: Database, settings: Settings) -> Trainer:
    return Trainer(database, settings)


def taken(trainer: Trainer, number: int, process: ProcessOf = PROCESS) -> store.TrainingRun | None:
    with trainer.database.across_tenants() as connection:
        return store.take_over(connection, number, process)


def begun(trainer: Trainer) -> int:
    number = trainer.asks()
    trainer.claims(HERE)
    assert taken(trainer, number) is not None
    return number


def says(trainer: Trainer, number: int, progress: Progress | None = None, process: ProcessOf = PROCESS) -> str:
    with trainer.database.across_tenants() as connection:
        return store.beat(connection, number, process, progress or Progress())


def ends(trainer: Trainer, number: int, status: str = "FAILED", process: ProcessOf | None = PROCESS) -> bool:
    with trainer.database.across_tenants() as connection:
        return store.end_run(connection, number, status, process=process, error="it died")  # pyright: ignore


def test_the_run_that_waits_longest_is_taken_first(trainer: Trainer) -> None:
    first, second = trainer.asks(), trainer.asks("EXPLAINER")
    run = trainer.claims(HERE)
    assert run is not None
    assert (run.id, run.status, run.host) == (first, "RUNNING", HERE)
    assert run.folder is not None
    assert run.folder.endswith(f"training/{first}")
    assert trainer.run(second).status == "QUEUED"


def test_one_training_at_a_time_a_machine(trainer: Trainer) -> None:
    trainer.asks()
    trainer.asks("PROMOTION")
    assert trainer.claims(HERE) is not None
    assert trainer.claims(HERE) is None
    assert trainer.claims(THERE) is not None


def test_an_export_does_not_wait_for_a_training(trainer: Trainer) -> None:
    trainer.asks()
    trainer.asks("EXPORT")
    trainer.asks("CHECK")
    assert trainer.claims(HERE) is not None
    assert trainer.claims(HERE, "DATA") is not None
    assert trainer.claims(HERE, "DATA") is None


def test_of_workers_that_ask_at_once_one_gets_a_run(trainer: Trainer) -> None:
    for _ in range(4):
        trainer.asks()
    together = Barrier(4)

    def claim(_: int) -> bool:
        together.wait()
        return trainer.claims(HERE) is not None

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(claim, range(4))) == 1


def test_the_database_itself_allows_one_run_a_machine(trainer: Trainer) -> None:
    trainer.asks()
    trainer.asks()
    with pytest.raises(psycopg.errors.UniqueViolation), trainer.database.across_tenants() as connection:
        connection.execute("UPDATE training_runs SET status = 'RUNNING', host = 'h', folder = '/f', started_at = now()")


def test_a_run_has_one_process(trainer: Trainer) -> None:
    number = begun(trainer)
    assert taken(trainer, number, ProcessOf(host=HERE, pid=4712, started=1.0)) is None
    assert trainer.run(number).process == PROCESS


def test_progress_and_losses_are_there_at_once(trainer: Trainer) -> None:
    number = begun(trainer)
    assert says(trainer, number, Progress(done=2, total=9, text="x" * 500, losses=((1, 0.5), (2, 0.25)))) == "GO"
    run = trainer.run(number)
    assert (run.done, run.total, run.losses) == (2, 9, [[1, 0.5], [2, 0.25]])
    assert len(run.progress_text) == 200


def test_what_was_given_up_writes_nothing_more(trainer: Trainer) -> None:
    number = begun(trainer)
    assert ends(trainer, number)
    assert says(trainer, number, Progress(done=5)) == "END"
    assert not ends(trainer, number, "FINISHED")
    assert (trainer.run(number).status, trainer.run(number).done) == ("FAILED", 0)


def test_the_process_of_before_does_not_write_for_the_one_that_goes_on(trainer: Trainer) -> None:
    number = begun(trainer)
    ends(trainer, number)
    with trainer.database.across_tenants() as connection:
        store.queue_again(connection, number)
    trainer.claims(HERE)
    taken(trainer, number, ProcessOf(host=HERE, pid=4712, started=2000.0))
    assert says(trainer, number) == "END"
    assert not ends(trainer, number)
    assert trainer.run(number).status == "RUNNING"


def test_one_that_waits_is_cancelled_at_once_and_one_that_runs_is_asked(trainer: Trainer) -> None:
    running, waiting = begun(trainer), trainer.asks()
    trainer.cancels(waiting)
    assert trainer.run(waiting).status == "CANCELLED"
    trainer.cancels(running)
    assert (trainer.run(running).status, trainer.run(running).is_cancelling) == ("RUNNING", True)
    assert says(trainer, running) == "CANCEL"


def test_only_what_is_over_goes_on_and_keeps_what_was_chosen(trainer: Trainer) -> None:
    number = trainer.asks(settings={"seed": 7})
    with trainer.database.across_tenants() as connection, pytest.raises(RunBusy):
        store.queue_again(connection, number)
    trainer.cancels(number)
    with trainer.database.across_tenants() as connection:
        store.queue_again(connection, number)
    run = trainer.run(number)
    assert (run.status, run.is_cancelling, run.error, run.settings) == ("QUEUED", False, None, {"seed": 7})


def test_what_is_over_cannot_be_cancelled(trainer: Trainer) -> None:
    number = trainer.asks()
    trainer.cancels(number)
    with pytest.raises(RunBusy, match="CANCELLED"):
        trainer.cancels(number)


@pytest.mark.parametrize("number", [999, 10**30])
def test_a_number_of_no_run_is_said_to_be_none(trainer: Trainer, number: int) -> None:
    with pytest.raises(RunUnknown):
        trainer.run(number)
    with pytest.raises(RunUnknown):
        trainer.cancels(number)


def test_the_same_judging_is_found_while_it_waits(trainer: Trainer) -> None:
    digest = "0123456789abcdef"
    number = trainer.asks("CHECK", dataset_digest=digest)

    def waiting(dataset: str) -> int | None:
        with trainer.database.across_tenants() as connection:
            return store.find_waiting_like(connection, "CHECK", dataset_digest=dataset, version_digest=None)

    assert waiting(digest) == number
    assert waiting("f" * 16) is None
    trainer.cancels(number)
    assert waiting(digest) is None


def test_lists_are_of_their_kinds_and_datasets_newest_first(trainer: Trainer) -> None:
    one, two = trainer.asks(dataset_digest="0" * 16), trainer.asks("CHECK", dataset_digest="0" * 16)
    with trainer.database.across_tenants() as connection:
        assert [run.id for run in store.list_runs(connection, ("GRADER",))] == [one]
        assert [run.id for run in store.list_runs_of_dataset(connection, "0" * 16)] == [two, one]
        assert {run.created_by for run in store.list_runs(connection, ("GRADER", "CHECK"))} == {BY}
