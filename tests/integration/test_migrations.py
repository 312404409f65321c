"""The schema: built from nothing by all migrations, equal to the one written down, safe to upgrade at once."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import psycopg
import pytest

from lti_tool import db
from lti_tool.errors import DatabaseUnavailable, SchemaOutdated
from tests.schema_dump import describe_schema

WRITTEN_SCHEMA = db.MIGRATIONS_FOLDER / "schema.txt"


def test_all_migrations_together_build_exactly_the_schema_written_down(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        built = describe_schema(connection)
    assert built == WRITTEN_SCHEMA.read_text(encoding="utf-8"), (
        "the migrations build another schema than migrations/schema.txt: run `make schema` and look at the difference"
    )


def test_an_empty_database_lacks_every_migration_and_then_none(empty_database_url: str) -> None:
    names = sorted(path.stem for path in db.MIGRATIONS_FOLDER.glob("*.sql"))
    assert db.pending_migrations(empty_database_url) == names
    with pytest.raises(SchemaOutdated, match="mlquiz db upgrade"):
        db.require_current_schema(empty_database_url)
    assert db.upgrade(empty_database_url) == names
    assert db.upgrade(empty_database_url) == []
    db.require_current_schema(empty_database_url)


def test_several_processes_may_upgrade_at_once(empty_database_url: str) -> None:
    applied: list[list[str]] = []
    threads = [threading.Thread(target=lambda: applied.append(db.upgrade(empty_database_url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(applied) == 4
    assert sum(len(names) > 0 for names in applied) == 1


def test_an_upgrade_killed_inside_its_lock_does_not_block_the_next(empty_database_url: str) -> None:
    db.upgrade(empty_database_url, last="0001_create_schema")
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 999999)")
    assert db.upgrade(empty_database_url)


def test_an_applied_migration_is_never_edited() -> None:
    """yoyo does not notice an edited file; this list does. Add a line for a new migration, never change one."""
    released = {
        # name: sha256 of the file as it was released. 0002 is not released yet.
        "0001_create_schema": "809136ac6d128aed6a715a8dde8fb7ff7a2fc1fadbd37ba285420744f53de53e",
    }
    for name, digest in released.items():
        text = (db.MIGRATIONS_FOLDER / f"{name}.sql").read_bytes()
        assert hashlib.sha256(text).hexdigest() == digest, f"{name} was changed after its release"
    assert set(released) <= {path.stem for path in db.MIGRATIONS_FOLDER.glob("*.sql")}


def test_a_database_that_is_away_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="PostgreSQL does not answer"):
        db.upgrade(f"host={tmp_path} user=nobody dbname=nothing")


@pytest.mark.parametrize("table", ["audit_events", "grades", "key_point_verdicts", "explanations", "delivery_events"])
def test_append_only_tables_refuse_changes(database_url: str, table: str) -> None:
    with psycopg.connect(database_url) as connection:
        triggers = connection.execute(
            "SELECT count(*) FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = 'append_only'", (table,)
        ).fetchone()
    assert triggers == (1,)


def test_an_audit_event_cannot_be_changed_or_deleted(owner_url: str) -> None:
    """Not even by the owner of the table; the tool's role lacks the right as well (test_row_level_security.py)."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("INSERT INTO audit_events (event) VALUES ('LAUNCHED')")
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            connection.execute("UPDATE audit_events SET event = 'other'")
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            connection.execute("DELETE FROM audit_events")


def test_each_migration_runs_on_the_data_of_the_one_before_and_keeps_it(empty_database_url: str) -> None:
    """Every migration has a file of rows as its version left them; the next one must take them over whole."""
    folder = Path(__file__).parent / "migration_data"
    names = sorted(path.stem for path in db.MIGRATIONS_FOLDER.glob("*.sql"))
    assert sorted(path.stem for path in folder.glob("*.sql")) == names, "a migration lacks its file of rows"
    for name in names:
        db.upgrade(empty_database_url, last=name)
        with psycopg.connect(empty_database_url) as connection:
            connection.execute((folder / f"{name}.sql").read_text(encoding="utf-8"))  # pyright: ignore
    assert db.pending_migrations(empty_database_url) == []
    with psycopg.connect(empty_database_url) as connection:
        totals = connection.execute(
            "SELECT status, points, max_points, stuck_answers FROM attempts JOIN attempt_totals ON attempt_id = id"
            " ORDER BY status"
        ).fetchall()
        answers = connection.execute("SELECT answer FROM submissions ORDER BY id").fetchall()
        have_asked = connection.execute("SELECT DISTINCT has_asked FROM contexts").fetchall()
        asked = connection.execute("SELECT DISTINCT versions FROM rewordings WHERE outcome = 'SERVED'").fetchall()
    assert [(status, int(points), int(maximum), stuck) for status, points, maximum, stuck in totals] == [
        ("GRADED", 1, 6, 0),
        ("OPEN", 0, 6, 0),
        ("SUBMITTED", 0, 6, 1),
    ]
    assert [answer for (answer,) in answers] == ["An answer, 답, 🙂", "Waits", "Waits", "Half a sen"]
    assert have_asked == [(True,)], "courses that asked their students are known afterwards"
    assert asked == [({"explainer": "x"},)], "the explainers of texts that were taken are known afterwards"
