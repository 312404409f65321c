"""The pages in a real browser: drafts that save themselves, results that update themselves, accessibility.

Launches are stored as in the tests of pages; the way through an LMS is tested elsewhere.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import cast

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect
from werkzeug.serving import make_server

from config.settings import Settings
from lti_tool import create_app
from lti_tool.gradebook import decision_views, regrade_views
from lti_tool.launch.access import SESSION_COOKIE
from lti_tool.questions.bank import find_samples, question_from_sample
from lti_tool.questions.trials import record_assessment
from lti_tool.questions.views import trial_views
from lti_tool.submissions import closing, views
from tests.course_actors import Course, Person, make_assessment

Opens = Callable[..., Page]

pytestmark = pytest.mark.browser

#: The words of links, buttons and lids that are shown and lower than the 24 px of WCAG 2.2 (2.5.8).
_TOO_LOW = """[...document.querySelectorAll('a, button, summary')]
    .filter((each) => each.checkVisibility() && !each.matches('.visually-hidden'))
    .filter((each) => each.getBoundingClientRect().height < 24)
    .map((each) => each.textContent.trim())"""


@pytest.fixture
def course(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Course]:
    """A course whose tool answers on a port of its own, with a quiz of two questions."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    # No broker runs here; grades are recorded by the tests.
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)
    for module in (decision_views, regrade_views):
        monkeypatch.setattr(module, "wake_later", lambda *arguments: None)
    app = create_app(settings.model_copy(update={"web_port": port}))
    database = app.extensions["mlquiz"].database
    server = make_server("localhost", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    course = Course.open(app, database)
    samples = [sample for sample in find_samples("en") if sample.id in ("overfitting", "dropout")]
    course.has_quiz(*[question_from_sample(sample, Decimal(5)) for sample in samples], title="Week 3")
    yield course
    server.shutdown()
    thread.join()
    server.server_close()
    database.close()


@pytest.fixture
def opens(browser: Browser, course: Course) -> Iterator[Opens]:
    """Open a person's launch in a window of their own; what the browser complains about fails the test."""
    complaints: list[str] = []
    contexts = []
    base = f"http://localhost:{course.app.extensions['mlquiz'].settings.web_port}"

    def open_page(person: Person, address: str = "", *, width: int = 700, dark: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", locale="en-GB"
        )
        contexts.append(context)
        context.add_cookies(
            [
                {
                    "name": SESSION_COOKIE,
                    "value": person.secret,
                    "domain": "localhost",
                    "path": f"/launches/{person.launch_id}/",
                    "secure": True,
                    "httpOnly": True,
                    "sameSite": "None",
                }
            ]
        )
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        page.goto(f"{base}/launches/{person.launch_id}/{address}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def begins(opens: Opens, person: Person, **window: object) -> Page:
    page = opens(person, **window)
    page.click("#begin-form button")
    page.wait_for_selector("#answers-form")
    return page


def check_accessible(page: Page) -> None:
    """No violation of WCAG that axe finds, nothing too small for a finger, and nothing wider than the window."""
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()
    too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert cast(int, too_wide) <= 0
    assert page.evaluate(_TOO_LOW) == []


def presses_access_key(page: Page, key: str) -> None:
    """Alt and a letter as a keyboard sends them: with the letter, which Playwright leaves out beside Alt."""
    protocol = page.context.new_cdp_session(page)
    for kind in ("rawKeyDown", "char", "keyUp"):
        letter = {"key": key, "text": key, "unmodifiedText": key, "windowsVirtualKeyCode": ord(key.upper())}
        protocol.send("Input.dispatchKeyEvent", {"type": kind, "modifiers": 1, **letter})


@pytest.mark.parametrize(
    ("locale", "moment"),
    [("en-US", "Mar 5, 2026, 2:07 PM UTC"), ("en", "5 Mar 2026, 14:07 UTC"), ("en-AU", "5 Mar 2026, 2:07 pm UTC")],
)
def test_dates_are_written_as_the_lms_writes_them_else_as_the_browser_does_and_name_their_zone(
    course: Course, opens: Opens, locale: str, moment: str
) -> None:
    student = course.learner(locale=locale)
    written = student.post("attempts", {"csrf_token": student.token()})
    name = str(written.soup.select("textarea")[0]["name"])
    written.submit("#answers-form", {name: "an answer", "then": "hand-in"}).submit("#hand-in-form")
    page = opens(student, "quiz")
    expect(page.locator("main time").first).to_have_text(
        re.compile(r"^\d{1,2}:\d\d(\s[AaPp][Mm])?\sUTC$"), timeout=5000
    )
    with course.transaction() as connection:
        connection.execute("UPDATE attempts SET submitted_at = '2026-03-05 14:07Z'")
    page.reload()
    expect(page.locator("main time").first).to_have_text(moment)


def test_an_answer_saves_itself_and_survives_a_reload(course: Course, opens: Opens) -> None:
    page = begins(opens, course.learner())
    field, state = page.locator("textarea").first, page.locator(".save-state").first
    field.fill("Units are switched off\nat random.")
    expect(state).to_contain_text("Saved")
    page.reload()
    expect(field).to_have_value("Units are switched off\nat random.")
    expect(state).to_contain_text("Saved")


def test_an_answer_that_could_not_be_saved_is_kept_in_the_browser(course: Course, opens: Opens) -> None:
    page = begins(opens, course.learner())
    field, state = page.locator("textarea").first, page.locator(".save-state").first
    page.route("**/drafts/*", lambda route: route.abort())
    field.fill("Written without a network.")
    expect(state).to_contain_text("Not saved yet")
    expect(page.locator("#save-announcement")).to_contain_text("keep this page open")
    page.reload()
    expect(field).to_have_value("Written without a network.")
    page.unroute("**/drafts/*")
    expect(state).to_contain_text("Saved")
    assert page.evaluate("localStorage.length") == 0, "the copy goes once the server has the text"
    expect(page.locator("#save-announcement")).to_contain_text("Saved again.")


def test_a_text_written_elsewhere_since_is_not_overwritten(course: Course, opens: Opens) -> None:
    learner = course.learner()
    page = begins(opens, learner)
    field = page.locator("textarea").first
    # Nothing leaves this page, not even while it goes: a sending then would escape a route.
    page.evaluate("() => { window.fetch = () => Promise.reject(new TypeError()); }")
    field.fill("From the train.")
    expect(page.locator(".save-state").first).to_contain_text("Not saved yet")
    at_home = learner.get()
    address = str(at_home.soup.select("textarea")[0]["data-save-url"])
    learner.post(address, {"answer": "From home.", "csrf_token": learner.token()})
    page.reload()
    expect(field).to_have_value("From home.")
    page.click("text=Use the newer text kept in this browser")
    expect(field).to_have_value("From the train.")
    expect(page.locator(".save-state").first).to_contain_text("Saved")


def test_what_is_typed_last_is_what_is_handed_in(course: Course, opens: Opens) -> None:
    page = begins(opens, course.learner())
    field = page.locator("textarea").first
    page.route("**/drafts/*", lambda route: (page.wait_for_timeout(300), route.continue_()))
    field.fill("First thought.")
    page.wait_for_timeout(1100)
    field.fill("Second thought.")
    page.click("button[value=hand-in]")
    page.wait_for_selector("#hand-in-form")
    page.click("#hand-in-form button")
    expect(page.locator(".quote").first).to_have_text("Second thought.")


def test_a_text_of_another_window_comes_in_beside_what_is_typed(course: Course, opens: Opens) -> None:
    learner = course.learner()
    laptop = begins(opens, learner)
    phone = opens(course.learner(), "quiz")
    field, state = laptop.locator("textarea").first, laptop.locator(".save-state").first
    phone.locator("textarea").first.fill("From the phone: 한국어.")
    expect(phone.locator(".save-state").first).to_contain_text("Saved")
    field.fill("From the laptop.")
    expect(field).to_have_value("From the phone: 한국어.\n\nFrom the laptop.")
    expect(state).to_contain_text("also changed in another window")
    check_accessible(laptop)
    field.fill("Both in one.")
    expect(laptop.locator("input[name^=base-]").first).to_have_value(re.compile("^20"))
    laptop.click("button[value=hand-in]")
    laptop.wait_for_selector("#hand-in-form")
    laptop.click("#hand-in-form button")
    expect(laptop.locator(".quote").first).to_have_text("Both in one.")


def test_the_form_waits_when_another_windows_text_comes_in(course: Course, opens: Opens) -> None:
    laptop = begins(opens, course.learner())
    phone = opens(course.learner(), "quiz")
    phone.locator("textarea").first.fill("From the phone.")
    expect(phone.locator(".save-state").first).to_contain_text("Saved")
    laptop.locator("textarea").first.fill("From the laptop.")
    laptop.click("button[value=hand-in]")
    expect(laptop.locator("textarea").first).to_have_value("From the phone.\n\nFrom the laptop.")
    expect(laptop.get_by_text("also changed in another window").first).to_be_visible()


def test_a_saving_whose_answer_got_lost_is_not_taken_for_another_window(course: Course, opens: Opens) -> None:
    page = begins(opens, course.learner())
    field, state = page.locator("textarea").first, page.locator(".save-state").first

    def loses_the_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/drafts/*", loses_the_answer)
    field.fill("Ein Überblick, first wording.")
    expect(state).to_contain_text("Not saved yet")
    page.unroute("**/drafts/*")
    field.fill("Second wording.")
    expect(state).to_contain_text("Saved")
    expect(field).to_have_value("Second wording.")
    page.reload()
    expect(field).to_have_value("Second wording.")


def test_what_is_typed_before_the_script_came_is_saved(course: Course, opens: Opens) -> None:
    page = begins(opens, course.learner())
    held: list[Route] = []
    page.route("**/static/answers.js", lambda route: held.append(route))
    page.reload(wait_until="commit")
    field = page.locator("textarea").first
    field.fill("Faster than the network.")
    assert held, "the script was not held back"
    held[0].continue_()
    expect(page.locator(".save-state").first).to_contain_text("Saved")
    page.unroute("**/static/answers.js")
    page.reload()
    expect(field).to_have_value("Faster than the network.")


def test_a_copy_of_this_browser_and_what_is_typed_meanwhile_are_both_kept(course: Course, opens: Opens) -> None:
    page = begins(opens, course.learner())
    page.route("**/drafts/*", lambda route: route.abort())
    field = page.locator("textarea").first
    field.fill("Written without a connection.")
    expect(page.locator(".save-state").first).to_contain_text("Not saved yet")
    held: list[Route] = []
    page.route("**/static/answers.js", lambda route: held.append(route))
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload(wait_until="commit")
    field.fill("And a word more.")
    page.unroute("**/drafts/*")
    held[0].continue_()
    expect(page.locator(".save-state").first).to_contain_text("Saved")
    expect(field).to_have_value("Written without a connection.\n\nAnd a word more.")


def test_what_is_written_when_the_quiz_closes_is_handed_in_and_the_page_goes_on(
    course: Course, opens: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "GRACE_SECONDS", 2)
    page = begins(opens, course.learner())
    with course.transaction() as connection:
        connection.execute("UPDATE quizzes SET late_rule = 'CLOSE'")
        connection.execute("UPDATE attempts SET due_at = now() + interval '3 seconds'")
    page.reload()
    field = page.locator("textarea").first
    while field.get_attribute("readonly") is None:  # never a second's pause, in which it would be saved
        field.press_sequentially("word ")
    written = field.input_value()
    expect(page.get_by_role("status").filter(has_text="Time is up.")).to_be_visible()
    expect(page.get_by_text("Handed in by itself when it was due")).to_be_visible()
    assert page.locator(".quote").first.inner_text().strip() == written.strip()


def test_the_result_updates_itself_and_says_so_once(course: Course, opens: Opens) -> None:
    learner = course.learner()
    page = begins(opens, learner)
    page.locator("textarea").first.fill("Units are switched off.")
    page.click("button[value=hand-in]")
    page.click("#hand-in-form button")
    expect(page.get_by_text("Received. The score comes in a moment.")).to_be_visible()
    check_accessible(page)
    course.grades(learner, fraction=0.7)
    expect(page.locator(".total__points")).to_have_text("3.5")
    expect(page.get_by_role("status")).to_contain_text("All answers are scored: 3.5 of 10 points.")
    check_accessible(page)


@pytest.mark.parametrize(("width", "dark"), [(700, False), (360, True)])
def test_pages_are_accessible_in_a_frame_and_on_a_phone(course: Course, opens: Opens, width: int, dark: bool) -> None:
    learner, teacher, author = course.learner(name="X" * 200), course.instructor(), course.author()
    page = opens(learner, width=width, dark=dark)
    check_accessible(page)
    check_accessible(begins(opens, learner, width=width, dark=dark))
    for address in ("results", "quiz", f"quizzes/{course.quiz_id}/", f"quizzes/{course.quiz_id}/preview"):
        check_accessible(opens(teacher, address, width=width, dark=dark))
    for address in ("quizzes", f"quizzes/{course.quiz_id}/bank", f"quizzes/{course.quiz_id}/questions/new"):
        check_accessible(opens(author, address, width=width, dark=dark))


@pytest.mark.parametrize(("width", "dark"), [(700, False), (360, True)])
def test_scores_that_did_not_arrive_are_told_accessibly(course: Course, opens: Opens, width: int, dark: bool) -> None:
    for sub, because in (("a" * 60, "NOT_A_STUDENT"), ("bartholomew-featherstonehaugh", "CHANGED_IN_LMS")):
        student = course.learner(sub)
        page = student.post("attempts", {"csrf_token": student.token()})
        name = str(page.soup.select("textarea")[0]["name"])
        page.submit("#answers-form", {name: "an answer", "then": "hand-in"}).submit("#hand-in-form")
        course.grades(student, confidence=0.3)
        with course.transaction() as connection:
            connection.execute(
                "UPDATE deliveries SET status = 'PARKED', parked_because = %s, last_error = 'no', finished_at = now()"
                " WHERE status = 'QUEUED'",
                (because,),
            )
    page = opens(course.instructor(), "results", width=width, dark=dark)
    check_accessible(page)
    beyond = page.evaluate(
        "(([table]) => table.getBoundingClientRect().right - table.parentElement.getBoundingClientRect().right)"
        "(document.querySelectorAll('.card--table .table'))"
    )
    assert cast(float, beyond) <= 0, "the table stays in its card"
    page.get_by_role("link", name="Not delivered").click()
    expect(page.get_by_role("button", name="Send again", exact=True)).to_have_count(1)
    page.get_by_role("link", name="Bartholomew").click()
    page.locator("#record summary").click()
    expect(page.locator("#record")).to_contain_text("Scored by the model")
    check_accessible(page)


@pytest.mark.parametrize(("width", "dark"), [(700, False), (360, True)])
def test_scores_are_changed_and_approved_one_after_the_other(
    course: Course, opens: Opens, width: int, dark: bool
) -> None:
    with course.transaction() as connection:
        connection.execute("UPDATE quizzes SET posting = 'APPROVAL'")
    for sub in ("ada-lovelace", "blaise-pascal"):
        student = course.learner(sub)
        begun = student.post("attempts", {"csrf_token": student.token()})
        name = str(begun.soup.select("textarea")[0]["name"])
        begun.submit("#answers-form", {name: "an answer", "then": "hand-in"}).submit("#hand-in-form")
        course.grades(student)
    page = opens(course.instructor(), "results", width=width, dark=dark)
    page.get_by_role("link", name="Ada Lovelace").click()
    form = page.locator("details[id^=score]").first
    form.locator("summary").click()
    form.get_by_label("Points").fill("5.1")
    form.get_by_label("Reason").fill("read it myself")
    form.get_by_role("button").click()
    expect(page.locator("details[open] [data-focus]")).to_be_focused()
    check_accessible(page)
    form.get_by_label("Points").fill("4.5")
    form.get_by_role("button").click()
    expect(page.get_by_role("status").filter(has_text="The score is changed.")).to_be_in_viewport()
    page.locator("#excuse summary").click()
    page.locator("#reopen summary").click()
    check_accessible(page)
    page.get_by_role("button", name="Approve, show next").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Blaise Pascal")
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="Approved.")).to_be_visible()


