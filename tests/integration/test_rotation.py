"""Keys change while a lecture hall launches: platform key and tool key are rotated, and nobody notices."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask

from config.settings import Settings
from lti_tool import create_app
from lti_tool.db import Database
from lti_tool.demo.practice import PracticeLms
from lti_tool.demo.visitor import VisitFailed, Visitor
from lti_tool.gradebook.ags import SCORE_SCOPE, AgsClient, Score
from lti_tool.launch.keys import list_keys, rotate
from lti_tool.launch.platforms import Registration, list_registrations
from lti_tool.launch.tokens import TokenSource
from lti_tool.platform_http import PlatformHttp
from lti_tool.practice_lms import create_practice_lms
from lti_tool.practice_lms.identity import load_identity, rotated_identity
from lti_tool.practice_lms.lms import EXTENSION
from lti_tool.secrets import app_secret
from tests.integration.stack import free_ports, wait_for
from tests.platform_rules.school import serving

LAUNCHES = 200
PARALLEL = 20
RESULTS = ["11", "12", "13", "14", "15"]


@dataclass(kw_only=True)
class Hall:
    """A tool, a practice LMS with one activity, and students who open it."""

    tool: Flask
    lms_app: Flask
    lms: PracticeLms
    admin_token: str
    settings: Settings
    database: Database
    registration: Registration
    activity_id: int
    failures: list[str] = field(default_factory=list)
    calls: int = 0

    def opens(self, number: int) -> str:
        """A student launches; where they are led to."""
        visitor = Visitor(lms_url=self.lms.url, slug=f"student-{number}")
        try:
            visitor.launches(self.activity_id)
        except (VisitFailed, requests.RequestException) as error:
            self.failures.append(str(error)[:400])
        return visitor.url

    def rotates_platform_key(self, *, forgets: bool = False) -> dict[str, list[dict[str, str]]]:
        """The platform signs with a new key from now on; its published key set."""
        answer = requests.post(
            f"{self.lms.url}/admin/keys{'?forget=1' if forgets else ''}",
            headers={"Authorization": f"Bearer {self.admin_token}"},
            timeout=20,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def rotates_tool_key(self) -> str:
        """The tool signs with a new key at once: it is made, and its day of notice is over."""
        with self.database.across_tenants() as connection:
            kid = rotate(connection, app_secret(self.settings))
            connection.execute("UPDATE tool_keys SET created_at = created_at - interval '25 hours'")
            signing = [key.kid for key in list_keys(connection) if key.state == "SIGNING"]
        assert signing == [kid]
        return kid

    def counts(self, endpoint: str) -> int:
        """How often the platform was asked."""
        return self.lms_app.extensions["practice_lms.counts"][endpoint]

    def tool_keys_at_the_platform(self) -> set[str]:
        """Ids of the tool's keys as the platform has them."""
        kept = self.lms_app.extensions[EXTENSION].tool_keys._kept
        return {key["kid"] for _, key_set in kept.values() for key in key_set["keys"]}

    def keeps_calling(self, line_item_url: str, is_over: threading.Event) -> None:
        """Scores and results, with tokens that are asked for anew every few calls, until the hall is empty."""
        http = PlatformHttp(self.settings)
        tokens = TokenSource(http, self.database, app_secret(self.settings))
        client = AgsClient(self.registration, http, tokens)
        began = datetime.now(UTC)
        while not is_over.is_set():
            user = RESULTS[self.calls % len(RESULTS)]
            stamp = began + timedelta(seconds=self.calls)
            try:
                client.post_score(line_item_url, _score(user, stamp))
                assert client.get_result(line_item_url, user) is not None
                if self.calls % 5 == 0:
                    tokens.drop(self.registration, (SCORE_SCOPE,), tokens.get(self.registration, (SCORE_SCOPE,)))
            except Exception as error:
                self.failures.append(f"service call {self.calls}: {error!r}")
            self.calls += 1


def _score(user: str, stamp: datetime) -> Score:
    return Score(user_sub=user, score_given=Decimal(1), score_maximum=Decimal(4), comment="Good.", timestamp=stamp)


@pytest.fixture
def hall(settings: Settings, tmp_path: Path) -> Iterator[Hall]:
    tool_port, lms_port = free_ports(2)
    settings = settings.model_copy(update={"web_port": tool_port, "web_threads": 12})
    folder = tmp_path / "lms"
    lms_app = create_practice_lms(folder, f"http://127.0.0.1:{lms_port}")
    tool = create_app(settings)
    database: Database = tool.extensions["mlquiz"].database
    with serving(tool, "127.0.0.1", tool_port), serving(lms_app, "127.0.0.1", lms_port):
        lms = PracticeLms(f"http://127.0.0.1:{lms_port}", folder)
        lms.register(settings, database)
        with database.across_tenants() as connection:
            (registration,) = list_registrations(connection)
        yield Hall(
            tool=tool,
            lms_app=lms_app,
            lms=lms,
            admin_token=(folder / "admin.token").read_text(encoding="utf-8"),
            settings=settings,
            database=database,
            registration=registration,
            activity_id=_added_activity(lms),
        )
    database.close()


