"""People in front of the practice LMS with a browser: what they click and type, in the frame or in a window."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from playwright.sync_api import Frame, FrameLocator, Locator, Page, expect

GRADING_MS = 150_000


@dataclass(kw_only=True)
class Person:
    """Somebody of the practice course; ``tool`` is where the quiz is: the frame of the LMS, or a window of its own."""

    page: Page
    lms_url: str
    slug: str
    window: Page | None = None

    @property
    def tool(self) -> FrameLocator | Page:
        return self.window or self.page.frame_locator(".frame iframe")

    @property
    def document(self) -> Frame:
        """The tool's document, for looking into it."""
        if self.window:
            return self.window.main_frame
        frame = self.page.locator(".frame iframe").element_handle().content_frame()
        assert frame is not None
        return frame

    # In the LMS -----------------------------------------------------------------------------------------------------

    def opens_course(self) -> None:
        self.page.goto(f"{self.lms_url}/as/{self.slug}/course")

    def launches(self, title: str) -> None:
        """From the course into the activity, as far as the tool's first heading."""
        self.opens_course()
        self.page.get_by_role("link", name=title, exact=True).click()
        expect(self.tool.locator("h1")).to_be_visible()

    def launches_in_a_window(self, title: str) -> None:
        """The same without the frame."""
        self.launches(title)
        with self.page.context.expect_page() as opened:
            self.page.get_by_role("link", name="Open in new window").click()
        self.window = opened.value
        expect(self.tool.locator("main h1")).to_be_visible()

    # In the tool, as a student (by marks of the forms, so that it works in every language) ---------------------------

    def begins(self) -> None:
        self.tool.locator("#begin-form button").click()
        expect(self.answers.first).to_be_visible()

    @property
    def answers(self) -> Locator:
        return self.tool.locator("textarea.answer")

    @property
    def save_states(self) -> Locator:
        return self.tool.locator("#answers-form section .save-state")

    def types(self, number: int, text: str) -> None:
        """Write into the answer with this number (from 0), with the keyboard."""
        self.answers.nth(number).click()
        (self.window or self.page).keyboard.insert_text(text)

    def goes_to_hand_in(self) -> None:
        self.tool.locator("#answers-form button[value=hand-in]").click()
        expect(self.tool.locator("#hand-in-form")).to_be_visible()

    def confirms(self) -> None:
        self.tool.locator("#hand-in-form button[type=submit]").click()
        expect(self.tool.locator("[data-part=total]")).to_be_visible()

    def answers_all(self, texts: Sequence[str]) -> None:
        """From the first page of the quiz to the result page."""
        self.begins()
        for number, text in enumerate(texts):
            self.types(number, text)
        self.goes_to_hand_in()
        self.confirms()

    def waits_for_the_score(self) -> str:
        """The total, once it is there; the page is not loaded again."""
        total = self.tool.locator(".total__points")
        expect(total).to_be_visible(timeout=GRADING_MS)
        return total.inner_text()

    def sees_in_the_gradebook(self) -> None:
        """The page says by itself that the score has arrived."""
        expect(self.tool.locator("[data-part=total]")).to_contain_text("In the gradebook", timeout=GRADING_MS)

    def sees_saved(self, number: int) -> None:
        expect(self.save_states.nth(number)).to_have_text(re.compile("^Saved "))

    # What a designer looks at ---------------------------------------------------------------------------------------

    def scrolls_sideways(self) -> bool:
        """Whether the tool's page is wider than what shows it."""
        return self.document.evaluate("document.scrollingElement.scrollWidth > innerWidth")

    def small_targets(self) -> list[str]:
        """Buttons and fields that are on the page and less than 40 px high."""
        return self.document.evaluate(
            """() => [...document.querySelectorAll("a.button, button, textarea, select, input:not([type=hidden])")]
              .map((element) => element.closest("label") ?? element)
              .filter((element) => element.checkVisibility() && element.getBoundingClientRect().height < 40)
              .map((element) => `${element.textContent.trim()}: ${element.getBoundingClientRect().height} px`)"""
        )
