"""Names and roles service of the practice LMS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lms.conftest import ScriptedTool

NRPS = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"


@pytest.fixture
def memberships(scripted_tool: ScriptedTool) -> str:
    """The address of the class list, from a launch."""
    activity = scripted_tool.adds()
    return scripted_tool.launches("ada", activity["id"])[NRPS]["context_memberships_url"]


def test_the_class_list_names_everybody_with_bare_roles(scripted_tool: ScriptedTool, memberships: str) -> None:
    response = scripted_tool.calls("GET", memberships, token=scripted_tool.token(SCOPE))
    assert response.headers["Content-Type"] == "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
    body = response.json()
    assert body["id"] == memberships
    assert body["context"] == {"id": "2", "label": "ML-101", "title": "Introduction to Machine Learning"}
    assert [member["roles"] for member in body["members"]] == [["Instructor"]] + [["Learner"]] * 5
    assert body["members"][2] == {
        "status": "Active",
        "user_id": "12",
        "roles": ["Learner"],
        "name": "김서연",
        "given_name": "서연",
        "family_name": "김",
    }


def test_names_are_kept_back_and_addresses_given_as_registered(unregistered_tool: ScriptedTool) -> None:
    unregistered_tool.registers(share_names=False, share_emails=True)
    activity = unregistered_tool.adds()
    url = unregistered_tool.launches("ada", activity["id"])[NRPS]["context_memberships_url"]
    member = unregistered_tool.calls("GET", url).json()["members"][0]
    assert member == {"status": "Active", "user_id": "3", "roles": ["Instructor"], "email": "ada@practice.example"}


def test_a_limit_makes_pages_linked_by_next(scripted_tool: ScriptedTool, memberships: str) -> None:
    url: str | None = f"{memberships}?limit=4"
    pages: list[list[str]] = []
    while url:
        response = scripted_tool.calls("GET", url)
        pages.append([member["user_id"] for member in response.json()["members"]])
        assert "next" not in response.json()
        url = response.links.get("next", {}).get("url")
        assert url is None or "/CourseSection/" in url
    assert pages == [["3", "11", "12", "13"], ["14", "15"]]


@pytest.mark.parametrize(
    ("role", "count"),
    [("Learner", 5), ("http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor", 1), ("Mentor", 0)],
)
def test_members_of_one_role(scripted_tool: ScriptedTool, memberships: str, role: str, count: int) -> None:
    response = scripted_tool.calls("GET", memberships + "?role=" + role.replace("#", "%23"))
    assert len(response.json()["members"]) == count


def test_members_at_a_link_only_of_the_tools_own(scripted_tool: ScriptedTool, memberships: str) -> None:
    link = scripted_tool.lms.activities()[0]["resource_link_id"]
    assert scripted_tool.calls("GET", f"{memberships}?rlid={link}").status_code == 200
    assert scripted_tool.calls("GET", f"{memberships}?rlid=made-up").status_code == 403


def test_who_may_not_see_the_class_list(scripted_tool: ScriptedTool, memberships: str) -> None:
    score_only = scripted_tool.token("https://purl.imsglobal.org/spec/lti-ags/scope/score")
    assert scripted_tool.calls("GET", memberships, token=score_only).status_code == 401
    assert scripted_tool.calls("GET", memberships, Authorization=None).status_code == 401
    assert scripted_tool.calls("GET", memberships, User_Agent="").status_code == 403
    assert scripted_tool.calls("GET", memberships.replace("/2/", "/3/")).status_code == 404
    assert scripted_tool.calls("GET", f"{memberships}?limit=many").status_code == 400
