"""The main job in Chromium: an instructor and students in the frame of a practice LMS of another site, on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Route, expect

from lti_tool.demo.practice import Activity
from lti_tool.demo.script import INSTRUCTOR, STUDENTS
from tests.browser.chromium import Watched, picture
from tests.browser.course import add_quiz, delivered, hand_in, shown
from tests.browser.people import GRADING_MS, Person
from tests.integration.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.model, pytest.mark.timeout(600)]

Somebody = Callable[..., Person]
Profiles = Callable[..., Watched]

PRIYA, MATEO, LUKAS, MARIA = STUDENTS
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}
SCRIPT = "<img src=x onerror=alert(1)><script>alert(1)</script> Overfitting means that the model learns the noise."
FIRST_TITLE = "Does it generalise in the real world?"


@pytest.fixture(scope="module")
def answered(stack: Stack) -> Activity:
    """A quiz with two hand-ins, made early: they are graded while other tests click."""
    activity = add_quiz(stack, "Two hand-ins")
    for student in (LUKAS, MARIA):
        hand_in(stack, activity, student)
    return activity


# The ways of people ------------------------------------------------------------------------------------------------


def test_an_instructor_makes_a_quiz_and_adds_it_to_the_course(stack: Stack, person: Somebody) -> None:
    ada = person(INSTRUCTOR)
    ada.opens_course()
    ada.page.get_by_role("link", name="Add activity").click()
    tool = ada.tool
    tool.get_by_label("Title").click()
    ada.page.keyboard.type(FIRST_TITLE)
    picture(ada.page, "instructor-1-new-quiz")
    ada.page.keyboard.press("Enter")
    tool.get_by_role("link", name="Pick from the bank").click()
    expect(tool.locator("#bank-form")).to_be_visible()
    picture(ada.page, "instructor-2-bank")
    search = tool.get_by_label("Search")
    search.click()
    ada.page.keyboard.type("overfitting")
    shown = tool.locator(".list > li:visible")
    expect(shown).not_to_have_count(44)
    tool.get_by_text("What is overfitting, how do you notice it").click()
    search.fill("")
    expect(shown).to_have_count(44)
    tool.get_by_text("What does dropout do during training").click()
    tool.locator("input[value=k-means]").focus()
    ada.page.keyboard.press("Space")
    points = tool.get_by_label("Points each")
    points.fill("4")
    picture(ada.page, "instructor-3-picked")
    tool.get_by_role("button", name="Add the chosen questions").click()
    expect(tool.get_by_role("status").filter(has_text="Added to the quiz.")).to_be_visible()
    expect(tool.locator("main")).to_contain_text("3 questions · 12 points")
    picture(ada.page, "instructor-4-quiz")
    tool.get_by_role("link", name="Add to course").click()
    tool.get_by_role("button", name="Add to the course").click()
    expect(ada.page.get_by_role("status")).to_have_text("One activity was added to the course.")
    added = ada.page.locator(".activity").filter(has_text=FIRST_TITLE)
    expect(added.locator(".facts")).to_have_text("12 points")
    picture(ada.page, "instructor-5-course")
    assert FIRST_TITLE in [activity.title for activity in stack.lms.activities()]


def test_an_instructor_tries_answers_before_saving_a_question(person: Somebody) -> None:
    """Through the page, the broker, a worker with its model, and back."""
    ada = person(INSTRUCTOR)
    ada.opens_course()
    ada.page.get_by_role("link", name="Add activity").click()
    tool = ada.tool
    tool.get_by_label("Title").fill("Not saved")
    tool.get_by_label("Title").press("Enter")
    tool.get_by_role("link", name="Write").click()
    tool.get_by_label("Question", exact=True).fill("What does dropout do while a network is trained?")
    tool.get_by_label("Model answer", exact=True).fill(
        "Dropout switches random units off in every step. So no unit can rely on another one."
    )
    scores = []
    for answer in (
        "It turns off random units at each step, so units cannot rely on each other.",
        "It is a kind of cake.",
    ):
        tool.get_by_label("An answer to try").fill(answer)
        # The page before shows a score too, until the new one is there.
        with ada.page.expect_event("framenavigated"):
            tool.get_by_role("button", name="Try it").click()
        expect(tool.locator("[data-part=trial-state]")).to_contain_text("Scored:", timeout=GRADING_MS)
        expect(tool.locator(".verdict")).to_have_count(2)
        scores.append(int(tool.locator("[data-part=trial-result] .total__points").inner_text().rstrip("%")))
    picture(ada.page, "instructor-6-tried")
    right, wrong = scores
    assert right > wrong + 40, scores


def test_a_student_answers_and_sees_score_and_explanation(stack: Stack, person: Somebody) -> None:
    title = add_quiz(stack, "A student's way").title
    priya = person("priya")
    priya.launches(title)
    assert priya.document.evaluate("innerWidth") in range(690, 701), "the card of the LMS is 700 px wide"
    main = priya.tool.locator("main")
    expect(main).to_contain_text("The score is a first estimate to learn from.")
    expect(main).to_contain_text("length earns nothing")
    picture(priya.page, "student-1-start")
    priya.begins()
    expect(main).to_contain_text("length earns nothing")
    for number in (0, 1):
        priya.types(number, PRIYA.answers[number])
        priya.sees_saved(number)
    picture(priya.page, "student-2-answers")
    priya.page.reload()
    for number in (0, 1):
        expect(priya.answers.nth(number)).to_have_value(PRIYA.answers[number])
    priya.goes_to_hand_in()
    expect(main).to_contain_text("1 question has no answer and counts 0: Question 3")
    picture(priya.page, "student-3-confirm")
    priya.confirms()
    expect(main).to_contain_text(re.compile("Your answers are received and safe|All answers are scored"))
    picture(priya.page, "student-4-received")
    document = priya.document
    document.evaluate("window.stillTheSamePage = true")
    total = priya.waits_for_the_score()
    questions = priya.tool.locator("[data-part^=question-]")
    expect(questions.nth(0).locator(".explanation")).to_have_text(re.compile(r"\w+ \w+"))
    expect(questions.nth(2)).to_contain_text("Not answered, so it counts 0.")
    priya.sees_in_the_gradebook()
    assert document.evaluate("window.stillTheSamePage") is True
    picture(priya.page, "student-5-result")
    assert 2 <= float(total) <= 4, "two full answers of three questions worth two points each"
    priya.page.get_by_role("link", name="My grades").click()
    grade = priya.page.locator(".own-grade").filter(has_text=title)
    expect(grade.locator(".chip")).to_have_text(f"{total} / 6")
    expect(grade.locator(".comment")).to_have_text(re.compile(r"\w+ \w+"))
    picture(priya.page, "student-6-my-grades")
    assert delivered(stack, title, PRIYA).posts == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_a_phone(stack: Stack, person: Somebody, answered: Activity, scheme: str) -> None:
    title = add_quiz(stack, f"On a phone, {scheme}").title
    mateo = person("mateo", **PHONE, color_scheme=scheme)
    mateo.launches_in_a_window(title)

    def fits(somebody: Person, name: str) -> None:
        assert somebody.window is not None
        picture(somebody.window, f"phone-{scheme}-{name}")
        assert not somebody.scrolls_sideways(), name
        assert somebody.small_targets() == [], name

    fits(mateo, "1-start")
    mateo.begins()
    mateo.types(0, MATEO.answers[0])
    fits(mateo, "2-answers")
    mateo.goes_to_hand_in()
    fits(mateo, "3-confirm")
    lukas = person("lukas", **PHONE, color_scheme=scheme)
    lukas.launches_in_a_window(answered.title)
    lukas.waits_for_the_score()
    lukas.sees_in_the_gradebook()
    fits(lukas, "4-result")


def test_an_instructor_sees_attempts_and_tries_the_quiz(stack: Stack, person: Somebody, answered: Activity) -> None:
    scores = {student.slug: delivered(stack, answered.title, student) for student in (LUKAS, MARIA)}
    ada = person(INSTRUCTOR)
    ada.launches(answered.title)
    for entry in scores.values():
        row = ada.tool.get_by_role("row").filter(has_text=entry.name)
        expect(row).to_contain_text(f"{shown(entry)} / 6")
        expect(row).to_contain_text("in the gradebook")
    picture(ada.page, "instructor-6-overview")
    ada.tool.get_by_role("link", name=scores["lukas"].name).click()
    main = ada.tool.locator("main")
    for answer in LUKAS.answers:
        expect(main).to_contain_text(answer)
    assert ada.tool.locator(".verdict").count() >= 3
    expect(ada.tool.locator(".verdict--covered").first).to_contain_text("covered")
    picture(ada.page, "instructor-7-review")
    ada.tool.get_by_role("link", name="Try it as a student").click()
    expect(main).to_contain_text("never sent to the gradebook")
    ada.answers_all(["My own answer: the model learns the noise of its training data by heart.", "", ""])
    ada.waits_for_the_score()
    expect(main).to_contain_text("This was a try; it is not sent to the gradebook.")
    picture(ada.page, "instructor-8-try")
    assert stack.count("deliveries JOIN attempts ON attempts.id = attempt_id WHERE is_preview") == 0
    gradebook = stack.lms.gradebook(answered.title)
    assert not any("Ada" in entry.name for entry in gradebook)
    assert {entry.name for entry in gradebook if entry.score is not None} == {each.name for each in scores.values()}


# What must hold on the way -----------------------------------------------------------------------------------------


def test_the_tool_keeps_its_session_where_cookies_of_other_sites_are_blocked(stack: Stack, person: Somebody) -> None:
    mateo = person("mateo")
    mateo.launches(stack.activity.title)
    document = mateo.document
    assert "localhost" in document.url
    assert "127.0.0.1" in mateo.page.url
    document.evaluate("document.cookie = 'unpartitioned=1; SameSite=None; Secure; Path=/'")
    assert "unpartitioned" not in document.evaluate("document.cookie"), "this browser blocks them"
    mateo.tool.locator("main a, main button").first.wait_for()
    cookies = mateo.page.context.cookies(stack.settings.base_url)
    assert all(cookie.get("partitionKey") for cookie in cookies), cookies


def test_a_script_in_an_answer_is_only_text(stack: Stack, person: Somebody) -> None:
    activity = add_quiz(stack, "<b>Scripts</b> & answers", ["overfitting"])
    priya = person("priya")
    priya.launches(activity.title)
    priya.answers_all([SCRIPT])
    expect(priya.tool.locator(".quote", has_text="alert(1)")).to_have_text(SCRIPT)
    priya.waits_for_the_score()
    delivered(stack, activity.title, PRIYA)
    ada = person(INSTRUCTOR)
    ada.launches(activity.title)
    ada.tool.get_by_role("link", name="Priya Raghunathan").click()
    expect(ada.tool.locator("section > .stack > .quote").first).to_have_text(SCRIPT)
    picture(ada.page, "script-as-text")
    for where in (priya, ada):
        assert where.document.evaluate("document.querySelectorAll('img[src=x], main script').length") == 0


def test_two_students_in_two_tabs_of_one_browser_never_mix(stack: Stack, watched: Profiles) -> None:
    activity = add_quiz(stack, "Two tabs", ["overfitting"])
    profile = watched()
    priya = Person(page=profile.page(), lms_url=stack.lms.url, slug="priya")
    mateo = Person(page=profile.page(), lms_url=stack.lms.url, slug="mateo")
    both = ((priya, PRIYA), (mateo, MATEO))
    for somebody, _ in both:
        somebody.page.bring_to_front()
        somebody.launches(activity.title)
    for somebody, _ in both:
        somebody.page.bring_to_front()
        somebody.begins()
    for somebody, student in both:
        somebody.page.bring_to_front()
        somebody.types(0, student.answers[0])
        somebody.sees_saved(0)
    for somebody, student in both:
        somebody.page.bring_to_front()
        somebody.page.reload()
        expect(somebody.answers).to_have_value(student.answers[0])
    for somebody, student in both:
        somebody.page.bring_to_front()
        somebody.goes_to_hand_in()
        somebody.confirms()
        expect(somebody.tool.locator(".quote").first).to_have_text(student.answers[0])
    entries = {student.slug: delivered(stack, activity.title, student) for _, student in both}
    for somebody, student in both:
        somebody.page.bring_to_front()
        total = somebody.tool.locator(".total__points")
        expect(total).to_have_text(shown(entries[student.slug]), timeout=GRADING_MS)


@pytest.mark.parametrize("place", ["frame", "window"])
def test_a_lost_connection_loses_no_word(stack: Stack, watched: Profiles, place: str) -> None:
    title = add_quiz(stack, f"A lost connection, {place}", ["overfitting"]).title
    profile = watched()
    profile.forgiven.append("net::ERR_INTERNET_DISCONNECTED")
    priya = Person(page=profile.page(), lms_url=stack.lms.url, slug="priya")
    (priya.launches if place == "frame" else priya.launches_in_a_window)(title)
    priya.begins()
    before = f"Before the tunnel, in a {place}."
    priya.types(0, before)
    priya.sees_saved(0)

    def no_connection(route: Route) -> None:
        route.abort("internetdisconnected")

    profile.context.route("**/drafts/*", no_connection)
    priya.types(0, f" {PRIYA.answers[0]}")
    text = f"{before} {PRIYA.answers[0]}"
    expect(priya.save_states).to_have_text(re.compile("^Not saved yet"))
    expect(priya.tool.locator("#save-announcement")).to_contain_text("keep this page open")
    expect(priya.answers).to_have_value(text)
    picture(priya.window or priya.page, f"connection-1-lost-{place}")
    assert stack.count(f"submissions WHERE answer = '{before}'") == 1, "the server has what came before"
    if place == "window":  # in a frame such a browser gives no storage at all; there the open page keeps the text
        assert priya.document.evaluate("Object.values(localStorage).map((copy) => JSON.parse(copy).text)") == [text]
    profile.context.unroute("**/drafts/*", no_connection)
    priya.sees_saved(0)
    expect(priya.tool.locator("#save-announcement")).to_have_text("Saved again.")
    if place == "window":
        assert priya.document.evaluate("localStorage.length") == 0, "no copy is left behind"
    (priya.window or priya.page).reload()
    expect(priya.answers).to_have_value(text)


# Accessibility -----------------------------------------------------------------------------------------------------


def test_no_page_has_a_serious_barrier(stack: Stack, watched: Profiles, answered: Activity) -> None:
    title = add_quiz(stack, "Without barriers", ["overfitting", "dropout"]).title
    profile = watched(bypass_csp=True)
    found: list[str] = []

    def look(somebody: Person, name: str) -> None:
        for scheme in ("light", "dark"):
            somebody.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            for violation in Axe().run(somebody.document).response["violations"]:
                if violation["impact"] in ("serious", "critical"):
                    targets = [node["target"] for node in violation["nodes"]]
                    found.append(f"{name}, {scheme}: {violation['help']}: {targets}")

    seoyeon = Person(page=profile.page(), lms_url=stack.lms.url, slug="seoyeon")
    seoyeon.launches(title)
    assert seoyeon.document.evaluate("document.documentElement.lang") == "ko"
    look(seoyeon, "start")
    picture(seoyeon.page, "korean-1-start")
    seoyeon.begins()
    seoyeon.types(0, "과적합은 모델이 훈련 데이터의 잡음까지 외우는 것입니다.")
    look(seoyeon, "answers")
    seoyeon.goes_to_hand_in()
    look(seoyeon, "confirm")
    picture(seoyeon.page, "korean-2-confirm")
    seoyeon.confirms()
    seoyeon.waits_for_the_score()
    look(seoyeon, "result")
    picture(seoyeon.page, "korean-3-result")

    ada = Person(page=profile.page(), lms_url=stack.lms.url, slug=INSTRUCTOR)
    delivered(stack, answered.title, LUKAS)
    ada.launches(answered.title)
    look(ada, "overview")
    ada.tool.get_by_role("link", name="Lukas Weber").click()
    expect(ada.tool.locator(".verdict").first).to_be_visible()
    look(ada, "review")
    ada.opens_course()
    ada.page.get_by_role("link", name="Add activity").click()
    expect(ada.tool.locator("#new-quiz-form")).to_be_visible()
    look(ada, "choose")
    ada.tool.get_by_label("Title").fill("Looked at")
    ada.page.keyboard.press("Enter")
    ada.tool.get_by_role("link", name="Pick from the bank").click()
    expect(ada.tool.locator("#bank-form")).to_be_visible()
    look(ada, "bank")
    ada.tool.get_by_role("link", name="Back").click()
    ada.tool.get_by_role("link", name="Write your own").click()
    expect(ada.tool.locator("#question-form")).to_be_visible()
    look(ada, "question form")
    picture(ada.page, "instructor-9-question")
    assert found == []
