"""Beside a run from its start to its end: real processes, with small programs in the place of a training."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import psycopg
import pytest

from config.settings import Settings
from lti_tool import worker
from lti_tool.db import Database
from lti_tool.errors import DatabaseUnavailable
from lti_tool.training import store, supervision, tasks
from lti_tool.training.outcomes import cancelled
from lti_tool.training.processes import ProcessOf, end_session_of, host_name, is_alive, this_process
from lti_tool.training.store import TrainingRun
from lti_tool.training.supervision import supervise
from tests.course_actors import Course
from tests.training_actors import STUDENT_TEXT, Trainer, make_dataset

FOR_EVER = "import time\nwhile True: time.sleep(60)"
TELLS = (
    "import os, json\n"
    "with open(os.environ['MLQUIZ_PROGRESS_FILE'], 'a') as file:\n"
    "    for step in (1, 2, 3):\n"
    "        print(json.dumps({'done': step, 'total': 3, 'text': f'step {step}', 'loss': 1 / step}), file=file)\n"
)
CHECKED = (
    "import json, sys; print(json.dumps({'is_usable': False, 'digest': None, 'counts': {}, 'languages': {},"
    " 'faults': {'count': 1, 'first': ['line 3']}, 'warnings': [{'text': 'few', 'count': 2, 'places': []}]}));"
    "sys.exit(1)"
)


@pytest.fixture
def trainer(database: Database, settings: Settings) -> Iterator[Trainer]:
    working = Trainer(database, settings)
    yield working
    for process in working.processes:
        process.kill()
        process.wait()
        end_session_of(ProcessOf(host=host_name(), pid=process.pid, started=0.0))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of the tests stays as it is, and looks often."""
    monkeypatch.setattr(supervision, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(supervision, "wake", lambda name: True)
    monkeypatch.setattr(os, "nice", lambda increment: 0)
    monkeypatch.delenv("MLQUIZ_PARENT", raising=False)


def python(program: str) -> Sequence[str]:
    import sys

    return [sys.executable, "-c", program]


def worked(trainer: Trainer, program: str, kind: store.RunKind = "GRADER") -> TrainingRun:
    """A run that was worked at by a program until it ended."""
    number = trainer.asks(kind)
    trainer.claims(lane="DATA" if kind in ("EXPORT", "CHECK") else "MODEL")
    supervise(trainer.settings, number, command=python(program))
    return trainer.run(number)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# To its end -------------------------------------------------------------------------------------------------------


def test_progress_and_losses_reach_the_row(trainer: Trainer) -> None:
    run = worked(trainer, TELLS)
    assert (run.done, run.total, run.progress_text) == (3, 3, "step 3")
    assert run.losses == [[1, 1.0], [2, 0.5], [3, 0.333333]]


def test_a_command_that_fails_leaves_its_last_words(trainer: Trainer) -> None:
    run = worked(trainer, "import sys; print('Error: examples.jsonl: line 3: no score.', file=sys.stderr); sys.exit(1)")
    assert (run.status, run.error) == ("FAILED", "examples.jsonl: line 3: no score.")


def test_a_command_that_fails_without_a_word_leaves_its_status(trainer: Trainer) -> None:
    assert worked(trainer, "import sys; sys.exit(3)").error == "The process ended with status 3 and said nothing."


def test_a_command_that_was_killed_is_said_to_be(trainer: Trainer) -> None:
    run = worked(trainer, "import os; os.kill(os.getpid(), 9)")
    assert run.error is not None
    assert "too little memory" in run.error


def test_an_error_that_nobody_foresaw_shows_no_value(trainer: Trainer) -> None:
    run = worked(trainer, f"raise ValueError({STUDENT_TEXT!r})")
    assert run.error is not None
    assert "ValueError" in run.error
    assert STUDENT_TEXT not in run.error


def test_a_check_that_found_faults_is_finished(trainer: Trainer) -> None:
    run = worked(trainer, CHECKED, "CHECK")
    assert (run.status, run.error) == ("FINISHED", None)
    assert run.result["is_usable"] is False
    assert run.result["warnings"] == [{"text": "few", "count": 2}]


def test_a_training_whose_model_is_not_taken_is_finished_and_says_so(trainer: Trainer) -> None:
    run = worked(trainer, "")
    assert (run.status, run.version_digest) == ("FINISHED", None)
    assert run.error is not None
    assert "its model was not taken" in run.error


def test_an_export_that_does_not_say_what_it_wrote_failed(trainer: Trainer) -> None:
    assert worked(trainer, "print('[1]')", "EXPORT").status == "FAILED"


def test_a_run_without_its_dataset_fails_with_a_sentence(trainer: Trainer) -> None:
    number = trainer.asks(dataset_digest="0" * 16)
    trainer.claims()
    supervise(trainer.settings, number)
    run = trainer.run(number)
    assert run.status == "FAILED"
    assert "there is no dataset 0000000000000000" in (run.error or "")


def test_a_run_that_nobody_claimed_is_left_alone(trainer: Trainer) -> None:
    number = trainer.asks()
    supervise(trainer.settings, number, command=python("raise SystemExit(9)"))
    assert trainer.run(number).status == "QUEUED"


def test_only_its_owner_may_look_into_the_folder_of_a_run(trainer: Trainer) -> None:
    run = worked(trainer, TELLS)
    assert Path(run.folder or "").stat().st_mode & 0o077 == 0


def test_a_training_is_told_no_secret_and_no_way_to_the_database(trainer: Trainer) -> None:
    run = worked(
        trainer,
        "import os, sys; found = [n for n in ('DATABASE_URL', 'BROKER_URL', 'SECRET_KEY') if os.environ[n]];"
        "sys.exit(5 if found or 'MLQUIZ_PARENT' in os.environ else 4)",
    )
    assert "status 4" in (run.error or "")


# Cut short --------------------------------------------------------------------------------------------------------


def cut_short(
    trainer: Trainer,
    program: str,
    when_it_runs: Callable[[int], object],
    kind: store.RunKind = "GRADER",
    version: str | None = None,
) -> TrainingRun:
    """Work at a run in this process while another thread does something to it as soon as it tells that it runs."""
    number = trainer.asks(kind, version_digest=version)
    trainer.claims()

    def meddle() -> None:
        trainer.waits_until(lambda: trainer.run(number).total > 0)
        when_it_runs(number)

    thread = threading.Thread(target=meddle)
    thread.start()
    try:
        supervise(trainer.settings, number, command=python(TELLS + program))
    finally:
        thread.join()
    return trainer.run(number)


def test_cancelling_ends_the_command_and_keeps_what_it_has_done(trainer: Trainer) -> None:
    run = cut_short(trainer, FOR_EVER, trainer.cancels)
    assert (run.status, run.error, run.done) == ("CANCELLED", None, 3)


@pytest.mark.parametrize("is_done", [False, True])
def test_a_promotion_that_is_cancelled_too_late_says_what_serves(trainer: Trainer, is_done: bool) -> None:
    with trainer.database.across_tenants() as connection:
        connection.execute(
            "INSERT INTO model_versions (digest, kind, run_folder, created_by) VALUES (%s, 'GRADER', '/run', 'ada')",
            ("a" * 16,),
        )

    def cancel(number: int) -> None:
        if is_done:
            with trainer.database.across_tenants() as connection:
                connection.execute("UPDATE model_versions SET status = 'CURRENT'")
        trainer.cancels(number)

    run = cut_short(trainer, FOR_EVER, cancel, kind="PROMOTION", version="a" * 16)
    assert run.status == "CANCELLED"
    assert ("in charge already" in (run.error or "")) is is_done


@pytest.mark.parametrize("is_done", [True, False])
def test_a_promotion_for_a_course_that_is_cancelled_too_late_says_so(
    trainer: Trainer, course: Course, is_done: bool
) -> None:
    course.author()
    with course.transaction() as connection:
        number = course.context_id(connection)
        connection.execute(
            "INSERT INTO model_versions (digest, kind, run_folder, created_by) VALUES (%s, 'EXPLAINER', '/run', 'ada')",
            ("a" * 16,),
        )
        if is_done:
            connection.execute(
                "INSERT INTO course_explainers (context_id, digest, chosen_by) VALUES (%s, %s, 'ada')",
                (number, "a" * 16),
            )
    run = trainer.run(trainer.asks("PROMOTION", version_digest="a" * 16, settings={"course": number}))
    with trainer.database.across_tenants() as connection:
        outcome = cancelled(connection, run)
    assert ("in charge already" in (outcome.error or "")) is is_done


def test_cancelling_ends_what_the_command_started_too(trainer: Trainer, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    program = (
        "import subprocess, sys, signal\n"
        f"child = subprocess.Popen([sys.executable, '-c', {FOR_EVER!r}])\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\n{FOR_EVER}"
    )

    def cancel(number: int) -> None:
        trainer.waits_until(lambda: note.exists() and note.read_text() != "")
        trainer.cancels(number)

    assert cut_short(trainer, program, cancel).status == "CANCELLED"
    trainer.waits_until(lambda: is_gone(int(note.read_text())))


def test_a_command_that_does_not_listen_is_killed(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "STOP_SECONDS", 0.1)
    deaf = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{FOR_EVER}"
    assert cut_short(trainer, deaf, trainer.cancels).status == "CANCELLED"


def test_being_asked_to_end_is_passed_on_and_said(trainer: Trainer) -> None:
    run = cut_short(trainer, FOR_EVER, lambda number: os.kill(os.getpid(), signal.SIGTERM))
    assert run.status == "FAILED"
    assert "The tool was stopped" in (run.error or "")


def test_what_was_given_up_meanwhile_ends_without_a_word(trainer: Trainer) -> None:
    def give_up(number: int) -> None:
        with trainer.database.across_tenants() as connection:
            store.end_run(connection, number, "FAILED", process=trainer.run(number).process, error="given up")

    assert cut_short(trainer, FOR_EVER, give_up).error == "given up"


def test_it_ends_with_mlquiz_up(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def is_running(self) -> bool:
            return False

    monkeypatch.setattr(supervision, "_supervisor_of_all", Gone)
    number = trainer.asks()
    trainer.claims()
    supervise(trainer.settings, number, command=python(FOR_EVER))
    assert trainer.run(number).status == "FAILED"


def test_a_database_that_is_away_for_a_while_ends_no_training(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats: list[int] = []
    beat = store.beat

    def away_at_first(*values, **named):
        beats.append(1)
        if len(beats) < 3:
            raise DatabaseUnavailable("away")
        return beat(*values, **named)

    monkeypatch.setattr(store, "beat", away_at_first)
    run = cut_short(trainer, FOR_EVER, trainer.cancels)
    assert run.status == "CANCELLED"


def test_the_end_is_written_down_once_the_database_is_back(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []
    end_run = store.end_run

    def away_at_first(*values, **named):
        tries.append(1)
        if len(tries) < 3:
            raise psycopg.OperationalError("away")
        return end_run(*values, **named)

    monkeypatch.setattr(store, "end_run", away_at_first)
    assert worked(trainer, CHECKED, "CHECK").status == "FINISHED"


# Dead processes ---------------------------------------------------------------------------------------------------


def test_a_dead_process_is_noticed_and_its_command_is_ended(trainer: Trainer) -> None:
    number = trainer.asks()
    trainer.claims()
    process = trainer.supervises_elsewhere(number, TELLS + FOR_EVER)
    trainer.waits_until(lambda: trainer.run(number).total > 0)
    (command,) = psutil.Process(process.pid).children()
    tasks.give_up_dead(trainer.database)
    assert trainer.run(number).status == "RUNNING"
    process.send_signal(signal.SIGKILL)
    process.wait()
    tasks.give_up_dead(trainer.database)
    run = trainer.run(number)
    assert run.status == "FAILED"
    assert (run.error or "").startswith("Its process died. Where nobody ended it")
    trainer.waits_until(lambda: is_gone(command.pid))


def test_a_process_that_says_nothing_of_itself_is_given_time(trainer: Trainer) -> None:
    number = trainer.asks()
    trainer.claims()
    tasks.give_up_dead(trainer.database)
    assert trainer.run(number).status == "RUNNING"
    age(trainer, tasks.START_SECONDS + 1)
    tasks.give_up_dead(trainer.database)
    assert "did not start: supervision.log" in (trainer.run(number).error or "")


def test_another_machine_is_believed_until_it_is_silent_for_long(trainer: Trainer) -> None:
    number = trainer.asks()
    trainer.claims("worker-of-elsewhere")
    age(trainer, tasks.SILENCE_SECONDS - 60)
    tasks.give_up_dead(trainer.database)
    assert trainer.run(number).status == "RUNNING"
    age(trainer, tasks.SILENCE_SECONDS + 1)
    tasks.give_up_dead(trainer.database)
    assert "worker-of-elsewhere gave no sign of life" in (trainer.run(number).error or "")


def test_one_that_died_while_it_was_cancelled_is_cancelled(trainer: Trainer) -> None:
    number = trainer.asks()
    trainer.claims()
    with trainer.database.across_tenants() as connection:
        store.take_over(connection, number, ProcessOf(host=host_name(), pid=os.getpid(), started=1.0))
    trainer.cancels(number)
    tasks.give_up_dead(trainer.database)
    assert trainer.run(number).status == "CANCELLED"


def test_a_number_that_another_process_has_by_now_is_no_sign_of_life() -> None:
    me = this_process()
    assert is_alive(me)
    assert not is_alive(ProcessOf(host=me.host, pid=me.pid, started=me.started - 100))


def test_the_session_of_another_process_with_the_number_is_left_alone() -> None:
    me = this_process()
    assert end_session_of(ProcessOf(host=me.host, pid=me.pid, started=me.started - 100)) == 0


def age(trainer: Trainer, seconds: int) -> None:
    with trainer.database.across_tenants() as connection:
        connection.execute("UPDATE training_runs SET heartbeat_at = now() - make_interval(secs => %s)", (seconds,))


# The task ---------------------------------------------------------------------------------------------------------


def test_the_task_starts_what_waits_and_returns_at_once(trainer: Trainer) -> None:
    digest = make_dataset(trainer.settings)
    number = trainer.asks("CHECK", dataset_digest=digest)
    tasks.tend(trainer.database, trainer.settings)
    tasks.tend(trainer.database, trainer.settings)  # a broker may give the task twice
    run = trainer.waits_for_end(number)
    assert (run.status, run.error) == ("FINISHED", None)
    assert run.result["counts"] == {"questions": 10, "examples": 20, "confirmed": 20}
    assert STUDENT_TEXT not in str(run.result)
    trainer.waits_until(lambda: not [each for each in tasks._started if each.poll() is None])


def test_a_process_that_cannot_be_started_is_said_to_be(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.sys, "executable", "/nowhere/python")
    number = trainer.asks()
    tasks.tend(trainer.database, trainer.settings)
    assert "could not be started" in (trainer.run(number).error or "")


def test_the_task_has_a_queue_and_a_clock_of_its_own(trainer: Trainer) -> None:
    worker.configure(trainer.settings)
    conf = worker.celery.conf
    assert conf.task_routes[worker.TEND_RUNS] == {"queue": "train"}
    assert conf.beat_schedule["tend-runs"]["task"] == worker.TEND_RUNS == tasks.tend_runs.name
    assert conf.beat_schedule["tend-runs"]["schedule"] == trainer.settings.sweep_seconds
    assert "train" in worker.QUEUES
