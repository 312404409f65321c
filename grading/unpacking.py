"""Unpack a model once into a folder that never changes afterwards.

A folder appears complete or not at all: it is built beside its place and moved there. ``manifest.json`` inside it
holds the source's digest and every file's; a folder that does not fit its manifest is built again. Workers that start
together wait for each other at a lock file.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grading.errors import ModelBroken, ModelStorageError

MANIFEST_NAME = "manifest.json"
SCHEMA_VERSION = 1

Progress = Callable[[float, str], None]
"""Called with the share done (0..1, never falling) and a few words for a progress bar."""

_log = logging.getLogger(__name__)


def unpacked_folder(
    target: Path, source: Path, source_sha256: str, build: Callable[[Path, Progress], None], progress: Progress | None
) -> Path:
    """``target``, filled by ``build(folder, progress)`` from ``source`` unless an intact folder is already there.

    ``source_sha256`` is the digest that ``source`` must have. Raises :class:`ModelBroken` when it has another one or
    ``build`` finds it damaged, :class:`ModelStorageError` when the folder cannot be written.
    """

    def check(report: Progress) -> None:
        _check_source(source, source_sha256, report)

    return built_folder(target, source.name, source_sha256, build, progress, check)


def built_folder(
    target: Path,
    source_name: str,
    source_sha256: str,
    build: Callable[[Path, Progress], None],
    progress: Progress | None,
    check: Callable[[Progress], None] | None = None,
) -> Path:
    """As :func:`unpacked_folder` for what is made of more than one file: ``source_sha256`` stands for all of it.

    ``check`` is called before anything is built and raises when the source is not what it should be.
    """
    report = progress or _silent
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target.parent / f".{target.name}.lock"):
            if is_intact(target, source_sha256):
                report(1.0, "ready")
                return target
            if check is not None:
                check(report)
            _remove_leftovers(target)
            _build_beside(target, source_name, source_sha256, build, report)
    except OSError as error:
        raise ModelStorageError(
            f"Cannot unpack {source_name} into {target}: {error}. Free some space (about 1 GB) or let DATA_DIR name a"
            " folder that this user may write to."
        ) from error
    report(1.0, "ready")
    return target


def is_intact(folder: Path, source_sha256: str) -> bool:
    """Whether ``folder`` was made from this source by this format and every file still has its digest."""
    manifest = read_manifest(folder)
    if manifest is None:
        return False
    if manifest.get("schema_version") != SCHEMA_VERSION or manifest.get("source_sha256") != source_sha256:
        return False
    for name, digest in manifest["files"].items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != digest:
            _log.warning("%s does not have the digest of its manifest; the model is unpacked again", path)
            return False
    return True


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest in ``folder``; ``None`` where there is none that can be read."""
    try:
        manifest = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) and isinstance(manifest.get("files"), dict) else None


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _check_source(source: Path, source_sha256: str, report: Progress) -> None:
    report(0.0, f"checking {source.name}")
    if file_sha256(source) != source_sha256:
        raise ModelBroken(
            f"{source} is not the file that this version knows: reinstall the package {source.parent.name}"
            " in the version that the README names."
        )


def _remove_leftovers(target: Path) -> None:
    """What a killed process left: half-built folders, and a folder that failed its manifest."""
    for leftover in target.parent.glob(f".{target.name}.*.partial"):
        shutil.rmtree(leftover)
    if target.exists():
        shutil.rmtree(target)


def _build_beside(
    target: Path, source_name: str, source_sha256: str, build: Callable[[Path, Progress], None], report: Progress
) -> None:
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    try:
        build(partial, report)
        paths = [path for path in sorted(partial.rglob("*")) if path.is_file()]
        files = {str(path.relative_to(partial)): file_sha256(path) for path in paths}
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "source": source_name,
            "source_sha256": source_sha256,
            "files": files,
        }
        (partial / MANIFEST_NAME).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        # Private by default; weights are no secret, and the worker may be another user than the one who installed.
        partial.chmod(0o755)
        for path in paths:
            path.chmod(0o644)
        os.replace(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _silent(fraction: float, text: str) -> None:
    del fraction, text
