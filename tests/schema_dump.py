"""A database's schema as sorted lines of text: tables, constraints, views, functions, triggers, row security."""

from __future__ import annotations

from psycopg import Connection


def describe_schema(connection: Connection) -> str:
    """The schema ``public`` without yoyo's own tables, in an order that does not depend on how it came to be."""
    lines: list[str] = []
    for title, query in _QUERIES:
        rows = connection.execute(query).fetchall()
        lines += [f"## {title}", *sorted(" | ".join(str(value) for value in row) for row in rows), ""]
    return "\n".join(lines)


_QUERIES = (
    (
        "columns",
        """
        SELECT table_name, column_name, data_type, is_nullable, coalesce(column_default, ''), is_identity
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name !~ 'yoyo'
        """,
    ),
    (
        "constraints",
        """
        SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text !~ 'yoyo' AND contype <> 'n'
        """,
    ),
    (
        "indexes",
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename !~ 'yoyo'",
    ),
    (
        "views",
        """
        SELECT oid::regclass, reloptions, regexp_replace(pg_get_viewdef(oid), '\\s+', ' ', 'g') FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
        """,
    ),
    (
        "functions",
        """
        SELECT proname, regexp_replace(pg_get_functiondef(oid), '\\s+', ' ', 'g') FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
        """,
    ),
    (
        "triggers",
        "SELECT tgrelid::regclass, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    ),
    (
        "row security",
        """
        SELECT oid::regclass, 'enabled ' || relrowsecurity, 'forced ' || relforcerowsecurity FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname !~ 'yoyo'
        """,
    ),
    (
        "policies",
        "SELECT tablename, policyname, cmd, qual, with_check FROM pg_policies WHERE schemaname = 'public'",
    ),
)


def main() -> None:
    """Write ``migrations/schema.txt`` from the migrations: ``make schema``."""
    import tempfile
    from pathlib import Path

    import psycopg

    from lti_tool import db
    from lti_tool.embedded.postgres import EmbeddedPostgres

    with tempfile.TemporaryDirectory(prefix="mlquiz-schema-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        server = EmbeddedPostgres(cluster=home / "postgres", sockets=home / "sockets", log=home / "postgres.log")
        server.start()
        try:
            db.upgrade(server.owner_conninfo)
            with psycopg.connect(server.owner_conninfo) as connection:
                text = describe_schema(connection)
        finally:
            server.stop()
    (db.MIGRATIONS_FOLDER / "schema.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
