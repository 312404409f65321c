"""The instructor's decisions about an attempt: scores, explanations, approval, whether it counts, opening it again.

Each is a form of the review page. One that cannot be used is shown again as it was typed, beside what is the matter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from uuid import UUID

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from psycopg import Connection

from lti_tool.errors import NotFound
from lti_tool.gradebook import decisions, explanations, standing, views
from lti_tool.gradebook.approvals import approve_attempts
from lti_tool.gradebook.decision_forms import TypedScore, id_from, parse_explanation, parse_reason, parse_score
from lti_tool.gradebook.decisions import DecisionRefused
from lti_tool.gradebook.overview import OverviewRow, list_overview
from lti_tool.gradebook.review_page import Refill, list_waiting
from lti_tool.gradebook.views import blueprint, link_id_of
from lti_tool.launch.access import current_session, launch_transaction, with_session
from lti_tool.launch.roles import Role
from lti_tool.questions.errors import FormFaults
from lti_tool.submissions.results import QuestionResult, list_results
from lti_tool.submissions.store import Attempt
from lti_tool.worker import SWEEP, wake_later

# Approval ----------------------------------------------------------------------------------------------------------


@blueprint.post("/results/approve")
@with_session(Role.INSTRUCTOR)
def approve_all(launch_id: UUID) -> ResponseReturnValue:
    """Approve all attempts that wait; with fields ``attempt`` (ids) only those of them. Back to the table."""
    session = current_session()
    with launch_transaction() as connection:
        waiting = list_waiting(list_overview(connection, link_id_of(session)))
        chosen = request.form.getlist("attempt") or [str(row.attempt_id) for row in waiting]
        ids = [row.attempt_id for row in waiting if str(row.attempt_id) in chosen]
        approved = approve_attempts(connection, ids, session.user_id)
    wake_later(SWEEP)
    notice = "released-all" if request.form.get("what") == "explanations" else "approved-all"
    return redirect(url_for("gradebook.overview", notice=notice if approved else "nothing-waited"), 303)


@blueprint.post("/results/<int:attempt_id>/approve")
@with_session(Role.INSTRUCTOR)
def approve(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """Approve one attempt; with field ``then`` = ``next`` on to the next one that waits."""
    with launch_transaction() as connection:
        attempt = views.attempt_here(connection, attempt_id)
        approved = approve_attempts(connection, [attempt.id], current_session().user_id)
        following = _next_waiting(connection, attempt) if request.form.get("then") == "next" else None
    wake_later(SWEEP)
    if following is not None:
        return _back(following.attempt_id, "approved-next" if approved else "")
    notice = "approved" if attempt.approval == "NEEDED" else "released"
    return _back(attempt_id, notice if approved else "nothing-waited")


# Scores ------------------------------------------------------------------------------------------------------------


@blueprint.post("/results/<int:attempt_id>/questions/<int:question_id>/score")
@with_session(Role.INSTRUCTOR)
def override(launch_id: UUID, attempt_id: int, question_id: int) -> ResponseReturnValue:
    """Give one answer another score (fields of :class:`TypedScore`)."""
    typed = TypedScore.from_form(request.form)
    try:
        with launch_transaction() as connection:
            attempt = views.attempt_here(connection, attempt_id)
            score = parse_score(typed, _result_of(connection, attempt, question_id))
            decisions.override_grade(
                connection,
                attempt,
                question_id,
                points=score.points,
                explanation=score.explanation,
                reason=score.reason,
                seen_grade=id_from(typed.seen_grade),
                user_id=current_session().user_id,
            )
    except (FormFaults, DecisionRefused) as refusal:
        return _again(attempt_id, f"score-{question_id}", typed, refusal)
    return _done(attempt_id, "score-changed", question_id)


@blueprint.post("/results/<int:attempt_id>/questions/<int:question_id>/earlier-score")
@with_session(Role.INSTRUCTOR)
def restore(launch_id: UUID, attempt_id: int, question_id: int) -> ResponseReturnValue:
    """Let an earlier score count again (fields ``grade``, its id, and ``seen_grade``)."""
    grade_id = id_from(request.form.get("grade", ""))
    try:
        with launch_transaction() as connection:
            attempt = views.attempt_here(connection, attempt_id)
            _result_of(connection, attempt, question_id)
            decisions.restore_grade(
                connection,
                attempt,
                question_id,
                grade_id=grade_id or 0,
                seen_grade=id_from(request.form.get("seen_grade", "")),
                user_id=current_session().user_id,
            )
    except DecisionRefused as refusal:
        return _again(attempt_id, f"score-{question_id}", None, refusal)
    return _done(attempt_id, "score-restored", question_id)


# Explanations ------------------------------------------------------------------------------------------------------


@blueprint.post("/results/<int:attempt_id>/questions/<int:question_id>/explanation")
@with_session(Role.INSTRUCTOR)
def edit_explanation(launch_id: UUID, attempt_id: int, question_id: int) -> ResponseReturnValue:
    """Let the student read another text beside the same score (fields ``text``, ``seen_explanation``)."""
    typed = request.form.get("text", "")
    try:
        with launch_transaction() as connection:
            attempt = views.attempt_here(connection, attempt_id)
            explanations.edit_explanation(
                connection,
                attempt,
                question_id,
                text=parse_explanation(typed, _result_of(connection, attempt, question_id)),
                seen_explanation=_seen_explanation(),
                user_id=current_session().user_id,
            )
    except (FormFaults, DecisionRefused) as refusal:
        return _again(attempt_id, f"explanation-{question_id}", typed, refusal)
    return _done(attempt_id, "explanation-changed", question_id)


@blueprint.post("/results/<int:attempt_id>/questions/<int:question_id>/machine-explanation")
@with_session(Role.INSTRUCTOR)
def restore_explanation(launch_id: UUID, attempt_id: int, question_id: int) -> ResponseReturnValue:
    """Let the student read the machine's text again (field ``seen_explanation``)."""
    return _about_explanation(attempt_id, question_id, explanations.restore_explanation, "explanation-restored")


