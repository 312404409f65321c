"""Set up ``.venv-openedx`` for the tests against Open edX: part of ``make test``. Standard library only.

An environment of its own, because the licence of Open edX's LTI consumer (AGPL-3.0) is not ours: the tests start it
as another process. Done once, then skipped until the pinned versions change.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-openedx"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ROOT / "tests" / "platforms" / "openedx" / "requirements.txt"
_TRIES = 2


def main() -> int:
    """0 when the environment is there. Without it the tests against Open edX fail, and say so."""
    done = VENV / ".installed"
    wanted = f"{sys.version_info[:2]}\n{REQUIREMENTS.read_text(encoding='utf-8')}"
    if done.exists() and done.read_text(encoding="utf-8") == wanted and PYTHON.exists():
        return 0
    print("  installing Open edX's LTI consumer for the tests (once)", flush=True)  # noqa: T201
    for _ in range(_TRIES):
        failure = _installed()
        if not failure:
            done.write_text(wanted, encoding="utf-8")
            return 0
    sys.stderr.write(f"Open edX's LTI consumer could not be installed into {VENV}:\n{failure}\n")
    return 1


def _installed() -> str:
    """Make the environment afresh; the end of what went wrong, ``""`` if nothing did."""
    shutil.rmtree(VENV, ignore_errors=True)
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    pip = [str(PYTHON), "-m", "pip", "install", "--no-input", "--quiet", "--progress-bar", "off"]
    for command in ([sys.executable, "-m", "venv", str(VENV)], [*pip, "-r", str(REQUIREMENTS)]):
        result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
        if result.returncode != 0:
            return "\n".join((result.stdout + result.stderr).splitlines()[-15:])
    return ""


if __name__ == "__main__":
    raise SystemExit(main())
