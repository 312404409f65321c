"""The practice LMS's scripts in a real browser: the gradebook that updates itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect, sync_playwright

if TYPE_CHECKING:
    from tests.lms.conftest import ScriptedTool

AGS = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"

pytestmark = pytest.mark.browser


@pytest.fixture
def page() -> Iterator[Page]:
    """A page in headless Chromium; its console must stay free of errors."""
    chromium = os.environ.get("CHROMIUM", "chromium")
    path = shutil.which(chromium)
    assert path, "Chromium is missing: install Debian's package `chromium`, or name its program in CHROMIUM"
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*flags, "--disable-sync", "--no-first-run"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        faults: list[str] = []
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        yield page
        browser.close()
    assert faults == []


def test_a_score_appears_in_the_open_gradebook_without_reloading(scripted_tool: ScriptedTool, page: Page) -> None:
    line_item = scripted_tool.line_item_of(scripted_tool.adds())
    page.goto(f"{scripted_tool.lms.issuer}/as/ada/gradebook")
    page.evaluate("window.stillTheSamePage = true")
    expect(page.locator(".score")).to_have_count(0)
    scripted_tool.posts_score(line_item, comment='<img src=x onerror="alert(1)">')
    expect(page.locator(".score strong")).to_have_text("8", timeout=10_000)
    expect(page.locator("#announcement")).to_have_text("One grade changed.")
    expect(page.locator(".comment")).to_have_text('<img src=x onerror="alert(1)">')
    assert page.evaluate("window.stillTheSamePage") is True


def test_no_page_is_wider_than_a_phone(scripted_tool: ScriptedTool, page: Page) -> None:
    number = scripted_tool.adds(title="Generalisierungsfähigkeitsuntersuchungsmethoden " * 4)["id"]
    scripted_tool.posts_score(scripted_tool.launches("maria", number)[AGS]["lineitem"], userId="15", comment="x" * 300)
    for path in ("/", "/as/maria/course", "/as/maria/grades", "/as/ada/gradebook"):
        page.goto(scripted_tool.lms.issuer + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
