"""The explainers of single courses in a worker process: loaded when the first answer of a course needs one.

The choice itself is read with each batch, so it counts at once; between two tasks a process lets go of what no course
has any more, and tries again what it could not load.
"""

from __future__ import annotations

import gc
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.models.course_store import list_chosen_digests
from lti_tool.models.serving import RETRY_SECONDS, forget_problem, tried

if TYPE_CHECKING:
    from grading.explanation.generators import Generator

MOST_HELD = 3
"""Beside the explainer that serves everybody: by OpenVINO each takes half a gigabyte."""


class CourseGenerators:
    """What one process holds; the one that was needed longest ago goes first."""

    def __init__(self, settings: Settings, database: Callable[[], Database]) -> None:
        """``database`` is asked for when it is needed: the pool is opened after the fork."""
        self._settings = settings
        self._database = database
        self._held: OrderedDict[str, Generator] = OrderedDict()
        self._failed: dict[str, float] = {}

    def generator(self, digest: str) -> Generator | None:
        """The generator of a version; ``None`` where it cannot be loaded here, which is on record for the doctor."""
        if digest in self._held:
            self._held.move_to_end(digest)
            return self._held[digest]
        if time.monotonic() < self._failed.get(digest, 0.0):
            return None
        return self._load(digest)

    def has_news(self) -> bool:
        """Whether something is held that no course has any more, or should be tried again: one cheap query."""
        return bool(self._unwanted() or self._due())

    def renew(self) -> None:
        """Let go, and try again; to be called between two tasks."""
        for digest in self._unwanted():
            self._held.pop(digest, None)
            if self._failed.pop(digest, None) is not None:
                forget_problem(self._database(), "EXPLAINER", digest)
        # The parts of a model know each other: without this they would stay in memory for a while.
        gc.collect()
        for digest in self._due():
            self._load(digest)

    def _unwanted(self) -> set[str]:
        known = self._held.keys() | self._failed.keys()
        if not known:
            return set()
        with self._database().across_tenants() as connection:
            return known - list_chosen_digests(connection)

    def _due(self) -> list[str]:
        return [digest for digest, at in self._failed.items() if time.monotonic() >= at]

    def _load(self, digest: str) -> Generator | None:
        generator = tried("EXPLAINER", self._settings, self._database(), digest, _generator)
        if generator is None:
            self._failed[digest] = time.monotonic() + RETRY_SECONDS
            return None
        self._failed.pop(digest, None)
        self._held[digest] = generator
        if len(self._held) > MOST_HELD:
            self._held.popitem(last=False)
            gc.collect()
        return generator


def _generator(settings: Settings, version: Path | None) -> Generator:
    from grading.explanation.explainer import load_generator

    generator = load_generator(settings, version)
    assert generator is not None  # a process whose settings ask for none asks for no version
    return generator
