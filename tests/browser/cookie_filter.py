"""The tool as browsers without partitioned cookies meet it: behind a proxy that drops the attribute ``Partitioned``."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from werkzeug.middleware.http_proxy import ProxyMiddleware
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@dataclass(kw_only=True)
class CookieFilter:
    """WSGI in front of the tool; ``requests`` are method, address and referrer of all that came through."""

    web_port: int
    drops_partitioned: bool = False
    requests: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        target = {"target": f"http://127.0.0.1:{self.web_port}/", "host": None}
        # The middleware itself picks a target by prefix; here everything goes to one.
        self._proxy = ProxyMiddleware(Response(status=502), {"tool": target}, timeout=30)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        address = f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
        self.requests.append((environ["REQUEST_METHOD"], address, environ.get("HTTP_REFERER", "")))

        def without_attribute(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, [(name, self._passed(name, value)) for name, value in headers], *rest)

        tool = self._proxy.proxy_to(self._proxy.targets["/tool/"], environ["PATH_INFO"], "/tool/")
        return tool(environ, without_attribute if self.drops_partitioned else start_response)

    def _passed(self, name: str, value: str) -> str:
        return value.replace("; Partitioned", "") if name.lower() == "set-cookie" else value


@contextmanager
def running_filter(port: int, web_port: int) -> Iterator[CookieFilter]:
    """The filter on ``port`` in front of the tool on ``web_port``, for the length of the block."""
    cookie_filter = CookieFilter(web_port=web_port)
    server = make_server("localhost", port, cookie_filter, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield cookie_filter
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
