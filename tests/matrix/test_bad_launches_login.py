"""Rows 1 to 9: login requests with one thing wrong."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from lti_tool.launch import platforms
from lti_tool.launch.views import LOGINS_PER_MINUTE
from tests.fake_platform import ABSENT
from tests.matrix.scene import Scene


def _add_second_client(scene: Scene) -> None:
    told = scene.registration
    with scene.database.across_tenants() as connection:
        platforms.add_platform(
            connection,
            issuer=told.issuer,
            client_id="second-client",
            auth_login_url=told.auth_login_url,
            auth_token_url=told.auth_token_url,
            jwks_url=told.jwks_url,
            deployment_ids=[scene.platform.registration.deployment_id],
        )


@pytest.mark.parametrize("issuer", [ABSENT, ""], ids=["absent", "empty"])
def test_bad_launch_01_login_without_an_issuer(scene: Scene, issuer: Any) -> None:
    scene.assert_refused(scene.login({"iss": issuer}), 400, "LTI-LOGIN-ISS")


@pytest.mark.parametrize("hint", [ABSENT, ""], ids=["absent", "empty"])
def test_bad_launch_02_login_without_a_login_hint(scene: Scene, hint: Any) -> None:
    scene.assert_refused(scene.login({"login_hint": hint}), 400, "LTI-LOGIN-HINT")


def test_bad_launch_03_login_of_an_unknown_issuer_says_who_can_register_it(scene: Scene) -> None:
    response = scene.login({"iss": "https://unknown.example"})
    scene.assert_refused(response, 403, "LTI-REGISTRATION")
    assert "administrator of this tool can add it" in response.text


def test_bad_launch_04_login_of_an_unknown_client_looks_like_one_of_an_unknown_issuer(scene: Scene) -> None:
    known = scene.login({"client_id": "unknown"})
    scene.assert_refused(known, 403, "LTI-REGISTRATION")
    unknown = scene.login({"iss": "https://unknown.example"})
    elsewhere = scene.login(path=f"/lti/login/{uuid4()}")
    shown = {_without_number(response.text) for response in (known, unknown, elsewhere)}
    assert len(shown) == 1


def _without_number(page: str) -> str:
    return page.partition("<code>LTI-")[0]


def test_bad_launch_05_login_without_a_client_where_an_issuer_has_two(scene: Scene) -> None:
    assert scene.login({"client_id": ABSENT}).status_code == 302
    _add_second_client(scene)
    response = scene.login({"client_id": ABSENT})
    scene.assert_refused(response, 400, "LTI-LOGIN-CLIENT")
    assert "login address of your own registration" in response.text
    own = f"/lti/login/{scene.registration.login_key}"
    assert scene.login({"client_id": ABSENT}, path=own).status_code == 302


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/lti/launch",
        "//evil.example/lti/launch",
        "javascript:alert(1)",
        "http://localhost:8400@evil.example/lti/launch",
        "http://localhost:8400.evil.example/lti/launch",
        ABSENT,
    ],
    ids=["foreign", "no_scheme", "script", "userinfo", "longer_host", "absent"],
)
def test_bad_launch_06_login_with_a_target_on_another_host(scene: Scene, target: Any) -> None:
    scene.assert_refused(scene.login({"target_link_uri": target}), 400, "LTI-LOGIN-TARGET")


@pytest.mark.parametrize("path", ["/lti/login", "/lti/launch/../login", "/lti/jwks.json", "/lti/launch/"])
def test_bad_launch_07_login_with_our_own_login_address_as_target(scene: Scene, path: str) -> None:
    response = scene.login({"target_link_uri": f"{scene.settings.base_url}{path}"})
    scene.assert_refused(response, 400, "LTI-LOGIN-TARGET")


def test_bad_launch_08_login_and_launch_of_a_disabled_registration(scene: Scene) -> None:
    message = scene.message()
    with scene.database.across_tenants() as connection:
        platforms.disable_registration(connection, scene.registration.id)
    response = scene.login()
    scene.assert_refused(response, 403, "LTI-DISABLED")
    assert "administrator" in response.text
    scene.assert_refused(scene.post(message.id_token, message.state), 403, "LTI-DISABLED")


def test_bad_launch_09_login_by_the_thousand_within_a_minute(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    # One window of the limit, however long this test takes.
    monkeypatch.setattr("lti_tool.launch.rates._WINDOW_SECONDS", 1e9)
    limit = scene.app.extensions["mlquiz.launch"].login_limit
    for _ in range(LOGINS_PER_MINUTE - 1):
        limit.allows("127.0.0.1")
    assert scene.login().status_code == 302
    response = scene.login()
    assert response.status_code == 429
    assert "LTI-LOGIN-RATE" in response.text
    assert response.headers["Retry-After"] == "60"
    # Not even the audit trail grows with a flood.
    assert scene.rows() == scene.before
    assert scene.login(client=_at(scene, "127.0.0.2")).status_code == 302


def _at(scene: Scene, address: str) -> Any:
    client = scene.another_browser()
    client.environ_base["REMOTE_ADDR"] = address
    return client


@pytest.mark.parametrize("name", ["iss", "login_hint", "client_id", "target_link_uri", "lti_message_hint"])
@pytest.mark.parametrize(
    "wrong",
    [lambda value: [value, value], lambda value: "x" * 9000, lambda value: f"{value}\x00"],
    ids=["repeated", "long", "nul"],
)
def test_login_parameters_that_are_repeated_too_long_or_unreadable(scene: Scene, name: str, wrong: Any) -> None:
    asked = scene.platform.login_request("learner")
    scene.assert_refused(scene.login({name: wrong(asked[name])}), 400, "LTI-LOGIN-FORM")
