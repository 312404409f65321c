"""An administrator pastes the tool's address into the practice LMS: the page in the frame, the button, the end of it.

Tool and LMS are two sites, and Chromium blocks third-party cookies. No models are needed, so none are started.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import FrameLocator, Page, expect
from werkzeug.serving import make_server

from config.settings import Settings
from lti_tool import create_app
from lti_tool.db import Database
from lti_tool.launch.platforms import list_registrations
from lti_tool.launch.registration.invitations import create_invitation, invitation_url
from lti_tool.practice_lms import create_practice_lms
from tests.browser.chromium import Watched, picture
from tests.browser.people import Person
from tests.integration.stack import free_ports

PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}


@dataclass(kw_only=True)
class Site:
    """A running tool and a running LMS that do not know each other."""

    tool_url: str
    lms_url: str
    database: Database

    def invites(self, *, wants_names: bool = True) -> str:
        """An address as ``mlquiz platform invite`` prints it."""
        with self.database.across_tenants() as connection:
            _, secret = create_invitation(connection, name="Practice LMS", wants_names=wants_names)
        return invitation_url(self.tool_url, secret)


@contextmanager
def serving(port: int, app: Any) -> Iterator[None]:
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()


@pytest.fixture
def site(settings: Settings, tmp_path: Path) -> Iterator[Site]:
    """The tool on ``localhost``, the LMS on ``127.0.0.1``: two sites for a browser."""
    tool_port, lms_port = free_ports(2)
    tool = create_app(settings.model_copy(update={"web_port": tool_port}))
    lms_url = f"http://127.0.0.1:{lms_port}"
    with serving(tool_port, tool), serving(lms_port, create_practice_lms(tmp_path / "lms", lms_url)):
        database = tool.extensions["mlquiz"].database
        yield Site(tool_url=f"http://localhost:{tool_port}", lms_url=lms_url, database=database)
        database.close()


def pastes(page: Page, site: Site, address: str) -> FrameLocator:
    """From the LMS's first page to the tool's page in its frame."""
    page.goto(site.lms_url)
    page.get_by_role("link", name="Manage tools").click()
    page.get_by_label("Add a tool by address").fill(address)
    page.get_by_role("button", name="Add tool").click()
    frame = page.frame_locator(".frame iframe")
    expect(frame.locator("h1")).to_be_visible()
    return frame


def test_a_pasted_address_connects_tool_and_platform(site: Site, watched: Callable[..., Watched]) -> None:
    page = watched().page()
    frame = pastes(page, site, site.invites())
    expect(frame.get_by_text(site.lms_url)).to_be_visible()
    picture(page, "registration-ask")
    frame.get_by_role("button", name="Register").click()

    expect(frame.get_by_role("heading", name="The ML quiz is registered")).to_be_visible()
    expect(frame.get_by_text("activate it in the administration of tools")).to_be_visible()
    picture(page, "registration-done")
    with site.database.across_tenants() as connection:
        (registration,) = list_registrations(connection)
    assert registration.issuer == site.lms_url

    frame.get_by_role("button", name="Close").click()
    expect(page.locator("iframe")).to_have_count(0)
    expect(page.get_by_text("Pending", exact=True)).to_be_visible()
    picture(page, "registration-pending")
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_text("Active", exact=True)).to_be_visible()

    # The first launch.
    page.goto(f"{site.lms_url}/as/ada/course")
    page.get_by_role("link", name="Add activity").click()
    ada = Person(page=page, lms_url=site.lms_url, slug="ada")
    expect(ada.tool.get_by_role("heading", level=1)).to_be_visible()
    assert ada.document.url.startswith(f"{site.tool_url}/launches/")


def test_a_used_address_says_so_in_the_frame(site: Site, watched: Callable[..., Watched]) -> None:
    address = site.invites()
    session = watched()
    session.forgiven.append("status of 400")
    page = session.page()
    pastes(page, site, address).get_by_role("button", name="Register").click()
    expect(page.frame_locator(".frame iframe").get_by_role("button", name="Close")).to_be_visible()
    frame = pastes(page, site, address)
    expect(frame.get_by_text("This address was used before")).to_be_visible()
    expect(frame.get_by_text("LTI-REG-OVER")).to_be_visible()
    picture(page, "registration-refused")


def test_the_pages_fit_a_phone_in_the_dark(site: Site, watched: Callable[..., Watched]) -> None:
    page = watched(**PHONE, color_scheme="dark").page()
    frame = pastes(page, site, site.invites(wants_names=False))
    expect(frame.get_by_text("No names")).to_be_visible()
    person = Person(page=page, lms_url=site.lms_url, slug="ada")
    picture(page, "registration-ask-phone")
    assert not person.scrolls_sideways()
    assert person.small_targets() == []
    # By keyboard: a click on what was just scrolled into view in another site's frame now and then misses it.
    frame.get_by_role("button", name="Register").press("Enter")
    expect(frame.get_by_role("button", name="Close")).to_be_visible()
    picture(page, "registration-done-phone")
    assert not person.scrolls_sideways()
    assert person.small_targets() == []


def test_only_the_frame_s_own_page_and_origin_may_close_it(site: Site, watched: Callable[..., Watched]) -> None:
    page = watched().page()
    frame = pastes(page, site, site.invites())
    page.evaluate("window.postMessage({subject: 'org.imsglobal.lti.close'}, '*')")
    page.frames[-1].evaluate("window.parent.postMessage({subject: 'lti.something'}, '*')")
    expect(frame.get_by_role("button", name="Register")).to_be_visible()
    assert page.locator("iframe").count() == 1


def test_without_a_frame_there_is_nothing_to_close(site: Site, watched: Callable[..., Watched]) -> None:
    page = watched().page()
    opened = requests.get(
        f"{site.lms_url}/site/tools/start", params={"url": site.invites()}, timeout=10, allow_redirects=False
    )
    page.goto(opened.headers["Location"])
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_text("You can close this window.")).to_be_visible()
    expect(page.get_by_role("button", name="Close")).to_be_hidden()
