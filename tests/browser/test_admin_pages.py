"""The administration in a real browser: sign-in, every page for everybody, the live check, copying, no frames."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_httpserver import HTTPServer
from werkzeug.serving import make_server

from config.settings import Settings
from lti_tool import create_app
from lti_tool.admin import sessions
from lti_tool.db import Database
from lti_tool.launch.audit import record_event
from lti_tool.launch.platforms import Registration, add_pending_deployment, add_platform
from lti_tool.launch.registration.invitations import create_invitation

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}


@pytest.fixture
def base(settings: Settings) -> Iterator[str]:
    """The address of a tool that listens on a port of its own."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    app: Flask = create_app(settings.model_copy(update={"web_port": port}))
    server = make_server("localhost", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://localhost:{port}"
    server.shutdown()
    thread.join()
    server.server_close()
    app.extensions["mlquiz"].database.close()


@pytest.fixture
def registration(database: Database, httpserver: HTTPServer) -> Registration:
    """A Moodle with something of everything; its services say no."""
    here = httpserver.url_for("").rstrip("/")
    httpserver.expect_request("/jwks").respond_with_json({"keys": [{"kty": "RSA", "kid": "1"}]})
    httpserver.expect_request("/token").respond_with_json({"error": "invalid_client"}, status=401)
    with database.across_tenants() as connection:
        made = add_platform(
            connection,
            name="Our Moodle",
            family="moodle",
            issuer=here,
            client_id="abc",
            auth_login_url=f"{here}/auth",
            auth_token_url=f"{here}/token",
            jwks_url=f"{here}/jwks",
            deployment_ids=["1"],
        )
        add_pending_deployment(connection, made.id, "42:8865aa05b4b79b64a91a86042e43af5ea8ae79eb")
        create_invitation(connection, name="Faculty Moodle", wants_names=True)
        record_event(
            connection, "LTI-COOKIE", registration_id=made.id, detail="no cookie", correlation_id="0a1b2c3d4e5f"
        )
    return made


@pytest.fixture
def opens(browser: Browser) -> Iterator[Callable[..., Page]]:
    """A window in a profile of its own; what the browser complains about fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_window(**options: object) -> Page:
        context = browser.new_context(**({"viewport": {"width": 700, "height": 900}, "locale": "en-GB"} | options))  # pyright: ignore
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert complaints == []


def signs_in(page: Page, base: str, database: Database) -> None:
    with database.across_tenants() as connection:
        link = sessions.create_link(connection)
    page.goto(sessions.link_url(base, link))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Platforms", exact=True)).to_be_visible()


def test_every_page_is_accessible_and_fits_a_phone(
    opens: Callable[..., Page], base: str, database: Database, registration: Registration
) -> None:
    page = opens()
    page.goto(f"{base}/admin/")
    expect(page.get_by_text("mlquiz admin link")).to_be_visible()
    signs_in(page, base, database)
    number = registration.id
    paths = (
        *("", f"/{number}?notice=added", f"/{number}/edit", f"/{number}/remove"),
        *("/new/moodle", "/new/canvas", "/new/other"),
    )
    for path in (*(f"platforms{each}" for each in paths), "invitations", "keys", "events"):
        page.set_viewport_size({"width": 700, "height": 900})
        page.goto(f"{base}/admin/{path}")
        result = Axe().run(page)
        assert result.violations_count == 0, f"{path}: {result.generate_report()}"
        page.set_viewport_size(PHONE)  # pyright: ignore
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), path
    page.emulate_media(color_scheme="dark")
    for path in ("platforms", "events"):
        page.goto(f"{base}/admin/{path}")
        result = Axe().run(page)
        assert result.violations_count == 0, f"{path}, dark: {result.generate_report()}"


def test_the_findings_of_a_check_come_by_themselves(
    opens: Callable[..., Page], base: str, database: Database, registration: Registration
) -> None:
    page = opens()
    signs_in(page, base, database)
    page.get_by_role("link", name="Check the connection").click()
    expect(page.get_by_text("2 things to mend")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("401, invalid_client")).to_be_visible()
    expect(page.locator(".spinner")).to_have_count(0)
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()


def test_an_address_is_copied_by_its_button(
    opens: Callable[..., Page], base: str, database: Database, registration: Registration
) -> None:
    page = opens(permissions=["clipboard-read", "clipboard-write"])
    signs_in(page, base, database)
    page.goto(f"{base}/admin/invitations")
    page.get_by_label("Name of the platform").fill("Our Moodle")
    page.get_by_role("button", name="Make the address").click()
    address = page.get_by_label("Registration address", exact=True).input_value()
    page.get_by_role("button", name="Copy Registration address").click()
    expect(page.get_by_role("status").get_by_text("Copied").or_(page.get_by_text("Copied", exact=True))).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == address


def test_all_of_it_works_without_scripts(
    opens: Callable[..., Page], base: str, database: Database, registration: Registration
) -> None:
    page = opens(java_script_enabled=False)
    signs_in(page, base, database)
    page.get_by_role("button", name="Approve").first.click()
    expect(page.get_by_text("Quizzes can be opened from there now")).to_be_visible()
    page.get_by_role("link", name="Check the connection").click()
    page.get_by_role("link", name=re.compile("Check now")).click()
    expect(page.get_by_text("401, invalid_client")).to_be_visible(timeout=20_000)
    page.goto(f"{base}/admin/invitations")
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{base}/admin/platforms")
    expect(page.get_by_text("You are not signed in")).to_be_visible()


def test_no_other_site_can_frame_a_page_or_send_its_cookie(
    opens: Callable[..., Page], base: str, database: Database, registration: Registration, httpserver: HTTPServer
) -> None:
    page = opens()
    signs_in(page, base, database)
    attack = f'<iframe src="{base}/admin/platforms"></iframe>'
    attack += f'<form method="post" action="{base}/admin/keys"><button>Go</button></form>'
    httpserver.expect_request("/attack").respond_with_data(attack, content_type="text/html")
    elsewhere = page.context.new_page()
    elsewhere.goto(httpserver.url_for("/attack").replace("localhost", "127.0.0.1"))
    framed = elsewhere.locator("iframe").element_handle().content_frame()
    assert framed is not None
    assert "Our Moodle" not in framed.content()
    elsewhere.get_by_role("button", name="Go").click()
    expect(elsewhere.get_by_text("You are not signed in")).to_be_visible()
    with database.across_tenants() as connection:
        assert connection.execute("SELECT count(*) FROM audit_events WHERE event = 'keys-rotated'").fetchone() == (0,)
