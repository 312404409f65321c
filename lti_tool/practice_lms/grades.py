"""Assignment and Grade Services 2.0: line items, scores, results."""

from __future__ import annotations

import sqlite3
from typing import Any, TypeVar

from flask import Blueprint, Response, request
from lti1p3platform.exceptions import LineItemNotFoundException, LtiServiceException
from lti1p3platform.lineitem import TLineItem
from lti1p3platform.response import Response as ServiceResponse
from lti1p3platform.score import TScore, UpdateScoreStatus
from lti1p3platform.service_connector import AssignmentsGradesService, TPage
from pydantic import BaseModel, ValidationError

from lti_tool.practice_lms.activities import (
    LineItem,
    LineItemBody,
    add_line_item,
    delete_line_item,
    find_line_item,
    list_activities,
    list_line_items,
    update_line_item,
)
from lti_tool.practice_lms.errors import WrongGrade
from lti_tool.practice_lms.gradebook import Grade, ScoreMessage, list_grades, record_post, record_score
from lti_tool.practice_lms.lms import FlaskRequest, ToolPlatform, current_lms
from lti_tool.practice_lms.messages import line_item_url, line_items_url
from lti_tool.practice_lms.services import answer, calling_platform, page_of, page_query, require_content_type

blueprint = Blueprint("grades", __name__, url_prefix="/services/ags/<course_id>")

SCORE_TYPE = "application/vnd.ims.lis.v1.score+json"
LINE_ITEM_TYPE = "application/vnd.ims.lis.v2.lineitem+json"
_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/"
READ_LINE_ITEMS = [f"{_SCOPE}lineitem", f"{_SCOPE}lineitem.readonly"]
WRITE_LINE_ITEMS = [f"{_SCOPE}lineitem"]
POST_SCORES = [f"{_SCOPE}score"]
READ_RESULTS = [f"{_SCOPE}result.readonly"]

_Body = TypeVar("_Body", bound=BaseModel)


class GradeService(AssignmentsGradesService):
    """The library's service on the gradebook of a course, for one request that needs one of ``scopes``."""

    def __init__(
        self, platform: ToolPlatform, course_id: str, query: dict[str, str | int], scopes: list[str], item_url: str
    ) -> None:
        lti_request = FlaskRequest(request)
        lti_request.request["get_data"] = query
        items_url = line_items_url(platform.tool, course_id).partition("?")[0]
        super().__init__(lti_request, platform, items_url, item_url or None)
        self.tool = platform.tool
        self._course_id = course_id
        self._scopes = scopes
        self._database = current_lms().database

    @property
    def allowed_scopes(self) -> list[str]:
        """One of these is needed. The library's own list would let any grade scope do anything."""
        return self._scopes

    def find_lineitems(
        self,
        page: int = 1,
        limit: int | None = None,
        line_item_id: str | None = None,
        resource_link_id: str | None = None,
        resource_id: str | None = None,
        tag: str | None = None,
        type_id: str | None = None,
    ) -> TPage:
        """The tool's line items, oldest first. ``type_id`` is only carried into the next page's address."""
        del line_item_id, type_id
        with self._database.transaction() as connection:
            found = list_line_items(
                connection,
                self.tool.number,
                course_id=self._course_id,
                resource_link_id=resource_link_id,
                resource_id=resource_id,
                tag=tag,
            )
        items, has_next = page_of(found, page, limit)
        return TPage(content=[self._body(item) for item in items], has_next=has_next)

    def find_lineitem(self, line_item_id: str) -> TLineItem:
        """One line item."""
        with self._database.transaction() as connection:
            return self._body(self._existing(connection, line_item_id))

    def create_lineitem(self, creation_data: TLineItem) -> TLineItem:
        """A column of the tool's own, in the course or at one of its activities."""
        body = _validated(LineItemBody, creation_data)
        with self._database.transaction() as connection:
            activity_id = self._activity_id(connection, body.resource_link_id)
            created = add_line_item(connection, self.tool, body, activity_id, self._course_id)
        assert created
        return self._body(created)

    def update_lineitem(self, update_data: TLineItem) -> TLineItem:
        """Writes the whole line item. Moodle lineitem.php: without label or scoreMaximum it is a 400."""
        body = _validated(LineItemBody, update_data)
        with self._database.transaction() as connection:
            line_item = self._existing(connection, update_data.get("id", ""))
            update_line_item(connection, line_item, body)
            return self._body(self._existing(connection, str(line_item.id)))

    def delete_lineitem(self, line_item_id: str) -> None:
        """Removes a column. Moodle lineitem.php: one that came with an activity is the platform's, 403."""
        with self._database.transaction() as connection:
            line_item = self._existing(connection, line_item_id)
            if line_item.coupled:
                raise LtiServiceException("The line item belongs to an activity", 403)
            delete_line_item(connection, line_item)

    def update_score(self, line_item_id: str, score: TScore) -> UpdateScoreStatus:
        """Takes a score by the gradebook's rules."""
        message = _validated(ScoreMessage, score)
        with self._database.transaction() as connection:
            try:
                record_score(connection, self._existing(connection, line_item_id), message)
            except WrongGrade as error:
                raise LtiServiceException(str(error), error.status) from error
        return UpdateScoreStatus.SUCCESS

    def get_results(
        self,
        line_item_id: str,
        page: int = 1,
        limit: int | None = None,
        user_id: str | None = None,
        type_id: str | None = None,
    ) -> TPage:
        """What the gradebook holds, of all students or of one."""
        del type_id
        with self._database.transaction() as connection:
            line_item = self._existing(connection, line_item_id)
            found = [grade for grade in list_grades(connection, line_item.id) if user_id in (None, grade.user_id)]
        grades, has_next = page_of(found, page, limit)
        return TPage(content=[self._result(line_item, grade) for grade in grades], has_next=has_next)

    def _existing(self, connection: sqlite3.Connection, line_item_id: str) -> LineItem:
        if line_item := find_line_item(connection, int(line_item_id), self.tool.number, self._course_id):
            return line_item
        raise LineItemNotFoundException

    def _activity_id(self, connection: sqlite3.Connection, resource_link_id: str | None) -> int | None:
        if resource_link_id is None:
            return None
        for activity in list_activities(connection, self._course_id):
            if activity.resource_link_id == resource_link_id and activity.tool_number == self.tool.number:
                return activity.id
        raise LtiServiceException("resourceLinkId is not an activity of this tool", 400)

    def _body(self, item: LineItem) -> TLineItem:
        body: dict[str, Any] = {
            "id": line_item_url(self.tool, item.id, item.course_id),
            "label": item.label,
            "scoreMaximum": item.score_maximum,
            "resourceId": item.resource_id,
            "tag": item.tag,
            "resourceLinkId": item.resource_link_id,
            "startDateTime": item.starts_at,
            "endDateTime": item.ends_at,
        }
        present: Any = {name: value for name, value in body.items() if value is not None}
        return present

    def _result(self, item: LineItem, grade: Grade) -> dict[str, Any]:
        path, _, query = line_item_url(self.tool, item.id, item.course_id).partition("?")
        result: dict[str, Any] = {
            "id": f"{path}/results/{grade.user_id}?{query}",
            "userId": grade.user_id,
            "resultMaximum": item.score_maximum,
            "scoreOf": f"{path}?{query}",
            "comment": grade.comment,
            "timestamp": grade.timestamp,
        }
        # Moodle gradebookservices.php: a result without a grade has no resultScore.
        return result if grade.score is None else {**result, "resultScore": grade.score}


