"""What guards every page of the administration: one place that no view can forget.

A session's secret is in a cookie that no other site can cause to be sent; forms carry a token of the session as well;
no page may be framed by anybody.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Blueprint, Flask, current_app, g, render_template, request
from flask import Response as FlaskResponse
from werkzeug.wrappers import Response

from lti_tool.admin.errors import AdminRefused, FormNotOfSession, SignInNeeded, TooManyRequests
from lti_tool.admin.sessions import SESSION_SECONDS, is_open_session
from lti_tool.launch.platforms import origin_of
from lti_tool.launch.rates import MinuteLimit
from lti_tool.platform_check import PlatformCheck
from lti_tool.web import services

REQUESTS_PER_MINUTE = 300
SIGN_INS_PER_MINUTE = 20
CHECKS_PER_MINUTE = 20
_SIGN_IN = frozenset({"admin.sign_in", "admin.sign_in_now"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminServices:
    """What this process keeps for the administration."""

    check: PlatformCheck
    requests: MinuteLimit
    sign_ins: MinuteLimit
    checks: MinuteLimit


def admin_services() -> AdminServices:
    """The services of the running app."""
    return current_app.extensions["mlquiz.admin"]


def start_services(app: Flask) -> None:
    """Give the app what its administration keeps."""
    common = app.extensions["mlquiz"]
    app.extensions["mlquiz.admin"] = AdminServices(
        check=PlatformCheck(common.settings, common.database),
        requests=MinuteLimit(REQUESTS_PER_MINUTE),
        sign_ins=MinuteLimit(SIGN_INS_PER_MINUTE),
        checks=MinuteLimit(CHECKS_PER_MINUTE),
    )


def guard(blueprint: Blueprint) -> None:
    """Let nobody past who is not signed in, and give each page its headers and form token."""
    blueprint.before_request(_check_request)
    blueprint.after_request(_set_headers)
    blueprint.register_error_handler(AdminRefused, _refused_page)
    blueprint.context_processor(lambda: {"csrf_token": csrf_token})


def limit(counter: MinuteLimit) -> None:
    """Raise :class:`TooManyRequests` once this address has had its share of the minute."""
    if not counter.allows(request.remote_addr or ""):
        raise TooManyRequests("too many requests from one address")


def csrf_token() -> str:
    """The token that each form of this session carries as ``csrf_token``; empty while nobody is signed in."""
    secret: str = g.get("admin_secret", "")
    return hmac.new(secret.encode(), b"admin form", hashlib.sha256).hexdigest() if secret else ""


def set_session_cookie(response: Response, secret: str) -> None:
    """Give the browser the session's secret; it goes to this tool only, and never along with links of other sites."""
    name, is_https = _cookie()
    response.set_cookie(
        name, secret, max_age=SESSION_SECONDS, path="/", secure=is_https, httponly=True, samesite="Strict"
    )


def delete_session_cookie(response: Response) -> None:
    """Take the secret back."""
    name, is_https = _cookie()
    response.delete_cookie(name, path="/", secure=is_https, httponly=True, samesite="Strict")


def _cookie() -> tuple[str, bool]:
    """Name of the cookie and whether it is ``Secure``: a ``__Host-`` cookie cannot be planted by another host.

    http://localhost gets a plain one, which all browsers keep there.
    """
    is_https = urlsplit(services().settings.base_url).scheme == "https"
    return ("__Host-admin" if is_https else "admin", is_https)


def _check_request() -> None:
    limit(admin_services().requests)
    if request.endpoint in _SIGN_IN:
        if request.method == "POST":
            _check_origin()
        return
    secret = request.cookies.get(_cookie()[0], "")
    with services().database.across_tenants() as connection:
        if not secret or not is_open_session(connection, secret):
            raise SignInNeeded("no session of the administration")
    g.admin_secret = secret
    if request.method == "POST":
        _check_origin()
        sent = request.form.get("csrf_token", "")
        if not secrets.compare_digest(sent.encode("utf-8", "replace"), csrf_token().encode()):
            raise FormNotOfSession("the form token is missing or wrong")


def _check_origin() -> None:
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise FormNotOfSession("the form was sent from another site")
    # Under Referrer-Policy: no-referrer browsers say "null" for our own forms too; then Sec-Fetch-Site tells.
    if request.headers.get("Origin", "null") not in {"null", origin_of(services().settings.base_url)}:
        raise FormNotOfSession("the form was sent from another origin")


def _set_headers(response: FlaskResponse) -> FlaskResponse:
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    response.headers["X-Frame-Options"] = "DENY"
    return response


def _refused_page(error: AdminRefused) -> tuple[str, int, dict[str, str]]:
    retry_after = getattr(error, "retry_after_seconds", None)
    headers = {"Retry-After": str(retry_after)} if retry_after else {}
    return render_template("admin/error.html", error=error), error.status, headers
