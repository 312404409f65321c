"""What a process costs that starts from nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def in_a_fresh_process(script: str) -> tuple[float, float]:
    """The two numbers that the script prints, the least of three runs."""
    root = Path(__file__).parent.parent.parent
    results = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
        seconds, megabytes = done.stdout.split()
        results.append((float(seconds), float(megabytes)))
    return min(results)
