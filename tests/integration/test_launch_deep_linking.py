"""The answer to a deep linking request, as the platform reads it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape

from lti_tool.db import Database
from lti_tool.errors import Unusable
from lti_tool.launch.deep_linking import ContentItem, response_form, response_page
from lti_tool.launch.sessions import LaunchSession
from lti_tool.launch.views import current_session, with_session
from tests.fake_platform import ABSENT, FakePlatform, _launch_database, app, client, database_url, platform
from tests.integration.test_launch_session import session_of

__all__ = ["_launch_database", "app", "client", "database_url", "platform"]

QUIZ = UUID("6a0c2a58-4b1b-4b3e-9d0f-1d6f4a5f1a2b")
ITEM = ContentItem(quiz_id=QUIZ, title='Quiz "one" <b>', text="3 questions", max_points=Decimal("7.5"))
DL = "https://purl.imsglobal.org/spec/lti-dl/claim"
LTI = "https://purl.imsglobal.org/spec/lti/claim"


def requested(platform: FakePlatform, client: FlaskClient, database: Database, **offered: Any) -> LaunchSession:
    asked = platform.logged_in(client)
    claims = platform.deep_linking(asked["nonce"], offered=offered)
    response = platform.post(client, platform.signed(claims), asked["state"])
    assert response.status_code == 303, response.text
    return session_of(client, database, response.location)


def answered(
    client: FlaskClient, database: Database, session: LaunchSession, *items: ContentItem, message: str = ""
) -> dict[str, Any]:
    """The response's claims, verified with the key set that the platform fetches."""
    secret = "a test's secret of more than thirty-two characters"
    with database.across_tenants() as connection:
        form = response_form(connection, secret, "http://localhost:8400", session, items, message=message)
    kid = jwt.get_unverified_header(form.token)["kid"]
    keys = jwt.PyJWKSet.from_dict(client.get("/lti/jwks.json").json or {})
    return jwt.decode(form.token, keys[kid].key, algorithms=["RS256"], audience=session.issuer, issuer="our-client")


