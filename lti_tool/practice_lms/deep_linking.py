"""Deep linking: what the instructor chose in the tool comes back signed and becomes activities (Deep Linking 2.0)."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from flask import Blueprint, render_template, request, url_for
from lti1p3platform.exceptions import LtiDeepLinkingResponseException
from pydantic import TypeAdapter, ValidationError

from lti_tool.practice_lms.activities import ContentItem, add_activity
from lti_tool.practice_lms.errors import ToolMessageRefused
from lti_tool.practice_lms.intents import take_selection
from lti_tool.practice_lms.lms import ToolPlatform, current_lms
from lti_tool.practice_lms.people import Person, find_person_by_id
from lti_tool.practice_lms.tool_keys import MAX_AGE_SECONDS, claimed_issuer, verify_tool_token
from lti_tool.practice_lms.tools import Tool, find_tool_by_client_id, origin_of, use_once

blueprint = Blueprint("deep_linking", __name__)

_CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
_DL_CLAIM = "https://purl.imsglobal.org/spec/lti-dl/claim/"
_ITEMS: TypeAdapter[list[ContentItem]] = TypeAdapter(list[ContentItem])


@blueprint.post("/deep-linking/return")
def come_back() -> str:
    """Takes the tool's signed answer, adds what it holds to the course and leads the window back there."""
    token = request.form.get("JWT", "")
    lms = current_lms()
    with lms.database.transaction() as connection:
        tool = find_tool_by_client_id(connection, claimed_issuer(token))
    if tool is None:
        raise ToolMessageRefused("The answer comes from a tool that is not registered here.")
    # Keys may have to be fetched, so no transaction is open here.
    claims, key_set = verify_tool_token(
        token, tool=tool, keys=lms.tool_keys, audience=lms.issuer, required=("nonce", f"{_CLAIM}deployment_id")
    )
    _check_envelope(tool, claims)
    items = _content_items(ToolPlatform(lms=lms, tool=tool, key_set=key_set), token)
    with lms.database.transaction() as connection:
        person, course_id = _asking_person(connection, tool, claims)
        for item in items:
            add_activity(connection, tool, item, course_id)
    # What went wrong stops the person here; other words of the tool are shown in the course.
    notice, said = (_text(claims.get(f"{_DL_CLAIM}{name}")) for name in ("errormsg", "msg"))
    values = {"course_id": course_id, "added": len(items), "said": said or None}
    return render_template(
        "chosen.html",
        count=len(items),
        notice=notice,
        course_url=url_for("pages.course", slug=person.slug, **values),
    )


def _text(claim: object) -> str:
    return claim[:300] if isinstance(claim, str) else ""


def _check_envelope(tool: Tool, claims: dict[str, Any]) -> None:
    if claims[f"{_CLAIM}deployment_id"] != tool.deployment_id:
        raise ToolMessageRefused("The answer is for another deployment of the tool.", status=403)
    if claims.get(f"{_CLAIM}version") != "1.3.0":
        raise ToolMessageRefused("The answer is not an LTI 1.3 message.", status=400)
    if not isinstance(claims["nonce"], str) or not claims["nonce"]:
        raise ToolMessageRefused("The answer has no nonce.", status=400)


def _content_items(platform: ToolPlatform, token: str) -> list[ContentItem]:
    try:
        # The library checks message type and item types; it takes the presence of "type" for granted.
        items = _ITEMS.validate_python(platform.validate_deeplinking_resp({"JWT": token}))
    except (LtiDeepLinkingResponseException, KeyError, TypeError) as error:
        raise ToolMessageRefused(f"The answer holds no content for a course: {error}", status=400) from error
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise ToolMessageRefused(f"Content item {place}: {fault['msg']}.", status=400) from error
    for item in items:
        if item.url and origin_of(item.url) not in platform.tool.origins:
            raise ToolMessageRefused("A content item leads to another site than the tool's own.", status=400)
    return items


def _asking_person(connection: sqlite3.Connection, tool: Tool, claims: dict[str, Any]) -> tuple[Person, str]:
    """Who asked, and the id of the course that the content is for."""
    expires_at = time.time() + 2 * MAX_AGE_SECONDS
    if not use_once(connection, tool, purpose="nonce", value=claims["nonce"], expires_at=expires_at):
        raise ToolMessageRefused("This answer was already taken.", status=409)
    data = claims.get(f"{_DL_CLAIM}data")
    selection = take_selection(connection, tool=tool, data=data) if isinstance(data, str) else None
    person = find_person_by_id(selection.user_id) if selection else None
    if selection is None or person is None:
        raise ToolMessageRefused("The answer does not belong to a request that is still open.", status=409)
    return person, selection.course_id
