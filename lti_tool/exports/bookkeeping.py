"""Which dataset holds whose answers, by number: so that an erasure can name the datasets and what learnt from them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import psycopg
from psycopg import Connection, IsolationLevel
from psycopg.types.json import Jsonb

from lti_tool.db import Database, fetch_all, fetch_value
from lti_tool.errors import DatabaseUnavailable
from lti_tool.launch.audit import record_event

_EXPORTS_LOCK = 0x6578706F727473  # "exports"
_ROWS_AT_ONCE = 10_000


@dataclass(slots=True, kw_only=True)
class Taken:
    """The answers that an export took: three numbers each, so that millions fit."""

    numbers: array[int] = field(default_factory=lambda: array("q"))

    def add(self, registration_id: int, submission_id: int, user_id: int) -> None:
        """One more, those of a tenant in a row."""
        self.numbers.extend((registration_id, submission_id, user_id))

    def __len__(self) -> int:
        return len(self.numbers) // 3

    def by_tenant(self) -> dict[int, tuple[array[int], array[int]]]:
        """Submissions and users of each registration."""
        found: dict[int, tuple[array[int], array[int]]] = {}
        for place in range(0, len(self.numbers), 3):
            registration_id, submission_id, user_id = self.numbers[place : place + 3]
            submissions, users = found.setdefault(registration_id, (array("q"), array("q")))
            submissions.append(submission_id)
            users.append(user_id)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetOfStudent:
    """A dataset that holds answers of a student."""

    digest: str
    exported_at: datetime
    answer_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedDataset:
    """A folder of a dataset that was made from others, whose digests are ``sources``."""

    digest: str
    folder: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOfDataset:
    """A model version that was trained with such a dataset; ``course_count`` courses were given it alone."""

    digest: str
    kind: str
    status: str
    dataset_digest: str
    course_count: int


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    """The rows of all tenants as they are at this moment, for reading; an erasure waits until the block ends.

    Raises :class:`DatabaseUnavailable`.
    """
    try:
        connection = psycopg.connect(database.conninfo, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"PostgreSQL does not answer: {error}") from error
    with connection:
        # Before the snapshot is taken, and for as long as the connection: whoever was erased is not in the snapshot.
        connection.execute("SELECT pg_advisory_lock_shared(%s)", (_EXPORTS_LOCK,))
        connection.execute("SELECT set_config('mlquiz.tenant', 'all', false)")
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with connection.transaction():
            yield connection


def wait_for_exports(connection: Connection) -> None:
    """Wait for exports that are under way, and keep new ones waiting until this transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_EXPORTS_LOCK,))


def record_export(connection: Connection, *, digest: str, filters: Mapping[str, object], taken: Taken) -> None:
    """Note for each tenant what a dataset holds of it, in a transaction across tenants."""
    for registration_id, (submissions, users) in taken.by_tenant().items():
        export_id = fetch_value(
            connection,
            "INSERT INTO dataset_exports (registration_id, digest, filters, answer_count) VALUES (%s, %s, %s, %s)"
            " RETURNING id",
            registration_id,
            digest,
            Jsonb(dict(filters)),
            len(submissions),
        )
        for place in range(0, len(submissions), _ROWS_AT_ONCE):
            rows = slice(place, place + _ROWS_AT_ONCE)
            connection.execute(
                """
                INSERT INTO dataset_export_answers (registration_id, export_id, submission_id, user_id)
                SELECT %s, %s, * FROM unnest(%s::bigint[], %s::bigint[])
                """,
                (registration_id, export_id, submissions[rows].tolist(), users[rows].tolist()),
            )
        record_event(
            connection,
            "DATASET_EXPORTED",
            registration_id=registration_id,
            facts={"digest": digest, "answers": len(submissions)},
        )


def is_exported_since(connection: Connection, digest: str, moment: datetime) -> bool:
    """Whether the books have an export of this dataset that is not older, in a transaction across tenants."""
    return bool(
        fetch_value(
            connection,
            "SELECT EXISTS (SELECT 1 FROM dataset_exports WHERE digest = %s AND exported_at >= %s)",
            digest,
            moment,
        )
    )


def list_datasets_of(connection: Connection, user_id: int) -> list[DatasetOfStudent]:
    """The datasets that hold answers of the student, the latest first."""
    return fetch_all(
        connection,
        DatasetOfStudent,
        """
        SELECT dataset_exports.digest, dataset_exports.exported_at, count(*)::integer AS answer_count
        FROM dataset_export_answers JOIN dataset_exports ON dataset_exports.id = export_id
        WHERE user_id = %s GROUP BY dataset_exports.id ORDER BY dataset_exports.exported_at DESC, digest
        """,
        user_id,
    )


def list_models_of(connection: Connection, datasets: list[str]) -> list[ModelOfDataset]:
    """The model versions that were trained with these datasets; none before the tool keeps model versions.

    A training on several datasets joins their digests with ``+``.
    """
    if fetch_value(connection, "SELECT to_regclass('model_versions')") is None:
        return []
    return fetch_all(
        connection,
        ModelOfDataset,
        "SELECT digest, kind, status, dataset_digest, (SELECT count(*)::integer FROM course_explainers"
        " WHERE course_explainers.digest = model_versions.digest) AS course_count FROM model_versions"
        " WHERE string_to_array(dataset_digest, '+') && %s"
        " ORDER BY kind, created_at DESC, digest",
        datasets,
    )


def list_run_folders_of(connection: Connection, datasets: list[str]) -> list[str]:
    """Folders of trainings on these datasets, finished or not: readings, samples and reports in them quote answers."""
    if fetch_value(connection, "SELECT to_regclass('training_runs')") is None:
        return []
    found = connection.execute(
        """
        SELECT run_folder FROM model_versions WHERE string_to_array(dataset_digest, '+') && %(datasets)s
        UNION
        SELECT folder FROM training_runs
        WHERE kind IN ('GRADER', 'EXPLAINER') AND dataset_digest = ANY(%(datasets)s) AND folder IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM model_versions WHERE starts_with(run_folder, folder || '/'))
        ORDER BY 1
        """,
        {"datasets": datasets},
    )
    return [folder for (folder,) in found]
