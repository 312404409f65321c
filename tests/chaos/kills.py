"""What breaks: workers are killed, servers restarted, the platforms are away. Only processes that we started."""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from lti_tool.embedded import Servers
from lti_tool.embedded.postgres import EmbeddedPostgres
from lti_tool.embedded.processes import is_alive
from lti_tool.embedded.valkey import EmbeddedValkey
from lti_tool.supervisor import Child
from tests.chaos.size import Size


@dataclass(kw_only=True)
class Breaker:
    """Breaks things until it is stopped, and starts again what died; ``counts`` says how often what."""

    size: Size
    servers: Servers
    workers: list[Child]
    proxy: Child
    random: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    def kill_workers(self) -> None:
        """Kill -9 workers a while after they were ready, the parent or the child that has the task."""
        ready: Counter[str] = Counter()
        while sum(self.kills.values()) < self.size.kills and not self.stop.wait(
            self.random.uniform(*self.size.kill_seconds)
        ):
            child = min(self.workers, key=lambda child: self.kills[child.name])
            if not child.is_running() or _times_ready(child) <= ready[child.name]:
                continue
            ready[child.name] = _times_ready(child)
            assert child.process is not None
            with suppress(psutil.NoSuchProcess):
                parent = psutil.Process(child.process.pid)
                victim = self.random.choice([parent, *parent.children()[:1]])
                victim.send_signal(signal.SIGKILL)
                self.kills[child.name] += 1

    def restart_servers(self) -> None:
        """Broker and database end at once, in the middle of what they do, and are started again."""
        for _ in range(self.size.restarts):
            for server in self.servers.owned:
                if self.stop.wait(self.random.uniform(*self.size.restart_seconds)):
                    return
                if isinstance(server, EmbeddedPostgres):
                    pid = int((server.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
                    os.kill(pid, signal.SIGQUIT)  # immediate shutdown: no checkpoint, recovery at the next start
                    self.counts["PostgreSQL restarted"] += 1
                else:
                    pid = _pid_of(server)
                    os.kill(pid, signal.SIGKILL)
                    self.counts["Valkey restarted"] += 1
                while is_alive(pid):
                    time.sleep(0.02)
                time.sleep(self.random.uniform(0.0, 1.0))
                server.start()

    def take_the_platforms_away(self) -> None:
        """For a while nobody answers in time."""
        assert self.proxy.process is not None
        self.proxy.process.send_signal(signal.SIGUSR1)
        self.stop.wait(self.size.away_seconds)
        self.proxy.process.send_signal(signal.SIGUSR2)
        self.counts["platforms away, seconds"] += round(self.size.away_seconds)

    def revive_workers(self, over: threading.Event) -> None:
        """Start again what died, half a second later: in life the supervisor does, with longer pauses."""
        while not over.wait(0.5):
            for child in self.workers:
                if not child.is_running():
                    child.next_start = 0.0
                    child.revive()


def _times_ready(child: Child) -> int:
    try:
        text = child.log.read_text(encoding="utf-8", errors="replace")
        return len(re.findall(r"deliver\.\d+@\S+ ready\.|worker process ready.*(?:grade|explain)", text))
    except OSError:
        return 0


def _pid_of(valkey: EmbeddedValkey | EmbeddedPostgres) -> int:
    pid = valkey._running_pid()  # pyright: ignore[reportPrivateUsage]
    assert pid is not None
    return pid
