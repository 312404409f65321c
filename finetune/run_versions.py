"""What a run says of its making: which code, on which data."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from grading.grader import CODE_VERSION
from grading.unpacking import read_manifest

LEARNT_TEST = "learnt_test_part"
"""In a run's manifest: whether it, or what it went on from, learnt from the test part of a dataset."""

_DIGITS = 16


def code_version() -> str:
    """The version of the program, and that of the code that scores."""
    try:
        program = version("mlquiz")
    except PackageNotFoundError:
        program = "unknown"
    return f"mlquiz {program}, grading {CODE_VERSION}"


def dataset_digest(digests: Sequence[str], data: str) -> str:
    """The digests of the datasets trained on, joined by ``+``; of the ``data`` where none came from a dataset."""
    return "+".join(sorted(set(digests))) or data


def datasets_of(start: Path | None) -> tuple[str, ...]:
    """The digests of the datasets that a trained model learnt from: what goes on from it has learnt from them too."""
    manifest = read_manifest(start) if start is not None else None
    named = str((manifest or {}).get("dataset_digest", "")).split("+")
    return tuple(each for each in named if len(each) == _DIGITS)


def has_learnt_test(folder: Path | None) -> bool:
    """Whether the model in ``folder`` knows answers of a test part, so that it cannot be judged by one."""
    manifest = read_manifest(folder) if folder is not None else None
    return bool((manifest or {}).get(LEARNT_TEST))
