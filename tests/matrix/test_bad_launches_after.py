"""Rows 60 to 63: what a launch may do, and what it may show."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.fake_platform import ABSENT, DL_SETTINGS, LTI, MEMBERSHIP
from tests.matrix.scene import Scene

ROLES = f"{LTI}/roles"
INSTITUTION = "http://purl.imsglobal.org/vocab/lis/v2/institution/person"
HOSTILE = "\u202e<script>alert(1)</script>'\"><img src=x onerror=alert(1)>{{7*7}}"


def _offered(scene: Scene, **changes: Any) -> dict[str, Any]:
    """The platform's own settings of deep linking, with some replaced."""
    settings = scene.message(role="instructor", deep_linking=True).claims[DL_SETTINGS] | changes
    return {DL_SETTINGS: {name: value for name, value in settings.items() if value is not ABSENT}}


@pytest.mark.parametrize("role", ["Instructor", "Administrator", "Faculty"])
def test_bad_launch_60_staff_of_the_school_who_study_see_what_learners_see(scene: Scene, role: str) -> None:
    scene.assert_launched(scene.launch({ROLES: [f"{INSTITUTION}#{role}", f"{MEMBERSHIP}#Learner"]}))
    assert scene.owner.execute("SELECT role FROM launch_sessions").fetchall() == [("LEARNER",)]


@pytest.mark.parametrize(
    "roles",
    [[f"{MEMBERSHIP}#Learner"], [f"{INSTITUTION}#Instructor", f"{MEMBERSHIP}#Learner"], []],
    ids=["learner", "staff_who_study", "nobody"],
)
@pytest.mark.parametrize("return_url", [None, "javascript:alert(1)"], ids=["own", "script"])
def test_bad_launch_61_a_learner_who_wants_to_add_content(
    scene: Scene, roles: list[str], return_url: str | None
) -> None:
    changes = _offered(scene, **({"deep_link_return_url": return_url} if return_url else {}))
    response = scene.launch({ROLES: roles} | changes, role="instructor", deep_linking=True)
    scene.assert_refused(response, 403, "LTI-DL-ROLE")
    assert "javascript:" not in response.text


@pytest.mark.parametrize(
    "return_url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "https://evil.example/return",
        'ISSUER/"><script>alert(1)</script>',
        "ISSUER/'onclick=alert(1)",
        "ISSUER@evil.example/",
        "ISSUER.evil.example/",
        "http://user@localhost/return",
        "//evil.example/",
        "/return",
    ],
    ids=["script", "data", "foreign", "quotes", "single_quote", "userinfo", "longer_host", "user", "no_scheme", "path"],
)
def test_bad_launch_62_a_return_address_that_is_not_the_platforms(scene: Scene, return_url: str) -> None:
    changes = _offered(scene, deep_link_return_url=return_url.replace("ISSUER", scene.registration.issuer))
    response = scene.launch(changes, role="instructor", deep_linking=True)
    scene.assert_refused(response, 400, "LTI-DL-RETURN")
    assert "<script>alert" not in response.text


@pytest.mark.parametrize("role", ["learner", "instructor"])
def test_bad_launch_63_markup_in_titles_and_names_is_shown_as_text(scene: Scene, role: Any) -> None:
    changes = {
        "name": HOSTILE,
        f"{LTI}/context": {"id": HOSTILE, "title": HOSTILE},
        f"{LTI}/resource_link": {"id": HOSTILE, "title": HOSTILE},
        f"{LTI}/launch_presentation": {"locale": HOSTILE, "return_url": "javascript:alert(1)"},
    }
    page = scene.assert_launched(scene.launch(changes, role=role))
    for raw in ("<script>alert", "<img src=x", "\u202e", "javascript:alert", "&lt;script&gt;49"):
        assert raw not in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert "default-src 'none'" in policy
    inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>|<[^>]+\son\w+=", page.text)
    assert inline == []


def test_bad_launch_63_a_name_of_a_megabyte(scene: Scene) -> None:
    scene.assert_refused(scene.launch({"name": "<script>" * 131_072}), 413, "LTI-SIZE")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [({"accept_types": ["link"]}, 422, "LTI-DL"), ({"accept_types": ABSENT}, 400, "LTI-CLAIM")],
    ids=["no_links", "no_types"],
)
def test_deep_linking_that_takes_nothing_of_ours_is_refused(
    scene: Scene, changes: dict[str, Any], status: int, code: str
) -> None:
    response = scene.launch(_offered(scene, **changes), role="instructor", deep_linking=True)
    scene.assert_refused(response, status, code)


def test_deep_linking_without_settings_is_refused(scene: Scene) -> None:
    response = scene.launch({DL_SETTINGS: ABSENT}, role="instructor", deep_linking=True)
    scene.assert_refused(response, 400, "LTI-CLAIM")
