"""Scores that did not arrive: sending them again, and deciding about a grade that was changed in the LMS."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from uuid import UUID

import structlog
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from lti_tool.errors import ServiceError
from lti_tool.gradebook import parked, views
from lti_tool.gradebook.errors import ServiceAway
from lti_tool.gradebook.overview import OverviewRow, list_overview
from lti_tool.gradebook.parked import ParkedScore
from lti_tool.gradebook.platform_views import gradebook_services
from lti_tool.gradebook.views import blueprint, link_id_of
from lti_tool.launch.access import current_session, launch_transaction, with_session
from lti_tool.launch.platforms import get_registration
from lti_tool.launch.roles import Role
from lti_tool.questions.store import get_placed_quiz
from lti_tool.worker import DELIVER, SWEEP, wake_later

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LmsGrade:
    """What the LMS says about a student's grade at this moment.

    ``state``: KNOWN, NONE (it holds no grade), CLOSED (it does not let the tool look), AWAY (no answer: later).
    """

    state: Literal["KNOWN", "NONE", "CLOSED", "AWAY"]
    points: Decimal | None = None
    max_points: Decimal | None = None

    @property
    def words(self) -> str:
        """The same as one text: what a form carries along, so that nobody replaces what they have not seen."""
        if self.points is None or self.max_points is None:
            return self.state
        return " / ".join(f"{round(value, 4).normalize():f}" for value in (self.points, self.max_points))


@blueprint.post("/results/<int:attempt_id>/send-again")
@with_session(Role.INSTRUCTOR)
def send_again(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """Try once more to deliver the score of this attempt; back to where it was asked for."""
    session = current_session()
    with launch_transaction() as connection:
        views.attempt_here(connection, attempt_id)
        found = parked.find_parked(connection, attempt_id)
        resent = parked.send_again(connection, [found.id], user_id=session.user_id) if found else []
    for delivery_id in resent:
        wake_later(DELIVER, session.registration_id, delivery_id)
    return _back(attempt_id, "sent-again" if resent else "not-parked")


@blueprint.post("/results/send-again")
@with_session(Role.INSTRUCTOR)
def send_all_again(launch_id: UUID) -> ResponseReturnValue:
    """Try once more to deliver all scores of this placement that another try may deliver."""
    session = current_session()
    with launch_transaction() as connection:
        waiting = parked.list_resendable(connection, link_id_of(session))
        resent = parked.send_again(connection, waiting, user_id=session.user_id)
    if resent:
        wake_later(SWEEP)  # one message, however many there are
    return _back(None, "sent-again" if resent else "not-parked")


@blueprint.get("/results/<int:attempt_id>/lms-grade")
@with_session(Role.INSTRUCTOR)
def lms_grade(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """Which score would replace which: the LMS is asked now. Two choices, leaving its grade or replacing it."""
    with launch_transaction() as connection:
        views.attempt_here(connection, attempt_id)
        found = _changed(parked.find_parked(connection, attempt_id))
    if found is None:
        return _back(attempt_id, "not-parked")
    return _choice_page(found, _ask(found))


@blueprint.post("/results/<int:attempt_id>/lms-grade")
@with_session(Role.INSTRUCTOR)
def decide(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """Leave the grade in the LMS as it is, or replace it by the score that was shown.

    Replaced is only what the page showed: where the LMS holds another grade by now, or the score is another one, the
    page is shown again.
    """
    session = current_session()
    with launch_transaction() as connection:
        views.attempt_here(connection, attempt_id)
        found = _changed(parked.find_parked(connection, attempt_id))
        if found is None:
            return _back(attempt_id, "not-parked")
        if request.form.get("choice") == "leave":
            parked.leave(connection, found, user_id=session.user_id)
            return _back(attempt_id, "lms-grade-left")
    now = _ask(found)
    is_as_shown = (request.form.get("lms"), request.form.get("delivery")) == (now.words, str(found.id))
    if request.form.get("choice") != "replace" or not is_as_shown or now.state == "AWAY":
        return _choice_page(found, now, is_new=request.form.get("choice") == "replace")
    with launch_transaction() as connection:
        resent = parked.replace(connection, found, lms_grade=now.words, user_id=session.user_id)
    for delivery_id in resent:
        wake_later(DELIVER, session.registration_id, delivery_id)
    return _back(attempt_id, "replacing" if resent else "not-parked")


def _choice_page(found: ParkedScore, now: LmsGrade, *, is_new: bool = False) -> str:
    with launch_transaction() as connection:
        attempt = views.attempt_here(connection, found.attempt_id)
        quiz = get_placed_quiz(connection, attempt.quiz_id, attempt.resource_link_id)
        row = _row_of(list_overview(connection, attempt.resource_link_id), attempt.id)
    return render_template("gradebook/lms_grade.html", parked=found, lms=now, row=row, quiz=quiz, is_new=is_new)


def _row_of(rows: list[OverviewRow], attempt_id: int) -> OverviewRow | None:
    """The row of one attempt."""
    return next((row for row in rows if row.attempt_id == attempt_id), None)


def _changed(found: ParkedScore | None) -> ParkedScore | None:
    return found if found and found.parked_because == "CHANGED_IN_LMS" else None


def _ask(found: ParkedScore) -> LmsGrade:
    """What the LMS holds for this student now; somebody waits, so it has 5 seconds."""
    services = gradebook_services()
    with launch_transaction() as connection:
        registration = get_registration(connection, found.registration_id)
    try:
        with services.turns.turn(registration.id) as has_turn:
            if not has_turn:
                raise ServiceAway("The LMS is being asked by others at this moment.")
            result = services.client(registration).get_result(found.line_item_url, found.user_sub)
    except ServiceError as error:
        _log.warning("result not readable", delivery_id=found.id, error=str(error))
        return LmsGrade(state="CLOSED" if error.permanent else "AWAY")
    if result is None or result.score is None:
        return LmsGrade(state="NONE")
    return LmsGrade(state="KNOWN", points=result.score, max_points=result.maximum or found.score_maximum)


def _back(attempt_id: int | None, notice: str) -> Response:
    """To the page that the form was on, with what came of it."""
    if attempt_id is not None and request.form.get("back") == "review":
        return redirect(url_for("gradebook.review", attempt_id=attempt_id, notice=notice), 303)
    anchor = f"attempt-{attempt_id}" if attempt_id is not None else None
    return redirect(url_for("gradebook.overview", notice=notice, _anchor=anchor), 303)