def _validated(model: type[_Body], data: object) -> _Body:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"]) or "body"
        raise LtiServiceException(f"{place}: {fault['msg']}", 400) from error


def _service(course_id: str, scopes: list[str], *names: str, line_item_id: int | None = None) -> GradeService:
    platform = calling_platform(course_id)
    if request.args.get("type_id") != str(platform.tool.number):
        # Moodle gradebookservices.php: ?type_id=N is part of the address; one that lost it is not the one given out.
        raise LtiServiceException("type_id is missing or another tool's", 404)
    item_url = line_item_url(platform.tool, line_item_id, course_id, query=False) if line_item_id else ""
    return GradeService(platform, course_id, page_query("type_id", *names), scopes, item_url)


@blueprint.route("/lineitems", methods=["GET", "POST"])
def line_items(course_id: str) -> Response:
    """Line items of the course: list (filters ``resource_link_id``, ``resource_id``, ``tag``, ``limit``) or add."""
    return answer(lambda: _line_items(course_id))


def _line_items(course_id: str) -> ServiceResponse:
    if request.method == "POST":
        require_content_type(LINE_ITEM_TYPE)
        return _service(course_id, WRITE_LINE_ITEMS).handle_create_lineitem()  # pyright: ignore[reportCallIssue]
    names = ("resource_link_id", "resource_id", "tag", "limit", "page")
    return _service(course_id, READ_LINE_ITEMS, *names).handle_get_lineitems()  # pyright: ignore[reportCallIssue]


@blueprint.route("/lineitems/<int:line_item_id>/lineitem", methods=["GET", "PUT", "DELETE"])
def line_item(course_id: str, line_item_id: int) -> Response:
    """One line item: read, write whole, remove."""
    return answer(lambda: _line_item(course_id, line_item_id))


def _line_item(course_id: str, line_item_id: int) -> ServiceResponse:
    number = str(line_item_id)
    if request.method == "GET":
        return _service(course_id, READ_LINE_ITEMS).handle_get_lineitem(number)  # pyright: ignore[reportCallIssue]
    if request.method == "DELETE":
        return _service(course_id, WRITE_LINE_ITEMS).handle_delete_lineitem(number)  # pyright: ignore[reportCallIssue]
    require_content_type(LINE_ITEM_TYPE)
    if not isinstance(request.get_json(force=True, silent=True), dict):
        raise LtiServiceException("The body is not a JSON object", 400)
    return _service(course_id, WRITE_LINE_ITEMS).handle_update_lineitem(number)  # pyright: ignore[reportCallIssue]


@blueprint.post("/lineitems/<int:line_item_id>/lineitem/scores")
def scores(course_id: str, line_item_id: int) -> Response:
    """Takes a score, and logs that it came."""
    response = answer(lambda: _scores(course_id, line_item_id))
    body = request.get_json(force=True, silent=True)
    user_id = body.get("userId") if isinstance(body, dict) else None
    with current_lms().database.transaction() as connection:
        record_post(
            connection,
            line_item_id=line_item_id,
            user_id=str(user_id or ""),
            status=response.status_code,
            body=request.get_data(as_text=True),
        )
    return response


def _scores(course_id: str, line_item_id: int) -> ServiceResponse:
    require_content_type(SCORE_TYPE)
    return _service(course_id, POST_SCORES).handle_update_score(str(line_item_id))  # pyright: ignore[reportCallIssue]


@blueprint.get("/lineitems/<int:line_item_id>/lineitem/results")
def results(course_id: str, line_item_id: int) -> Response:
    """The grades of a line item (filters ``user_id``, ``limit``)."""
    return answer(lambda: _results(course_id, line_item_id))


def _results(course_id: str, line_item_id: int) -> ServiceResponse:
    names = ("user_id", "limit", "page")
    service = _service(course_id, READ_RESULTS, *names, line_item_id=line_item_id)
    return service.handle_get_results(str(line_item_id))  # pyright: ignore[reportCallIssue]
