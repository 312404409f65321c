"""What the parts of the practice LMS share, and the library's platform configured for one tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import jwt
from flask import Request as FlaskHttpRequest
from flask import current_app, request, url_for
from lti1p3platform.exceptions import LtiException, LtiServiceException
from lti1p3platform.ltiplatform import LTI1P3PlatformConfAbstract
from lti1p3platform.registration import Registration
from lti1p3platform.request import Request, TRequest

from lti_tool.practice_lms.database import Database
from lti_tool.practice_lms.identity import Identity
from lti_tool.practice_lms.tool_keys import ToolKeys
from lti_tool.practice_lms.tools import Tool

EXTENSION = "practice_lms"


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeLms:
    """One practice LMS: its issuer (also its address, see ``url``), state and keys."""

    issuer: str
    database: Database
    identity: Identity
    tool_keys: ToolKeys
    extra_frame_origin: str | None = None

    @property
    def url(self) -> str:
        """Where its pages and services are. Platforms that share an issuer are elsewhere."""
        return self.issuer

    @property
    def token_url(self) -> str:
        """Where tools get access tokens; also the audience of their assertions."""
        return f"{self.url}/token"


def current_lms() -> PracticeLms:
    """The practice LMS that answers the current request."""
    return current_app.extensions[EXTENSION]


def address(endpoint: str, **values: Any) -> str:
    """The full address of an endpoint under the LMS's own, whatever host name the request came by."""
    return current_lms().url + url_for(endpoint, **values)


class PlatformRegistration(Registration):
    """The library's registration; the key id comes from the public key, which is cheaper to read than the private."""

    def get_kid(self) -> str | None:
        """The id of our key, as published in our JWKS."""
        public_key = self.get_platform_public_key()
        return Registration.get_jwk(public_key).get("kid") if public_key else None


class ToolPlatform(LTI1P3PlatformConfAbstract):
    """The library's platform, seen by one tool."""

    def init_platform_config(self, **kwargs: Any) -> None:
        """Takes ``lms``, ``tool`` and, to verify what the tool signed, its ``key_set``."""
        lms: PracticeLms = kwargs["lms"]
        self.tool: Tool = kwargs["tool"]
        self._registration = (
            PlatformRegistration()
            .set_iss(lms.issuer)
            .set_client_id(self.tool.client_id)
            .set_deployment_id(self.tool.deployment_id)
            .set_oidc_login_url(self.tool.login_url)
            .set_launch_url(self.tool.launch_url)
            .set_deeplink_launch_url(self.tool.deep_link_url)
            .set_platform_public_key(lms.identity.public_key)
        )
        # The library asks for PEM but only hands it to PyJWT, which takes a loaded key too: 30 ms less a message.
        self._registration.set_platform_private_key(cast("str", lms.identity.private_key))
        if key_set := kwargs.get("key_set"):
            self._registration.set_tool_key_set(key_set)
        self.set_accepted_deeplinking_types(["ltiResourceLink"])
        # Times are checked before, with a leeway; the library's own check has none.
        self._jwt_verify_options.update(verify_exp=False, verify_iat=False, verify_nbf=False)

    def get_registration_by_params(self, **kwargs: Any) -> Registration:
        """The one registration this object stands for."""
        del kwargs
        return self.get_registration()

    def validate_token(self, token: str, allowed_scopes: list[str] | None = None, audience: str | None = None) -> bool:
        """The library's check, also of whose token it is; what the library raises becomes a 401."""
        try:
            allowed = super().validate_token(token, allowed_scopes, audience)
        except (jwt.InvalidTokenError, LtiException) as error:
            raise LtiServiceException("Invalid LTI 1.3 authentication token", 401) from error
        if token_client_id(token) != self.tool.client_id:
            raise LtiServiceException("The token belongs to another tool", 401)
        return allowed


def token_client_id(token: str) -> str | None:
    """Whose access token this says it is; not verified."""
    try:
        return jwt.decode(token, options={"verify_signature": False}).get("sub")
    except jwt.InvalidTokenError:
        return None


class FlaskRequest(Request):
    """The current Flask request in the library's shape; ``json`` is ``None`` where the body is no JSON."""

    def build_metadata(self, request: FlaskHttpRequest) -> TRequest:
        """Copies what the library reads."""
        return TRequest(
            method=request.method,
            form_data=request.form.to_dict(),
            get_data=request.args.to_dict(),
            headers=dict(request.headers.items()),
            content_type=request.headers.get("Content-Type"),
            path=request.path,
            json=request.get_json(force=True, silent=True),
        )


def current_lti_request() -> FlaskRequest:
    """The request being answered, for the library."""
    return FlaskRequest(request)
