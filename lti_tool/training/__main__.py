"""Started by :mod:`lti_tool.training.tasks`, one process a run; not meant to be typed."""

from __future__ import annotations

import sys

from config.settings import load_settings
from lti_tool import observability, worker
from lti_tool.training.supervision import supervise


def main() -> None:
    """Supervise the run whose number is given."""
    settings = load_settings()
    observability.configure(settings)
    worker.configure(settings)
    supervise(settings, int(sys.argv[1]))


if __name__ == "__main__":
    main()
