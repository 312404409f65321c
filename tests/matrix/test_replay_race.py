"""One message, posted by fifty threads at once to the real web server in two processes: it counts once, each time."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psycopg
import pytest
import requests

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.launch import platforms
from tests.integration.stack import free_ports
from tests.platforms.practice import PracticePlatform

ROUNDS = 100
POSTS = 50


@pytest.fixture
def tool_url(settings: Settings, tmp_path: Path) -> Iterator[str]:
    """The address of ``mlquiz web``: gunicorn with two processes of eight threads."""
    (port,) = free_ports(1)
    environment = os.environ | {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "BROKER_URL": settings.broker_url.get_secret_value(),
        "DATA_DIR": str(tmp_path / "data"),
        "SECRET_KEY": settings.secret_key.get_secret_value(),
        "WEB_PORT": str(port),
        "WEB_WORKERS": "2",
        "WEB_THREADS": "8",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-c", "from lti_tool.cli import main; main()", "web"]
    with (tmp_path / "web.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT)
        try:
            url = f"http://localhost:{port}"
            _wait_until_it_answers(url, process, tmp_path / "web.log")
            yield url
        finally:
            process.terminate()
            process.wait(timeout=20)


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        try:
            if requests.get(f"{url}/health/live", timeout=5).status_code == 200:
                return
        except (requests.ConnectionError, requests.Timeout):
            assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture
def racing_platform(tool_url: str, tmp_path: Path, database: Database) -> Iterator[PracticePlatform]:
    """A practice LMS that has the running tool registered, and is registered there."""
    platform = PracticePlatform(tmp_path / "practice", tool_url)
    told = platform.registration
    with database.across_tenants() as connection:
        platforms.add_platform(
            connection,
            issuer=told.issuer,
            client_id=told.client_id,
            auth_login_url=told.auth_login_url,
            auth_token_url=told.auth_token_url,
            jwks_url=told.jwks_url,
            deployment_ids=[told.deployment_id],
        )
    yield platform
    platform.stop()


class Racers:
    """Fifty threads that post the same form at the same moment, each over a connection of its own."""

    def __init__(self, tool_url: str) -> None:
        self._host = urlsplit(tool_url).netloc
        self._start = threading.Barrier(POSTS)
        self._lock = threading.Lock()

    def post(self, form: dict[str, str], cookie: str) -> Counter[int]:
        """How many got which status."""
        statuses: Counter[int] = Counter()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
        threads = [
            threading.Thread(target=self._post_once, args=(urlencode(form), headers, statuses)) for _ in range(POSTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return statuses

    def _post_once(self, body: str, headers: dict[str, str], statuses: Counter[int]) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=60)
        connection.connect()
        self._start.wait(60)
        connection.request("POST", "/lti/launch", body, headers)
        status = connection.getresponse().status
        connection.close()
        with self._lock:
            statuses[status] += 1


def test_replay_race_of_fifty_posts_a_hundred_times_over(
    tool_url: str, racing_platform: PracticePlatform, owner: psycopg.Connection
) -> None:
    racers = Racers(tool_url)
    for number in range(1, ROUNDS + 1):
        asked = racing_platform.login_request("learner")
        login = requests.get(f"{tool_url}/lti/login", params=asked, allow_redirects=False, timeout=30)
        cookie = login.headers["Set-Cookie"].partition(";")[0]
        form = racing_platform.answer(login.headers["Location"])
        assert racers.post(form, cookie) == {303: 1, 409: POSTS - 1}, f"round {number}"
        sessions = owner.execute("SELECT count(*) FROM launch_sessions").fetchone()
        assert sessions == (number,)
    trail = dict(owner.execute("SELECT event, count(*) FROM audit_events GROUP BY event").fetchall())
    assert trail == {"launch": ROUNDS, "LTI-USED": ROUNDS * (POSTS - 1)}
