"""Headless Chromium for tests, with the faults that its pages report: scripts, policies, dialogs, missing files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, sync_playwright

ARTEFACTS = Path(__file__).parents[2] / "artefacts" / "browser"
NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = (
    "The browser tests need Chromium: run 'sudo apt-get install chromium',"
    " or set CHROMIUM to the path of a Chromium or Chrome."
)
FLAGS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # One process for all frames of a page: Playwright loses track of a frame that goes from site to site and back, as
    # a launch does, when each of them is drawn by a process of its own. Cookies are a matter of sites, not processes.
    "--disable-site-isolation-trials",
)
_TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  window.reportViolation(`${event.effectiveDirective} blocked ${event.blockedURI} on ${location.pathname}`));
"""


def chromium_path() -> str:
    """The program to start; fails with how to get it, and never skips."""
    for name in (os.environ.get("CHROMIUM"), *NAMES):
        if name and (path := shutil.which(name)):
            return path
    raise AssertionError(MISSING)


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """A headless Chromium for the length of the block."""
    flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else [*FLAGS]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=flags)
        try:
            yield browser
        finally:
            browser.close()


@dataclass(kw_only=True)
class Watched:
    """A browser profile whose pages must report nothing; ``forgiven`` are parts of messages that a test causes."""

    context: BrowserContext
    faults: list[str] = field(default_factory=list)
    forgiven: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, browser: Browser, **options: Any) -> Watched:
        """A fresh profile; ``options`` are Playwright's."""
        defaults: dict[str, Any] = {"locale": "en-GB", "timezone_id": "Asia/Seoul"}
        watched = cls(context=browser.new_context(**(defaults | options)))
        context = watched.context
        context.set_default_timeout(30_000)
        context.expose_binding("reportViolation", lambda _, text: watched.faults.append(f"policy: {text}"))
        context.add_init_script(_TELL_VIOLATIONS)
        context.on("console", watched._console)
        context.on("weberror", lambda error: watched.faults.append(f"script: {error.error}"))
        context.on("dialog", watched._dialog)
        return watched

    def page(self) -> Page:
        return self.context.new_page()

    def close(self) -> list[str]:
        """Close all pages; the faults that were not meant."""
        self.context.close()
        return [fault for fault in self.faults if not any(part in fault for part in self.forgiven)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console {message.type}: {message.text} ({message.location.get('url')})")

    def _dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()


def picture(page: Page, name: str, folder: Path = ARTEFACTS) -> None:
    """Keep a screenshot of what the window shows as an artefact of the run."""
    for frame in page.frames:  # frames of other sites are drawn by processes of their own
        frame.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")
