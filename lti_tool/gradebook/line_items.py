"""Columns of a platform's gradebook: find, make, change and remove them. AGS 2.0 section 3.2.

Platforms write a column whole: what a change leaves out is wiped there, so a change begins with reading.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, WrapValidator

from lti_tool.errors import ServiceError
from lti_tool.gradebook.errors import OwnedByPlatform, PermissionMissing, ServiceAway
from lti_tool.gradebook.services import (
    PAGE_LENGTH,
    ServiceClient,
    json_of,
    parsed,
    parsed_json,
    with_query,
    with_reason,
)
from lti_tool.launch.platforms import origin_of
from lti_tool.launch.protocol import iso_milliseconds, json_number
from lti_tool.platform_http import PlatformRefused

LINE_ITEM_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"
LINE_ITEM_READ_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem.readonly"
# Moodle compares the whole header: no charset behind it.
_MEDIA_TYPE = "application/vnd.ims.lis.v2.lineitem+json"
_LIST_MEDIA_TYPE = "application/vnd.ims.lis.v2.lineitemcontainer+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineItem:
    """A gradebook column; what the platform does not say is ``None``."""

    url: str
    label: str
    score_maximum: Decimal | None
    resource_link_id: str | None
    resource_id: str | None
    tag: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    grades_released: bool | None


def _moment_or_none(value: object, read: Any) -> datetime | None:  # noqa: ANN401 - pydantic's own handler
    try:
        return read(value)
    except ValidationError:
        return None


_Moment = Annotated[AwareDatetime | None, WrapValidator(_moment_or_none)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, coerce_numbers_to_str=True)

    id: str
    label: str = ""
    score_maximum: Decimal | None = Field(None, alias="scoreMaximum")
    resource_link_id: str | None = Field(None, alias="resourceLinkId")
    resource_id: str | None = Field(None, alias="resourceId")
    tag: str | None = None
    starts_at: _Moment = Field(None, alias="startDateTime")
    ends_at: _Moment = Field(None, alias="endDateTime")
    grades_released: bool | None = Field(None, alias="gradesReleased")

    def line_item(self) -> LineItem:
        values = self.model_dump()
        return LineItem(url=values.pop("id"), **values)


_ENTRY = TypeAdapter(_Entry)
_ENTRIES = TypeAdapter(list[_Entry])


class LineItemClient(ServiceClient):
    """Columns of one registration's platform. All methods raise :class:`ServiceError`."""

    def list_line_items(
        self,
        line_items_url: str,
        *,
        scopes: Collection[str],
        resource_link_id: str | None = None,
        resource_id: str | None = None,
        tag: str | None = None,
    ) -> list[LineItem]:
        """The tool's columns in a course, narrowed by what is given.

        ``scopes`` are those that the launch granted: a token is asked for the least of them that will do.
        """
        wanted = {"resource_link_id": resource_link_id, "resource_id": resource_id, "tag": tag}
        url = with_query(line_items_url, **wanted, limit=PAGE_LENGTH)
        pages = self._pages(url, (_reading_scope(scopes),), _LIST_MEDIA_TYPE)
        items = (entry.line_item() for page in pages for entry in parsed(_ENTRIES, page))
        # Not every platform obeys every filter.
        return [
            item
            for item in items
            if origin_of(item.url) and all(value in (None, getattr(item, name)) for name, value in wanted.items())
        ]

    def find_line_item(
        self, line_items_url: str, *, resource_link_id: str, scopes: Collection[str], tag: str | None = None
    ) -> LineItem | None:
        """The column of a placement among those of the course; with several, the one with ``tag``, else the first."""
        found = self.list_line_items(line_items_url, scopes=scopes, resource_link_id=resource_link_id)
        return next((item for item in found if tag is not None and item.tag == tag), found[0] if found else None)

    def get_line_item(self, url: str, *, scopes: Collection[str]) -> LineItem:
        """One column. Raises :class:`ServiceMissing` where it is gone."""
        return parsed_json(_ENTRY, self._read(url, scopes)).line_item()

    def create_line_item(
        self,
        line_items_url: str,
        *,
        label: str,
        score_maximum: Decimal,
        resource_link_id: str | None = None,
        resource_id: str | None = None,
        tag: str | None = None,
        starts_at: datetime | None = None,
        ends_at: datetime | None = None,
        grades_released: bool | None = None,
    ) -> LineItem:
        """A new column, of a placement where ``resource_link_id`` names one. Raises :class:`PermissionMissing`."""
        body = _json_of(
            label=label,
            score_maximum=score_maximum,
            resource_link_id=resource_link_id,
            resource_id=resource_id,
            tag=tag,
            starts_at=starts_at,
            ends_at=ends_at,
            grades_released=grades_released,
        )
        response = self._asked(
            (LINE_ITEM_SCOPE,),
            lambda bearer: self._http.post(
                line_items_url, json.dumps(body).encode(), content_type=_MEDIA_TYPE, accept=_MEDIA_TYPE, bearer=bearer
            ),
        )
        created = parsed(_ENTRY, response).line_item()
        if not origin_of(created.url):
            raise ServiceAway("The LMS made a gradebook column without an address.")
        return created

    def update_line_item(
        self,
        url: str,
        *,
        label: str | None = None,
        score_maximum: Decimal | None = None,
        resource_id: str | None = None,
        tag: str | None = None,
        starts_at: datetime | None = None,
        ends_at: datetime | None = None,
        grades_released: bool | None = None,
    ) -> LineItem:
        """The column with what is given changed and all else as it was read. Raises :class:`PermissionMissing`."""
        was = self._read(url, (LINE_ITEM_SCOPE,))
        changes = _json_of(
            label=label,
            score_maximum=score_maximum,
            resource_id=resource_id,
            tag=tag,
            starts_at=starts_at,
            ends_at=ends_at,
            grades_released=grades_released,
        )
        body = was | changes
        self._asked(
            (LINE_ITEM_SCOPE,),
            lambda bearer: self._http.put(
                url, json.dumps(body).encode(), content_type=_MEDIA_TYPE, accept=_MEDIA_TYPE, bearer=bearer
            ),
        )
        return parsed_json(_ENTRY, body).line_item()

    def delete_line_item(self, url: str) -> None:
        """Remove a column with its scores. Raises :class:`OwnedByPlatform` for one that came with an activity."""
        self._asked((LINE_ITEM_SCOPE,), lambda bearer: self._http.delete(url, bearer=bearer), self._why_not_removed)

    def _why_not_removed(self, error: PlatformRefused) -> ServiceError | None:
        # Moodle says 403 for a column of an activity, Canvas 401 (a fresh token was tried before).
        if error.is_passing or error.status not in {401, 403}:
            return None
        if error.status == 401 and self._registration.family != "canvas":
            return PermissionMissing(with_reason("The LMS does not let the tool remove gradebook columns", error))
        return OwnedByPlatform(with_reason("The gradebook column belongs to an activity of the LMS", error))

    def _read(self, url: str, scopes: Collection[str]) -> dict[str, Any]:
        """A column as the platform writes it: all of it goes back when something is changed."""
        body = json_of(self._got(url, (_reading_scope(scopes),), _MEDIA_TYPE))
        parsed_json(_ENTRY, body)
        return body


def _reading_scope(scopes: Collection[str]) -> str:
    """The least of the granted scopes that will do."""
    return LINE_ITEM_READ_SCOPE if LINE_ITEM_READ_SCOPE in scopes else LINE_ITEM_SCOPE


def _json_of(**values: Any) -> dict[str, Any]:
    """A column, or the changes of one, as JSON; ``None`` is left out."""
    names = {name: field.alias or name for name, field in _Entry.model_fields.items()}
    return {names[name]: _json_value(value) for name, value in values.items() if value is not None}


def _json_value(value: object) -> object:
    if isinstance(value, Decimal):
        return json_number(value)
    return iso_milliseconds(value) if isinstance(value, datetime) else value
