"""Whether the process of a run lives, and ending it with all that it started, by numbers that are surely its own."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress

import psutil

from lti_tool.training.store import ProcessOf

_SAME_START_SECONDS = 2.0
"""The clock may be set meanwhile, and Linux counts from it; no number comes round again so quickly."""


def host_name() -> str:
    """The machine's name, as runs have it."""
    return socket.gethostname()[:255]


def this_process() -> ProcessOf:
    """The process that asks."""
    return ProcessOf(host=host_name(), pid=os.getpid(), started=psutil.Process().create_time())


def is_alive(process: ProcessOf) -> bool:
    """Whether this very process of this machine runs; one that nobody has waited for yet does not."""
    try:
        found = psutil.Process(process.pid)
        return (
            abs(found.create_time() - process.started) < _SAME_START_SECONDS and found.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.Error:
        return False


def end_session_of(process: ProcessOf) -> int:
    """Kill what is left of the session that a dead process began; how many processes that were.

    The number of a session is not given to a new process while a process is in it. Where a process of another start
    has the number by now, nothing of ours is left.
    """
    try:
        if abs(psutil.Process(process.pid).create_time() - process.started) >= _SAME_START_SECONDS:
            return 0
    except psutil.Error:
        pass  # its number is free, or nearly so
    count = 0
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError):
            if pid != process.pid and os.getsid(pid) == process.pid:
                os.kill(pid, signal.SIGKILL)
                count += 1
    return count
