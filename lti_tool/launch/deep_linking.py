"""The answer to a deep linking request: the chosen quizzes, signed, posted by the browser to the platform.

LTI deep linking 2.0 sections 3 and 4.5. The quiz is named twice, in a custom parameter and in the address, because
platforms lose the one or the other; the gradebook column comes with it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import jwt
from flask import Response, make_response, render_template
from psycopg import Connection

from lti_tool.errors import Unusable
from lti_tool.launch.access import launch_transaction
from lti_tool.launch.keys import signing_key
from lti_tool.launch.launches import LAUNCH_PATH, DeepLinkingSettings
from lti_tool.launch.platforms import get_registration, origin_of
from lti_tool.launch.protocol import LineItemDraft, content_item, deep_linking_response, iso_milliseconds
from lti_tool.launch.sessions import LaunchSession
from lti_tool.web import content_security_policy, services

TAG = "mlquiz"
#: The platform fills it in at each launch, so that a due date that is moved in the course is known here (core 1.3,
#: resource link variables); one that does not know it leaves the name, which the launch ignores.
DUE_DATE_VARIABLE = "$ResourceLink.submission.endDateTime"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentItem:
    """A quiz to be placed in a course.

    ``max_points`` are those of the gradebook column, to which the platform scales scores; ``submission_until`` is
    shown by the platform as the due date; ``max_attempts`` is ``None`` where the quiz's own number holds.
    """

    quiz_id: UUID
    title: str
    text: str = ""
    max_points: Decimal
    submission_until: datetime | None = None
    max_attempts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseForm:
    """What the browser posts: ``token`` in the field ``JWT``, to ``return_url``."""

    return_url: str
    token: str


def response_page(session: LaunchSession, items: Sequence[ContentItem], *, message: str = "") -> Response:
    """A page that posts the chosen quizzes to the platform by itself, or by its button; the platform shows ``message``.

    Its policy allows this one script and this one target. Raises :class:`Unusable` as :func:`response_form` does.
    """
    with launch_transaction() as connection:
        form = response_form(
            connection, services().secret, services().settings.base_url, session, items, message=message
        )
    nonce = secrets.token_urlsafe(16)
    page = render_template("launch/deep_linking_response.html", form=form, item_count=len(items), script_nonce=nonce)
    response = make_response(page)
    response.headers["Content-Security-Policy"] = content_security_policy(
        script_nonce=nonce, form_targets=(origin_of(form.return_url),)
    )
    return response


def response_form(
    connection: Connection,
    secret: str,
    base_url: str,
    session: LaunchSession,
    items: Sequence[ContentItem],
    *,
    message: str = "",
) -> ResponseForm:
    """The signed response to the deep linking request of ``session``; no items means that the person cancelled.

    Raises :class:`Unusable` if the platform takes one item only, and :class:`LookupError` for any other launch.
    """
    settings = session.deep_linking_settings
    if len(items) > 1 and not settings.accepts_multiple:
        raise Unusable("several items", instructor_text="Your course takes one quiz at a time here: choose one.")
    claims = deep_linking_response(
        get_registration(connection, session.registration_id),
        session.platform_deployment_id,
        settings,
        [_item(item, settings, base_url) for item in items],
        message=message,
    )
    key = signing_key(connection, secret)
    token = jwt.encode(claims, key.private_key, algorithm="RS256", headers={"kid": key.kid})
    return ResponseForm(return_url=settings.return_url, token=token)


def _item(item: ContentItem, settings: DeepLinkingSettings, base_url: str) -> dict[str, Any]:
    quiz_id = str(item.quiz_id)
    column = LineItemDraft(label=item.title, max_points=item.max_points, resource_id=quiz_id, tag=TAG)
    claims = content_item(
        title=item.title,
        text=item.text,
        url=f"{base_url}{LAUNCH_PATH}?quiz={quiz_id}",
        custom=_custom(item),
        line_item=column if settings.accepts_line_item else None,
    )
    if item.submission_until is not None:
        claims["submission"] = {"endDateTime": iso_milliseconds(item.submission_until)}
    return claims


def _custom(item: ContentItem) -> dict[str, str]:
    """What each launch of the placement says again; all texts, for Moodle keeps them as lines ``name=value``."""
    attempts = {"max_attempts": str(item.max_attempts)} if item.max_attempts is not None else {}
    return {"quiz_id": str(item.quiz_id), **attempts, "due_at": DUE_DATE_VARIABLE}
