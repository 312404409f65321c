"""Row 66 on the practice LMS, which registers tools: Open edX cannot.

Everything is the LMS's own, its administrator's redirect, token, configuration and registration, but for the one thing
that a test makes wrong. Whatever was refused registers once that is put right, with the same invitation.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import psycopg
import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from psycopg import sql
from werkzeug import Response
from werkzeug.test import TestResponse

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.launch.platforms import list_deployments, list_registrations
from lti_tool.launch.rates import MinuteLimit
from lti_tool.launch.registration.invitations import create_invitation, invitation_url, list_invitations
from lti_tool.launch.registration.views import TRIES_PER_MINUTE, RegistrationServices
from lti_tool.platform_http import PlatformHttp
from lti_tool.practice_lms import create_practice_lms
from lti_tool.practice_lms.lms import EXTENSION, PracticeLms
from lti_tool.practice_lms.tools import Tool, list_pending_tools
from tests.integration.registering_platform import ticket_of
from tests.integration.stack import free_ports
from tests.matrix.rows import documented_rows
from tests.matrix.scene import tenant_tables
from tests.platform_rules.layer import Exchange, Kind, Rule, RuleLayer
from tests.platform_rules.school import certificate_file, serving

METADATA = "http://169.254.169.254/latest/meta-data"
TEN_MEGABYTES = 10_000_000


class OneThingWrong(Rule, is_row=False):
    """Not a platform's rule: what a test wants to be wrong, and who asked for what under which host name."""

    def __init__(self) -> None:
        super().__init__()
        # In place of the LMS's answer, and added to it.
        self.instead: dict[Kind, Response] = {}
        self.added: dict[Kind, dict[str, Any]] = {}
        self.asked: list[tuple[Kind, str]] = []

    def refuse(self, exchange: Exchange) -> Response | None:
        if exchange.kind in {"configuration", "register"}:
            self.asked.append((exchange.kind, exchange.request.host))
        return self.instead.get(exchange.kind)

    def change_answer(self, exchange: Exchange, answer: Response) -> None:
        if added := self.added.get(exchange.kind):
            assert answer.status_code == 200
            answer.set_data(json.dumps(json.loads(answer.get_data()) | added))

    def put_right(self) -> None:
        """The LMS is as it should be again."""
        self.instead.clear()
        self.added.clear()


