"""Settings: each described, a wrong one named, secrets out of files, documents generated from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config import Settings, SettingsError, load_settings
from tools.reference import documents


def test_defaults_need_nothing() -> None:
    settings = load_settings()
    assert settings.base_url == "http://localhost:8400"
    assert settings.database_url.get_secret_value() == ""


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("WEB_PORT", "99999", "WEB_PORT"),
        ("WEB_PORT", "http", "WEB_PORT"),
        ("WEB_THREADS", "0", "WEB_THREADS"),
        ("DATABASE_URL", "postgresql://user:hunter2@host:port/db?x=%", "DATABASE_URL"),
        ("BROKER_URL", "kafka://broker", "BROKER_URL"),
        ("SECRET_KEY", "short", "SECRET_KEY"),
        ("PUBLIC_URL", "quiz.example.edu", "PUBLIC_URL"),
        ("PUBLIC_URL", "https://quiz.example.edu/?a=b", "PUBLIC_URL"),
        ("EXPLAINER", "oracle", "EXPLAINER"),
        ("EXPLAINER", "server", "EXPLAINER_URL"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL"),
        ("ENVIRONMENT", "production", "PUBLIC_URL"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=expected):
        load_settings()


def test_a_wrong_database_url_does_not_show_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:hunter2@host/db?nonsense=1")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_production_refuses_private_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("PUBLIC_URL", "https://quiz.example.edu")
    assert load_settings().base_url == "https://quiz.example.edu"
    monkeypatch.setenv("ALLOW_PRIVATE_PLATFORMS", "true")
    with pytest.raises(SettingsError, match="ALLOW_PRIVATE_PLATFORMS"):
        load_settings()


def test_a_secret_comes_out_of_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x" * 40 + "\n")
    monkeypatch.setenv("SECRET_KEY_FILE", str(secret))
    assert load_settings().secret_key.get_secret_value() == "x" * 40


def test_the_environment_goes_before_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "port").write_text("9001")
    monkeypatch.setenv("WEB_PORT_FILE", str(tmp_path / "port"))
    assert load_settings().web_port == 9001
    monkeypatch.setenv("WEB_PORT", "9002")
    assert load_settings().web_port == 9002


def test_a_missing_secret_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match="SECRET_KEY_FILE: cannot read"):
        load_settings()


def test_dotenv_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WEB_PORT=9003\n")
    assert load_settings().web_port == 9003


def test_settings_are_frozen() -> None:
    with pytest.raises(Exception, match="frozen"):
        load_settings().web_port = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_no_secret_is_shown() -> None:
    settings = load_settings(secret_key="s" * 40, database_url="postgresql://u:hunter2@h/d")
    assert "hunter2" not in repr(settings)
    assert "s" * 40 not in repr(settings)


def test_a_child_process_gets_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load_settings(web_port=9005, secret_key="k" * 40, allow_private_platforms=False, data_dir=tmp_path)
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_every_setting_is_described_in_a_sentence() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.rstrip().endswith("."), name


@pytest.mark.parametrize("path", sorted(documents()), ids=lambda path: path.name)
def test_generated_documents_say_what_is_true_now(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == documents()[path], f"{path.name} is outdated: run `make docs`"


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ({}, True),
        ({"public_url": "http://quiz.example.edu"}, True),
        ({"public_url": "https://quiz.example.edu"}, False),
        ({"public_url": "https://quiz.example.edu", "allow_private_platforms": True}, True),
        ({"allow_private_platforms": False}, False),
    ],
    ids=["a trial", "http", "in public", "in public, on purpose", "refused"],
)
def test_private_platforms_are_for_trials_unless_somebody_says_otherwise(given: dict[str, Any], allowed: bool) -> None:
    assert load_settings(_env_file=None, **given).allow_private_platforms is allowed
