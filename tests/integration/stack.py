"""The whole tool with the practice LMS, real servers and workers, for the tests of the main job."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from config import Settings, load_settings
from lti_tool.db import Database
from lti_tool.demo import quiz_in_course, start_practice_lms
from lti_tool.demo.practice import Activity, DemoRow, PracticeLms, differences, list_demo_rows
from lti_tool.demo.script import QUIZ_TITLE, STUDENTS, Student
from lti_tool.demo.visitor import Visitor
from lti_tool.supervisor import Supervisor, running_tool

PATIENCE_SECONDS = 180.0


@dataclass(kw_only=True)
class Stack:
    """A running tool, a running practice LMS, a quiz in its course."""

    settings: Settings
    supervisor: Supervisor
    lms: PracticeLms
    database: Database
    activity: Activity
    subs: dict[str, str] = field(default_factory=dict)

    def answers(self, student: Student) -> None:
        """A student launches, answers all questions and hands in."""
        visitor = Visitor(lms_url=self.lms.url, slug=student.slug)
        visitor.launches(self.activity.id)
        visitor.submits("/attempts")
        visitor.submits("/answers", dict(zip(visitor.fields("answer-"), student.answers, strict=True)))
        visitor.submits("/hand-in")
        assert "/result" in visitor.url

    def rows(self) -> list[DemoRow]:
        with self.database.across_tenants() as connection:
            return list_demo_rows(connection, self.lms.url, QUIZ_TITLE)

    def count(self, table_and_condition: str) -> int:
        with self.database.across_tenants() as connection:
            row = connection.execute(f"SELECT count(*) FROM {table_and_condition}").fetchone()  # pyright: ignore
        assert row is not None
        return row[0]

    def waits_until_delivered(self, students: tuple[Student, ...] = STUDENTS) -> None:
        """Until every student's score is in the gradebook."""
        users = [self.subs[student.slug] for student in students]
        wait_for(
            lambda: {row.user_sub for row in self.rows() if row.delivery_status == "DELIVERED"} >= set(users),
            "every score to be delivered",
        )
        assert differences(self.rows(), self.lms.gradebook(QUIZ_TITLE), users) == []

    def process(self, name: str) -> psutil.Process:
        child = next(child for child in self.supervisor.children if child.name == name)
        assert child.process is not None
        return psutil.Process(child.process.pid)


@contextmanager
def running_stack(folder: Path, **changes: object) -> Iterator[Stack]:
    """Everything started on free ports in ``folder``; everything stopped at the end of the block."""
    ports = free_ports(2) if not changes.get("web_port") else ()
    values: dict[str, object] = {"data_dir": folder, "explainer": "template", "sweep_seconds": 2}
    if ports:
        values |= {"web_port": ports[0], "practice_lms_port": ports[1]}
    settings = load_settings(**(values | changes))
    with running_tool(settings) as supervisor:
        lms = start_practice_lms(settings, supervisor)
        database = Database(supervisor.servers.database)
        try:
            lms.register(settings, database)
            activity = quiz_in_course(lms)
            yield Stack(
                settings=settings,
                supervisor=supervisor,
                lms=lms,
                database=database,
                activity=activity,
                subs=lms.user_subs(),
            )
        finally:
            database.close()


@contextmanager
def short_folder(models_path: Path) -> Iterator[Path]:
    """An empty data folder that shares the unpacked models."""
    with tempfile.TemporaryDirectory(prefix="mlquiz-stack-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        models_path.mkdir(parents=True, exist_ok=True)
        (folder / "models").symlink_to(models_path, target_is_directory=True)
        yield folder


def wait_for(ready: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until ``ready()``; fail with what was waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ready():
            return
        time.sleep(0.2)
    raise AssertionError(f"waited {seconds:.0f} s for {what}")


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody uses at this moment."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes that name the folder in command line or environment."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            words = [*process.cmdline(), *process.environ().values()]
            if process.status() != psutil.STATUS_ZOMBIE and any(str(folder) in word for word in words):
                found.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
