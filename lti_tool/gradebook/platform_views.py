"""What the results page asks the platform for: the class list, and a gradebook column where there is none.

Somebody waits for these answers, so they may take 5 seconds each; the page itself never waits for a platform.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

import structlog
from flask import current_app, redirect, render_template, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from lti_tool.errors import ServiceError
from lti_tool.gradebook.ags import AgsClient
from lti_tool.gradebook.class_list import ClassList, ClassLists, class_list_of
from lti_tool.gradebook.columns import Columns
from lti_tool.gradebook.errors import PermissionMissing, ServiceAway
from lti_tool.gradebook.patience import Turns
from lti_tool.gradebook.views import blueprint, link_id_of
from lti_tool.launch.access import current_session, launch_transaction, with_session
from lti_tool.launch.platforms import Registration
from lti_tool.launch.roles import Role
from lti_tool.launch.tokens import TokenSource
from lti_tool.platform_http import PlatformHttp

_READ_SECONDS = 5.0
# Pages of one school that wait for its platform: the others share what is left of the server's threads.
_AT_A_TIME = 2
_EXTENSION = "mlquiz.gradebook"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GradebookServices:
    """What this process keeps for asking platforms on behalf of instructors."""

    class_lists: ClassLists
    columns: Columns
    turns: Turns
    http: PlatformHttp
    tokens: TokenSource

    def client(self, registration: Registration) -> AgsClient:
        """The gradebook services of one registration."""
        return AgsClient(registration, self.http, self.tokens)


@blueprint.record_once
def _prepare(state: BlueprintSetupState) -> None:
    common = state.app.extensions["mlquiz"]
    http = PlatformHttp(common.settings, read_seconds=_READ_SECONDS)
    tokens = TokenSource(http, common.database, common.secret)
    state.app.extensions[_EXTENSION] = GradebookServices(
        class_lists=ClassLists(common.database, http, tokens),
        columns=Columns(common.database, http, tokens),
        turns=Turns(_AT_A_TIME),
        http=http,
        tokens=tokens,
    )


@blueprint.get("/results/class")
@with_session(Role.INSTRUCTOR)
def class_parts(launch_id: UUID) -> ResponseReturnValue:
    """The part about who has not answered yet; asks the platform if it is time to."""
    if _class_list().state == "DUE":
        _ask_for_class()
    class_list = _class_list()
    if class_list.state == "DUE":  # there was no turn: the page looks again in a moment
        class_list = replace(class_list, state="AWAITED")
    return render_template("gradebook/_class_parts.html", class_list=class_list)


@blueprint.post("/results/class")
@with_session(Role.INSTRUCTOR)
def refresh_class(launch_id: UUID) -> ResponseReturnValue:
    """Ask the platform now, unless it was asked within the last minute; back to the page."""
    _ask_for_class()
    return redirect(url_for("gradebook.overview", _anchor="class"), 303)


@blueprint.post("/results/column")
@with_session(Role.INSTRUCTOR)
def create_column(launch_id: UUID) -> ResponseReturnValue:
    """Find the gradebook column of this placement, or make one; back to the page with what came of it."""
    session = current_session()
    notice = "column"
    try:
        with gradebook_services().turns.turn(session.registration_id) as has_turn:
            if not has_turn:
                raise ServiceAway("The LMS is being asked by others at this moment.")
            gradebook_services().columns.provide(session.registration_id, link_id_of(session))
    except ServiceError as error:
        _log.warning("no gradebook column", resource_link_id=session.resource_link_id, error=str(error))
        if isinstance(error, PermissionMissing):
            notice = "column-not-allowed"
        else:
            notice = "column-away" if isinstance(error, ServiceAway) else "column-refused"
    return redirect(url_for("gradebook.overview", notice=notice), 303)


def _class_list() -> ClassList:
    session = current_session()
    with launch_transaction() as connection:
        return class_list_of(
            connection,
            context_id=session.context_id,
            resource_link_id=link_id_of(session),
            memberships_url=session.memberships_url,
        )


def _ask_for_class() -> None:
    session = current_session()
    if session.memberships_url is None:
        return
    with gradebook_services().turns.turn(session.registration_id) as has_turn:
        if has_turn:
            gradebook_services().class_lists.ask(session.registration_id, session.context_id, session.memberships_url)


def gradebook_services() -> GradebookServices:
    """What this process keeps for asking platforms."""
    return current_app.extensions[_EXTENSION]
