"""Activities of the course and the gradebook columns (line items) that belong to them or stand alone."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool
from pydantic.alias_generators import to_camel

from lti_tool.practice_lms.people import COURSE
from lti_tool.practice_lms.tools import Tool, WebAddress


def parse_moment(value: str) -> datetime:
    """An ISO 8601 moment. A zone is demanded: AGS 2.0 section 2.4.8, and Blackboard refuses scores without one."""
    moment = datetime.fromisoformat(value)
    if "T" not in value or moment.tzinfo is None:
        raise ValueError("expected an ISO 8601 date and time with a zone")
    return moment


def _moment_text(value: str) -> str:
    parse_moment(value)
    return value


def _texts(value: dict[str, str | int | float | bool]) -> dict[str, str]:
    return {name: str(item) for name, item in value.items()}


MomentText = Annotated[str, Field(max_length=40), AfterValidator(_moment_text)]
Points = Annotated[float, Field(strict=True, gt=0, le=100_000, allow_inf_nan=False)]
Label = Annotated[str, Field(max_length=255, strict=True)]


class ToolBody(BaseModel):
    """JSON as tools write it: names in camel case; what is unknown here is left alone."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel)


class ItemPeriod(ToolBody):
    """``available`` or ``submission`` of a content item (Deep Linking 2.0 section 2.5)."""

    start_date_time: MomentText | None = None
    end_date_time: MomentText | None = None


class ItemLineItem(ToolBody):
    """The gradebook column that comes with a content item."""

    score_maximum: Points
    label: Label | None = None
    resource_id: Label = ""
    tag: Label = ""
    grades_released: StrictBool = True


class ContentItem(ToolBody):
    """An ``ltiResourceLink`` that the tool wants in the course."""

    type: Literal["ltiResourceLink"]
    title: Label = ""
    text: Annotated[str, Field(max_length=4000)] = ""
    url: WebAddress | None = None
    custom: Annotated[dict[str, str | int | float | bool], AfterValidator(_texts)] = {}
    line_item: ItemLineItem | None = None
    available: ItemPeriod = ItemPeriod()
    submission: ItemPeriod = ItemPeriod()


class LineItemBody(ToolBody):
    """A line item as the tool writes it (AGS 2.0 section 3.2)."""

    label: Annotated[Label, Field(min_length=1)]
    score_maximum: Points
    resource_id: Label = ""
    tag: Label = ""
    resource_link_id: Label | None = None
    start_date_time: MomentText | None = None
    end_date_time: MomentText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineItem:
    """A gradebook column. A ``coupled`` one came with its activity and lives as long."""

    id: int
    course_id: str
    tool_number: int
    activity_id: int | None
    resource_link_id: str | None
    coupled: bool
    label: str
    score_maximum: float
    resource_id: str
    tag: str
    starts_at: str | None
    ends_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """A tool's resource link in the course, with the column it is launched with, if there is exactly one."""

    id: int
    course_id: str
    resource_link_id: str
    tool_number: int
    title: str
    text: str
    url: str
    custom: Mapping[str, str]
    available_from: str | None
    available_until: str | None
    submission_from: str | None
    submission_until: str | None
    line_item: LineItem | None


_LINE_ITEMS = """
    SELECT line_item.id, line_item.course_id, line_item.tool_number, activity_id, activity.resource_link_id, coupled,
           label, score_maximum, resource_id, tag, starts_at, ends_at
    FROM line_item LEFT JOIN activity ON activity.id = activity_id
"""
_ACTIVITIES = """
    SELECT id, course_id, resource_link_id, tool_number, title, text, url, custom, available_from, available_until,
           submission_from, submission_until
    FROM activity
"""


def _line_item_from_row(row: sqlite3.Row) -> LineItem:
    values = dict(row)
    values["coupled"] = bool(values["coupled"])
    return LineItem(**values)


def _activity_from_row(connection: sqlite3.Connection, row: sqlite3.Row) -> Activity:
    values: dict[str, Any] = dict(row)
    values["custom"] = json.loads(values["custom"])
    items = list_line_items(connection, row["tool_number"], resource_link_id=row["resource_link_id"])
    # Moodle gradebookservices.php: a link with several line items is launched without a lineitem claim.
    return Activity(**values, line_item=items[0] if len(items) == 1 else None)


def add_activity(connection: sqlite3.Connection, tool: Tool, item: ContentItem, course_id: str = COURSE.id) -> Activity:
    """Puts a content item into a course, with its gradebook column if it brings one.

    Without one it is not graded, as on Moodle (contentitem_return.php).
    """
    title = item.title.strip() or tool.name
    activity_id = connection.execute(
        """
        INSERT INTO activity (resource_link_id, course_id, tool_number, title, text, url, custom, available_from,
                              available_until, submission_from, submission_until)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
        """,
        (
            str(uuid.uuid4()),
            course_id,
            tool.number,
            title,
            item.text,
            item.url or tool.launch_url,
            json.dumps(_kept_custom(item.custom)),
            item.available.start_date_time,
            item.available.end_date_time,
            item.submission.start_date_time,
            item.submission.end_date_time,
        ),
    ).fetchone()["id"]
    if item.line_item:
        connection.execute(
            """
            INSERT INTO line_item (tool_number, course_id, activity_id, coupled, label, score_maximum, resource_id, tag,
                                   starts_at, ends_at)
            VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?)
            """,
            (
                tool.number,
                course_id,
                activity_id,
                item.line_item.label or title,
                item.line_item.score_maximum,
                item.line_item.resource_id,
                item.line_item.tag,
                item.submission.start_date_time,
                item.submission.end_date_time,
            ),
        )
    row = connection.execute(f"{_ACTIVITIES} WHERE id = ?", (activity_id,)).fetchone()
    return _activity_from_row(connection, row)


