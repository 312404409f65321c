"""Whether the machines serve the versions that they should: for ``mlquiz doctor``."""

from __future__ import annotations

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.errors import NotConfigured
from lti_tool.models import course_store, store
from lti_tool.models.errors import VersionBroken
from lti_tool.models.folders import Kind, intact_folder

ADVICE = "see docs/how-to/promote-a-model.md; `mlquiz models rollback` takes a promotion back"
NEWS_MINUTES = 5
"""Workers that fail say so each minute: what is older is over."""

_KINDS: tuple[Kind, ...] = ("GRADER", "EXPLAINER")


def state_of_models(settings: Settings, conninfo: str) -> str:
    """What serves, as a sentence. Raises :class:`NotConfigured` where this machine or a worker cannot serve it."""
    database = Database(conninfo, max_connections=1)
    try:
        with database.across_tenants() as connection:
            digests = {kind: store.current_digest(connection, kind) for kind in _KINDS}
            courses = course_store.list_served_courses(connection)
            problems = store.list_load_problems(connection, minutes=NEWS_MINUTES)
    finally:
        database.close()
    faults = [f"workers on {each.host} go on without {each.kind.lower()}: {each.problem}" for each in problems]
    for digest in dict.fromkeys(filter(None, (*digests.values(), *(each.digest for each in courses)))):
        try:
            intact_folder(settings.versions_path, digest)
        except VersionBroken as error:
            # Workers of this machine may have said so already.
            faults += [] if any(str(error) in fault for fault in faults) else [str(error)]
    if faults:
        raise NotConfigured("; ".join(faults))
    served = [f"{kind.lower()} {digest or 'of the settings'}" for kind, digest in digests.items()]
    if courses:
        served.append(f"courses with an explainer of their own: {len(courses)}")
    return ", ".join(served)
