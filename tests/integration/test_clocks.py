"""Clocks that are wrong: of the worker that sends, and of the platform that takes. The outcome is always the same."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import time_machine

from config import Settings
from lti_tool.gradebook.delivery import Delivery
from lti_tool.launch.platforms import add_platform
from tests.course_actors import Course
from tests.integration.stack import free_ports
from tests.integration.test_delivery import Outbox
from tests.scripted_gradebook import ScriptedGradebook

ROOT = Path(__file__).resolve().parent.parent.parent
MINUTES = (0, 5, -5)


@pytest.fixture(scope="module")
def schools() -> Iterator[str]:
    """The schools of the chaos run in a process of their own, with true clocks; Canvas's is five minutes behind."""
    (port,) = free_ports(1)
    process = subprocess.Popen([sys.executable, "-m", "tests.chaos.schools", str(port), "600"], cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                requests.get(f"{url}/state", timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        yield url
    finally:
        process.kill()
        process.wait()


def sender(course: Course, settings: Settings, url: str, family: str) -> Outbox:
    """An outbox that leads to one of the schools."""
    site = f"{url}/{family}"
    with course.database.across_tenants() as connection:
        add_platform(
            connection,
            issuer=course.registration.issuer,
            client_id=course.registration.client_id,
            family=family,
            auth_login_url=f"{site}/auth",
            auth_token_url=f"{site}/token",
            jwks_url=f"{site}/jwks",
            deployment_ids=["1"],
        )
    number = abs(hash(course.database.conninfo)) % 10**9
    course.line_item_url = f"{site}/services/ags/1/lineitems/{number}/lineitem?type_id=1"
    course.has_quiz(max_attempts=5)
    nowhere: Any = ScriptedGradebook
    return Outbox(course, Delivery(settings, course.database), nowhere, course.learner())


@pytest.mark.parametrize("family", ["moodle", "canvas"])
def test_whatever_the_workers_clocks_say_the_newest_score_counts(
    course: Course, settings: Settings, schools: str, family: str
) -> None:
    outbox = sender(course, settings, schools, family)
    began_at = datetime.now(UTC)
    fractions = (0.2, 0.5, 0.6, 0.9)
    for fraction, minutes in zip(fractions, (5, -5, 0, -5), strict=True):
        delivery_id = outbox.answers(fraction=fraction)
        outbox.delivery = Delivery(settings, course.database)  # another worker, without a token
        with time_machine.travel(time.time() + 60 * minutes):
            outbox.delivers(delivery_id)
        assert outbox.state(delivery_id) == ("DELIVERED", 1, None)
    state = requests.get(f"{schools}/state", timeout=10).json()[family]
    number = course.line_item_url.rpartition("/lineitem?")[0].rpartition("/")[2] if course.line_item_url else ""
    grade = state["grades"][f"{number} ada-lovelace"]
    assert grade["scores"] == pytest.approx([fraction * 50 for fraction in fractions])
    assert len(set(grade["comments"])) == len(fractions)
    assert state["harms"] == []
    with course.transaction() as connection:
        rows = connection.execute("SELECT score_timestamp FROM deliveries ORDER BY version").fetchall()
    stamps = [row[0] for row in rows]
    assert stamps == sorted(set(stamps))
    assert began_at <= stamps[0]
    assert stamps[-1] < datetime.now(UTC) + timedelta(seconds=6), "no clock but the database's"


@pytest.mark.parametrize("minutes", MINUTES)
def test_submission_and_timestamp_are_those_of_the_row(
    course: Course, settings: Settings, schools: str, minutes: int
) -> None:
    outbox = sender(course, settings, schools, "canvas")
    delivery_id = outbox.answers()
    with course.transaction() as connection:  # long ago: in nobody's future
        connection.execute("UPDATE deliveries SET submitted_at = submitted_at - interval '20 minutes'")
    row = outbox.row("SELECT score_timestamp, submitted_at FROM deliveries")
    with time_machine.travel(time.time() + 60 * minutes), pytest.MonkeyPatch.context() as patch:
        bodies = _seen_bodies(patch, outbox)
        outbox.delivers(delivery_id)
    assert outbox.state(delivery_id)[0] == "DELIVERED"
    assert row is not None
    (body,) = bodies
    assert datetime.fromisoformat(body["timestamp"]) == row[0]
    sent = datetime.fromisoformat(body["submission"]["submittedAt"])
    assert abs(sent - row[1]) < timedelta(milliseconds=1)


def _seen_bodies(patch: pytest.MonkeyPatch, outbox: Outbox) -> list[dict[str, Any]]:
    """The scores that leave, on their way out."""
    import json

    bodies: list[dict[str, Any]] = []
    http = outbox.delivery._http  # pyright: ignore[reportPrivateUsage]
    send = http.post

    def post(url: str, body: bytes, **more: Any) -> Any:
        if "/scores" in url:
            bodies.append(json.loads(body))
        return send(url, body, **more)

    patch.setattr(http, "post", post)
    return bodies
