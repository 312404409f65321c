"""How much is tried: 1,000 examples in a test run, always the same ones; ``make fuzz`` tries 20,000 new ones."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

EXAMPLES = int(os.environ.get("MLQUIZ_FUZZ_EXAMPLES", "1000"))
IS_FUZZ = "MLQUIZ_FUZZ_EXAMPLES" in os.environ


def amount(share: float) -> settings:
    """Settings for a share of all examples. A slow machine is no reason to fail."""
    return settings(
        max_examples=max(1, round(EXAMPLES * share)),
        deadline=None,
        derandomize=not IS_FUZZ,
        database=None,
        print_blob=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
