"""Progress for programs: a training tells it to a file as well, a JSON object a line, for whoever watches it.

::

    --progress-file FILE ──▶ {"done": 120, "total": 900, "text": "fold 2 of 5: loss 0.412", "loss": 0.412}

A command takes ``@progress_file_option``, and wherever it makes its ``tell`` says ``tell = also_to_file(tell)``.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import click

Tell = Callable[[int, int, str], None]
Command = TypeVar("Command", bound=Callable[..., Any])

VARIABLE = "MLQUIZ_PROGRESS_FILE"
"""Names the file where the option is not given: whoever starts a command need not know whether it has the option."""
LEAST_SECONDS = 0.25
"""Not more often: a training of a hundred thousand steps fills no disk."""

_KEY = "mlquiz.progress_file"
_LOSS = re.compile(r"\bloss (\d+(?:\.\d+)?)")


def progress_file_option(command: Command) -> Command:
    """Give a command ``--progress-file``; its function is not told of it, :func:`also_to_file` finds it."""
    return click.option(
        "--progress-file",
        envvar=VARIABLE,
        type=click.Path(dir_okay=False, path_type=Path),
        expose_value=False,
        callback=_keep,
        help="Tell the progress to this file too, as JSON lines: done, total, text, loss.",
    )(command)


def also_to_file(tell: Tell) -> Tell:
    """``tell``, which also writes to the file of ``--progress-file``; as it is where none was named."""
    context = click.get_current_context(silent=True)
    path: Path | None = context.meta.get(_KEY) if context is not None else None
    if path is None:
        return tell
    written = 0.0

    def tell_both(done: int, total: int, text: str) -> None:
        nonlocal written
        tell(done, total, text)
        now = time.monotonic()
        if done < total and now - written < LEAST_SECONDS:
            return
        written = now
        # Nobody trains again because a disk is full or a folder went away.
        with suppress(OSError), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_line(done, total, text), ensure_ascii=False) + "\n")

    return tell_both


def loss_in(text: str) -> float | None:
    """The loss that a training's words name, ``None`` where they name none."""
    found = _LOSS.search(text)
    return float(found[1]) if found else None


def _keep(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    del parameter
    if value is not None:
        context.meta[_KEY] = value


def _line(done: int, total: int, text: str) -> Mapping[str, Any]:
    loss = loss_in(text)
    return {"done": done, "total": total, "text": text} | ({} if loss is None else {"loss": loss})
