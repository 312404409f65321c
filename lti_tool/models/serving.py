"""Which version a worker process serves: loaded at its start, and anew when another one is promoted.

::

    every 15 s ── which digest is CURRENT? ──another one──▶ no task in hand: look at the folder, load, swap
                                                              └─ fails: go on as before, say so, try again later

Old and new are in memory together while the new one is loaded (about 0.5 GB for the bundled encoder's, 0.7 GB for the
bundled language model's), because one that fails to load must not leave the worker without any; then the old one goes.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import structlog

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.models import store
from lti_tool.models.folders import Kind, intact_folder

if TYPE_CHECKING:
    from grading.explanation.explainer import Explainer
    from grading.grader import Grader

RETRY_SECONDS = 30.0
"""A load that failed may be a heavy one: it is not tried again sooner."""

Model = TypeVar("Model")
Load = Callable[[Settings, Path | None], Model]
"""Loads the version in a folder, or the model of the settings for None."""

_log = structlog.get_logger(__name__)


class Serving(Generic[Model]):
    """One kind of model in one process. ``digest`` is that of the version that serves, None for the settings' model."""

    def __init__(
        self,
        kind: Kind,
        settings: Settings,
        database: Callable[[], Database],
        load: Load[Model],
        *,
        is_fixed: bool = False,
    ) -> None:
        """``database`` is asked for when it is needed: the pool is opened after the fork.

        ``is_fixed``: the settings leave no choice, and what is promoted is not served.
        """
        self.kind: Kind = kind
        self.digest: str | None = None
        self._settings = settings
        self._database = database
        self._load = load
        self._is_fixed = is_fixed
        self._failed: tuple[str | None, float] | None = None

    def begin(self) -> Model:
        """The current version, or the settings' model where it cannot be loaded here: grading goes on, and says so.

        Raises :class:`~lti_tool.errors.DatabaseUnavailable`, and what loading raises where the settings' model fails.
        """
        digest = self._wanted()
        if digest is not None:
            model = self._tried(digest)
            if model is not None:
                return model
        self.digest = None
        return self._load(self._settings, None)

    def has_news(self) -> bool:
        """Whether another version than the one that serves should be tried now: one cheap query."""
        wanted = self._wanted()
        if wanted == self.digest:
            if self._failed is not None:
                # What could not be loaded was taken back meanwhile.
                self._settled()
            return False
        return self._failed is None or self._failed[0] != wanted or time.monotonic() >= self._failed[1]

    def renewed(self) -> Model | None:
        """The version that should serve, loaded; ``None`` where that is the one that does, or it cannot be loaded."""
        return self._tried(self._wanted()) if self.has_news() else None

    def _wanted(self) -> str | None:
        if self._is_fixed:
            return None
        with self._database().across_tenants() as connection:
            return store.current_digest(connection, self.kind)

    def _tried(self, digest: str | None) -> Model | None:
        """The version's model; ``None`` where it cannot be loaded."""
        model = tried(self.kind, self._settings, self._database(), digest, self._load)
        if model is None:
            self._failed = digest, time.monotonic() + RETRY_SECONDS
            return None
        self.digest = digest
        self._settled()
        return model

    def _settled(self) -> None:
        if self._failed is not None:
            forget_problem(self._database(), self.kind, self._failed[0])
            self._failed = None


def tried(kind: Kind, settings: Settings, database: Database, digest: str | None, load: Load[Model]) -> Model | None:
    """A version, loaded; ``None`` where it cannot be, which is logged and kept for ``mlquiz doctor``."""
    started = time.monotonic()
    try:
        folder = intact_folder(settings.versions_path, digest) if digest is not None else None
        model = load(settings, folder)
    except Exception as error:
        _log.exception("cannot load the promoted model, going on as before", kind=kind, digest=digest)
        with database.across_tenants() as connection:
            store.record_load_problem(connection, _host(), kind, digest, str(error) or type(error).__name__)
        return None
    forget_problem(database, kind, digest)
    _log.info("model loaded", kind=kind, digest=digest, seconds=round(time.monotonic() - started, 1))
    return model


def forget_problem(database: Database, kind: Kind, digest: str | None) -> None:
    """Note that this machine can serve a version, or need not any more."""
    with database.across_tenants() as connection:
        store.forget_load_problem(connection, _host(), kind, digest)


def grader_serving(settings: Settings, database: Callable[[], Database]) -> Serving[Grader]:
    """The grader of a process."""

    def load(settings: Settings, version: Path | None) -> Grader:
        from grading.grader import load_grader

        return load_grader(settings, version=version)

    return Serving("GRADER", settings, database, load)


def explainer_serving(settings: Settings, database: Callable[[], Database]) -> Serving[Explainer]:
    """The explainer of a process; fixed where EXPLAINER asks for a server or for no language model."""

    def load(settings: Settings, version: Path | None) -> Explainer:
        from grading.explanation.explainer import load_explainer

        return load_explainer(settings, version)

    return Serving("EXPLAINER", settings, database, load, is_fixed=settings.explainer != "local")


def _host() -> str:
    return socket.gethostname()[:255] or "unknown"
