"""The end of what a command said, fit to be shown: no control characters, and nothing that may be a student's words.

The commands print no answers. Where one ends in a way that nobody foresaw, Python's message may hold the value that was
at hand: of such an end only the places in the code and the name of the error are shown.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

LINES = 40
_BYTES = 64_000
_LONGEST_LINE = 300
_TRACEBACK = "Traceback (most recent call last):"
_PLACE = re.compile(r'^\s+File "(?P<path>[^"]+)", line (?P<line>\d+), in (?P<name>\S+)')
_ERROR = re.compile(r"^(?P<name>[A-Za-z_][\w.]*)(?::|$)")
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def log_tail(log: Path, *, lines: int = LINES) -> list[str]:
    """The last lines of a log, without what must not be shown; none where there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _BYTES))
            text = file.read(_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    shown = without_values(_COLOURS.sub("", text).replace("\r", "\n").splitlines())
    return [harmless(line)[:_LONGEST_LINE] for line in shown if line.strip()][-lines:]


def last_words(log: Path) -> str:
    """What a command that failed said at its end, in one paragraph; empty where it said nothing."""
    lines = log_tail(log, lines=12)
    for place in range(len(lines) - 1, -1, -1):
        if lines[place].startswith("Error: "):
            return " ".join([lines[place].removeprefix("Error: "), *lines[place + 1 :]])
    return " ".join(lines[-6:])


def without_values(lines: list[str]) -> list[str]:
    """The lines with stacks cut down to places and the error's name; what follows an error's message goes with it."""
    shown: list[str] = []
    is_in_stack = is_after_stack = False
    for line in lines:
        if line.startswith(_TRACEBACK):
            is_in_stack, is_after_stack = True, False
            shown.append(line)
        elif is_in_stack and (place := _PLACE.match(line)):
            shown.append(f"  {Path(place['path']).name}, line {place['line']}, in {place['name']}")
        elif is_in_stack and (error := _ERROR.match(line)):
            is_in_stack, is_after_stack = False, True
            shown.append(error["name"])
        elif not is_in_stack and not is_after_stack:
            shown.append(line)
    return shown


def harmless(text: str) -> str:
    """Without control characters."""
    return "".join(each for each in text if unicodedata.category(each) != "Cc")
