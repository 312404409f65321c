"""A lecture hall opens a quiz: 100 students launch within ten seconds, whatever the tool makes of it (open loop).

Measured is the tool's share of a launch, login and launch, beside its lightest page in the same run; and, by the
platform's own counters, how sparing the tool is with key sets and access tokens.
"""

from __future__ import annotations

import html
import re
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import requests
import urllib3

from config import load_settings
from lti_tool.demo.script import STUDENTS
from tests.integration.stack import Stack, running_stack, short_folder

STUDENT_COUNT = 100
SECONDS = 10.0
_INPUT = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


def measure(web_workers: int = 1) -> dict[str, float]:
    """The figures, in milliseconds, counts and ratios."""
    with short_folder(load_settings().models_path) as folder:
        return _measured(folder, web_workers)


def _measured(folder: Path, web_workers: int) -> dict[str, float]:
    with running_stack(folder, web_workers=web_workers) as stack:
        _run_in_parallel([_Launch(stack, f"student-{number}") for number in range(900, 905)], seconds=1.0)  # warms up
        base = stack.settings.base_url
        light = sorted(_timed(lambda: requests.get(f"{base}/health/live", timeout=30))[1] for _ in range(STUDENT_COUNT))
        launches = [_Launch(stack, f"student-{number}") for number in range(1, STUDENT_COUNT + 1)]
        _run_in_parallel(launches, seconds=SECONDS)
        failed = [launch.failure for launch in launches if launch.failure]
        if failed:
            raise RuntimeError(f"{len(failed)} launches failed, the first: {failed[0]}")
        for student in STUDENTS:
            stack.answers(student)
        stack.waits_until_delivered()
        counts = requests.get(f"{stack.lms.url}/admin/counters", headers=stack.lms._headers, timeout=30).json()
    shares = sorted(launch.login_seconds + launch.launch_seconds for launch in launches)
    return {
        "students": float(len(shares)),
        "tool_share_p50_ms": 1000 * statistics.median(shares),
        "tool_share_p95_ms": 1000 * _p95(shares),
        "login_p95_ms": 1000 * _p95(sorted(launch.login_seconds for launch in launches)),
        "launch_p95_ms": 1000 * _p95(sorted(launch.launch_seconds for launch in launches)),
        "p95_over_lightest_page": _p95(shares) / _p95(light),
        "key_set_fetches": counts["launches.jwks"],
        "token_requests_per_scope_set_at_most": max(
            count for name, count in counts.items() if name.startswith("token for ")
        ),
        "scores_posted": counts.get("grades.scores", 0),
    }


@dataclass
class _Launch:
    """One student's launch: what a browser does, without drawing pages."""

    stack: Stack
    slug: str
    login_seconds: float = 0.0
    launch_seconds: float = 0.0
    failure: str = ""
    session: requests.Session = field(default_factory=requests.Session)

    def run(self) -> None:
        """Open the activity, follow the login, post the message; the two requests to the tool are timed."""
        try:
            self._run()
        except (requests.RequestException, urllib3.exceptions.HTTPError, RuntimeError) as error:
            self.failure = f"{self.slug}: {error}"

    def _run(self) -> None:
        opened = self._get(f"{self.stack.lms.url}/as/{self.slug}/activities/{self.stack.activity.id}/open")
        login, self.login_seconds = _timed(lambda: self._get(opened.headers["Location"]))
        cookie = login.headers["Set-Cookie"].partition(";")[0]
        message = self._get(login.headers["Location"])
        form = {name: html.unescape(value) for name, value in _INPUT.findall(message.text)}
        launched, self.launch_seconds = _timed(
            lambda: self.session.post(
                f"{self.stack.settings.base_url}/lti/launch",
                data=form,
                # The jar would keep a Secure cookie from http://localhost; browsers do not.
                headers={"Cookie": cookie},
                allow_redirects=False,
                timeout=30,
            )
        )
        if launched.status_code != 303:
            raise RuntimeError(f"status {launched.status_code}")

    def _get(self, url: str) -> requests.Response:
        response = self.session.get(url, allow_redirects=False, timeout=30)
        response.raise_for_status()
        return response


def _run_in_parallel(launches: list[_Launch], *, seconds: float) -> None:
    """Start the launches evenly over ``seconds``; none waits for another."""
    began = time.monotonic()
    threads = []
    for number, launch in enumerate(launches):
        time.sleep(max(0.0, began + number * seconds / len(launches) - time.monotonic()))
        thread = threading.Thread(target=launch.run)
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join(60)


def _timed(request: Callable[[], requests.Response]) -> tuple[requests.Response, float]:
    began = time.perf_counter()
    response = request()
    return response, time.perf_counter() - began


def _p95(ordered: list[float]) -> float:
    return ordered[max(0, round(0.95 * len(ordered)) - 1)]
