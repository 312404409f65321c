"""Grading again, as pages: what to grade again, who would change from what to what, apply or discard.

The results page has a link to the form, and says while one is being computed or waits to be applied.
"""

from __future__ import annotations

from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from psycopg import Connection

from lti_tool.errors import NotFound
from lti_tool.gradebook import regrade_changes
from lti_tool.gradebook.decision_forms import id_from
from lti_tool.gradebook.regrade_decisions import apply_regrade, discard_regrade, take_back_regrade
from lti_tool.gradebook.regrades import (
    Regrade,
    find_newest_regrade,
    find_regrade,
    list_new_versions,
    list_versions,
    start_regrade,
)
from lti_tool.gradebook.views import blueprint, link_id_of
from lti_tool.launch.access import current_session, launch_transaction, with_session
from lti_tool.launch.audit import record_event
from lti_tool.launch.roles import Role
from lti_tool.launch.sessions import LaunchSession
from lti_tool.questions.store import Quiz, get_placed_quiz, get_question, list_questions
from lti_tool.submissions.store import storable
from lti_tool.web import services
from lti_tool.worker import EXPLAIN, REGRADE, wake_later

MAX_REASON_CHARACTERS = 2000
_ATTEMPTS_A_PAGE = 25
_MOST_UNCHANGED = 1000
_LAST_PAGE = 10_000


@blueprint.context_processor
def _regrade_values() -> dict[str, object]:
    """For the parts of the results page: asked for only where a page has them."""
    return {"newest_regrade": _newest_regrade}


@blueprint.get("/regrades/new")
@with_session(Role.INSTRUCTOR)
def regrade_form(launch_id: UUID) -> ResponseReturnValue:
    """What to grade again and why; ``question`` in the address is the one that is chosen at first."""
    session = current_session()
    with launch_transaction() as connection:
        quiz = _quiz_here(connection, session)
        newest = find_newest_regrade(connection, link_id_of(session))
        if newest is not None and newest.is_open:
            return redirect(url_for("gradebook.regrade", regrade_id=newest.id), 303)
        questions = list_questions(connection, quiz.id)
        versions = list_versions(connection, link_id_of(session), quiz.id)
    return render_template(
        "gradebook/regrade_form.html",
        quiz=quiz,
        questions=questions,
        versions=versions,
        chosen=request.args.get("question", type=int),
        max_reason_characters=MAX_REASON_CHARACTERS,
    )


@blueprint.post("/regrades")
@with_session(Role.INSTRUCTOR)
def begin_regrade(launch_id: UUID) -> ResponseReturnValue:
    """Begin to compute; fields ``question`` (blank for the whole quiz) and ``reason``."""
    session = current_session()
    chosen = request.form.get("question", type=int)
    reason = storable(request.form.get("reason", "").strip())[:MAX_REASON_CHARACTERS]
    with launch_transaction() as connection:
        quiz = _quiz_here(connection, session)
        regrade_id = start_regrade(
            connection,
            resource_link_id=link_id_of(session),
            quiz_id=quiz.id,
            question_id=None if chosen is None else get_question(connection, quiz.id, chosen).id,
            user_id=session.user_id,
            reason=reason,
        )
        record_event(
            connection,
            "REGRADE_STARTED",
            registration_id=session.registration_id,
            user_id=session.user_id,
            facts={"regrade_id": regrade_id, "reason": reason},
        )
    wake_later(REGRADE, session.registration_id, regrade_id)
    return redirect(url_for("gradebook.regrade", regrade_id=regrade_id), 303)


@blueprint.get("/regrades/<int:regrade_id>")
@with_session(Role.INSTRUCTOR)
def regrade(launch_id: UUID, regrade_id: int) -> ResponseReturnValue:
    """How far it is; then who changes from what to what; after that, what was done."""
    return render_template("gradebook/regrade.html", **_page_values(regrade_id))


@blueprint.get("/regrades/<int:regrade_id>/parts")
@with_session(Role.INSTRUCTOR)
def regrade_parts(launch_id: UUID, regrade_id: int) -> ResponseReturnValue:
    """What changes while it is computed, for the page to put in place."""
    return render_template("gradebook/_regrade_parts.html", **_page_values(regrade_id))


