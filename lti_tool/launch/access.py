"""What guards the pages behind a launch: whose session it is, what its role may do, whether a form is its own.

A session's cookie is bound to the path of its launch, so two quizzes in two tabs never mix. Where the browser keeps no
cookie, the page holds the same secret as a token and sends it along (docs/decisions/0006-launch-without-cookies.md).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import ParamSpec
from urllib.parse import urlsplit
from uuid import UUID

from flask import g, request
from flask.typing import ResponseReturnValue
from psycopg import Connection
from werkzeug.wrappers import Response

from lti_tool.errors import NotAllowed, SessionMissing
from lti_tool.launch.errors import FormNotOurs
from lti_tool.launch.platforms import origin_of
from lti_tool.launch.sessions import LaunchSession, find_session
from lti_tool.web import services

SESSION_COOKIE = "__Secure-launch"
# What brought a request's secret: the browser's cookie, a script's Authorization header, or a field of a form.
BY_COOKIE, BY_HEADER, BY_FORM = "cookie", "header", "form"
SESSION_SECONDS = 12 * 60 * 60
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_Parameters = ParamSpec("_Parameters")


def with_session(
    *roles: str,
) -> Callable[[Callable[_Parameters, ResponseReturnValue]], Callable[_Parameters, ResponseReturnValue]]:
    """Decorate a view under ``/launches/<uuid:launch_id>/…``: it runs with ``g.launch_session`` of one of ``roles``.

    A request that changes something must also carry the launch's form token. Raises :class:`SessionMissing`,
    :class:`NotAllowed` or :class:`FormNotOurs`.
    """

    def decorate(view: Callable[_Parameters, ResponseReturnValue]) -> Callable[_Parameters, ResponseReturnValue]:
        @wraps(view)
        def guarded(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> ResponseReturnValue:
            session = _load_session()
            if roles and session.role not in roles:
                raise NotAllowed(f"role {session.role} is not one of {', '.join(roles)}")
            if request.method not in _SAFE_METHODS:
                check_csrf()
            return view(*args, **kwargs)

        return guarded

    return decorate


def current_session() -> LaunchSession:
    """The session of this request. Raises :class:`SessionMissing` outside of :func:`with_session`."""
    session: LaunchSession | None = g.get("launch_session")
    if session is None:
        raise SessionMissing("no launch was loaded for this request")
    return session


def launch_transaction() -> AbstractContextManager[Connection]:
    """A transaction of the tenant of this launch: what the page may see at most, whatever its queries forget."""
    return services().database.transaction(current_session().registration_id)


def set_session_cookie(response: Response, session_id: UUID, secret: str, *, base_path: str) -> None:
    """Give the browser the session's secret, for the pages of this launch only."""
    response.set_cookie(
        SESSION_COOKIE,
        secret,
        max_age=SESSION_SECONDS,
        path=f"{base_path}/launches/{session_id}/",
        secure=True,
        httponly=True,
        samesite="None",
        partitioned=True,
    )


def csrf_token() -> str:
    """The token that each form of this launch carries as ``csrf_token``; empty outside of a launch."""
    secret: str = g.get("launch_secret", "")
    return hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest() if secret else ""


def launch_token() -> str:
    """The token that a page must send along because its browser keeps no cookie; empty where the cookie does it."""
    return "" if g.get("launch_carrier", BY_COOKIE) == BY_COOKIE else g.get("launch_secret", "")


def may_reopen() -> bool:
    """Whether this page was asked for without any secret: its script may still hold the launch's token."""
    return g.get("launch_secret_missing", False)


def check_csrf() -> None:
    """Raise :class:`FormNotOurs` unless the request carries the launch's token and comes from our own pages.

    The cookie alone proves nothing: inside frames it must be sent along with requests of other sites.
    """
    sent = request.headers.get("X-CSRF-Token") or request.form.get("csrf_token", "")
    expected = csrf_token()
    if not expected or not secrets.compare_digest(sent.encode("utf-8", "replace"), expected.encode()):
        raise FormNotOurs("the form token is missing or wrong")
    check_not_from_elsewhere()


def check_not_from_elsewhere() -> None:
    """Raise :class:`FormNotOurs` if the browser says that another site or origin sent this request."""
    fetch_site = request.headers.get("Sec-Fetch-Site")
    if fetch_site is not None and fetch_site != "same-origin":
        raise FormNotOurs("the form was sent from another site")
    # Under Referrer-Policy: no-referrer browsers say "null" for our own forms too; then Sec-Fetch-Site tells.
    origin = request.headers.get("Origin", "null")
    if origin != "null" and origin != origin_of(services().settings.base_url):
        raise FormNotOurs("the form was sent from another origin")


def allow_any_frame() -> None:
    """Let a page that only says why something is refused show inside any platform: who frames it is not known."""
    g.frame_ancestors = ["https:", *(["http:"] if urlsplit(services().settings.base_url).scheme == "http" else [])]


def _load_session() -> LaunchSession:
    launch_id = (request.view_args or {}).get("launch_id")
    secret, carrier = _sent_secret()
    session = None
    if isinstance(launch_id, UUID) and secret:
        with services().database.across_tenants() as connection:
            session = find_session(connection, launch_id, secret)
    if session is None:
        allow_any_frame()
        g.launch_secret_missing = not secret
        raise SessionMissing("neither cookie nor token" if not secret else "the session is over, or another's")
    g.launch_session = session
    g.launch_secret, g.launch_carrier = secret, carrier
    g.frame_ancestors = list(session.frame_ancestors)
    return session


def _sent_secret() -> tuple[str, str]:
    """The secret that came with this request, and what brought it.

    A form proves nothing about who sent it: another site could post the token of its own launch, and have the person
    answer there. So the browser itself must say that the form is ours. Raises :class:`FormNotOurs`.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip(), BY_HEADER
    if token := request.form.get("launch_token", ""):
        allow_any_frame()
        check_not_from_elsewhere()
        if "Sec-Fetch-Site" not in request.headers and request.headers.get("Origin", "null") == "null":
            raise FormNotOurs("nothing says that the form with the token is ours")
        return token, BY_FORM
    return request.cookies.get(SESSION_COOKIE, ""), BY_COOKIE
