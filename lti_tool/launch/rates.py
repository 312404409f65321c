"""How many logins an address may make in a minute, counted in this process."""

from __future__ import annotations

import threading
import time
from collections import Counter

_WINDOW_SECONDS = 60.0


class MinuteLimit:
    """At most ``limit`` events a key and minute. Schools share an address, so a lecture hall must fit in."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._window = 0
        self._counts: Counter[str] = Counter()

    def allows(self, key: str) -> bool:
        """Count one event; ``False`` once the key has had its share of this minute."""
        window = int(time.monotonic() / _WINDOW_SECONDS)
        with self._lock:
            if window != self._window:
                # Forgetting everything each minute bounds the memory.
                self._window = window
                self._counts.clear()
            self._counts[key] += 1
            return self._counts[key] <= self._limit
