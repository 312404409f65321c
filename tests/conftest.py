"""What all tests share: a PostgreSQL of their own with a fresh database a test, settings, and a clean environment."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from importlib.metadata import distributions
from pathlib import Path

import psycopg
import pylti1p3
import pytest
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from pytest_httpserver import HTTPServer

from config import Settings, load_settings
from lti_tool import db
from lti_tool.db import Database
from lti_tool.embedded.postgres import EmbeddedPostgres

pytest_plugins = ["tests.conftest_models", "tests.conftest_lm"]

os.environ.setdefault("HF_HUB_OFFLINE", "1")

_TEMPLATE = "template_mlquiz"


class CompiledTemplates(BytecodeCache):
    """Templates that were compiled in this process: nearly every test has an application of its own."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._compiled:
            bucket.bytecode_from_string(self._compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key] = bucket.bytecode_to_string()


Flask.jinja_options = {"bytecode_cache": CompiledTemplates()}


def pytest_report_header() -> str:
    """Which LTI library is tested; it stops the run where that is not the one that was asked for."""
    wanted = os.environ.get("MLQUIZ_LTI_LIBRARY", "pylti1p3")
    folder = Path(pylti1p3.__file__).parent.parent
    found = [each for each in distributions(path=[str(folder)]) if each.name.lower() == wanted]
    if not found:
        pytest.exit(f"{wanted} was asked for, but pylti1p3 comes from {folder}", returncode=4)
    return f"LTI library: {found[0].name} {found[0].version}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules that take minutes come first: the other process then has the many short ones to share the end with."""
    items.sort(key=lambda item: not any(item.get_closest_marker(name) for name in ("stack", "browser", "slow")))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine reaches a test, and no test writes into the checkout's data folder."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server for the test session, without fsync, with a migrated template database."""
    # Directly under the temporary folder: the server's account must be able to get there when root runs the tests.
    with tempfile.TemporaryDirectory(prefix="mlquiz-test-", dir=_quick_folder(), ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        server = EmbeddedPostgres(
            cluster=home / "postgres",
            sockets=home / "sockets",
            log=home / "postgres.log",
            options=(
                "-c",
                "fsync=off",
                "-c",
                "synchronous_commit=off",
                "-c",
                "full_page_writes=off",
                "-c",
                "max_wal_size=128MB",
            ),
        )
        server.start()
        try:
            with _admin(server) as connection:
                connection.execute(f"CREATE DATABASE {_TEMPLATE}")
            db.upgrade(owner_conninfo_for(server, _TEMPLATE), tool=conninfo_for(server, _TEMPLATE))
            yield server
        finally:
            server.stop()


def _quick_folder() -> str | None:
    """Memory that looks like a folder, where there is enough: a test copies some hundred files to have its database."""
    memory = Path("/dev/shm")  # Linux
    is_enough = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 * 2**30
    return str(memory) if is_enough else None


@pytest.fixture
def database_url(postgres: EmbeddedPostgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """The conninfo of a fresh, migrated database, as the role that the tool works as."""
    name = f"test_{abs(hash(request.node.nodeid)):x}"
    with _admin(postgres) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        # Copying files takes a third of the time of PostgreSQL's default, which writes all of it to its log.
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY FILE_COPY")
    yield conninfo_for(postgres, name)
    with _admin(postgres) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def owner_url(postgres: EmbeddedPostgres, database_url: str) -> str:
    """The same database as ``database_url``, as the role that owns the tables: row-level security does not bind it."""
    return owner_conninfo_for(postgres, str(psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]))


@pytest.fixture
def empty_database_url(postgres: EmbeddedPostgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """The conninfo of a database without any table, as its owner."""
    name = f"empty_{abs(hash(request.node.nodeid)):x}"
    with _admin(postgres) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    yield owner_conninfo_for(postgres, name)
    with _admin(postgres) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh, migrated database with its pool."""
    opened = Database(database_url, max_connections=8)
    yield opened
    opened.close()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings that point at the test's own database and folder."""
    return load_settings(
        _env_file=None,
        database_url=database_url,
        broker_url="redis+socket:///nowhere/valkey.sock",
        data_dir=tmp_path / "data",
        secret_key="a test's secret of more than thirty-two characters",
    )


@pytest.fixture
def httpserver(make_httpserver: HTTPServer) -> Iterator[HTTPServer]:
    """One server for all tests, which answers one request at a time.

    A request that its sender gave up on waits in line still: it must be over before the next test's come.
    """
    make_httpserver.clear()
    yield make_httpserver
    if make_httpserver.is_running():
        with suppress(OSError), closing(HTTPConnection(make_httpserver.host, make_httpserver.port, timeout=10)) as last:
            last.request("GET", "/last-in-line")
            last.getresponse().read()
    make_httpserver.clear()


def conninfo_for(server: EmbeddedPostgres, name: str) -> str:
    """The conninfo of another database of the server, as the tool's role."""
    return psycopg.conninfo.make_conninfo(server.conninfo, dbname=name)


def owner_conninfo_for(server: EmbeddedPostgres, name: str) -> str:
    """The conninfo of another database of the server, as the owner of the tables (here a superuser)."""
    return psycopg.conninfo.make_conninfo(server.owner_conninfo, dbname=name)


def _admin(server: EmbeddedPostgres) -> psycopg.Connection:
    return psycopg.connect(owner_conninfo_for(server, "postgres"), autocommit=True)
