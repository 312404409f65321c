"""Row 67 on the practice LMS, whose gradebook opens what was handed in: Open edX has no submission review."""

from __future__ import annotations

from typing import Any, cast

import pytest

from lti_tool.launch import platforms
from tests.fake_platform import LTI, MEMBERSHIP
from tests.integration.test_submission_review import hand_in, make_quiz
from tests.matrix.scene import Scene
from tests.platforms.matrix_platform import MatrixPlatform
from tests.platforms.practice import PracticePlatform

LEARNER = [f"{MEMBERSHIP}#Learner"]


@pytest.fixture
def platform(practice_platform: MatrixPlatform) -> MatrixPlatform:
    """The practice LMS alone."""
    return practice_platform


@pytest.fixture
def handed_in(scene: Scene) -> Scene:
    """The learner has launched and handed an answer in."""
    message = scene.message()
    scene.assert_launched(scene.post(message.id_token, message.state))
    quiz_id = make_quiz(scene.database, scene.registration.id)
    hand_in(scene.database, scene.registration.id, message.claims["sub"], quiz_id)
    return scene


def _review(scene: Scene, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> Any:
    platform = cast("PracticePlatform", scene.platform)
    monkeypatch.setattr(platform, "course_url", lambda role, *, deep_linking: platform.review_url("11"))
    message = scene.message(role="instructor")
    assert message.claims[f"{LTI}/message_type"] == "LtiSubmissionReviewRequest"
    return scene.post(message.signed(changes), message.state)


def test_a_review_as_the_platform_made_it_shows_the_answer(handed_in: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    page = handed_in.browser.get(_review(handed_in, monkeypatch, {}).location, follow_redirects=True)
    assert page.status_code == 200
    assert "answer of 11" in page.text


@pytest.mark.parametrize(
    "changes",
    [
        {f"{LTI}/roles": LEARNER, "sub": "12"},
        {f"{LTI}/roles": LEARNER, "sub": "11"},
        {f"{LTI}/for_user": {"user_id": "12"}},
        {f"{LTI}/context": {"id": "elsewhere"}},
    ],
    ids=["learner", "the_student", "nobodys_answer", "other_course"],
)
def test_bad_launch_67_a_review_that_is_nobodys_business(
    handed_in: Scene, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    handed_in.assert_refused(_review(handed_in, monkeypatch, changes), 404, "LTI-REVIEW")


def test_bad_launch_67_a_review_of_a_user_of_another_deployment(
    handed_in: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with handed_in.database.across_tenants() as connection:
        platforms.activate(connection, handed_in.registration.id, "other")
    response = _review(handed_in, monkeypatch, {f"{LTI}/deployment_id": "other"})
    handed_in.assert_refused(response, 404, "LTI-REVIEW")
