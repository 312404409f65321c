"""PostgreSQL: one pool a process, opened after fork; every piece of work is one transaction.

Stores are functions that take the connection of the caller's transaction; rows come back as frozen dataclasses.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString, TypeVar
from urllib.parse import urlencode

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow, class_row
from psycopg_pool import ConnectionPool, PoolTimeout
from yoyo import get_backend, read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.migrations import MigrationList

from lti_tool.errors import DatabaseUnavailable, SchemaOutdated

MIGRATIONS_FOLDER = Path(__file__).parent.parent / "migrations"
Row = TypeVar("Row")


class Database:
    """Connections to one database, opened at first use: a connection made before a fork breaks (psycopg's manual)."""

    def __init__(self, conninfo: str, *, max_connections: int = 4) -> None:
        self.conninfo = conninfo
        self._pool = ConnectionPool(
            conninfo,
            min_size=0,
            max_size=max_connections,
            open=False,
            timeout=10,
            check=ConnectionPool.check_connection,
            kwargs={"application_name": "mlquiz"},
        )

    def open(self) -> None:
        """Open the pool; connections are made when first needed."""
        self._pool.open()

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection inside a transaction: committed at the end, rolled back on an error.

        Raises :class:`DatabaseUnavailable` when PostgreSQL does not answer within 10 seconds.
        """
        if self._pool.closed:
            self.open()
        try:
            connection = self._pool.getconn()
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise DatabaseUnavailable(f"PostgreSQL does not answer: {error}") from error
        try:
            with connection.transaction():
                yield connection
        finally:
            self._pool.putconn(connection)


def fetch_one(connection: Connection, row_type: type[Row], query: LiteralString, *values: object) -> Row | None:
    """The first row of a query as ``row_type``, or ``None``."""
    with connection.cursor(row_factory=class_row(row_type)) as cursor:
        return cursor.execute(query, values).fetchone()


def fetch_all(connection: Connection, row_type: type[Row], query: LiteralString, *values: object) -> list[Row]:
    """All rows of a query as ``row_type``."""
    with connection.cursor(row_factory=class_row(row_type)) as cursor:
        return cursor.execute(query, values).fetchall()


def fetch_value(connection: Connection, query: LiteralString, *values: object) -> object:
    """The first column of the first row, or ``None`` without a row."""
    row: TupleRow | None = connection.execute(query, values).fetchone()
    return row[0] if row else None


# Migrations --------------------------------------------------------------------------------------------------------


def upgrade(conninfo: str, *, last: str | None = None) -> list[str]:
    """Apply the migrations that the database lacks, in order, up to ``last``; the ids of those applied now.

    Safe to call from several processes at once. Raises :class:`DatabaseUnavailable`.
    """
    with _one_at_a_time(conninfo), _migration_backend(conninfo) as backend:
        # Whoever was killed inside yoyo's lock left its row behind; we hold the real lock, so the row is stale.
        backend.break_lock()
        with backend.lock():
            pending = backend.to_apply(_migrations().filter(lambda migration: last is None or migration.id <= last))
            names = [migration.id for migration in pending]
            backend.apply_migrations(pending)
    return names


def pending_migrations(conninfo: str) -> list[str]:
    """Ids of the migrations that the database lacks. Raises :class:`DatabaseUnavailable`."""
    with _migration_backend(conninfo) as backend:
        return [migration.id for migration in backend.to_apply(_migrations())]


def require_current_schema(conninfo: str) -> None:
    """Raise :class:`SchemaOutdated` unless all migrations are applied."""
    pending = pending_migrations(conninfo)
    if pending:
        raise SchemaOutdated(f"the database lacks {', '.join(pending)}: run `mlquiz db upgrade`")


_MIGRATION_LOCK = 0x6D6C7175697A  # "mlquiz"


@contextmanager
def _one_at_a_time(conninfo: str) -> Iterator[None]:
    """A session lock that PostgreSQL itself gives back when the process dies."""
    try:
        with psycopg.connect(conninfo, autocommit=True, connect_timeout=10) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (_MIGRATION_LOCK,))
            yield
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"PostgreSQL does not answer: {error}") from error


@contextmanager
def _migration_backend(conninfo: str) -> Iterator[PostgresqlPsycopgBackend]:
    """A connection for yoyo. All goes into the query part: there a password needs no escaping rules."""
    values = {name: str(value) for name, value in conninfo_to_dict(conninfo).items() if value is not None}
    try:
        backend = get_backend(f"postgresql+psycopg:///?{urlencode(values)}")
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"PostgreSQL does not answer: {error}") from error
    try:
        yield backend
    finally:
        backend.connection.close()


def _migrations() -> MigrationList:
    return read_migrations(str(MIGRATIONS_FOLDER))
