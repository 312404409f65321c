"""What we send to a platform to be registered there: LTI dynamic registration 1.0 section 3.6, in each LMS's dialect.

Pure: no Flask, no SQL, no network.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from lti_tool.launch.launches import DEEP_LINKING, LAUNCH_PATH, RESOURCE_LINK, SUBMISSION_REVIEW
from lti_tool.launch.registration import canvas
from lti_tool.launch.registration.configuration import PlatformConfiguration
from lti_tool.launch.registration.tool import SCOPES, TOOL_DESCRIPTION, TOOL_ID, TOOL_NAME

TOOL_CONFIGURATION = "https://purl.imsglobal.org/spec/lti-tool-configuration"
_DUE_AT = "ResourceLink.submission.endDateTime"


def application(
    platform: PlatformConfiguration, *, base_url: str, login_key: UUID, wants_names: bool
) -> dict[str, Any]:
    """The application of the tool at ``base_url`` to ``platform``.

    ``login_key`` becomes part of the login address, so it must be that of the registration made afterwards.
    """
    return {
        "application_type": "web",
        "client_name": TOOL_NAME,
        "client_uri": f"{base_url}/",
        # Moodle shows it beside the activity on every course page.
        "logo_uri": f"{base_url}/lti/logo.svg",
        "response_types": ["id_token"],
        "grant_types": ["client_credentials", "implicit"],
        "initiate_login_uri": f"{base_url}/lti/login/{login_key}",
        "redirect_uris": [f"{base_url}{LAUNCH_PATH}"],
        "jwks_uri": f"{base_url}/lti/jwks.json",
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": " ".join(asked_scopes(platform)),
        TOOL_CONFIGURATION: _tool_configuration(platform, base_url=base_url, wants_names=wants_names),
    }


def asked_scopes(platform: PlatformConfiguration) -> tuple[str, ...]:
    """The services we ask for: of those that we use, the ones that the platform has; all where it does not say."""
    known = platform.scopes
    return tuple(scope for scope in SCOPES if not known or scope in known)


def _tool_configuration(platform: PlatformConfiguration, *, base_url: str, wants_names: bool) -> dict[str, Any]:
    names = ["name", "given_name", "family_name"] if wants_names else []
    common = {
        # Host and port: Moodle compares it with links to find the tool for them.
        "domain": urlsplit(base_url).netloc,
        "description": TOOL_DESCRIPTION,
        "target_link_uri": f"{base_url}{LAUNCH_PATH}",
        "claims": ["iss", "sub", *names],
    }
    if platform.family == "canvas":
        return common | {
            "custom_parameters": dict(canvas.CUSTOM_FIELDS),
            "messages": canvas.messages(base_url, offered=platform.placements),
            f"{canvas.EXTENSION}privacy_level": canvas.privacy_level(wants_names=wants_names),
            f"{canvas.EXTENSION}tool_id": TOOL_ID,
        }
    kinds = [RESOURCE_LINK, DEEP_LINKING, *([SUBMISSION_REVIEW] if SUBMISSION_REVIEW in platform.messages else [])]
    return common | {
        "custom_parameters": {"due_at": f"${_DUE_AT}"} if _DUE_AT in platform.variables else {},
        "messages": [
            {"type": kind, "target_link_uri": f"{base_url}{LAUNCH_PATH}", "label": TOOL_NAME} for kind in kinds
        ],
    }
