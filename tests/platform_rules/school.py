"""Actors: the real tool and a platform behind its rules, both on real sockets, and the people of the course."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

import pytest
import requests
from bs4 import Tag
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from flask import Flask
from pydantic import SecretStr
from werkzeug.serving import WSGIRequestHandler, make_server

from config.settings import Settings
from lti_tool import create_app, worker
from lti_tool.db import Database, fetch_value
from lti_tool.demo.visitor import Visitor
from lti_tool.gradebook.ags import SCORE_SCOPE, AgsClient
from lti_tool.gradebook.column_store import list_untended_placements
from lti_tool.gradebook.roster import RosterClient
from lti_tool.gradebook.tasks import deliver_score, sweep, tend_column
from lti_tool.launch import platforms
from lti_tool.launch.platforms import Registration
from lti_tool.launch.registration.invitations import create_invitation, invitation_url
from lti_tool.launch.tokens import TokenSource
from lti_tool.platform_http import PlatformHttp
from lti_tool.practice_lms import create_practice_lms
from lti_tool.practice_lms.activities import Activity, ContentItem, add_activity, list_activities
from lti_tool.practice_lms.lms import EXTENSION, PracticeLms
from lti_tool.practice_lms.people import COURSE, find_person
from lti_tool.practice_lms.tools import Tool, ToolApplication, list_pending_tools, register_tool
from lti_tool.questions.store import add_quiz
from lti_tool.secrets import app_secret
from lti_tool.worker import Workbench
from tests.course_actors import Course, Person, make_question
from tests.integration.stack import free_ports
from tests.platform_rules.canvas import Canvas, canvas
from tests.platform_rules.canvas_platform import ISSUER, CanvasLms
from tests.platform_rules.layer import Rule, RuleLayer
from tests.platform_rules.moodle import Moodle, moodle
from tests.platform_rules.moodle_launches import MOODLE_PATH

TITLE = "Does it generalise?"
SAMPLES = ("overfitting", "k-means")
# Nobody listens: the tests run the tasks themselves.
_BROKER = SecretStr("memory://localhost")
Layer = TypeVar("Layer", bound=RuleLayer)


class Guest(Visitor):
    """A visitor without scripts: follows the link of a login page that would look for platform storage."""

    def _arrive(self, response: requests.Response) -> None:
        super()._arrive(response)
        login = self.page.find(id="login")
        if isinstance(login, Tag):
            self._go(str(login["data-next"]))

    def looks_at(self, path: str) -> str:
        """Open a page of the present launch; its words."""
        launch = "/".join(self.url.split("/")[:5])
        self._go(f"{launch}/{path}")
        return " ".join(self.page.get_text(" ").split())


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one score on its way."""

    status: str
    tries: int
    error: str | None
    version: int


