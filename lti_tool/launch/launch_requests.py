"""What a launch is as a request: its form, the login that it answers, the browser that it comes from.

LTI security framework 1.0 section 5.1.1.3.
"""

from __future__ import annotations

from flask import g, request
from werkzeug.exceptions import RequestEntityTooLarge

from lti_tool.launch import access, logins, platform_storage, platforms
from lti_tool.launch.errors import (
    AlreadyLaunched,
    CookieMissing,
    FormNotOurs,
    LaunchNotAForm,
    LaunchTooLarge,
    PlatformSaidNo,
    RegistrationDisabled,
    StateExpired,
    StateMissing,
    StateUnknown,
    TokenMalformed,
    TokenMissing,
)
from lti_tool.launch.id_token import MAX_TOKEN_BYTES
from lti_tool.launch.login_requests import restart_url
from lti_tool.web import services


def launch_form() -> tuple[str, str]:
    """``id_token`` and ``state`` of a launch, or the refusal that their absence or the platform's error means."""
    request.max_content_length = MAX_TOKEN_BYTES
    if (request.content_length or 0) > MAX_TOKEN_BYTES:
        raise LaunchTooLarge(f"{request.content_length} bytes")
    if request.mimetype != "application/x-www-form-urlencoded":
        raise LaunchNotAForm("not application/x-www-form-urlencoded")
    try:
        form = request.form
    except RequestEntityTooLarge as error:
        raise LaunchTooLarge("more than the limit, without a length") from error
    if form.get("error"):
        raise PlatformSaidNo("the platform sent an error instead of a token")
    for name, missing in (("id_token", TokenMissing), ("state", StateMissing)):
        if not form.get(name):
            raise missing(f"no {name}")
        if len(form.getlist(name)) > 1:
            raise TokenMalformed(f"{name} is repeated")
    return form["id_token"], form["state"]


def open_login(state: str) -> tuple[logins.Login, platforms.Registration]:
    """The login that this launch answers, if it is still open, and its registration."""
    with services().database.across_tenants() as connection:
        login = logins.find_login(connection, state)
        if login is None:
            raise StateUnknown("the state was never issued")
        registration = platforms.get_registration(connection, login.registration_id)
    g.launch_registration_id, g.launch_nonce_hash = registration.id, login.nonce_hash
    if login.used_at is not None:
        raise AlreadyLaunched("the state was used before")
    if login.is_expired:
        raise StateExpired("the login is older than ten minutes")
    if registration.disabled_at is not None:
        raise RegistrationDisabled("the registration is disabled")
    return login, registration


def is_of_this_browser(state: str, login: logins.Login, registration: platforms.Registration) -> bool:
    """Whether the browser proved to be the one that logged in; ``False`` while the platform's frame may tell.

    The proof of that frame comes in a header of our own, which no other site can send. Raises :class:`CookieMissing`.
    """
    restart = restart_address(state, login, registration)
    proof = request.headers.get(platform_storage.PROOF_HEADER)
    if proof is not None:
        try:
            access.check_not_from_elsewhere()
        except FormNotOurs as error:
            raise CookieMissing(error.log_detail, restart_url=restart) from error
        if login.storage_target is None or not logins.is_of_this_browser(state, proof):
            raise CookieMissing("the proof is not of this login", restart_url=restart)
        return True
    if logins.is_of_this_browser(state, request.cookies.get(logins.cookie_name(state))):
        return True
    if login.storage_target is None:
        raise CookieMissing("no cookie of this login", restart_url=restart)
    return False


def restart_address(state: str, login: logins.Login, registration: platforms.Registration) -> str:
    """Where a new window begins the login of this launch again; empty if its hints were too long to keep."""
    return restart_url(services().settings.base_url, registration, login, logins.hints_of(state))
