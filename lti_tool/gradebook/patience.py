"""Platforms that are left alone for a while: one whose answers do not come must not hold up everybody else's scores."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

#: So many of those in a row, without an answer in between, are more than bad luck.
SILENCES = 3


class Patience:
    """Who may be asked now. One instance serves all threads of a process; what it knows is gone with the process.

    ``pause_seconds``: how long nobody asks a silent platform; afterwards one at a time, until an answer comes.
    ``slow_seconds``: a failure that took longer held a thread that other platforms wait for.
    """

    def __init__(self, *, pause_seconds: float = 60.0, slow_seconds: float = 5.0) -> None:
        self._pause_seconds = pause_seconds
        self._slow_seconds = slow_seconds
        self._lock = threading.Lock()
        self._silences: Counter[int] = Counter()
        self._paused_until: dict[int, float] = {}
        self._asked: set[int] = set()

    @contextmanager
    def turn(self, registration_id: int) -> Iterator[bool]:
        """Whether this registration's platform may be asked, for the time of the block.

        Any number at once while it answers, nobody while it is left alone, then one at a time.
        """
        may_ask = self._begin(registration_id)
        try:
            yield may_ask
        finally:
            if may_ask:
                with self._lock:
                    self._asked.discard(registration_id)

    def note_answer(self, registration_id: int) -> None:
        """It answered, or refused at once: others may ask again."""
        with self._lock:
            self._silences.pop(registration_id, None)
            self._paused_until.pop(registration_id, None)

    def note_silence(self, registration_id: int, *, seconds: float) -> None:
        """It kept somebody waiting for so long and then brought nothing."""
        if seconds <= self._slow_seconds:
            return
        with self._lock:
            self._silences[registration_id] += 1
            if self._silences[registration_id] >= SILENCES:
                self._paused_until[registration_id] = time.monotonic() + self._pause_seconds

    def _begin(self, registration_id: int) -> bool:
        with self._lock:
            until = self._paused_until.get(registration_id)
            if until is None:
                return True
            if time.monotonic() < until or registration_id in self._asked:
                return False
            self._asked.add(registration_id)
            return True


class Turns:
    """At most ``limit`` at a time for one registration: its platform may take long, the threads are everybody's."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._taken: Counter[int] = Counter()

    @contextmanager
    def turn(self, registration_id: int) -> Iterator[bool]:
        """Whether there is a turn, for the time of the block; nobody waits for one."""
        with self._lock:
            has_turn = self._taken[registration_id] < self._limit
            self._taken[registration_id] += has_turn
        try:
            yield has_turn
        finally:
            with self._lock:
                self._taken[registration_id] -= has_turn
