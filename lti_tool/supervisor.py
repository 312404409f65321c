"""``mlquiz up``: everything in one command. Starts servers, web and workers, restarts what dies, stops it all.

Every child runs in a session of its own, so a Ctrl-C reaches only the supervisor, which then stops the children in
order: web first (no new answers), workers next (they finish the task in hand), servers last.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import requests
import structlog

from config.settings import Settings
from lti_tool import db
from lti_tool.embedded import Servers, embedded_servers
from lti_tool.embedded.processes import end_of
from lti_tool.errors import NotConfigured

START_SECONDS = 120.0
STOP_SECONDS = 10.0
MAX_STARTS = 3
PARENT_VARIABLE = "MLQUIZ_PARENT"
_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class Child:
    """One supervised process: how to start it and where its output goes."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    next_start: float = 0.0

    def start(self) -> None:
        """Start the process; it writes to its log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment, PARENT_VARIABLE: str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.starts += 1

    def is_running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None

    def revive(self) -> None:
        """Start again a process that died; one that keeps dying is given more and more time, up to a minute."""
        if self.is_running() or time.monotonic() < self.next_start:
            return
        if self.process is not None:
            _log.warning("process ended, starting it again", name=self.name, status=self.process.returncode)
        self.next_start = time.monotonic() + min(2.0**self.starts, 60.0)
        self.start()

    def ask_to_stop(self) -> None:
        """SIGTERM: finish what is in hand."""
        if self.process is not None and self.is_running():
            self.process.terminate()

    def wait_or_kill(self, deadline: float) -> None:
        """Wait until ``deadline`` (``time.monotonic()``), then kill the process and all that it started."""
        if self.process is None:
            return
        try:
            self.process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            # No harm: what it had in hand is still in the database and is done after the next start.
            _log.info("killed at work", name=self.name)
        with suppress(ProcessLookupError, PermissionError):  # the children of a pool are in its process group
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@dataclass(kw_only=True)
class Supervisor:
    """The running tool: its servers and its children."""

    settings: Settings
    servers: Servers
    children: list[Child] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def add(self, name: str, *arguments: str, environment: dict[str, str] | None = None) -> Child:
        """Start ``python -m ARGUMENTS`` as a supervised child."""
        child = Child(
            name=name,
            command=[sys.executable, "-m", *arguments],
            environment=environment or {},
            log=self.settings.data_path / "logs" / f"{name}.log",
        )
        self.children.append(child)
        child.revive()
        return child

    def watch(self) -> None:
        """Restart what dies until :meth:`stop` is called (in another thread: servers and children are looked at)."""
        while not self._stopping.wait(1.0):
            try:
                self.servers.revive()
            except NotConfigured as error:
                _log.error("a server does not start", error=str(error))
            for child in self.children:
                child.revive()

    def require_health(self) -> None:
        """Raise :class:`NotConfigured` with the end of the log of a child that keeps dying."""
        for child in self.children:
            if child.starts > MAX_STARTS:
                raise NotConfigured(f"{child.name} keeps ending. The end of {child.log}:\n{end_of(child.log, 20)}")

    def stop(self) -> None:
        """Stop all children, in the order they were added."""
        self._stopping.set()
        for child in self.children:
            child.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children:
            child.wait_or_kill(deadline)


@contextmanager
def running_tool(settings: Settings, *, say: Callable[[str], None] = lambda text: None) -> Iterator[Supervisor]:
    """The whole tool for the length of the block: servers, schema, web, workers; all supervised, all stopped after."""
    with signals_as_interrupt(), embedded_servers(settings, say=say) as servers:
        say("database schema")
        db.upgrade(servers.database_owner, tool=servers.database)
        if settings.environment == "production":
            db.require_bound_role(servers.database)
        supervisor = Supervisor(settings=settings, servers=servers)
        environment = {
            **settings.as_environment(),
            "DATA_DIR": str(settings.data_path),
            "DATABASE_URL": servers.database,
            # No child needs it.
            "DATABASE_OWNER_URL": "",
            "BROKER_URL": servers.broker,
        }
        watcher = threading.Thread(target=supervisor.watch, name="watcher", daemon=True)
        try:
            say("web server and workers")
            supervisor.add("web", "lti_tool", "web", environment=environment)
            for queues in (("grade",), ("explain",), ("deliver", "train")):
                options = [option for queue in queues for option in ("--queue", queue)]
                supervisor.add(f"worker-{queues[0]}", "lti_tool", "worker", *options, environment=environment)
            watcher.start()
            wait_for_http(f"http://{settings.web_host}:{settings.web_port}/health/ready", supervisor.children[0])
            yield supervisor
        finally:
            for number in _SIGNALS:  # An impatient second Ctrl-C must not leave half of it running.
                signal.signal(number, signal.SIG_IGN)
            supervisor.stop()
            if watcher.is_alive():
                watcher.join(5)


def require_free_ports(**ports: int) -> None:
    """Raise :class:`NotConfigured` for a port of this machine that is in use; the names are those of the settings."""
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise NotConfigured(
                    f"port {port} is in use (a demo that still runs?): stop what uses it, or set {name}"
                ) from error


def wait_for_http(url: str, child: Child) -> None:
    """Wait until ``url`` answers 200; :class:`NotConfigured` with the end of the log when the process gives up."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.RequestException:
            pass
        if child.starts > MAX_STARTS:
            break
        time.sleep(0.1)
    raise NotConfigured(f"{child.name} did not start. The end of {child.log}:\n{end_of(child.log, 20)}")


@contextmanager
def signals_as_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP end the program as Ctrl-C does, so that whatever we started is stopped."""

    def interrupt(number: int, frame: object) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def die_with_parent(parent: int | None = None) -> None:
    """Ask Linux to end this process when its parent is killed: nothing is left running. Elsewhere without effect.

    ``parent`` is its pid where it is known: one that died before we asked ends us now.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
