"""The two platforms, started once a process, and the scene that every test of the matrix plays in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg import sql
from pytest_httpserver import HTTPServer

from config.settings import Settings
from lti_tool import create_app
from lti_tool.db import Database
from lti_tool.embedded.postgres import EmbeddedPostgres
from lti_tool.launch import platforms
from lti_tool.launch.rates import MinuteLimit
from lti_tool.launch.views import LOGINS_PER_MINUTE, REFUSALS_PER_MINUTE
from tests.conftest import owner_conninfo_for
from tests.fake_platform import _launch_database, client
from tests.matrix.rows import documented_rows, row_of
from tests.matrix.scene import KeyFront, Scene, tenant_tables
from tests.platforms.matrix_platform import MatrixPlatform
from tests.platforms.open_edx import OpenEdxPlatform
from tests.platforms.practice import PracticePlatform

__all__ = ["_launch_database", "client"]

# The address that the settings of tests give the tool.
TOOL_URL = "http://localhost:8400"


@pytest.fixture(scope="session")
def practice_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MatrixPlatform]:
    """The practice LMS, for all tests of this process."""
    platform = PracticePlatform(tmp_path_factory.mktemp("practice"), TOOL_URL)
    yield platform
    platform.stop()


@pytest.fixture(scope="session")
def openedx_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MatrixPlatform]:
    """Open edX, for all tests of this process."""
    platform = OpenEdxPlatform(tmp_path_factory.mktemp("openedx"), TOOL_URL)
    yield platform
    platform.stop()


@pytest.fixture(params=["practice", "openedx"])
def platform(request: pytest.FixtureRequest) -> MatrixPlatform:
    """Each of the two platforms in turn."""
    return cast("MatrixPlatform", request.getfixturevalue(f"{request.param}_platform"))


@pytest.fixture(scope="session")
def owner(_launch_database: str, postgres: EmbeddedPostgres) -> Iterator[psycopg.Connection]:
    with psycopg.connect(owner_conninfo_for(postgres, "launches"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def database_url(_launch_database: str, owner: psycopg.Connection) -> str:
    """The conninfo of an empty, migrated database. Deleting a few rows is much quicker than truncating all tables."""
    with owner.transaction():
        # Neither foreign keys nor the triggers of append-only tables stand in the way.
        owner.execute("SET LOCAL session_replication_role = replica")
        for table in tenant_tables(owner):
            owner.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    return _launch_database


@pytest.fixture(scope="session")
def _apps() -> Iterator[list[Flask]]:
    apps: list[Flask] = []
    yield apps
    for made in apps:
        made.extensions["mlquiz"].database.close()


@pytest.fixture
def app(settings: Settings, _apps: list[Flask]) -> Flask:
    """The whole tool, made once a process: compiling its templates takes longer than a launch."""
    if not _apps:
        _apps.append(create_app(settings))
    kept = _apps[0].extensions["mlquiz.launch"]
    _apps[0].extensions["mlquiz.launch"] = replace(
        kept, login_limit=MinuteLimit(LOGINS_PER_MINUTE), refusal_limit=MinuteLimit(REFUSALS_PER_MINUTE)
    )
    return _apps[0]


@pytest.fixture
def scene(
    request: pytest.FixtureRequest,
    platform: MatrixPlatform,
    httpserver: HTTPServer,
    database: Database,
    settings: Settings,
    app: Flask,
    client: FlaskClient,
    owner: psycopg.Connection,
) -> Scene:
    """The platform registered at the tool, its deployment active, its key set behind a front that tests control."""
    keys = KeyFront(platform, httpserver.url_for("/keys"))
    httpserver.expect_request("/keys").respond_with_handler(keys.serve)
    assert settings.base_url == TOOL_URL
    told = platform.registration
    with database.across_tenants() as connection:
        registration = platforms.add_platform(
            connection,
            issuer=told.issuer,
            client_id=told.client_id,
            auth_login_url=told.auth_login_url,
            auth_token_url=told.auth_token_url,
            jwks_url=keys.url,
            deployment_ids=[told.deployment_id],
        )
    return Scene(
        platform=platform,
        keys=keys,
        registration=registration,
        database=database,
        owner=owner,
        settings=settings,
        app=app,
        browser=client,
        documented=documented_rows().get(row_of(request.node.name)),
    )
