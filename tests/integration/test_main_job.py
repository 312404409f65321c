"""The main job with everything real: servers, workers, encoder, practice LMS; and with things killed on the way."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from config import load_settings
from lti_tool.demo.practice import PracticeLms
from lti_tool.demo.script import QUIZ_TITLE, STUDENTS
from lti_tool.embedded import embedded_servers
from lti_tool.embedded.postgres import EmbeddedPostgres
from lti_tool.embedded.valkey import EmbeddedValkey
from tests.integration.stack import (
    Stack,
    free_ports,
    processes_of,
    running_stack,
    short_folder,
    wait_for,
)

pytestmark = [pytest.mark.stack, pytest.mark.model, pytest.mark.timeout(600)]


def demo_environment(folder: Path, **changes: str) -> dict[str, str]:
    web_port, lms_port = free_ports(2)
    return {
        **os.environ,
        "DATA_DIR": str(folder),
        "WEB_PORT": str(web_port),
        "PRACTICE_LMS_PORT": str(lms_port),
        "HF_HUB_OFFLINE": "1",
        **changes,
    }


def test_the_demo_ends_with_a_gradebook_equal_to_the_database_and_nothing_running(models_path: Path) -> None:
    with short_folder(models_path) as folder:
        command = [sys.executable, "-m", "lti_tool", "demo", "--once"]
        done = subprocess.run(
            command, env=demo_environment(folder), capture_output=True, text=True, timeout=580, check=False
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        assert "the gradebook equals the database" in done.stdout
        for student in STUDENTS:
            assert student.style in done.stdout
        scores = [float(score) for score in re.findall(r"│\s+([\d.]+) / 6 │", done.stdout)]
        full, half, short, wrong = scores
        assert full > half > wrong, scores
        assert short > half, scores
        assert processes_of(folder) == []


def test_answers_survive_the_death_of_every_process(models_path: Path) -> None:
    with short_folder(models_path) as folder:
        with running_stack(folder) as stack:
            kept = stack.settings
            wait_for_workers(stack)
            postgres, valkey = stack.supervisor.servers.owned
            first, second, third, fourth = STUDENTS
            stack.answers(first)
            kill_family(stack.process("worker-grade"))
            kill_family(stack.process("worker-deliver"))
            kill_family(stack.process("worker-explain"))
            kill_server(valkey)
            # The broker is away at this moment: the answers are received all the same.
            stack.answers(second)
            kill_server(postgres)
            kill_family(stack.process("web"))
            wait_for(lambda: web_answers(stack), "web server and database to come back")
            stack.answers(third)
            stack.waits_until_delivered(STUDENTS[:3])
            for worker in ("worker-grade", "worker-deliver"):
                kill_family(stack.process(worker))
            stack.answers(fourth)
        # Everything was stopped with the fourth student's answers received; the next start goes on with them.
        assert processes_of(folder) == []
        ports = {"web_port": kept.web_port, "practice_lms_port": kept.practice_lms_port}
        with running_stack(folder, **ports) as stack:
            stack.waits_until_delivered()
            assert_each_answer_was_graded_once(stack)
            assert_each_score_was_posted_once(stack)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_that_up_started(models_path: Path, number: int) -> None:
    with short_folder(models_path) as folder, tool_that_is_up(folder) as tool:
        assert len(processes_of(folder)) >= 5
        tool.send_signal(number)
        assert tool.wait(60) == 0
        assert processes_of(folder) == []


def test_a_killed_supervisor_takes_its_children_along_and_the_next_start_adopts_the_servers(models_path: Path) -> None:
    with short_folder(models_path) as folder:
        with tool_that_is_up(folder) as tool:
            tool.kill()
            tool.wait()
        wait_for(lambda: not any("lti_tool" in line for line in processes_of(folder)), "the children to end", 60)
        assert processes_of(folder), "the servers should still be there"
        with embedded_servers(load_settings(data_dir=folder)):
            pass
        wait_for(lambda: processes_of(folder) == [], "the adopted servers to stop", 30)


# Helpers -----------------------------------------------------------------------------------------------------------


@contextmanager
def tool_that_is_up(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``mlquiz up`` in a process of its own, after it said that it is ready."""
    environment = demo_environment(folder, EXPLAINER="template")
    command = [sys.executable, "-m", "lti_tool", "up"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as tool:
        try:
            assert tool.stdout is not None
            said = []
            for line in tool.stdout:
                said.append(line)
                if b"ready" in line:
                    break
            assert said, "it said nothing"
            assert b"ready" in said[-1], b"".join(said)
            yield tool
        finally:
            tool.kill()


def kill_server(server: EmbeddedPostgres | EmbeddedValkey) -> None:
    pid = server._running_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def wait_for_workers(stack: Stack) -> None:
    """Until the models are loaded: what is killed shall be at work, not starting."""
    logs = stack.settings.data_path / "logs"
    for queue in ("grade", "explain"):
        wait_for(
            lambda queue=queue: "worker process ready" in (logs / f"worker-{queue}.log").read_text(errors="replace"),
            f"the {queue} worker",
        )


def kill_family(process: psutil.Process) -> None:
    family = [process, *process.children(recursive=True)]
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue


def web_answers(stack: Stack) -> bool:
    import requests

    try:
        return requests.get(f"{stack.settings.base_url}/health/ready", timeout=2).ok
    except requests.RequestException:
        return False


def assert_each_answer_was_graded_once(stack: Stack) -> None:
    answers = stack.count("submissions WHERE status = 'GRADED'")
    assert stack.count("submissions WHERE status IN ('RECEIVED', 'STUCK')") == 0
    assert stack.count("grades") == answers
    assert stack.count("attempts WHERE status = 'SUBMITTED'") == 0


def assert_each_score_was_posted_once(stack: Stack) -> None:
    lms: PracticeLms = stack.lms
    assert {entry.name: entry.posts for entry in lms.gradebook(QUIZ_TITLE) if entry.posts != 1} == {}
