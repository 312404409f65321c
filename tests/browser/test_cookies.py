"""Launches where third-party cookies are blocked: partitioned cookies, platform storage, a new window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from config import Settings
from lti_tool.demo.practice import Activity
from lti_tool.demo.script import INSTRUCTOR, STUDENTS
from tests.browser.chromium import Watched, chromium_path, picture
from tests.browser.cookie_filter import CookieFilter, running_filter
from tests.browser.course import add_quiz, delivered, shown
from tests.browser.people import Person
from tests.integration.stack import Stack, free_ports, running_stack, short_folder

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.model, pytest.mark.timeout(600)]

Somebody = Callable[..., Person]
Profiles = Callable[..., Watched]
PRIYA, MATEO, *_ = STUDENTS


@pytest.fixture(scope="module")
def ports() -> list[int]:
    """Of the filter, the tool behind it and the LMS."""
    return free_ports(3)


@pytest.fixture(scope="module")
def cookie_filter(ports: list[int]) -> Iterator[CookieFilter]:
    with running_filter(ports[0], ports[1]) as running:
        yield running


@pytest.fixture(scope="module")
def stack(models_path: Path, ports: list[int], cookie_filter: CookieFilter) -> Iterator[Stack]:
    """Everything real, the tool behind the filter: LMS and tool are two sites, 127.0.0.1 and localhost."""
    chromium_path()  # before the long wait
    public, web_port, lms_port = ports
    addresses = {"public_url": f"http://localhost:{public}", "web_port": web_port, "practice_lms_port": lms_port}
    with pytest.MonkeyPatch.context() as environment:
        for name in Settings.model_fields:
            environment.delenv(name.upper(), raising=False)
        with short_folder(models_path) as folder, running_stack(folder, _env_file=None, **addresses) as running:
            yield running


@pytest.fixture
def partitioned(cookie_filter: CookieFilter) -> CookieFilter:
    """A browser that keeps partitioned cookies in frames."""
    cookie_filter.drops_partitioned = False
    cookie_filter.requests.clear()
    return cookie_filter


@pytest.fixture
def unpartitioned(cookie_filter: CookieFilter) -> CookieFilter:
    """A browser that does not know partitioned cookies."""
    cookie_filter.drops_partitioned = True
    cookie_filter.requests.clear()
    return cookie_filter


@pytest.fixture
def framed(stack: Stack, watched: Profiles) -> Somebody:
    """``framed("priya")``: somebody whose pages may be asked for once without their token, after reload and back."""

    def somebody(slug: str, profile: Watched | None = None, **options: object) -> Person:
        profile = profile or watched(**options)
        profile.forgiven.append("status of 401")
        return Person(page=profile.page(), lms_url=stack.lms.url, slug=slug)

    return somebody


def assert_blocks_third_party_cookies(somebody: Person) -> None:
    """The frame is of another site, and an ordinary cookie does not stick in it; the frame has loaded."""
    set_one = "document.cookie = 'ordinary=1; SameSite=None; Secure; Path=/'"
    host, cookies = somebody.document.evaluate(f"() => {{ {set_one}; return [location.hostname, document.cookie]; }}")
    assert ("127.0.0.1" in somebody.page.url, host) == (True, "localhost")
    assert "ordinary" not in cookies


def token_of(somebody: Person) -> str | None:
    """What the page in front of somebody sends along instead of a cookie."""
    return somebody.document.evaluate("document.querySelector('meta[name=launch-token]')?.content ?? null")


def steps(somebody: Person, step: str, expected: str) -> None:
    """Reload the frame or go through its history, as far as an element that the next page has."""
    marked = "document.documentElement.dataset.old = 'yes'"
    somebody.document.evaluate(f"{marked}; setTimeout(() => {step}, 100)")
    expect(somebody.tool.locator(f"html:not([data-old]) {expected}").first).to_be_visible()


def in_the_gradebook(stack: Stack, somebody: Person, title: str) -> None:
    """The score appears by itself, and the LMS has the same."""
    total = somebody.waits_for_the_score()
    somebody.sees_in_the_gradebook()
    student = next(each for each in STUDENTS if each.slug == somebody.slug)
    assert shown(delivered(stack, title, student)) == total


# Partitioned cookies -----------------------------------------------------------------------------------------------


def test_partitioned_cookies_carry_a_launch_in_a_frame(
    stack: Stack, person: Somebody, partitioned: CookieFilter
) -> None:
    activity = add_quiz(stack, "Partitioned cookies", ["overfitting"])
    partitioned.requests.clear()
    priya = person("priya")
    priya.launches(activity.title)
    assert_blocks_third_party_cookies(priya)
    assert token_of(priya) is None
    cookies = [each for each in priya.page.context.cookies() if each.get("domain") == "localhost"]
    assert {cookie.get("partitionKey") for cookie in cookies} == {"http://127.0.0.1"}
    priya.begins()
    priya.types(0, PRIYA.answers[0])
    priya.sees_saved(0)
    priya.goes_to_hand_in()
    priya.confirms()
    in_the_gradebook(stack, priya, activity.title)
    logins = [address for _, address, _ in partitioned.requests if address.startswith("/lti/login")]
    assert any("lti_storage_target=_parent" in address for address in logins), "storage was there and not needed"
    assert [address for method, address, _ in partitioned.requests if method == "POST"].count("/lti/launch?") == 1


# Platform storage --------------------------------------------------------------------------------------------------


def test_platform_storage_carries_a_launch_where_no_cookie_sticks(
    stack: Stack, framed: Somebody, unpartitioned: CookieFilter
) -> None:
    activity = add_quiz(stack, "Platform storage", ["overfitting", "dropout"])
    unpartitioned.requests.clear()
    priya = framed("priya")
    priya.launches(activity.title)
    assert_blocks_third_party_cookies(priya)
    token = token_of(priya)
    assert token
    picture(priya.page, "cookies-storage-1-start")
    priya.begins()
    priya.types(0, PRIYA.answers[0])
    priya.sees_saved(0)
    steps(priya, "location.reload()", "textarea.answer")
    expect(priya.answers.first).to_have_value(PRIYA.answers[0])
    priya.types(1, PRIYA.answers[1])
    priya.goes_to_hand_in()
    steps(priya, "history.back()", "textarea.answer")
    expect(priya.answers.nth(1)).to_have_value(PRIYA.answers[1])
    steps(priya, "history.forward()", "#hand-in-form")
    priya.tool.get_by_role("link", name="Back to my answers").click()
    expect(priya.answers.first).to_be_visible()
    priya.goes_to_hand_in()
    priya.confirms()
    in_the_gradebook(stack, priya, activity.title)
    picture(priya.page, "cookies-storage-2-result")
    assert token_of(priya) == token
    assert priya.page.context.cookies() == []
    assert priya.document.url.endswith("/result"), "addresses stay as they are with cookies"
    assert not any(token in address or token in referrer for _, address, referrer in unpartitioned.requests)
    assert {referrer for _, _, referrer in unpartitioned.requests} == {""}


def test_platform_storage_carries_an_instructor_through_deep_linking(
    stack: Stack, framed: Somebody, unpartitioned: CookieFilter
) -> None:
    ada = framed(INSTRUCTOR)
    ada.opens_course()
    ada.page.get_by_role("link", name="Add activity").click()
    ada.tool.get_by_label("Title").fill("Chosen without cookies")
    assert token_of(ada)
    ada.page.keyboard.press("Enter")
    ada.tool.get_by_role("link", name="Pick from the bank").click()
    ada.tool.get_by_label("Search").fill("overfitting")
    ada.tool.get_by_role("button", name="Show").click()
    expect(ada.tool.locator(".list > li")).not_to_have_count(44)
    assert ada.document.evaluate("location.search").startswith("?text=overfitting")
    steps(ada, "location.reload()", "#bank-form")
    expect(ada.tool.locator(".list > li")).not_to_have_count(44)
    ada.tool.locator("input[name=sample]").first.check()
    ada.tool.get_by_role("button", name="Add the chosen questions").click()
    expect(ada.tool.get_by_role("status").filter(has_text="Added to the quiz.")).to_be_visible()
    picture(ada.page, "cookies-storage-3-quiz")
    ada.tool.locator("#place-link").click()
    ada.tool.locator("button[form=place-form]").click()
    expect(ada.page.get_by_role("status")).to_have_text("One activity was added to the course.")
    assert "Chosen without cookies" in [activity.title for activity in stack.lms.activities()]


def test_two_quizzes_in_two_tabs_without_cookies_never_mix(
    stack: Stack, watched: Profiles, framed: Somebody, unpartitioned: CookieFilter
) -> None:
    profile = watched()
    quizzes = [add_quiz(stack, f"Tab {name}", [name]) for name in ("overfitting", "dropout")]
    people = [framed(slug, profile) for slug in ("priya", "mateo")]
    for somebody, quiz in zip(people, quizzes, strict=True):
        somebody.launches(quiz.title)
    for somebody in people:
        somebody.page.bring_to_front()
        somebody.begins()
    for somebody, student in zip(people, (PRIYA, MATEO), strict=True):
        somebody.page.bring_to_front()
        somebody.types(0, student.answers[0])
        somebody.sees_saved(0)
    for somebody, student in zip(people, (PRIYA, MATEO), strict=True):
        somebody.page.bring_to_front()
        steps(somebody, "location.reload()", "textarea.answer")
        expect(somebody.answers).to_have_value(student.answers[0])
    first, second = (token_of(somebody) for somebody in people)
    assert first
    assert second
    assert first != second
    path = people[1].document.evaluate("location.pathname")
    strange = people[0].document.evaluate(
        "([path, token]) => fetch(path, { headers: { Authorization: `Bearer ${token}` } }).then(({status}) => status)",
        [path, first],
    )
    assert strange == 401, "the token of one tab opens nothing of the other"


# A new window ------------------------------------------------------------------------------------------------------


def offered_window(somebody: Person) -> Locator:
    """The link to a new window, once the launch in the frame has come as far as offering it."""
    way_out = somebody.tool.get_by_role("link", name="Open in a new window")
    expect(way_out).to_be_visible()
    return way_out


def opens_the_window(somebody: Person, name: str) -> None:
    """From the page in the frame that offers it; the frame says so afterwards."""
    way_out = offered_window(somebody)
    picture(somebody.page, f"{name}-1-offered")
    with somebody.page.context.expect_page() as opened:
        way_out.click()
    expect(somebody.tool.get_by_role("status")).to_contain_text("The quiz is open in another window")
    picture(somebody.page, f"{name}-2-opened")
    somebody.window = opened.value
    expect(somebody.tool.locator("#begin-form")).to_be_visible()


def test_a_new_window_carries_a_launch_where_nothing_else_does(
    stack: Stack, framed: Somebody, unpartitioned: CookieFilter
) -> None:
    activity = add_quiz(stack, "A new window", ["overfitting"])
    mateo = framed("mateo")
    mateo.page.goto(f"{stack.lms.url}/as/mateo/activities/{activity.id}?storage=off")
    offered_window(mateo)
    assert_blocks_third_party_cookies(mateo)
    opens_the_window(mateo, "cookies-window")
    assert token_of(mateo) is None
    mateo.begins()
    mateo.types(0, MATEO.answers[0])
    mateo.sees_saved(0)
    assert mateo.window is not None
    mateo.window.reload()
    expect(mateo.answers).to_have_value(MATEO.answers[0])
    mateo.goes_to_hand_in()
    mateo.confirms()
    in_the_gradebook(stack, mateo, activity.title)
    assert not any("opened=form" in address for _, address, _ in unpartitioned.requests)


def test_a_platform_that_does_not_answer_leads_to_a_new_window(
    stack: Stack, watched: Profiles, framed: Somebody, unpartitioned: CookieFilter
) -> None:
    activity: Activity = stack.activity
    profile = watched()
    profile.forgiven.append("net::ERR_FAILED")
    profile.context.route("**/static/storage.js", lambda route: route.abort())
    mateo = framed("mateo", profile)
    mateo.launches(activity.title)
    opens_the_window(mateo, "cookies-silence")


# Messages from elsewhere -------------------------------------------------------------------------------------------

_ASK = """async (origin) => {
  const { PlatformStorage } = await import("/static/platform_storage.js");
  crypto.randomUUID = () => "known";
  window.asked = new PlatformStorage({ storageTarget: "_parent", storageOrigin: origin }).get("key");
}"""
_FORGE = """document.querySelector(".frame iframe").contentWindow.postMessage(
  { subject: "lti.get_data.response", message_id: "known", key: "key", value: "forged" }, "*")"""
_ADD_FRAME = """() => new Promise((loaded) => {
  const other = Object.assign(document.createElement("iframe"), { src: "/health", onload: loaded });
  document.body.append(other);
})"""


def test_the_tool_believes_only_the_platforms_frame_and_origin(
    stack: Stack, watched: Profiles, framed: Somebody, partitioned: CookieFilter
) -> None:
    profile = watched()
    # The browser says that it does not deliver to a frame of another origin; that is what is wanted here.
    profile.forgiven.append("Failed to execute 'postMessage'")
    priya = framed("priya", profile)
    # A page that does not answer itself, so that only forged answers come.
    priya.page.goto(f"{stack.lms.url}/as/priya/activities/{stack.activity.id}?storage=off")
    expect(priya.tool.locator("h1")).to_be_visible()
    priya.page.evaluate(_ADD_FRAME)
    priya.page.evaluate("window.heard = []; addEventListener('message', ({ data }) => heard.push(data.subject))")
    other = next(frame for frame in priya.page.frames if frame.url.endswith("/health"))

    def answer(origin: str, forge: Callable[[], object]) -> object:
        priya.document.evaluate(_ASK, origin)
        forge()
        return priya.document.evaluate("window.asked")

    assert answer(stack.lms.url, lambda: priya.page.evaluate(_FORGE)) == "forged", "this frame, this origin: believed"
    assert priya.page.evaluate("heard") == ["lti.get_data"]
    in_the_page_around = _FORGE.replace("document.", "parent.document.")
    assert answer(stack.lms.url, lambda: other.evaluate(in_the_page_around)) is None, "another frame of the origin"
    assert answer("https://evil.example", lambda: priya.page.evaluate(_FORGE)) is None, "another origin"
    assert priya.page.evaluate("heard") == ["lti.get_data"] * 2, "nothing was sent to the other origin"


_ASK_PLATFORM = """([message, to]) => new Promise((resolve) => {
  addEventListener("message", ({ data, origin }) => resolve([data, origin]), { once: true });
  setTimeout(resolve, 700, "silence");
  parent.postMessage(message, to);
})"""


def test_the_practice_platform_keeps_data_for_registered_origins_only(
    stack: Stack, framed: Somebody, partitioned: CookieFilter
) -> None:
    priya = framed("priya")
    priya.launches(stack.activity.title)

    def ask(subject: str, **more: object) -> dict[str, object]:
        message = {"subject": subject, "message_id": "1", **more}
        answered, origin = priya.document.evaluate(_ASK_PLATFORM, [message, stack.lms.url])
        assert (answered.pop("subject"), answered.pop("message_id"), origin) == (
            f"{subject}.response",
            "1",
            stack.lms.url,
        )
        return answered

    supported = [each["subject"] for each in ask("lti.capabilities")["supported_messages"]]  # pyright: ignore
    assert supported == ["lti.capabilities", "lti.put_data", "lti.get_data"]
    assert ask("lti.get_data", key="a") == {"key": "a", "value": None}
    assert ask("lti.put_data", key="a", value="1") == {"key": "a", "value": "1"}
    assert ask("lti.get_data", key="a") == {"key": "a", "value": "1"}
    assert ask("lti.put_data", key="a") == {"key": "a", "value": None}
    assert ask("lti.get_data", key="a") == {"key": "a", "value": None}

    def code(subject: str, **more: object) -> object:
        return ask(subject, **more)["error"]["code"]  # pyright: ignore

    assert code("lti.put_data", key="a", value="x" * 4097) == "bad_request"
    assert code("lti.get_data") == "bad_request"
    assert code("lti.unheard_of") == "unsupported_subject"
    assert ask("lti.put_data", key="a", value="1")["value"] == "1"
    # The same frame, once it shows a page of an origin that is no tool's: nothing of the data is there for it.
    priya.page.locator(".frame iframe").evaluate("(frame) => { frame.src = '/health'; }")
    expect(priya.tool.get_by_text("ok")).to_be_visible()
    assert code("lti.get_data", key="a") == "wrong_origin"
    assert code("lti.put_data", key="a", value="2") == "wrong_origin"