@blueprint.post("/results/<int:attempt_id>/questions/<int:question_id>/earlier-explanation")
@with_session(Role.INSTRUCTOR)
def use_explanation(launch_id: UUID, attempt_id: int, question_id: int) -> ResponseReturnValue:
    """Let the student read what an instructor wrote before (fields ``earlier``, its id, and ``seen_explanation``)."""
    earlier = id_from(request.form.get("earlier", "")) or 0
    decide = partial(explanations.use_written_explanation, explanation_id=earlier)
    return _about_explanation(attempt_id, question_id, decide, "explanation-changed")


@blueprint.post("/results/<int:attempt_id>/questions/<int:question_id>/kept-explanation")
@with_session(Role.INSTRUCTOR)
def keep_explanation(launch_id: UUID, attempt_id: int, question_id: int) -> ResponseReturnValue:
    """Let a text stand that its student calls wrong (field ``seen_explanation``)."""
    return _about_explanation(attempt_id, question_id, explanations.keep_explanation, "explanation-kept")


def _about_explanation(
    attempt_id: int, question_id: int, decide: Callable[..., None], notice: str
) -> ResponseReturnValue:
    try:
        with launch_transaction() as connection:
            attempt = views.attempt_here(connection, attempt_id)
            _result_of(connection, attempt, question_id)
            decide(
                connection,
                attempt,
                question_id,
                seen_explanation=_seen_explanation(),
                user_id=current_session().user_id,
            )
    except DecisionRefused as refusal:
        return _again(attempt_id, f"explanation-{question_id}", None, refusal)
    return _done(attempt_id, notice, question_id)


def _seen_explanation() -> int:
    return id_from(request.form.get("seen_explanation", "")) or 0


# The attempt -------------------------------------------------------------------------------------------------------


