"""``mlquiz doctor``: each part looked at, what is wrong named with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from config import Settings, load_settings
from lti_tool.db import Database
from lti_tool.doctor import Finding, examine
from lti_tool.embedded.valkey import EmbeddedValkey
from lti_tool.training.store import add_run


@pytest.fixture
def valkey(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("v")
    server = EmbeddedValkey(folder / "data", folder)
    server.start()
    yield server
    server.stop()


def findings(settings: Settings) -> dict[str, Finding]:
    return {finding.part: finding for finding in examine(settings)}


@pytest.fixture
def healthy(database_url: str, valkey: EmbeddedValkey, tiny_encoder_folder: Path, tmp_path: Path) -> dict[str, object]:
    return {
        "database_url": database_url,
        "broker_url": valkey.url,
        "grader_model": str(tiny_encoder_folder),
        "explainer": "template",
        "data_dir": tmp_path / "data",
    }


def test_a_healthy_tool_has_no_complaint(healthy: dict[str, object]) -> None:
    found = findings(load_settings(**healthy))
    assert [finding for finding in found.values() if not finding.ok] == []
    assert set(found) >= {"PostgreSQL", "schema", "broker", "S-BERT encoder", "explainer", "secret key", "data folder"}


def test_a_training_that_no_worker_takes_is_named(healthy: dict[str, object], database: Database) -> None:
    with database.across_tenants() as connection:
        number = add_run(connection, "GRADER", by="ada")
        connection.execute("UPDATE training_runs SET queued_at = queued_at - interval '1 minute'")
    found = findings(load_settings(**healthy))["trainings"]
    assert not found.ok
    assert f"run {number} waits" in found.detail
    assert "mlquiz worker --queue train" in found.advice


@pytest.mark.parametrize(
    ("change", "part", "advice"),
    [
        ({"database_url": "host=127.0.0.1 port=1 dbname=x connect_timeout=1"}, "PostgreSQL", "DATABASE_URL"),
        ({"broker_url": "redis://127.0.0.1:1/0"}, "broker", "BROKER_URL"),
        ({"grader_model": "/nowhere/at/all"}, "S-BERT encoder", "GRADER_MODEL"),
        ({"explainer": "server", "explainer_url": "http://127.0.0.1:1/v1"}, "explainer", "EXPLAINER"),
        ({"explainer": "local", "explainer_model": "/nowhere"}, "explainer", "EXPLAINER_MODEL"),
        ({"public_url": "http://quiz.example.edu"}, "public address", "https"),
    ],
)
def test_a_broken_part_is_named_with_advice(
    healthy: dict[str, object], change: dict[str, object], part: str, advice: str
) -> None:
    found = findings(load_settings(**(healthy | change)))
    assert not found[part].ok
    assert found[part].detail
    assert advice in found[part].advice
    others = {name for name, finding in found.items() if not finding.ok} - {part}
    assert others <= {"schema", "database role", "model versions", "trainings"}, (
        "one broken part must not drag others along"
    )


def test_an_outdated_schema_is_named(healthy: dict[str, object], empty_database_url: str) -> None:
    found = findings(load_settings(**(healthy | {"database_url": empty_database_url})))
    assert not found["schema"].ok
    assert "mlquiz db upgrade" in found["schema"].advice


def test_an_explainer_server_that_answers_is_fine(healthy: dict[str, object], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models", headers={"Authorization": "Bearer key"}).respond_with_json({"data": []})
    change = {"explainer": "server", "explainer_url": httpserver.url_for("/v1"), "explainer_api_key": "key"}
    assert findings(load_settings(**(healthy | change)))["explainer"].ok


def test_a_secret_that_others_can_read_is_named(healthy: dict[str, object], tmp_path: Path) -> None:
    settings = load_settings(**healthy)
    findings(settings)
    (tmp_path / "data" / "secret.key").chmod(0o644)
    assert "chmod 600" in findings(settings)["secret key"].detail


PRODUCTION = {
    "environment": "production",
    "public_url": "https://quiz.example.edu",
    "allow_private_platforms": False,
}


def test_a_role_that_is_bound_by_row_level_security_is_told(healthy: dict[str, object]) -> None:
    found = findings(load_settings(**healthy))["database role"]
    assert (found.ok, found.detail) == (True, "row-level security keeps tenants apart")


def test_a_role_that_is_not_bound_is_told_and_in_production_wrong(healthy: dict[str, object], owner_url: str) -> None:
    weak = healthy | {"database_url": owner_url}
    at_home = findings(load_settings(**weak))["database role"]
    assert at_home.ok
    assert "superuser" in at_home.detail
    in_production = findings(load_settings(**(weak | PRODUCTION)))["database role"]
    assert not in_production.ok
    assert "superuser" in in_production.detail
    assert "DATABASE_URL" in in_production.advice
    assert "DATABASE_OWNER_URL" in in_production.advice
