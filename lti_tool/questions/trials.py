"""An answer that an instructor tries while writing a question: scored as a student's would be, shown, forgotten.

question form ──▶ trial ──▶ worker ──▶ assessment ──▶ the page of the form, which deletes the trial
                    └── nobody looks any more: deleted after ten minutes by the sweep
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from grading.domain import Assessment, Question
from lti_tool.db import fetch_one, fetch_value

_QUESTION = TypeAdapter(Question)
_ASSESSMENT = TypeAdapter(Assessment)
#: A worker that has a model in memory needs a second or two.
_LONG = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """An answer held against a question; ``assessment`` is ``None`` until a worker has scored it."""

    id: int
    question: Question
    answer: str
    assessment: Assessment | None
    created_at: datetime

    @property
    def takes_long(self) -> bool:
        """It should have been scored by now: workers are busy, or there is none."""
        return self.assessment is None and datetime.now(UTC) - self.created_at > _LONG


@dataclass(frozen=True, slots=True, kw_only=True)
class _TrialRow:
    id: int
    question: dict[str, Any]
    answer: str
    assessment: dict[str, Any] | None
    created_at: datetime


def add_trial(connection: Connection, question: Question, answer: str, *, user_id: int) -> int:
    """Have an answer tried in place of the one that the person tried before; the id."""
    # One that a worker is at is left to the sweep: nobody waits for a model here.
    connection.execute(
        "DELETE FROM trials WHERE id IN (SELECT id FROM trials WHERE user_id = %s FOR UPDATE SKIP LOCKED)", (user_id,)
    )
    trial_id = fetch_value(
        connection,
        "INSERT INTO trials (user_id, question, answer) VALUES (%s, %s, %s) RETURNING id",
        user_id,
        Jsonb(_QUESTION.dump_python(question, mode="json")),
        answer,
    )
    assert isinstance(trial_id, int)
    return trial_id


def take_trial(connection: Connection, trial_id: int, *, user_id: int) -> Trial | None:
    """The person's trial; one that is scored is handed out once and deleted."""
    trial = _find(connection, trial_id, user_id)
    if trial is not None and trial.assessment is not None:
        connection.execute("DELETE FROM trials WHERE id = %s", (trial_id,))
    return trial


def lock_trial(connection: Connection, trial_id: int) -> Trial | None:
    """The trial, unless it is scored, gone, or another worker is at it; locked until the transaction ends."""
    row = fetch_value(
        connection,
        "SELECT user_id FROM trials WHERE id = %s AND assessment IS NULL FOR UPDATE SKIP LOCKED",
        trial_id,
    )
    return _find(connection, trial_id, row) if isinstance(row, int) else None


def record_assessment(connection: Connection, trial_id: int, assessment: Assessment) -> None:
    """What the grader found."""
    found = Jsonb(_ASSESSMENT.dump_python(assessment, mode="json"))
    connection.execute("UPDATE trials SET assessment = %s WHERE id = %s", (found, trial_id))


def list_waiting_trials(connection: Connection) -> list[tuple[int, int]]:
    """(registration, trial) of those that no worker has scored yet."""
    return connection.execute(
        "SELECT registration_id, id FROM trials WHERE assessment IS NULL AND created_at < now() - interval '5 seconds'"
        " ORDER BY id LIMIT 100"
    ).fetchall()


def delete_forgotten_trials(connection: Connection) -> None:
    """Delete those that nobody came back for."""
    connection.execute(
        "DELETE FROM trials WHERE id IN ("
        "SELECT id FROM trials WHERE created_at < now() - interval '10 minutes' FOR UPDATE SKIP LOCKED)"
    )


def _find(connection: Connection, trial_id: int, user_id: int) -> Trial | None:
    row = fetch_one(
        connection,
        _TrialRow,
        "SELECT id, question, answer, assessment, created_at FROM trials WHERE id = %s AND user_id = %s",
        trial_id,
        user_id,
    )
    if row is None:
        return None
    return Trial(
        id=row.id,
        question=_QUESTION.validate_python(row.question),
        answer=row.answer,
        assessment=None if row.assessment is None else _ASSESSMENT.validate_python(row.assessment),
        created_at=row.created_at,
    )
