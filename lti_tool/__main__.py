"""``python -m lti_tool`` is ``mlquiz``."""

from __future__ import annotations

from lti_tool.cli import main

main()
