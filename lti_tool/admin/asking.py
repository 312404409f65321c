"""How a page asks for a run: a row, a worker that is woken, and the page of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import redirect, url_for
from flask.typing import ResponseReturnValue
from psycopg import Connection

from lti_tool.training import store
from lti_tool.training.store import RunKind
from lti_tool.worker import TEND_RUNS, wake_later

BY = "an administrator, by page"
"""There are no accounts: whoever may sign in may run commands where the tool runs."""


def to_run(number: int) -> ResponseReturnValue:
    """Wake a worker, and show the run that somebody asked for."""
    wake_later(TEND_RUNS)
    return redirect(url_for("admin.training", number=number), 303)


def ask_once(
    connection: Connection,
    kind: RunKind,
    *,
    dataset_digest: str | None,
    version_digest: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> tuple[int, bool]:
    """The number of a run of this kind that waits or runs already, or of a new one; whether it is new."""
    waiting = store.find_waiting_like(
        connection, kind, dataset_digest=dataset_digest, version_digest=version_digest, settings=settings
    )
    if waiting is not None:
        return waiting, False
    number = store.add_run(
        connection, kind, by=BY, settings=settings, dataset_digest=dataset_digest, version_digest=version_digest
    )
    return number, True
