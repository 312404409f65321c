"""The instructor's decisions about one attempt: scores, approval, whether it counts, opening it again."""

from __future__ import annotations

from uuid import UUID

from flask import redirect, url_for
from flask.typing import ResponseReturnValue

from lti_tool.gradebook.views import attempt_here, blueprint
from lti_tool.launch.access import launch_transaction, with_session
from lti_tool.launch.roles import Role


@blueprint.post("/results/approve")
@with_session(Role.INSTRUCTOR)
def approve_all(launch_id: UUID) -> ResponseReturnValue:
    """Approve all attempts that wait; with fields ``attempt`` (ids) only those of them. Back to the table."""
    return redirect(url_for("gradebook.overview", notice="approved"), 303)


@blueprint.post("/results/<int:attempt_id>/approve")
@with_session(Role.INSTRUCTOR)
def approve(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """Approve one attempt."""
    return _stub(attempt_id)


@blueprint.post("/results/<int:attempt_id>/questions/<int:question_id>/score")
@with_session(Role.INSTRUCTOR)
def override(launch_id: UUID, attempt_id: int, question_id: int) -> ResponseReturnValue:
    """Give one answer another score."""
    return _stub(attempt_id)


@blueprint.post("/results/<int:attempt_id>/questions/<int:question_id>/earlier-score")
@with_session(Role.INSTRUCTOR)
def restore(launch_id: UUID, attempt_id: int, question_id: int) -> ResponseReturnValue:
    """Let an earlier score count again."""
    return _stub(attempt_id)


@blueprint.post("/results/<int:attempt_id>/excuse")
@with_session(Role.INSTRUCTOR)
def excuse(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """The attempt does not count, or counts again."""
    return _stub(attempt_id)


@blueprint.post("/results/<int:attempt_id>/reopen")
@with_session(Role.INSTRUCTOR)
def reopen(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """Let the student go on with the attempt, or take that back."""
    return _stub(attempt_id)


def _stub(attempt_id: int) -> ResponseReturnValue:
    with launch_transaction() as connection:
        attempt_here(connection, attempt_id)
    return redirect(url_for("gradebook.review", attempt_id=attempt_id), 303)
