"""``python -m lti_tool.training RUN``: stays beside the command of a run from its start to its end.

::

    take over ─▶ start the command ─▶ every second: progress, sign of life ─▶ end: result or error in the row
                                         ├─ CANCEL: end the command, keep its checkpoint
                                         ├─ END: another was told to go on, say nothing more
                                         └─ mlquiz up is gone: end the command, "Go on" is offered after the next start

The command runs in a process group of its own inside this session, so that all that it starts can be ended by number.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO, Literal, TypeVar

import psutil
import psycopg
import structlog

from config.settings import Settings
from finetune.progress_file import VARIABLE
from lti_tool.db import Database
from lti_tool.errors import DatabaseUnavailable, ToolError
from lti_tool.supervisor import PARENT_VARIABLE
from lti_tool.training import store
from lti_tool.training.outcomes import Outcome, cancelled, exported_before, outcome_of
from lti_tool.training.processes import this_process
from lti_tool.training.progress import ProgressReader
from lti_tool.training.runs import ANSWER, LOG, PROGRESS, command_of, environment_of
from lti_tool.training.store import ProcessOf, Progress, TrainingRun
from lti_tool.worker import TEND_RUNS, wake

BEAT_SECONDS = 1.0
STOP_SECONDS = 15.0
"""A training that is asked to end finishes its step; then it is killed, which harms no checkpoint."""
PATIENCE_SECONDS = 600.0
"""So long a finished run waits for a database that is away, to say so."""
NICENESS = 10

_log = structlog.get_logger(__name__)

T = TypeVar("T")
Reason = Literal["CANCEL", "END", "STOPPED", "ORPHANED"]


@dataclass(slots=True)
class _Stop:
    """Set by a signal."""

    is_asked: bool = False


def supervise(settings: Settings, number: int, *, command: Sequence[str] | None = None) -> None:
    """Work at run ``number`` until it ends. Nothing happens where another process does already.

    ``command`` takes the place of the run's own, for tests.
    """
    os.nice(NICENESS)
    me = this_process()
    database = Database(settings.database_url.get_secret_value(), max_connections=1)
    try:
        with _asked_by_signal() as stop:
            with database.across_tenants() as connection:
                run = store.take_over(connection, number, me)
            if run is None:
                _log.info("the run has its process, or was given up", run=number)
                return
            _Supervision(settings=settings, database=database, run=run, me=me, stop=stop).work(command)
    finally:
        database.close()
    # The next one need not wait for the sweep.
    wake(TEND_RUNS)


@dataclass(slots=True, kw_only=True)
class _Supervision:
    """One run with its process."""

    settings: Settings
    database: Database
    run: TrainingRun
    me: ProcessOf
    stop: _Stop

    @property
    def folder(self) -> Path:
        return Path(self.run.folder or "")

    def work(self, command: Sequence[str] | None) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            outcome = self._done_before() or self._outcome(command or command_of(self.run, self.settings))
        except (ToolError, OSError) as error:
            outcome = Outcome(status="FAILED", error=str(error))
        if outcome is not None:
            self._with_patience(lambda connection: self._end(connection, outcome))

    def _done_before(self) -> Outcome | None:
        """An export that goes on may be in place already."""
        if self.run.kind != "EXPORT":
            return None
        return self._with_patience(lambda connection: exported_before(connection, self.settings, self.run))

    def _outcome(self, command: Sequence[str]) -> Outcome | None:
        """Run the command and say how it ended; ``None`` where nothing is to be written down."""
        reader = ProgressReader(self.folder / PROGRESS, self.run.losses)
        (self.folder / PROGRESS).unlink(missing_ok=True)
        with (self.folder / ANSWER).open("wb") as answer, (self.folder / LOG).open("wb") as log:
            process = self._start(command, answer, log)
            reason = self._watch(process, reader)
            _end_group(process)
        self._beat(reader.read())
        match reason:
            case "END":
                return None
            case "CANCEL":
                return self._with_patience(lambda connection: cancelled(connection, self.run))
            case "STOPPED" | "ORPHANED":
                return Outcome(status="FAILED", error="The tool was stopped meanwhile. What was done so far is kept.")
            case None:
                return self._with_patience(lambda connection: self._look_at(connection, process.returncode))

    def _start(self, command: Sequence[str], answer: BinaryIO, log: BinaryIO) -> subprocess.Popen[bytes]:
        environment = {**environment_of(self.run, self.settings), VARIABLE: str(self.folder / PROGRESS)}
        environment.pop(PARENT_VARIABLE, None)
        _log.info("a run begins", run=self.run.id, kind=self.run.kind)
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=answer, stderr=log, process_group=0
        )

    def _watch(self, process: subprocess.Popen[bytes], reader: ProgressReader) -> Reason | None:
        """Stay until the command has ended, or there is a reason to end it."""
        parent = _supervisor_of_all()
        while True:
            try:
                process.wait(BEAT_SECONDS)
                return None
            except subprocess.TimeoutExpired:
                pass
            said = self._beat(reader.read())
            if said != "GO":
                return said
            if self.stop.is_asked:
                return "STOPPED"
            if parent is not None and not parent.is_running():
                self.stop.is_asked = True  # its database goes away too: nobody waits for that
                return "ORPHANED"

    def _beat(self, progress: Progress) -> Literal["GO", "CANCEL", "END"]:
        """A database that is away for a while ends no training."""
        try:
            with self.database.across_tenants() as connection:
                return store.beat(connection, self.run.id, self.me, progress)
        except (DatabaseUnavailable, psycopg.Error) as error:
            _log.warning("no sign of life could be given", run=self.run.id, error=str(error))
            return "GO"

    def _look_at(self, connection: psycopg.Connection, code: int) -> Outcome:
        return outcome_of(
            connection, self.settings, self.run, code=code, answer=self.folder / ANSWER, log=self.folder / LOG
        )

    def _end(self, connection: psycopg.Connection, outcome: Outcome) -> None:
        store.end_run(
            connection,
            self.run.id,
            outcome.status,
            process=self.me,
            result=outcome.result,
            error=outcome.error,
            dataset_digest=outcome.dataset_digest,
            version_digest=outcome.version_digest,
        )
        _log.info("a run ended", run=self.run.id, status=outcome.status)

    def _with_patience(self, work: Callable[[psycopg.Connection], T]) -> T:
        """Do this in a transaction, again and again while the database is away."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with self.database.across_tenants() as connection:
                    return work(connection)
            except (DatabaseUnavailable, psycopg.OperationalError):
                if time.monotonic() > deadline or self.stop.is_asked:
                    raise
                time.sleep(BEAT_SECONDS)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Ask the command and all that it started to end, and kill what does not."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _supervisor_of_all() -> psutil.Process | None:
    """``mlquiz up``, where it runs: whatever it started ends with it."""
    number = os.environ.get(PARENT_VARIABLE)
    try:
        return psutil.Process(int(number)) if number else None
    except (psutil.Error, ValueError):
        return None


@contextmanager
def _asked_by_signal() -> Iterator[_Stop]:
    """SIGTERM and SIGINT are noted, and looked at once a second."""
    stop = _Stop()

    def note(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.is_asked = True

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