def test_a_deep_linking_launch_keeps_what_the_platform_accepts(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    session = requested(platform, client, database, data="opaque", accept_multiple="true", title="T")
    assert session.resource_link_id is None
    settings = session.deep_linking_settings
    assert (settings.data, settings.has_data, settings.accepts_multiple, settings.title) == ("opaque", True, True, "T")
    assert session.is_instructor


def test_the_response_is_signed_and_names_the_quiz_twice(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    claims = answered(client, database, requested(platform, client, database), ITEM)
    assert claims["aud"] == platform.registration.issuer
    assert claims[f"{LTI}/deployment_id"] == "7"
    assert claims[f"{LTI}/message_type"] == "LtiDeepLinkingResponse"
    assert claims[f"{LTI}/version"] == "1.3.0"
    assert claims["nonce"]
    assert claims["exp"] - claims["iat"] <= 600
    assert claims[f"{DL}/content_items"] == [
        {
            "type": "ltiResourceLink",
            "title": 'Quiz "one" <b>',
            "text": "3 questions",
            "url": f"http://localhost:8400/lti/launch?quiz={QUIZ}",
            "custom": {"quiz_id": str(QUIZ), "due_at": "$ResourceLink.submission.endDateTime"},
            "lineItem": {
                "scoreMaximum": 7.5,
                "label": 'Quiz "one" <b>',
                "resourceId": str(QUIZ),
                "tag": "mlquiz",
            },
        }
    ]


def test_whole_points_are_sent_as_an_integer(platform: FakePlatform, client: FlaskClient, database: Database) -> None:
    whole = ContentItem(quiz_id=QUIZ, title="Q", max_points=Decimal("10.0000"))
    claims = answered(client, database, requested(platform, client, database), whole)
    assert claims[f"{DL}/content_items"][0]["lineItem"]["scoreMaximum"] == 10
    assert "text" not in claims[f"{DL}/content_items"][0]


@pytest.mark.parametrize("data", ['{"csrf": "Ä&<\u2028"}', "", " spaces "])
def test_data_goes_back_unaltered(platform: FakePlatform, client: FlaskClient, database: Database, data: str) -> None:
    assert answered(client, database, requested(platform, client, database, data=data))[f"{DL}/data"] == data


@pytest.mark.parametrize("data", ["a\x00b", "\ud800", {"deep": ["\x00"]}, {"\udfff": 1}], ids=ascii)
def test_data_that_cannot_be_kept_is_refused_and_not_altered(
    platform: FakePlatform, client: FlaskClient, data: Any
) -> None:
    asked = platform.logged_in(client)
    claims = platform.deep_linking(asked["nonce"], offered={"data": data})
    response = platform.post(client, platform.signed(claims), asked["state"])
    assert response.status_code == 400
    assert "LTI-TOKEN-FORM" in response.text


@pytest.mark.parametrize("data", [ABSENT, None])
def test_data_that_was_not_sent_is_left_out(
    platform: FakePlatform, client: FlaskClient, database: Database, data: object
) -> None:
    assert f"{DL}/data" not in answered(client, database, requested(platform, client, database, data=data), ITEM)


def test_a_platform_without_columns_is_offered_none(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    claims = answered(client, database, requested(platform, client, database, accept_lineitem=False), ITEM)
    assert "lineItem" not in claims[f"{DL}/content_items"][0]


def test_a_due_date_goes_along(platform: FakePlatform, client: FlaskClient, database: Database) -> None:
    due = datetime(2027, 1, 31, 12, tzinfo=UTC)
    item = ContentItem(quiz_id=QUIZ, title="Q", max_points=Decimal(1), submission_until=due)
    (sent,) = answered(client, database, requested(platform, client, database), item)[f"{DL}/content_items"]
    assert sent["submission"] == {"endDateTime": "2027-01-31T12:00:00.000+00:00"}


def test_attempts_go_along_as_text_and_only_where_they_differ(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    item = ContentItem(quiz_id=QUIZ, title="Q", max_points=Decimal(1), max_attempts=3)
    (sent,) = answered(client, database, requested(platform, client, database), item)[f"{DL}/content_items"]
    assert sent["custom"]["max_attempts"] == "3", "Moodle keeps custom parameters as lines of text"
    assert "submission" not in sent
    assert "available" not in sent


def test_a_message_goes_along_and_no_empty_one(platform: FakePlatform, client: FlaskClient, database: Database) -> None:
    session = requested(platform, client, database)
    assert answered(client, database, session, message="No quiz was added.")[f"{DL}/msg"] == "No quiz was added."
    claims = answered(client, database, session)
    assert f"{DL}/msg" not in claims
    assert claims[f"{DL}/content_items"] == []


def test_several_quizzes_need_a_platform_that_takes_several(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    with pytest.raises(Unusable):
        answered(client, database, requested(platform, client, database), ITEM, ITEM)
    session = requested(platform, client, database, accept_multiple=True)
    assert len(answered(client, database, session, ITEM, ITEM)[f"{DL}/content_items"]) == 2


def test_an_ordinary_launch_has_no_deep_linking_response(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    session = session_of(client, database, platform.launch(client).location)
    with pytest.raises(LookupError):
        answered(client, database, session, ITEM)


def test_the_page_posts_to_the_platform_and_nowhere_else(
    platform: FakePlatform, app: Flask, client: FlaskClient, database: Database
) -> None:
    @app.get("/launches/<uuid:launch_id>/answer")
    @with_session("INSTRUCTOR")
    def place(launch_id: UUID) -> Any:
        return response_page(current_session(), [ITEM])

    return_url = f"{platform.registration.issuer}/return?a=1&b=2"
    session = requested(platform, client, database, deep_link_return_url=return_url)
    response = client.get(f"/launches/{session.id}/answer")
    assert f'action="{escape(return_url)}"' in response.text
    policy = response.headers["Content-Security-Policy"]
    assert f"form-action 'self' {platform.registration.issuer};" in policy
    (nonce,) = re.findall(r'<script nonce="([^"]+)"', response.text)
    assert f"'nonce-{nonce}'" in policy


def test_canvas_schools_answer_on_their_own_domains(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    with database.across_tenants() as connection:
        connection.execute("UPDATE platforms SET family = 'canvas'")
    url = "https://canvas.school.example/courses/1/deep_linking_response"
    session = requested(platform, client, database, deep_link_return_url=url)
    assert session.frame_ancestors == (platform.registration.issuer, "https://canvas.school.example")
