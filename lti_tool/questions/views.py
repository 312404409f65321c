"""Where a launch begins: home sends everyone to their page; instructors choose or create the quiz of a placement.

All of it works as plain forms. The steps: choose or create, list the questions, add to the course.
"""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from psycopg import Connection

from lti_tool.errors import AlreadyDone
from lti_tool.launch.access import current_session, launch_transaction, with_session
from lti_tool.launch.deep_linking import ContentItem, response_page
from lti_tool.launch.roles import Role
from lti_tool.launch.sessions import LaunchSession
from lti_tool.questions import page_values, store
from lti_tool.questions.errors import FormFaults, QuizEmpty
from lti_tool.questions.forms import QUIZ_LANGUAGES, TypedQuiz, parse_quiz

blueprint = Blueprint("questions", __name__, url_prefix="/launches/<uuid:launch_id>")


page_values.register(blueprint)


@blueprint.get("/")
@with_session(Role.LEARNER, Role.INSTRUCTOR, Role.NONE)
def home(launch_id: UUID) -> ResponseReturnValue:
    """Send everyone to the page of their role."""
    session = current_session()
    if session.role is Role.NONE:
        return render_template("questions/no_role.html")
    if session.role is Role.LEARNER:
        return redirect(url_for("submissions.start"), 303)
    if session.deep_linking is not None or session.quiz_id is None:
        return redirect(url_for("questions.choose"), 303)
    return redirect(url_for("gradebook.overview"), 303)


@blueprint.get("/quizzes")
@with_session(Role.INSTRUCTOR)
def choose(launch_id: UUID) -> ResponseReturnValue:
    """Step 1: the quizzes of this course, and a form for a new one."""
    return _choosing_page(TypedQuiz(language=_first_language()))


@blueprint.post("/quizzes")
@with_session(Role.INSTRUCTOR)
def create(launch_id: UUID) -> ResponseReturnValue:
    """A new quiz without questions; on to step 2."""
    session = current_session()
    try:
        fields = parse_quiz(TypedQuiz.from_form(request.form))
    except FormFaults as refusal:
        return _choosing_page(refusal.typed, refusal.faults), refusal.status
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


@blueprint.post("/quizzes/<uuid:quiz_id>/place")
@with_session(Role.INSTRUCTOR)
def place(launch_id: UUID, quiz_id: UUID) -> ResponseReturnValue:
    """Step 3: hand the quiz to the LMS, or make it the quiz of the placement that was launched."""
    session = current_session()
    with launch_transaction() as connection:
        quiz = store.get_quiz(connection, quiz_id, session.context_id)
        if not quiz.question_count:
            raise QuizEmpty(f"quiz {quiz_id} has no questions")
        if session.deep_linking is None:
            _place_here(connection, session, quiz)
            return redirect(url_for("gradebook.overview", notice="placed"), 303)
    item = ContentItem(
        title=quiz.title,
        text=summary(quiz),
        quiz_id=quiz.id,
        max_points=quiz.max_points,
        submission_until=None,
    )
    return response_page(session, [item])


def summary(quiz: store.Quiz) -> str:
    """One line about a quiz: how many questions, how many points."""
    questions = ngettext("%(num)s question", "%(num)s questions", quiz.question_count)
    return _("%(questions)s, %(points)s points", questions=questions, points=f"{quiz.max_points.normalize():f}")


def _place_here(connection: Connection, session: LaunchSession, quiz: store.Quiz) -> None:
    if session.quiz_id not in (None, quiz.id):
        sentence = _("This activity has its quiz already. Add another activity to the course for this one.")
        raise AlreadyDone(
            f"resource link {session.resource_link_id} has quiz {session.quiz_id}",
            student_text=sentence,
            instructor_text=_("Go back, then use “Add activity” in your course and choose this quiz there."),
        )
    assert session.resource_link_id is not None  # a launch is of a resource link or for deep linking
    store.place_quiz(connection, quiz.id, session.resource_link_id)


def _choosing_page(typed: TypedQuiz, faults: dict[str, str] | None = None) -> str:
    session = current_session()
    with launch_transaction() as connection:
        quizzes = store.list_quizzes(connection, session.context_id)
    return render_template(
        "questions/choose.html",
        quizzes=[(quiz, summary(quiz)) for quiz in quizzes],
        typed=typed,
        faults=faults or {},
        languages=QUIZ_LANGUAGES,
    )


def _first_language() -> str:
    language = current_session().locale.partition("-")[0].partition("_")[0].lower()
    return language if language in QUIZ_LANGUAGES else "en"


from lti_tool.questions import editor  # noqa: E402, F401 - its views join the blueprint
