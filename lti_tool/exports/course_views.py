"""The instructor's page about the use of a course's answers. It is of the course, not of one quiz."""

from __future__ import annotations

from typing import cast, get_args
from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from lti_tool.errors import Unusable
from lti_tool.exports.consent import AnswerUse, get_course_use, set_course_use
from lti_tool.launch.access import current_session, launch_transaction, with_session
from lti_tool.launch.roles import Role
from lti_tool.questions.store import get_placed_quiz
from lti_tool.questions.views import blueprint


@blueprint.get("/answer-use")
@with_session(Role.INSTRUCTOR)
def answer_use(launch_id: UUID) -> ResponseReturnValue:
    """What the course allows, since when and by whom, with the form to change it."""
    return _page()


@blueprint.post("/answer-use")
@with_session(Role.INSTRUCTOR)
def save_answer_use(launch_id: UUID) -> ResponseReturnValue:
    """Let the course of this launch allow what was chosen (field ``answer_use``)."""
    session = current_session()
    chosen = request.form.get("answer_use", "")
    if chosen not in get_args(AnswerUse):
        return _page({"answer_use": _("Choose whether answers may be used.")}), Unusable.status
    with launch_transaction() as connection:
        set_course_use(
            connection,
            session.context_id,
            cast(AnswerUse, chosen),
            registration_id=session.registration_id,
            user_id=session.user_id,
        )
    return redirect(url_for("questions.answer_use", notice="saved"), 303)


def _page(faults: dict[str, str] | None = None) -> str:
    session = current_session()
    with launch_transaction() as connection:
        use = get_course_use(connection, session.context_id)
        placed = {}
        if session.quiz_id is not None and session.resource_link_id is not None:  # the tabs ask whose quiz it is
            placed["quiz"] = get_placed_quiz(connection, session.quiz_id, session.resource_link_id)
    return render_template("consent/course.html", use=use, faults=faults or {}, **placed)