def _kept_custom(custom: Mapping[str, str | int | float | bool]) -> dict[str, str]:
    """What is left of custom parameters. Moodle contentitem_return.php: they become lines ``name=value``.

    So what follows a line break in a value is lost, or is a parameter of its own.
    """
    text = "\n".join(f"{name}={value}" for name, value in custom.items())
    lines = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in lines}


def set_due_date(connection: sqlite3.Connection, activity: Activity, due: datetime | None) -> None:
    """The instructor moves the due date, which may have come with the content item, or takes it away."""
    text = due.isoformat() if due else None
    connection.execute("UPDATE activity SET submission_until = ? WHERE id = ?", (text, activity.id))
    connection.execute("UPDATE line_item SET ends_at = ? WHERE activity_id = ? AND coupled", (text, activity.id))


def list_activities(connection: sqlite3.Connection, course_id: str | None = None) -> list[Activity]:
    """The activities of a course, or of all, oldest first."""
    rows = connection.execute(
        f"{_ACTIVITIES} WHERE :course IS NULL OR course_id = :course ORDER BY id", {"course": course_id}
    )
    return [_activity_from_row(connection, row) for row in rows.fetchall()]


def find_activity(connection: sqlite3.Connection, activity_id: int) -> Activity | None:
    """The activity with this id."""
    row = connection.execute(f"{_ACTIVITIES} WHERE id = ?", (activity_id,)).fetchone()
    return _activity_from_row(connection, row) if row else None


def list_line_items(
    connection: sqlite3.Connection,
    tool_number: int | None = None,
    *,
    course_id: str | None = None,
    resource_link_id: str | None = None,
    resource_id: str | None = None,
    tag: str | None = None,
) -> list[LineItem]:
    """Gradebook columns, oldest first; arguments that are not ``None`` narrow the list."""
    rows = connection.execute(
        f"""
        {_LINE_ITEMS}
        WHERE (:tool IS NULL OR line_item.tool_number = :tool)
          AND (:course IS NULL OR line_item.course_id = :course)
          AND (:link IS NULL OR activity.resource_link_id = :link)
          AND (:resource IS NULL OR resource_id = :resource)
          AND (:tag IS NULL OR tag = :tag)
        ORDER BY line_item.id
        """,
        {"tool": tool_number, "course": course_id, "link": resource_link_id, "resource": resource_id, "tag": tag},
    )
    return [_line_item_from_row(row) for row in rows.fetchall()]


def find_line_item(
    connection: sqlite3.Connection, line_item_id: int, tool_number: int, course_id: str | None = None
) -> LineItem | None:
    """The column with this id, if it is this tool's (and this course's)."""
    found = list_line_items(connection, tool_number, course_id=course_id)
    return next((item for item in found if item.id == line_item_id), None)


def add_line_item(
    connection: sqlite3.Connection,
    tool: Tool,
    body: LineItemBody,
    activity_id: int | None,
    course_id: str = COURSE.id,
) -> LineItem | None:
    """A column that the tool makes by itself: uncoupled, so the tool may delete it."""
    line_item_id = connection.execute(
        """
        INSERT INTO line_item (tool_number, course_id, activity_id, coupled, label, score_maximum, resource_id, tag,
                               starts_at, ends_at)
        VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?) RETURNING id
        """,
        (
            tool.number,
            course_id,
            activity_id,
            body.label,
            body.score_maximum,
            body.resource_id,
            body.tag,
            body.start_date_time,
            body.end_date_time,
        ),
    ).fetchone()["id"]
    return find_line_item(connection, line_item_id, tool.number)


def update_line_item(connection: sqlite3.Connection, line_item: LineItem, body: LineItemBody) -> None:
    """Writes the whole body. Moodle lineitem.php: ``resourceId`` and ``tag`` that are left out are wiped."""
    connection.execute(
        """
        UPDATE line_item SET label = ?, score_maximum = ?, resource_id = ?, tag = ?, starts_at = ?, ends_at = ?
        WHERE id = ?
        """,
        (
            body.label,
            body.score_maximum,
            body.resource_id,
            body.tag,
            body.start_date_time,
            body.end_date_time,
            line_item.id,
        ),
    )


def delete_line_item(connection: sqlite3.Connection, line_item: LineItem) -> None:
    """Removes a column with its grades."""
    connection.execute("DELETE FROM line_item WHERE id = ?", (line_item.id,))
