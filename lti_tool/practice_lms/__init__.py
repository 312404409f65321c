"""A small learning platform to try an LTI 1.3 tool with: for demonstrations and tests, never for real courses.

It is built on ``lti1p3platform`` and knows nothing of the tool: they meet over HTTP only. It has an issuer, keys and a
gradebook of its own, and refuses what strict platforms refuse.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, g, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from lti_tool.practice_lms import admin, deep_linking, grades, launches, members, pages, registration, tokens
from lti_tool.practice_lms.counters import count_requests
from lti_tool.practice_lms.database import Database
from lti_tool.practice_lms.errors import PageRefused, TokenRefused, ToolKeysUnavailable, ToolMessageRefused
from lti_tool.practice_lms.gradebook import points_text
from lti_tool.practice_lms.identity import load_identity
from lti_tool.practice_lms.lms import EXTENSION, PracticeLms, current_lms
from lti_tool.practice_lms.tool_keys import ToolKeys
from lti_tool.practice_lms.tools import list_tools

__all__ = ["create_practice_lms"]

_MAX_BODY_BYTES = 512 * 1024


def create_practice_lms(folder: Path, issuer: str, tool_origin: str | None = None) -> Flask:
    """The practice LMS as a WSGI application.

    ``folder`` keeps its database, key and admin token (made where missing); ``issuer`` is the address browsers and
    tools reach it at, e.g. ``http://127.0.0.1:8401``. Registered tools may be framed, and ``tool_origin`` too: for a
    tool whose pages live on another origin than its launch address. Raises ``ValueError`` for an issuer that is no
    plain address, ``OSError`` where the folder cannot be written.
    """
    parts = urlsplit(issuer)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query or parts.fragment:
        raise ValueError(f"the issuer must be an address such as http://127.0.0.1:8401, not {issuer!r}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(path=folder / "practice_lms.sqlite3")
    database.create()
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=_MAX_BODY_BYTES)
    app.extensions[EXTENSION] = PracticeLms(
        issuer=issuer,
        database=database,
        identity=load_identity(folder),
        tool_keys=ToolKeys(),
        extra_frame_origin=tool_origin,
    )
    app.add_template_filter(points_text, "points")
    app.add_template_filter(_moment, "moment")
    app.add_template_filter(_utc_field, "utc_field")
    app.before_request(_stay_on_the_issuer)
    app.after_request(_add_headers)
    app.add_url_rule("/health", view_func=_health)
    count_requests(app)
    for part in (admin, deep_linking, grades, launches, members, pages, registration, tokens):
        app.register_blueprint(part.blueprint)
    app.register_error_handler(PageRefused, _refuse_page)
    app.register_error_handler(ToolMessageRefused, _refuse_message)
    app.register_error_handler(ToolKeysUnavailable, _no_tool_keys)
    app.register_error_handler(TokenRefused, _refuse_token)
    return app


def _health() -> Response:
    return jsonify(status="ok")


def _stay_on_the_issuer() -> BaseResponse | None:
    """Leads a person who came by another name (localhost for 127.0.0.1) to the issuer.

    Under the tool's own host name the frames would be same-site, and cookies would behave as they never do in an LMS.
    """
    g.csp_nonce = secrets.token_urlsafe(16)
    own = current_lms().url
    if request.method == "GET" and request.host != urlsplit(own).netloc and request.endpoint in _PERSONAL:
        return redirect(own + request.full_path.removesuffix("?"))
    return None


_PERSONAL = frozenset(
    {
        "pages.who_are_you",
        "pages.course",
        "pages.activity",
        "pages.add_activity",
        "pages.gradebook",
        "registration.tools",
        "registration.add",
    }
)


def _add_headers(response: Response) -> Response:
    """Headers of a careful site. Frames and form targets are open to the registered tools only."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    if request.endpoint == "static":
        return response
    response.headers.setdefault("Cache-Control", "no-store")
    if response.mimetype == "text/html":
        lms = current_lms()
        with lms.database.transaction() as connection:
            origins = {origin for tool in list_tools(connection) for origin in tool.origins}
        # A tool that is about to register is framed before it is known.
        origins |= {origin for origin in (lms.extra_frame_origin, g.get("framed_origin")) if origin}
        tools = " ".join(sorted(origins))
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; script-src 'self' 'nonce-{g.csp_nonce}'; style-src 'self'; img-src 'self' data:;"
            f" connect-src 'self'; frame-src 'self' {tools}; form-action 'self' {tools};"
            " frame-ancestors 'self'; base-uri 'none'"
        )
    return response


def _moment(timestamp: str) -> str:
    moment = datetime.fromisoformat(timestamp).astimezone()
    return f"{moment.day} {moment:%b %Y, %H:%M %Z}"


def _utc_field(timestamp: str) -> str:
    """A moment as the value of a ``datetime-local`` field, in UTC."""
    return datetime.fromisoformat(timestamp).astimezone(UTC).strftime("%Y-%m-%dT%H:%M")


def _refuse_page(error: PageRefused) -> tuple[str, int]:
    return render_template("error.html", status=error.status, message=str(error)), error.status


def _refuse_message(error: ToolMessageRefused) -> tuple[str, int]:
    return render_template("error.html", status=error.status, message=str(error)), error.status


def _no_tool_keys(error: ToolKeysUnavailable) -> tuple[str, int]:
    message = f"The tool's public keys could not be fetched: {error}"
    return render_template("error.html", status=502, message=message), 502


def _refuse_token(error: TokenRefused) -> tuple[Response, int]:
    return jsonify(error=error.code, error_description=str(error)), 400
