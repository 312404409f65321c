"""One school for a file of tests, and its last test last: only then every rule has had its chance."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from config import Settings, load_settings
from lti_tool.embedded.postgres import EmbeddedPostgres
from tests.conftest import conninfo_for, owner_conninfo_for

LAST = "test_no_rule_was_idle"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The last test of each file goes to the end of it, however the others were shuffled."""
    for item in [item for item in items if item.name == LAST]:
        last_of_file = max(index for index, other in enumerate(items) if other.path == item.path)
        items.insert(last_of_file, items.pop(items.index(item)))


@pytest.fixture
def _all_of_this_file(request: pytest.FixtureRequest) -> None:
    """Skips where only some tests of the file run: rules are idle then."""
    module = request.module
    wanted = {name for name in vars(module) if name.startswith("test_")}
    running = {item.originalname for item in request.session.items if getattr(item, "module", None) is module}  # pyright: ignore[reportAttributeAccessIssue]
    if wanted - running:
        pytest.skip("not all tests of this file run")


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    """Changes that last as long as the school."""
    with pytest.MonkeyPatch.context() as patching:
        yield patching


@pytest.fixture(scope="module")
def school_settings(
    postgres: EmbeddedPostgres, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings with a database of this file's own."""
    name = Identifier(f"school_{request.module.__name__.rpartition('.')[2]}")
    with psycopg.connect(owner_conninfo_for(postgres, "postgres"), autocommit=True) as connection:
        connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        connection.execute(SQL("CREATE DATABASE {} TEMPLATE template_mlquiz").format(name))
    yield load_settings(
        _env_file=None,
        database_url=conninfo_for(postgres, name.as_string().strip('"')),
        data_dir=tmp_path_factory.mktemp("school") / "data",
        secret_key="a test's secret of more than thirty-two characters",
        log_level="WARNING",
    )
    with psycopg.connect(owner_conninfo_for(postgres, "postgres"), autocommit=True) as connection:
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(name))
