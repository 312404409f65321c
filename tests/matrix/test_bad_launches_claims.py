"""Rows 50 to 59 and 68: LTI claims that are missing, of the wrong kind, or lead elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from lti_tool.launch import platforms
from tests.fake_platform import ABSENT, AGS, LTI, MEMBERSHIP
from tests.matrix.scene import Scene

DEPLOYMENT = f"{LTI}/deployment_id"
TARGET = f"{LTI}/target_link_uri"
ROLES = f"{LTI}/roles"
LINK = f"{LTI}/resource_link"
CONTEXT = f"{LTI}/context"
CUSTOM = f"{LTI}/custom"


@pytest.mark.parametrize("deployment", [ABSENT, None, ""], ids=["absent", "null", "empty"])
def test_bad_launch_50_without_a_deployment(scene: Scene, deployment: Any) -> None:
    scene.assert_refused(scene.launch({DEPLOYMENT: deployment}), 400, "LTI-CLAIM")


def test_bad_launch_51_of_an_unknown_deployment_waits_for_approval(scene: Scene) -> None:
    response = scene.launch({DEPLOYMENT: "new"})
    scene.assert_refused(response, 403, "LTI-DEPLOYMENT", also=("deployments",))
    assert "waits for approval" in response.text
    scene.assert_refused(scene.launch({DEPLOYMENT: "new"}), 403, "LTI-DEPLOYMENT")
    with scene.database.across_tenants() as connection:
        waiting = platforms.find_deployment(connection, scene.registration.id, "new")
        assert waiting is not None
        assert waiting.status == "PENDING"
        platforms.activate(connection, scene.registration.id, "new")
    scene.assert_launched(scene.launch({DEPLOYMENT: "new"}))


def test_bad_launch_52_of_a_disabled_deployment(scene: Scene) -> None:
    with scene.database.across_tenants() as connection:
        platforms.disable_deployment(connection, scene.registration.id, scene.platform.registration.deployment_id)
    scene.assert_refused(scene.launch(), 403, "LTI-DEPLOYMENT-OFF")


@pytest.mark.parametrize(
    "version", ["LTI-1p0", "1.3", "1.3.1", "", ABSENT], ids=["1p0", "1.3", "1.3.1", "empty", "absent"]
)
def test_bad_launch_53_of_another_version(scene: Scene, version: Any) -> None:
    scene.assert_refused(scene.launch({f"{LTI}/version": version}), 400, "LTI-VERSION")


@pytest.mark.parametrize(
    "kind", ["LtiStartProctoring", "", "ltiresourcelinkrequest", ABSENT], ids=["unknown", "empty", "case", "absent"]
)
def test_bad_launch_54_of_an_unknown_kind(scene: Scene, kind: Any) -> None:
    scene.assert_refused(scene.launch({f"{LTI}/message_type": kind}), 422, "LTI-MESSAGE")


@pytest.mark.parametrize(
    ("sub", "code"),
    [
        pytest.param("", "LTI-CLAIM", id="empty"),
        pytest.param(5, "LTI-CLAIM", id="number"),
        pytest.param(["11"], "LTI-CLAIM", id="list"),
        pytest.param("x" * 256, "LTI-CLAIM", id="long"),
        pytest.param("a\x00b", "LTI-TOKEN-FORM", id="nul"),
        pytest.param("a\ud800", "LTI-TOKEN-FORM", id="half_character"),
    ],
)
def test_bad_launch_55_of_a_user_that_is_none(scene: Scene, sub: Any, code: str) -> None:
    scene.assert_refused(scene.launch({"sub": sub}), 400, code)


def test_bad_launch_55_without_a_user_where_nothing_is_graded(scene: Scene) -> None:
    scene.assert_refused(scene.launch({"sub": ABSENT, AGS: ABSENT}), 400, "LTI-CLAIM")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "A\ud800"},
        {"name": "A\x00"},
        {CONTEXT: {"id": "course-1", "title": "A\udfff"}},
        {CONTEXT: {"id": "\ud800"}},
        {LINK: {"id": "link-1", "title": "\x00"}},
        {CUSTOM: {"\ud800": "x"}},
        {DEPLOYMENT: "\ud800"},
    ],
    ids=["name", "name_nul", "title", "context", "link", "custom", "deployment"],
)
def test_bad_launch_55_texts_that_no_column_takes(scene: Scene, changes: dict[str, Any]) -> None:
    scene.assert_refused(scene.launch(changes), 400, "LTI-TOKEN-FORM")


def test_bad_launch_56_of_nobody_on_a_graded_quiz(scene: Scene) -> None:
    response = scene.launch({"sub": ABSENT})
    scene.assert_refused(response, 422, "LTI-ANONYMOUS")
    assert "needs a signed-in user" in response.text


@pytest.mark.parametrize(
    "roles",
    [ABSENT, None, f"{MEMBERSHIP}#Instructor", [1], [[f"{MEMBERSHIP}#Instructor"]], {}, ["x"] * 201],
    ids=["absent", "null", "text", "numbers", "nested", "object", "many"],
)
def test_bad_launch_57_with_roles_that_are_no_list_of_texts(scene: Scene, roles: Any) -> None:
    scene.assert_refused(scene.launch({ROLES: roles}), 400, "LTI-CLAIM")


@pytest.mark.parametrize(
    "roles",
    [
        [],
        ["http://example.org/roles#Wizard"],
        ["http://purl.imsglobal.org/vocab/lis/v2/institution/person#Instructor"],
        [f"{MEMBERSHIP}#instructor"],
    ],
    ids=["none", "unknown", "institution", "case"],
)
def test_bad_launch_57_without_a_role_in_the_course_opens_a_page_without_privilege(
    scene: Scene, roles: list[str]
) -> None:
    page = scene.assert_launched(scene.launch({ROLES: roles}))
    assert scene.owner.execute("SELECT role FROM launch_sessions").fetchall() == [("NONE",)]
    assert "<form" not in page.text


@pytest.mark.parametrize(
    "link",
    [ABSENT, None, {"title": "x"}, {"id": ""}, {"id": 5}, "link", [], {"id": "x" * 256}],
    ids=["absent", "null", "no_id", "empty", "number", "text", "list", "long"],
)
def test_bad_launch_58_without_a_placement(scene: Scene, link: Any) -> None:
    scene.assert_refused(scene.launch({LINK: link}), 400, "LTI-CLAIM")


@pytest.mark.parametrize(
    "target",
    [
        ABSENT,
        "",
        "http://localhost:8400/lti/launch?quiz=1",
        "http://localhost:8400/lti/login",
        "https://evil.example/",
        "javascript:alert(1)",
        "//evil.example",
        "http://localhost:8400@evil.example/lti/launch",
        "https://us@evil.example/lti/launch",
        "http://user@localhost:8400/lti/launch",
        "http://localhost:8400/lti/launch#x",
        "http://lоcalhost:8400/lti/launch",
        "http://localhost:8400\\@evil.example/lti/launch",
        "http://localhost:8400/lti/launch/..",
        "http://localhost:8400/lti/launch\n",
        "HTTP://localhost:8400/lti/launch",
    ],
    ids=[
        "absent", "empty", "not_of_the_login", "login", "foreign", "script", "no_scheme", "port_trick", "userinfo",
        "user", "fragment", "cyrillic", "backslash", "dots", "line_break", "case",
    ],
)  # fmt: skip
def test_bad_launch_59_with_a_target_that_is_missing_or_elsewhere(scene: Scene, target: Any) -> None:
    scene.assert_refused(scene.launch({TARGET: target}), 400, "LTI-TARGET")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"nonce": ["a"]}, id="nonce"),
        pytest.param({"aud": []}, id="aud_empty"),
        pytest.param({"aud": [5]}, id="aud_numbers"),
        pytest.param({"aud": 5}, id="aud_number"),
        pytest.param({"iss": ["a"]}, id="iss"),
        pytest.param({"name": 5}, id="name"),
        pytest.param({DEPLOYMENT: 7}, id="deployment_number"),
        pytest.param({DEPLOYMENT: ["7"]}, id="deployment_list"),
        # Found by the fuzz, in its own oracle: a list cannot be looked up in a set.
        pytest.param({f"{LTI}/message_type": ["LtiResourceLinkRequest"]}, id="message_type_list"),
        pytest.param({CONTEXT: "course"}, id="context"),
        pytest.param({CUSTOM: []}, id="custom"),
        pytest.param({AGS: "x"}, id="ags"),
        pytest.param({AGS: {"scope": "x"}}, id="scope"),
    ],
)
def test_bad_launch_68_claims_of_another_kind(scene: Scene, changes: dict[str, Any]) -> None:
    scene.assert_refused(scene.launch(changes), 400, "LTI-CLAIM")


def test_a_launch_outside_a_course_is_refused(scene: Scene) -> None:
    scene.assert_refused(scene.launch({CONTEXT: ABSENT}), 422, "LTI-CONTEXT")


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "//evil.example/", "file:///etc/passwd", "x" * 9000],
    ids=["script", "no_scheme", "file", "long"],
)
def test_service_addresses_that_are_none_are_refused(scene: Scene, url: str) -> None:
    scene.assert_refused(scene.launch({AGS: {"lineitem": url}}), 400, "LTI-CLAIM")
    memberships = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
    scene.assert_refused(scene.launch({memberships: {"context_memberships_url": url}}), 400, "LTI-CLAIM")


def test_a_quiz_that_does_not_exist_is_not_found(scene: Scene) -> None:
    response = scene.launch({CUSTOM: {"quiz_id": "6a0c2a58-4b1b-4b3e-9d0f-1d6f4a5f0000"}})
    scene.assert_refused(response, 404, "LTI-QUIZ")
