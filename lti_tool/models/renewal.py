"""Between two tasks: a process that computes looks which models serve, and loads others in place of its own.

A thread looks; a lock keeps it from loading while a task is in hand. So a task ends with the model that it began with,
one that comes while a model is loaded waits for it, and an idle worker is ready before the next answer comes.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

import psycopg
import structlog
from celery.signals import task_postrun, task_prerun

from lti_tool.errors import DatabaseUnavailable

LOOK_SECONDS = 15.0
"""A promotion is to be picked up within a minute, loading included."""

_log = structlog.get_logger(__name__)


class Renews(Protocol):
    """A worker's workbench."""

    def has_news(self) -> bool:
        """Whether a model should be another one; changes nothing."""
        ...

    def renew(self) -> None:
        """Load it."""
        ...


def keep_renewing(bench: Renews) -> None:
    """From now on until this process ends. To be called before its first task; it works on one at a time."""
    in_hand = threading.Lock()

    def begin_task(**_: object) -> None:
        in_hand.acquire()

    def end_task(**_: object) -> None:
        in_hand.release()

    task_prerun.connect(begin_task, weak=False)
    task_postrun.connect(end_task, weak=False)
    threading.Thread(target=_look_for_ever, args=(bench, in_hand), name="renewal", daemon=True).start()


def renew_between_tasks(bench: Renews, in_hand: threading.Lock) -> None:
    """Look once, and load what there is to load as soon as no task is in hand."""
    try:
        if bench.has_news():
            with in_hand:
                bench.renew()
    except (DatabaseUnavailable, psycopg.Error) as error:
        _log.warning("cannot look which models serve", error=str(error))


def _look_for_ever(bench: Renews, in_hand: threading.Lock) -> None:
    while True:
        time.sleep(LOOK_SECONDS)
        renew_between_tasks(bench, in_hand)
