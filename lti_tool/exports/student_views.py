"""What a student is asked, and can change at any time: whether their answers may be used to improve the models.

The question stands on the start and on the result of a quiz and keeps nobody from anything; the page of its own is for
whoever is in the middle of an attempt.
"""

from __future__ import annotations

from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from lti_tool.errors import NotAllowed, NotFound, Unusable
from lti_tool.exports.consent import choice_to_show, record_choice
from lti_tool.launch.access import current_session, launch_transaction, with_session
from lti_tool.launch.roles import Role
from lti_tool.submissions.own_attempts import get_own_attempt
from lti_tool.submissions.views import blueprint


@blueprint.get("/consent")
@with_session(Role.LEARNER)
def consent(launch_id: UUID) -> ResponseReturnValue:
    """The student's choice on a page of its own."""
    with launch_transaction() as connection:
        choice = choice_to_show(connection, current_session(), just_chosen=request.args.get("notice") == "chosen")
    if choice is None:
        raise NotFound("there is nothing to choose in this course")
    return render_template("consent/student.html", consent=choice)


@blueprint.post("/consent")
@with_session(Role.LEARNER)
def save_consent(launch_id: UUID) -> ResponseReturnValue:
    """Say yes or no (field ``choice``); back to the page that asked: ``page``, and ``attempt`` for a result."""
    session = current_session()
    if session.is_test_user:
        raise NotAllowed("a test user has no answers of their own")
    choice = request.form.get("choice")
    if choice not in ("YES", "NO"):
        raise Unusable("no field choice")
    with launch_transaction() as connection:
        record_choice(
            connection,
            session.context_id,
            choice,
            registration_id=session.registration_id,
            user_id=session.user_id,
        )
        attempt_id = request.form.get("attempt", type=int)
        if attempt_id is not None:
            get_own_attempt(connection, attempt_id)
    if attempt_id is not None:
        return redirect(url_for("submissions.result", attempt_id=attempt_id, notice="chosen", _anchor="consent"), 303)
    if request.form.get("page") == "own":
        return redirect(url_for("submissions.consent", notice="chosen"), 303)
    return redirect(url_for("submissions.start", notice="chosen", _anchor="consent"), 303)