@pytest.mark.parametrize(("width", "dark"), [(700, False), (360, True)])
def test_doubtful_answers_are_looked_through_by_keyboard(course: Course, opens: Opens, width: int, dark: bool) -> None:
    for sub, fraction in (("ada-lovelace", 0.1), ("blaise-pascal", 0.9), ("carl-gauss", 0.2)):
        student = course.learner(sub)
        begun = student.post("attempts", {"csrf_token": student.token()})
        name = str(begun.soup.select("textarea")[0]["name"])
        begun.submit("#answers-form", {name: "an answer", "then": "hand-in"}).submit("#hand-in-form")
        course.grades(student, fraction=fraction)
    page = opens(course.instructor(), "results", width=width, dark=dark)
    page.get_by_label("Order").select_option("most doubtful first")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("link", name="Unsure").click()
    check_accessible(page)
    page.locator("tbody").get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Carl Gauss")
    expect(page.get_by_text("Score and key points disagree")).to_be_visible()
    check_accessible(page)
    presses_access_key(page, "n")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ada Lovelace")
    presses_access_key(page, "p")
    expect(page.get_by_role("heading", level=1)).to_have_text("Carl Gauss")


def test_the_machines_words_follow_the_points_until_a_person_chooses(course: Course, opens: Opens) -> None:
    student = course.learner()
    begun = student.post("attempts", {"csrf_token": student.token()})
    name = str(begun.soup.select("textarea")[0]["name"])
    begun.submit("#answers-form", {name: "an answer", "then": "hand-in"}).submit("#hand-in-form")
    course.grades(student, fraction=0.5)
    page = opens(course.instructor(), "results")
    page.get_by_role("link", name="Ada Lovelace").click()
    form = page.locator("details[id^=score]").first
    form.locator("summary").click()
    words = form.get_by_label("Explanation for the student")
    expect(form.get_by_label("Keep it")).to_be_checked()
    expect(words).to_be_hidden()
    form.get_by_label("Points").fill("4,5")
    expect(form.get_by_label("Leave it out")).to_be_checked()
    form.get_by_label("Points").fill("3")
    expect(form.get_by_label("Keep it")).to_be_checked()
    form.get_by_label("Edit it").check()
    form.get_by_label("Points").fill("0")
    expect(form.get_by_label("Edit it")).to_be_checked()
    expect(words).to_have_value("You said what happens.")
    check_accessible(page)
    words.fill("Not what was asked.")
    form.get_by_label("Reason").fill("read it myself")
    form.get_by_role("button").click()
    expect(page.get_by_role("status").filter(has_text="The score is changed.")).to_be_visible()
    expect(page.locator(".explanation").first).to_have_text("Not what was asked.")


