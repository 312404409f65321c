"""A CSV file of answers: read as people's spreadsheets write it, and written again with the grades beside them.

Whatever is wrong with a file is said in a sentence that names the file and the row, counted as a spreadsheet counts.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
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
_LONGEST_NAME = 10_000
"""In characters: a column's name that is longer has swallowed rows, since a quote is missing."""
_SHOWN = 60
_LINE_END = re.compile(r"\r\n|\r|\n")

_Record = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """What is graded in one row: ``row`` as the spreadsheet counts (from 1), the texts as they were written.

    ``question`` and ``reference`` may come from a row above, ``answer`` may be blank.
    """

    row: int
    question: str
    reference: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFile:
    """A whole file: ``records`` are all rows below the header, cell for cell, empty lines included.

    ``above`` are the rows above the header, which are blank, as rows below the last answer are.
    """

    path: Path
    above: tuple[_Record, ...]
    header: _Record
    records: tuple[_Record, ...]
    answers: tuple[AnswerRow, ...]
    delimiter: str
    line_end: str
    has_bom: bool


def read_answer_file(path: Path) -> AnswerFile:
    """Read a CSV file with a question, a model answer and an answer a row (:mod:`grading.answer_columns`).

    UTF-8 with or without a byte-order mark; commas, semicolons or tabs between cells. Blank cells of question and model
    answer are those of the row above (merged cells of a spreadsheet). Rows of blank cells above the header and below
    the last answer are left alone. Raises :class:`click.ClickException`.
    """
    text, has_bom = _text(path)
    delimiter = _delimiter(text)
    rows = dict(enumerate(_records(path, text, delimiter), 1))
    filled = [row for row, record in rows.items() if _is_filled(record)]
    if not filled:
        raise _fault(path, "the file is empty")
    first, last = filled[0], filled[-1]
    header = rows[first]
    columns = _columns(path, first, header)
    whole = {row: _whole(path, row, rows[row], len(header)) for row in range(first + 1, last + 1)}
    if not whole:
        raise _fault(path, "there is no row below the header")
    records = list((rows | whole).values())
    return AnswerFile(
        path=path,
        above=tuple(records[: first - 1]),
        header=header,
        records=tuple(records[first:]),
        answers=tuple(_answers(path, whole, columns)),
        delimiter=delimiter,
        line_end=_line_end(text),
        has_bom=has_bom,
    )


def write_graded_file(path: Path, file: AnswerFile, assessments: Mapping[int, Assessment]) -> tuple[str, ...]:
    """Write ``file`` with :data:`ADDED_COLUMNS` behind its own; ``assessments`` by row. Returns the columns' names.

    The file gets its name when it is whole. A name that is taken (a tutor's ``score``) becomes ``model_score``.
    """
    names = _free_names(file.header)
    with _new_file(path, "utf-8-sig" if file.has_bom else "utf-8") as stream:
        for record in (*file.above, (*file.header, *names)):
            stream.write(_line(record, file))
        for row, record in enumerate(file.records, len(file.above) + 2):
            is_answer = record and row <= file.answers[-1].row
            stream.write(_line((*record, *_cells(assessments.get(row))) if is_answer else record, file))
    return names


def _text(path: Path) -> tuple[str, bool]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _fault(path, f"it cannot be read: {error.strerror}") from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = len(_LINE_END.findall(data[: error.start].decode("latin-1"))) + 1
        raise _fault(path, f"line {line}: it is not UTF-8; save it as “CSV UTF-8”") from error
    # Some programs put a mark before the one that is there.
    bare = text.lstrip("\ufeff")
    return bare, len(bare) < len(text)


def _line_end(text: str) -> str:
    """How rows end: as the first line does, but a lone carriage return ends rows only where nothing else does."""
    ends = _LINE_END.finditer(text)
    return next((end.group() for end in ends if end.group() != "\r"), "\r" if "\r" in text else "\n")


def _delimiter(text: str) -> str:
    """The one by which most of the columns are found, else the one that gives most cells in the first row."""

    def fitness(delimiter: str) -> tuple[int, int]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            header = next(filter(_is_filled, reader), [])
        except csv.Error:
            return 0, 0
        return sum(column_of(part, header) is not None for part in _PARTS), len(header)

    with _long_cells():
        return max(_DELIMITERS, key=fitness)


def _records(path: Path, text: str, delimiter: str) -> list[_Record]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        with _long_cells():
            return [tuple(record) for record in reader]
    except csv.Error as error:
        raise _fault(path, f"line {reader.line_num}: not readable as CSV ({error})") from error


@contextmanager
def _long_cells() -> Iterator[None]:
    """Inside, cells may be as long as essays with pictures pasted into them."""
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _is_filled(record: Sequence[str]) -> bool:
    return any(cell.strip() for cell in record)


def _columns(path: Path, row: int, header: _Record) -> dict[Part, int]:
    for place, name in enumerate(header, 1):
        if len(name) > _LONGEST_NAME:
            raise _fault(path, f"row {row}, column {place}: a name of {len(name)} characters; is a quote missing?")
    plain = [name.strip().casefold() for name in header]
    columns: dict[Part, int] = {}
    for part in _PARTS:
        name = column_of(part, header)
        if name is None:
            there = ", ".join(map(_shown, header))
            raise _fault(path, f"row {row}: no column {' or '.join(COLUMNS[part])}; there is {there}")
        places = [place for place, each in enumerate(plain) if each == name.strip().casefold()]
        if len(places) > 1:
            numbers = " and ".join(str(place + 1) for place in places)
            raise _fault(path, f"row {row}: columns {numbers} are both called {_shown(name)}; rename what is not meant")
        columns[part] = places[0]
    return columns


def _shown(text: str) -> str:
    """A name from a file as an error shows it: what is long is cut."""
    return _visible(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _visible(text: str) -> str:
    """Text as a terminal may show it: what is no visible character is spelt out."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _whole(path: Path, row: int, record: _Record, width: int) -> _Record:
    """The record with as many cells as the header; an empty line stays one."""
    if len(record) > width:
        raise _fault(path, f"row {row}: {len(record)} cells, but the header has {width}; put quotes around such text")
    return (*record, *[""] * (width - len(record))) if record else ()


def _answers(path: Path, rows: Mapping[int, _Record], columns: Mapping[Part, int]) -> Iterator[AnswerRow]:
    question = reference = ""
    for row, record in rows.items():
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


def _line(cells: _Record, file: AnswerFile) -> str:
    """One row as it is written; ``csv`` quotes a cell for no other line break than those of its own row ends."""
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=file.delimiter, lineterminator="\r\n").writerow(cells)
    return stream.getvalue().removesuffix("\r\n") + file.line_end


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
    return click.ClickException(f"{_visible(str(path))}: {text}.")
