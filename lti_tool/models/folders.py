"""The folders of versions on this machine: ``<versions>/<digest>/``, which appear whole and never change.

::

    run ──every file and digest looked at──▶ copy beside its place ──digests of the copy──▶ <versions>/<digest>/

The digest is that of the manifest, and the manifest holds the digests of all files: two folders of the same digest are
the same model. Only what the manifest lists is copied: readings, reports and whatever else may hold students' answers
stay in the run.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from grading.unpacking import MANIFEST_NAME, file_sha256, read_manifest
from lti_tool.models.errors import RunRefused, VersionBroken, VersionsFolderUnusable

Kind = Literal["GRADER", "EXPLAINER"]

_KNOWN_VERSIONS = (1, 2, 3)
SUFFIXES = frozenset({".safetensors", ".json", ".jsonl", ".md", ".html"})
READINGS = "readings.jsonl"
"""What a run made of each answer, with the answers."""

_NEEDED: Mapping[Kind, frozenset[str]] = {
    "GRADER": frozenset({"head.json"}),
    "EXPLAINER": frozenset({"adapter_config.json", "adapter_model.safetensors", "explainer.json"}),
}


def manifest_of_run(run: Path) -> dict[str, Any]:
    """The manifest of a finished run whose every file may become part of a version. Raises :class:`RunRefused`."""
    if not run.is_dir() or run.is_symlink():
        raise RunRefused(f"{run} is no folder of a run.")
    manifest = read_manifest(run)
    if manifest is None:
        raise RunRefused(
            f"{run / MANIFEST_NAME} is missing or cannot be read: the run is not finished, or this is none."
            " Give the training's command again: it goes on where it stopped."
        )
    if manifest.get("schema_version") not in _KNOWN_VERSIONS:
        raise RunRefused(
            f"{run / MANIFEST_NAME} is of schema version {manifest.get('schema_version')!r}; this program knows"
            f" {' and '.join(map(str, _KNOWN_VERSIONS))}. Use the program that made it, or train again."
        )
    for path in _all_paths(run):
        _refuse_strange(path, run)
    for name in manifest["files"]:
        _refuse_name(name, run)
        if not (run / name).is_file():
            raise RunRefused(f"{run / name} is missing, but the manifest lists it. Train again.")
    return manifest


def kind_of_run(manifest: Mapping[str, Any], run: Path, wanted: Kind | None = None) -> Kind:
    """What a run made, by what its manifest lists; :class:`RunRefused` for neither, or for another than ``wanted``."""
    found: list[Kind] = [kind for kind, needed in _NEEDED.items() if needed <= set(manifest["files"])]
    said = str(manifest.get("kind", "")).upper()
    if said:
        found = [kind for kind in found if kind == said]
    if len(found) != 1:
        raise RunRefused(
            f"{run} holds neither a grader (head.json) nor an explainer (adapter_config.json,"
            " adapter_model.safetensors and explainer.json), as its manifest tells."
        )
    if wanted is not None and found[0] != wanted:
        raise RunRefused(f"{run} holds a model of kind {found[0].lower()}, not {wanted.lower()}: leave --kind out.")
    return found[0]


def digest_of(folder: Path) -> str:
    """The identity of the model in ``folder``: the first 16 digits of its manifest's SHA-256."""
    return file_sha256(folder / MANIFEST_NAME)[:16]


def keep_run(run: Path, versions: Path, manifest: dict[str, Any]) -> tuple[str, bool]:
    """Copy a run into ``versions``; its digest, and whether it was copied now.

    A copy that was damaged since is replaced. Raises :class:`RunRefused` when a file does not have the digest of the
    manifest, and :class:`VersionsFolderUnusable`.
    """
    content = (run / MANIFEST_NAME).read_bytes()
    digest = sha256(content).hexdigest()[:16]
    target = versions / digest
    try:
        if _is_whole(target, digest):
            return digest, False
        versions.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{digest}.", suffix=".partial", dir=versions))
        try:
            for name, expected in manifest["files"].items():
                _copy(run / name, partial / name, expected)
            (partial / MANIFEST_NAME).write_bytes(content)
            if read_manifest(partial) != manifest:
                raise RunRefused(f"{run / MANIFEST_NAME} was changed meanwhile: add the run again.")
            _make_read_only(partial)
            _put_in_place(partial, target)
        finally:
            remove_folder(partial)
    except OSError as error:
        raise VersionsFolderUnusable(
            f"{versions} cannot take the version: {error}. Free some space, or let MODEL_VERSIONS_DIR name a folder"
            " that this user may write to."
        ) from error
    return digest, True