@pytest.mark.parametrize(("width", "dark"), [(700, False), (360, True)])
def test_an_explanation_is_called_wrong_by_keyboard_and_edited_by_the_instructor(
    course: Course, opens: Opens, width: int, dark: bool
) -> None:
    student = course.learner()
    begun = student.post("attempts", {"csrf_token": student.token()})
    name = str(begun.soup.select("textarea")[0]["name"])
    begun.submit("#answers-form", {name: "an answer", "then": "hand-in"}).submit("#hand-in-form")
    course.grades(student)
    with course.transaction() as connection:
        connection.execute("UPDATE rewordings SET outcome = 'NOT_WANTED', finished_at = now()")
    page = opens(student, "quiz", width=width, dark=dark)
    expect(page.get_by_role("heading", name="Explanation by the machine")).to_be_visible()
    group = page.get_by_role("group", name="What you think of the explanation of question 1")
    group.get_by_role("button", name="Not helpful").focus()
    page.keyboard.press("Enter")
    expect(group.get_by_role("button", name="Not helpful")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".rating").get_by_role("status")).to_have_text(
        "You found this not helpful. Your instructor sees that."
    )
    check_accessible(page)
    page.keyboard.press("Tab")
    expect(group.get_by_role("button", name="Helpful", exact=True)).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("What is wrong?")).to_be_focused()
    page.keyboard.type("It is the other way round.")
    check_accessible(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".rating").get_by_role("status")).to_contain_text("something in it is wrong")
    check_accessible(page)
    teacher = opens(course.instructor(), "results", width=width, dark=dark)
    check_accessible(teacher)
    teacher.locator("#show-called-wrong").click()
    teacher.get_by_role("link", name="Ada Lovelace").click()
    expect(teacher.get_by_text("It is the other way round.")).to_be_in_viewport()
    form = teacher.locator("details[id^=explanation]").first
    form.locator("summary").click()
    form.get_by_label("Explanation for the student").fill("In my own words.")
    check_accessible(teacher)
    form.get_by_role("button", name="Save the explanation").click()
    expect(teacher.get_by_role("status").filter(has_text="The explanation is changed.")).to_be_in_viewport()
    check_accessible(teacher)
    page.reload()
    expect(page.get_by_role("heading", name="Explanation by your instructor")).to_be_visible()
    expect(page.locator(".explanation")).to_have_text("In my own words.")
    expect(page.locator(".rating")).to_have_count(0)


