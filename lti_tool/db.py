"""PostgreSQL: one pool a process, opened after fork; every piece of work is one transaction of one tenant.

A tenant is a registration. Row-level security shows a transaction the rows of the tenant it names and no others, and
new rows are that tenant's. Stores are functions that take the connection of the caller's transaction; rows come back
as frozen dataclasses.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import LiteralString, TypeVar
from urllib.parse import urlencode

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow, class_row
from psycopg_pool import ConnectionPool, PoolTimeout
from yoyo import get_backend, read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.migrations import MigrationList

from lti_tool.errors import DatabaseUnavailable, NotConfigured, RoleTooStrong, SchemaOutdated

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

    def transaction(self, registration_id: int) -> AbstractContextManager[Connection]:
        """A connection inside a transaction of one tenant: committed at the end, rolled back on an error.

        Raises :class:`DatabaseUnavailable` when PostgreSQL does not answer within 10 seconds.
        """
        return self._transaction(str(int(registration_id)))

    def across_tenants(self) -> AbstractContextManager[Connection]:
        """A transaction that sees the rows of all tenants and makes none for any.

        For what happens before the tenant is known (a login, finding a session), for the administrator, and for the
        sweep. Raises :class:`DatabaseUnavailable`.
        """
        return self._transaction("all")

    @contextmanager
    def _transaction(self, tenant: str) -> Iterator[Connection]:
        if self._pool.closed:
            self.open()
        try:
            connection = self._pool.getconn()
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise DatabaseUnavailable(f"PostgreSQL does not answer: {error}") from error
        try:
            with connection.transaction():
                # Local to the transaction: a connection goes back to the pool as nobody's.
                connection.execute("SELECT set_config('mlquiz.tenant', %s, true)", (tenant,))
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


def upgrade(owner: str, *, tool: str = "", last: str | None = None) -> list[str]:
    """Apply the migrations that the database lacks, in order, up to ``last``; the ids of those applied now.

    ``owner`` is the conninfo of the role that owns the tables, ``tool`` of the one that the tool works as: it is
    granted reading and writing, and no change of what is append-only. Where nothing is lacking, ``owner`` may be the
    tool's role itself. Safe to call from several processes at once. Raises :class:`DatabaseUnavailable`, and
    :class:`SchemaOutdated` where ``owner`` may not change tables.
    """
    with _one_at_a_time(owner):
        pending = [name for name in pending_migrations(owner) if last is None or name <= last]
        if pending:
            _apply(owner, pending)
        if tool:
            _grant(owner, _role_of(tool))
            if last is None and pending_migrations(tool):
                raise NotConfigured("DATABASE_URL and DATABASE_OWNER_URL name different databases")
    return pending


def _apply(owner: str, names: list[str]) -> None:
    try:
        _require_owner(owner)
        with _migration_backend(owner) as backend:
            # Whoever was killed inside yoyo's lock left its row behind; we hold the real lock, so the row is stale.
            backend.break_lock()
            with backend.lock():
                backend.apply_migrations(backend.to_apply(_migrations().filter(lambda each: each.id in names)))
    except psycopg.errors.InsufficientPrivilege as error:
        raise SchemaOutdated(
            f"the database lacks {', '.join(names)}, and this role may not change its tables:"
            " run `mlquiz db upgrade` with DATABASE_OWNER_URL"
        ) from error


def _require_owner(owner: str) -> None:
    """Find out early: yoyo hides why it cannot make its own tables; PostgreSQL tells."""
    with psycopg.connect(owner, connect_timeout=10) as connection:
        connection.execute("CREATE TABLE may_make_tables ()")
        connection.rollback()


def pending_migrations(conninfo: str) -> list[str]:
    """Ids of the migrations that the database lacks. Raises :class:`DatabaseUnavailable`."""
    names = sorted(migration.id for migration in _migrations())
    try:
        with psycopg.connect(conninfo, connect_timeout=10) as connection:
            if fetch_value(connection, "SELECT to_regclass('_yoyo_migration')") is None:
                return names
            applied = {row[0] for row in connection.execute("SELECT migration_id FROM _yoyo_migration").fetchall()}
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"PostgreSQL does not answer: {error}") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise SchemaOutdated("the tool's role may not read the tables: run `mlquiz db upgrade`") from error
    return [name for name in names if name not in applied]


def require_current_schema(conninfo: str) -> None:
    """Raise :class:`SchemaOutdated` unless all migrations are applied."""
    pending = pending_migrations(conninfo)
    if pending:
        raise SchemaOutdated(f"the database lacks {', '.join(pending)}: run `mlquiz db upgrade`")


def weakness_of_role(conninfo: str) -> str:
    """Why row-level security does not bind this role, as a sentence; empty where it does.

    A role that may become one of those, or make itself a member of them, is as weak as they are. Raises
    :class:`DatabaseUnavailable`.
    """
    try:
        with psycopg.connect(conninfo, connect_timeout=10) as connection:
            role, bypasses, makes_roles, owns = connection.execute(
                """
                SELECT current_user,
                    bool_or(rolsuper OR rolbypassrls),
                    bool_or(rolcreaterole),
                    EXISTS (
                        SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity
                            AND pg_has_role(current_user, relowner, 'MEMBER')
                    )
                FROM pg_roles WHERE pg_has_role(current_user, oid, 'MEMBER')
                """
            ).fetchone() or ("", True, True, True)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"PostgreSQL does not answer: {error}") from error
    if bypasses:
        return f"role {role} is a superuser or bypasses row-level security"
    if owns:
        return f"role {role} owns the tables, so it could switch row-level security off"
    return f"role {role} may make roles, so it could make itself the owner's member" if makes_roles else ""


def require_bound_role(conninfo: str) -> None:
    """Raise :class:`RoleTooStrong` unless row-level security binds the role."""
    weakness = weakness_of_role(conninfo)
    if weakness:
        raise RoleTooStrong(
            f"{weakness}: nothing but the tool's own checks would keep tenants apart. Give DATABASE_URL a role that"
            " owns nothing, and DATABASE_OWNER_URL the one that owns the tables (docs/how-to/run-in-production.md)"
        )


# Rows that are only ever added; the sweep of old logins and sessions needs DELETE elsewhere.
_APPEND_ONLY = ("audit_events", "grades", "key_point_verdicts", "explanations", "delivery_events")


def _grant(owner: str, role: str) -> None:
    """Give the tool's role what it needs; nothing where it is the owner itself."""
    name = sql.Identifier(role)
    with psycopg.connect(owner, connect_timeout=10) as connection:
        if connection.info.user == role:
            return
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(name))
        connection.execute(
            sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}").format(name)
        )
        for table in _APPEND_ONLY:
            connection.execute(sql.SQL("REVOKE UPDATE, DELETE ON {} FROM {}").format(sql.Identifier(table), name))
        for (table,) in connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename ~ 'yoyo'"
        ).fetchall():
            connection.execute(
                sql.SQL("REVOKE INSERT, UPDATE, DELETE ON {} FROM {}").format(sql.Identifier(table), name)
            )


def _role_of(conninfo: str) -> str:
    """The role that a conninfo signs in as."""
    with psycopg.connect(conninfo, connect_timeout=10) as connection:
        return connection.info.user


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
        # FORCE ROW LEVEL SECURITY binds the owner too, and a migration is for the rows of all tenants.
        backend.connection.execute("SELECT set_config('mlquiz.tenant', 'all', false)")
        backend.connection.commit()
        yield backend
    finally:
        backend.connection.close()


def _migrations() -> MigrationList:
    return read_migrations(str(MIGRATIONS_FOLDER))
