"""Copies of the course: new links, new empty columns, the same content; and what depends on the course."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lti_tool.practice_lms.activities import list_activities, list_line_items
from lti_tool.practice_lms.courses import copy_course, find_course, list_courses
from lti_tool.practice_lms.database import Database
from lti_tool.practice_lms.grades import LINE_ITEM_TYPE
from lti_tool.practice_lms.people import COURSE
from lti_tool.practice_lms.tools import ToolApplication, register_tool
from tests.lms.conftest import read_form

if TYPE_CHECKING:
    from tests.lms.conftest import RunningLms, ScriptedTool

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
DL_CLAIM = "https://purl.imsglobal.org/spec/lti-dl/claim/"
AGS = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
TOOL = "http://localhost:9"
DUE = "$ResourceLink.submission.endDateTime"


def copied(lms: RunningLms, **body: Any) -> dict[str, Any]:
    """What the admin sees of a fresh copy of the course."""
    response = lms.admin("POST", "courses", json=body)
    assert response.status_code == 200, response.text
    return lms.admin("GET", f"course?id={response.json()['id']}").json()


# Copying ----------------------------------------------------------------------------------------------------------


def test_a_copy_has_the_same_activities_as_new_links(scripted_tool: ScriptedTool) -> None:
    first = scripted_tool.adds(custom={"quiz_id": "7"})
    (copy,) = copied(scripted_tool.lms)["activities"]
    same = ("title", "url", "custom", "maximum", "due")
    assert {name: copy[name] for name in same} == {name: first[name] for name in same}
    assert copy["resource_link_id"] != first["resource_link_id"]
    assert copy["lineitem"] != first["lineitem"]
    assert scripted_tool.lms.activities() == [first], "the first course is as it was"


def test_the_gradebook_of_a_copy_is_empty_and_its_own(scripted_tool: ScriptedTool) -> None:
    first = scripted_tool.adds()
    assert scripted_tool.posts_score(first["lineitem"]).status_code == 200
    (copy,) = copied(scripted_tool.lms)["activities"]
    assert scripted_tool.results(copy["lineitem"]) == []
    assert scripted_tool.posts_score(copy["lineitem"], scoreGiven=1).status_code == 200
    grades = {row["course"]: row["score"] for row in scripted_tool.lms.gradebook()}
    assert grades == {"2": 8, "3": 2}


def test_columns_of_the_tools_own_are_not_copied(scripted_tool: ScriptedTool) -> None:
    activity = scripted_tool.adds()
    items = scripted_tool.launches("mateo", activity["id"])[AGS]["lineitems"]
    body = {"label": "Extra", "scoreMaximum": 3, "resourceLinkId": activity["resource_link_id"]}
    made = scripted_tool.calls("POST", items, content_type=LINE_ITEM_TYPE, body=body)
    assert made.status_code == 201, made.text
    (copy,) = copied(scripted_tool.lms)["activities"]
    assert copy["maximum"] == 10, "one column, so the launch has it again"


@pytest.mark.parametrize("lost", ["custom", "url", "columns"])
def test_some_platforms_lose_something(scripted_tool: ScriptedTool, lost: str) -> None:
    first = scripted_tool.adds()
    (copy,) = copied(scripted_tool.lms, without=[lost])["activities"]
    changed = {"custom": "custom", "url": "url", "columns": "lineitem"}[lost]
    assert copy[changed] == {"custom": {}, "url": f"{TOOL}/lti/launch", "columns": None}[lost]
    for name in {"custom", "url", "maximum"} - {changed, "maximum" if lost == "columns" else ""}:
        assert copy[name] == first[name]


def test_a_copy_can_be_copied(scripted_tool: ScriptedTool) -> None:
    scripted_tool.adds()
    second = copied(scripted_tool.lms)
    third = copied(scripted_tool.lms, id=second["id"])
    assert [second["id"], third["id"]] == ["3", "4"]
    assert len({course["title"] for course in (second, third)}) == 2
    assert [activity["title"] for activity in third["activities"]] == ["Overfitting"]


@pytest.mark.parametrize(("body", "status"), [({"id": "99"}, 404), ({"without": ["grades"]}, 400), ({"x": 1}, 400)])
def test_what_cannot_be_copied_is_refused(practice_lms: RunningLms, body: dict[str, Any], status: int) -> None:
    assert practice_lms.admin("POST", "courses", json=body).status_code == status
    assert practice_lms.admin("GET", "course?id=3").status_code == 404


def test_a_reset_forgets_copies(scripted_tool: ScriptedTool) -> None:
    scripted_tool.adds()
    copied(scripted_tool.lms)
    scripted_tool.lms.admin("POST", "reset")
    assert scripted_tool.lms.admin("GET", "course?id=3").status_code == 404
    scripted_tool.lms.page("/as/ada/courses/3/course", 404)


# Launches and services --------------------------------------------------------------------------------------------


def test_a_launch_says_which_course_it_is_of(scripted_tool: ScriptedTool) -> None:
    first = scripted_tool.adds()
    copy = copied(scripted_tool.lms)
    of_first, of_copy = (scripted_tool.launches("mateo", activity["id"]) for activity in (first, copy["activities"][0]))
    assert of_first[f"{CLAIM}context"]["id"] == "2"
    assert of_copy[f"{CLAIM}context"]["id"] == "3"
    assert of_copy[f"{CLAIM}context"]["title"] == copy["title"] != of_first[f"{CLAIM}context"]["title"]
    assert of_copy["sub"] == of_first["sub"]
    assert of_copy[f"{CLAIM}custom"] == of_first[f"{CLAIM}custom"]
    assert "/services/ags/3/" in of_copy[AGS]["lineitems"]
    assert of_copy[AGS]["lineitem"] == copy["activities"][0]["lineitem"]
    assert "/CourseSection/3/" in of_copy[NRPS]["context_memberships_url"]


def test_each_course_lists_its_own_columns(scripted_tool: ScriptedTool) -> None:
    first = scripted_tool.adds()
    (copy,) = copied(scripted_tool.lms)["activities"]
    for activity, course in ((first, "2"), (copy, "3")):
        url = scripted_tool.launches("mateo", activity["id"])[AGS]["lineitems"]
        listed = scripted_tool.calls("GET", url).json()
        assert [item["resourceLinkId"] for item in listed] == [activity["resource_link_id"]], course
        other = copy if activity is first else first
        query = f"{url}&resource_link_id={other['resource_link_id']}"
        assert scripted_tool.calls("GET", query).json() == []


def test_a_column_is_not_reached_through_the_other_course(scripted_tool: ScriptedTool) -> None:
    first = scripted_tool.adds()
    copied(scripted_tool.lms)
    wrong = first["lineitem"].replace("/ags/2/", "/ags/3/")
    assert scripted_tool.posts_score(wrong).status_code == 404
    assert scripted_tool.calls("GET", wrong).status_code == 404
    assert scripted_tool.lms.gradebook() == []
    unknown = first["lineitem"].replace("/ags/2/", "/ags/9/")
    assert scripted_tool.calls("GET", unknown).status_code == 404


def test_the_people_of_a_copy_are_the_same(scripted_tool: ScriptedTool) -> None:
    scripted_tool.adds()
    (copy,) = copied(scripted_tool.lms)["activities"]
    url = scripted_tool.launches("ada", copy["id"])[NRPS]["context_memberships_url"]
    answer = scripted_tool.calls("GET", url).json()
    assert answer["context"]["id"] == "3"
    assert len(answer["members"]) == 6
    link = copy["resource_link_id"]
    assert scripted_tool.calls("GET", f"{url}?rlid={link}").status_code == 200
    assert scripted_tool.calls("GET", f"{url.replace('/3/', '/2/')}?rlid={link}").status_code != 200


def test_content_is_chosen_for_the_course_that_asked(scripted_tool: ScriptedTool) -> None:
    copied(scripted_tool.lms)
    number = scripted_tool.registration["deployment_id"]
    login = scripted_tool.login_parameters(f"/as/ada/courses/3/tools/{number}/choose")
    asked = scripted_tool.verified(read_form(scripted_tool.authenticates(login)).fields["id_token"])
    assert asked[f"{CLAIM}context"]["id"] == "3"
    back = scripted_tool.returns(scripted_tool.answers(asked, [{"type": "ltiResourceLink", "title": "New"}]))
    assert "/as/ada/courses/3/course?added=1" in back.text
    assert scripted_tool.lms.activities() == []
    (added,) = scripted_tool.lms.admin("GET", "course?id=3").json()["activities"]
    assert (added["title"], added["lineitem"]) == ("New", None), "without a line item there is no grade"
    scripted_tool.lms.page(f"/as/ada/courses/99/tools/{number}/choose", 404)


def test_a_message_of_the_tool_is_shown_in_the_course(scripted_tool: ScriptedTool) -> None:
    asked = scripted_tool.is_asked_for_content()
    back = scripted_tool.returns(scripted_tool.answers(asked, [], dl_msg="Nothing <b>chosen</b>."))
    assert "window.top.location" in back.text, "the message does not hold up the way back"
    assert "said=Nothing+%3Cb%3Echosen" in back.text
    page = scripted_tool.lms.page("/as/ada/course?added=0&said=Nothing <b>chosen</b>.")
    assert "The tool says: Nothing &lt;b&gt;chosen&lt;/b&gt;." in page


# Variables and due dates ------------------------------------------------------------------------------------------


def custom_of_launch(tool: ScriptedTool, activity: dict[str, Any]) -> dict[str, str]:
    return tool.launches("mateo", activity["id"])[f"{CLAIM}custom"]


def test_the_due_date_is_filled_in_at_each_launch(scripted_tool: ScriptedTool) -> None:
    activity = scripted_tool.adds(
        custom={"due_at": DUE, "quiz_id": "7"}, submission={"endDateTime": "2090-03-20T20:00:00+01:00"}
    )
    assert custom_of_launch(scripted_tool, activity) == {"due_at": "2090-03-20T20:00:00+01:00", "quiz_id": "7"}
    moved = scripted_tool.lms.browser.post(
        f"{scripted_tool.lms.issuer}/as/ada/activities/{activity['id']}/due",
        data={"due": "2091-01-02T03:04"},
        timeout=10,
    )
    assert 'value="2091-01-02T03:04"' in moved.text
    assert custom_of_launch(scripted_tool, activity)["due_at"] == "2091-01-02T03:04:00+00:00"
    column = scripted_tool.calls("GET", activity["lineitem"]).json()
    assert column["endDateTime"] == "2091-01-02T03:04:00+00:00"


def test_a_variable_without_a_value_stays_as_it_is(scripted_tool: ScriptedTool) -> None:
    activity = scripted_tool.adds(custom={"due_at": DUE, "other": "$Nothing.known"})
    assert custom_of_launch(scripted_tool, activity) == {"due_at": DUE, "other": "$Nothing.known"}


@pytest.mark.parametrize(("slug", "due", "status"), [("mateo", "2090-01-01T00:00", 403), ("ada", "tomorrow", 400)])
def test_a_due_date_is_a_date_and_the_instructors(
    scripted_tool: ScriptedTool, slug: str, due: str, status: int
) -> None:
    activity = scripted_tool.adds()
    url = f"{scripted_tool.lms.issuer}/as/{slug}/activities/{activity['id']}/due"
    assert scripted_tool.lms.browser.post(url, data={"due": due}, timeout=10).status_code == status
    assert scripted_tool.lms.activities()[0]["due"] is None


def test_custom_parameters_are_kept_as_lines(scripted_tool: ScriptedTool) -> None:
    activity = scripted_tool.adds(custom={"a": "1\nb=2\nlost", "c": " x=y "})
    assert activity["custom"] == {"a": "1", "b": "2", "c": "x=y"}


# Pages ------------------------------------------------------------------------------------------------------------


def test_the_instructor_copies_the_course_on_its_page(scripted_tool: ScriptedTool) -> None:
    scripted_tool.adds()
    lms = scripted_tool.lms
    response = lms.browser.post(f"{lms.issuer}/as/ada/courses/2/copy", timeout=10)
    assert response.url == f"{lms.issuer}/as/ada/courses/3/course"
    assert "Overfitting" in response.text
    assert f'href="{"/as/ada/course"}"' in response.text, "and finds the first one"
    assert "/as/mateo/courses/3/course" in lms.page("/as/mateo/course")
    assert lms.browser.post(f"{lms.issuer}/as/mateo/courses/2/copy", timeout=10).status_code == 403


@pytest.mark.parametrize("page", ["course", "add", "gradebook", "gradebook/table"])
def test_pages_of_a_copy_are_its_own(scripted_tool: ScriptedTool, page: str) -> None:
    scripted_tool.adds()
    lms = scripted_tool.lms
    lms.admin("POST", "courses", json={})
    scripted_tool.adds(title="Only in the first", lineItem={"label": "Only in the first", "scoreMaximum": 1})
    assert "Only in the first" not in lms.page(f"/as/ada/courses/3/{page}")
    lms.page(f"/as/ada/courses/99/{page}", 404)


def test_own_grades_are_those_of_the_course(scripted_tool: ScriptedTool) -> None:
    scripted_tool.posts_score(scripted_tool.adds()["lineitem"])
    lms = scripted_tool.lms
    lms.admin("POST", "courses", json={})
    assert "Good, one point is missing." in lms.page("/as/mateo/grades")
    assert "Good, one point is missing." not in lms.page("/as/mateo/courses/3/grades")
    assert "No grade yet" in lms.page("/as/mateo/courses/3/grades/table")


# The file ---------------------------------------------------------------------------------------------------------


def test_a_file_from_before_there_were_copies_still_works(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    with sqlite3.connect(path) as old:
        old.executescript(
            """
            CREATE TABLE activity (
                id INTEGER PRIMARY KEY AUTOINCREMENT, resource_link_id TEXT NOT NULL UNIQUE, tool_number INTEGER,
                title TEXT NOT NULL, text TEXT NOT NULL, url TEXT NOT NULL, custom TEXT NOT NULL, available_from TEXT,
                available_until TEXT, submission_from TEXT, submission_until TEXT
            );
            INSERT INTO activity (resource_link_id, tool_number, title, text, url, custom)
            VALUES ('link', 1, 'Old', '', 'http://localhost:9/lti/launch', '{}');
            """
        )
    old.close()
    database = Database(path=path)
    database.create()
    database.create()
    application = ToolApplication(
        name="T",
        login_url=f"{TOOL}/login",
        launch_url=f"{TOOL}/lti/launch",
        jwks_url=f"{TOOL}/jwks",
        deep_link_url=f"{TOOL}/lti/choose",
    )
    with database.transaction() as connection:
        register_tool(connection, application)
        assert [activity.title for activity in list_activities(connection, COURSE.id)] == ["Old"]
        copy = copy_course(connection, COURSE)
        assert [course.id for course in list_courses(connection)] == ["2", copy.id]
        assert find_course(connection, "99") is None
        assert list_line_items(connection, course_id=copy.id) == []
        assert [activity.title for activity in list_activities(connection, copy.id)] == ["Old"]