def intact_folder(versions: Path, digest: str) -> Path:
    """The version's folder on this machine, every digest looked at. Raises :class:`VersionBroken`."""
    folder = versions / digest
    if not folder.is_dir():
        raise VersionBroken(
            f"this machine has no folder {folder}: let MODEL_VERSIONS_DIR name a folder that all machines share, or"
            f" copy {digest} from the machine where it was added"
        )
    problem = _damage(folder, digest)
    if problem:
        raise VersionBroken(
            f"{problem}: remove {folder} and add the run again (`mlquiz models add`), or copy it from another machine"
        )
    return folder


def remove_folder(folder: Path) -> None:
    """Remove a folder although it is read-only; nothing where there is none."""
    if not folder.exists():
        return
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)


def _all_paths(run: Path) -> Iterator[Path]:
    """Everything below ``run``; links are not followed."""
    for parent, folders, files in os.walk(run):
        yield from (Path(parent, name) for name in sorted((*folders, *files)))


def _refuse_strange(path: Path, run: Path) -> None:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        raise RunRefused(f"{path} is a link: a version holds files only. Put the file itself in its place.")
    if stat.S_ISDIR(mode):
        return
    if not stat.S_ISREG(mode):
        raise RunRefused(f"{path} is no ordinary file.")
    if path.suffix not in SUFFIXES:
        raise RunRefused(
            f"{path.relative_to(run)} in {run}: a version holds only {', '.join(sorted(SUFFIXES))}. Weights in other"
            " formats (.bin, .pt, .pkl) may run code when they are loaded: take the file out, or convert it to"
            " safetensors."
        )


def _refuse_name(name: str, run: Path) -> None:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or name == MANIFEST_NAME:
        raise RunRefused(f"{run / MANIFEST_NAME} lists {name[:200]!r}, which is no file of the run.")
    if PurePosixPath(name).name == READINGS:
        raise RunRefused(f"{run / MANIFEST_NAME} lists {READINGS}, which holds students' answers: train again.")


def _copy(source: Path, target: Path, expected: object) -> None:
    """Copy one file and look at the copy: whatever happens to the run meanwhile, the version is as it was described."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target, follow_symlinks=False)
    if target.is_symlink() or file_sha256(target) != expected:
        raise RunRefused(f"{source} does not have the digest of its manifest: it was changed or damaged. Train again.")
    if target.suffix == ".safetensors":
        try:
            with safe_open(target, framework="numpy"):
                pass
        except SafetensorError as error:
            raise RunRefused(f"{source} is called safetensors, but is none: {error}") from error


def _make_read_only(folder: Path) -> None:
    """Readable for all: weights are no secret, and the worker may be another user than the one who added them."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
        _flush(path)


def _put_in_place(partial: Path, target: Path) -> None:
    """A folder is moved while it can be written, and closed then: some systems ask for that."""
    if not _is_whole(target, target.name):
        remove_folder(target)
    try:
        partial.rename(target)
    except OSError:
        if not _is_whole(target, target.name):  # somebody else added the same version at the same time
            raise
        return
    target.chmod(0o555)
    _flush(target.parent)


def _flush(path: Path) -> None:
    """To the disk: a row must not name a folder that a power cut empties."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_whole(folder: Path, digest: str) -> bool:
    return folder.is_dir() and not _damage(folder, digest)


def _damage(folder: Path, digest: str) -> str:
    """What is wrong with a version's folder, in words; empty where it is as it was added."""
    manifest = read_manifest(folder)
    if manifest is None or digest_of(folder) != digest:
        return f"{folder / MANIFEST_NAME} is missing or was changed"
    for name, expected in manifest["files"].items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != expected:
            return f"{path} is missing or was changed"
    return ""
