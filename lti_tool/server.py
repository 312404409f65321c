"""The production web server: gunicorn with threads, started by the program instead of a command line."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask
from gunicorn.app.base import BaseApplication


class _Server(BaseApplication):
    def __init__(self, make_app: Callable[[], Flask], options: dict[str, object]) -> None:
        self._make_app = make_app
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        assert self.cfg is not None
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._make_app()


def serve(make_app: Callable[[], Flask], *, host: str, port: int, workers: int = 1, threads: int = 8) -> None:
    """Serve ``make_app()`` until SIGTERM; each worker process makes an app, and its connections, of its own."""
    options: dict[str, object] = {
        "bind": f"{host}:{port}",
        "workers": workers,
        "worker_class": "gthread",
        "threads": threads,
        "timeout": 60,
        "graceful_timeout": 10,
        "loglevel": "warning",
        "control_socket_disable": True,
        # Headers of proxies are ProxyFix's business (TRUSTED_PROXIES), never the server's.
        "forwarded_allow_ips": "",
    }
    _Server(make_app, options).run()
