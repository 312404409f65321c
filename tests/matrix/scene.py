"""A tool, a browser and a real platform: walk a launch, alter one thing, look at what the tool did."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import psycopg
from flask import Flask
from flask.testing import FlaskClient
from psycopg import sql
from werkzeug import Request, Response
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.launch.platforms import Registration
from tests.fake_platform import ABSENT, browser, unverified
from tests.platforms.matrix_platform import MatrixPlatform, PlatformMessage, Role

SESSION_COOKIE = "__Secure-launch"
# Kept beside the audit trail, whoever launches: logins that wait, cached keys, our own keys.
_NOT_OF_A_LAUNCH = frozenset({"logins", "platform_keys", "tool_keys"})


def tenant_tables(owner: psycopg.Connection) -> list[str]:
    """Every table of the tool, but not those of the migrations."""
    found = owner.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '%yoyo%' ORDER BY 1"
    )
    return [row[0] for row in found]


@dataclass(slots=True)
class KeyFront:
    """Stands before the platform's key set: passes it on, or answers ``answer`` in its place, and counts."""

    platform: MatrixPlatform
    url: str
    answer: Response | bytes | None = None
    fetches: int = 0

    def serve(self, request: Request) -> Response:
        """The answer to one fetch."""
        assert request.headers["User-Agent"].startswith("mlquiz/")
        self.fetches += 1
        if isinstance(self.answer, Response):
            return self.answer
        return Response(self.answer or self.platform.key_set(), content_type="application/json")

    def publish(self, *keys: Mapping[str, Any]) -> None:
        """From now on the key set holds these keys only."""
        self.answer = json.dumps({"keys": keys}).encode()


@dataclass(slots=True, kw_only=True)
class Scene:
    """One platform, registered at an otherwise empty tool, and one browser."""

    platform: MatrixPlatform
    keys: KeyFront
    registration: Registration
    database: Database
    owner: psycopg.Connection
    settings: Settings
    app: Flask
    browser: FlaskClient
    # What docs/reference/refused-launches.md says of the row that the test is about: statuses and codes.
    documented: tuple[set[int], set[str]] | None = None
    before: dict[str, int] = field(default_factory=dict)
    _tables: list[str] = field(default_factory=list)

    # --- the walk -----------------------------------------------------------------------------------------------

    def another_browser(self) -> FlaskClient:
        """A browser without a cookie."""
        return browser(self.app, self.settings)

    def login(
        self,
        changes: Mapping[str, Any] | None = None,
        *,
        role: Role = "learner",
        deep_linking: bool = False,
        client: FlaskClient | None = None,
        path: str = "/lti/login",
    ) -> TestResponse:
        """The platform's own login request, altered in ``changes``, sent to the tool."""
        asked: dict[str, Any] = self.platform.login_request(role, deep_linking=deep_linking) | dict(changes or {})
        self.before = self.rows()
        parameters = MultiDict({name: value for name, value in asked.items() if value is not ABSENT})
        return (client or self.browser).get(path, query_string=parameters)

    def message(
        self, *, role: Role = "learner", deep_linking: bool = False, client: FlaskClient | None = None
    ) -> PlatformMessage:
        """Login, then the platform's answer: its message, for us to alter."""
        # Without the platform's storage the cookie alone ties the launch to the browser.
        response = self.login({"lti_storage_target": ABSENT}, role=role, deep_linking=deep_linking, client=client)
        assert response.status_code == 302, response.text
        fields = self.platform.answer(response.location)
        query = dict(parse_qsl(urlsplit(response.location).query))
        assert fields["state"] == query["state"]
        assert unverified(fields["id_token"])["nonce"] == query["nonce"]
        self.before = self.rows()
        return PlatformMessage(platform=self.platform, state=fields["state"], id_token=fields["id_token"])

    def post(self, id_token: str, state: str, *, client: FlaskClient | None = None) -> TestResponse:
        """The form of the platform as the browser posts it."""
        return (client or self.browser).post("/lti/launch", data={"id_token": id_token, "state": state})

    def launch(
        self,
        changes: Mapping[str, Any] | None = None,
        *,
        header: Mapping[str, Any] | None = None,
        role: Role = "learner",
        deep_linking: bool = False,
    ) -> TestResponse:
        """A whole launch whose claims or header are altered before the platform signs them."""
        message = self.message(role=role, deep_linking=deep_linking)
        return self.post(message.signed(changes, header=header), message.state)

    def launch_with(self, make: Callable[[PlatformMessage], str]) -> TestResponse:
        """A whole launch whose token is what ``make`` makes of the platform's message."""
        message = self.message()
        return self.post(make(message), message.state)

    # --- what came of it ----------------------------------------------------------------------------------------

    def rows(self) -> dict[str, int]:
        """How many rows each table has that a launch could leave something in; row-level security does not hide any."""
        if not self._tables:
            self._tables = [table for table in tenant_tables(self.owner) if table not in _NOT_OF_A_LAUNCH]
        counts = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, count(*) FROM {}").format(sql.Literal(table), sql.Identifier(table))
            for table in self._tables
        )
        return dict(self.owner.execute(counts).fetchall())

    def events(self) -> list[str]:
        """The audit trail, oldest first."""
        return [row[0] for row in self.owner.execute("SELECT event FROM audit_events ORDER BY id")]

    def assert_refused(self, response: TestResponse, status: int, code: str, *, also: tuple[str, ...] = ()) -> None:
        """The page has status, code and number, and nothing of the message; one audit row is all that was stored.

        ``also``: tables that got one row more, because this refusal leaves something to do.
        """
        assert (response.status_code, code in response.text) == (status, True), f"{response.status} {response.text}"
        if self.documented:
            assert status in self.documented[0]
            assert code in self.documented[1]
        assert re.search(r"<code>[0-9a-f]{12}</code>", response.text)
        assert 'role="alert"' in response.text
        for secret in ("Traceback", "id_token=", "Mateo", "Ada", "eyJ", "nonce"):
            assert secret not in response.text
        assert response.headers["Cache-Control"] == "no-store"
        assert SESSION_COOKIE not in response.headers.get("Set-Cookie", "")
        assert "Location" not in response.headers
        more = {name: 1 for name in ("audit_events", *also)}
        assert self.rows() == {name: count + more.get(name, 0) for name, count in self.before.items()}
        assert self.events()[-1] == code
        self.before = self.rows()

    def assert_launched(self, response: TestResponse) -> TestResponse:
        """The launch opened exactly one session; its first page."""
        assert response.status_code == 303, response.text
        after = self.rows()
        assert after["launch_sessions"] == self.before["launch_sessions"] + 1
        assert self.events()[-1] == "launch"
        page = self.browser.get(response.location, follow_redirects=True)
        assert page.status_code == 200, page.text
        return page
