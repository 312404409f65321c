"""The README's screenshots: ``python -m tests.browser.pictures`` writes docs/images from the running tool."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from lti_tool.demo.practice import Activity
from lti_tool.demo.script import INSTRUCTOR, QUIZ_TITLE, STUDENTS
from tests.browser.chromium import Watched, picture, running_chromium
from tests.browser.course import delivered, hand_in
from tests.browser.people import Person
from tests.integration.stack import Stack, running_stack, short_folder

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
WINDOW = {"width": 1000, "height": 1240}
PHONE = {"width": 390, "height": 844}
PRIYA, MATEO, *_ = STUDENTS


def main() -> None:
    """Start everything, let the demo's students answer, and take a picture of each kind of page."""
    with (
        short_folder(ROOT / ".mlquiz" / "models") as folder,
        running_stack(folder, _env_file=None) as stack,
        running_chromium() as browser,
    ):
        for student in STUDENTS:
            hand_in(stack, stack.activity, student)
        for student in STUDENTS:
            delivered(stack, QUIZ_TITLE, student)
        profile = Watched.open(browser, viewport=WINDOW)
        student_page(stack, profile.page())
        instructor_page(stack, profile.page())
        profile.close()
        profile = Watched.open(browser, viewport=PHONE, device_scale_factor=2, is_mobile=True, has_touch=True)
        phone_page(stack, stack.activity, profile.page())
        profile.close()


def student_page(stack: Stack, page: Page) -> None:
    """A result in the frame of the LMS."""
    priya = Person(page=page, lms_url=stack.lms.url, slug=PRIYA.slug)
    priya.launches(QUIZ_TITLE)
    priya.sees_in_the_gradebook()
    picture(page, "student", IMAGES)


def instructor_page(stack: Stack, page: Page) -> None:
    """The overview of all attempts."""
    ada = Person(page=page, lms_url=stack.lms.url, slug=INSTRUCTOR)
    ada.launches(QUIZ_TITLE)
    expect(ada.tool.get_by_text("in the gradebook")).to_have_count(len(STUDENTS))
    expect(ada.tool.get_by_text("Asking your LMS")).to_have_count(0)
    picture(page, "instructor", IMAGES)


def phone_page(stack: Stack, activity: Activity, page: Page) -> None:
    """Answering on a phone, the second try of a student."""
    mateo = Person(page=page, lms_url=stack.lms.url, slug=MATEO.slug)
    mateo.launches_in_a_window(activity.title)
    mateo.tool.get_by_role("button", name="Try again").click()
    mateo.types(0, MATEO.answers[0])
    mateo.sees_saved(0)
    assert mateo.window is not None
    picture(mateo.window, "phone", IMAGES)


if __name__ == "__main__":
    main()
