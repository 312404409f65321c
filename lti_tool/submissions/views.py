"""The learner's pages: start, answer, hand in, result. An instructor's own try goes the same way.

An attempt is found only by the person and in the placement that it belongs to. A due date is shown, and nobody is kept
from answering after it: the LMS alone knows who was given more time and what becomes of late work, and it gets the time
of handing in with each score.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from psycopg import Connection

from lti_tool.errors import NotFound, Unusable
from lti_tool.launch.access import current_session, launch_transaction, with_session
from lti_tool.launch.roles import Role
from lti_tool.launch.sessions import LaunchSession
from lti_tool.questions.answer_key import allowed_previews, max_attempts_here
from lti_tool.questions.store import Question, Quiz, get_placed_quiz, list_questions
from lti_tool.submissions import store
from lti_tool.submissions.drafts import TypedDraft, keep_draft, mark_of
from lti_tool.submissions.outcome import outcome_of
from lti_tool.submissions.store import MAX_ANSWER_CHARACTERS, Attempt, Submission
from lti_tool.web import services
from lti_tool.worker import wake_grading

blueprint = Blueprint("submissions", __name__, url_prefix="/launches/<uuid:launch_id>")

#: An instructor may try a quiz of their own course as often as they like.
_PREVIEW_ATTEMPTS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerField:
    """One question on the answering page with the draft saved so far."""

    question: Question
    draft: Submission | None

    @property
    def is_blank(self) -> bool:
        """Nothing written yet."""
        return self.draft is None or not self.draft.answer.strip()

    @property
    def mark(self) -> str:
        """The mark of the text that the page shows."""
        return mark_of(self.draft.answer if self.draft else "")


# Start ------------------------------------------------------------------------------------------------------------


@blueprint.get("/quiz")
@with_session(Role.LEARNER, Role.INSTRUCTOR)
def start(launch_id: UUID) -> ResponseReturnValue:
    """What to expect; an open attempt goes on, a finished one shows its result."""
    session = current_session()
    if session.quiz_id is None:
        return render_template("attempts/no_quiz.html")
    with launch_transaction() as connection:
        current = get_placed_quiz(connection, session.quiz_id, _link_id(session))
        attempts = [
            each
            for each in _own_attempts(connection, session)
            if each.quiz_id == current.id and each.is_preview == _is_preview(session)
        ]
        allowed = _allowed_attempts(connection, session, current)
    if attempts:
        return redirect(url_for("submissions.attempt", attempt_id=attempts[-1].id), 303)
    return render_template(
        "attempts/start.html",
        quiz=current,
        allowed=allowed,
        max_attempts=max_attempts_here(session, current),
        is_overdue=_is_overdue(session),
    )


@blueprint.post("/attempts")
@with_session(Role.LEARNER, Role.INSTRUCTOR)
def begin(launch_id: UUID) -> ResponseReturnValue:
    """Begin an attempt, or go on with the one that is open."""
    session = current_session()
    if session.quiz_id is None:
        raise NotFound("no quiz to attempt")
    with launch_transaction() as connection:
        current = get_placed_quiz(connection, session.quiz_id, _link_id(session))
        if not current.question_count:
            raise NotFound(f"quiz {current.id} has no questions")
        allowed = _allowed_attempts(connection, session, current)
        begun = store.start_attempt(
            connection,
            resource_link_id=_link_id(session),
            user_id=session.user_id,
            quiz_id=current.id,
            max_attempts=_PREVIEW_ATTEMPTS if allowed is None else allowed,
            is_preview=_is_preview(session),
            due_at=session.due_at,
        )
    return redirect(url_for("submissions.attempt", attempt_id=begun.id), 303)


# Answer -----------------------------------------------------------------------------------------------------------


@blueprint.get("/attempts/<int:attempt_id>/")
@with_session(Role.LEARNER, Role.INSTRUCTOR)
def attempt(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """The questions with room to answer; after handing in, the result."""
    with launch_transaction() as connection:
        current = _own_attempt(connection, attempt_id)
        if current.status != "OPEN":
            return redirect(url_for("submissions.result", attempt_id=attempt_id), 303)
        quiz = get_placed_quiz(connection, current.quiz_id, current.resource_link_id)
        fields = _answer_fields(connection, current)
    return render_template(
        "attempts/answer.html",
        quiz=quiz,
        attempt=current,
        max_attempts=max_attempts_here(current_session(), quiz),
        is_overdue=_is_overdue(current_session()),
        fields=fields,
        max_characters=MAX_ANSWER_CHARACTERS,
        merged=request.args.getlist("merged"),
    )


@blueprint.post("/attempts/<int:attempt_id>/drafts/<int:question_id>")
@with_session(Role.LEARNER, Role.INSTRUCTOR)
def save_draft(launch_id: UUID, attempt_id: int, question_id: int) -> ResponseReturnValue:
    """Save one answer while it is being written (field ``answer``); JSON ``{"saved_at": …}`` once it is stored.

    Where another window changed the draft that the page knows (fields ``base`` and ``known``), the JSON also holds
    ``answer``, the text that is stored now, and ``"merged": true``.
    """
    typed = TypedDraft.from_form(request.form)
    if typed is None:
        raise Unusable("no field answer")
    with launch_transaction() as connection:
        current = _own_attempt(connection, attempt_id)
        kept = keep_draft(connection, attempt_id=current.id, question_id=question_id, typed=typed)
    told = {"saved_at": kept.submission.saved_at.isoformat()}
    return jsonify({**told, "answer": kept.submission.answer, "merged": True} if kept.differs else told)


@blueprint.post("/attempts/<int:attempt_id>/answers")
@with_session(Role.LEARNER, Role.INSTRUCTOR)
def save_answers(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """Save all answers (fields ``answer-<question id>``); on to handing in unless ``then`` is ``stay``.

    An answer that another window changed too keeps both texts, and the student looks at it before handing in.
    """
    merged: list[int] = []
    with launch_transaction() as connection:
        current = _own_attempt(connection, attempt_id)
        for question in list_questions(connection, current.quiz_id):
            typed = TypedDraft.from_form(request.form, f"-{question.id}")
            if typed is not None:
                kept = keep_draft(connection, attempt_id=current.id, question_id=question.id, typed=typed)
                merged += [question.id] if kept.is_merged else []
    if merged:
        place = f"answer-{merged[0]}"
        return redirect(url_for("submissions.attempt", attempt_id=attempt_id, merged=merged, _anchor=place), 303)
    if request.form.get("then") == "stay":
        return redirect(url_for("submissions.attempt", attempt_id=attempt_id, notice="kept"), 303)
    return redirect(url_for("submissions.confirm", attempt_id=attempt_id), 303)


# Hand in ----------------------------------------------------------------------------------------------------------


@blueprint.get("/attempts/<int:attempt_id>/hand-in")
@with_session(Role.LEARNER, Role.INSTRUCTOR)
def confirm(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """Ask once more, with what is unanswered."""
    with launch_transaction() as connection:
        current = _own_attempt(connection, attempt_id)
        if current.status != "OPEN":
            return redirect(url_for("submissions.result", attempt_id=attempt_id), 303)
        quiz = get_placed_quiz(connection, current.quiz_id, current.resource_link_id)
        return _confirm_page(connection, quiz, current)


@blueprint.post("/attempts/<int:attempt_id>/hand-in")
@with_session(Role.LEARNER, Role.INSTRUCTOR)
def hand_in(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """Hand in. An attempt without any answer needs the field ``empty_is_meant``."""
    with launch_transaction() as connection:
        current = _own_attempt(connection, attempt_id)
        if current.status == "OPEN" and not request.form.get("empty_is_meant"):
            fields = _answer_fields(connection, current)
            if all(field.is_blank for field in fields):
                quiz = get_placed_quiz(connection, current.quiz_id, current.resource_link_id)
                fault = _("Every answer is empty. Tick the box if that is what you mean.")
                return _confirm_page(connection, quiz, current, fault), Unusable.status
        wait_seconds = services().settings.explanation_wait_seconds
        received = store.hand_in(connection, current.id, explanation_wait_seconds=wait_seconds)
    # The answers are stored now; waking the workers only makes it quick, the sweep would find them too.
    wake_grading(current_session().registration_id, received)
    return redirect(url_for("submissions.result", attempt_id=attempt_id), 303)


# Result -----------------------------------------------------------------------------------------------------------


@blueprint.get("/attempts/<int:attempt_id>/result")
@with_session(Role.LEARNER, Role.INSTRUCTOR)
def result(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """Received, score and explanation of each answer, the total and where it is."""
    session = current_session()
    with launch_transaction() as connection:
        current = _own_attempt(connection, attempt_id)
        if current.status == "OPEN":
            return redirect(url_for("submissions.attempt", attempt_id=attempt_id), 303)
        quiz = get_placed_quiz(connection, current.quiz_id, current.resource_link_id)
        outcome = outcome_of(connection, current, quiz)
        past = [each for each in _own_attempts(connection, session) if each.quiz_id == current.quiz_id]
        allowed = _allowed_attempts(connection, session, quiz)
    used = store.count_used([each for each in past if each.is_preview == _is_preview(session)])
    return render_template(
        "attempts/result.html",
        quiz=quiz,
        outcome=outcome,
        past=past,
        attempts_left=None if allowed is None else max(0, allowed - used),
        is_current_quiz=current.quiz_id == session.quiz_id,
    )


@blueprint.get("/attempts/<int:attempt_id>/result/parts")
@with_session(Role.LEARNER, Role.INSTRUCTOR)
def result_parts(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """The part of the result page that changes, for the page to put in place."""
    with launch_transaction() as connection:
        current = _own_attempt(connection, attempt_id)
        if current.status == "OPEN":
            raise NotFound(f"attempt {attempt_id} is still open")
        quiz = get_placed_quiz(connection, current.quiz_id, current.resource_link_id)
        outcome = outcome_of(connection, current, quiz)
    return render_template("attempts/_result_parts.html", outcome=outcome)


# Parts of the above -----------------------------------------------------------------------------------------------


def _is_preview(session: LaunchSession) -> bool:
    return session.role is Role.INSTRUCTOR or session.is_test_user


def _allowed_attempts(connection: Connection, session: LaunchSession, quiz: Quiz) -> int | None:
    """How many attempts this person has at the quiz here, ``None`` without a bound."""
    return allowed_previews(connection, session, quiz) if _is_preview(session) else max_attempts_here(session, quiz)


def _is_overdue(session: LaunchSession) -> bool:
    return session.due_at is not None and session.due_at <= datetime.now(UTC)


def _own_attempts(connection: Connection, session: LaunchSession) -> list[Attempt]:
    return store.list_attempts(connection, _link_id(session), session.user_id)


def _link_id(session: LaunchSession) -> int:
    """The placement of this launch; a deep linking launch has none, and nothing to answer either."""
    if session.resource_link_id is None:
        raise NotFound("a deep linking launch has no placement")
    return session.resource_link_id


def _own_attempt(connection: Connection, attempt_id: int) -> Attempt:
    """The attempt, if it is this person's in this placement; :class:`NotFound` otherwise."""
    session = current_session()
    found = store.find_attempt(connection, attempt_id)
    if found is None or (found.user_id, found.resource_link_id) != (session.user_id, session.resource_link_id):
        raise NotFound(f"attempt {attempt_id} is not of user {session.user_id}")
    return found


def _answer_fields(connection: Connection, current: Attempt) -> list[AnswerField]:
    drafts = {draft.question_id: draft for draft in store.list_submissions(connection, current.id)}
    return [
        AnswerField(question=question, draft=drafts.get(question.id))
        for question in list_questions(connection, current.quiz_id)
    ]


def _confirm_page(connection: Connection, quiz: Quiz, current: Attempt, fault: str = "") -> str:
    return render_template(
        "attempts/confirm.html", quiz=quiz, attempt=current, fields=_answer_fields(connection, current), fault=fault
    )
