"""``mlquiz doctor --platform``: the connection with a platform looked at, each fault named with who mends it where."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from click.testing import CliRunner
from flask import Flask
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response
from werkzeug.serving import make_server

from config.settings import Settings, load_settings
from lti_tool import create_app
from lti_tool.admin.events import refusals
from lti_tool.cli import main
from lti_tool.db import Database
from lti_tool.demo import quiz_in_course
from lti_tool.demo.practice import PracticeLms
from lti_tool.demo.script import INSTRUCTOR
from lti_tool.demo.visitor import Visitor
from lti_tool.doctor import Finding
from lti_tool.launch import keys
from lti_tool.launch.platforms import (
    Registration,
    add_pending_deployment,
    add_platform,
    disable_registration,
    get_registration,
    list_registrations,
)
from lti_tool.platform_advice import Topic, advice
from lti_tool.platform_check import COLUMN, COLUMN_READ, RESULT, ROSTER, SCORE, PlatformCheck
from lti_tool.secrets import app_secret
from tests.fake_platform import _launch_database, database_url
from tests.lms.conftest import RunningLms, practice_lms, running_lms

__all__ = ["_launch_database", "database_url", "practice_lms", "running_lms"]

ALL_SCOPES = {SCORE, RESULT, COLUMN, COLUMN_READ, ROSTER}
PLATFORM_KEY = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": "AQAB", "e": "AQAB"}


@pytest.fixture(scope="module")
def tool(_launch_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The tool on a port of its own, on the database that each test finds empty."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    settings = load_settings(
        _env_file=None,
        database_url=_launch_database,
        broker_url="redis+socket:///nowhere/valkey.sock",
        data_dir=tmp_path_factory.mktemp("data"),
        secret_key="a test's secret of more than thirty-two characters",
        web_port=port,
    )
    app = create_app(settings)
    server = make_server("localhost", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield app
    server.shutdown()
    thread.join()
    server.server_close()
    app.extensions["mlquiz"].database.close()


@pytest.fixture
def tool_settings(tool: Flask) -> Settings:
    return tool.extensions["mlquiz"].settings


@dataclass
class ScriptedPlatform:
    """A platform over HTTP that does what a test says; by default all is well."""

    server: HTTPServer
    scopes: set[str] = field(default_factory=lambda: set(ALL_SCOPES))
    answers: dict[str, Response] = field(default_factory=dict)
    tokens_asked: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return self.server.url_for("").rstrip("/")

    def serve(self) -> None:
        for name in ("jwks", "token", "lineitems", "members"):
            self.server.expect_request(f"/{name}").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        name = request.path.strip("/")
        if name == "token":
            scope = parse_qs(request.get_data(as_text=True))["scope"][0]
            self.tokens_asked.append(scope)
        if name in self.answers:
            return self.answers[name]
        if name == "jwks":
            return as_json({"keys": [PLATFORM_KEY, PLATFORM_KEY | {"alg": "ES256", "kty": "EC"}]})
        if name == "token":
            if scope not in self.scopes:
                return as_json({"error": "invalid_scope", "error_description": "ask Ada Lovelace"}, 400)
            return as_json({"access_token": f"secret-token-{scope[-6:]}", "token_type": "Bearer", "expires_in": 3600})
        assert request.headers["Authorization"].startswith("Bearer secret-token-")
        if name == "lineitems":
            return as_json([{"id": f"{self.issuer}/lineitems/4", "label": "Week 3", "resourceLinkId": "link-1"}])
        return as_json({"members": [{"user_id": "1", "name": "Ada Lovelace"}, {"user_id": "2"}]})


def as_json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")


@pytest.fixture
def platform(httpserver: HTTPServer) -> ScriptedPlatform:
    made = ScriptedPlatform(httpserver)
    made.serve()
    return made


def registered(database: Database, platform: ScriptedPlatform, **changes: Any) -> Registration:
    values = {
        "name": "Our Moodle",
        "family": "moodle",
        "issuer": platform.issuer,
        "client_id": "client-9",
        "auth_login_url": f"{platform.issuer}/auth",
        "auth_token_url": f"{platform.issuer}/token",
        "jwks_url": f"{platform.issuer}/jwks",
        "deployment_ids": ["1"],
    } | changes
    with database.across_tenants() as connection:
        return add_platform(connection, **values)


def opened_quiz(database: Database, registration: Registration, platform: ScriptedPlatform, **changes: Any) -> None:
    """A placement as a launch would leave it."""
    values = {
        "line_items_url": f"{platform.issuer}/lineitems",
        "line_item_url": f"{platform.issuer}/lineitems/4",
        "ags_scopes": [SCORE, RESULT, COLUMN_READ],
        "memberships_url": f"{platform.issuer}/members",
        "link": "link-1",
    } | changes
    with database.transaction(registration.id) as connection:
        connection.execute(
            "INSERT INTO contexts (deployment_id, platform_context_id, title, memberships_url)"
            " SELECT id, %s, 'Machine learning', %s FROM deployments LIMIT 1",
            (values["link"], values["memberships_url"]),
        )
        connection.execute(
            "INSERT INTO resource_links"
            " (context_id, platform_link_id, title, line_item_url, line_items_url, ags_scopes)"
            " SELECT max(id), %s, 'Week 3', %s, %s, %s FROM contexts",
            (values["link"], values["line_item_url"], values["line_items_url"], values["ags_scopes"]),
        )


def looked_at(settings: Settings, database: Database, registration: Registration) -> dict[str, Finding]:
    return {finding.part: finding for finding in PlatformCheck(settings, database).examine(registration)}


def problems(found: dict[str, Finding]) -> set[str]:
    return {part for part, finding in found.items() if not finding.ok}


# All is well ------------------------------------------------------------------------------------------------------


def test_a_whole_connection_has_no_complaint(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform
) -> None:
    registration = registered(database, platform)
    opened_quiz(database, registration, platform)
    found = looked_at(tool_settings, database, registration)
    assert problems(found) == set()
    assert list(found) == [
        "registration",
        "platform's keys",
        "our keys",
        "token: scores",
        "token: results",
        "token: columns",
        "token: roster",
        "gradebook",
        "roster",
        "deployments",
    ]
    assert found["platform's keys"].detail == "2 keys, 1 for RS256"
    assert found["gradebook"].detail == "1 columns, one for “Week 3”"
    assert found["roster"].detail == "2 people on its first page"
    assert not any(finding.advice for finding in found.values())


def test_neither_tokens_nor_names_of_people_are_in_a_finding(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform
) -> None:
    registration = registered(database, platform)
    opened_quiz(database, registration, platform)
    platform.scopes -= {ROSTER, RESULT}
    said = repr(looked_at(tool_settings, database, registration))
    assert "secret-token" not in said
    assert "Lovelace" not in said


def test_each_check_asks_for_new_tokens_and_leaves_the_kept_ones_alone(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform
) -> None:
    registration = registered(database, platform)
    looked_at(tool_settings, database, registration)
    looked_at(tool_settings, database, registration)
    assert platform.tokens_asked == [SCORE, RESULT, COLUMN, ROSTER] * 2
    with database.across_tenants() as connection:
        assert connection.execute("SELECT count(*) FROM access_tokens").fetchone() == (0,)


def test_the_practice_lms_is_found_whole_after_a_launch_and_its_missing_scope_is_named(
    tool: Flask, tool_settings: Settings, database: Database, practice_lms: RunningLms
) -> None:
    lms = PracticeLms(practice_lms.issuer, practice_lms.folder)
    lms.register(tool_settings, database)
    with database.across_tenants() as connection:
        (registration,) = list_registrations(connection)
    before = looked_at(tool_settings, database, registration)
    assert problems(before) == set()
    assert "nobody has opened a quiz yet" in before["gradebook"].detail
    activity = quiz_in_course(lms)
    Visitor(lms_url=lms.url, slug=INSTRUCTOR).launches(activity.id)
    after = looked_at(tool_settings, database, registration)
    assert problems(after) == set()
    assert activity.title in after["gradebook"].detail
    people = len(practice_lms.admin("GET", "course").json()["people"])
    assert after["roster"].detail == f"{people} people on its first page"

    application = {
        "name": "mlquiz",
        "login_url": f"{tool_settings.base_url}/lti/login/{registration.login_key}",
        "launch_url": f"{tool_settings.base_url}/lti/launch",
        "deep_link_url": f"{tool_settings.base_url}/lti/launch",
        "jwks_url": f"{tool_settings.base_url}/lti/jwks.json",
        "scopes": [SCORE, RESULT, COLUMN_READ],
    }
    assert practice_lms.admin("POST", "tool", json=application).status_code == 200
    without_roster = looked_at(tool_settings, database, registration)
    assert problems(without_roster) == {"token: roster"}
    assert "invalid_scope" in without_roster["token: roster"].detail
    assert "Names and Role Provisioning" in without_roster["token: roster"].advice


# Registration and deployments -------------------------------------------------------------------------------------


def test_a_disabled_registration_is_named(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform
) -> None:
    registration = registered(database, platform)
    with database.across_tenants() as connection:
        disable_registration(connection, registration.id)
        registration = get_registration(connection, registration.id)
    found = looked_at(tool_settings, database, registration)
    assert problems(found) == {"registration"}
    assert f"mlquiz platform enable {registration.id}" in found["registration"].advice


def test_a_waiting_deployment_is_named_with_the_command_that_accepts_it(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform
) -> None:
    registration = registered(database, platform)
    with database.across_tenants() as connection:
        add_pending_deployment(connection, registration.id, "42:abc")
    finding = looked_at(tool_settings, database, registration)["deployments"]
    assert not finding.ok
    assert "42:abc" in finding.detail
    assert f"mlquiz platform approve {registration.id} --deployment-id 42:abc" in finding.advice


def test_before_the_first_launch_what_cannot_be_looked_at_is_no_problem(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform
) -> None:
    found = looked_at(tool_settings, database, registered(database, platform, deployment_ids=[]))
    assert problems(found) == set()
    for part in ("gradebook", "roster", "deployments"):
        assert found[part].detail.startswith("not looked at")
        assert "Open a quiz" in found[part].advice


# Keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (Response("gone", status=404), "404"),
        (Response("<html>", content_type="text/html"), "no JSON"),
        (as_json({"keys": "none"}), "no key set"),
        (as_json([]), "no key set"),
        (as_json({"keys": []}), "0 keys, none of them"),
        (as_json({"keys": [PLATFORM_KEY | {"alg": "RS512"}, PLATFORM_KEY | {"use": "enc"}]}), "2 keys, none of them"),
    ],
    ids=["404", "a page", "no list", "no object", "no key", "no key for RS256"],
)
def test_a_broken_key_set_of_the_platform_is_named(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform, answer: Response, detail: str
) -> None:
    platform.answers["jwks"] = answer
    finding = looked_at(tool_settings, database, registered(database, platform))["platform's keys"]
    assert not finding.ok
    assert detail in finding.detail
    assert f"{platform.issuer}/mod/lti/certs.php" in finding.advice


def test_a_platform_that_does_not_answer_is_named_once_for_all_tokens(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform
) -> None:
    nowhere = "http://127.0.0.1:1"
    registration = registered(database, platform, jwks_url=f"{nowhere}/jwks", auth_token_url=f"{nowhere}/token")
    found = looked_at(tool_settings, database, registration)
    assert problems(found) == {"platform's keys", "access token"}
    assert "does not answer" in found["access token"].detail
    assert "token.php" in found["access token"].advice


def test_our_key_set_that_cannot_be_fetched_is_named(
    settings: Settings, database: Database, platform: ScriptedPlatform
) -> None:
    stopped = settings.model_copy(update={"web_port": 1})
    finding = looked_at(stopped, database, registered(database, platform))["our keys"]
    assert not finding.ok
    assert "mlquiz up" in finding.advice


def test_a_foreign_key_set_at_our_address_is_named(
    settings: Settings, database: Database, platform: ScriptedPlatform, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/lti/jwks.json").respond_with_json({"keys": [PLATFORM_KEY]})
    elsewhere = settings.model_copy(update={"public_url": platform.issuer})
    finding = looked_at(elsewhere, database, registered(database, platform))["our keys"]
    assert not finding.ok
    assert "other keys" in finding.detail


def test_a_local_address_is_no_address_for_a_real_platform(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform
) -> None:
    finding = looked_at(tool_settings, database, registered(database, platform, issuer="https://moodle.example.edu"))
    assert not finding["our keys"].ok
    assert "PUBLIC_URL" in finding["our keys"].advice


def test_a_signing_key_that_cannot_be_read_is_named(
    settings: Settings, tool_settings: Settings, database: Database, platform: ScriptedPlatform
) -> None:
    with database.across_tenants() as connection:
        keys.signing_key(connection, app_secret(settings))
    lost = tool_settings.model_copy(update={"secret_key": type(settings.secret_key)("x" * 40)})
    finding = looked_at(lost, database, registered(database, platform))["access token"]
    assert not finding.ok
    assert "keys rotate --lost" in finding.detail


# Tokens -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "part"),
    [({SCORE}, "token: scores"), ({RESULT}, "token: results"), ({COLUMN, COLUMN_READ}, "token: columns")],
    ids=["scores", "results", "columns"],
)
def test_a_refused_scope_is_named_with_the_service_to_allow(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform, missing: set[str], part: str
) -> None:
    registration = registered(database, platform)
    opened_quiz(database, registration, platform)
    platform.scopes -= missing
    found = looked_at(tool_settings, database, registration)
    assert problems(found) == {part}
    assert "invalid_scope" in found[part].detail
    assert "Assignment and Grade Services" in found[part].advice


def test_columns_that_may_only_be_read_are_enough(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform
) -> None:
    registration = registered(database, platform)
    opened_quiz(database, registration, platform)
    platform.scopes -= {COLUMN}
    assert problems(looked_at(tool_settings, database, registration)) == set()


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (as_json({"error": "invalid_client"}, 400), "400, invalid_client"),
        (as_json({"error": "invalid_client"}, 401), "401, invalid_client"),
        (Response("<h1>Forbidden for Ada Lovelace</h1>", status=403), "refused (403)"),
        (as_json({"error": {"deep": 1}}, 400), "refused (400)"),
        (as_json({"error": "<script>"}, 400), "refused (400)"),
        (as_json({"granted": True}), "refused (200)"),
    ],
    ids=["400", "401", "a page", "no code", "a code that is none", "no token"],
)
def test_a_refused_client_is_one_finding_about_the_client(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform, answer: Response, detail: str
) -> None:
    platform.answers["token"] = answer
    found = looked_at(tool_settings, database, registered(database, platform))
    assert problems(found) == {"access token"}
    assert detail in found["access token"].detail
    assert "Keyset URL" in found["access token"].advice
    assert len(platform.tokens_asked) == 1


# Services ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "detail", "what_to_do"),
    [
        ({"line_items_url": None, "line_item_url": None}, "without gradebook services", "grade sync"),
        ({"ags_scopes": [RESULT]}, "may not send scores", "Accept grades"),
        ({"link": "another", "line_item_url": None}, "none for", "type other than"),
    ],
    ids=["no services", "no score scope", "no column"],
)
def test_a_quiz_that_cannot_be_graded_there_is_named(
    tool_settings: Settings,
    database: Database,
    platform: ScriptedPlatform,
    changes: dict[str, Any],
    detail: str,
    what_to_do: str,
) -> None:
    registration = registered(database, platform)
    opened_quiz(database, registration, platform, **changes)
    finding = looked_at(tool_settings, database, registration)["gradebook"]
    assert not finding.ok
    assert detail in finding.detail
    assert what_to_do in finding.advice


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (Response("no", status=403), "refused (403)"),
        (Response("<html>"), "no JSON"),
        (as_json({"lineitems": []}), "no list of columns"),
    ],
    ids=["403", "a page", "no list"],
)
def test_columns_that_cannot_be_read_are_named(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform, answer: Response, detail: str
) -> None:
    registration = registered(database, platform)
    opened_quiz(database, registration, platform)
    platform.answers["lineitems"] = answer
    found = looked_at(tool_settings, database, registration)
    assert problems(found) == {"gradebook"}
    assert detail in found["gradebook"].detail


def test_a_column_without_a_list_of_columns_is_enough(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform
) -> None:
    registration = registered(database, platform)
    opened_quiz(database, registration, platform, line_items_url=None)
    assert looked_at(tool_settings, database, registration)["gradebook"].detail == "“Week 3” has a column"


@pytest.mark.parametrize(
    ("answer", "detail"),
    [(Response("no", status=401), "refused (401)"), (as_json([]), "no list of members")],
    ids=["401", "no members"],
)
def test_a_roster_that_cannot_be_read_is_named(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform, answer: Response, detail: str
) -> None:
    registration = registered(database, platform)
    opened_quiz(database, registration, platform)
    platform.answers["members"] = answer
    found = looked_at(tool_settings, database, registration)
    assert problems(found) == {"roster"}
    assert detail in found["roster"].detail


def test_a_course_without_a_roster_is_named(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform
) -> None:
    registration = registered(database, platform)
    opened_quiz(database, registration, platform, memberships_url=None)
    finding = looked_at(tool_settings, database, registration)["roster"]
    assert not finding.ok
    assert "Names and Role Provisioning" in finding.advice


# Words and command ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["moodle", "canvas", "other"])
@pytest.mark.parametrize("topic", ["key set", "token address", "client", "grades", "accept grades", "column", "roster"])
def test_each_advice_speaks_of_its_platform(
    database: Database, platform: ScriptedPlatform, family: str, topic: Topic
) -> None:
    words = advice(registered(database, platform, family=family), topic)
    assert words
    assert ("Moodle" in words) == (family == "moodle")
    assert ("Canvas" in words) == (family == "canvas")


@pytest.mark.parametrize(("topic", "page"), [("key set", "certs.php"), ("token address", "token.php")])
def test_an_address_of_a_moodle_that_is_right_need_not_be_corrected(
    database: Database, platform: ScriptedPlatform, topic: Topic, page: str
) -> None:
    right = {
        "jwks_url": f"{platform.issuer}/mod/lti/certs.php",
        "auth_token_url": f"{platform.issuer}/mod/lti/token.php",
    }
    assert f"{page}: correct it here" in advice(registered(database, platform), topic)
    assert "firewalls" in advice(registered(database, platform, **right), topic)


def test_the_command_prints_what_it_found_and_ends_with_one(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in tool_settings.as_environment().items():
        monkeypatch.setenv(name, value)
    registration = registered(database, platform)
    opened_quiz(database, registration, platform)
    well = CliRunner().invoke(main, ["doctor", "--platform", "our moodle"])
    assert well.exit_code == 0, well.output
    assert "token: scores" in well.stdout
    platform.scopes -= {SCORE}
    ill = CliRunner().invoke(main, ["doctor", "--platform", str(registration.id)])
    assert ill.exit_code == 1
    assert "FAIL" in ill.stdout
    assert "→ In Moodle" in ill.stdout
    facts = json.loads(CliRunner().invoke(main, ["doctor", "--platform", "client-9", "--json"]).stdout)
    assert [each["part"] for each in facts if not each["ok"]] == ["token: scores"]
    unknown = CliRunner().invoke(main, ["doctor", "--platform", "nobody"])
    assert unknown.exit_code == 2
    assert "Our Moodle" in unknown.stderr


# The how-tos ------------------------------------------------------------------------------------------------------

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"


def test_the_how_tos_show_lines_as_the_check_prints_them(
    tool_settings: Settings, database: Database, platform: ScriptedPlatform
) -> None:
    registration = registered(database, platform)
    opened_quiz(database, registration, platform)
    parts = {*looked_at(tool_settings, database, registration), "access token"}
    for page in ("connect-moodle.md", "connect-canvas.md"):
        lines = re.findall(r"^ +(ok  |FAIL)  (.{18})\S", (HOW_TO / page).read_text(encoding="utf-8"), re.MULTILINE)
        assert len(lines) >= 10
        assert {part.strip() for _, part in lines} <= parts


@pytest.mark.parametrize("page", ["connect-moodle.md", "connect-canvas.md"])
def test_the_how_tos_use_commands_that_exist(page: str) -> None:
    text = (HOW_TO / page).read_text(encoding="utf-8")
    commands = set(re.findall(r"mlquiz ((?:platform|keys|admin|doctor)(?: [a-z-]+)?)(?= |`|\n)", text))
    assert {"platform invite", "platform add", "doctor"} <= {
        command.removesuffix(" --platform") for command in commands
    }
    for command in commands:
        group, _, name = command.partition(" ")
        assert group in main.commands
        if name and not name.startswith("--"):
            assert name in main.commands[group].commands, command  # pyright: ignore


def test_every_code_of_an_error_page_is_in_the_table_with_what_to_do() -> None:
    table = (HOW_TO / "when-something-fails.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([A-Z-]+)` \| (.+?) \| .{10,} \|$", table, re.MULTILINE))
    assert rows == {code: refusal.instructor_text for code, refusal in refusals().items()}
