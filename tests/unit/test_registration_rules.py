"""Which platforms may speak for themselves, Canvas's shared issuers, and Canvas's developer key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from lti_tool.launch.registration.application import TOOL_CONFIGURATION, application
from lti_tool.launch.registration.canvas import ENVIRONMENTS, EXTENSION, developer_key
from lti_tool.launch.registration.configuration import PlatformConfiguration, checked_configuration
from lti_tool.launch.registration.errors import (
    ConfigurationUnusable,
    EndpointElsewhere,
    IssuerElsewhere,
    RegistrationRefused,
)
from lti_tool.launch.registration.tickets import Ticket, opened, sealed

PLATFORM = "https://purl.imsglobal.org/spec/lti-platform-configuration"
BASE_URL = "https://quiz.example.edu"
LOGIN_KEY = UUID("3f5cbb43-6a5a-4bd5-b27d-6a0e5e0ff0cc")
ENVIRONMENT_NAMES = ["production", "beta", "test"]


def document(issuer: str = "https://moodle.example.edu/path", **changes: Any) -> dict[str, Any]:
    """A Moodle under a path of its host."""
    return {
        "issuer": issuer,
        "authorization_endpoint": "https://moodle.example.edu/path/mod/lti/auth.php",
        "token_endpoint": "https://moodle.example.edu/path/mod/lti/token.php",
        "jwks_uri": "https://moodle.example.edu/path/mod/lti/certs.php",
        "registration_endpoint": "https://moodle.example.edu/path/mod/lti/openid-registration.php",
        PLATFORM: {"product_family_code": "moodle", "version": "5.1"},
    } | changes


def canvas_document(issuer: str, school: str, **changes: Any) -> dict[str, Any]:
    """Canvas's configuration for a school: login, token and keys are central, the registration is the school's."""
    central = ENVIRONMENTS[issuer]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{central}/api/lti/authorize_redirect",
        "token_endpoint": f"{central}/login/oauth2/token",
        "jwks_uri": f"{central}/api/lti/security/jwks",
        "registration_endpoint": f"https://{school}/api/lti/registrations",
        PLATFORM: {
            "product_family_code": "canvas",
            "version": "vCloud",
            f"{EXTENSION}account_name": "Test \u202eUniversity",
        },
    } | changes


def checked(said: object, url: str, invited_as: str = "") -> PlatformConfiguration:
    return checked_configuration(said, url, invited_as=invited_as)


# Platforms of their own host ---------------------------------------------------------------------------------------


def test_a_moodle_below_a_path_keeps_its_issuer_to_the_letter() -> None:
    platform = checked(document(), "https://moodle.example.edu/path/mod/lti/openid-configuration.php")
    assert platform.issuer == "https://moodle.example.edu/path"
    assert platform.family == "moodle"
    assert platform.product == "moodle 5.1"
    assert platform.page_origins == ("https://moodle.example.edu",)


@pytest.mark.parametrize(
    ("url", "is_right"),
    [
        ("https://moodle.example.edu/other", True),
        ("https://moodle.example.edu:443/other", True),
        ("http://moodle.example.edu/other", False),
        ("https://moodle.example.edu:8443/other", False),
        ("https://example.edu/other", False),
        ("https://moodle.example.edu.evil.example/", False),
        ("https://moodle.example.edu@evil.example/", False),
    ],
)
def test_the_issuer_is_of_the_origin_that_the_configuration_came_from(url: str, is_right: bool) -> None:
    if is_right:
        assert checked(document(), url).family == "moodle"
        return
    with pytest.raises(IssuerElsewhere):
        checked(document(), url)


def test_unknown_software_is_other_and_its_words_are_tamed() -> None:
    platform = checked(
        document() | {PLATFORM: {"product_family_code": "evil\u202e\n" + "x" * 100}}, "https://moodle.example.edu/"
    )
    assert platform.family == "other"
    assert "\u202e" not in platform.product
    assert "\n" not in platform.product
    assert len(platform.product) <= 80


@pytest.mark.parametrize("said", [None, 5, "text", [], {}, {"issuer": "https://a.example"}])
def test_what_is_no_configuration_is_refused(said: object) -> None:
    with pytest.raises(ConfigurationUnusable):
        checked(said, "https://moodle.example.edu/")


# Canvas -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("issuer", ENVIRONMENTS, ids=ENVIRONMENT_NAMES)
@pytest.mark.parametrize("source", ["issuer", "school"])
def test_a_school_on_canvas_is_itself(issuer: str, source: str) -> None:
    host = "school.instructure.com" if source == "school" else issuer.removeprefix("https://")
    url = f"https://{host}/api/lti/security/openid-configuration?registration_token=abc"
    platform = checked(canvas_document(issuer, "school.instructure.com"), url)
    assert platform.family == "canvas"
    assert platform.account == "Test University"
    assert platform.auth_token_url == f"{ENVIRONMENTS[issuer]}/login/oauth2/token"
    # The page that frames us is the school's.
    assert platform.page_origins[0] == "https://school.instructure.com"
    assert issuer in platform.page_origins


def test_the_addresses_of_before_2023_are_still_canvas() -> None:
    issuer = "https://canvas.instructure.com"
    said = canvas_document(
        issuer,
        "school.instructure.com",
        authorization_endpoint=f"{issuer}/api/lti/authorize_redirect",
        jwks_uri=f"{issuer}/api/lti/security/jwks",
        token_endpoint=f"{issuer}/login/oauth2/token",
    )
    assert checked(said, f"{issuer}/api/lti/security/openid-configuration").auth_login_url.startswith(issuer)


def test_a_school_under_its_own_name_needs_an_invitation_that_names_it() -> None:
    said = canvas_document("https://canvas.instructure.com", "canvas.example.edu")
    url = "https://canvas.example.edu/api/lti/security/openid-configuration"
    platform = checked(said, url, "Example University (canvas.example.edu)")
    assert platform.page_origins[0] == "https://canvas.example.edu"
    for name in ("", "Example University", "canvas.example.edu.evil.example", "xcanvas.example.edu"):
        with pytest.raises(IssuerElsewhere):
            checked(said, url, name)
    with pytest.raises(EndpointElsewhere):
        checked(said, "https://canvas.instructure.com/api/lti/security/openid-configuration", "Example University")


@pytest.mark.parametrize(
    ("source", "changes", "refusal"),
    [
        pytest.param("https://evil.example", {}, IssuerElsewhere, id="stranger"),
        pytest.param("https://instructure.com.evil.example", {}, IssuerElsewhere, id="ends_elsewhere"),
        pytest.param("https://evilinstructure.com", {}, IssuerElsewhere, id="no_dot"),
        pytest.param("http://school.instructure.com", {}, IssuerElsewhere, id="http"),
        pytest.param("https://school.instructure.com:8443", {}, IssuerElsewhere, id="port"),
        pytest.param(
            "https://school.instructure.com",
            {"jwks_uri": "https://school.instructure.com/jwks"},
            EndpointElsewhere,
            id="keys_of_a_school",
        ),
        pytest.param(
            "https://school.instructure.com",
            {"token_endpoint": "https://sso.beta.canvaslms.com/login/oauth2/token"},
            EndpointElsewhere,
            id="token_of_another_environment",
        ),
        pytest.param(
            "https://school.instructure.com",
            {"authorization_endpoint": "http://sso.canvaslms.com/api/lti/authorize_redirect"},
            EndpointElsewhere,
            id="login_over_http",
        ),
        pytest.param(
            "https://school.instructure.com",
            {"registration_endpoint": "https://evil.example/api/lti/registrations"},
            EndpointElsewhere,
            id="registration_of_a_stranger",
        ),
    ],
)
def test_nobody_else_speaks_for_canvas(
    source: str, changes: dict[str, Any], refusal: type[RegistrationRefused]
) -> None:
    said = canvas_document("https://canvas.instructure.com", "school.instructure.com", **changes)
    with pytest.raises(refusal):
        checked(said, f"{source}/api/lti/security/openid-configuration")


def test_an_issuer_like_canvas_s_is_not_canvas_s() -> None:
    said = canvas_document("https://canvas.instructure.com", "school.instructure.com")
    with pytest.raises(IssuerElsewhere):
        checked(said | {"issuer": "https://canvas.instructure.com/"}, "https://school.instructure.com/")


# The application ----------------------------------------------------------------------------------------------------


def test_a_canvas_without_our_placements_gets_no_message_rather_than_a_bare_one() -> None:
    platform = checked(
        canvas_document("https://canvas.instructure.com", "a.instructure.com"), "https://a.instructure.com/"
    )
    asked_for_all = application(platform, base_url=BASE_URL, login_key=LOGIN_KEY, wants_names=False)
    tool = asked_for_all[TOOL_CONFIGURATION]
    assert [len(message["placements"]) for message in tool["messages"]] == [3, 1]
    assert tool[f"{EXTENSION}privacy_level"] == "anonymous"
    assert tool["claims"] == ["iss", "sub"]
    few = replace(platform, placements=frozenset({"editor_button"}))
    sent = application(few, base_url=BASE_URL, login_key=LOGIN_KEY, wants_names=False)
    assert sent[TOOL_CONFIGURATION]["messages"] == []


def test_the_domain_is_host_and_port_of_the_launch_address_also_below_a_path() -> None:
    platform = checked(document(), "https://moodle.example.edu/")
    sent = application(platform, base_url="http://localhost:8400/quiz", login_key=LOGIN_KEY, wants_names=True)
    assert sent[TOOL_CONFIGURATION]["domain"] == "localhost:8400"
    assert sent[TOOL_CONFIGURATION]["target_link_uri"] == "http://localhost:8400/quiz/lti/launch"
    assert sent["initiate_login_uri"] == f"http://localhost:8400/quiz/lti/login/{LOGIN_KEY}"


# Tickets ------------------------------------------------------------------------------------------------------------


def test_a_ticket_hides_and_keeps_what_it_carries() -> None:
    ticket = Ticket(invitation_id=7, configuration_url="https://a.example/?t=1", registration_token="secret-token")
    text = sealed(ticket, "a secret of more than thirty-two characters")
    assert "secret-token" not in text
    assert "secret-token" not in repr(ticket)
    assert opened(text, "a secret of more than thirty-two characters", invitation_id=7) == ticket
    for secret, invitation_id in (
        ("another secret of thirty-two characters", 7),
        ("a secret of more than thirty-two characters", 8),
    ):
        with pytest.raises(RegistrationRefused):
            opened(text, secret, invitation_id=invitation_id)


# Canvas's developer key ---------------------------------------------------------------------------------------------

_REQUIRED = ("title", "description", "target_link_uri", "oidc_initiation_url")
_PLACEMENT_TYPES = {
    "assignment_selection": {"LtiDeepLinkingRequest", "LtiResourceLinkRequest"},
    "link_selection": {"LtiDeepLinkingRequest", "LtiResourceLinkRequest"},
    "course_assignments_menu": {"LtiDeepLinkingRequest", "LtiResourceLinkRequest"},
    "course_navigation": {"LtiResourceLinkRequest"},
}
_PLACEMENT_FIELDS = {
    "placement": str,
    "target_link_uri": str,
    "text": str,
    "icon_url": str,
    "message_type": str,
    "selection_width": int,
    "selection_height": int,
    "enabled": bool,
    "visibility": str,
    "default": str,
    "display_type": str,
}


def test_the_developer_key_has_the_shape_that_canvas_documents() -> None:
    key = developer_key(BASE_URL, wants_names=True)
    assert all(isinstance(key[name], str) and key[name] for name in _REQUIRED)
    assert key["oidc_initiation_url"] == f"{BASE_URL}/lti/login"
    assert key["public_jwk_url"] == f"{BASE_URL}/lti/jwks.json"
    assert "https://purl.imsglobal.org/spec/lti-ags/scope/score" in key["scopes"]
    assert key["custom_fields"]["due_at"] == "$Canvas.assignment.dueAt.iso8601"
    (extension,) = key["extensions"]
    assert extension["platform"] == "canvas.instructure.com"
    assert extension["domain"] == "quiz.example.edu"
    assert extension["privacy_level"] == "name_only"
    assert extension["tool_id"]
    placements = extension["settings"]["placements"]
    assert [one["placement"] for one in placements] == list(_PLACEMENT_TYPES)
    for one in placements:
        assert one["message_type"] in _PLACEMENT_TYPES[one["placement"]]
        assert one["target_link_uri"] == f"{BASE_URL}/lti/launch"
        assert {name: type(value) for name, value in one.items()} == {name: _PLACEMENT_FIELDS[name] for name in one}
    assert placements[-1]["default"] == "disabled"
