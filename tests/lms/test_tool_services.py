"""The tool's services against the practice LMS: real tokens, real columns, the real class list, a real review."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from config.settings import Settings
from lti_tool import create_app
from lti_tool.db import Database
from lti_tool.gradebook.ags import LINE_ITEM_SCOPE, AgsClient, Score
from lti_tool.gradebook.errors import OwnedByPlatform, ServiceError, StaleTimestamp
from lti_tool.gradebook.roster import RosterClient
from lti_tool.launch.platforms import Registration, add_platform
from lti_tool.launch.roles import Role
from lti_tool.launch.tokens import TokenSource
from lti_tool.platform_http import PlatformHttp
from lti_tool.practice_lms.tools import ALL_SCOPES
from tests.integration.test_submission_review import hand_in, make_quiz
from tests.lms.conftest import TOOL, RunningLms, ScriptedTool, read_form


@dataclass
class Tool:
    """The tool, registered at a practice LMS that knows its keys."""

    lms: RunningLms
    scripted: ScriptedTool
    database: Database
    registration: Registration
    browser: FlaskClient
    http: PlatformHttp
    tokens: TokenSource

    @property
    def gradebook(self) -> AgsClient:
        return AgsClient(self.registration, self.http, self.tokens)

    def launches(self, path: str) -> TestResponse:
        """A browser opens a page of the LMS that leads into the tool; the tool's answer to the message."""
        login = self.lms.browser.get(self.lms.issuer + path, timeout=10, allow_redirects=False)
        assert login.status_code == 302, login.text
        parts = urlsplit(login.headers["Location"])
        asked = self.browser.get(f"{parts.path}?{parts.query}")
        assert asked.status_code == 302, asked.text
        form = read_form(self.lms.browser.get(asked.location, timeout=10))
        return self.browser.post("/lti/launch", data=form.fields)


@dataclass
class KeyOfTheTool:
    """The tool's own signing key, as its key set shows it."""

    browser: FlaskClient

    def jwk(self) -> dict[str, Any]:
        return self.browser.get("/lti/jwks.json").get_json()["keys"][0]


@pytest.fixture
def tool(unregistered_tool: ScriptedTool, settings: Settings, database: Database) -> Iterator[Tool]:
    settings = settings.model_copy(update={"public_url": TOOL})
    app = create_app(settings)
    services = app.extensions["mlquiz"]
    browser = app.test_client()
    browser.environ_base["HTTP_HOST"] = urlsplit(TOOL).netloc
    unregistered_tool.published.append(KeyOfTheTool(browser))  # pyright: ignore[reportArgumentType]
    registered = unregistered_tool.registers()
    with database.across_tenants() as connection:
        registration = add_platform(
            connection,
            issuer=unregistered_tool.lms.issuer,
            client_id=registered["client_id"],
            auth_login_url=registered["auth_login_url"],
            auth_token_url=registered["auth_token_url"],
            jwks_url=registered["jwks_url"],
            deployment_ids=[registered["deployment_id"]],
        )
    http = PlatformHttp(settings)
    tokens = TokenSource(http, database, services.secret)
    yield Tool(unregistered_tool.lms, unregistered_tool, database, registration, browser, http, tokens)
    services.database.close()


@pytest.fixture
def activity(tool: Tool) -> dict[str, Any]:
    """A graded activity of the tool in the course, put there by an instructor."""
    return tool.scripted.adds(url=f"{TOOL}/lti/launch", custom={})


def columns_url(activity: dict[str, Any]) -> str:
    path, _, query = activity["lineitem"].partition("?")
    return f"{path.rsplit('/', 2)[0]}?{query}"


def test_a_columns_whole_life(tool: Tool, activity: dict[str, Any]) -> None:
    client = tool.gradebook
    made = client.create_line_item(
        columns_url(activity),
        label="Extra",
        score_maximum=Decimal("7.5"),
        resource_link_id=activity["resource_link_id"],
        resource_id="quiz-9",
        tag="extra",
        ends_at=datetime(2026, 12, 1, tzinfo=UTC),
    )
    listed = client.list_line_items(columns_url(activity), scopes=ALL_SCOPES, tag="extra")
    assert [item.url for item in listed] == [made.url]
    changed = client.update_line_item(made.url, label="Extra points", score_maximum=Decimal(8))
    assert (changed.label, changed.score_maximum) == ("Extra points", Decimal(8))
    kept = client.get_line_item(made.url, scopes=[LINE_ITEM_SCOPE])
    assert (kept.tag, kept.resource_id, kept.ends_at) == ("extra", "quiz-9", datetime(2026, 12, 1, tzinfo=UTC))  # M9
    client.delete_line_item(made.url)
    assert client.list_line_items(columns_url(activity), scopes=ALL_SCOPES, tag="extra") == []
    with pytest.raises(OwnedByPlatform):
        client.delete_line_item(activity["lineitem"])  # M9


