"""What a command tells of its progress, read line by line while it is written, and its losses kept few."""

from __future__ import annotations

import json
from pathlib import Path

from lti_tool.training.log_tail import harmless
from lti_tool.training.store import Progress

MOST_LOSSES = 240
_MOST = 2_000_000_000


class ProgressReader:
    """Reads on where it stopped; a line that is not written to its end is left for the next time."""

    def __init__(self, path: Path, losses: list[list[float]]) -> None:
        """``losses`` are those of the process before, where a run goes on."""
        self._path = path
        self._place = 0
        self._losses = [(int(step), float(loss)) for step, loss in losses]
        self._latest = Progress(losses=tuple(self._losses))

    def read(self) -> Progress:
        """How far it is by now."""
        for line in self._new_lines():
            self._take(line)
        return self._latest

    def _new_lines(self) -> list[bytes]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._place)
                content = file.read()
        except OSError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._place += len(whole)
        return whole.splitlines()

    def _take(self, line: bytes) -> None:
        try:
            told = json.loads(line)
            done, total = (min(max(0, int(told[name])), _MOST) for name in ("done", "total"))
            text, loss = harmless(str(told["text"])), told.get("loss")
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            return
        if isinstance(loss, int | float) and abs(loss) < _MOST:
            self._add(done, float(loss))
        self._latest = Progress(done=done, total=total, text=text, losses=tuple(self._losses))

    def _add(self, step: int, loss: float) -> None:
        # What comes after a checkpoint is done again by a run that goes on.
        while self._losses and self._losses[-1][0] >= step:
            self._losses.pop()
        self._losses.append((step, round(loss, 6)))
        if len(self._losses) > MOST_LOSSES:
            self._losses = thinned(self._losses)


def thinned(losses: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Half as many points: two neighbours become one, at the later step with the mean loss; the last one stays."""
    pairs = zip(losses[0:-1:2], losses[1:-1:2], strict=False)
    return [*((later, round((one + two) / 2, 6)) for (_, one), (later, two) in pairs), losses[-1]]
