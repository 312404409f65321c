"""Rows 37 to 49: whose token it is, for whom, and when."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from lti_tool.launch import platforms
from lti_tool.launch.platforms import Registration
from tests.fake_platform import ABSENT
from tests.matrix.scene import Scene
from tests.platforms.matrix_platform import MatrixPlatform, PlatformMessage

DAY = 24 * 60 * 60


def _moved(**seconds: float) -> dict[str, float]:
    """Times that many seconds from now."""
    now = int(time.time())
    return {name: now + value for name, value in seconds.items()}


def _second_registration(scene: Scene, *, issuer: str, client_id: str) -> Registration:
    told = scene.registration
    with scene.database.across_tenants() as connection:
        return platforms.add_platform(
            connection,
            issuer=issuer,
            client_id=client_id,
            auth_login_url=told.auth_login_url,
            auth_token_url=told.auth_token_url,
            jwks_url=told.jwks_url,
            deployment_ids=[scene.platform.registration.deployment_id],
        )


@pytest.mark.parametrize("ago", [31, 3600])
def test_bad_launch_37_expired(scene: Scene, ago: int) -> None:
    response = scene.launch(_moved(iat=-ago - 60, exp=-ago) if ago < 600 else _moved(exp=-ago))
    scene.assert_refused(response, 401, "LTI-TIME")


def test_bad_launch_37_within_the_leeway_is_a_good_one(scene: Scene) -> None:
    scene.assert_launched(scene.launch(_moved(exp=-25)))


def test_bad_launch_38_without_an_end(scene: Scene) -> None:
    scene.assert_refused(scene.launch({"exp": ABSENT}), 401, "LTI-TIME")
    scene.assert_refused(scene.launch({"exp": None}), 401, "LTI-TIME")


@pytest.mark.parametrize("days", [1.1, 3650])
def test_bad_launch_39_with_an_absurd_end(scene: Scene, days: float) -> None:
    scene.assert_refused(scene.launch(_moved(exp=int(days * DAY))), 401, "LTI-TIME")


@pytest.mark.parametrize("ahead", [2, 29, 2.5])
def test_bad_launch_40_is_a_good_one_where_the_clocks_differ_a_little(scene: Scene, ahead: float) -> None:
    scene.assert_launched(scene.launch(_moved(iat=ahead, exp=ahead + 60)))


@pytest.mark.parametrize("times", [{"iat": 600, "exp": 660}, {"iat": 35, "exp": 95}, {"nbf": 3600}])
def test_bad_launch_41_from_the_future(scene: Scene, times: dict[str, float]) -> None:
    scene.assert_refused(scene.launch(_moved(**times)), 401, "LTI-TIME")


def test_bad_launch_42_without_a_beginning(scene: Scene) -> None:
    scene.assert_refused(scene.launch({"iat": ABSENT}), 401, "LTI-TIME")


@pytest.mark.parametrize("ago", [11 * 60, 3 * DAY])
def test_bad_launch_42_from_long_ago(scene: Scene, ago: int) -> None:
    scene.assert_refused(scene.launch(_moved(iat=-ago)), 401, "LTI-TIME")


@pytest.mark.parametrize("name", ["exp", "iat"])
@pytest.mark.parametrize(
    "value",
    ["soon", "1795407397", True, -5, 10**400, [], {}],
    ids=["text", "number_as_text", "true", "negative", "huge", "list", "object"],
)
def test_bad_launch_43_times_that_are_no_times(scene: Scene, name: str, value: Any) -> None:
    scene.assert_refused(scene.launch({name: value}), 400, "LTI-CLAIM")


@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-Infinity", "1e400", "1" * 5000],
    ids=["nan", "infinity", "minus_infinity", "float_too_large", "five_thousand_digits"],
)
def test_bad_launch_43_numbers_that_are_none(scene: Scene, number: str) -> None:
    def make(message: PlatformMessage) -> str:
        text = json.dumps(message.claims_with({"iat": "HERE"}))
        return message.signed(body=text.replace('"HERE"', number).encode())

    scene.assert_refused(scene.launch_with(make), 400, "LTI-TOKEN-FORM")


def test_bad_launch_44_of_another_issuer_than_the_states(scene: Scene) -> None:
    other = _second_registration(scene, issuer="https://other.example", client_id="other-client")
    scene.assert_refused(scene.launch({"iss": other.issuer}), 401, "LTI-ISS")
    scene.assert_refused(scene.launch({"iss": ABSENT}), 401, "LTI-ISS")
    scene.assert_refused(scene.launch({"iss": ""}), 401, "LTI-ISS")


def test_bad_launch_44_of_another_platform_than_the_states(
    scene: Scene, practice_platform: MatrixPlatform, openedx_platform: MatrixPlatform
) -> None:
    (other,) = (each for each in (practice_platform, openedx_platform) if each is not scene.platform)
    with scene.database.across_tenants() as connection:
        platforms.add_platform(
            connection,
            issuer=other.registration.issuer,
            client_id=other.registration.client_id,
            auth_login_url=other.registration.auth_login_url,
            auth_token_url=other.registration.auth_token_url,
            jwks_url=other.registration.jwks_url,
            deployment_ids=[other.registration.deployment_id],
        )
    mine = scene.message()
    response = scene.browser.get("/lti/login", query_string=other.login_request("learner"))
    foreign = other.answer(response.location)
    scene.before = scene.rows()
    scene.assert_refused(scene.post(foreign["id_token"], mine.state), 401, "LTI-KEY")
    scene.assert_refused(scene.post(mine.id_token, foreign["state"]), 401, "LTI-KEY")
    scene.assert_launched(scene.post(foreign["id_token"], foreign["state"]))


@pytest.mark.parametrize(
    "change", [lambda issuer: f"{issuer}/", str.upper, lambda issuer: f" {issuer}"], ids=["slash", "case", "blank"]
)
def test_bad_launch_45_of_an_issuer_that_differs_by_a_letter(scene: Scene, change: Callable[[str], str]) -> None:
    scene.assert_refused(scene.launch({"iss": change(scene.registration.issuer)}), 401, "LTI-ISS")


@pytest.mark.parametrize("audience", ["other", ["other"], ABSENT, ""], ids=["text", "list", "absent", "empty"])
def test_bad_launch_46_for_another_audience(scene: Scene, audience: Any) -> None:
    scene.assert_refused(scene.launch({"aud": audience}), 401, "LTI-AUD")


def test_bad_launch_46_for_our_client_in_other_letters(scene: Scene) -> None:
    scene.assert_refused(scene.launch({"aud": scene.registration.client_id.upper()}), 401, "LTI-AUD")


@pytest.mark.parametrize("ours_first", [True, False])
def test_bad_launch_47_for_us_and_a_stranger_without_an_authorized_party(scene: Scene, ours_first: bool) -> None:
    ours = scene.registration.client_id
    audience = [ours, "stranger"] if ours_first else ["stranger", ours]
    scene.assert_refused(scene.launch({"aud": audience, "azp": ABSENT}), 401, "LTI-AUD")


def test_bad_launch_48_with_another_authorized_party(scene: Scene) -> None:
    ours = scene.registration.client_id
    scene.assert_refused(scene.launch({"azp": "stranger"}), 401, "LTI-AUD")
    scene.assert_refused(scene.launch({"aud": [ours, "stranger"], "azp": "stranger"}), 401, "LTI-AUD")


def test_bad_launch_49_for_our_other_registration(scene: Scene) -> None:
    other = _second_registration(scene, issuer=scene.registration.issuer, client_id="second-client")
    response = scene.launch({"aud": other.client_id, "azp": other.client_id})
    scene.assert_refused(response, 401, "LTI-AUD")
    response = scene.launch({"aud": [other.client_id, scene.registration.client_id], "azp": other.client_id})
    scene.assert_refused(response, 401, "LTI-AUD")
