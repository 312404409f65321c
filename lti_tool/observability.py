"""Logs and health: one line an event, ids bound once, no student text and no names."""

from __future__ import annotations

import logging
import sys

import structlog
from flask import Blueprint, Response, jsonify

from config.settings import Settings
from lti_tool.errors import DatabaseUnavailable


class _StandardError(logging.Handler):
    """Writes to standard error as it is at that moment, which may have been replaced since the start."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:
            self.handleError(record)


blueprint = Blueprint("observability", __name__)


def configure(settings: Settings) -> None:
    """Send structlog and the standard library's loggers to standard error in one format."""
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    for old in [item for item in root.handlers if isinstance(item, _StandardError)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.log_level)
    for noisy in ("urllib3", "httpx", "kombu", "amqp", "filelock"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


@blueprint.get("/health/live")
def live() -> Response:
    """The process answers."""
    return jsonify(status="ok")


@blueprint.get("/health/ready")
def ready() -> tuple[Response, int]:
    """200 when the database answers, 503 otherwise: for load balancers."""
    from lti_tool.web import services

    try:
        with services().database.across_tenants() as connection:
            connection.execute("SELECT 1")
    except DatabaseUnavailable:
        return jsonify(status="unavailable", part="database"), 503
    return jsonify(status="ok"), 200
