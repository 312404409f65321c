"""Datasets, runs and processes for tests of trainings: real rows, real processes, a command of the test's own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.training import store
from lti_tool.training.datasets import datasets_folder
from lti_tool.training.processes import host_name
from lti_tool.training.runs import runs_folder
from lti_tool.training.store import RunKind, TrainingRun
from tests.finetune.dataset_data import make_example, make_question, write

BY = "an administrator"
STUDENT_TEXT = "what a student wrote"
LONGEST_SECONDS = 120.0


def make_dataset(settings: Settings, name: str = "spring", *, questions: int = 10) -> str:
    """A dataset below ``DATA_DIR/datasets`` with two scored answers a question; its digest."""
    asked = [make_question(number) for number in range(1, questions + 1)]
    examples = [
        make_example(
            2 * number + place,
            question=f"q{number}",
            answer=("it moves weights", STUDENT_TEXT)[place],
            score=float(1 - place),
        )
        for number in range(1, questions + 1)
        for place in (0, 1)
    ]
    return write(datasets_folder(settings) / name, examples, asked).digest


@dataclass
class Trainer:
    """Somebody who asks for runs, and looks what becomes of them."""

    database: Database
    settings: Settings
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def asks(self, kind: RunKind = "GRADER", **values: Any) -> int:
        with self.database.across_tenants() as connection:
            return store.add_run(connection, kind, by=BY, **values)

    def run(self, number: int) -> TrainingRun:
        with self.database.across_tenants() as connection:
            return store.get_run(connection, number)

    def claims(self, host: str | None = None, lane: store.Lane = "MODEL") -> TrainingRun | None:
        with self.database.across_tenants() as connection:
            return store.claim_run(connection, lane, host=host or host_name(), folders=str(runs_folder(self.settings)))

    def cancels(self, number: int) -> None:
        with self.database.across_tenants() as connection:
            store.ask_to_cancel(connection, number)

    def supervises_elsewhere(self, number: int, program: str) -> subprocess.Popen[bytes]:
        """Supervise a claimed run in a session of its own, with a Python program as its command."""
        code = (
            "import sys; from config.settings import load_settings; from lti_tool import worker;"
            "from lti_tool.training.supervision import supervise; settings = load_settings();"
            "worker.configure(settings);"
            f"supervise(settings, {number}, command=[sys.executable, '-c', {program!r}])"
        )
        environment = {**environment_for(self.settings), "MLQUIZ_PARENT": ""}
        process = subprocess.Popen([sys.executable, "-c", code], env=environment, start_new_session=True)
        self.processes.append(process)
        return process

    def waits_until(self, is_so: Callable[[], bool]) -> None:
        """Look again and again, without a sleep of this test's own."""
        waiter = psutil.Process()
        for _ in range(int(LONGEST_SECONDS / 0.05)):
            if is_so():
                return
            waiter.cpu_percent(interval=0.05)
        raise AssertionError("it did not come to that")

    def waits_for_end(self, number: int) -> TrainingRun:
        self.waits_until(lambda: self.run(number).is_over)
        return self.run(number)


def environment_for(settings: Settings) -> dict[str, str]:
    """What a process of the tool finds around it, as :mod:`lti_tool.training.tasks` gives it."""
    import os

    root = str(Path(__file__).parent.parent)
    return {**os.environ, "PYTHONPATH": root, **settings.as_environment()}
