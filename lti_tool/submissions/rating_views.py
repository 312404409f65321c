"""A student rates the explanation that a machine wrote for their answer; back to the result, at that question."""

from __future__ import annotations

from typing import get_args
from uuid import UUID

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from lti_tool.errors import NotFound, Unusable
from lti_tool.launch.access import launch_transaction, with_session
from lti_tool.launch.roles import Role
from lti_tool.submissions.own_attempts import get_own_attempt
from lti_tool.submissions.ratings import Rating, find_rated_question, note_from, rate_explanation, withdraw_rating
from lti_tool.submissions.result_views import outcome_here
from lti_tool.submissions.views import blueprint

_TAKEN_BACK = "NONE"


@blueprint.post("/attempts/<int:attempt_id>/explanations/<int:explanation_id>/rating")
@with_session(Role.LEARNER, Role.INSTRUCTOR)
def rate(launch_id: UUID, attempt_id: int, explanation_id: int) -> ResponseReturnValue:
    """Say what one thinks of a text (field ``rating``: one of :data:`Rating`, or NONE to take it back; ``note``).

    A text that is not shown cannot be rated, nor an instructor's. Where another one took its place since the page was
    shown, the page says so.
    """
    chosen = _chosen()
    note = note_from(request.form.get("note", ""))
    with launch_transaction() as connection:
        current = get_own_attempt(connection, attempt_id)
        question_id = find_rated_question(connection, attempt_id, explanation_id)
        if question_id is None or current.is_preview:
            raise NotFound(f"explanation {explanation_id} is not of attempt {attempt_id}, or that is a try")
        outcome = outcome_here(connection, current)
        if not outcome.shows_explanations:
            raise NotFound(f"explanation {explanation_id} is not shown")
        is_shown = any(each.explanation_id == explanation_id and outcome.may_rate(each) for each in outcome.results)
        if is_shown and chosen is None:
            withdraw_rating(connection, explanation_id)
        elif is_shown and chosen is not None:
            rate_explanation(connection, explanation_id, chosen, note)
    return redirect(
        url_for(
            "submissions.result",
            attempt_id=attempt_id,
            notice="rated" if is_shown else "explanation-changed",
            question=question_id,
            _anchor=f"question-{question_id}-explanation",
        ),
        303,
    )


def _chosen() -> Rating | None:
    """What was said, ``None`` where it is taken back. Raises :class:`Unusable`."""
    typed = request.form.get("rating")
    if typed == _TAKEN_BACK:
        return None
    for rating in get_args(Rating):
        if typed == rating:
            return rating
    raise Unusable("no field rating")
