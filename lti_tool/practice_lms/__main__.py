"""``python -m lti_tool.practice_lms --folder F --port P``: the practice LMS in a process of its own, under gunicorn."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from lti_tool.practice_lms import create_practice_lms


class PracticeServer(BaseApplication):
    """gunicorn with one process of eight threads, which is enough for a class of five."""

    def __init__(self, app: Flask, *, host: str, port: int) -> None:
        self._app = app
        self._bind = f"{host}:{port}"
        super().__init__()

    def load_config(self) -> None:
        """Settings instead of a configuration file."""
        values: dict[str, Any] = {
            "bind": self._bind,
            "workers": 1,
            "worker_class": "gthread",
            "threads": 8,
            "proc_name": "practice-lms",
            "control_socket_disable": True,
        }
        assert self.cfg is not None
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The application to serve."""
        return self._app


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m lti_tool.practice_lms", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where database, key and admin token are kept")
    parser.add_argument("--port", type=int, default=8401, help="port to listen on (%(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--tool-origin", help="a further origin that may be framed, e.g. http://localhost:8400")
    options = parser.parse_args(arguments)
    issuer = f"http://{options.host}:{options.port}"
    app = create_practice_lms(options.folder, issuer, options.tool_origin)
    PracticeServer(app, host=options.host, port=options.port).run()


if __name__ == "__main__":
    main()
