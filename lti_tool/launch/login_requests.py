"""Third-party initiated logins: what a platform asks, whose it is, and the way to the platform's own login.

LTI security framework 1.0 section 5.1.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from psycopg import Connection
from werkzeug.datastructures import MultiDict

from lti_tool.launch.errors import ClientAmbiguous, IssuerMissing, LoginHintMissing, LoginMalformed, NotRegistered
from lti_tool.launch.logins import IssuedLogin, Login, LoginHints
from lti_tool.launch.platforms import Registration, find_registration_by_login_key, list_registrations

_MAX_PARAMETER = 8192
_MAX_FRAME_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRequest:
    """What a platform sends to begin a login; an absent ``target_link_uri`` is empty.

    ``storage_target`` is the platform's frame that keeps data for tools (LTI OIDC login with client side
    postMessages, section 2.1): ``_parent`` or a name.
    """

    issuer: str
    client_id: str | None
    target_link_uri: str
    hints: LoginHints
    storage_target: str | None


def login_request(parameters: MultiDict[str, str]) -> LoginRequest:
    """The login that form or query describe.

    Raises :class:`IssuerMissing`, :class:`LoginHintMissing` or :class:`LoginMalformed`.
    """
    issuer = _parameter(parameters, "iss")
    if issuer is None:
        raise IssuerMissing("no iss")
    login_hint = _parameter(parameters, "login_hint")
    if login_hint is None:
        raise LoginHintMissing("no login_hint")
    return LoginRequest(
        issuer=issuer,
        client_id=_parameter(parameters, "client_id"),
        target_link_uri=_parameter(parameters, "target_link_uri") or "",
        hints=LoginHints(login_hint=login_hint, lti_message_hint=_parameter(parameters, "lti_message_hint")),
        storage_target=_storage_target(parameters),
    )


def registration_for(connection: Connection, asked: LoginRequest, login_key: UUID | None) -> Registration:
    """The registration that a login is for: that of its address, or the only one that fits.

    Raises :class:`NotRegistered`, the same for an unknown address, issuer and client, or :class:`ClientAmbiguous`.
    """
    if login_key is None:
        known = list_registrations(connection, issuer=asked.issuer)
    else:
        found = find_registration_by_login_key(connection, login_key)
        known = [found] if found is not None and found.issuer == asked.issuer else []
    fitting = [registration for registration in known if asked.client_id in (None, registration.client_id)]
    if not fitting:
        raise NotRegistered("no registration for this issuer and client")
    if len(fitting) > 1:
        raise ClientAmbiguous("several registrations at this issuer, and no client_id")
    return fitting[0]


def authentication_url(registration: Registration, issued: IssuedLogin, hints: LoginHints, redirect_uri: str) -> str:
    """The platform's login with our request (section 5.1.1.2); the redirect address is always the same."""
    query = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": registration.client_id,
        "redirect_uri": redirect_uri,
        "state": issued.state,
        "nonce": issued.nonce,
    }
    separator = "&" if urlsplit(registration.auth_login_url).query else "?"
    return f"{registration.auth_login_url}{separator}{urlencode(query | _echoed(hints))}"


def restart_url(base_url: str, registration: Registration, login: Login, hints: LoginHints | None) -> str:
    """Where a new window begins the same login again, ``""`` if the hints for it were too long to keep."""
    if hints is None:
        return ""
    query = {
        "iss": registration.issuer,
        "client_id": registration.client_id,
        "target_link_uri": login.target_link_uri,
    }
    return f"{base_url}/lti/login/{registration.login_key}?{urlencode(query | _echoed(hints))}"


def _echoed(hints: LoginHints) -> dict[str, str]:
    echoed = {"login_hint": hints.login_hint}
    if hints.lti_message_hint is not None:
        echoed["lti_message_hint"] = hints.lti_message_hint
    return echoed


def _storage_target(parameters: MultiDict[str, str]) -> str | None:
    target = _parameter(parameters, "lti_storage_target")
    if target is not None and (len(target) > _MAX_FRAME_NAME or not target.isprintable()):
        raise LoginMalformed("lti_storage_target is too long or unreadable")
    return target


def _parameter(parameters: MultiDict[str, str], name: str) -> str | None:
    """One parameter; ``None`` if absent or empty."""
    values = parameters.getlist(name)
    if len(values) > 1:
        raise LoginMalformed(f"{name} is repeated")
    value = values[0] if values else ""
    if len(value) > _MAX_PARAMETER or "\x00" in value or "\ufffd" in value:
        raise LoginMalformed(f"{name} is too long or unreadable")
    return value or None
