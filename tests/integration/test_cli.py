"""The command line: help with examples, JSON where a program asks, exit codes that mean something."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from grading.grader import grader_from
from lti_tool.cli import main
from lti_tool.db import Database
from lti_tool.launch.platforms import add_pending_deployment, list_registrations


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run ``mlquiz`` in this process, with the test's database."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))

    def runs(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments)

    return runs


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize(
    ("path", "command"), list(commands(main)), ids=lambda item: " ".join(item) if isinstance(item, tuple) else ""
)
def test_every_command_has_help_with_an_example(path: tuple[str, ...], command: click.Command) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    if path not in {("up",), ("doctor",)}:
        assert "mlquiz" in result.output
    assert "Example" in result.output, f"{' '.join(path)} has no example"


def test_a_wrong_setting_ends_with_two_and_names_it(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_PORT", "a door")
    result = run("db", "upgrade")
    assert result.exit_code == 2
    assert "WEB_PORT" in result.output + (result.stderr or "")


def test_web_and_worker_need_addresses(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    for command in ("web", "worker"):
        result = run(command)
        assert result.exit_code == 2
        assert "DATABASE_URL and BROKER_URL not set" in result.stderr
        assert "mlquiz up" in result.stderr


def test_web_refuses_a_database_without_its_schema(
    run, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:1/0")
    result = run("web")
    assert result.exit_code == 2
    assert "mlquiz db upgrade" in result.stderr


def test_db_upgrade_says_what_it_applied(run, empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    first, second = run("db", "upgrade", "--json"), run("db", "upgrade", "--json")
    assert json.loads(first.stdout)["applied"][0] == "0001_create_schema"
    assert json.loads(second.stdout) == {"applied": []}
    assert "up to date" in run("db", "upgrade").output


ADD = (
    *("platform", "add", "--name", "Moodle", "--family", "moodle", "--issuer", "https://moodle.example.edu"),
    *("--client-id", "abc", "--deployment-id", "1", "--auth-login-url", "https://moodle.example.edu/mod/lti/auth.php"),
    *("--auth-token-url", "https://moodle.example.edu/mod/lti/token.php"),
    *("--jwks-url", "https://moodle.example.edu/mod/lti/certs.php"),
)


def test_a_platform_is_added_once_and_listed(run) -> None:
    first = json.loads(run(*ADD, "--json").stdout)
    again = json.loads(run(*ADD, "--json").stdout)
    assert first == again
    assert first["login_url"].startswith("http://localhost:8400/lti/login/")
    (listed,) = json.loads(run("platform", "list", "--json").stdout)
    assert listed["deployments"] == {"1": "ACTIVE"}
    assert first["login_url"] in run("platform", "list").output


def test_a_wrong_address_of_a_platform_is_refused(run) -> None:
    wrong = [word.replace("https://moodle.example.edu/mod/lti/certs.php", "javascript:alert(1)") for word in ADD]
    result = run(*wrong)
    assert result.exit_code == 2
    assert "key set" in result.stderr


def test_a_deployment_is_approved_by_command(run, database: Database) -> None:
    run(*ADD)
    with database.across_tenants() as connection:
        (registration,) = list_registrations(connection)
        add_pending_deployment(connection, registration.id, "7")
    assert "7 (pending)" in run("platform", "list").output
    known = ("--issuer", "https://moodle.example.edu", "--client-id", "abc")
    assert run("platform", "approve", *known, "--deployment-id", "7").exit_code == 0
    assert "7 (active)" in run("platform", "list").output
    unknown = run("platform", "approve", "--issuer", "https://x.example", "--client-id", "abc", "--deployment-id", "7")
    assert unknown.exit_code == 2
    assert "platform list" in unknown.stderr


def test_platforms_go_by_name_number_or_client_id_and_unclear_names_are_explained(run, database: Database) -> None:
    run(*ADD)
    run(*[word.replace("abc", "def") for word in ADD])
    with database.across_tenants() as connection:
        first, second = list_registrations(connection)
    unclear = run("platform", "disable", "moodle")
    assert unclear.exit_code == 2
    assert f"{first.id} (" in unclear.stderr
    assert f"{second.id} (" in unclear.stderr
    assert run("platform", "disable", "def").exit_code == 0
    assert run("platform", "disable", str(first.id)).exit_code == 0
    unknown = run("platform", "disable", "Nothing")
    assert unknown.exit_code == 2
    assert "Moodle" in unknown.stderr


def test_registrations_of_one_issuer_have_names_of_their_own(run) -> None:
    run(*ADD)
    run(*["Second school" if word == "Moodle" else word.replace("abc", "def") for word in ADD])
    facts = json.loads(run("platform", "list", "--json").stdout)
    assert [(each["name"], each["client_id"]) for each in facts] == [("Moodle", "abc"), ("Second school", "def")]
    too_long = run(*["x" * 201 if word == "Moodle" else word for word in ADD])
    assert too_long.exit_code == 2
    assert "at most 200" in too_long.stderr


def test_the_web_server_makes_the_first_key_before_its_first_request(
    run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:1/0")
    served: list[object] = []
    monkeypatch.setattr("lti_tool.server.serve", lambda make_app, **options: served.append(options["port"]))
    assert run("web").exit_code == 0
    assert served == [8400]
    with database.across_tenants() as connection:
        assert connection.execute("SELECT count(*) FROM tool_keys").fetchone() == (1,)


def test_a_disabled_platform_is_listed_as_such_and_can_be_enabled_again(run) -> None:
    run(*ADD)
    assert run("platform", "disable", "Moodle").exit_code == 0
    assert "(disabled)" in run("platform", "list").output
    (facts,) = json.loads(run("platform", "list", "--json").stdout)
    assert facts["is_enabled"] is False
    assert run("platform", "enable", "Moodle").exit_code == 0
    assert "(disabled)" not in run("platform", "list").output


def test_the_one_deployment_that_waits_need_not_be_named(run, database: Database) -> None:
    run(*ADD)
    with database.across_tenants() as connection:
        (registration,) = list_registrations(connection)
        add_pending_deployment(connection, registration.id, "42:abc")
    assert run("platform", "approve", "Moodle").exit_code == 0
    assert "42:abc (active)" in run("platform", "list").output
    assert run("platform", "refuse", "Moodle", "--deployment-id", "42:abc").exit_code == 0
    assert "42:abc (disabled)" in run("platform", "list").output
    nothing_waits = run("platform", "approve", str(registration.id))
    assert nothing_waits.exit_code == 2
    assert "waiting at Moodle: none" in nothing_waits.stderr
    nobody = run("platform", "approve")
    assert nobody.exit_code == 2
    assert "NAME" in nobody.stderr


def test_a_platform_without_launches_can_be_removed_and_one_with_people_says_what_would_be_lost(
    run, database: Database
) -> None:
    run(*ADD)
    with database.across_tenants() as connection:
        (registration,) = list_registrations(connection)
    assert run("platform", "remove", "Moodle").exit_code == 0
    assert json.loads(run("platform", "list", "--json").stdout) == []
    with database.across_tenants() as connection:
        assert connection.execute("SELECT count(*) FROM platforms").fetchone() == (0,)

    run(*ADD)
    with database.across_tenants() as connection:
        (registration,) = list_registrations(connection)
    with database.transaction(registration.id) as connection:
        connection.execute("INSERT INTO users (registration_id, sub) VALUES (%s, 'student')", (registration.id,))
    refused = run("platform", "remove", "Moodle")
    assert refused.exit_code == 2
    assert "1 people, 0 courses, 0 quizzes, 0 answers" in refused.stderr
    assert "Disable it instead" in refused.stderr
    assert len(json.loads(run("platform", "list", "--json").stdout)) == 1


def test_what_commands_do_to_platforms_is_in_the_trail(run, database: Database) -> None:
    run(*ADD)
    for verb in ("disable", "enable", "remove"):
        run("platform", verb, "Moodle")
    with database.across_tenants() as connection:
        rows = connection.execute("SELECT event, details ->> 'detail' FROM audit_events ORDER BY id").fetchall()
    assert rows == [(f"platform-{verb}", "by command") for verb in ("added", "disabled", "enabled", "removed")]
    kid = json.loads(run("keys", "rotate", "--json").stdout)["kid"]
    invitation = json.loads(run("platform", "invite", "--name", "x", "--json").stdout)["invitation_id"]
    run("platform", "invitations", "--revoke", str(invitation))
    with database.across_tenants() as connection:
        more = connection.execute(
            "SELECT event, details ->> 'detail' FROM audit_events ORDER BY id OFFSET %s", (len(rows),)
        ).fetchall()
    assert more == [
        ("keys-rotated", f"{kid}, by command"),
        ("invitation-made", f"invitation {invitation}, by command"),
        ("invitation-revoked", f"invitation {invitation}, by command"),
    ]


def test_an_invitation_is_printed_once_listed_and_revoked(run) -> None:
    made = json.loads(run("platform", "invite", "--name", "Our Moodle", "--json").stdout)
    secret = made["url"].removeprefix("http://localhost:8400/lti/register/")
    assert len(secret) >= 40
    shown = run("platform", "invite", "--name", "Canvas", "--no-names")
    assert "/lti/register/" in shown.stdout
    assert "PUBLIC_URL is not set" in shown.stderr
    listed = run("platform", "invitations")
    assert secret not in listed.output
    assert [each["name"] for each in json.loads(run("platform", "invitations", "--json").stdout)] == [
        "Canvas",
        "Our Moodle",
    ]
    assert f"{made['invitation_id']}. Our Moodle  open" in listed.output
    revoked = run("platform", "invitations", "--revoke", str(made["invitation_id"]))
    assert "Our Moodle" not in revoked.output
    again = run("platform", "invitations", "--revoke", str(made["invitation_id"]))
    assert again.exit_code == 2
    assert "no unused invitation" in again.stderr


def test_no_invitation_yet_says_what_to_do(run) -> None:
    assert "platform invite" in run("platform", "invitations").output


def test_the_canvas_developer_key_is_printed_for_pasting(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://quiz.example.edu")
    result = run("platform", "canvas-json", "--no-names")
    key = json.loads(result.stdout)
    assert key["public_jwk_url"] == "https://quiz.example.edu/lti/jwks.json"
    assert key["extensions"][0]["privacy_level"] == "anonymous"
    assert result.stderr == ""


def test_keys_are_listed_rotated_and_started_anew(run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No key yet" in run("keys", "list").output
    first = json.loads(run("keys", "rotate", "--json").stdout)["kid"]
    second = json.loads(run("keys", "rotate", "--json").stdout)["kid"]
    listed = json.loads(run("keys", "list", "--json").stdout)
    assert [(key["kid"], key["state"]) for key in listed] == [(second, "NEXT"), (first, "SIGNING")]
    assert "signs from" in run("keys", "list").output
    assert "tomorrow" in run("keys", "rotate").output

    monkeypatch.setenv("SECRET_KEY", "x" * 40)
    lost = run("keys", "rotate")
    assert lost.exit_code == 2
    assert "mlquiz keys rotate --lost" in lost.stderr
    anew = json.loads(run("keys", "rotate", "--lost", "--json").stdout)
    assert anew["signs_at_once"] is True
    assert [key["kid"] for key in json.loads(run("keys", "list", "--json").stdout)] == [anew["kid"]]


def test_keys_move_to_another_secret(run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "old-secret"
    old.write_text("o" * 40 + "\n", encoding="utf-8")
    monkeypatch.setenv("SECRET_KEY_FILE", str(old))
    kid = json.loads(run("keys", "rotate", "--json").stdout)["kid"]
    monkeypatch.delenv("SECRET_KEY_FILE")
    monkeypatch.setenv("SECRET_KEY", "n" * 40)
    assert run("keys", "rotate").exit_code == 2
    moved = run("keys", "reencrypt", "--old-secret-file", str(old), "--json")
    assert json.loads(moved.stdout) == {"reencrypted": 1}
    assert run("keys", "rotate").exit_code == 0
    assert kid in run("keys", "list").output
    assert run("keys", "reencrypt", "--old-secret-file", str(old)).exit_code == 2, "the keys have the new secret by now"


def test_the_sign_in_link_is_printed_alone_on_standard_output(run, database: Database) -> None:
    result = run("admin", "link")
    url = result.stdout.strip()
    assert url.startswith("http://localhost:8400/admin/sign-in/")
    assert "15 minutes" in result.stderr
    secret = url.rpartition("/")[2]
    with database.across_tenants() as connection:
        (stored,) = connection.execute("SELECT secret_hash FROM admin_sessions").fetchone() or (b"",)
    assert secret.encode() not in bytes(stored)
    assert json.loads(run("admin", "link", "--json").stdout)["minutes"] == 15


def test_a_command_in_the_wrong_folder_begins_no_second_database(
    run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    result = run("platform", "list")
    assert result.exit_code == 2
    assert "no data in" in result.stderr
    assert not (tmp_path / "data").exists()


def test_up_on_a_port_in_use_says_so_and_starts_nothing(run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setenv("WEB_PORT", str(other.getsockname()[1]))
        result = run("up")
    assert result.exit_code == 2
    assert "set WEB_PORT" in result.stderr
    assert not (tmp_path / "data").exists()


def test_addresses_of_this_machine_only_are_not_handed_to_a_real_platform_silently(run) -> None:
    assert "PUBLIC_URL is not set" in run(*ADD).stderr


def test_a_public_address_of_this_machine_is_told_from_none(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "http://127.0.0.1:8400")
    assert "PUBLIC_URL names this machine" in run("platform", "canvas-json").stderr


def test_names_of_platforms_do_not_steer_the_terminal(run, database: Database) -> None:
    known = json.loads(run(*ADD, "--json").stdout)["registration_id"]
    with database.transaction(known) as connection:
        add_pending_deployment(connection, known, "7\x1b]0;owned\x07\x1b[2J")
    listed = run("platform", "list").stdout
    assert "7]0;owned[2J (pending)" in listed
    assert "\x1b" not in listed


def test_no_platform_yet_says_what_to_do(run) -> None:
    assert "platform add" in run("platform", "list").output


def test_an_answer_is_graded_on_the_command_line(
    run, tiny_encoder_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRADER_MODEL", str(tiny_encoder_folder))
    arguments = ("grade", "--question", "What is overfitting?", "--reference", "The model learns noise of its data.")
    right = run(*arguments, "--answer", "The model learns noise of its data.", "--json")
    assert right.exit_code == 0, right.output
    facts = json.loads(right.stdout)
    assert (
        facts["fraction"]
        == grader_from(str(tiny_encoder_folder), tmp_path)
        .assess(
            question("What is overfitting?", "The model learns noise of its data."),
            ["The model learns noise of its data."],
        )[0]
        .fraction
    )
    blank = json.loads(run(*arguments, "--answer", "   ", "--json").stdout)
    assert (blank["fraction"], blank["flags"]) == (0.0, ["blank"])
    assert "between" in run(*arguments, "--answer", "it learns noise").output


def test_an_encoder_that_is_not_there_ends_with_a_sentence(
    run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRADER_MODEL", str(tmp_path / "nowhere"))
    result = run("grade", "--question", "q?", "--reference", "an answer", "--answer", "a")
    assert result.exit_code in (1, 2)
    assert "GRADER_MODEL" in result.stderr
    assert "Traceback" not in result.output + result.stderr


@pytest.mark.parametrize("language", ["klingon", "e", "k0", "한국"])
def test_a_language_is_a_code_of_two_letters(run, language: str) -> None:
    result = run("grade", "--question", "q?", "--reference", "an answer", "--answer", "a", "--language", language)
    assert result.exit_code == 2
    assert "two letters, such as en or ko" in result.stderr


def test_the_help_and_the_web_process_import_no_torch(database_url: str, tmp_path: Path) -> None:
    script = (
        "import sys, lti_tool.cli, lti_tool;"
        "early = {'flask', 'celery', 'psycopg_pool', 'requests', 'torch', 'cryptography'} & set(sys.modules);"
        "from config import load_settings;"
        "lti_tool.create_app(load_settings(broker_url='redis://127.0.0.1:1/0'));"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'numpy', 'sklearn', 'peft'} & set(sys.modules);"
        "print(sorted(early), sorted(heavy))"
    )
    environment = {**os.environ, "DATABASE_URL": database_url, "DATA_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


def question(prompt: str, reference: str):
    from grading.domain import Question

    return Question(prompt=prompt, model_answers=(reference,))
