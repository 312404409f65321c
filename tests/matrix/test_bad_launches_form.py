"""Rows 10 to 16, 36, 64 and 70: the launch as a form of a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest

from tests.matrix.scene import Scene


def test_bad_launch_10_by_get(scene: Scene) -> None:
    message = scene.message()
    response = scene.browser.get("/lti/launch", query_string={"id_token": message.signed(), "state": message.state})
    assert response.status_code == 405
    assert "HTTP-405" in response.text
    assert "POST" in response.headers["Allow"]
    assert scene.rows() == scene.before


def test_bad_launch_11_without_a_token(scene: Scene) -> None:
    message = scene.message()
    scene.assert_refused(scene.post("", message.state), 400, "LTI-TOKEN-MISSING")
    response = scene.browser.post("/lti/launch", data={"state": message.state})
    scene.assert_refused(response, 400, "LTI-TOKEN-MISSING")


def test_bad_launch_12_without_a_state(scene: Scene) -> None:
    message = scene.message()
    scene.assert_refused(scene.post(message.id_token, ""), 400, "LTI-STATE-MISSING")
    response = scene.browser.post("/lti/launch", data={"id_token": message.id_token})
    scene.assert_refused(response, 400, "LTI-STATE-MISSING")


@pytest.mark.parametrize(
    "altered",
    [lambda state: f"{state}x", lambda state: f"x{state}", lambda state: state.swapcase(), lambda state: "\x00"],
    ids=["longer", "before", "case", "nul"],
)
def test_bad_launch_13_with_an_altered_state(scene: Scene, altered: Callable[[str], str]) -> None:
    message = scene.message()
    scene.assert_refused(scene.post(message.id_token, altered(message.state)), 401, "LTI-STATE")
    scene.assert_launched(scene.post(message.id_token, message.state))


def test_bad_launch_14_without_the_cookie_offers_a_new_window_that_works(scene: Scene) -> None:
    message = scene.message()
    framed = scene.another_browser()
    response = scene.post(message.id_token, message.state, client=framed)
    scene.assert_refused(response, 401, "LTI-COOKIE")
    assert "keeps no cookies" in response.text
    (link,) = re.findall(r'href="([^"]+)"[^>]* target="_blank"', response.text)
    again = framed.get(unescape(link))
    assert again.status_code == 302
    fields = scene.platform.answer(again.location)
    scene.before = scene.rows()
    assert scene.post(fields["id_token"], fields["state"], client=framed).status_code == 303


def test_bad_launch_15_with_the_state_of_another_browser(scene: Scene) -> None:
    attacker = scene.another_browser()
    message = scene.message(client=attacker)
    scene.message()
    scene.assert_refused(scene.post(message.id_token, message.state), 401, "LTI-COOKIE")


def test_bad_launch_16_ten_minutes_after_the_login(scene: Scene) -> None:
    message = scene.message()
    scene.owner.execute("UPDATE logins SET created_at = created_at - interval '10 minutes 1 second'")
    response = scene.post(message.id_token, message.state)
    scene.assert_refused(response, 401, "LTI-STATE-OLD")
    assert "took too long" in response.text


@pytest.mark.parametrize("size", [256 * 1024, 400_000])
def test_bad_launch_36_larger_than_256_kib(scene: Scene, size: int) -> None:
    scene.assert_refused(scene.launch({"padding": "x" * size}), 413, "LTI-SIZE")


@pytest.mark.parametrize("error", ["login_required", "access_denied", "interaction_required"])
def test_bad_launch_64_the_error_form_of_a_platform(scene: Scene, error: str) -> None:
    message = scene.message()
    form = {"error": error, "error_description": "<script>alert(1)</script>", "state": message.state}
    response = scene.browser.post("/lti/launch", data=form)
    scene.assert_refused(response, 401, "LTI-PLATFORM")
    assert "<script>alert" not in response.text
    assert "logged out" in response.text


def test_bad_launch_70_as_json(scene: Scene) -> None:
    message = scene.message()
    form = {"id_token": message.id_token, "state": message.state}
    scene.assert_refused(scene.browser.post("/lti/launch", json=form), 415, "LTI-TYPE")
    response = scene.browser.post("/lti/launch", data=form, content_type="multipart/form-data")
    scene.assert_refused(response, 415, "LTI-TYPE")


def test_bad_launch_70_as_fifty_megabytes(scene: Scene) -> None:
    message = scene.message()
    response = scene.browser.post(
        "/lti/launch",
        data=b"--x\r\n" + bytes(50 << 20),
        content_type="multipart/form-data; boundary=x",
        headers={"X-State": message.state},
    )
    scene.assert_refused(response, 413, "LTI-SIZE")


def test_a_repeated_field_is_refused(scene: Scene) -> None:
    message = scene.message()
    form = {"id_token": [message.id_token, message.id_token], "state": message.state}
    scene.assert_refused(scene.browser.post("/lti/launch", data=form), 400, "LTI-TOKEN-FORM")


def test_refusals_in_a_frame_can_be_read(scene: Scene) -> None:
    response = scene.launch({"sub": ""})
    assert "frame-ancestors 'self' https: http:" in response.headers["Content-Security-Policy"]