@blueprint.post("/results/<int:attempt_id>/excuse")
@with_session(Role.INSTRUCTOR)
def excuse(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """The attempt does not count (field ``reason``)."""
    typed = request.form.get("reason", "")
    try:
        with launch_transaction() as connection:
            attempt = _handed_in(connection, attempt_id)
            standing.excuse_attempt(
                connection, attempt.id, reason=parse_reason(typed), user_id=current_session().user_id
            )
    except (FormFaults, DecisionRefused) as refusal:
        return _again(attempt_id, "excuse", typed, refusal)
    return _done(attempt_id, "excused")


@blueprint.post("/results/<int:attempt_id>/count-again")
@with_session(Role.INSTRUCTOR)
def count_again(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """An excused attempt counts again."""
    try:
        with launch_transaction() as connection:
            attempt = _handed_in(connection, attempt_id)
            standing.count_again(connection, attempt.id, user_id=current_session().user_id)
    except DecisionRefused as refusal:
        return _again(attempt_id, "excuse", None, refusal)
    return _done(attempt_id, "counts-again")


@blueprint.post("/results/<int:attempt_id>/reopen")
@with_session(Role.INSTRUCTOR)
def reopen(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """Let the student go on with the answers (fields ``reason`` and, where it matters, ``keeps_due_date``)."""
    typed = request.form.get("reason", "")
    try:
        with launch_transaction() as connection:
            attempt = views.attempt_here(connection, attempt_id)
            standing.reopen_attempt(
                connection,
                attempt.id,
                reason=parse_reason(typed),
                keeps_due_date=bool(request.form.get("keeps_due_date")),
                user_id=current_session().user_id,
            )
    except (FormFaults, DecisionRefused) as refusal:
        return _again(attempt_id, "reopen", typed, refusal)
    return _done(attempt_id, "reopened")


@blueprint.post("/results/<int:attempt_id>/close-again")
@with_session(Role.INSTRUCTOR)
def withdraw(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """Take back that the attempt was opened again, as long as the student has changed nothing."""
    try:
        with launch_transaction() as connection:
            attempt = views.attempt_here(connection, attempt_id)
            standing.withdraw_reopening(connection, attempt.id, user_id=current_session().user_id)
    except DecisionRefused as refusal:
        return _again(attempt_id, "reopen", None, refusal)
    return _done(attempt_id, "closed-again")


# Parts of the above ------------------------------------------------------------------------------------------------


def _handed_in(connection: Connection, attempt_id: int) -> Attempt:
    attempt = views.attempt_here(connection, attempt_id)
    if attempt.status == "OPEN":
        raise DecisionRefused(f"attempt {attempt_id} is open", instructor_text="The attempt is open still.")
    return attempt


def _result_of(connection: Connection, attempt: Attempt, question_id: int) -> QuestionResult:
    for result in list_results(connection, attempt.id):
        if result.question_id == question_id:
            return result
    raise NotFound(f"question {question_id} of attempt {attempt.id}")


def _next_waiting(connection: Connection, attempt: Attempt) -> OverviewRow | None:
    """The next attempt that waits, from this one on in the order of the table."""
    rows = list_overview(connection, attempt.resource_link_id)
    place = next((place for place, row in enumerate(rows) if row.attempt_id == attempt.id), 0)
    return next(iter(list_waiting([*rows[place + 1 :], *rows[:place]])), None)


def _again(attempt_id: int, form: str, typed: object, refusal: FormFaults | DecisionRefused) -> ResponseReturnValue:
    """The page with this form open as it was typed; a reason is typed into a field of that name."""
    is_faulty = isinstance(refusal, FormFaults)
    refill = Refill(
        form=form,
        typed=typed,
        faults=refusal.faults if is_faulty else {},
        problem="" if is_faulty else refusal.instructor_text,
    )
    return views.show_review(attempt_id, refill), refusal.status


def _done(attempt_id: int, notice: str, question_id: int | None = None) -> ResponseReturnValue:
    wake_later(SWEEP)
    return _back(attempt_id, notice, question_id)


def _back(attempt_id: int, notice: str, question_id: int | None = None) -> ResponseReturnValue:
    """To the page with what was done, at the question that it was done to."""
    anchor = f"question-{question_id}" if question_id is not None else None
    target = url_for(
        "gradebook.review", attempt_id=attempt_id, notice=notice or None, question=question_id, _anchor=anchor
    )
    return redirect(target, 303)
