"""The HTTP client to platforms: what is tried again, how many at a time, whose clock is behind."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from config.settings import Settings, load_settings
from lti_tool.platform_http import AddressNotAllowed, PlatformHttp, PlatformRefused, PlatformUnreachable, client


class Script:
    """Answers with the next of ``answers``, the last one for ever; keeps what it was asked."""

    def __init__(self, *answers: Response) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Response:
        request.get_data()
        self.requests.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture(scope="module")
def settings() -> Settings:
    """Settings that need no database."""
    return load_settings(_env_file=None)


@pytest.fixture
def http(settings: Settings) -> PlatformHttp:
    return PlatformHttp(settings)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_FIRST_PAUSE_SECONDS", 0.01)


def script(server: HTTPServer, *answers: Response) -> Script:
    made = Script(*answers)
    server.expect_request("/a").respond_with_handler(made)
    return made


BUSY = [
    Response("", 429),
    Response("", 502),
    Response("", 503),
    Response("", 504),
    Response("403 Forbidden (Rate Limit Exceeded)", 403),
    Response("", 403, headers={"x-RATE-limit-remaining": "0.0"}),
]


@pytest.mark.parametrize("busy", BUSY, ids=["429", "502", "503", "504", "403-words", "403-header"])
def test_a_get_is_tried_again_where_the_platform_is_busy(
    http: PlatformHttp, httpserver: HTTPServer, busy: Response
) -> None:
    platform = script(httpserver, busy, Response("here"))
    assert http.get(httpserver.url_for("/a"), bearer="t").body == b"here"  # C17, C24
    assert [request.headers["Authorization"] for request in platform.requests] == ["Bearer t", "Bearer t"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500])
def test_what_says_no_is_asked_once(http: PlatformHttp, httpserver: HTTPServer, status: int) -> None:
    platform = script(httpserver, Response("no", status))
    with pytest.raises(PlatformRefused) as refusal:
        http.get(httpserver.url_for("/a"))
    assert refusal.value.status == status
    assert len(platform.requests) == 1


def test_tries_are_bounded(http: PlatformHttp, httpserver: HTTPServer) -> None:
    platform = script(httpserver, Response("down", 503))
    with pytest.raises(PlatformRefused):
        http.get(httpserver.url_for("/a"))
    assert len(platform.requests) == 3


def test_a_short_retry_after_is_waited_for_and_a_long_one_is_not(http: PlatformHttp, httpserver: HTTPServer) -> None:
    platform = script(httpserver, Response("", 503, headers={"Retry-After": "1"}), Response("here"))
    started = time.monotonic()
    assert http.get(httpserver.url_for("/a")).body == b"here"
    assert time.monotonic() - started >= 1
    platform.answers = [Response("", 429, headers={"retry-after": "60"})]
    started = time.monotonic()
    with pytest.raises(PlatformRefused) as refusal:
        http.get(httpserver.url_for("/a"))
    assert time.monotonic() - started < 1
    assert refusal.value.retry_after_seconds == 60
    assert len(platform.requests) == 3


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_what_changes_something_is_sent_once(http: PlatformHttp, httpserver: HTTPServer, method: str) -> None:
    platform = script(httpserver, Response("", 503))
    url = httpserver.url_for("/a")
    body = {} if method == "DELETE" else {"body": b"{}", "content_type": "application/x"}
    with pytest.raises(PlatformRefused):
        getattr(http, method.lower())(url, **body, bearer="t")
    (request,) = platform.requests
    assert request.method == method
    assert request.headers["User-Agent"].startswith("mlquiz/")  # C23
    assert request.headers["Authorization"] == "Bearer t"
    if method != "DELETE":
        assert (request.headers["Content-Type"], request.data) == ("application/x", b"{}")


def test_a_put_and_a_delete_follow_no_redirect(http: PlatformHttp, httpserver: HTTPServer) -> None:
    script(httpserver, Response("", 307, headers={"Location": "/b"}))
    with pytest.raises(PlatformRefused):
        http.put(httpserver.url_for("/a"), b"{}", content_type="application/json")
    with pytest.raises(PlatformRefused):
        http.delete(httpserver.url_for("/a"))


def test_a_connection_that_breaks_is_tried_again_and_one_that_takes_too_long_is_not(
    http: PlatformHttp, broken_server: tuple[str, list[float]], httpserver: HTTPServer
) -> None:
    url, connections = broken_server
    with pytest.raises(PlatformUnreachable):
        http.get(url)
    assert len(connections) == 3
    slow = script(httpserver, Response("late"))
    httpserver.clear()
    httpserver.expect_request("/a").respond_with_handler(lambda request: (time.sleep(0.5), slow(request))[1])
    with pytest.raises(PlatformUnreachable, match="in time"):
        http.get(httpserver.url_for("/a"), read_seconds=0.1)
    time.sleep(0.6)
    assert len(slow.requests) == 1


@pytest.fixture
def broken_server() -> Iterator[tuple[str, list[float]]]:
    """A server that hangs up on everyone, and when it did."""
    import socket

    connections: list[float] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def hang_up() -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            connections.append(time.monotonic())
            accepted.close()

    thread = threading.Thread(target=hang_up, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/", connections
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_at_most_two_requests_at_a_time_go_to_one_host(http: PlatformHttp) -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def answer(request: Request) -> Response:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.1)
        with lock:
            under_way -= 1
        return Response("here")

    with HTTPServer(threaded=True) as server:
        server.expect_request("/a").respond_with_handler(answer)
        threads = [threading.Thread(target=http.get, args=(server.url_for("/a"),)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert most == 2  # C17


def test_whoever_waits_too_long_for_a_turn_gives_up(http: PlatformHttp, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/a").respond_with_handler(lambda request: (time.sleep(1), Response("late"))[1])
    threads = [threading.Thread(target=http.get, args=(httpserver.url_for("/a"),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    with pytest.raises(PlatformUnreachable, match="busy"):
        http.get(httpserver.url_for("/a"), read_seconds=0.1)
    for thread in threads:
        thread.join(10)


@pytest.mark.parametrize(
    ("behind_seconds", "low", "high"),
    [(300, 298, 305), (-300, 0, 0), (2, 0, 0), (200_000, 0, 0)],
    ids=["behind", "ahead", "rounding", "absurd"],
)
def test_the_lag_of_a_platforms_clock_is_read_from_its_answers(
    http: PlatformHttp, behind_seconds: int, low: float, high: float
) -> None:
    with a_clock(behind_seconds) as url:
        assert http.lag_of(url) == timedelta(0)
        with pytest.raises(PlatformRefused):
            http.get(url)
        assert low <= http.lag_of(url).total_seconds() <= high  # C9
    assert http.lag_of("http://elsewhere.example/") == timedelta(0)


@contextmanager
def a_clock(behind_seconds: int) -> Iterator[str]:
    """The address of a server that answers 400 and has a clock of its own."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(400)
            moment = datetime.now(UTC) - timedelta(seconds=behind_seconds)
            self.send_header("date", format_datetime(moment, usegmt=True))
            self.send_header("Content-Length", "0")
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/a"
        server.shutdown()
        thread.join(5)


def test_puts_and_deletes_lead_to_public_addresses_only(settings: Settings) -> None:
    strict = PlatformHttp(settings.model_copy(update={"allow_private_platforms": False}))
    with pytest.raises(AddressNotAllowed):
        strict.put("https://10.0.0.1/", b"", content_type="text/plain")
    with pytest.raises(AddressNotAllowed):
        strict.delete("https://[::ffff:127.0.0.1]/")


@pytest.mark.parametrize("cut", [b"HTTP/1.1 400 Bad Request\r\n", b"HTTP/1.1 404 Not Found\r\nContent-Ty"])
def test_an_answer_that_breaks_off_in_its_head_refuses_nothing(http: PlatformHttp, cut: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(cut)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(PlatformUnreachable):
            http.post(f"http://127.0.0.1:{server.getsockname()[1]}/scores", b"{}", content_type="application/json")
        thread.join(10)
