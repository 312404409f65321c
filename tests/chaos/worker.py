"""``mlquiz worker`` with a clock that is wrong by so many seconds: ``python -m tests.chaos.worker 300 deliver``."""

from __future__ import annotations

import os
import sys
import time

import time_machine

from config import load_settings
from lti_tool.supervisor import PARENT_VARIABLE, die_with_parent
from lti_tool.worker import run_worker

if __name__ == "__main__":
    die_with_parent(int(os.environ[PARENT_VARIABLE]))
    time_machine.travel(time.time() + float(sys.argv[1]), tick=True).start()
    run_worker(load_settings(), tuple(sys.argv[2:]))  # pyright: ignore[reportArgumentType]
