"""Runs as rows: what was asked for, which process works at it, how far it is, what came of it.

::

    QUEUED ──claim_run──▶ RUNNING ──end_run──▶ FINISHED | FAILED | CANCELLED
      ▲                                            │
      └──────────────── queue_again ◀──────────────┘   ("Go on")

Of no tenant. Whoever writes for a running run names its process: one that was given up for dead writes nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, LiteralString

import psycopg
from psycopg import Connection
from psycopg.types.json import Jsonb

from lti_tool.db import fetch_all, fetch_one, fetch_value
from lti_tool.training.errors import RunBusy, RunUnknown

RunKind = Literal["GRADER", "EXPLAINER", "EXPORT", "CHECK", "PROMOTION"]
RunStatus = Literal["QUEUED", "RUNNING", "FINISHED", "FAILED", "CANCELLED"]
Lane = Literal["MODEL", "DATA"]
LANES: tuple[Lane, ...] = ("MODEL", "DATA")
"""What loads a model runs alone on its machine; exports and checks run beside it, one at a time too."""

LONGEST_ERROR = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOf:
    """Which process works at a run; ``started`` in seconds since 1970, for numbers of processes are used again."""

    host: str
    pid: int
    started: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is. ``losses`` are pairs of step and loss; ``total`` 0: nobody can tell."""

    done: int = 0
    total: int = 0
    text: str = ""
    losses: Sequence[tuple[int, float]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """A run as it stands."""

    id: int
    kind: RunKind
    status: RunStatus
    settings: dict[str, Any]
    dataset_digest: str | None
    version_digest: str | None
    created_by: str
    created_at: datetime
    host: str | None
    pid: int | None
    process_started: float | None
    folder: str | None
    started_at: datetime | None
    finished_at: datetime | None
    is_cancelling: bool
    done: int
    total: int
    progress_text: str
    losses: list[list[float]]
    result: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing works at it and nothing waits to."""
        return self.status in ("FINISHED", "FAILED", "CANCELLED")

    @property
    def process(self) -> ProcessOf | None:
        """The process that was said to work at it."""
        if self.host is None or self.pid is None or self.process_started is None:
            return None
        return ProcessOf(host=self.host, pid=self.pid, started=self.process_started)


_RUNS: LiteralString = """
    SELECT id, kind, status, settings, dataset_digest, version_digest, created_by, created_at, host, pid,
        process_started, folder, started_at, finished_at, cancel_asked_at IS NOT NULL AS is_cancelling, done, total,
        progress_text, losses, result, error
    FROM training_runs
"""


# What the pages ask ------------------------------------------------------------------------------------------------


def add_run(
    connection: Connection,
    kind: RunKind,
    *,
    by: str,
    settings: Mapping[str, Any] | None = None,
    dataset_digest: str | None = None,
    version_digest: str | None = None,
) -> int:
    """Ask for a run; its number. A worker of the queue ``train`` takes it."""
    number = fetch_value(
        connection,
        "INSERT INTO training_runs (kind, settings, dataset_digest, version_digest, created_by)"
        " VALUES (%s, %s, %s, %s, %s) RETURNING id",
        kind,
        Jsonb(dict(settings or {})),
        dataset_digest,
        version_digest,
        by,
    )
    assert isinstance(number, int)
    return number


def get_run(connection: Connection, number: int) -> TrainingRun:
    """The run with this number. Raises :class:`RunUnknown`."""
    found = fetch_one(connection, TrainingRun, _RUNS + " WHERE id = %s::numeric", number)
    if found is None:
        raise RunUnknown(f"there is no run {number}")
    return found


def list_runs(connection: Connection, kinds: Sequence[RunKind], *, limit: int = 50) -> list[TrainingRun]:
    """The newest runs of these kinds."""
    return fetch_all(
        connection, TrainingRun, _RUNS + " WHERE kind = ANY(%s) ORDER BY id DESC LIMIT %s", list(kinds), limit
    )


def list_runs_of_dataset(connection: Connection, digest: str, *, limit: int = 20) -> list[TrainingRun]:
    """The newest runs that a dataset was written, checked, learnt from or judged by in."""
    return fetch_all(
        connection, TrainingRun, _RUNS + " WHERE dataset_digest = %s ORDER BY id DESC LIMIT %s", digest, limit
    )


def list_runs_of_version(connection: Connection, digest: str, *, limit: int = 20) -> list[TrainingRun]:
    """The newest runs that made a model, or were to put it in charge."""
    return fetch_all(
        connection, TrainingRun, _RUNS + " WHERE version_digest = %s ORDER BY id DESC LIMIT %s", digest, limit
    )


def find_waiting_like(
    connection: Connection,
    kind: RunKind,
    *,
    dataset_digest: str | None,
    version_digest: str | None,
    settings: Mapping[str, Any] | None = None,
) -> int | None:
    """The number of a run of this kind with the same dataset, version and settings that waits or runs.

    Once is enough; but whoever gives a reason asks for something else than a judging.
    """
    number = fetch_value(
        connection,
        "SELECT id FROM training_runs WHERE kind = %s AND status IN ('QUEUED', 'RUNNING')"
        " AND dataset_digest IS NOT DISTINCT FROM %s AND version_digest IS NOT DISTINCT FROM %s AND settings = %s"
        " ORDER BY id DESC LIMIT 1",
        kind,
        dataset_digest,
        version_digest,
        Jsonb(dict(settings or {})),
    )
    assert number is None or isinstance(number, int)
    return number


def queue_again(connection: Connection, number: int) -> None:
    """Let a run that failed or was cancelled go on where it stopped. Raises :class:`RunBusy`, :class:`RunUnknown`."""
    changed = connection.execute(
        "UPDATE training_runs SET status = 'QUEUED', queued_at = now(), cancel_asked_at = NULL, finished_at = NULL,"
        " error = NULL, result = '{}' WHERE id = %s::numeric AND status IN ('FAILED', 'CANCELLED')",
        (number,),
    )
    if changed.rowcount != 1:
        raise RunBusy(f"run {number} is {get_run(connection, number).status}: there is nothing to go on with")


def ask_to_cancel(connection: Connection, number: int) -> None:
    """End a run: at once where it waits, within seconds where it runs. Raises :class:`RunBusy`, :class:`RunUnknown`."""
    changed = connection.execute(
        "UPDATE training_runs SET cancel_asked_at = now(),"
        " status = CASE WHEN status = 'QUEUED' THEN 'CANCELLED' ELSE status END,"
        " finished_at = CASE WHEN status = 'QUEUED' THEN now() END"
        " WHERE id = %s::numeric AND status IN ('QUEUED', 'RUNNING')",
        (number,),
    )
    if changed.rowcount != 1:
        raise RunBusy(f"run {number} is {get_run(connection, number).status}: there is nothing to cancel")


# What the workers do -----------------------------------------------------------------------------------------------


def claim_run(connection: Connection, lane: Lane, *, host: str, folders: str) -> TrainingRun | None:
    """Take the run that waits longest for this machine; ``None`` where none waits or one of the lane runs here.

    ``folders`` is where the folder of each run lies.
    """
    try:
        with connection.transaction():
            number = fetch_value(
                connection,
                """
                UPDATE training_runs SET status = 'RUNNING', host = %s, pid = NULL, process_started = NULL,
                    folder = %s || '/' || id, started_at = now(), heartbeat_at = now()
                WHERE id = (
                    SELECT id FROM training_runs WHERE status = 'QUEUED' AND lane = %s
                    ORDER BY queued_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
                ) AND NOT EXISTS (
                    SELECT 1 FROM training_runs WHERE status = 'RUNNING' AND host = %s AND lane = %s
                )
                RETURNING id
                """,
                *(host, folders, lane, host, lane),
            )
    except psycopg.errors.UniqueViolation:  # a second worker of this machine was quicker
        return None
    return get_run(connection, number) if isinstance(number, int) else None


def take_over(connection: Connection, number: int, process: ProcessOf) -> TrainingRun | None:
    """Write down which process works at a run that was claimed; ``None`` where another does, or it was given up."""
    changed = connection.execute(
        "UPDATE training_runs SET pid = %s, process_started = %s, heartbeat_at = now()"
        " WHERE id = %s AND status = 'RUNNING' AND host = %s AND pid IS NULL",
        (process.pid, process.started, number, process.host),
    )
    return get_run(connection, number) if changed.rowcount == 1 else None


def beat(connection: Connection, number: int, process: ProcessOf, progress: Progress) -> Literal["GO", "CANCEL", "END"]:
    """A sign of life with how far it is; ``CANCEL`` where somebody asked for that, ``END`` where it was given up."""
    found = fetch_value(
        connection,
        "UPDATE training_runs SET heartbeat_at = now(), done = %s, total = %s, progress_text = %s, losses = %s"
        " WHERE id = %s AND status = 'RUNNING' AND host = %s AND pid = %s RETURNING cancel_asked_at IS NOT NULL",
        *(progress.done, progress.total, progress.text[:200], Jsonb([list(each) for each in progress.losses])),
        *(number, process.host, process.pid),
    )
    return "END" if found is None else "CANCEL" if found else "GO"


def end_run(
    connection: Connection,
    number: int,
    status: Literal["FINISHED", "FAILED", "CANCELLED"],
    *,
    process: ProcessOf | None,
    result: Mapping[str, Any] | None = None,
    error: str | None = None,
    dataset_digest: str | None = None,
    version_digest: str | None = None,
) -> bool:
    """Write down what came of a run; ``False`` where it is not this process's any more, which changes nothing."""
    changed = connection.execute(
        "UPDATE training_runs SET status = %s, finished_at = now(), result = %s, error = %s,"
        " dataset_digest = coalesce(%s, dataset_digest), version_digest = coalesce(%s, version_digest)"
        " WHERE id = %s AND status = 'RUNNING' AND pid IS NOT DISTINCT FROM %s",
        (
            *(status, Jsonb(dict(result or {})), error[-LONGEST_ERROR:] if error else None),
            *(dataset_digest, version_digest, number, process.pid if process else None),
        ),
    )
    return changed.rowcount == 1


def list_running(connection: Connection, host: str) -> list[TrainingRun]:
    """What is said to run on this machine."""
    return fetch_all(connection, TrainingRun, _RUNS + " WHERE status = 'RUNNING' AND host = %s ORDER BY id", host)


def list_silent(connection: Connection, *, seconds: int) -> list[TrainingRun]:
    """What is said to run, anywhere, and has given no sign of life for so long."""
    return fetch_all(
        connection,
        TrainingRun,
        _RUNS + " WHERE status = 'RUNNING' AND heartbeat_at < now() - make_interval(secs => %s) ORDER BY id",
        seconds,
    )


# What may be exported ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCourse:
    """A course whose answers may be used, as far as its students agree."""

    id: int
    title: str
    platform: str


def list_open_courses(connection: Connection) -> list[OpenCourse]:
    """Courses that allow it; for a transaction across tenants."""
    return fetch_all(
        connection,
        OpenCourse,
        "SELECT contexts.id, contexts.title, registrations.name AS platform FROM contexts"
        " JOIN registrations ON registrations.id = contexts.registration_id"
        " WHERE contexts.answer_use <> 'NO' ORDER BY platform, title, contexts.id",
    )