@pytest.mark.parametrize(("width", "dark"), [(700, False), (360, True)])
def test_an_instructor_goes_from_the_policies_to_grading_again(
    course: Course, opens: Opens, width: int, dark: bool
) -> None:
    page = opens(course.instructor(), f"quizzes/{course.quiz_id}/", width=width, dark=dark)
    policies = page.locator("#policies")
    policies.locator("summary").first.click()
    policies.get_by_label("When I have approved it.").check()
    policies.get_by_label("Points are taken off.").check()
    policies.get_by_label("percent for each day begun").fill("many")
    policies.get_by_role("button", name="Save").click()
    expect(policies.get_by_label("percent for each day begun")).to_be_focused()
    check_accessible(page)
    policies.get_by_label("percent for each day begun").fill("10")
    policies.get_by_role("button", name="Save").click()
    expect(policies).to_contain_text("Scores wait for your approval · the best attempt counts · 10 % off")

    learner = course.learner()
    student = begins(opens, learner, width=width, dark=dark)
    student.locator("textarea").first.fill("Units are switched off.")
    student.click("button[value=hand-in]")
    student.click("#hand-in-form button")
    course.grades(learner)
    expect(student.get_by_text("Your instructor looks at it").first).to_be_visible()
    check_accessible(student)

    page.get_by_role("link", name="Results").first.click()
    asks = page.locator("#approve-all-asks")
    expect(asks.locator("#approve-all")).to_be_hidden()
    asks.locator("summary").click()
    check_accessible(page)
    asks.get_by_role("button", name="Approve 1 attempt").click()
    expect(page.get_by_role("status").filter(has_text="Approved.")).to_be_visible()
    student.reload()
    expect(student.locator(".total__points")).to_have_text("2.5")

    page.get_by_role("link", name="Grade again").click()
    check_accessible(page)
    page.get_by_role("button", name="Compute new scores").click()
    expect(page.get_by_text("0 of 1 answers have their new score.")).to_be_visible()
    course.grades_again(fraction=0.9)
    expect(page.get_by_role("heading", name="Apply the new scores?")).to_be_visible()
    expect(page.locator(".table")).to_contain_text("2.5 → 4.5 / 10")
    page.locator("details[id^=answer] summary").click()
    check_accessible(page)
    page.get_by_role("button", name="Apply", exact=True).click()
    expect(page.get_by_text("Applied: 1 answer has its new score.")).to_be_visible()
    student.reload()
    expect(student.locator(".total__points")).to_have_text("4.5")


