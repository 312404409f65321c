"""The learner's pages: start, answer, hand in; the result is in ``result_views.py``. An instructor's try is the same.

An attempt is found only by the person and in the placement that it belongs to. A due date is shown; what it means is a
policy of the quiz. Unless the quiz closes then, nobody is kept from answering after it, and the LMS gets the time of
handing in with each score.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from uuid import UUID

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from psycopg import Connection

from lti_tool.errors import NotFound, Unusable
from lti_tool.exports.consent import choice_to_show
from lti_tool.launch.access import current_session, launch_transaction, with_session
from lti_tool.launch.roles import Role
from lti_tool.questions.answer_key import max_attempts_here
from lti_tool.questions.store import Question, Quiz, get_placed_quiz, list_questions
from lti_tool.submissions import closing, store
from lti_tool.submissions.closing import hand_in_ended, hand_in_in_time, has_ended
from lti_tool.submissions.drafts import TypedDraft, keep_draft, mark_of
from lti_tool.submissions.errors import AttemptClosed
from lti_tool.submissions.own_attempts import (
    allowed_attempts,
    get_own_attempt,
    is_closed,
    is_over,
    is_preview,
    link_id_of,
    list_own_attempts,
)
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
        current = get_placed_quiz(connection, session.quiz_id, link_id_of(session))
        attempts = [
            each
            for each in list_own_attempts(connection, session)
            if each.quiz_id == current.id and each.is_preview == is_preview(session)
        ]
        allowed = allowed_attempts(connection, session, current)
        consent = choice_to_show(connection, session, just_chosen=request.args.get("notice") == "chosen")
    if attempts:
        return redirect(url_for("submissions.attempt", attempt_id=attempts[-1].id), 303)
    return render_template(
        "attempts/start.html",
        quiz=current,
        allowed=allowed,
        max_attempts=max_attempts_here(session, current),
        due_at=session.due_at,
        is_overdue=is_over(session.due_at),
        is_closed=is_closed(session, current),
        consent=consent,
    )


@blueprint.post("/attempts")
@with_session(Role.LEARNER, Role.INSTRUCTOR)
def begin(launch_id: UUID) -> ResponseReturnValue:
    """Begin an attempt, or go on with the one that is open."""
    session = current_session()
    if session.quiz_id is None:
        raise NotFound("no quiz to attempt")
    with launch_transaction() as connection:
        current = get_placed_quiz(connection, session.quiz_id, link_id_of(session))
        if not current.question_count:
            raise NotFound(f"quiz {current.id} has no questions")
        allowed = allowed_attempts(connection, session, current)
        begun = store.start_attempt(
            connection,
            resource_link_id=link_id_of(session),
            user_id=session.user_id,
            quiz_id=current.id,
            max_attempts=_PREVIEW_ATTEMPTS if allowed is None else allowed,
            is_preview=is_preview(session),
            due_at=session.due_at,
            is_closed=is_closed(session, current),
        )
    return redirect(url_for("submissions.attempt", attempt_id=begun.id), 303)


# Answer -----------------------------------------------------------------------------------------------------------


@blueprint.get("/attempts/<int:attempt_id>/")
@with_session(Role.LEARNER, Role.INSTRUCTOR)
def attempt(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """The questions with room to answer; after handing in, the result."""
    with launch_transaction() as connection:
        current = get_own_attempt(connection, attempt_id)
        if current.status != "OPEN" or _hands_in_ended(connection, current):
            return redirect(url_for("submissions.result", attempt_id=attempt_id), 303)
        quiz = get_placed_quiz(connection, current.quiz_id, current.resource_link_id)
        fields = _answer_fields(connection, current)
        consent = choice_to_show(connection, current_session())
    return render_template(
        "attempts/answer.html",
        quiz=quiz,
        attempt=current,
        max_attempts=max_attempts_here(current_session(), quiz),
        due_at=current.due_at,
        is_overdue=is_over(current.due_at),
        closes_in_seconds=_closes_in_seconds(quiz, current),
        grace_seconds=closing.GRACE_SECONDS,
        fields=fields,
        max_characters=MAX_ANSWER_CHARACTERS,
        merged=request.args.getlist("merged"),
        consent=consent,
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
        current = get_own_attempt(connection, attempt_id)
        _require_time(connection, current)
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
        current = get_own_attempt(connection, attempt_id)
        _require_time(connection, current)
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
        current = get_own_attempt(connection, attempt_id)
        if current.status != "OPEN":
            return redirect(url_for("submissions.result", attempt_id=attempt_id), 303)
        quiz = get_placed_quiz(connection, current.quiz_id, current.resource_link_id)
        return _confirm_page(connection, quiz, current)


@blueprint.post("/attempts/<int:attempt_id>/hand-in")
@with_session(Role.LEARNER, Role.INSTRUCTOR)
def hand_in(launch_id: UUID, attempt_id: int) -> ResponseReturnValue:
    """Hand in. An attempt without any answer needs the field ``empty_is_meant``."""
    with launch_transaction() as connection:
        current = get_own_attempt(connection, attempt_id)
        if current.status == "OPEN" and not request.form.get("empty_is_meant"):
            fields = _answer_fields(connection, current)
            if all(field.is_blank for field in fields):
                quiz = get_placed_quiz(connection, current.quiz_id, current.resource_link_id)
                fault = _("Every answer is empty. Tick the box if that is what you mean.")
                return _confirm_page(connection, quiz, current, fault), Unusable.status
        wait_seconds = services().settings.explanation_wait_seconds
        received = hand_in_in_time(connection, current.id, explanation_wait_seconds=wait_seconds)
    # The answers are stored now; waking the workers only makes it quick, the sweep would find them too.
    wake_grading(current_session().registration_id, received)
    return redirect(url_for("submissions.result", attempt_id=attempt_id), 303)


# Parts of the above -----------------------------------------------------------------------------------------------


def _hands_in_ended(connection: Connection, current: Attempt) -> bool:
    """Hand the attempt in if it has ended with its due date; whether it has. The sweep finds its answers."""
    if not has_ended(connection, current.id):
        return False
    hand_in_ended(connection, current.id, explanation_wait_seconds=services().settings.explanation_wait_seconds)
    return True


def _closes_in_seconds(quiz: Quiz, current: Attempt) -> int | None:
    """How long until the attempt is handed in by itself, 0 for what is about to be; ``None`` where it never is."""
    if quiz.late_rule != "CLOSE" or current.due_at is None or current.is_preview:
        return None
    return max(0, ceil((current.due_at - datetime.now(UTC)).total_seconds()))


def _require_time(connection: Connection, current: Attempt) -> None:
    """Raise :class:`AttemptClosed` for what comes after the attempt has ended with its due date."""
    if has_ended(connection, current.id):
        raise AttemptClosed(f"attempt {current.id} was due {current.due_at}")


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


from lti_tool.exports import student_views  # noqa: E402, F401 - its views join the blueprint
from lti_tool.submissions import rating_views, result_views  # noqa: E402, F401 - their views join the blueprint
