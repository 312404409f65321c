"""The pages of the practice LMS: who sees what, empty states, fragments, headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup, Tag

if TYPE_CHECKING:
    from tests.lms.conftest import RunningLms, ScriptedTool

TOOL = "http://localhost:9"
STUDENTS = ["mateo", "seoyeon", "priya", "lukas", "maria"]


def _soup(text: str) -> BeautifulSoup:
    return BeautifulSoup(text, "html.parser")


def _words(tag: Tag | None) -> str:
    assert tag is not None
    return " ".join(tag.get_text(" ").split())


def test_the_first_page_lets_choose_among_all_people(practice_lms: RunningLms) -> None:
    soup = _soup(practice_lms.page("/"))
    assert [link["href"] for link in soup.select("a.person")] == [f"/as/{slug}/course" for slug in ["ada", *STUDENTS]]
    assert "no passwords" in soup.get_text()
    assert [_words(tag) for tag in soup.select(".avatar")] == ["AO", "MH", "김", "PR", "LW", "MF"]


@pytest.mark.parametrize("path", ["/", "/as/ada/course", "/as/mateo/grades", "/as/ada/gradebook", "/nothing"])
def test_every_page_says_that_it_is_a_practice_lms(practice_lms: RunningLms, path: str) -> None:
    soup = _soup(practice_lms.page(path, 404 if path == "/nothing" else 200))
    assert _words(soup.select_one("header .badge")) == "Practice LMS"
    assert "Practice LMS" in _words(soup.title)
    assert soup.html
    assert soup.html["lang"] == "en"
    assert len(soup.select("h1")) == 1


def test_without_a_tool_the_instructor_learns_how_to_register_one(practice_lms: RunningLms) -> None:
    assert "/site/tools" in practice_lms.page("/as/ada/course")
    assert "/site/tools" in practice_lms.page("/as/ada/add")
    assert "/site/tools" not in practice_lms.page("/as/mateo/course")


def test_the_instructor_adds_activities_and_the_student_does_not(scripted_tool: ScriptedTool) -> None:
    for _ in range(2):  # an empty course, then one with an activity
        assert _soup(scripted_tool.lms.page("/as/ada/course")).select('a[href="/as/ada/add"]')
        assert not _soup(scripted_tool.lms.page("/as/mateo/course")).select('a[href$="/add"]')
        scripted_tool.adds()


def test_adding_frames_the_tool_with_title_and_loading_note(scripted_tool: ScriptedTool) -> None:
    soup = _soup(scripted_tool.lms.page("/as/ada/add"))
    frame = soup.select_one("iframe")
    assert frame
    assert frame["title"] == "Quiz tool"
    assert frame["src"] == f"/as/ada/tools/{scripted_tool.registration['deployment_id']}/choose?storage=_parent"
    assert "Opening Quiz tool" in _words(soup.select_one(".frame-loading"))


def test_a_page_keeps_data_for_its_tool_unless_told_not_to(scripted_tool: ScriptedTool) -> None:
    number = scripted_tool.adds()["id"]
    for path, opened in (
        (f"/as/mateo/activities/{number}", f"/as/mateo/activities/{number}/open"),
        ("/as/ada/add", f"/as/ada/tools/{scripted_tool.registration['deployment_id']}/choose"),
    ):
        asked = {}
        for query in ("", "?storage=off"):
            soup = _soup(scripted_tool.lms.page(path + query))
            source = str(soup.select(".frame iframe")[0]["src"])
            asked[query] = scripted_tool.login_parameters(source).get("lti_storage_target")
            assert soup.select(".frame")[0].get("data-storage-origins") == (None if query else TOOL)
            assert source.startswith(opened)
        assert asked == {"": "_parent", "?storage=off": None}


def test_with_two_tools_the_instructor_chooses_one(scripted_tool: ScriptedTool) -> None:
    second = scripted_tool.registers(launch_url=f"{TOOL}/second", name="Second tool")["deployment_id"]
    soup = _soup(scripted_tool.lms.page("/as/ada/add"))
    assert not soup.select("iframe")
    assert [_words(link) for link in soup.select("main a.person")] == ["Quiz tool", "Second tool"]
    chosen = _soup(scripted_tool.lms.page(f"/as/ada/add?tool={second}")).select_one("iframe")
    assert chosen
    assert chosen["src"] == f"/as/ada/tools/{second}/choose?storage=_parent"


def test_an_activity_is_framed_and_opens_in_a_window_too(scripted_tool: ScriptedTool) -> None:
    number = scripted_tool.adds()["id"]
    soup = _soup(scripted_tool.lms.page(f"/as/mateo/activities/{number}"))
    frame = soup.select_one("iframe")
    assert frame
    assert (frame["title"], frame["src"]) == ("Overfitting", f"/as/mateo/activities/{number}/open?storage=_parent")
    window = soup.select_one('a[target="_blank"]')
    assert window
    assert window["href"] == f"/as/mateo/activities/{number}/open?target=window"


def test_the_gradebook_shows_scores_comments_and_gaps(scripted_tool: ScriptedTool) -> None:
    line_item = scripted_tool.line_item_of(scripted_tool.adds())
    scripted_tool.posts_score(line_item, scoreGiven=1, scoreMaximum=3, comment="<b>Nearly</b>\nthere")
    scripted_tool.posts_score(line_item, userId="12", gradingProgress="Pending")
    soup = _soup(scripted_tool.lms.page("/as/ada/gradebook"))
    rows = [_words(row) for row in soup.select("tbody tr")]
    assert len(rows) == 5
    assert "3.33 / 10" in rows[0]
    assert "<b>Nearly</b> there" in rows[0]
    assert "2 Mar 2026" in rows[0]
    assert "No score" in rows[1]
    assert rows[2].endswith("–")


def test_the_gradebook_without_columns_says_so(practice_lms: RunningLms) -> None:
    assert "No graded activities yet" in practice_lms.page("/as/ada/gradebook")


def test_the_fragment_of_the_gradebook_changes_with_a_score(scripted_tool: ScriptedTool) -> None:
    line_item = scripted_tool.line_item_of(scripted_tool.adds())
    source = _soup(scripted_tool.lms.page("/as/ada/gradebook")).select_one("#live")
    assert source
    before = scripted_tool.lms.page(str(source["data-source"]))
    assert scripted_tool.lms.page(str(source["data-source"])) == before
    scripted_tool.posts_score(line_item)
    after = scripted_tool.lms.page(str(source["data-source"]))
    assert "8</strong> / 10" in after
    assert "<html" not in after


def test_a_student_sees_own_grades_only(scripted_tool: ScriptedTool) -> None:
    line_item = scripted_tool.line_item_of(scripted_tool.adds())
    scripted_tool.posts_score(line_item)
    for path in ("/as/mateo/grades", "/as/mateo/grades/table", "/as/mateo/course"):
        assert "8 / 10" in scripted_tool.lms.page(path)
    assert "Good, one point is missing." in scripted_tool.lms.page("/as/mateo/grades")
    for path in ("/as/priya/grades", "/as/priya/grades/table", "/as/priya/course"):
        page = scripted_tool.lms.page(path)
        assert "8 / 10" not in page
        assert "No grade yet" in page
        assert "one point is missing" not in page


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/as/mateo/gradebook", 403),
        ("/as/mateo/gradebook/table", 403),
        ("/as/mateo/add", 403),
        ("/as/ada/grades", 403),
        ("/as/ada/grades/table", 403),
        ("/as/nobody/course", 404),
        ("/as/ada/activities/999999", 404),
        ("/as/ada/add?tool=999999", 404),
    ],
)
def test_pages_that_are_not_for_everybody(practice_lms: RunningLms, path: str, status: int) -> None:
    soup = _soup(practice_lms.page(path, status))
    assert _words(soup.select_one("[role=alert] h1")) == "That did not work"


def test_titles_from_a_tool_are_text(scripted_tool: ScriptedTool) -> None:
    number = scripted_tool.adds(title='<script>alert("x")</script>', text='"><img src=x>')["id"]
    for path in ("/as/mateo/course", f"/as/mateo/activities/{number}", "/as/ada/gradebook", "/as/mateo/grades"):
        page = scripted_tool.lms.page(path)
        assert "<script>alert" not in page
        assert "<img src=x" not in page


def test_pages_carry_a_strict_policy_that_lets_the_tool_be_framed(scripted_tool: ScriptedTool) -> None:
    response = scripted_tool.lms.browser.get(f"{scripted_tool.lms.issuer}/as/ada/course", timeout=10)
    policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-src"] == f"'self' {TOOL}"
    assert policy["frame-ancestors"] == "'self'"
    assert re.fullmatch(r"'self' 'nonce-[\w-]+'", policy["script-src"])
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in response.headers


def test_no_page_needs_an_inline_script_or_style(scripted_tool: ScriptedTool) -> None:
    number = scripted_tool.adds()["id"]
    for path in ("/", "/as/ada/course", "/as/ada/add", "/as/ada/gradebook", f"/as/ada/activities/{number}"):
        soup = _soup(scripted_tool.lms.page(path))
        assert not soup.select("style, [style], script:not([src])")
        for tag in soup.select("script[src], link[href]"):
            address = str(tag.get("src") or tag.get("href"))
            assert scripted_tool.lms.page(address)


def test_a_person_who_comes_by_another_host_name_is_led_to_the_issuer(practice_lms: RunningLms) -> None:
    port = urlsplit(practice_lms.issuer).port
    other = f"http://localhost:{port}/as/ada/course?added=2"
    response = practice_lms.browser.get(other, allow_redirects=False, timeout=10)
    assert response.status_code == 302
    assert response.headers["Location"] == f"{practice_lms.issuer}/as/ada/course?added=2"
