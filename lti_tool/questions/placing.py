"""Step 3 of making a quiz: adding quizzes to the course, or using one in the placement that was launched.

In a deep linking launch the chosen quizzes go to the LMS with their gradebook columns; otherwise the quiz becomes that
of the placement. Also here: a copied placement gets a quiz of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from uuid import UUID

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from psycopg import Connection

from lti_tool.errors import AlreadyDone, NotFound, Unusable
from lti_tool.launch.access import current_session, launch_transaction, with_session
from lti_tool.launch.deep_linking import ContentItem, response_page
from lti_tool.launch.roles import Role
from lti_tool.launch.sessions import LaunchSession
from lti_tool.questions import origins, store
from lti_tool.questions.errors import FormFaults, QuizEmpty
from lti_tool.questions.placement_form import Placement, TypedPlacement, parse_placements
from lti_tool.questions.views import blueprint, choosing_page, summary

#: So many quizzes fit on one page and into one answer.
MAX_QUIZZES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenQuiz:
    """A quiz to be added, with its questions for the preview."""

    quiz: store.Quiz
    questions: list[store.Question]

    @classmethod
    def load(cls, connection: Connection, quiz_id: UUID, context_id: int) -> Self:
        """The quiz of this course. Raises :class:`NotFound`, and :class:`QuizEmpty` for one without questions."""
        quiz = store.get_quiz(connection, quiz_id, context_id)
        if not quiz.question_count:
            raise QuizEmpty(f"quiz {quiz_id} has no questions")
        return cls(quiz=quiz, questions=store.list_questions(connection, quiz_id))


@blueprint.get("/place")
@with_session(Role.INSTRUCTOR)
def placing(launch_id: UUID) -> ResponseReturnValue:
    """The chosen quizzes (repeated ``quiz``) with a preview each, and the fields that their placement needs."""
    if not request.args.getlist("quiz"):
        return choosing_page(faults={"quiz": _("Choose at least one quiz.")}), Unusable.status
    chosen = _chosen(request.args.getlist("quiz"))
    return _placing_page(chosen, [TypedPlacement.from_quiz(one.quiz) for one in chosen])


@blueprint.post("/place")
@with_session(Role.INSTRUCTOR)
def place(launch_id: UUID) -> ResponseReturnValue:
    """Hand the quizzes to the LMS, or make the one quiz that of the placement that was launched."""
    session = current_session()
    chosen = _chosen(request.form.getlist("quiz"))
    typed = [TypedPlacement.from_form(request.form, one.quiz) for one in chosen]
    try:
        placements = parse_placements(typed)
    except FormFaults as refusal:
        return _placing_page(chosen, typed, refusal.faults), refusal.status
    if session.deep_linking is None:
        with launch_transaction() as connection:
            _place_here(connection, session, chosen[0].quiz, placements[0])
        return redirect(url_for("gradebook.overview", notice="placed"), 303)
    items = [_content_item(one.quiz, placement) for one, placement in zip(chosen, placements, strict=True)]
    message = ngettext("%(num)s quiz was added.", "%(num)s quizzes were added.", len(items))
    return response_page(session, items, message=message)


@blueprint.post("/place/cancel")
@with_session(Role.INSTRUCTOR)
def cancel(launch_id: UUID) -> Response:
    """Back to the LMS without adding anything."""
    session = current_session()
    if session.deep_linking is None:
        raise NotFound("not a deep linking launch")
    return response_page(session, [], message=_("No quiz was added."))


@blueprint.post("/place/copy")
@with_session(Role.INSTRUCTOR)
def take_copy(launch_id: UUID) -> ResponseReturnValue:
    """A copied placement: put a copy of the other course's quiz in its place, which this course can change."""
    session = current_session()
    if session.quiz_id is None or session.resource_link_id is None:
        raise NotFound("no quiz to copy")
    with launch_transaction() as connection:
        quiz = store.get_placed_quiz(connection, session.quiz_id, session.resource_link_id)
        copied = origins.take_copy(connection, session, quiz)
    return redirect(url_for("questions.quiz", quiz_id=copied, notice="own-copy"), 303)


# Parts of the above -----------------------------------------------------------------------------------------------


def _chosen(quiz_ids: list[str]) -> list[ChosenQuiz]:
    session = current_session()
    try:
        wanted = list(dict.fromkeys(UUID(quiz_id) for quiz_id in quiz_ids))
    except ValueError as error:
        raise NotFound("a quiz id is no UUID") from error
    if not wanted:
        raise Unusable("no quiz", instructor_text=_("Choose at least one quiz."))
    settings = session.deep_linking_settings if session.deep_linking is not None else None
    if len(wanted) > 1 and (settings is None or not settings.accepts_multiple):
        raise Unusable("several quizzes", instructor_text=_("Your course takes one quiz at a time here: choose one."))
    if len(wanted) > MAX_QUIZZES:
        sentence = _("At most %(num)s quizzes at once, please.", num=MAX_QUIZZES)
        raise Unusable(f"{len(wanted)} quizzes", instructor_text=sentence)
    with launch_transaction() as connection:
        chosen = [ChosenQuiz.load(connection, quiz_id, session.context_id) for quiz_id in wanted]
    if settings is None:
        _require_free_placement(session, chosen[0].quiz)
    return chosen


def _require_free_placement(session: LaunchSession, quiz: store.Quiz) -> None:
    if session.quiz_id not in (None, quiz.id):
        sentence = _("This activity has its quiz already. Add another activity to the course for this one.")
        raise AlreadyDone(
            f"resource link {session.resource_link_id} has quiz {session.quiz_id}",
            student_text=sentence,
            instructor_text=_("Go back, then use “Add activity” in your course and choose this quiz there."),
        )


def _place_here(connection: Connection, session: LaunchSession, quiz: store.Quiz, placement: Placement) -> None:
    assert session.resource_link_id is not None  # a launch is of a resource link or for deep linking
    store.place_quiz(connection, quiz.id, session.resource_link_id)
    store.set_terms(
        connection,
        session.resource_link_id,
        max_attempts=_own_attempts(quiz, placement),
        due_at=placement.due_at,
    )


def _content_item(quiz: store.Quiz, placement: Placement) -> ContentItem:
    return ContentItem(
        title=placement.title,
        text=summary(quiz, placement.max_points),
        quiz_id=quiz.id,
        max_points=placement.max_points,
        submission_until=placement.due_at,
        max_attempts=_own_attempts(quiz, placement),
    )


def _own_attempts(quiz: store.Quiz, placement: Placement) -> int | None:
    """A number of attempts that differs from the quiz's; else the placement follows the quiz when that is changed."""
    return placement.max_attempts if placement.max_attempts != quiz.max_attempts else None


def _placing_page(chosen: list[ChosenQuiz], typed: list[TypedPlacement], faults: dict[str, str] | None = None) -> str:
    session = current_session()
    return render_template(
        "questions/place.html",
        chosen=list(zip(chosen, typed, strict=True)),
        faults=faults or {},
        has_columns=session.deep_linking is not None and session.deep_linking_settings.accepts_line_item,
    )