@blueprint.post("/regrades/<int:regrade_id>/apply")
@with_session(Role.INSTRUCTOR)
def apply(launch_id: UUID, regrade_id: int) -> ResponseReturnValue:
    """Change the scores, those that an instructor gave too with field ``include_instructor_scored``.

    Only what the page showed (fields ``seen``, ``seen_text``): another answer key may have been saved since, or an
    explanation that would be replaced.
    """
    session = current_session()
    with launch_transaction() as connection:
        if own_regrade(connection, regrade_id).status != "APPLIED":  # a second click is no mistake
            apply_regrade(
                connection,
                regrade_id,
                session.user_id,
                include_instructor_scored="include_instructor_scored" in request.form,
                wait_seconds=services().settings.explanation_wait_seconds,
                seen=request.form.get("seen", ""),
                seen_text=id_from(request.form.get("seen_text", "")),
            )
    wake_later(EXPLAIN, session.registration_id)
    return redirect(url_for("gradebook.regrade", regrade_id=regrade_id), 303)


@blueprint.post("/regrades/<int:regrade_id>/discard")
@with_session(Role.INSTRUCTOR)
def discard(launch_id: UUID, regrade_id: int) -> ResponseReturnValue:
    """Leave every score as it is."""
    with launch_transaction() as connection:
        if own_regrade(connection, regrade_id).status != "DISCARDED":
            discard_regrade(connection, regrade_id, current_session().user_id)
    return redirect(url_for("gradebook.regrade", regrade_id=regrade_id), 303)


@blueprint.post("/regrades/<int:regrade_id>/take-back")
@with_session(Role.INSTRUCTOR)
def take_back(launch_id: UUID, regrade_id: int) -> ResponseReturnValue:
    """Give back the scores from before it was applied."""
    with launch_transaction() as connection:
        take_back_regrade(
            connection,
            own_regrade(connection, regrade_id).id,
            current_session().user_id,
            reason=_("Grading again was taken back."),
            wait_seconds=0,  # the explanations from before are there
        )
    return redirect(url_for("gradebook.regrade", regrade_id=regrade_id), 303)


def own_regrade(connection: Connection, regrade_id: int) -> Regrade:
    """The regrade, if it is of the placement that was launched. Raises :class:`NotFound`."""
    found = find_regrade(connection, regrade_id)
    if found is None or found.resource_link_id != current_session().resource_link_id:
        raise NotFound(f"regrade {regrade_id} is not of resource link {current_session().resource_link_id}")
    return found


def _quiz_here(connection: Connection, session: LaunchSession) -> Quiz:
    if session.quiz_id is None:
        raise NotFound("the placement has no quiz")
    return get_placed_quiz(connection, session.quiz_id, link_id_of(session))


def _newest_regrade() -> Regrade | None:
    with launch_transaction() as connection:
        return find_newest_regrade(connection, link_id_of(current_session()))


def _page_values(regrade_id: int) -> dict[str, object]:
    """What the page of a regrade shows: a page of attempts that change (``page`` in the address, from 1)."""
    page = min(max(1, request.args.get("page", 1, type=int)), _LAST_PAGE)
    with launch_transaction() as connection:
        found = own_regrade(connection, regrade_id)
        quiz = get_placed_quiz(connection, found.quiz_id, found.resource_link_id)
        values: dict[str, object] = {"regrade": found, "quiz": quiz, "page": page}
        values["question"] = found.question_id and get_question(connection, quiz.id, found.question_id)
        if found.status in ("COMPUTING", "DISCARDED"):
            return values
        changing, unchanged = regrade_changes.count_attempts(connection, regrade_id)
        attempts = regrade_changes.list_attempt_changes(
            connection, found, changing=True, limit=_ATTEMPTS_A_PAGE, offset=(page - 1) * _ATTEMPTS_A_PAGE
        )
        answers = regrade_changes.list_answer_changes(connection, regrade_id, [each.attempt_id for each in attempts])
        return values | {
            "versions": list_new_versions(connection, regrade_id),
            "summary": regrade_changes.summarise(connection, regrade_id),
            "replaced_texts": regrade_changes.list_replaced_texts(connection, regrade_id, limit=_MOST_UNCHANGED),
            "attempts": [
                (each, [answer for answer in answers if answer.attempt_id == each.attempt_id]) for each in attempts
            ],
            "changing_count": changing,
            "page_count": max(1, -(-changing // _ATTEMPTS_A_PAGE)),
            "unchanged_count": unchanged,
            "unchanged": regrade_changes.list_attempt_changes(connection, found, changing=False, limit=_MOST_UNCHANGED),
        }
