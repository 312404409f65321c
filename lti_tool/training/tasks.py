"""The task that starts what waits and finds what died: quick, safe to run twice, woken by pages and by a clock.

A run's process belongs to no task and to no worker: it is a session of its own, which a new worker leaves alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import structlog

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.training import store
from lti_tool.training.log_tail import last_words
from lti_tool.training.processes import end_session_of, host_name, is_alive
from lti_tool.training.runs import LOG, runs_folder
from lti_tool.training.store import TrainingRun
from lti_tool.worker import TEND_RUNS, celery, workbench

START_SECONDS = 60
"""So long a process may take from being started to saying its number."""
SILENCE_SECONDS = 300
"""A process of another machine that gave no sign of life for so long is dead, or cut off."""

_log = structlog.get_logger(__name__)
#: Processes that this one started, to be waited for when they end.
_started: list[subprocess.Popen[bytes]] = []


@celery.task(name=TEND_RUNS)
def tend_runs() -> None:
    """Give up what died on this machine, and start what waits."""
    bench = workbench()
    tend(bench.database, bench.settings)


def tend(database: Database, settings: Settings) -> None:
    """What :func:`tend_runs` does."""
    _started[:] = [each for each in _started if each.poll() is None]
    give_up_dead(database)
    for lane in store.LANES:
        with database.across_tenants() as connection:
            run = store.claim_run(connection, lane, host=host_name(), folders=str(runs_folder(settings)))
        if run is not None:
            _start(database, settings, run)


def give_up_dead(database: Database) -> None:
    """Mark as FAILED what no process works at any more; whatever such a process left running is ended first."""
    here = host_name()
    with database.across_tenants() as connection:
        candidates = store.list_running(connection, here)
        quiet = {each.id for each in store.list_silent(connection, seconds=START_SECONDS)}
        candidates += [each for each in store.list_silent(connection, seconds=SILENCE_SECONDS) if each.host != here]
    for run in candidates:
        if run.host != here:
            minutes = SILENCE_SECONDS // 60
            _give_up(database, run, f"Its machine {run.host} gave no sign of life for {minutes} minutes: is it on?")
        elif run.process is None:
            if run.id in quiet:
                _give_up(
                    database, run, "Its process did not start: supervision.log in the folder of the run may say why."
                )
        elif not is_alive(run.process):
            end_session_of(run.process)
            _give_up(database, run, "Its process died. Where nobody ended it, the machine had too little memory.")


def _give_up(database: Database, run: TrainingRun, why: str) -> None:
    said = last_words(Path(run.folder or "") / LOG) if run.host == host_name() else ""
    error = f"{why} {said}".strip()
    with database.across_tenants() as connection:
        status = "CANCELLED" if run.is_cancelling else "FAILED"
        if store.end_run(connection, run.id, status, process=run.process, error=error):
            _log.warning("a run was given up", run=run.id, why=why)


def _start(database: Database, settings: Settings, run: TrainingRun) -> None:
    """Start the process that stays beside the run. Its own words, which are few, go to a log in the run's folder."""
    folder = Path(run.folder or "")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (folder / "supervision.log").open("ab") as log:
            _started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "lti_tool.training", str(run.id)],
                    env={**os.environ, **settings.as_environment(), "DATABASE_OWNER_URL": ""},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )
    except OSError as error:
        with database.across_tenants() as connection:
            store.end_run(connection, run.id, "FAILED", process=None, error=f"It could not be started: {error}")
