"""Two roles of one database: the owner changes tables, the tool's role is bound; as an operator would set them up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config import load_settings
from config.settings import SettingsError
from lti_tool import db
from lti_tool.cli import main
from lti_tool.db import Database, fetch_value
from lti_tool.embedded import embedded_servers
from lti_tool.embedded.postgres import EmbeddedPostgres
from lti_tool.errors import DatabaseUnavailable, NotConfigured, RoleTooStrong, SchemaOutdated
from lti_tool.launch import platforms
from lti_tool.supervisor import running_tool

PRODUCTION = {
    "ENVIRONMENT": "production",
    "PUBLIC_URL": "https://quiz.example.edu",
    "ALLOW_PRIVATE_PLATFORMS": "false",
    "BROKER_URL": "redis://127.0.0.1:1/0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """An empty database of an ordinary owner, and a second role; the how-to's SQL made both."""

    owner: str
    tool: str


@pytest.fixture
def roles(postgres: EmbeddedPostgres) -> Iterator[Roles]:
    server = psycopg.connect(postgres.owner_conninfo, autocommit=True)
    with server as connection:
        connection.execute("CREATE ROLE school_owner LOGIN")
        connection.execute("CREATE ROLE school_tool LOGIN")
        connection.execute("CREATE DATABASE school OWNER school_owner")
        yield Roles(
            owner=make_conninfo(postgres.owner_conninfo, user="school_owner", dbname="school"),
            tool=make_conninfo(postgres.owner_conninfo, user="school_tool", dbname="school"),
        )
        connection.execute("DROP DATABASE school WITH (FORCE)")
        connection.execute("DROP ROLE school_owner")
        connection.execute("DROP ROLE school_tool")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``mlquiz`` in this process with these settings in its environment."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))

    def runs(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(main, arguments, env=environment)

    return runs


def registration_of(database: Database, name: str) -> int:
    with database.across_tenants() as connection:
        return platforms.add_platform(
            connection,
            issuer=f"https://{name}.example.edu",
            client_id="c",
            auth_login_url=f"https://{name}.example.edu/auth",
            auth_token_url=f"https://{name}.example.edu/token",
            jwks_url=f"https://{name}.example.edu/jwks",
            deployment_ids=["1"],
        ).id


def test_an_ordinary_owner_migrates_and_the_tool_works_as_the_other(run, roles: Roles) -> None:
    upgraded = run("db", "upgrade", DATABASE_URL=roles.tool, DATABASE_OWNER_URL=roles.owner)
    assert upgraded.exit_code == 0, upgraded.output
    assert db.weakness_of_role(roles.tool) == ""
    database = Database(roles.tool)
    first, second = (registration_of(database, name) for name in ("first", "second"))
    with database.transaction(first) as connection:
        assert fetch_value(connection, "SELECT array_agg(id) FROM registrations") == [first]
        assert fetch_value(connection, "SELECT array_agg(registration_id) FROM deployments") == [first]
    with database.across_tenants() as connection:
        assert fetch_value(connection, "SELECT array_agg(id ORDER BY id) FROM registrations") == [first, second]
    database.close()


def test_commands_need_the_owner_only_when_something_is_lacking(run, roles: Roles) -> None:
    early = run("platform", "list", DATABASE_URL=roles.tool)
    assert early.exit_code == 2
    assert "DATABASE_OWNER_URL" in early.stderr
    assert "0001_create_schema" in early.stderr
    db.upgrade(roles.owner, tool=roles.tool)
    assert run("platform", "list", DATABASE_URL=roles.tool).exit_code == 0
    assert run("db", "upgrade", DATABASE_URL=roles.tool).exit_code == 0


def test_a_database_of_one_role_works_on_and_takes_the_second_role_later(run, roles: Roles) -> None:
    """What the release before this one had: a single role that owns everything."""
    assert db.upgrade(roles.owner, tool=roles.owner, last="0001_create_schema") == ["0001_create_schema"]
    assert run("platform", "list", DATABASE_URL=roles.owner).exit_code == 0
    assert "owns the tables" in db.weakness_of_role(roles.owner)
    with pytest.raises(SchemaOutdated, match="may not read"):
        db.require_current_schema(roles.tool)
    assert db.upgrade(roles.owner, tool=roles.tool) == []
    db.require_current_schema(roles.tool)
    db.require_bound_role(roles.tool)


def test_a_migration_of_an_ordinary_owner_changes_the_rows_of_all_tenants(roles: Roles) -> None:
    """FORCE ROW LEVEL SECURITY binds the owner too, who would else update nothing and not notice."""
    db.upgrade(roles.owner, tool=roles.tool)
    database = Database(roles.tool)
    registration_of(database, "first")
    registration_of(database, "second")
    database.close()
    with db._migration_backend(roles.owner) as backend:
        assert backend.connection.execute("SELECT count(*) FROM registrations").fetchone() == (2,)
        backend.connection.rollback()
        assert backend.connection.execute("SELECT count(*) FROM registrations").fetchone() == (2,)
    with psycopg.connect(roles.owner) as connection:
        assert connection.execute("SELECT count(*) FROM registrations").fetchone() == (0,)


def test_the_owner_backs_up_all_tenants_and_restores_them(
    roles: Roles, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """With the option that the how-to names: without it the owner is refused, being bound as well."""
    db.upgrade(roles.owner, tool=roles.tool)
    database = Database(roles.tool)
    expected = [registration_of(database, name) for name in ("first", "second")]
    database.close()
    dump = [str(postgres._binaries / "pg_dump"), "--format=custom", f"--file={tmp_path / 'school.dump'}", roles.owner]
    refused = subprocess.run(dump, capture_output=True, text=True, check=False)
    assert "row-level security" in refused.stderr
    all_tenants = {**os.environ, "PGOPTIONS": "-c mlquiz.tenant=all"}
    subprocess.run([*dump, "--enable-row-security"], check=True, env=all_tenants)
    with psycopg.connect(postgres.owner_conninfo, autocommit=True) as connection:
        connection.execute("DROP DATABASE school WITH (FORCE)")
        connection.execute("CREATE DATABASE school OWNER school_owner")
    restore = [str(postgres._binaries / "pg_restore"), f"--dbname={roles.owner}", str(tmp_path / "school.dump")]
    subprocess.run([*restore, "--no-owner", "--exit-on-error"], check=True)
    assert db.upgrade(roles.tool) == []
    assert db.weakness_of_role(roles.tool) == ""
    database = Database(roles.tool)
    with database.across_tenants() as connection:
        assert fetch_value(connection, "SELECT array_agg(id ORDER BY id) FROM registrations") == expected
    with database.transaction(expected[0]) as connection:
        assert fetch_value(connection, "SELECT array_agg(id) FROM registrations") == expected[:1]
    database.close()


def test_two_addresses_of_different_databases_are_noticed(roles: Roles, database_url: str, owner_url: str) -> None:
    elsewhere = make_conninfo(owner_url, dbname="postgres", user=conninfo_to_dict(database_url)["user"])
    with pytest.raises(NotConfigured, match="different databases"):
        db.upgrade(owner_url, tool=elsewhere)


def test_a_tools_role_that_does_not_exist_is_a_sentence(roles: Roles) -> None:
    with pytest.raises(DatabaseUnavailable, match="nobody_here"):
        db.upgrade(roles.owner, tool=make_conninfo(roles.tool, user="nobody_here"))
    with pytest.raises(DatabaseUnavailable, match="nobody_here"):
        db.weakness_of_role(make_conninfo(roles.tool, user="nobody_here"))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("ALTER ROLE school_tool SUPERUSER", "superuser"),
        ("ALTER ROLE school_tool BYPASSRLS", "bypasses"),
        ("ALTER ROLE school_tool CREATEROLE", "make roles"),
        ("GRANT school_owner TO school_tool", "owns the tables"),
        ("ALTER ROLE school_owner BYPASSRLS; GRANT school_owner TO school_tool", "bypasses"),
    ],
    ids=["superuser", "bypassrls", "createrole", "member of the owner", "member of a role that bypasses"],
)
def test_each_way_around_row_level_security_is_found(
    roles: Roles, postgres: EmbeddedPostgres, change: str, named: str
) -> None:
    db.upgrade(roles.owner, tool=roles.tool)
    with psycopg.connect(postgres.owner_conninfo, autocommit=True) as connection:
        connection.execute(change)  # pyright: ignore
    assert named in db.weakness_of_role(roles.tool)
    with pytest.raises(RoleTooStrong, match="DATABASE_OWNER_URL"):
        db.require_bound_role(roles.tool)


