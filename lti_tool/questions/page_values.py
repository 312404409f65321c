"""What the templates of quizzes, attempts and results share: number formats and the launch they belong to."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from flask import Blueprint, current_app, g
from flask_babel import format_decimal, format_timedelta, gettext
from markupsafe import Markup

from lti_tool.launch.sessions import LaunchSession
from lti_tool.questions.forms import QUIZ_LANGUAGES, plain_number


def register(blueprint: Blueprint) -> None:
    """Hook filters, values and link defaults into the app that the blueprint joins."""
    blueprint.add_app_template_filter(points_text, "points")
    blueprint.add_app_template_filter(plain_number, "plain_number")
    blueprint.add_app_template_filter(duration_text, "duration")
    blueprint.add_app_template_filter(translated, "translated")
    blueprint.add_app_template_filter(with_code, "with_code")
    blueprint.add_app_template_filter(language_name, "language_name")
    blueprint.app_context_processor(launch_values)
    blueprint.app_url_defaults(stay_in_this_launch)


def points_text(points: Decimal | float) -> str:
    """Points in the reader's own number format, at most two decimals: ``3.5`` or ``3,5``."""
    return format_decimal(points, format="#,##0.##")


def duration_text(duration: timedelta) -> str:
    """A length of time in the reader's language, in the largest unit of which it has three: ``49 hours``."""
    return format_timedelta(duration, threshold=3)


def language_name(code: str) -> str:
    """The language's name in itself, for students who are to write in it."""
    return QUIZ_LANGUAGES.get(code, code)


def translated(sentence: str) -> Markup:
    """A sentence that came from elsewhere, in the reader's language.

    Unlike ``_()`` in a template, which takes its text for trusted markup with ``%`` places, this is plain text.
    """
    return with_code(gettext(sentence))


def with_code(sentence: str) -> Markup:
    """Plain text as markup, in which what stands between two backticks is set as code."""
    parts = enumerate(re.split("`([^`]+)`", sentence))
    return Markup().join(Markup("<code>{}</code>").format(part) if number % 2 else part for number, part in parts)


def launch_values() -> dict[str, object]:
    """The launch of this page, ``None`` on a page without one."""
    return {"launch": g.get("launch_session")}


def stay_in_this_launch(endpoint: str, values: dict[str, object]) -> None:
    """Links of a page lead to pages of the same launch."""
    session: LaunchSession | None = g.get("launch_session")
    if session is not None and current_app.url_map.is_endpoint_expecting(endpoint, "launch_id"):
        values.setdefault("launch_id", session.id)
