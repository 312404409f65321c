"""Before anything is altered: what the two platforms really send is accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.matrix.scene import Scene
from tests.platforms import open_edx


def test_a_learners_launch_as_the_platform_made_it_opens_a_session(scene: Scene) -> None:
    message = scene.message()
    scene.assert_launched(scene.post(message.id_token, message.state))
    (role,) = scene.owner.execute("SELECT role FROM launch_sessions").fetchone() or ("",)
    assert role == "LEARNER"
    assert scene.keys.fetches == 1


def test_an_instructors_launch_opens_the_instructors_view(scene: Scene) -> None:
    message = scene.message(role="instructor")
    scene.assert_launched(scene.post(message.id_token, message.state))
    (role,) = scene.owner.execute("SELECT role FROM launch_sessions").fetchone() or ("",)
    assert role == "INSTRUCTOR"


def test_adding_content_opens_the_choice_of_quizzes(scene: Scene) -> None:
    message = scene.message(role="instructor", deep_linking=True)
    scene.assert_launched(scene.post(message.id_token, message.state))


@pytest.mark.parametrize("changes", [{}, {"name": "Somebody"}])
def test_signing_again_is_as_good_as_the_platforms_own_signature(scene: Scene, changes: dict[str, str]) -> None:
    scene.assert_launched(scene.launch(changes))


def test_a_missing_open_edx_is_a_failure_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_edx, "ENVIRONMENT", tmp_path / "nowhere")
    with pytest.raises(pytest.fail.Exception, match="`make test` installs it"):
        open_edx.OpenEdxPlatform(tmp_path, "http://localhost:8400")