def _added_activity(lms: PracticeLms) -> int:
    """The instructor adds a quiz of one question by deep linking."""
    instructor = Visitor(lms_url=lms.url, slug="ada")
    instructor.chooses_content()
    instructor.submits("/quizzes", {"title": "Lecture", "language": "en", "max_attempts": "1"})
    instructor.follows("/bank")
    instructor.submits("/bank", {"sample": ["overfitting"], "max_points": "4"})
    instructor.follows("/place")
    instructor.submits("/place")
    return lms.activities()[0].id


def _line_item_url(hall: Hall) -> str:
    hall.opens(1)
    with hall.database.across_tenants() as connection:
        row = connection.execute("SELECT line_item_url FROM resource_links").fetchone()
    assert row is not None
    return row[0]


def test_both_keys_are_rotated_while_two_hundred_students_launch_and_none_fails(hall: Hall) -> None:
    line_item_url = _line_item_url(hall)
    before = hall.lms_app.extensions[EXTENSION].identity.key_set["keys"][0]["kid"]
    is_over = threading.Event()
    calling = threading.Thread(target=hall.keeps_calling, args=(line_item_url, is_over))
    calling.start()
    events: dict[int, Callable[[], object]] = {70: hall.rotates_platform_key, 130: hall.rotates_tool_key}
    led_to: list[str] = []
    calls_so_far = 0
    with ThreadPoolExecutor(PARALLEL) as students:
        launches = [students.submit(hall.opens, number) for number in range(2, LAUNCHES + 2)]
        for done, launch in enumerate(as_completed(launches), start=1):
            led_to.append(launch.result())
            if done in events:
                calls_so_far = hall.calls
                events[done]()
    # However fast the last launches were, there are calls with both new keys.
    wait_for(lambda: hall.calls > calls_so_far + 5, "calls after the last rotation")
    is_over.set()
    calling.join(30)
    assert hall.failures == []
    assert len([url for url in led_to if url.endswith("/quiz")]) == LAUNCHES
    # The new keys were really used, and the calls went on between the rotations.
    (after, earlier) = hall.lms_app.extensions[EXTENSION].identity.key_set["keys"]
    assert (earlier["kid"], after["kid"] == before) == (before, False)
    assert after["kid"] in _known_platform_keys(hall)
    with hall.database.across_tenants() as connection:
        (signing,) = [key.kid for key in list_keys(connection) if key.state == "SIGNING"]
    assert signing in hall.tool_keys_at_the_platform()
    # One fetch at the first launch, one for the new kid.
    assert hall.counts("launches.jwks") == 2


def test_a_platform_that_forgets_its_old_key_is_asked_once_more(hall: Hall) -> None:
    assert hall.opens(1).endswith("/quiz")
    (published,) = hall.rotates_platform_key(forgets=True)["keys"]
    for number in (2, 3, 4):
        assert hall.opens(number).endswith("/quiz")
    assert hall.failures == []
    assert _known_platform_keys(hall) == {published["kid"]}
    assert hall.counts("launches.jwks") == 2


def test_a_second_rotation_within_half_a_minute_waits_for_the_next_look(hall: Hall) -> None:
    assert hall.opens(1).endswith("/quiz")
    for number in (2, 3):
        hall.rotates_platform_key(forgets=True)
        hall.opens(number)
    # Strangers must not make us fetch, so only the first unknown kid of half a minute does.
    assert len(hall.failures) == 1
    assert "401" in hall.failures[0]
    with hall.database.across_tenants() as connection:
        connection.execute("UPDATE platform_keys SET refetched_at = now() - interval '31 seconds'")
    assert hall.opens(4).endswith("/quiz")
    assert len(hall.failures) == 1


def test_a_rotated_identity_keeps_its_token_and_the_key_before(tmp_path: Path) -> None:
    first = load_identity(tmp_path)
    second = rotated_identity(tmp_path)
    again = load_identity(tmp_path)
    assert second.admin_token == first.admin_token
    assert second.public_key != first.public_key
    assert [key["kid"] for key in second.key_set["keys"]][1:] == [key["kid"] for key in first.key_set["keys"]]
    assert again.key_set == second.key_set
    public = again.private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert public.decode() == again.public_key
    third = rotated_identity(tmp_path, forgets=True)
    assert len(third.key_set["keys"]) == 1
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}


def test_a_key_is_rotated_by_the_administrator_only(hall: Hall) -> None:
    before = hall.lms_app.extensions[EXTENSION].identity.key_set
    assert requests.post(f"{hall.lms.url}/admin/keys", timeout=10).status_code == 401
    assert hall.lms_app.extensions[EXTENSION].identity.key_set == before


def _known_platform_keys(hall: Hall) -> set[str]:
    """Ids of the platform's keys as the tool has them."""
    with hall.database.across_tenants() as connection:
        row = connection.execute("SELECT jwks FROM platform_keys").fetchone()
    assert row is not None
    return {key["kid"] for key in row[0]["keys"]}
