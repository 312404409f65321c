"""Write a dataset folder: whole, with its manifest, or not at all."""

from __future__ import annotations

import fcntl
import glob
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finetune.dataset.reading import misfit
from finetune.dataset.records import (
    EXAMPLES,
    MANIFEST,
    MAX_LINE_BYTES,
    QUESTIONS,
    SCHEMA,
    DatasetQuestion,
    Example,
    Manifest,
    schema,
)
from finetune.errors import DatasetBroken, DatasetFolderTaken, DatasetUnwritable
from grading.unpacking import file_sha256

_PARTIAL = ".partial"


def write_dataset(
    folder: Path,
    *,
    questions: Iterable[DatasetQuestion],
    examples: Iterable[Example],
    producer: str,
    filters: Mapping[str, Any],
    sources: Iterable[str] = (),
) -> Manifest:
    """Write a dataset into ``folder``, which is new or empty; both iterables are read once and never held whole.

    The folder is built beside its place, for its owner alone (students wrote what is in it), and moved there when its
    manifest is written. ``sources``: the digests of the datasets that the examples come from. Raises
    :class:`DatasetFolderTaken`, :class:`DatasetUnwritable`, and :class:`DatasetBroken` for an example without its
    question, an id that repeats, or a line that no reader would take.
    """
    try:
        target = require_free_folder(folder)
        with beside(target) as partial:
            manifest = _fill(partial, questions, examples, producer, filters, tuple(sources))
            partial.replace(target)
    except OSError as error:
        raise DatasetUnwritable(f"{folder}: the dataset cannot be written: {error.strerror}.") from error
    return manifest


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """A folder for its owner alone beside ``target``; what is left in it at the end goes away.

    What killed processes left of the same target goes first. Raises ``OSError``.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f".{glob.escape(target.name)}.*{_PARTIAL}"):
        _remove_unless_held(left)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=_PARTIAL, dir=target.parent))
    held = os.open(folder, os.O_RDONLY)
    try:
        # The system lets go of it when the process ends, however it ends.
        fcntl.flock(held, fcntl.LOCK_SH)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _remove_unless_held(folder: Path) -> None:
    """Take a folder away whose process is gone."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # another process took it away
        return
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:  # its process lives, or nobody can tell
        pass
    finally:
        os.close(held)


def require_free_folder(folder: Path) -> Path:
    """Where ``folder`` really lies; :class:`DatasetFolderTaken` when something is there already."""
    try:
        target = folder.resolve()
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise DatasetFolderTaken(
                f"{folder} is there already, and a dataset never changes once written: name a new folder."
            )
    except (OSError, RuntimeError) as error:
        raise DatasetUnwritable(f"{folder}: the folder cannot be used: {error}.") from error
    return target


def _fill(
    folder: Path,
    questions: Iterable[DatasetQuestion],
    examples: Iterable[Example],
    producer: str,
    filters: Mapping[str, Any],
    sources: tuple[str, ...],
) -> Manifest:
    counts: Counter[str] = Counter(questions=0, examples=0, confirmed=0, explained=0)
    known: dict[str, DatasetQuestion] = {}
    _write_lines(folder / QUESTIONS, _known(questions, known, counts))
    _write_lines(folder / EXAMPLES, _fitting(examples, known, counts))
    _write_json(folder / SCHEMA, schema())
    manifest = Manifest(
        producer=producer,
        created_at=datetime.now(UTC).replace(microsecond=0),
        filters=dict(filters),
        counts=dict(counts),
        files={name: file_sha256(folder / name) for name in (EXAMPLES, QUESTIONS, SCHEMA)},
        sources=sources,
    )
    _write_json(folder / MANIFEST, manifest.model_dump(mode="json"))
    return manifest


def _known(
    questions: Iterable[DatasetQuestion], known: dict[str, DatasetQuestion], counts: Counter[str]
) -> Iterator[DatasetQuestion]:
    for question in questions:
        if question.id in known:
            raise DatasetBroken(f"{QUESTIONS}: line {len(known) + 1}: the id {question.id!r} repeats.")
        known[question.id] = question
        counts["questions"] += 1
        yield question


def _fitting(
    examples: Iterable[Example], known: Mapping[str, DatasetQuestion], counts: Counter[str]
) -> Iterator[Example]:
    ids: set[str] = set()
    for example in examples:
        counts["examples"] += 1
        fault = misfit(example, known.get(example.question))
        if example.id in ids:
            fault = f"the id {example.id!r} repeats"
        if fault:
            raise DatasetBroken(f"{EXAMPLES}: line {counts['examples']}: {fault}.")
        ids.add(example.id)
        counts["confirmed"] += example.is_confirmed
        counts["explained"] += example.explanation is not None
        yield example


def _write_lines(path: Path, records: Iterable[DatasetQuestion | Example]) -> None:
    with path.open("wb") as file:
        for number, record in enumerate(records, 1):
            line = record.model_dump_json().encode() + b"\n"
            if len(line) > MAX_LINE_BYTES:
                raise DatasetBroken(f"{path.name}: line {number}: longer than {MAX_LINE_BYTES:,} bytes.")
            file.write(line)
        file.flush()
        os.fsync(file.fileno())


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