@dataclass(kw_only=True)
class School(Generic[Layer]):
    """A course of a platform in which the tool is installed."""

    layer: Layer
    lms_app: Flask
    pages_url: str
    tool: Flask
    settings: Settings
    database: Database
    known_as: tuple[Registration, Tool] | None
    people: dict[str, Guest] = field(default_factory=dict)

    @property
    def lms(self) -> PracticeLms:
        return self.lms_app.extensions[EXTENSION]

    @property
    def registration(self) -> Registration:
        assert self.known_as is not None, "the tool is not registered here"
        return self.known_as[0]

    @property
    def lms_tool(self) -> Tool:
        assert self.known_as is not None, "the tool is not registered here"
        return self.known_as[1]

    # People -------------------------------------------------------------------------------------------------------

    def visitor(self, slug: str) -> Guest:
        """Somebody with a browser."""
        if slug not in self.people:
            self.people[slug] = Guest(lms_url=self.pages_url, slug=slug)
        return self.people[slug]

    def adds_quiz(self, title: str = TITLE, *, max_attempts: int = 3) -> Activity:
        """The instructor makes a quiz of two questions, 2 points each, and puts it into the course by deep linking."""
        instructor = self.visitor("ada")
        instructor.chooses_content(self.lms_tool.number)
        instructor.submits("/quizzes", {"title": title, "language": "en", "max_attempts": str(max_attempts)})
        for sample in SAMPLES:
            instructor.follows("/bank")
            instructor.submits("/bank", {"sample": [sample], "max_points": "2"})
        instructor.follows("/place")
        instructor.submits("/place")
        return self.activity(title)

    def has_quiz(self, title: str, *, max_attempts: int = 3) -> Activity:
        """The same without the pages: another quiz is in the course."""
        with self.database.transaction(self.registration.id) as connection:
            context_id = fetch_value(connection, "SELECT id FROM contexts ORDER BY id LIMIT 1")
            assert isinstance(context_id, int)
            questions = [make_question(f"{title}: {number}", max_points=Decimal(2)) for number in (1, 2)]
            quiz_id = add_quiz(
                connection,
                context_id=context_id,
                title=title,
                language="en",
                questions=questions,
                max_attempts=max_attempts,
            )
        item = ContentItem.model_validate(
            {
                "type": "ltiResourceLink",
                "title": title,
                "url": f"{self.settings.base_url}/lti/launch?quiz={quiz_id}",
                "custom": {"quiz_id": str(quiz_id)},
                "lineItem": {"scoreMaximum": 4, "label": title, "resourceId": str(quiz_id), "tag": "mlquiz"},
            }
        )
        with self.lms.database.transaction() as connection:
            add_activity(connection, self.lms_tool, item)
        return self.activity(title)

    def activity(self, title: str = TITLE) -> Activity:
        """The activity as the platform has it."""
        with self.lms.database.transaction() as connection:
            return next(activity for activity in list_activities(connection) if activity.title == title)

    def column(self, title: str = TITLE) -> int:
        """The number of the activity's column."""
        line_item = self.activity(title).line_item
        assert line_item is not None
        return line_item.id

    def opens(self, slug: str, title: str = TITLE) -> Guest:
        """Somebody opens the activity: a whole launch."""
        visitor = self.visitor(slug)
        visitor.launches(self.activity(title).id)
        return visitor

    def answers(self, slug: str, *, fraction: float | None = 0.5, title: str = TITLE) -> int | None:
        """A student launches, answers, hands in, and is graded; the id of the newest delivery, due now."""
        visitor = self.opens(slug, title)
        if "/attempts/" not in visitor.url or "/result" in visitor.url:
            visitor.submits("/attempts")
        texts = [f"{slug} says that the network learns noise.", "It moves each centre to the mean of its points."]
        visitor.submits("/answers", dict(zip(visitor.fields("answer-"), texts, strict=True)))
        visitor.submits("/hand-in")
        assert "/result" in visitor.url
        if fraction is not None:
            self.grades(slug, fraction)
        return self.newest_delivery(slug)

    def grades(self, slug: str, fraction: float) -> None:
        """What a worker does with everything that this student handed in."""
        course = Course(self.tool, self.database, self.registration, platform_id=COURSE.id)
        course.grades(Person(self.tool.test_client(), uuid4(), "", self.sub(slug)), fraction=fraction)

    def registers_itself(self, *, wants_names: bool = True) -> Guest:
        """The platform's administrator pastes an invitation; the tool's page in the frame registers."""
        with self.database.across_tenants() as connection:
            _, secret = create_invitation(connection, name="A school", wants_names=wants_names)
        visitor = self.visitor("ada")
        url = quote(invitation_url(self.settings.base_url, secret), safe="")
        visitor._go(f"{self.pages_url}/site/tools/start?url={url}")
        visitor.submits("")
        return visitor

    def is_activated(self) -> None:
        """The platform's administrator lets the tool that registered itself be used in courses."""
        with self.lms.database.transaction() as connection:
            (pending,) = list_pending_tools(connection)
        answer = requests.post(f"{self.pages_url}/site/tools/{pending.number}/activate", timeout=10)
        assert answer.ok, answer.text
        with self.database.across_tenants() as connection:
            (registration,) = platforms.list_registrations(connection)
        self.known_as = registration, pending

    def sub(self, slug: str) -> str:
        person = find_person(slug)
        assert person is not None
        return person.id

    # Deliveries ---------------------------------------------------------------------------------------------------

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self.database.across_tenants() as connection:
            return connection.execute(query, values).fetchall()  # pyright: ignore[reportArgumentType]

    def newest_delivery(self, slug: str) -> int | None:
        found = self.rows(
            "SELECT max(deliveries.id) FROM deliveries JOIN users ON users.id = user_id WHERE sub = %s", self.sub(slug)
        )
        return found[0][0]

    def delivers(self, delivery_id: int | None, *, tries: int = 1) -> Delivered:
        """The worker's task, run as often as said, each time as if the wait before it were over."""
        assert delivery_id is not None, "there is nothing to deliver"
        for _ in range(tries):
            with self.database.across_tenants() as connection:
                connection.execute("UPDATE deliveries SET due_at = now() WHERE id = %s", (delivery_id,))
            deliver_score(self.registration.id, delivery_id)
        return self.delivered(delivery_id)

    def delivered(self, delivery_id: int) -> Delivered:
        (row,) = self.rows("SELECT status, tries, last_error, version FROM deliveries WHERE id = %s", delivery_id)
        return Delivered(*row)

    def sweeps(self) -> None:
        """The sweep's task, and those that it wakes for columns."""
        with self.database.across_tenants() as connection:
            untended = list_untended_placements(connection, may_score=SCORE_SCOPE)
        for registration_id, resource_link_id in untended:
            tend_column(registration_id, resource_link_id)
        sweep()

    def services(self) -> AgsClient:
        """The tool's own client for line items, scores and results."""
        return AgsClient(self.registration, *self._ways())

    def roster(self) -> RosterClient:
        """The tool's own client for class lists."""
        return RosterClient(self.registration, *self._ways())

    def _ways(self) -> tuple[PlatformHttp, TokenSource]:
        http = PlatformHttp(self.settings)
        return http, TokenSource(http, self.database, app_secret(self.settings))

    def placement(self, title: str = TITLE) -> tuple[str, tuple[str, ...]]:
        """Address of the course's columns and what may be done with them, as the latest launch of the activity said."""
        found = self.rows(
            "SELECT line_items_url, ags_scopes FROM resource_links WHERE platform_link_id = %s",
            self.activity(title).resource_link_id,
        )
        return found[0][0], tuple(found[0][1])

    def posts(self) -> list[tuple[str, str, int]]:
        """All score posts that the platform got: method, path, status."""
        return [entry for entry in self.layer.log if entry[1].endswith("/scores")]

    def refusals(self) -> list[tuple[str, str, int]]:
        """Everything that the platform did not answer with success, from the tool or its pages."""
        return [entry for entry in self.layer.log if entry[2] >= 400]


