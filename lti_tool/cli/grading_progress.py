"""How far the grading of a file is: a bar on standard error with answers a second and the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s")


@contextmanager
def grading_progress(total: int, *, is_hidden: bool) -> Iterator[Callable[[int], None]]:
    """Gives a function that is told how many more of the ``total`` answers are done, 0 when all is loaded.

    Hidden where a program reads.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=is_hidden) as bars:
        task = bars.add_task("loading the grader", total=total, start=False)

        def advance(count: int) -> None:
            # Loading is not part of the rate.
            if not bars.tasks[0].started:
                bars.start_task(task)
                bars.update(task, description="grading")
            bars.advance(task, count)

        yield advance
