"""Altered messages: no failure of the tool, no false accept, nothing left of what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.fuzz.amount import EXAMPLES, amount
from tests.fuzz.faults import DEEP_LINKING, LAUNCH, Edit, edits
from tests.fuzz.launching import Launcher
from tests.matrix.scene import Scene

pytestmark = pytest.mark.timeout(3600)


@pytest.mark.parametrize("is_deep_linking", [False, True], ids=["launch", "deep_linking"])
def test_fuzzed_messages_are_refused_unless_they_are_as_good_as_the_platforms(
    scene: Scene, is_deep_linking: bool, request: pytest.FixtureRequest
) -> None:
    launcher = Launcher(scene=scene, is_deep_linking=is_deep_linking)

    @amount(0.15)
    @given(edits(DEEP_LINKING if is_deep_linking else LAUNCH))
    def try_it(drawn: list[Edit]) -> None:
        launcher.tries(drawn)

    try_it()
    request.node.user_properties.append(("tally", str(dict(launcher.tally.most_common()))))
    # Not everything is refused for one and the same reason.
    assert launcher.tally["accepted"] >= 1
    assert len(launcher.tally) > 5 or EXAMPLES < 500
