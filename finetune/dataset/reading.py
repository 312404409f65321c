"""Read a dataset folder: line by line, every fault with its file and line.

::

    manifest.json ──▶ known version? ──▶ digests fit? ──▶ questions.jsonl ──▶ examples.jsonl ──▶ do they fit together?
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel, ValidationError

from finetune.dataset.faults import Faults
from finetune.dataset.records import (
    EXAMPLES,
    KIND,
    MANIFEST,
    MAX_LINE_BYTES,
    QUESTIONS,
    SCHEMA_VERSION,
    Dataset,
    DatasetQuestion,
    Example,
    Manifest,
)
from finetune.dataset.table import shown
from finetune.errors import DatasetBroken
from grading.unpacking import file_sha256

_LONGEST_MANIFEST = 1_000_000

Line = TypeVar("Line", bound=BaseModel)


@dataclass(slots=True, kw_only=True)
class Scan:
    """What could be read: lines by number (from 1), and what is wrong, each fault with file and line."""

    manifest: Manifest | None = None
    questions: dict[int, DatasetQuestion] = field(default_factory=dict)
    examples: dict[int, Example] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)


def read_dataset(folder: Path) -> Dataset:
    """The dataset in ``folder``; :class:`DatasetBroken` names file and line of what is wrong."""
    scan = scan_dataset(folder)
    if scan.faults.count or scan.manifest is None:
        raise DatasetBroken(str(scan.faults))
    return Dataset(
        questions=tuple(scan.questions.values()), examples=tuple(scan.examples.values()), manifest=scan.manifest
    )


def scan_dataset(folder: Path) -> Scan:
    """Read all that can be read of ``folder``, and collect what is wrong with the rest."""
    scan = Scan()
    try:
        scan.manifest = read_manifest(folder)
    except DatasetBroken as error:
        scan.faults.add(str(error))
        return scan
    for fault in _changed_files(folder, scan.manifest):
        scan.faults.add(fault)
    scan_lines(folder / QUESTIONS, folder / EXAMPLES, scan)
    return scan


def scan_lines(questions: Path, examples: Path, scan: Scan) -> None:
    """Add the lines of both files to ``scan``, and what is wrong with them one by one and together."""
    scan.questions |= dict(_lines(questions, DatasetQuestion, scan.faults))
    _note_repeated(questions, scan.questions, scan.faults)
    known = {question.id: question for question in scan.questions.values()}
    for number, example in _lines(examples, Example, scan.faults):
        fault = misfit(example, known.get(example.question))
        if fault:
            scan.faults.add(f"{examples}: line {number}: {fault}.")
        else:
            scan.examples[number] = example
    _note_repeated(examples, scan.examples, scan.faults)


def misfit(example: Example, question: DatasetQuestion | None) -> str | None:
    """Why an example cannot be one of this question; ``None`` when it can."""
    if question is None:
        return f"there is no question '{shown(example.question)}'"
    if example.verdicts and len(example.verdicts) != len(question.key_points):
        return f"{len(example.verdicts)} verdicts, but the question has {len(question.key_points)} key points"
    return None


def read_manifest(folder: Path) -> Manifest:
    """The manifest in ``folder``; :class:`DatasetBroken` where it is missing, damaged or of an unknown version."""
    path = folder / MANIFEST
    try:
        if not path.is_file():
            raise DatasetBroken(f"{folder}: no dataset: {MANIFEST} is missing, so it is unfinished or something else.")
        if path.stat().st_size > _LONGEST_MANIFEST:
            raise DatasetBroken(f"{path}: too large for a manifest.")
        found = _Version.model_validate_json(path.read_bytes())
        if (found.kind, found.schema_version) != (KIND, SCHEMA_VERSION):
            raise DatasetBroken(
                f"{path}: {found.kind!r} of schema version {found.schema_version!r}; this version of mlquiz reads"
                f" {KIND!r} of schema version {SCHEMA_VERSION}. Update mlquiz, or export the data again."
            )
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DatasetBroken(f"{path}: it cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        raise DatasetBroken(f"{path}: {reason_of(error)}.") from error


def reason_of(error: ValidationError) -> str:
    """The first thing that does not fit, with its field, and without the text that a student wrote."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(step) for step in first["loc"])
    # The parser counts the lines of what it was given, which is one line of a file.
    said = first["msg"].replace(" at line 1 column ", " at column ")
    return f"{place}: {said}" if place else said


def is_whole(folder: Path, manifest: Manifest) -> bool:
    """Whether all files are there as the manifest has them; their lines are not looked at."""
    try:
        return all(file_sha256(folder / name) == digest for name, digest in manifest.files.items())
    except OSError:
        return False


class _Version(BaseModel):
    kind: Any = None
    schema_version: Any = None


def _changed_files(folder: Path, manifest: Manifest) -> Iterator[str]:
    for name in (QUESTIONS, EXAMPLES):
        if name not in manifest.files:
            yield f"{folder / MANIFEST}: files: {name} is not listed."
    for name, digest in manifest.files.items():
        path = folder / name
        try:
            if path.is_file() and file_sha256(path) != digest:
                yield (
                    f"{path}: changed since it was written: its digest is not that of {MANIFEST}."
                    " To keep the changes, import it: mlquiz dataset import."
                )
        except OSError as error:
            yield f"{path}: it cannot be read: {error.strerror}."


def _lines(path: Path, kind: type[Line], faults: Faults) -> Iterator[tuple[int, Line]]:
    """The lines that fit, by number; for each other one a fault is noted. Never more than one line is held."""
    if not path.is_file():
        faults.add(f"{path}: the file is missing, or is no ordinary file.")
        return
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    faults.add(f"{path}: line {number}: longer than {MAX_LINE_BYTES:,} bytes; shorten its texts.")
                    _skip_line(file, line)
                    continue
                try:
                    # Editors put a mark before the first line.
                    text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                    if text.strip():
                        yield number, kind.model_validate_json(text)
                except ValidationError as error:
                    faults.add(f"{path}: line {number}: {reason_of(error)}.")
    except OSError as error:
        faults.add(f"{path}: it cannot be read: {error.strerror}.")


def _skip_line(file: BinaryIO, line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = file.readline(MAX_LINE_BYTES)


def _note_repeated(path: Path, lines: dict[int, Any], faults: Faults) -> None:
    first: dict[str, int] = {}
    for number, each in lines.items():
        if first.setdefault(each.id, number) != number:
            faults.add(f"{path}: line {number}: the id '{shown(each.id)}' is that of line {first[each.id]} too.")
