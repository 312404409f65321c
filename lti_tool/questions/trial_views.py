"""Trying an answer while writing a question: the form goes along as it stands, and nothing of it is saved."""

from __future__ import annotations

from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from grading import domain
from lti_tool.errors import NotFound
from lti_tool.gradebook.doubts import LOW_CONFIDENCE
from lti_tool.launch.access import current_session, launch_transaction, with_session
from lti_tool.launch.roles import Role
from lti_tool.questions import store, trials
from lti_tool.questions.editor import question_page
from lti_tool.questions.errors import FormFaults
from lti_tool.questions.forms import MAX_SAMPLE_CHARACTERS, TypedQuestion, parse_question
from lti_tool.questions.trials import Trial
from lti_tool.questions.views import blueprint
from lti_tool.submissions.store import storable
from lti_tool.worker import TRY_ANSWER, wake_later


@blueprint.get("/quizzes/<uuid:quiz_id>/try-answer")
@with_session(Role.INSTRUCTOR)
def leave_trial(launch_id: UUID, quiz_id: UUID) -> ResponseReturnValue:
    """Whoever comes back to the address of a form that was sent finds the form as it is saved."""
    with launch_transaction() as connection:
        store.get_quiz(connection, quiz_id, current_session().context_id)
    question_id = request.args.get("question", type=int)
    if question_id is None:
        return redirect(url_for("questions.new_question", quiz_id=quiz_id), 303)
    return redirect(url_for("questions.edit_question", quiz_id=quiz_id, question_id=question_id), 303)


@blueprint.post("/quizzes/<uuid:quiz_id>/try-answer")
@with_session(Role.INSTRUCTOR)
def try_answer(launch_id: UUID, quiz_id: UUID) -> ResponseReturnValue:
    """The question form as it was sent, with the answer (field ``sample_answer``) on its way to a worker.

    ``question`` in the address names a stored question. Field ``trial``: one that is under way already, which is looked
    at again if neither form nor answer changed.
    """
    session = current_session()
    question_id = request.args.get("question", type=int)
    with launch_transaction() as connection:
        quiz = store.get_quiz(connection, quiz_id, session.context_id)
        question = store.get_question(connection, quiz.id, question_id) if question_id is not None else None
    typed, sample = TypedQuestion.from_form(request.form, question), _sample(request.form.get("sample_answer", ""))
    try:
        asked = _asked(parse_question(typed), quiz.language)
        _require_sample(sample, typed)
    except FormFaults as refusal:
        return question_page(quiz_id, typed, faults=refusal.faults, question=question, sample=sample), refusal.status
    with launch_transaction() as connection:
        trial = trials.take_trial(connection, request.form.get("trial", 0, type=int), user_id=session.user_id)
        is_new = trial is None or (trial.question, trial.answer) != (asked, sample)
        if is_new:
            trial_id = trials.add_trial(connection, asked, sample, user_id=session.user_id)
            trial = trials.take_trial(connection, trial_id, user_id=session.user_id)
    assert trial is not None
    if is_new:
        wake_later(TRY_ANSWER, session.registration_id, trial.id)
    return question_page(quiz_id, typed, question=question, sample=sample, trial=_page_values(trial))


@blueprint.get("/trials/<int:trial_id>")
@with_session(Role.INSTRUCTOR)
def trial_parts(launch_id: UUID, trial_id: int) -> ResponseReturnValue:
    """What came of it, for the page to put in place; a result is handed out once."""
    with launch_transaction() as connection:
        trial = trials.take_trial(connection, trial_id, user_id=current_session().user_id)
    if trial is None:
        raise NotFound(f"trial {trial_id}")
    return render_template("questions/_trial.html", **_page_values(trial))


def _sample(typed: str) -> str:
    return storable(typed.replace("\r\n", "\n")).strip()


def _require_sample(sample: str, typed: object) -> None:
    if not sample:
        raise FormFaults({"sample_answer": _("Write an answer to try.")}, typed)
    if len(sample) > MAX_SAMPLE_CHARACTERS:
        raise FormFaults({"sample_answer": _("This is too long. Please shorten it.")}, typed)


def _asked(question: store.NewQuestion, language: str) -> domain.Question:
    """What the grader would be asked if the form were saved."""
    return domain.Question(
        prompt=question.prompt,
        model_answers=question.model_answers,
        key_points=tuple(
            domain.KeyPoint(position=position, name=point.name, text=point.text, weight=float(point.weight))
            for position, point in enumerate(question.key_points)
        ),
        language=language,
    )


def _page_values(trial: Trial) -> dict[str, object]:
    from grading.keypoints import key_points_of  # brings numpy, which few pages of the web process need

    return {"trial": trial, "key_points": key_points_of(trial.question), "low_confidence": LOW_CONFIDENCE}
