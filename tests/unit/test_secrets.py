"""The tool's secret: made once, readable by its owner only, never silently replaced."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from config import load_settings
from lti_tool.errors import NotConfigured
from lti_tool.secrets import app_secret


def test_the_setting_is_used_where_it_is_given(tmp_path: Path) -> None:
    settings = load_settings(secret_key="k" * 40, data_dir=tmp_path)
    assert app_secret(settings) == "k" * 40
    assert not (tmp_path / "secret.key").exists()


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    first = app_secret(settings)
    assert len(first) >= 32
    assert app_secret(settings) == first
    mode = stat.S_IMODE((tmp_path / "data" / "secret.key").stat().st_mode)
    assert mode == 0o600


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    with ThreadPoolExecutor(16) as pool:
        secrets = list(pool.map(lambda _: app_secret(settings), range(64)))
    assert len(set(secrets)) == 1
    assert sorted(os.listdir(tmp_path / "data")) == ["secret.key"]


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    app_secret(settings)
    (tmp_path / "secret.key").chmod(0o644)
    with pytest.raises(NotConfigured, match="chmod 600"):
        app_secret(settings)


def test_a_damaged_secret_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_text("")
    path.chmod(0o600)
    with pytest.raises(NotConfigured, match="backup"):
        app_secret(load_settings(data_dir=tmp_path))
    assert path.read_text() == ""


def test_two_folders_have_two_secrets(tmp_path: Path) -> None:
    assert app_secret(load_settings(data_dir=tmp_path / "a")) != app_secret(load_settings(data_dir=tmp_path / "b"))
