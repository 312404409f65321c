"""What is special about Canvas: shared issuers, placements, and the developer key that can be pasted as JSON.

Sources: Canvas's "Registering an LTI Tool" and "Configuring LTI Advantage Tools" in its API documentation.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from lti_tool.launch.launches import DEEP_LINKING, LAUNCH_PATH, RESOURCE_LINK
from lti_tool.launch.registration.tool import SCOPES, TOOL_DESCRIPTION, TOOL_ID, TOOL_NAME

EXTENSION = "https://canvas.instructure.com/lti/"
#: Schools share these issuers; login, token and keys of an environment are at one address (since August 2023).
ENVIRONMENTS = {
    "https://canvas.instructure.com": "https://sso.canvaslms.com",
    "https://canvas.beta.instructure.com": "https://sso.beta.canvaslms.com",
    "https://canvas.test.instructure.com": "https://sso.test.canvaslms.com",
}
HOSTED = ".instructure.com"
#: Where an instructor chooses a quiz: a new assignment, a module, the menu above all assignments.
CHOOSING = ("assignment_selection", "link_selection", "course_assignments_menu")
#: An entry in the course's menu that its instructors may switch on.
MENU = "course_navigation"
_CHOOSING_SIZE = 800
#: Canvas fills these in at each launch; what the link itself says counts more.
CUSTOM_FIELDS = {
    "due_at": "$Canvas.assignment.dueAt.iso8601",
    "max_attempts": "$Canvas.assignment.allowedAttempts",
}


def privacy_level(*, wants_names: bool) -> str:
    """Names without addresses and pictures, or nothing but an opaque id."""
    return "name_only" if wants_names else "anonymous"


def messages(base_url: str, *, offered: Collection[str]) -> list[dict[str, Any]]:
    """The messages of an application to Canvas, each with its placements.

    ``offered`` are the placements that this Canvas knows; empty: not said, so all are asked for. A message without a
    placement would become a module link, so those that have none left are left out.
    """
    size = {f"{EXTENSION}launch_width": _CHOOSING_SIZE, f"{EXTENSION}launch_height": _CHOOSING_SIZE}
    known = {name.removeprefix(EXTENSION) for name in offered}
    wanted = (
        (DEEP_LINKING, CHOOSING, {f"{EXTENSION}display_type": "default", **size}),
        (
            RESOURCE_LINK,
            (MENU,),
            {
                f"{EXTENSION}display_type": "full_width_in_context",
                f"{EXTENSION}course_navigation/default_enabled": False,
            },
        ),
    )
    described = (
        {
            "type": kind,
            "target_link_uri": f"{base_url}{LAUNCH_PATH}",
            "label": TOOL_NAME,
            "icon_uri": f"{base_url}/lti/logo.svg",
            "placements": [name for name in places if not known or name in known],
            # Students reach a quiz through its assignment, never through these.
            f"{EXTENSION}visibility": "admins",
            **extension,
        }
        for kind, places, extension in wanted
    )
    return [message for message in described if message["placements"]]


def developer_key(base_url: str, *, wants_names: bool) -> dict[str, Any]:
    """The configuration of a developer key as Canvas takes it: "paste JSON", or the address of this JSON."""
    launch_url = f"{base_url}{LAUNCH_PATH}"
    icon_url = f"{base_url}/lti/logo.svg"
    common = {"enabled": True, "target_link_uri": launch_url, "text": TOOL_NAME, "icon_url": icon_url}
    choosing = [
        {
            "placement": place,
            "message_type": DEEP_LINKING,
            "visibility": "admins",
            "selection_width": _CHOOSING_SIZE,
            "selection_height": _CHOOSING_SIZE,
            **common,
        }
        for place in CHOOSING
    ]
    menu = {
        "placement": MENU,
        "message_type": RESOURCE_LINK,
        "visibility": "admins",
        "default": "disabled",
        "display_type": "full_width_in_context",
        **common,
    }
    return {
        "title": TOOL_NAME,
        "description": TOOL_DESCRIPTION,
        "target_link_uri": launch_url,
        "oidc_initiation_url": f"{base_url}/lti/login",
        "public_jwk_url": f"{base_url}/lti/jwks.json",
        "scopes": list(SCOPES),
        "extensions": [
            {
                "platform": "canvas.instructure.com",
                "domain": urlsplit(base_url).netloc,
                "tool_id": TOOL_ID,
                "privacy_level": privacy_level(wants_names=wants_names),
                "settings": {
                    "text": TOOL_NAME,
                    "icon_url": icon_url,
                    "selection_width": _CHOOSING_SIZE,
                    "selection_height": _CHOOSING_SIZE,
                    "placements": [*choosing, menu],
                },
            }
        ],
        "custom_fields": dict(CUSTOM_FIELDS),
    }