def test_the_bank_narrows_while_typing(course: Course, opens: Opens) -> None:
    page = opens(course.author(), f"quizzes/{course.quiz_id}/bank")
    page.fill("#text", "gradient boosting")
    expect(page.locator("li[data-text]:visible")).to_have_count(1)
    page.fill("#text", "xyzzy")
    expect(page.locator("#none-found")).to_be_visible()


def test_rows_are_added_to_the_question_form(course: Course, opens: Opens) -> None:
    page = opens(course.author(), f"quizzes/{course.quiz_id}/questions/new")
    page.click("text=One more key point")
    rows = page.locator("[data-key-point-row]")
    expect(rows).to_have_count(3)
    expect(rows.nth(2).get_by_label("Weight")).to_have_value("1")
    rows.nth(2).get_by_label("Name").fill("a third point")
    check_accessible(page)


@pytest.mark.parametrize(("width", "dark"), [(700, False), (360, True)])
def test_an_answer_is_tried_while_a_question_is_written(
    course: Course, opens: Opens, monkeypatch: pytest.MonkeyPatch, width: int, dark: bool
) -> None:
    woken: list[tuple[object, ...]] = []
    monkeypatch.setattr(trial_views, "wake_later", lambda *arguments: woken.append(arguments))
    page = opens(course.author(), f"quizzes/{course.quiz_id}/questions/new", width=width, dark=dark)
    page.get_by_label("Question", exact=True).fill("What does dropout do?")
    page.get_by_label("Model answer", exact=True).fill("Random units are switched off. No unit leans on another.")
    page.get_by_label("An answer to try").fill("Units are switched off.")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator(".waiting")).to_have_text("Being scored…")
    expect(page.get_by_role("heading", name="Try an answer")).to_be_in_viewport()
    check_accessible(page)
    ((_, _, trial_id),) = woken
    with course.transaction() as connection:
        record_assessment(connection, cast(int, trial_id), make_assessment(fraction=0.52))
    expect(page.locator("[data-part=trial-state]")).to_have_text("Scored: 52% of the points.")
    expect(page.locator(".verdict").nth(1)).to_contain_text("No unit leans on another. – missing")
    check_accessible(page)
    page.get_by_role("textbox", name="Points").press("Enter")
    expect(page.get_by_role("status").filter(has_text="Added to the quiz.")).to_be_visible()
