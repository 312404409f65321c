"""Access tokens for tools: the client credentials grant with a signed assertion (IMS Security Framework 4.1)."""

from __future__ import annotations

import time

from flask import Blueprint, Response, jsonify, request
from lti1p3platform.exceptions import LtiException, MissingRequiredClaim, UnsupportedGrantType

from lti_tool.practice_lms.errors import TokenRefused, ToolKeysUnavailable, ToolMessageRefused
from lti_tool.practice_lms.lms import ToolPlatform, current_lms
from lti_tool.practice_lms.tool_keys import MAX_AGE_SECONDS, claimed_issuer, verify_tool_token
from lti_tool.practice_lms.tools import Tool, find_tool_by_client_id, use_once

blueprint = Blueprint("tokens", __name__)

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@blueprint.post("/token")
def grant() -> Response:
    """An access token for the scopes that were asked for and are allowed; lives 3600 s."""
    try:
        token = _granted(request.form.to_dict())
    except (ToolMessageRefused, ToolKeysUnavailable) as error:
        raise TokenRefused("invalid_client", str(error)) from error
    response = jsonify(token)
    response.headers["Cache-Control"] = "no-store"
    return response


def _granted(form: dict[str, str]) -> dict[str, object]:
    if form.get("grant_type") != "client_credentials":
        raise TokenRefused("unsupported_grant_type", "grant_type must be client_credentials.")
    if form.get("client_assertion_type") != _ASSERTION_TYPE:
        raise TokenRefused("invalid_request", f"client_assertion_type must be {_ASSERTION_TYPE}.")
    tool, platform = _proven_tool(form.get("client_assertion", ""))
    # Moodle token.php: 400 invalid_scope when none of the scopes is permitted.
    scopes = [scope for scope in form.get("scope", "").split() if scope in tool.scopes]
    if not scopes:
        raise TokenRefused("invalid_scope", "None of the scopes asked for is permitted.")
    try:
        return dict(platform.get_access_token({**form, "scope": " ".join(scopes)}))
    except (LtiException, MissingRequiredClaim, UnsupportedGrantType) as error:
        raise TokenRefused("invalid_request", str(error)) from error


def _proven_tool(assertion: str) -> tuple[Tool, ToolPlatform]:
    lms = current_lms()
    with lms.database.transaction() as connection:
        tool = find_tool_by_client_id(connection, claimed_issuer(assertion))
    if tool is None:
        raise TokenRefused("invalid_client", "No tool with this client id is registered.")
    claims, key_set = verify_tool_token(
        assertion, tool=tool, keys=lms.tool_keys, audience=lms.token_url, required=("sub", "jti")
    )
    if claims["sub"] != tool.client_id or not isinstance(claims["jti"], str):
        raise TokenRefused("invalid_client", "The assertion's subject must be the client itself.")
    with lms.database.transaction() as connection:
        expires_at = time.time() + 2 * MAX_AGE_SECONDS
        if not use_once(connection, tool, purpose="assertion", value=claims["jti"], expires_at=expires_at):
            raise TokenRefused("invalid_client", "The assertion was already used.")
    return tool, ToolPlatform(lms=lms, tool=tool, key_set=key_set)
