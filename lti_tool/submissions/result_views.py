"""The result page of an attempt, and the part of it that updates itself."""

from __future__ import annotations

from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from psycopg import Connection

from lti_tool.errors import NotFound
from lti_tool.exports.consent import choice_to_show
from lti_tool.launch.access import current_session, launch_transaction, with_session
from lti_tool.launch.roles import Role
from lti_tool.questions.store import get_placed_quiz
from lti_tool.submissions import store
from lti_tool.submissions.outcome import Outcome, outcome_of
from lti_tool.submissions.own_attempts import (
    allowed_attempts,
    get_own_attempt,
    is_closed,
    is_preview,
    list_own_attempts,
)
from lti_tool.submissions.store import Attempt
from lti_tool.submissions.views import blueprint
from lti_tool.web import services


@blueprint.get("/attempts/<int:attempt_id>/result")
@with_session(Role.LEARNER, Role.INSTRUCTOR)
def result(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """Received, score and explanation of each answer, the total and where it is; as far as it may be shown yet."""
    session = current_session()
    with launch_transaction() as connection:
        current = get_own_attempt(connection, attempt_id)
        if current.status == "OPEN":
            return redirect(url_for("submissions.attempt", attempt_id=attempt_id), 303)
        outcome = outcome_here(connection, current)
        mine = [each for each in list_own_attempts(connection, session) if each.quiz_id == current.quiz_id]
        allowed = allowed_attempts(connection, session, outcome.quiz)
        consent = choice_to_show(connection, session, just_chosen=request.args.get("notice") == "chosen")
    used = store.count_used([each for each in mine if each.is_preview == is_preview(session)])
    return render_template(
        "attempts/result.html",
        outcome=outcome,
        attempts_left=None if allowed is None else max(0, allowed - used),
        may_begin=current.quiz_id == session.quiz_id and not is_closed(session, outcome.quiz),
        consent=consent,
    )


@blueprint.get("/attempts/<int:attempt_id>/result/parts")
@with_session(Role.LEARNER, Role.INSTRUCTOR)
def result_parts(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """The part of the result page that changes, for the page to put in place."""
    with launch_transaction() as connection:
        current = get_own_attempt(connection, attempt_id)
        if current.status == "OPEN":
            raise NotFound(f"attempt {attempt_id} is still open")
        outcome = outcome_here(connection, current)
    return render_template("attempts/_result_parts.html", outcome=outcome)


def outcome_here(connection: Connection, current: Attempt) -> Outcome:
    """What came of the attempt, as far as the person of this launch may see it yet."""
    quiz = get_placed_quiz(connection, current.quiz_id, current.resource_link_id)
    # This launch knows best when it is due for the person: they may have been given more time since they handed in.
    due_at = current_session().due_at or current.due_at
    return outcome_of(connection, current, quiz, due_at=due_at, support_contact=services().settings.support_contact)
