"""The schedule of key rotation: an hourly look whether the newest signing key has reached its age."""

from __future__ import annotations

import structlog

from lti_tool.launch.keys import ToolKeyUnreadable, rotate_if_due
from lti_tool.secrets import app_secret
from lti_tool.worker import ROTATE_KEYS, Workbench, celery, workbench

_log = structlog.get_logger(__name__)


@celery.task(name=ROTATE_KEYS)
def rotate_keys() -> None:
    """Publish a new key once the newest one is KEY_ROTATION_DAYS old; it signs a day later."""
    rotate_on_schedule(workbench())


def rotate_on_schedule(bench: Workbench) -> str | None:
    """The ``kid`` of the new key, or ``None`` where none was due or the application secret does not fit the keys."""
    days = bench.settings.key_rotation_days
    try:
        with bench.database.across_tenants() as connection:
            kid = rotate_if_due(connection, app_secret(bench.settings), days=days)
    except ToolKeyUnreadable as error:
        # Trying again will not help, a person must: the message says how.
        _log.critical("keys not rotated", error=str(error))
        return None
    if kid is not None:
        _log.info("signing key published", kid=kid, signs_in_hours=24)
    return kid