# Running ----------------------------------------------------------------------------------------------------------


class _Answering(WSGIRequestHandler):
    """Sends the headers of the application and no others: a Date of its own would be a second one."""

    def send_response(self, code: int, message: str | None = None) -> None:
        self.send_response_only(code, message)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        del code, size


@contextmanager
def serving(app: Any, host: str, port: int, tls: ssl.SSLContext | None = None) -> Iterator[None]:
    """An application on a real socket, a thread for each request."""
    server = make_server(host, port, app, threaded=True, request_handler=_Answering, ssl_context=tls)
    server.daemon_threads = True  # pyright: ignore[reportAttributeAccessIssue]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@contextmanager
def running_tool(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The tool on its port; tasks work with the same settings."""
    app = create_app(settings)
    bench = Workbench(settings)
    monkeypatch.setattr(worker, "_workbench", bench)
    try:
        with serving(app, "127.0.0.1", settings.web_port):
            yield app
    finally:
        bench.database.close()
        app.extensions["mlquiz"].database.close()


@contextmanager
def moodle_school(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, *more: Rule, is_registered: bool = True
) -> Iterator[School[Moodle]]:
    """A Moodle whose wwwroot has a path, with the tool registered by hand."""
    tool_port, lms_port = free_ports(2)
    settings = settings.model_copy(update={"web_port": tool_port, "explanation_wait_seconds": 0, "broker_url": _BROKER})
    origin = f"http://127.0.0.1:{lms_port}"
    lms_app = create_practice_lms(folder, origin)
    lms = replace(lms_app.extensions[EXTENSION], issuer=f"{origin}{MOODLE_PATH}")
    lms_app.extensions[EXTENSION] = lms
    layer = moodle(lms_app, *more)
    with running_tool(settings, monkeypatch) as tool, serving(layer, "127.0.0.1", lms_port):
        endpoints = {
            "auth_login_url": f"{lms.issuer}/auth",
            "auth_token_url": lms.token_url,
            "jwks_url": f"{lms.issuer}/jwks",
        }
        known_as = _introduced(settings, tool, lms, "moodle", endpoints) if is_registered else None
        yield School(
            layer=layer,
            lms_app=lms_app,
            pages_url=lms.issuer,
            tool=tool,
            settings=settings,
            database=tool.extensions["mlquiz"].database,
            known_as=known_as,
        )


@contextmanager
def canvas_school(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, *more: Rule, is_registered: bool = True
) -> Iterator[School[Canvas]]:
    """A school on Canvas's shared issuer: its pages and services over https, keys and tokens at the sign-in host.

    Where the tool is not registered, it is a Canvas of the school's own instead: all at one address.
    """
    tool_port, school_port, sign_in_port = free_ports(3)
    settings = settings.model_copy(update={"web_port": tool_port, "explanation_wait_seconds": 0, "broker_url": _BROKER})
    certificate = certificate_file(folder)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    school, sign_in = f"https://127.0.0.1:{school_port}", f"http://localhost:{sign_in_port}"
    lms_app = create_practice_lms(folder, school)
    made: PracticeLms = lms_app.extensions[EXTENSION]
    lms = CanvasLms(
        issuer=ISSUER if is_registered else school,
        school=school,
        sign_in=sign_in if is_registered else school,
        database=made.database,
        identity=made.identity,
        tool_keys=made.tool_keys,
    )
    lms_app.extensions[EXTENSION] = lms
    layer = canvas(lms_app, *more, is_shared=is_registered)
    with (
        running_tool(settings, monkeypatch) as tool,
        serving(layer, "127.0.0.1", school_port, tls),
        serving(layer, "127.0.0.1", sign_in_port),
    ):
        endpoints = {
            "auth_login_url": f"{sign_in}/auth",
            "auth_token_url": lms.token_url,
            "jwks_url": f"{sign_in}/jwks",
        }
        known_as = _introduced(settings, tool, lms, "canvas", endpoints) if is_registered else None
        yield School(
            layer=layer,
            lms_app=lms_app,
            pages_url=school,
            tool=tool,
            settings=settings,
            database=tool.extensions["mlquiz"].database,
            known_as=known_as,
        )


def _introduced(
    settings: Settings, tool: Flask, lms: PracticeLms, family: str, endpoints: Mapping[str, str]
) -> tuple[Registration, Tool]:
    """Make tool and platform known to each other by hand."""
    database: Database = tool.extensions["mlquiz"].database
    application = ToolApplication(
        name="mlquiz",
        login_url=f"{settings.base_url}/lti/login",
        launch_url=f"{settings.base_url}/lti/launch",
        deep_link_url=f"{settings.base_url}/lti/launch",
        jwks_url=f"{settings.base_url}/lti/jwks.json",
    )
    with lms.database.transaction() as connection:
        registered = register_tool(connection, application)
    with database.across_tenants() as connection:
        registration = platforms.add_platform(
            connection,
            issuer=lms.issuer,
            client_id=registered.client_id,
            family=family,
            name="School",
            deployment_ids=[registered.deployment_id],
            auth_login_url=endpoints["auth_login_url"],
            auth_token_url=endpoints["auth_token_url"],
            jwks_url=endpoints["jwks_url"],
        )
    login_url = f"{application.login_url}/{registration.login_key}"
    with lms.database.transaction() as connection:
        registered = register_tool(connection, application.model_copy(update={"login_url": login_url}))
    return registration, registered


def certificate_file(folder: Path) -> Path:
    """A file with key and certificate of 127.0.0.1, signed by itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a school in a test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "school.pem"
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(plain + certificate.public_bytes(pem))
    return file
