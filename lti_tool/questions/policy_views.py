"""Saving the policies of a quiz; the form is on the quiz's page."""

from __future__ import annotations

from uuid import UUID

from flask import g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from lti_tool.launch.access import current_session, launch_transaction, with_session
from lti_tool.launch.audit import record_event
from lti_tool.launch.roles import Role
from lti_tool.questions import store
from lti_tool.questions.editor import quiz_page
from lti_tool.questions.errors import FormFaults
from lti_tool.questions.policies import Policies, lock_policies, update_policies
from lti_tool.questions.policy_form import TypedPolicies, parse_policies
from lti_tool.questions.views import blueprint


@blueprint.post("/quizzes/<uuid:quiz_id>/policies")
@with_session(Role.INSTRUCTOR)
def save_policies(launch_id: UUID, quiz_id: UUID) -> ResponseReturnValue:
    """When scores count, which attempt does, late answers, explanations, what is held for a look."""
    try:
        policies = parse_policies(TypedPolicies.from_form(request.form))
    except FormFaults as refusal:
        return quiz_page(quiz_id, typed_policies=refusal.typed, faults=refusal.faults), refusal.status
    session = current_session()
    with launch_transaction() as connection:
        current = lock_policies(connection, store.get_quiz(connection, quiz_id, session.context_id))
        changes = policies.changes_from(Policies.of_quiz(current))
        resent = update_policies(connection, current, policies)
        if changes:
            record_event(
                connection,
                "POLICIES_CHANGED",
                registration_id=session.registration_id,
                user_id=session.user_id,
                correlation_id=g.correlation_id,
                facts={"quiz_id": str(current.id), **changes},
            )
    return redirect(url_for("questions.quiz", quiz_id=quiz_id, notice="saved", resent=resent or None), 303)