@dataclass(kw_only=True)
class Site:
    """The practice LMS behind a front, its administrator, and an otherwise empty tool.

    ``other_name`` and ``other_port`` are the same LMS under addresses that are not its issuer's: whatever is sent
    there works.
    """

    lms: PracticeLms
    front: OneThingWrong
    other_name: str
    other_port: str
    database: Database
    owner: psycopg.Connection
    settings: Settings
    app: Flask
    browser: FlaskClient
    before: dict[str, int] = field(default_factory=dict)

    def allows_private_platforms(self, allowed: bool) -> None:
        """Set ``ALLOW_PRIVATE_PLATFORMS`` of the tool."""
        settings = self.settings.model_copy(update={"allow_private_platforms": allowed})
        self.app.extensions["mlquiz.registration"] = RegistrationServices(
            http=PlatformHttp(settings), limit=MinuteLimit(TRIES_PER_MINUTE)
        )

    def pasted(self) -> str:
        """Where the LMS sends its administrator who pasted a fresh invitation."""
        with self.database.across_tenants() as connection:
            _, secret = create_invitation(connection, name="A school", wants_names=True)
        return self.pasted_again(invitation_url(self.settings.base_url, secret))

    def pasted_again(self, invitation: str) -> str:
        """The same for an invitation that there is: each time has a token of its own."""
        answer = requests.get(
            f"{self.lms.issuer}/site/tools/start", params={"url": invitation}, timeout=10, allow_redirects=False
        )
        assert answer.status_code == 302, answer.text
        assert answer.headers["Location"].startswith(f"{invitation}?")
        return answer.headers["Location"]

    def opens(self, address: str) -> TestResponse:
        """The tool's page in the frame of the LMS."""
        self.before = self.rows()
        parts = urlsplit(address)
        return self.browser.get(f"{parts.path}?{parts.query}")

    def asks(self, address: str) -> TestResponse:
        """The same, and the page shows who asks; nothing is stored yet."""
        page = self.opens(address)
        assert page.status_code == 200, page.text
        assert self.rows() == self.before
        return page

    def presses(self, address: str, page: TestResponse) -> TestResponse:
        """The button of that page."""
        self.before = self.rows()
        return self.browser.post(urlsplit(address).path, data={"ticket": ticket_of(page)})

    # What came of it ----------------------------------------------------------------------------------------------

    def rows(self) -> dict[str, int]:
        """How many rows each table of the tool has."""
        counts = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, count(*) FROM {}").format(sql.Literal(table), sql.Identifier(table))
            for table in tenant_tables(self.owner)
        )
        return dict(self.owner.execute(counts).fetchall())

    def events(self) -> list[str]:
        """The audit trail, oldest first."""
        return [row[0] for row in self.owner.execute("SELECT event FROM audit_events ORDER BY id")]

    def pending_tools(self) -> list[Tool]:
        """The tools that the LMS registered."""
        with self.lms.database.transaction() as connection:
            return list_pending_tools(connection)

    def invitation_statuses(self) -> list[str]:
        """Of all invitations, oldest first."""
        with self.database.across_tenants() as connection:
            return [invitation.status for invitation in reversed(list_invitations(connection))]

    def assert_refused(self, response: TestResponse, code: str, *invitations: str) -> None:
        """400 and its page; one audit row is all that was stored. ``invitations``: their statuses, one OPEN if none."""
        assert response.status_code == 400, f"{response.status} {response.text}"
        assert f"<code>{code}</code>" in response.text
        statuses, codes = documented_rows()[66]
        assert response.status_code in statuses
        assert code in codes
        assert re.search(r"<code>[0-9a-f]{12}</code>", response.text)
        assert 'role="alert"' in response.text
        for secret in ("Traceback", "eyJ", "/lti/register/", "registration_token"):
            assert secret not in response.text
        assert self.rows() == self.before | {"audit_events": self.before["audit_events"] + 1}
        assert self.events()[-1] == code
        assert self.invitation_statuses() == list(invitations or ["OPEN"])

    def assert_registered(self, response: TestResponse) -> None:
        """The LMS and the tool know each other by the same ids, and nothing else was stored."""
        assert response.status_code == 200, response.text
        (tool,) = self.pending_tools()
        with self.database.across_tenants() as connection:
            (registration,) = list_registrations(connection)
            (deployment,) = list_deployments(connection, registration.id)
        assert (registration.issuer, registration.client_id) == (self.lms.issuer, tool.client_id)
        assert (deployment.deployment_id, deployment.status) == (tool.deployment_id, "ACTIVE")
        assert tool.login_url == f"{self.settings.base_url}/lti/login/{registration.login_key}"
        assert registration.jwks_url == f"{self.lms.issuer}/jwks"
        stored = ("audit_events", "deployments", "platforms", "registrations")
        assert self.rows() == self.before | {table: self.before[table] + 1 for table in stored}
        assert self.events()[-1] == "registration"

    def assert_only_the_issuer_was_asked(self) -> None:
        assert {host for _, host in self.front.asked} == {urlsplit(self.lms.issuer).netloc}


