"""A CSV or TSV file as rows of named cells, counted as a spreadsheet counts; nothing is interpreted.

A cell ``=cmd|…`` is text here and stays text: only a spreadsheet would run it.
"""

from __future__ import annotations

import csv
import io
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from finetune.errors import DataUnreadable
from grading.answer_columns import COLUMNS, MORE_COLUMNS, MorePart, Part, column_of

MAX_FILE_BYTES = 256 * 1024 * 1024
ENCODINGS = ("utf-8", "utf-16", "cp949")

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_DELIMITERS = (",", ";", "\t")
_BLANKS = " ,;\t\r\n\u00a0\u3000"
_LONGEST_CELL = 16 * 1024 * 1024
_LONGEST_NAME = 10_000
"""In characters: a column's name that is longer has swallowed rows, since a quote is missing."""
_SHOWN_COLUMNS, _SHOWN_CHARACTERS = 12, 60

Column = Part | MorePart
Record = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """``records`` are the rows by number, below a header in row ``header_row``; ``columns`` says where the parts are.

    ``unread`` are the columns that mean nothing here.
    """

    path: Path
    header_row: int
    width: int
    columns: Mapping[Column, int]
    unread: tuple[str, ...]
    records: Mapping[int, Record]

    def cell(self, record: Record, column: Column) -> str:
        """The cell as it was written; empty where the file has no such column or the row ends before it."""
        place = self.columns.get(column, len(record))
        return record[place] if place < len(record) else ""


def read_table(path: Path, encoding: str | None = None) -> Table:
    """Read a file in UTF-8, or in UTF-16 with its mark, or in the ``encoding`` that is said.

    Commas, semicolons or tabs between cells, whichever gives the columns; rows of blank cells count but are left out.
    Raises :class:`DataUnreadable` with the row.
    """
    text = _text(path, encoding)
    delimiter = _delimiter(text)
    rows = {row: record for row, record in _records(path, text, delimiter) if _is_filled(record)}
    if not rows:
        raise DataUnreadable(f"{path}: the file is empty.")
    first = next(iter(rows))
    header = rows.pop(first)
    columns = _columns(path, first, header)
    if not rows:
        raise DataUnreadable(f"{path}: there is no row below the header.")
    taken = set(columns.values())
    return Table(
        path=path,
        header_row=first,
        width=len(header),
        columns=columns,
        unread=tuple(name for place, name in enumerate(header) if place not in taken and name.strip()),
        records=rows,
    )


def read_bytes(path: Path) -> bytes:
    """The content of an ordinary file of a sensible size; :class:`DataUnreadable` otherwise."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise DataUnreadable(f"{path}: it is no ordinary file.")
        if facts.st_size > MAX_FILE_BYTES:
            raise DataUnreadable(f"{path}: larger than {MAX_FILE_BYTES // 2**20} MB; split it into several files.")
        return path.read_bytes()
    except OSError as error:
        raise DataUnreadable(f"{path}: it cannot be read: {error.strerror}.") from error


def _text(path: Path, encoding: str | None) -> str:
    data = read_bytes(path)
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    chosen = marked or encoding or "utf-8"
    if marked and encoding and not marked.startswith(encoding):
        raise DataUnreadable(f"{path}: it begins with the mark of {marked[:6].upper()}: leave out --encoding.")
    if chosen == "utf-16" and not marked:
        raise DataUnreadable(f"{path}: UTF-16 without its mark (BOM); save it as “CSV UTF-8”.")
    try:
        text = data.decode(chosen).lstrip("\ufeff")
    except UnicodeDecodeError as error:
        row = _row_of(data[: error.start].decode(chosen, errors="replace"))
        raise DataUnreadable(
            f"{path}: row {row}: byte {error.start + 1} is not {chosen.removesuffix('-sig').upper()}; save the file as"
            " “CSV UTF-8”, or name its encoding: mlquiz dataset import --encoding cp949."
        ) from error
    if "\0" in text:
        row = _row_of(text[: text.index("\0")])
        raise DataUnreadable(f"{path}: row {row}: a NUL character: it is no text in UTF-8; save it as “CSV UTF-8”.")
    return text


def _row_of(before: str) -> int:
    """The row in which a text ends, as a spreadsheet counts."""
    with _long_cells():
        try:
            rows = sum(1 for _ in csv.reader(io.StringIO(before + "x", newline="")))
        except csv.Error:
            return before.count("\n") + 1
    return rows


def _delimiter(text: str) -> str:
    """The one by which most of the columns are found, else the one that gives most cells in the first row."""

    def fitness(delimiter: str) -> tuple[int, int]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            header = next(filter(_is_filled, reader), [])
        except csv.Error:
            return 0, 0
        return sum(column_of(part, header) is not None for part in COLUMNS), len(header)

    with _long_cells():
        return max(_DELIMITERS, key=fitness)


def _records(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, Record]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    row = 0
    try:
        with _long_cells():
            for row, record in enumerate(reader, 1):
                yield row, tuple(record)
    except csv.Error as error:
        raise DataUnreadable(
            f"{path}: row {row + 1} (to line {reader.line_num}): not readable as CSV: {error}; is a quote missing, or"
            " the file cut off?"
        ) from error


@contextmanager
def _long_cells() -> Iterator[None]:
    """Inside, the cells that are refused later are still read whole, so that the row can be named."""
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _is_filled(record: Sequence[str]) -> bool:
    # Also where the delimiter is not the file's.
    return any(cell.strip(_BLANKS) for cell in record)


def _columns(path: Path, row: int, header: Record) -> dict[Column, int]:
    for place, name in enumerate(header, 1):
        if len(name) > _LONGEST_NAME:
            raise DataUnreadable(f"{path}: row {row}, column {place}: {len(name)} characters; is a quote missing?")
    plain = [name.strip().casefold() for name in header]
    columns: dict[Column, int] = {}
    for part in (*COLUMNS, *MORE_COLUMNS):
        name = column_of(part, header)
        if name is None:
            if part in COLUMNS:
                raise DataUnreadable(
                    f"{path}: row {row}: no column {' or '.join(COLUMNS[part])}; there is {shown_names(header)}."
                )
            continue
        places = [place for place, each in enumerate(plain) if each == name.strip().casefold()]
        if len(places) > 1:
            numbers = " and ".join(str(place + 1) for place in places)
            raise DataUnreadable(
                f"{path}: row {row}: columns {numbers} are all called {shown(name)}; rename what is not meant."
            )
        columns[part] = places[0]
    return columns


def shown_names(names: Sequence[str]) -> str:
    """Names of columns as a message shows them: what is many or long is cut."""
    more = [f"… ({len(names)} in all)"] if len(names) > _SHOWN_COLUMNS else []
    return ", ".join([*map(shown, names[:_SHOWN_COLUMNS]), *more])


def shown(text: str) -> str:
    """Text of a file as a message may show it: short, and nothing that steers a terminal."""
    cut = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in cut)
