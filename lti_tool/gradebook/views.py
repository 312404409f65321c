"""The instructor's pages: all attempts of a placement, and one attempt in full."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from psycopg import Connection

from lti_tool.errors import NotFound
from lti_tool.gradebook.store import OverviewRow, list_overview
from lti_tool.launch.sessions import LaunchSession
from lti_tool.launch.views import with_session
from lti_tool.questions.store import get_quiz, is_fixed, list_questions
from lti_tool.submissions.store import find_attempt, list_results
from lti_tool.web import services

blueprint = Blueprint("gradebook", __name__, url_prefix="/launches/<uuid:launch_id>")

#: Below this the score is marked for a second look.
LOW_CONFIDENCE = 0.5


@blueprint.get("/results")
@with_session("INSTRUCTOR")
def overview(launch_id: UUID) -> ResponseReturnValue:
    """The quiz of this placement, its questions, and every student's attempts with score and delivery."""
    session: LaunchSession = g.launch_session
    if session.quiz_id is None:
        return redirect(url_for("questions.choose"), 303)
    with services().database.transaction() as connection:
        quiz = get_quiz(connection, session.quiz_id, session.context_id)
        questions = list_questions(connection, quiz.id)
        rows = _overview_rows(connection, session)
        fixed = is_fixed(connection, quiz.id)
    return render_template(
        "gradebook/overview.html",
        quiz=quiz,
        questions=questions,
        rows=rows,
        is_fixed=fixed,
        low_confidence=LOW_CONFIDENCE,
    )


@blueprint.get("/results/parts")
@with_session("INSTRUCTOR")
def overview_parts(launch_id: UUID) -> ResponseReturnValue:
    """The table of attempts alone, for the page to put in place."""
    with services().database.transaction() as connection:
        rows = _overview_rows(connection, g.launch_session)
    return render_template("gradebook/_overview_parts.html", rows=rows, low_confidence=LOW_CONFIDENCE)


@blueprint.get("/results/<int:attempt_id>")
@with_session("INSTRUCTOR")
def review(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """One attempt: answers, key points with the student's words that show them, explanations, how sure the grader is."""
    session: LaunchSession = g.launch_session
    with services().database.transaction() as connection:
        attempt = find_attempt(connection, attempt_id)
        if attempt is None or attempt.resource_link_id != session.resource_link_id:
            raise NotFound(f"attempt {attempt_id} is not of resource link {session.resource_link_id}")
        quiz = get_quiz(connection, attempt.quiz_id, session.context_id)
        questions = {question.id: question for question in list_questions(connection, quiz.id)}
        results = list_results(connection, attempt_id)
        rows = list_overview(connection, attempt.resource_link_id)
    return render_template(
        "gradebook/review.html",
        attempt=attempt,
        quiz=quiz,
        questions=questions,
        results=results,
        row=next((row for row in rows if row.attempt_id == attempt_id), None),
        low_confidence=LOW_CONFIDENCE,
    )


def _overview_rows(connection: Connection, session: LaunchSession) -> list[OverviewRow]:
    if session.resource_link_id is None:
        return []
    return list_overview(connection, session.resource_link_id)
