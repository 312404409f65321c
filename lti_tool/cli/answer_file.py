"""A CSV file of answers: read as people's spreadsheets write it, and written again with the grades beside them.

Whatever is wrong with a file is said in a sentence that names the file and the row, counted as a spreadsheet counts.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from grading.answer_columns import COLUMNS, Part, column_of
from grading.domain import Assessment

ADDED_COLUMNS = ("score", "low", "high", "confidence", "flags")
_PARTS: tuple[Part, ...] = ("question", "reference", "answer")
_DELIMITERS = (",", ";", "\t")
_LONGEST_CELL = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """What is graded in one row: ``row`` as the spreadsheet counts (the header is 1), the texts as they were written.

    ``question`` and ``reference`` may come from a row above, ``answer`` may be blank.
    """

    row: int
    question: str
    reference: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFile:
    """A whole file: ``records`` are all rows below the header, cell for cell, empty lines included."""

    path: Path
    header: tuple[str, ...]
    records: tuple[tuple[str, ...], ...]
    answers: tuple[AnswerRow, ...]
    delimiter: str
    line_end: str
    has_bom: bool


def read_answer_file(path: Path) -> AnswerFile:
    """Read a CSV file with a question, a model answer and an answer a row (:mod:`grading.answer_columns`).

    UTF-8 with or without a byte-order mark; commas, semicolons or tabs between cells. Blank cells of question and model
    answer are those of the row above (merged cells of a spreadsheet). Raises :class:`click.ClickException`.
    """
    text, has_bom = _text(path)
    delimiter = _delimiter(text)
    header, *records = _records(path, text, delimiter) or [()]
    if not any(cell.strip() for cell in header):
        raise _fault(path, "the file is empty")
    columns = _columns(path, header)
    records = [_whole(path, row, record, header) for row, record in enumerate(records, 2)]
    answers = tuple(_answers(path, records, columns))
    if not answers:
        raise _fault(path, "there is no row below the header")
    return AnswerFile(
        path=path,
        header=header,
        records=tuple(records),
        answers=answers,
        delimiter=delimiter,
        line_end="\r\n" if "\r\n" in text[: text.find("\n") + 1] else "\n",
        has_bom=has_bom,
    )


def write_graded_file(path: Path, file: AnswerFile, assessments: Mapping[int, Assessment]) -> tuple[str, ...]:
    """Write ``file`` with :data:`ADDED_COLUMNS` behind its own; ``assessments`` by row. Returns the columns' names.

    The file gets its name when it is whole. A name that is taken (a tutor's ``score``) becomes ``model_score``.
    """
    names = _free_names(file.header)
    with _new_file(path, "utf-8-sig" if file.has_bom else "utf-8") as stream:
        writer = csv.writer(stream, delimiter=file.delimiter, lineterminator=file.line_end)
        writer.writerow((*file.header, *names))
        for row, record in enumerate(file.records, 2):
            writer.writerow((*record, *_cells(assessments.get(row))) if record else ())
    return names


def _text(path: Path) -> tuple[str, bool]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _fault(path, f"it cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig"), data.startswith(b"\xef\xbb\xbf")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _fault(path, f"line {line}: it is not UTF-8; save it as “CSV UTF-8”") from error


def _delimiter(text: str) -> str:
    """The one by which most of the columns are found, else the most frequent one of the first line."""
    first = text.split("\n", 1)[0]

    def fitness(delimiter: str) -> tuple[int, int]:
        header = next(csv.reader([first], delimiter=delimiter), [])
        return sum(column_of(part, header) is not None for part in _PARTS), first.count(delimiter)

    return max(_DELIMITERS, key=fitness)


def _records(path: Path, text: str, delimiter: str) -> list[tuple[str, ...]]:
    limit = csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return [tuple(record) for record in reader]
    except csv.Error as error:
        raise _fault(path, f"line {reader.line_num}: not readable as CSV ({error})") from error
    finally:
        csv.field_size_limit(limit)


def _columns(path: Path, header: Sequence[str]) -> dict[Part, int]:
    columns: dict[Part, int] = {}
    for part in _PARTS:
        name = column_of(part, header)
        if name is None:
            there = ", ".join(header)
            raise _fault(path, f"row 1: no column {' or '.join(COLUMNS[part])}; there is {there}")
        columns[part] = header.index(name)
    return columns


def _whole(path: Path, row: int, record: tuple[str, ...], header: Sequence[str]) -> tuple[str, ...]:
    """The record with as many cells as the header; an empty line stays one."""
    if len(record) > len(header):
        raise _fault(
            path, f"row {row}: {len(record)} cells, but the header has {len(header)}; put quotes around such text"
        )
    return (*record, *[""] * (len(header) - len(record))) if record else ()


def _answers(path: Path, records: Iterable[tuple[str, ...]], columns: Mapping[Part, int]) -> Iterator[AnswerRow]:
    question = reference = ""
    for row, record in enumerate(records, 2):
        if not record:
            continue
        own_question, own_reference = (record[columns[part]].strip() for part in ("question", "reference"))
        if own_question and own_question != question:
            question, reference = own_question, ""
        reference = own_reference or reference
        if not question:
            raise _fault(path, f"row {row}: the question is blank, and there is none above")
        if not reference:
            raise _fault(path, f"row {row}: the question has no model answer")
        yield AnswerRow(row=row, question=question, reference=reference, answer=record[columns["answer"]])


def _free_names(header: Sequence[str]) -> tuple[str, ...]:
    taken = {name.strip().casefold() for name in header}
    names: list[str] = []
    for name in ADDED_COLUMNS:
        candidates = (name, f"model_{name}", *(f"model_{name}_{number}" for number in range(2, len(taken) + 3)))
        names.append(next(candidate for candidate in candidates if candidate not in taken))
    return tuple(names)


def _cells(assessment: Assessment | None) -> tuple[str, ...]:
    if assessment is None:
        return ("",) * len(ADDED_COLUMNS)
    numbers = (assessment.fraction, assessment.low, assessment.high, assessment.confidence)
    return (*(f"{number:.4f}" for number in numbers), "|".join(sorted(assessment.flags)))


@contextmanager
def _new_file(path: Path, encoding: str) -> Iterator[io.TextIOWrapper]:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("x", encoding=encoding, newline="") as stream:
            yield stream
        unfinished.replace(path)
    except OSError as error:
        raise _fault(path, f"it cannot be written: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _fault(path: Path, text: str) -> click.ClickException:
    return click.ClickException(f"{path}: {text}.")
