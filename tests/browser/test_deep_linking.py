"""Adding quizzes to a course in Chromium: several at once, a due date in the reader's own time, a copied course."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lti_tool.demo.script import INSTRUCTOR
from lti_tool.demo.visitor import Visitor
from tests.browser.chromium import Watched, picture
from tests.browser.people import Person
from tests.integration.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.model, pytest.mark.timeout(600)]

Somebody = Callable[..., Person]
Profiles = Callable[..., Watched]
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}
WEEKS = ("Week 1: what is learned", "Week 2: how well it is learned")


@pytest.fixture(scope="module")
def weeks(stack: Stack) -> None:
    """Two quizzes of the course that no activity has yet."""
    for title in WEEKS:
        ada = Visitor(lms_url=stack.lms.url, slug=INSTRUCTOR)
        ada.chooses_content()
        ada.submits("/quizzes", {"title": title, "language": "en", "max_attempts": "2"})
        ada.follows("/bank")
        ada.submits("/bank", {"sample": ["overfitting", "dropout"], "max_points": "5"})


def goes_to_add(person: Person) -> None:
    person.opens_course()
    person.page.get_by_role("link", name="Add activity").click()
    expect(person.tool.locator("h1")).to_be_visible()


def chooses(person: Person, *titles: str) -> None:
    """From the course to the page with the fields of the chosen quizzes."""
    goes_to_add(person)
    for title in titles:
        person.tool.get_by_role("checkbox", name=title).check()
    person.tool.get_by_role("button", name="Add the chosen quizzes").click()
    expect(person.tool.locator("#place-form")).to_be_visible()


def is_fine(person: Person) -> None:
    """What a designer and a screen reader would mind."""
    assert not person.scrolls_sideways()
    found = Axe().run(person.document).response["violations"]
    assert [f"{each['help']}: {[node['target'] for node in each['nodes']]}" for each in found] == []


def activities(stack: Stack, course: str = "2") -> dict[str, dict[str, Any]]:
    found = stack.lms._get(f"/admin/course?id={course}")["activities"]
    return {activity["title"]: activity for activity in found}


@pytest.mark.usefixtures("weeks")
def test_several_quizzes_are_added_with_a_due_date_and_copied_with_the_course(
    stack: Stack, person: Somebody, watched: Profiles
) -> None:
    profile = watched()
    profile.forgiven.append("status of 422")  # a form with faults
    ada = Person(page=profile.page(), lms_url=stack.lms.url, slug=INSTRUCTOR)
    chooses(ada, *WEEKS)
    tool = ada.tool
    expect(tool.get_by_role("heading", level=2)).to_have_text([WEEKS[1], WEEKS[0]])
    tool.get_by_text("Preview").first.click()
    expect(tool.get_by_text("What is overfitting, how do you notice it").first).to_be_visible()
    expect(tool.get_by_text("In your own time: Korean Standard Time").first).to_be_visible()
    picture(ada.page, "placing-1-fields")
    second = tool.locator("section.card").filter(has=tool.get_by_role("heading", name=WEEKS[0]))
    second.get_by_label("Title in the course").fill("Homework 1")
    second.get_by_label("Gradebook points").fill("nothing")
    second.get_by_label("Due date").fill("2090-01-31T18:00")
    second.get_by_label("Attempts", exact=True).fill("3")
    tool.get_by_role("button", name="Add to the course").click()
    expect(tool.get_by_text("Points: a number above 0")).to_be_visible()
    picture(ada.page, "placing-2-faults")
    is_fine(ada)
    expect(second.get_by_label("Due date")).to_have_value("2090-01-31T18:00")
    second.get_by_label("Gradebook points").fill("20")
    tool.get_by_role("button", name="Add to the course").click()
    expect(ada.page.get_by_role("status")).to_have_text("2 activities were added to the course.")
    added = activities(stack)
    assert added["Homework 1"]["maximum"] == 20
    assert added["Homework 1"]["due"] == "2090-01-31T09:00:00.000+00:00", "six in the evening in Seoul"
    assert added["Homework 1"]["custom"]["max_attempts"] == "3"
    assert (added[WEEKS[1]]["maximum"], added[WEEKS[1]]["due"]) == (10, None)

    mateo = person("mateo", timezone_id="America/New_York")
    mateo.launches("Homework 1")
    expect(mateo.tool.locator("main")).to_contain_text("Due 31 Jan 2090, 04:00 GMT-5. Your course decides")
    expect(mateo.tool.locator(".facts")).to_contain_text("Attempts3")
    picture(mateo.page, "placing-3-due")

    ada.opens_course()
    ada.page.get_by_role("button", name="Copy course").click()
    ada.page.get_by_role("link", name="Homework 1", exact=True).click()
    expect(tool.get_by_text("This quiz comes from another course, “Introduction to Machine Learning”")).to_be_visible()
    picture(ada.page, "copied-1-notice")
    is_fine(ada)
    tool.get_by_role("button", name="Make a copy for this course").click()
    expect(tool.get_by_text("This activity has a copy of the quiz now")).to_be_visible()
    picture(ada.page, "copied-2-own")
    ada.page.reload()
    expect(tool.get_by_role("link", name="Edit quiz")).to_be_visible()
    expect(tool.get_by_text("comes from another course")).to_have_count(0)


@pytest.mark.usefixtures("weeks")
def test_phones_and_dark_rooms_show_all_of_it(person: Somebody) -> None:
    for name, options in (("phone", PHONE), ("dark", {"color_scheme": "dark"})):
        ada = person(INSTRUCTOR, **options)
        goes_to_add(ada)
        picture(ada.page, f"choosing-{name}")
        is_fine(ada)
        chooses(ada, *WEEKS)
        ada.tool.get_by_text("Preview").first.click()
        picture(ada.page, f"placing-{name}")
        is_fine(ada)


@pytest.mark.usefixtures("weeks")
def test_without_scripts_the_due_date_is_in_utc(stack: Stack, watched: Profiles) -> None:
    profile = watched(java_script_enabled=False)
    profile.forgiven.append("favicon.ico")  # of the LMS's page between
    ada = Person(page=profile.page(), lms_url=stack.lms.url, slug=INSTRUCTOR)
    ada.page.goto(f"{stack.lms.url}/as/{INSTRUCTOR}/tools/1/choose")
    ada.page.get_by_role("button", name="Continue to the tool").click()
    ada.page.get_by_role("checkbox", name=WEEKS[1]).check()
    ada.page.get_by_role("button", name="Add the chosen quizzes").click()
    expect(ada.page.get_by_text("In UTC (Greenwich), not in your own time.")).to_be_visible()
    expect(ada.page.get_by_text("In your own time:")).to_be_hidden()
    ada.page.get_by_label("Title in the course").fill("Without scripts")
    ada.page.get_by_label("Due date").fill("2090-02-01T12:00")
    ada.page.get_by_role("button", name="Add to the course").click()
    ada.page.get_by_role("button", name="Add to the course").click()
    expect(ada.page.get_by_text("One activity was added")).to_be_visible()
    assert activities(stack)["Without scripts"]["due"] == "2090-02-01T12:00:00.000+00:00"


@pytest.mark.usefixtures("weeks")
def test_cancelling_leads_back_without_adding(stack: Stack, person: Somebody) -> None:
    before = activities(stack)
    ada = person(INSTRUCTOR)
    chooses(ada, WEEKS[0])
    ada.tool.get_by_role("button", name="Cancel").click()
    expect(ada.page.get_by_role("status")).to_have_text("Nothing was added to the course.")
    expect(ada.page.get_by_text("The tool says: No quiz was added.")).to_be_visible()
    assert activities(stack) == before
