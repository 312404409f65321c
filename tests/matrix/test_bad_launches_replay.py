"""Rows 17 to 21: messages that are used twice, or with the login of another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from lti_tool.launch import logins
from tests.fake_platform import ABSENT, browser
from tests.matrix.scene import Scene


def test_bad_launch_17_replay_leaves_the_first_session_intact(scene: Scene) -> None:
    message = scene.message()
    first = scene.post(message.id_token, message.state)
    scene.assert_launched(first)
    scene.before = scene.rows()
    scene.assert_refused(scene.post(message.id_token, message.state), 409, "LTI-USED")
    assert scene.browser.get(first.location, follow_redirects=True).status_code == 200


def test_bad_launch_17_replay_from_another_browser(scene: Scene) -> None:
    message = scene.message()
    scene.assert_launched(scene.post(message.id_token, message.state))
    scene.before = scene.rows()
    stranger = scene.another_browser()
    scene.assert_refused(scene.post(message.id_token, message.state, client=stranger), 409, "LTI-USED")


def test_bad_launch_18_replay_fifty_times_at_once_opens_one_session(scene: Scene) -> None:
    message = scene.message()
    name, value = logins.cookie_name(message.state), message.state.partition(".")[0]

    def post(_: int) -> int:
        same_browser = browser(scene.app, scene.settings)
        same_browser.set_cookie(name, value, path="/lti/launch")
        return scene.post(message.id_token, message.state, client=same_browser).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = sorted(pool.map(post, range(50)))
    assert statuses == [303] + [409] * 49
    after = scene.rows()
    assert after["launch_sessions"] == 1
    assert scene.events().count("LTI-USED") == 49
    assert after["audit_events"] == scene.before["audit_events"] + 50


def test_bad_launch_19_replay_of_an_old_token_with_a_new_state(scene: Scene) -> None:
    old = scene.message()
    new = scene.message()
    scene.assert_refused(scene.post(old.id_token, new.state), 401, "LTI-NONCE")


def test_bad_launch_19_replay_of_a_used_token_with_a_new_state(scene: Scene) -> None:
    old = scene.message()
    scene.assert_launched(scene.post(old.id_token, old.state))
    new = scene.message()
    scene.assert_refused(scene.post(old.id_token, new.state), 401, "LTI-NONCE")


def test_bad_launch_20_without_a_nonce(scene: Scene) -> None:
    scene.assert_refused(scene.launch({"nonce": ABSENT}), 401, "LTI-NONCE")
    scene.assert_refused(scene.launch({"nonce": ""}), 401, "LTI-NONCE")


def test_bad_launch_21_with_a_nonce_that_was_never_issued(scene: Scene) -> None:
    scene.assert_refused(scene.launch({"nonce": "never-issued"}), 401, "LTI-NONCE")