@pytest.mark.parametrize("command", [("web",), ("worker", "--queue", "deliver")], ids=["web", "worker"])
def test_production_refuses_to_start_as_the_owner(run, owner_url: str, command: tuple[str, ...]) -> None:
    refused = run(*command, DATABASE_URL=owner_url, **PRODUCTION)
    assert refused.exit_code == 2
    assert "superuser" in refused.stderr
    assert "DATABASE_URL" in refused.stderr
    assert "DATABASE_OWNER_URL" in refused.stderr


def test_production_refuses_to_run_everything_as_the_owner(owner_url: str, tmp_path: Path) -> None:
    values = {name.lower(): value for name, value in PRODUCTION.items()}
    settings = load_settings(**values, database_url=owner_url, data_dir=tmp_path / "data")
    with pytest.raises(RoleTooStrong, match="DATABASE_OWNER_URL"), running_tool(settings):
        pass
    assert not (tmp_path / "data" / "logs").exists()


def test_an_owner_without_the_tools_address_is_refused() -> None:
    with pytest.raises(SettingsError, match="DATABASE_OWNER_URL needs DATABASE_URL"):
        load_settings(database_owner_url="postgresql://owner@localhost/school")


def test_the_embedded_server_of_an_older_release_gets_the_tools_role(
    postgres: EmbeddedPostgres, tmp_path: Path, roles: Roles
) -> None:
    """An older release made the cluster, its database and tables as one role; the next start takes them over."""
    settings = load_settings(data_dir=tmp_path / "data", broker_url="redis://127.0.0.1:1/0")
    with embedded_servers(settings, broker=False) as servers:
        with psycopg.connect(servers.database_owner, autocommit=True) as connection:
            connection.execute("DROP ROLE mlquiz_tool")
        db.upgrade(servers.database_owner, last="0001_create_schema")
    with embedded_servers(settings, broker=False) as servers:
        assert db.upgrade(servers.database_owner, tool=servers.database)
        db.require_current_schema(servers.database)
        assert db.weakness_of_role(servers.database) == ""
