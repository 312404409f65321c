"""Administration of the practice LMS by programs, its files, and its process."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from lti_tool.practice_lms import create_practice_lms
from lti_tool.practice_lms.identity import load_identity

if TYPE_CHECKING:
    from tests.lms.conftest import RunningLms, ScriptedTool

TOOL = "http://localhost:9"


def test_registering_answers_with_what_the_tool_must_know(scripted_tool: ScriptedTool) -> None:
    issuer = scripted_tool.lms.issuer
    assert scripted_tool.registration == {
        "issuer": issuer,
        "client_id": scripted_tool.client_id,
        "deployment_id": scripted_tool.registration["deployment_id"],
        "auth_login_url": f"{issuer}/auth",
        "auth_token_url": f"{issuer}/token",
        "jwks_url": f"{issuer}/jwks",
    }
    assert len(scripted_tool.client_id) >= 16


def test_registering_again_changes_the_tool_but_not_its_identity(scripted_tool: ScriptedTool) -> None:
    first = dict(scripted_tool.registration)
    assert scripted_tool.registers(login_url=f"{TOOL}/new/login") == first
    assert scripted_tool.registers(launch_url=f"{TOOL}/second")["client_id"] != first["client_id"]
    address = scripted_tool.lms.browser.get(
        f"{scripted_tool.lms.issuer}/as/ada/tools/{first['deployment_id']}/choose", allow_redirects=False, timeout=10
    ).headers["Location"]
    assert address.startswith(f"{TOOL}/new/login?")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"name": ""}, "name"),
        ({"login_url": "localhost/login"}, "login_url"),
        ({"launch_url": "javascript:alert(1)"}, "launch_url"),
        ({"launch_url": "http://user@localhost/launch"}, "launch_url"),
        ({"jwks_url": None}, "jwks_url"),
        ({"deep_link_url": f"{TOOL}/#part"}, "deep_link_url"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"colour": "red"}, "colour"),
    ],
    ids=str,
)
def test_a_wrong_application_is_refused_by_name(
    unregistered_tool: ScriptedTool, wrong: dict[str, Any], named: str
) -> None:
    response = unregistered_tool.lms.admin("POST", "tool", json=unregistered_tool.application(**wrong))
    assert response.status_code == 400
    assert response.json()["error"].startswith(named)


def test_an_application_that_is_no_json_is_refused(practice_lms: RunningLms) -> None:
    assert practice_lms.admin("POST", "tool", data="x").status_code == 415
    assert practice_lms.admin("POST", "tool", json=[]).status_code == 400


@pytest.mark.parametrize("token", [None, "", "Bearer", "Bearer wrong", "Basic {}", "Bearer {}x", "Bearer é"])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "tool"), ("GET", "gradebook"), ("GET", "course"), ("POST", "reset")]
)
def test_administration_needs_the_admin_token(
    practice_lms: RunningLms, method: str, path: str, token: str | None
) -> None:
    headers = {"Authorization": token.format(practice_lms.admin_token).encode()} if token is not None else {}
    url = f"{practice_lms.issuer}/admin/{path}"
    response = requests.request(method, url, headers=headers, json={}, timeout=10)
    assert response.status_code == 401


def test_the_admin_sees_course_people_and_launch_addresses(scripted_tool: ScriptedTool) -> None:
    activity = scripted_tool.adds()
    course = scripted_tool.lms.admin("GET", "course").json()
    assert course["title"] == "Introduction to Machine Learning"
    assert [person["slug"] for person in course["people"]] == ["ada", "mateo", "seoyeon", "priya", "lukas", "maria"]
    path = activity["open_url"]["mateo"].removeprefix(scripted_tool.lms.issuer)
    assert scripted_tool.login_parameters(path)["login_hint"] == "11"


def test_the_admin_sees_every_grade(scripted_tool: ScriptedTool) -> None:
    line_item = scripted_tool.line_item_of(scripted_tool.adds())
    scripted_tool.posts_score(line_item, timestamp="2026-03-02T09:30:00+00:00")
    assert scripted_tool.lms.gradebook() == [
        {
            "course": "2",
            "user_id": "11",
            "name": "Mateo Hernández",
            "lineitem": line_item,
            "label": "Overfitting quiz",
            "score": 8,
            "maximum": 10,
            "comment": "Good, one point is missing.",
            "timestamp": "2026-03-02T09:30:00+00:00",
            "posts": 1,
            "accepted": 1,
        }
    ]


def test_a_reset_forgets_all_but_the_tools(scripted_tool: ScriptedTool) -> None:
    scripted_tool.posts_score(scripted_tool.line_item_of(scripted_tool.adds()))
    first = dict(scripted_tool.registration)
    assert scripted_tool.lms.admin("POST", "reset").status_code == 204
    assert scripted_tool.lms.gradebook() == []
    assert scripted_tool.lms.activities() == []
    assert scripted_tool.registers() == first
    scripted_tool.lms.admin("POST", "reset?tools=1")
    assert scripted_tool.registers()["client_id"] != first["client_id"]


# --- files and process ------------------------------------------------------------------------------------------


def test_key_and_token_are_made_once_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    first = load_identity(tmp_path)
    again = load_identity(tmp_path)
    assert again.key_set == first.key_set
    assert again.admin_token == first.admin_token
    assert len(first.admin_token) >= 32
    for name in ("platform.pem", "admin.token"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["admin.token", "platform.pem"]


def test_secrets_do_not_show_in_a_representation(tmp_path: Path) -> None:
    identity = load_identity(tmp_path)
    assert identity.admin_token not in repr(identity)
    assert "RSAPrivateKey" not in repr(identity)


def test_a_key_file_of_another_kind_is_a_clear_error(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "platform.pem").write_bytes(pem)
    with pytest.raises(ValueError, match=r"platform\.pem holds no RSA key"):
        load_identity(tmp_path)


@pytest.mark.parametrize(
    "issuer", ["", "127.0.0.1:8401", "http://127.0.0.1:8401/", "http://a/b", "ftp://a", "http://a?b"]
)
def test_an_issuer_that_is_no_plain_address_is_refused(tmp_path: Path, issuer: str) -> None:
    with pytest.raises(ValueError, match="issuer must be an address"):
        create_practice_lms(tmp_path, issuer)


def test_what_it_holds_outlives_a_restart(tmp_path: Path) -> None:
    application = {
        "name": "Quiz tool",
        "login_url": f"{TOOL}/login",
        "launch_url": f"{TOOL}/launch",
        "jwks_url": f"{TOOL}/jwks",
        "deep_link_url": f"{TOOL}/choose",
    }
    answers = []
    for _ in range(2):
        client = create_practice_lms(tmp_path, "http://127.0.0.1:8401").test_client()
        headers = {"Authorization": f"Bearer {(tmp_path / 'admin.token').read_text()}"}
        answers.append(client.post("/admin/tool", json=application, headers=headers).get_json())
    assert answers[0] == answers[1]


def test_the_command_serves_until_it_is_stopped(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "lti_tool.practice_lms", "--folder", str(tmp_path / "new"), "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=output, stderr=output)
        try:
            response = _answer(f"http://127.0.0.1:{port}/health", log)
        finally:
            process.terminate()
            code = process.wait(timeout=20)
    assert response.json() == {"status": "ok"}
    assert response.headers["Server"] == "gunicorn"
    assert code == 0
    assert (tmp_path / "new" / "admin.token").is_file()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/health", timeout=2)


def _answer(url: str, log: Path) -> requests.Response:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            return requests.get(url, timeout=2)
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())
