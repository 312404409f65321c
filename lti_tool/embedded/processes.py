"""Starting, watching and ending the process of an embedded server."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lti_tool.errors import EmbeddedServerFailed

START_SECONDS = 60.0
STOP_SECONDS = 30.0


def start_server(command: Sequence[str], *, log: Path, account: int | None = None, group: int | None = None) -> int:
    """Start a server in a session of its own (a Ctrl-C at the terminal must not reach it) and return its pid."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
            user=account,
            group=group,
            extra_groups=None if account is None else [],
        )
    # The servers are ended by pid, adopted ones too; nobody waits on this object.
    process.returncode = 0
    return process.pid


def wait_until(ready: Callable[[], bool], *, name: str, log: Path, pid: int | None = None) -> None:
    """Wait until ``ready()``; :class:`EmbeddedServerFailed` with the end of the log when it does not come."""
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if (pid is not None and not is_alive(pid)) or time.monotonic() > deadline:
            raise EmbeddedServerFailed(f"{name} did not start. The end of {log}:\n{end_of(log)}")
        time.sleep(0.03)


def stop_server(pid: int, *, first: signal.Signals, then: signal.Signals) -> None:
    """End a server by ``first``, after 30 seconds by ``then``; returns when it is gone."""
    for number in (first, then):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if not is_alive(pid):
                return
            time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie child of ours is collected and counts as gone."""
    try:
        finished, _ = os.waitpid(pid, os.WNOHANG)
        if finished == pid:
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def end_of(log: Path, lines: int = 8) -> str:
    """The last lines of a log, or a note that there is none."""
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"
