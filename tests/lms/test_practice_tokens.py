"""The practice LMS's token endpoint, and how it keeps and fetches the tool's keys."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from lti_tool.practice_lms.errors import ToolKeysUnavailable
from lti_tool.practice_lms.tool_keys import ToolKeys
from lti_tool.practice_lms.tools import Tool

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer

    from tests.lms.conftest import ScriptedTool

SCORE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
RESULT = "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly"


class FromNow(int):
    """Seconds from the time a test runs, not from the time it is collected."""


def test_a_proven_tool_gets_a_token_for_an_hour(scripted_tool: ScriptedTool) -> None:
    response = scripted_tool.asks_for_token(SCORE, RESULT)
    assert response.status_code == 200
    body = response.json()
    assert body["token_type"].lower() == "bearer"
    assert body["expires_in"] == 3600
    assert set(body["scope"].split()) == {SCORE, RESULT}
    assert response.headers["Cache-Control"] == "no-store"
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert claims["sub"] == scripted_tool.client_id
    assert claims["exp"] - claims["iat"] == 3600


def test_scopes_that_are_unknown_or_not_permitted_are_left_out(unregistered_tool: ScriptedTool) -> None:
    unregistered_tool.registers(scopes=[SCORE])
    assert unregistered_tool.asks_for_token(SCORE, RESULT, "made:up").json()["scope"] == SCORE


@pytest.mark.parametrize("scopes", [(), ("made:up",), (RESULT,)])
def test_without_a_permitted_scope_there_is_no_token(unregistered_tool: ScriptedTool, scopes: tuple[str, ...]) -> None:
    unregistered_tool.registers(scopes=[SCORE])
    response = unregistered_tool.asks_for_token(*scopes)
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_scope"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_assertion_type": "secret"}, "invalid_request"),
        ({"client_assertion": "not.a.jwt"}, "invalid_client"),
        ({"client_assertion": ""}, "invalid_client"),
    ],
    ids=str,
)
def test_a_wrong_token_request_is_refused(scripted_tool: ScriptedTool, wrong: dict[str, str], error: str) -> None:
    response = scripted_tool.asks_for_token(SCORE, **wrong)
    assert response.status_code == 400
    assert response.json()["error"] == error
    assert response.json()["error_description"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "somebody"},
        {"iss": None},
        {"sub": "somebody"},
        {"sub": None},
        {"aud": "https://other.example/token"},
        {"aud": None},
        {"exp": FromNow(-60)},
        {"exp": None},
        {"exp": FromNow(7 * 86400)},
        {"iat": None},
        {"iat": FromNow(-7200)},
        {"jti": None},
    ],
    ids=str,
)
def test_a_wrong_assertion_is_refused(scripted_tool: ScriptedTool, wrong: dict[str, Any]) -> None:
    now = int(time.time())
    claims = {name: now + value if isinstance(value, FromNow) else value for name, value in wrong.items()}
    response = scripted_tool.asks_for_token(SCORE, client_assertion=scripted_tool.assertion(**claims))
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_client"


def test_the_issuer_is_not_the_audience_of_an_assertion(scripted_tool: ScriptedTool) -> None:
    assertion = scripted_tool.assertion(aud=scripted_tool.lms.issuer)
    assert scripted_tool.asks_for_token(SCORE, client_assertion=assertion).status_code == 400
    both = scripted_tool.assertion(aud=[scripted_tool.lms.issuer, scripted_tool.registration["auth_token_url"]])
    assert scripted_tool.asks_for_token(SCORE, client_assertion=both).status_code == 200


def test_an_assertion_is_good_once(scripted_tool: ScriptedTool) -> None:
    assertion = scripted_tool.assertion()
    assert scripted_tool.asks_for_token(SCORE, client_assertion=assertion).status_code == 200
    again = scripted_tool.asks_for_token(SCORE, client_assertion=assertion)
    assert again.json() == {"error": "invalid_client", "error_description": "The assertion was already used."}


def test_an_assertion_signed_with_an_unpublished_key_is_refused(scripted_tool: ScriptedTool) -> None:
    assertion = scripted_tool.assertion(key=scripted_tool.other_key)
    assert scripted_tool.asks_for_token(SCORE, client_assertion=assertion).status_code == 400


def test_keys_are_fetched_once_and_again_after_a_rotation(scripted_tool: ScriptedTool) -> None:
    for _ in range(3):
        assert scripted_tool.asks_for_token(SCORE).status_code == 200
    assert scripted_tool.jwks_fetches == 1
    scripted_tool.published = [scripted_tool.other_key]
    rotated = scripted_tool.assertion(key=scripted_tool.other_key)
    assert scripted_tool.asks_for_token(SCORE, client_assertion=rotated).status_code == 200
    assert scripted_tool.jwks_fetches == 2
    assert scripted_tool.asks_for_token(SCORE).status_code == 400, "the retired key is no longer published"


@pytest.mark.parametrize(
    ("body", "status"),
    [("", 200), ("[]", 200), ("{}", 200), ('{"keys": 1}', 200), ('{"keys": []}', 404), ("x" * 300_000, 200)],
    ids=["empty", "list", "no keys", "number", "missing", "huge"],
)
def test_an_address_without_a_key_set_is_a_clear_error(httpserver: HTTPServer, body: str, status: int) -> None:
    httpserver.expect_request("/jwks").respond_with_data(body, status=status)
    with pytest.raises(ToolKeysUnavailable, match="/jwks"):
        ToolKeys(timeout_seconds=1).key_set(_tool(httpserver.url_for("/jwks")), "key")


def test_a_redirect_is_not_followed_for_keys(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/jwks").respond_with_data("", status=302, headers={"Location": "/elsewhere"})
    httpserver.expect_request("/elsewhere").respond_with_json({"keys": []})
    with pytest.raises(ToolKeysUnavailable, match="302"):
        ToolKeys(timeout_seconds=1).key_set(_tool(httpserver.url_for("/jwks")), "key")


def test_a_host_that_does_not_answer_is_a_clear_error() -> None:
    with pytest.raises(ToolKeysUnavailable, match="gives no key set"):
        ToolKeys(timeout_seconds=1).key_set(_tool("http://127.0.0.1:1/jwks"), "key")


def _tool(jwks_url: str) -> Tool:
    return Tool(
        number=1,
        name="tool",
        login_url=jwks_url,
        launch_url=jwks_url,
        jwks_url=jwks_url,
        deep_link_url=jwks_url,
        client_id="client",
        share_names=True,
        share_emails=False,
        scopes=(),
    )