def test_with_two_columns_the_tagged_one_is_found(tool: Tool, activity: dict[str, Any]) -> None:
    client = tool.gradebook
    for tag in ("other", "mlquiz"):
        client.create_line_item(
            columns_url(activity),
            label=tag,
            score_maximum=Decimal(1),
            resource_link_id=activity["resource_link_id"],
            tag=tag,
        )
    found = client.find_line_item(
        columns_url(activity), resource_link_id=activity["resource_link_id"], scopes=ALL_SCOPES, tag="mlquiz"
    )
    assert found is not None
    assert found.tag == "mlquiz"  # M10


def test_scores_go_there_and_come_back(tool: Tool, activity: dict[str, Any]) -> None:
    client = tool.gradebook
    now = datetime.now(UTC)
    score = Score(
        user_sub="12",
        score_given=Decimal(4),
        score_maximum=Decimal(5),
        comment="잘했어요",
        timestamp=now,
        submitted_at=now - timedelta(minutes=1),
        submission_url="https://quiz.example.edu/lti/launch?attempt=1",
    )
    client.post_score(activity["lineitem"], score)
    result = client.get_result(activity["lineitem"], "12")
    assert result is not None
    assert (result.score, result.maximum, result.comment) == (Decimal(8), Decimal(10), "잘했어요")
    assert client.get_result(activity["lineitem"], "13") is None
    with pytest.raises(StaleTimestamp):
        client.post_score(activity["lineitem"], score)  # M4
    with pytest.raises(ServiceError, match="not an enrolled student"):
        client.post_score(activity["lineitem"], Score(**{**_fields(score), "user_sub": "3"}))  # M3


def _fields(score: Score) -> dict[str, Any]:
    return {name: getattr(score, name) for name in Score.__slots__}


def test_the_class_list_is_read_page_by_page(tool: Tool, activity: dict[str, Any]) -> None:
    url = f"{tool.lms.issuer}/services/CourseSection/2/memberships"
    members = RosterClient(tool.registration, tool.http, tool.tokens).list_members(url)
    assert [member.user_sub for member in members if member.role is Role.LEARNER] == ["11", "12", "13", "14", "15"]
    assert [member.name for member in members if member.role is Role.INSTRUCTOR] == ["Dr. Ada Okafor"]
    here = RosterClient(tool.registration, tool.http, tool.tokens).list_members(
        url, resource_link_id=activity["resource_link_id"]
    )
    assert here == members


def test_the_gradebook_opens_what_a_student_handed_in(tool: Tool, activity: dict[str, Any]) -> None:
    number = activity["id"]
    assert tool.launches(f"/as/mateo/activities/{number}/open").status_code == 303
    quiz_id = make_quiz(tool.database, tool.registration.id)
    attempt_id = hand_in(tool.database, tool.registration.id, "11", quiz_id)
    opened = tool.launches(f"/as/ada/activities/{number}/submissions/11/open")
    assert opened.status_code == 303, opened.text
    page = tool.browser.get(urlsplit(opened.location).path, follow_redirects=True)
    assert page.request.path.endswith(f"/results/{attempt_id}")
    assert "answer of 11" in page.text
    refused = tool.launches(f"/as/ada/activities/{number}/submissions/12/open")
    assert refused.status_code == 404
    assert "LTI-REVIEW" in refused.text


def test_the_practice_lms_lets_only_its_instructor_review(tool: Tool, activity: dict[str, Any]) -> None:
    path = f"/activities/{activity['id']}/submissions/11"
    assert f"{path}/open" in tool.lms.page(f"/as/ada{path}")
    tool.lms.page(f"/as/mateo{path}", status=403)
    tool.lms.page(f"/as/mateo{path}/open", status=403)
    tool.lms.page("/as/ada/activities/999/submissions/11", status=404)
    tool.lms.page(f"/as/ada/activities/{activity['id']}/submissions/999/open", status=404)
    now = datetime.now(UTC)
    score = Score(
        user_sub="11", score_given=Decimal(1), score_maximum=Decimal(1), comment=None, timestamp=now, submitted_at=now
    )
    tool.gradebook.post_score(activity["lineitem"], score)
    assert f'href="/as/ada{path}"' in tool.lms.page("/as/ada/gradebook")
