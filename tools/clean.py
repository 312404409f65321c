"""Remove this checkout's data, the embedded servers' too: part of ``make clean``. Nothing of another checkout."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from lti_tool.embedded import runtime_folder
from lti_tool.embedded.postgres import ROOT_HOME, EmbeddedPostgres

DATA = Path(__file__).resolve().parent.parent / ".mlquiz"


def main() -> int:
    """0 when it is gone, 1 while its server runs."""
    runtime = runtime_folder(DATA)
    postgres = EmbeddedPostgres.for_data_folder(DATA, runtime)
    if postgres.is_running():
        sys.stderr.write("the tool is running: stop it first\n")
        return 1
    if postgres.cluster.is_relative_to(ROOT_HOME):
        shutil.rmtree(postgres.cluster.parent, ignore_errors=True)
    shutil.rmtree(runtime, ignore_errors=True)
    shutil.rmtree(DATA, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
