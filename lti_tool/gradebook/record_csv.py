"""The record as CSV that a spreadsheet opens as it is meant: UTF-8 with its mark, moments with zone, no formulas."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TextIO

from lti_tool.gradebook.record import Placement, RecordRow

#: What tells Excel that the file is UTF-8 (RFC 3629 section 6): without it Korean is unreadable there.
BYTE_ORDER_MARK = "\ufeff"
COLUMNS = (
    "time",
    "course",
    "activity",
    "student",
    "student_lms_id",
    "attempt",
    "is_try",
    "event",
    "question",
    "points",
    "max_points",
    "fraction",
    "confidence",
    "flags",
    "by",
    "by_lms_id",
    "model_versions",
    "reason",
    "regrade",
    "delivery",
    "delivery_version",
    "delivery_try",
    "late_percent",
    "averaged_attempts",
    "detail",
)
# What a spreadsheet takes for a formula; the wide forms are those of East Asian keyboards.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write_heading(file: TextIO) -> None:
    """The mark and the names of the columns."""
    file.write(BYTE_ORDER_MARK)
    csv.writer(file, lineterminator="\r\n").writerow(COLUMNS)


def write_rows(file: TextIO, placement: Placement, rows: Iterable[RecordRow]) -> int:
    """The record of one placement; how many rows it was."""
    writer = csv.writer(file, lineterminator="\r\n")
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - the last one is how many there were
        writer.writerow([_cell(value) for value in _values(placement, row)])
    return count


def harmless(text: str) -> str:
    """The text as a cell that no spreadsheet runs: an apostrophe before what would be a formula.

    Names and reasons are written by people; a cell that begins with ``=`` would be run by whoever opens the file.
    """
    return f"'{text}" if text.lstrip(" \u00a0\u3000\ufeff").startswith(_FORMULA_STARTS) else text


def _values(placement: Placement, row: RecordRow) -> tuple[object, ...]:
    return (
        row.at,
        placement.course,
        placement.activity,
        row.student_name,
        row.student_sub,
        row.attempt_number,
        "yes" if row.is_preview else None,
        row.event,
        row.question,
        row.points,
        row.max_points,
        row.fraction,
        row.confidence,
        " ".join(row.flags or ()),
        row.actor_name or ("model" if row.event == "SCORED_BY_MODEL" else None),
        row.actor_sub,
        _pairs(row.model_versions or {}),
        row.reason,
        row.regrade_id,
        row.delivery_id,
        row.version,
        row.try_number,
        row.deducted_percent or None,
        row.averaged_attempts if row.averaged_attempts != 1 else None,
        "; ".join(part for part in (row.detail, _pairs(row.noted)) if part),
    )


def _pairs(facts: object) -> str:
    return "; ".join(f"{name}={value}" for name, value in dict(facts).items())  # pyright: ignore[reportArgumentType, reportCallIssue]


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds")
        case Decimal():
            return f"{value.normalize():f}"
        case float():
            return f"{value:.4f}"
        case str():
            return harmless(value)
        case _:
            return str(value)
