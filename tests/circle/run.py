"""Once round: a tool, a practice LMS and workers are started, the stations come one after the other."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lti_tool.errors import ToolError
from tests.circle.circle import Circle, NotSeen
from tests.circle.commands import CommandFailed, Operator
from tests.circle.quiz import load_questions
from tests.circle.size import Size
from tests.circle.stations import STATIONS
from tests.integration.stack import running_stack, short_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a station showed, or why it failed; ``seconds`` it took."""

    station: str
    is_well: bool
    what: str
    seconds: float


def run(
    size: Size, models_path: Path, *, say: Callable[[str], None] = lambda text: None, stations: int = len(STATIONS)
) -> list[Seen]:
    """The first so many ``stations``, all of them by default; it ends with the first that fails.

    ``models_path`` is where the bundled models are unpacked.
    """
    seen: list[Seen] = []
    with (
        short_folder(models_path) as folder,
        tempfile.TemporaryDirectory(prefix="mlquiz-circle-", ignore_cleanup_errors=True) as work,
        running_stack(folder, **size.settings) as stack,
    ):
        servers = stack.supervisor.servers
        circle = Circle(
            size=size,
            lms=stack.lms,
            questions=load_questions(),
            operator=Operator(settings=stack.settings, servers=servers, folder=Path(work), is_thinned=size.is_thinned),
            database=stack.database,
            subs=stack.subs,
            logs=stack.settings.data_path / "logs",
        )
        for station in STATIONS[:stations]:
            say(_name(station))
            seen.append(_seen(station, circle))
            say(f"  {seen[-1].what}")
            if not seen[-1].is_well:
                break
    return seen


def _seen(station: Callable[[Circle], str], circle: Circle) -> Seen:
    began = time.monotonic()
    try:
        what, is_well = station(circle), True
    except (NotSeen, CommandFailed, ToolError, AssertionError) as failure:
        what, is_well = str(failure), False
    return Seen(station=_name(station), is_well=is_well, what=what, seconds=time.monotonic() - began)


def _name(station: Callable[[Circle], str]) -> str:
    return station.__name__.replace("_", " ")
