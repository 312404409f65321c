"""What the grade and membership services share: who may call them, and the library's answers as HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from flask import Response, request
from lti1p3platform.exceptions import LtiServiceException
from lti1p3platform.response import Response as ServiceResponse
from lti1p3platform.response import generate_next_link

from lti_tool.practice_lms.courses import find_course
from lti_tool.practice_lms.lms import ToolPlatform, current_lms, token_client_id
from lti_tool.practice_lms.tools import find_tool_by_client_id

MAX_PAGE = 100

_Item = TypeVar("_Item")


def calling_platform(course_id: str) -> ToolPlatform:
    """The platform as seen by the tool that makes this request; its token is verified later by the library.

    Raises the library's ``LtiServiceException``: 403 without a User-Agent, 401 without a tool's token, 404 at an
    address that was never given out.
    """
    if not request.headers.get("User-Agent", "").strip():
        # Canvas, "Enforcing User-Agent Header for Canvas API Requests": 403 without one since January 2026.
        raise LtiServiceException("A User-Agent header is required", 403)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    client_id = token_client_id(token.strip()) if scheme.lower() == "bearer" else None
    lms = current_lms()
    with lms.database.transaction() as connection:
        tool = find_tool_by_client_id(connection, client_id) if client_id else None
        course = find_course(connection, course_id)
    if tool is None:
        raise LtiServiceException("Missing or invalid LTI 1.3 authentication token", 401)
    if course is None:
        raise LtiServiceException("No such course", 404)
    return ToolPlatform(lms=lms, tool=tool)


def require_content_type(expected: str) -> None:
    """Moodle services.php: the type must be exactly the service's, parameters such as ``charset`` included: 415."""
    if request.headers.get("Content-Type") != expected:
        raise LtiServiceException(f"Content-Type must be {expected}", 415)


def page_query(*names: str) -> dict[str, str | int]:
    """The query parameters that a service knows. Raises 400 where ``limit`` or ``page`` is no positive number."""
    query: dict[str, str | int] = {name: request.args[name] for name in names if name in request.args}
    for name in ("limit", "page"):
        if name in query:
            text = str(query[name])
            if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10_000:
                raise LtiServiceException(f"{name} must be a positive number", 400)
            query[name] = min(int(text), MAX_PAGE) if name == "limit" else int(text)
    return query


def answer(call: Callable[[], ServiceResponse]) -> Response:
    """The library's answer as HTTP, an error as ``{"error": …}``."""
    try:
        result = call()
    except LtiServiceException as error:
        result = ServiceResponse(result=None, code=error.status_code, message=error.message)
    if result.code >= 400:
        return _error(result)
    response = Response(status=result.code)
    body = result.result
    if body is not None:
        if isinstance(body, dict) and "next" in body:
            response.headers["Link"] = generate_next_link(body.pop("next")).replace("rel=next", 'rel="next"')
        response.set_data(json.dumps(body["content"] if isinstance(body, dict) and "content" in body else body))
        response.headers["Content-Type"] = result.media_type
    return response


def _error(result: ServiceResponse) -> Response:
    response = Response(json.dumps({"error": result.message}), status=result.code, content_type="application/json")
    if result.code == 401:
        # As in Moodle and in the library, a token that lacks the scope is a 401 too.
        response.headers["WWW-Authenticate"] = 'Bearer realm="practice-lms"'
    return response


def page_of(items: list[_Item], page: int, limit: int | None) -> tuple[list[_Item], bool]:
    """The items of one page, and whether more follow. Moodle lineitems.php: all at once unless ``limit`` is given."""
    if limit is None:
        return items, False
    start = (page - 1) * limit
    return items[start : start + limit], start + limit < len(items)
