"""Where a launch begins: home sends everyone to their page; instructors choose or create the quiz of a placement.

All of it works as plain forms. The steps: choose or create (here), list the questions (``editor.py``), add to the
course (``placing.py``).
"""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from lti_tool.launch.access import current_session, launch_transaction, with_session
from lti_tool.launch.roles import Role
from lti_tool.questions import page_values, store
from lti_tool.questions.errors import FormFaults
from lti_tool.questions.forms import QUIZ_LANGUAGES, TypedQuiz, parse_quiz, plain_number

blueprint = Blueprint("questions", __name__, url_prefix="/launches/<uuid:launch_id>")


page_values.register(blueprint)


@blueprint.get("/")
@with_session(Role.LEARNER, Role.INSTRUCTOR, Role.NONE)
def home(launch_id: UUID) -> ResponseReturnValue:
    """Send everyone to the page of their role, or to the answer that the launch is to show."""
    session = current_session()
    if session.role is Role.NONE:
        return render_template("questions/no_role.html")
    if session.review_attempt_id is not None:
        page = "gradebook.review" if session.is_instructor else "submissions.result"
        return redirect(url_for(page, attempt_id=session.review_attempt_id), 303)
    if session.role is Role.LEARNER:
        return redirect(url_for("submissions.start"), 303)
    if session.deep_linking is not None or session.quiz_id is None:
        return redirect(url_for("questions.choose"), 303)
    return redirect(url_for("gradebook.overview"), 303)


@blueprint.get("/quizzes")
@with_session(Role.INSTRUCTOR)
def choose(launch_id: UUID) -> ResponseReturnValue:
    """Step 1: the quizzes of this course, and a form for a new one."""
    return choosing_page()


@blueprint.post("/quizzes")
@with_session(Role.INSTRUCTOR)
def create(launch_id: UUID) -> ResponseReturnValue:
    """A new quiz without questions; on to step 2."""
    session = current_session()
    try:
        fields = parse_quiz(TypedQuiz.from_form(request.form))
    except FormFaults as refusal:
        return choosing_page(refusal.typed, refusal.faults), refusal.status
    with launch_transaction() as connection:
        quiz_id = store.add_quiz(
            connection,
            context_id=session.context_id,
            title=fields.title,
            language=fields.language,
            max_attempts=fields.max_attempts,
            created_by=session.user_id,
        )
    return redirect(url_for("questions.quiz", quiz_id=quiz_id), 303)


def summary(quiz: store.Quiz, max_points: Decimal | None = None) -> str:
    """One line about a quiz: how many questions, how many points (its own, or those of its gradebook column)."""
    questions = ngettext("%(num)s question", "%(num)s questions", quiz.question_count)
    points = max_points or quiz.max_points
    return f"{questions}, {_('1 point') if points == 1 else _('%(points)s points', points=plain_number(points))}"


def choosing_page(typed: TypedQuiz | None = None, faults: dict[str, str] | None = None) -> str:
    """The page of step 1; repeated ``quiz`` in the address are those that were chosen before."""
    session = current_session()
    with launch_transaction() as connection:
        quizzes = store.list_quizzes(connection, session.context_id)
    return render_template(
        "questions/choose.html",
        quizzes=[(quiz, summary(quiz)) for quiz in quizzes],
        typed=typed or TypedQuiz(language=_first_language()),
        faults=faults or {},
        languages=QUIZ_LANGUAGES,
        takes_several=session.deep_linking is not None and session.deep_linking_settings.accepts_multiple,
        chosen=request.args.getlist("quiz"),
    )


def _first_language() -> str:
    language = current_session().locale.partition("-")[0].partition("_")[0].lower()
    return language if language in QUIZ_LANGUAGES else "en"


from lti_tool.exports import course_views  # noqa: E402, F401 - its views join the blueprint
from lti_tool.questions import (  # noqa: E402 - their views join the blueprint
    editor,  # noqa: F401
    placing,  # noqa: F401
    policy_views,  # noqa: F401
    trial_views,  # noqa: F401
)
