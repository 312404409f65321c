"""Whether a worker takes what was asked for on the pages: for the page of a run, and for ``mlquiz doctor``."""

from __future__ import annotations

import psycopg
from psycopg import Connection

from lti_tool.errors import NotConfigured

ADVICE = "start a worker for the queue `train`: `mlquiz worker --queue train`; `mlquiz up` has one"
UNSERVED_SECONDS = 20
"""A worker takes a run that waits at once; where the broker was away, at the next sweep."""


def list_unserved(connection: Connection, *, seconds: int = UNSERVED_SECONDS) -> list[int]:
    """The numbers of runs that wait so long although nothing of their lane runs or just ran: no worker takes them."""
    found = connection.execute(
        """
        SELECT id FROM training_runs AS waiting
        WHERE status = 'QUEUED' AND queued_at < now() - make_interval(secs => %(seconds)s)
            AND NOT EXISTS (
                SELECT 1 FROM training_runs AS other WHERE other.lane = waiting.lane AND other.id <> waiting.id
                    AND (other.status = 'RUNNING' OR other.finished_at > now() - make_interval(secs => %(seconds)s))
            )
        ORDER BY id
        """,
        {"seconds": seconds},
    )
    return [number for (number,) in found]


def state_of_runs(conninfo: str) -> str:
    """What waits, as a sentence. Raises :class:`NotConfigured` where no worker takes it."""
    with psycopg.connect(conninfo, connect_timeout=10) as connection:
        unserved = list_unserved(connection)
    if unserved:
        numbers = ", ".join(str(number) for number in unserved)
        raise NotConfigured(f"run {numbers} waits, although nothing else of its kind runs: no worker takes it")
    return "none waits for a worker"
