"""The instructor's pages: all attempts of a placement, and one attempt in full."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from psycopg import Connection

from lti_tool.errors import NotFound
from lti_tool.gradebook.ags import LINE_ITEM_SCOPE, SCORE_SCOPE
from lti_tool.gradebook.class_list import class_list_of
from lti_tool.gradebook.doubts import LOW_CONFIDENCE
from lti_tool.gradebook.history import list_grade_history
from lti_tool.gradebook.overview import Overview, list_overview
from lti_tool.gradebook.record import for_people, list_record
from lti_tool.gradebook.review_page import Refill, Review
from lti_tool.gradebook.review_queue import choice_here, keep_choice
from lti_tool.gradebook.standing import find_reopening
from lti_tool.launch.access import current_session, launch_transaction, with_session
from lti_tool.launch.roles import Role
from lti_tool.launch.sessions import LaunchSession
from lti_tool.questions.answer_key import max_attempts_here, may_see_key
from lti_tool.questions.origins import find_origin
from lti_tool.questions.store import get_placed_quiz, is_fixed, list_questions
from lti_tool.submissions.results import list_results
from lti_tool.submissions.store import Attempt, find_attempt

blueprint = Blueprint("gradebook", __name__, url_prefix="/launches/<uuid:launch_id>")
blueprint.url_defaults(keep_choice)


@blueprint.get("/results")
@with_session(Role.INSTRUCTOR)
def overview(launch_id: UUID) -> ResponseReturnValue:
    """The quiz of this placement, its questions, and every student's attempts with score and delivery."""
    session = current_session()
    if session.quiz_id is None:
        return redirect(url_for("questions.choose"), 303)
    with launch_transaction() as connection:
        class_list = class_list_of(
            connection,
            context_id=session.context_id,
            resource_link_id=link_id_of(session),
            memberships_url=session.memberships_url,
        )
        quiz = get_placed_quiz(connection, session.quiz_id, link_id_of(session))
        questions = list_questions(connection, quiz.id)
        attempts = overview_of(connection, session)
        fixed = is_fixed(connection, quiz.id)
        sees_key = may_see_key(connection, session, quiz)
        origin = find_origin(connection, session, quiz)
    return render_template(
        "gradebook/overview.html",
        quiz=quiz,
        questions=questions,
        overview=attempts,
        is_fixed=fixed,
        sees_key=sees_key,
        origin=origin,
        max_attempts=max_attempts_here(session, quiz),
        gradebook_problem=_gradebook_problem(session),
        class_list=class_list,
    )


@blueprint.get("/results/parts")
@with_session(Role.INSTRUCTOR)
def overview_parts(launch_id: UUID) -> ResponseReturnValue:
    """The table of attempts alone, for the page to put in place."""
    session = current_session()
    if session.quiz_id is None:
        return redirect(url_for("questions.choose"), 303)
    with launch_transaction() as connection:
        attempts = overview_of(connection, session)
        quiz = get_placed_quiz(connection, session.quiz_id, link_id_of(session))
        questions = list_questions(connection, quiz.id)
    return render_template("gradebook/_overview_parts.html", overview=attempts, quiz=quiz, questions=questions)


@blueprint.get("/results/<int:attempt_id>")
@with_session(Role.INSTRUCTOR)
def review(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """One attempt: answers, key points with the student's words that show them, explanations, certainty.

    To whom the answer key is closed it shows what the student sees, and the certainty.
    """
    return show_review(attempt_id)


def show_review(attempt_id: int, refill: Refill | None = None) -> str:
    """The page of one attempt; ``refill``: with a form as it was typed, and what is wrong with it."""
    session = current_session()
    with launch_transaction() as connection:
        attempt = attempt_here(connection, attempt_id)
        quiz = get_placed_quiz(connection, attempt.quiz_id, attempt.resource_link_id)
        questions = {question.id: question for question in list_questions(connection, quiz.id)}
        results = list_results(connection, attempt_id)
        attempts = overview_of(connection, session)
        sees_key = may_see_key(connection, session, quiz)
        history = list_grade_history(connection, attempt_id)
        reopening = find_reopening(connection, attempt_id)
        record = for_people(list_record(connection, attempt_id))
    return render_template(
        "gradebook/review.html",
        attempt=attempt,
        quiz=quiz,
        questions=questions,
        results=results,
        sees_key=sees_key,
        low_confidence=LOW_CONFIDENCE,
        record=record,
        review=Review.of(attempt, attempts, history=history, reopening=reopening, refill=refill or Refill()),
    )


def attempt_here(connection: Connection, attempt_id: int) -> Attempt:
    """The attempt, if it is of the placement that was launched. Raises :class:`NotFound`."""
    attempt = find_attempt(connection, attempt_id)
    link_id = current_session().resource_link_id
    if attempt is None or attempt.resource_link_id != link_id:
        raise NotFound(f"attempt {attempt_id} is not of resource link {link_id}")
    return attempt


def overview_of(connection: Connection, session: LaunchSession) -> Overview:
    """The attempts of this placement, as the page's address asks for them."""
    return Overview(all_rows=list_overview(connection, link_id_of(session)), choice=choice_here())


def link_id_of(session: LaunchSession) -> int:
    """The placement of this launch; a deep linking launch has none, and no results either."""
    if session.resource_link_id is None:
        raise NotFound("a deep linking launch has no placement")
    return session.resource_link_id


def _gradebook_problem(session: LaunchSession) -> Literal["no-column", "no-column-yet", "no-permission"] | None:
    """Why scores of this placement cannot reach the gradebook (AGS 2.0 section 3.1), as the latest launch told it.

    ``no-column-yet``: the platform lets us make the column that is missing.
    """
    if SCORE_SCOPE not in session.ags_scopes:
        return "no-permission" if session.line_item_url or session.line_items_url else "no-column"
    if session.line_item_url:
        return None
    return "no-column-yet" if session.line_items_url and LINE_ITEM_SCOPE in session.ags_scopes else "no-column"


from lti_tool.gradebook import (  # noqa: E402 - their views join the blueprint
    decision_views,  # noqa: F401
    delivery_views,  # noqa: F401
    platform_views,  # noqa: F401
    record_views,  # noqa: F401
    regrade_views,  # noqa: F401
)
