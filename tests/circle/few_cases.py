"""``mlquiz`` with every two-hundredth case of the behaviour suite: all of it takes minutes, whatever the model."""

from __future__ import annotations

from finetune.behaviour import cases
from lti_tool.cli import main

_EVERY = 200

if __name__ == "__main__":
    found = cases.load_cases()[::_EVERY]
    cases.load_cases = lambda: found
    main()
