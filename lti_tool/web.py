"""What every page shares: security headers, locale, correlation ids, error pages, size limits."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, current_app, g, make_response, render_template, request
from flask_babel import Babel, gettext
from markupsafe import Markup
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.errors import DatabaseUnavailable, Refused

LOCALES = ("en", "ko")
MAX_BODY_BYTES = 4 * 1024 * 1024
RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur"})
# An LMS may send words of its own, as en_kids: a browser would refuse some of them.
_WITH_REGION = re.compile(r"[a-z]{2,3}-(?:[A-Za-z]{2}|[0-9]{3})")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the views need: settings, database, and the secret that signs form tokens."""

    settings: Settings
    database: Database
    secret: str


def services() -> Services:
    """The services of the running app."""
    return current_app.extensions["mlquiz"]


def init_app(app: Flask) -> None:
    """Hook headers, locale, correlation ids and error pages into the app."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["BABEL_DEFAULT_LOCALE"] = "en"
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = "translations"
    Babel(app, locale_selector=page_locale)
    app.before_request(_begin_request)
    app.after_request(_set_headers)
    app.register_error_handler(Refused, _refused_page)
    app.register_error_handler(HTTPException, _http_error_page)
    app.register_error_handler(DatabaseUnavailable, _unavailable_page)
    app.register_error_handler(Exception, _failure_page)
    app.add_template_filter(localtime, "localtime")
    app.context_processor(_page_values)


def page_locale() -> str:
    """The locale of the page: from the launch, else what the browser prefers."""
    session = g.get("launch_session")
    if session is not None and session.locale.split("-")[0].split("_")[0] in LOCALES:
        return session.locale.split("-")[0].split("_")[0]
    return request.accept_languages.best_match(LOCALES, "en")


def page_region() -> str:
    """How the LMS writes dates, as ``en-GB``; empty where it does not say, or where the page is in another language."""
    session = g.get("launch_session")
    locale = session.locale.replace("_", "-") if session is not None else ""
    return locale if _WITH_REGION.fullmatch(locale) and locale.split("-")[0] == page_locale() else ""


def localtime(moment: datetime | None) -> Markup:
    """A ``<time>`` element in UTC; the page's script shows it in the reader's zone."""
    if moment is None:
        return Markup("")
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        utc.strftime("%Y-%m-%dT%H:%M:%SZ"), utc.strftime("%Y-%m-%d %H:%M")
    )


# Each request ------------------------------------------------------------------------------------------------------


def _begin_request() -> None:
    g.correlation_id = secrets.token_hex(6)
    g.frame_ancestors = []
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(correlation_id=g.correlation_id)


def _page_values() -> dict[str, object]:
    locale = page_locale()
    return {
        "page_locale": locale,
        "page_region": page_region(),
        "page_direction": "rtl" if locale in RIGHT_TO_LEFT else "ltr",
        "correlation_id": g.get("correlation_id", ""),
    }


def _set_headers(response: Response) -> Response:
    """Deny by default; a page may be framed only by the platform whose launch made it (lti.md of the design, CSP3)."""
    if "Content-Security-Policy" not in response.headers:
        response.headers["Content-Security-Policy"] = content_security_policy()
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), payment=(), usb=()"
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    if urlsplit(services().settings.base_url).scheme == "https":
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


def content_security_policy(*, script_nonce: str = "", form_targets: tuple[str, ...] = ()) -> str:
    """The policy of a page: own files only, framed by the launch's platform only.

    ``script_nonce`` allows one inline script, ``form_targets`` other origins that a form may post to.
    """
    scripts = f"'self' 'nonce-{script_nonce}'" if script_nonce else "'self'"
    forms = " ".join(("'self'", *form_targets))
    ancestors = " ".join(["'self'", *g.get("frame_ancestors", [])])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self' data:; font-src 'self';"
        f" connect-src 'self'; base-uri 'none'; form-action {forms}; frame-ancestors {ancestors}"
    )


# Error pages -------------------------------------------------------------------------------------------------------


def _refused_page(error: Refused) -> Response:
    _log.warning("refused", code=error.code, status=error.status, detail=error.log_detail)
    return error_page(error)


def error_page(error: Refused) -> Response:
    """A page with a sentence for the student, one for the instructor, the code, and nothing of the cause."""
    if request.accept_mimetypes.best == "application/json":
        response = make_response({"code": error.code, "message": gettext(error.student_text)})
    else:
        response = make_response(render_template("error.html", error=error))
    response.status_code = error.status
    retry_after = getattr(error, "retry_after_seconds", None)
    if retry_after is not None:
        response.headers["Retry-After"] = str(int(retry_after))
    return response


def _http_error_page(error: HTTPException) -> Response:
    problem = Refused(error.description or "", instructor_text=f"HTTP {error.code}: {error.name}")
    problem.status = error.code or 500
    problem.code = f"HTTP-{error.code}"
    if isinstance(error, RequestEntityTooLarge):
        problem.student_text = "This is too large to be handed in. Please shorten your answer; what was saved is kept."
    elif error.code == HTTPStatus.NOT_FOUND:
        problem.student_text = "There is nothing here. Please open the quiz from your course."
    response = error_page(problem)
    for name, value in error.get_headers():
        if name.lower() in {"allow", "retry-after"}:
            response.headers[name] = value
    return response


def _unavailable_page(error: DatabaseUnavailable) -> Response:
    _log.error("database unavailable", error=str(error))
    problem = Refused(
        student_text="The quiz is not available at this moment. Keep this page open and try again in a minute.",
        instructor_text="The database does not answer. If this lasts, tell whoever runs the tool.",
    )
    problem.status, problem.code = 503, "UNAVAILABLE"
    response = error_page(problem)
    response.headers["Retry-After"] = "30"
    return response


def _failure_page(error: Exception) -> Response:
    _log.error("unexpected failure", exc_info=error)
    problem = Refused(
        student_text="Something went wrong on our side. Please try again; what was saved is kept.",
        instructor_text="An unexpected error was logged. Quote the number below when you report it.",
    )
    problem.status, problem.code = 500, "INTERNAL"
    return error_page(problem)