@pytest.fixture(autouse=True)
def _nobody_else(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of this process connects to anybody outside of this machine."""
    foreign: list[Any] = []
    connect = socket.socket.connect

    def connected(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not str(address[0]).startswith("127."):
            foreign.append(address)
            raise ConnectionRefusedError(f"{address} is somebody else")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connected)
    yield
    assert foreign == []


Opened = Callable[..., Site]


@pytest.fixture
def tool(
    database: Database,
    owner: psycopg.Connection,
    settings: Settings,
    app: Flask,
    client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
) -> Opened:
    """``tool(lms, front, …)``: the tool and this LMS."""

    def opened(lms: PracticeLms, front: OneThingWrong, other_name: str, other_port: str) -> Site:
        site = Site(
            lms=lms,
            front=front,
            other_name=other_name,
            other_port=other_port,
            database=database,
            owner=owner,
            settings=settings,
            app=app,
            browser=client,
        )
        # Other tests share the app: it gets its own setting back.
        monkeypatch.setitem(app.extensions, "mlquiz.registration", None)
        site.allows_private_platforms(True)
        return site

    return opened


@contextmanager
def _running(tool: Opened, folder: Path, scheme: str, tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    port, second_port = free_ports(2)
    app = create_practice_lms(folder, f"{scheme}://127.0.0.1:{port}")
    front = OneThingWrong()
    layer = RuleLayer(app=app, rules=[front])
    with serving(layer, "127.0.0.1", port, tls), serving(layer, "127.0.0.1", second_port, tls):
        yield tool(
            app.extensions[EXTENSION], front, f"{scheme}://localhost:{port}", f"{scheme}://127.0.0.1:{second_port}"
        )


@pytest.fixture
def site(tool: Opened, tmp_path: Path) -> Iterator[Site]:
    """The practice LMS over http."""
    with _running(tool, tmp_path / "lms", "http") as running:
        yield running


@pytest.fixture
def tls_site(tool: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The practice LMS over https, with a certificate that the tool trusts."""
    certificate = certificate_file(tmp_path / "tls")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with _running(tool, tmp_path / "lms", "https", tls) as running:
        yield running


def test_the_practice_lms_registers_the_tool(site: Site) -> None:
    address = site.pasted()
    page = site.asks(address)
    assert site.lms.issuer in page.text
    assert site.invitation_statuses() == ["OPEN"]
    site.assert_registered(site.presses(address, page))
    assert site.invitation_statuses() == ["USED"]
    site.assert_only_the_issuer_was_asked()
    assert [kind for kind, _ in site.front.asked] == ["configuration", "configuration", "register"]


# Where the platform is ----------------------------------------------------------------------------------------------


def test_bad_launch_66_a_platform_over_http(site: Site) -> None:
    address = site.pasted()
    page = site.asks(address)
    site.front.asked.clear()
    site.allows_private_platforms(False)
    site.assert_refused(site.opens(address), "LTI-REG-ADDRESS")
    site.assert_refused(site.presses(address, page), "LTI-REG-ADDRESS")
    assert site.front.asked == []
    site.allows_private_platforms(True)
    site.assert_registered(site.presses(address, page))


def test_bad_launch_66_a_platform_at_a_private_address(tls_site: Site) -> None:
    address = tls_site.pasted()
    page = tls_site.asks(address)
    tls_site.front.asked.clear()
    tls_site.allows_private_platforms(False)
    tls_site.assert_refused(tls_site.opens(address), "LTI-REG-ADDRESS")
    tls_site.assert_refused(tls_site.presses(address, page), "LTI-REG-ADDRESS")
    assert tls_site.front.asked == []
    tls_site.allows_private_platforms(True)
    tls_site.assert_registered(tls_site.presses(address, page))


@pytest.mark.parametrize("elsewhere", ["other_name", "other_port"])
def test_bad_launch_66_a_platform_reached_elsewhere_than_at_its_issuer(site: Site, elsewhere: str) -> None:
    address = site.pasted()
    own, other = site.lms.issuer, getattr(site, elsewhere)
    query = parse_qs(urlsplit(address).query)
    (configuration,) = query["openid_configuration"]
    moved = urlencode(query | {"openid_configuration": [configuration.replace(own, other)]}, doseq=True)
    site.assert_refused(site.opens(f"{urlsplit(address).path}?{moved}"), "LTI-REG-ISSUER")
    # It was asked what it says of itself, and never sent an application.
    assert site.front.asked == [("configuration", urlsplit(other).netloc)]
    assert site.pending_tools() == []
    site.assert_registered(site.presses(address, site.asks(address)))


# What it says of itself ---------------------------------------------------------------------------------------------


def _refused_twice(site: Site, code: str, spoil: Callable[[], None]) -> None:
    """What is wrong may show when the page is opened or only when its button is pressed; put right, it registers."""
    address = site.pasted()
    page = site.asks(address)
    spoil()
    site.assert_refused(site.opens(address), code)
    site.assert_refused(site.presses(address, page), code)
    assert {kind for kind, _ in site.front.asked} == {"configuration"}
    assert site.pending_tools() == []
    site.front.put_right()
    site.assert_registered(site.presses(address, page))
    site.assert_only_the_issuer_was_asked()


@pytest.mark.parametrize("elsewhere", ["other_name", "other_port"])
@pytest.mark.parametrize(
    ("name", "path", "code"),
    [
        ("issuer", "", "LTI-REG-ISSUER"),
        ("authorization_endpoint", "/auth", "LTI-REG-ENDPOINT"),
        ("token_endpoint", "/token", "LTI-REG-ENDPOINT"),
        ("jwks_uri", "/jwks", "LTI-REG-ENDPOINT"),
        ("registration_endpoint", "/register", "LTI-REG-ENDPOINT"),
    ],
    ids=["issuer", "login", "token", "keys", "registration"],
)
def test_bad_launch_66_an_address_that_is_elsewhere(
    site: Site, name: str, path: str, code: str, elsewhere: str
) -> None:
    said = requests.get(f"{site.lms.issuer}/.well-known/openid-configuration", timeout=10).json()
    assert said[name] == f"{site.lms.issuer}{path}"
    wrong = {name: f"{getattr(site, elsewhere)}{path}"}
    _refused_twice(site, code, lambda: site.front.added.update({"configuration": wrong}))


def test_bad_launch_66_a_configuration_of_10_megabytes(site: Site) -> None:
    padding = {"padding": "x" * TEN_MEGABYTES}
    _refused_twice(site, "LTI-REG-CONFIGURATION", lambda: site.front.added.update({"configuration": padding}))


@pytest.mark.parametrize("elsewhere", ["metadata", "other_name"])
def test_bad_launch_66_a_configuration_that_is_said_to_be_elsewhere(site: Site, elsewhere: str) -> None:
    target = METADATA if elsewhere == "metadata" else f"{site.other_name}/.well-known/openid-configuration"
    moved = Response(status=302, headers={"Location": target})
    _refused_twice(site, "LTI-REG-CONFIGURATION", lambda: site.front.instead.update({"configuration": moved}))


# What it answers to the application ---------------------------------------------------------------------------------


@pytest.mark.parametrize("elsewhere", ["metadata", "other_name"])
def test_bad_launch_66_an_application_that_is_sent_on_to_elsewhere(site: Site, elsewhere: str) -> None:
    target = METADATA if elsewhere == "metadata" else f"{site.other_name}/register"
    address = site.pasted()
    page = site.asks(address)
    site.front.instead["register"] = Response(status=307, headers={"Location": target})
    site.assert_refused(site.presses(address, page), "LTI-REG-DECLINED")
    site.assert_only_the_issuer_was_asked()
    assert site.pending_tools() == []
    site.front.put_right()
    site.assert_registered(site.presses(address, page))


def test_bad_launch_66_an_answer_of_10_megabytes(site: Site) -> None:
    address = site.pasted()
    page = site.asks(address)
    site.front.added["register"] = {"padding": "x" * TEN_MEGABYTES}
    site.assert_refused(site.presses(address, page), "LTI-REG-ANSWER")
    # The LMS took it: its token is spent, and ours is the side that knows nothing.
    assert len(site.pending_tools()) == 1
    site.front.put_right()
    site.assert_refused(site.presses(address, page), "LTI-REG-TOKEN")


# Twice --------------------------------------------------------------------------------------------------------------


def test_bad_launch_66_a_registration_token_used_twice(site: Site) -> None:
    first, second = site.pasted(), site.pasted()
    (token,) = parse_qs(urlsplit(first).query)["registration_token"]
    query = urlencode(parse_qs(urlsplit(second).query) | {"registration_token": [token]}, doseq=True)
    page = site.asks(f"{urlsplit(second).path}?{query}")
    site.assert_registered(site.presses(first, site.asks(first)))
    registered = site.pending_tools()
    site.assert_refused(site.presses(second, page), "LTI-REG-TOKEN", "USED", "OPEN")
    assert site.pending_tools() == registered


def test_bad_launch_66_an_invitation_used_twice(site: Site) -> None:
    first = site.pasted()
    second = site.pasted_again(first.partition("?")[0])
    assert first != second
    open_page = site.asks(second)
    site.assert_registered(site.presses(first, site.asks(first)))
    registered = site.pending_tools()
    site.front.asked.clear()
    site.assert_refused(site.opens(second), "LTI-REG-OVER", "USED")
    site.assert_refused(site.presses(second, open_page), "LTI-REG-OVER", "USED")
    # The LMS is not even asked.
    assert site.front.asked == []
    assert site.pending_tools() == registered
