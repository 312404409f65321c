"""Step 2 of making a quiz: its page with the list of questions, the sample bank, the question form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from psycopg import Connection

from lti_tool.errors import Unusable
from lti_tool.launch.access import current_session, launch_transaction, with_session
from lti_tool.launch.audit import record_event
from lti_tool.launch.roles import Role
from lti_tool.questions import bank, changes, store
from lti_tool.questions.errors import FormFaults
from lti_tool.questions.forms import (
    DEFAULT_POINTS,
    MAX_SAMPLE_CHARACTERS,
    QUIZ_LANGUAGES,
    TypedKeyPoint,
    TypedQuestion,
    TypedQuiz,
    parse_max_points,
    parse_points,
    parse_question,
    parse_quiz,
    plain_number,
)
from lti_tool.questions.key_changes import count_other_placements, is_same_key, update_answer_key
from lti_tool.questions.policies import Policies
from lti_tool.questions.policy_form import TypedPolicies
from lti_tool.questions.views import blueprint
from lti_tool.worker import REGRADE, wake_later

#: Blank rows under the filled ones, so that a browser without scripts can add some too.
_SPARE_ROWS = 2


@blueprint.get("/quizzes/<uuid:quiz_id>/")
@with_session(Role.INSTRUCTOR)
def quiz(launch_id: UUID, quiz_id: UUID) -> ResponseReturnValue:
    """The quiz with its questions, and what can be done with it."""
    return quiz_page(quiz_id)


@blueprint.post("/quizzes/<uuid:quiz_id>/details")
@with_session(Role.INSTRUCTOR)
def save_details(launch_id: UUID, quiz_id: UUID) -> ResponseReturnValue:
    """Title, language, attempts."""
    try:
        fields = parse_quiz(TypedQuiz.from_form(request.form))
    except FormFaults as refusal:
        return quiz_page(quiz_id, typed=refusal.typed, faults=refusal.faults), refusal.status
    with launch_transaction() as connection:
        current = store.get_quiz(connection, quiz_id, current_session().context_id)
        changes.update_quiz(
            connection, current.id, title=fields.title, max_attempts=fields.max_attempts, language=fields.language
        )
    return _back_to(quiz_id, "saved")


@blueprint.post("/quizzes/<uuid:quiz_id>/points")
@with_session(Role.INSTRUCTOR)
def save_points(launch_id: UUID, quiz_id: UUID) -> ResponseReturnValue:
    """Points of each question at once."""
    try:
        points = parse_points(request.form)
    except FormFaults as refusal:
        return quiz_page(quiz_id, faults=refusal.faults, typed_points=refusal.typed), refusal.status
    with launch_transaction() as connection:
        current = store.get_quiz(connection, quiz_id, current_session().context_id)
        changes.update_points(connection, current.id, points)
    return _back_to(quiz_id, "saved")


@blueprint.post("/quizzes/<uuid:quiz_id>/copy")
@with_session(Role.INSTRUCTOR)
def copy(launch_id: UUID, quiz_id: UUID) -> ResponseReturnValue:
    """A copy that is free to be changed."""
    session = current_session()
    with launch_transaction() as connection:
        current = store.get_quiz(connection, quiz_id, session.context_id)
        title = _("Copy of %(title)s", title=current.title)[:200]
        copied = changes.copy_quiz(connection, current, title=title, created_by=session.user_id)
    return _back_to(copied, "copied")


@blueprint.get("/quizzes/<uuid:quiz_id>/preview")
@with_session(Role.INSTRUCTOR)
def preview(launch_id: UUID, quiz_id: UUID) -> ResponseReturnValue:
    """The quiz as students will see it, without sending anything."""
    with launch_transaction() as connection:
        current = store.get_quiz(connection, quiz_id, current_session().context_id)
        questions = store.list_questions(connection, quiz_id)
    return render_template("questions/preview.html", quiz=current, questions=questions)


# The bank ---------------------------------------------------------------------------------------------------------


@blueprint.get("/quizzes/<uuid:quiz_id>/bank")
@with_session(Role.INSTRUCTOR)
def browse_bank(launch_id: UUID, quiz_id: UUID) -> ResponseReturnValue:
    """Questions of the sample bank in the quiz's language, searched by text and topic."""
    return _bank_page(quiz_id)


@blueprint.post("/quizzes/<uuid:quiz_id>/bank")
@with_session(Role.INSTRUCTOR)
def add_from_bank(launch_id: UUID, quiz_id: UUID) -> ResponseReturnValue:
    """Add the chosen questions (repeated field ``sample``) with ``max_points`` each, in the order of the page."""
    chosen = request.form.getlist("sample")
    if not chosen:
        return _bank_page(quiz_id, fault=_("Choose at least one question.")), Unusable.status
    try:
        max_points = parse_max_points(request.form.get("max_points", plain_number(DEFAULT_POINTS)))
    except FormFaults as refusal:
        return _bank_page(quiz_id, fault=refusal.faults["max_points"]), refusal.status
    with launch_transaction() as connection:
        current = store.get_quiz(connection, quiz_id, current_session().context_id)
        held = {question.sample_id for question in store.list_questions(connection, quiz_id)}
        for sample_id in dict.fromkeys(chosen):
            sample = bank.sample_from_id(sample_id, current.language)
            if sample.id not in held:
                changes.add_question(connection, quiz_id, bank.question_from_sample(sample, max_points))
    return _back_to(quiz_id, "added")


# One question -----------------------------------------------------------------------------------------------------


@blueprint.get("/quizzes/<uuid:quiz_id>/questions/new")
@with_session(Role.INSTRUCTOR)
def new_question(launch_id: UUID, quiz_id: UUID) -> ResponseReturnValue:
    """An empty question form."""
    return question_page(quiz_id, TypedQuestion(max_points=plain_number(DEFAULT_POINTS)))


@blueprint.post("/quizzes/<uuid:quiz_id>/questions/new")
@with_session(Role.INSTRUCTOR)
def add_question(launch_id: UUID, quiz_id: UUID) -> ResponseReturnValue:
    """Add the question of the form at the end."""
    try:
        question = parse_question(TypedQuestion.from_form(request.form))
    except FormFaults as refusal:
        return question_page(quiz_id, refusal.typed, faults=refusal.faults), refusal.status
    with launch_transaction() as connection:
        current = store.get_quiz(connection, quiz_id, current_session().context_id)
        changes.add_question(connection, current.id, question)
    return _back_to(quiz_id, "added")


@blueprint.get("/quizzes/<uuid:quiz_id>/questions/<int:question_id>")
@with_session(Role.INSTRUCTOR)
def edit_question(launch_id: UUID, quiz_id: UUID, question_id: int) -> ResponseReturnValue:
    """The form of a stored question."""
    with launch_transaction() as connection:
        current = store.get_quiz(connection, quiz_id, current_session().context_id)
        question = store.get_question(connection, current.id, question_id)
    return question_page(quiz_id, TypedQuestion.from_question(question), question=question)


@blueprint.post("/quizzes/<uuid:quiz_id>/questions/<int:question_id>")
@with_session(Role.INSTRUCTOR)
def save_question(launch_id: UUID, quiz_id: UUID, question_id: int) -> ResponseReturnValue:
    """Replace a stored question by the form's; of a quiz that a student has begun, its answer key alone."""
    with launch_transaction() as connection:
        current = store.get_quiz(connection, quiz_id, current_session().context_id)
        question = store.get_question(connection, current.id, question_id)
        asks_the_same = "prompt" not in request.form and store.is_fixed(connection, current.id)
        typed = TypedQuestion.from_form(request.form, question if asks_the_same else None)
        try:
            changed = parse_question(typed, sample_id=question.sample_id)
        except FormFaults as refusal:
            page = question_page(quiz_id, refusal.typed, faults=refusal.faults, question=question)
            return page, refusal.status
        if not asks_the_same:
            changes.update_question(connection, question, changed)
            return _back_to(quiz_id, "saved")
        regrade_ids = _save_key(connection, question, changed)
    for regrade_id in regrade_ids:
        wake_later(REGRADE, current_session().registration_id, regrade_id)
    return redirect(
        url_for("questions.edit_question", quiz_id=quiz_id, question_id=question_id, notice="key-saved"), 303
    )


@blueprint.post("/quizzes/<uuid:quiz_id>/questions/<int:question_id>/move")
@with_session(Role.INSTRUCTOR)
def move_question(launch_id: UUID, quiz_id: UUID, question_id: int) -> ResponseReturnValue:
    """One place ``up`` or ``down``."""
    direction: Literal["up", "down"] = "up" if request.form.get("direction") == "up" else "down"
    with launch_transaction() as connection:
        current = store.get_quiz(connection, quiz_id, current_session().context_id)
        changes.move_question(connection, store.get_question(connection, current.id, question_id), direction)
    return _back_to(quiz_id, "moved", f"question-{question_id}")


@blueprint.post("/quizzes/<uuid:quiz_id>/questions/<int:question_id>/remove")
@with_session(Role.INSTRUCTOR)
def remove_question(launch_id: UUID, quiz_id: UUID, question_id: int) -> ResponseReturnValue:
    """Take a question out of the quiz."""
    with launch_transaction() as connection:
        current = store.get_quiz(connection, quiz_id, current_session().context_id)
        changes.remove_question(connection, store.get_question(connection, current.id, question_id))
    return _back_to(quiz_id, "removed")


def _save_key(connection: Connection, question: store.Question, changed: store.NewQuestion) -> list[int]:
    """Save another answer key and record that; ids of the regrades that compute anew."""
    if is_same_key(question, changed):
        return []
    session = current_session()
    record_event(
        connection,
        "ANSWER_KEY_CHANGED",
        registration_id=session.registration_id,
        user_id=session.user_id,
        facts={"question_id": question.id, "quiz_id": str(question.quiz_id)},
    )
    return update_answer_key(connection, question, changed)


# Pages ------------------------------------------------------------------------------------------------------------


def _back_to(quiz_id: UUID, notice: str, anchor: str | None = None) -> ResponseReturnValue:
    return redirect(url_for("questions.quiz", quiz_id=quiz_id, notice=notice, _anchor=anchor), 303)


def quiz_page(
    quiz_id: UUID,
    *,
    typed: TypedQuiz | None = None,
    faults: dict[str, str] | None = None,
    typed_points: dict[str, str] | None = None,
    typed_policies: TypedPolicies | None = None,
) -> str:
    """The page of a quiz of this course; with ``faults``, what was typed into one of its forms."""
    with launch_transaction() as connection:
        current = store.get_quiz(connection, quiz_id, current_session().context_id)
        questions = store.list_questions(connection, quiz_id)
        is_fixed = store.is_fixed(connection, quiz_id)
    return render_template(
        "questions/quiz.html",
        quiz=current,
        questions=questions,
        is_fixed=is_fixed,
        typed=typed or TypedQuiz.from_quiz(current),
        typed_points=typed_points or {},
        typed_policies=typed_policies or TypedPolicies.from_policies(Policies.of_quiz(current)),
        faults=faults or {},
        languages=QUIZ_LANGUAGES,
    )


def _bank_page(quiz_id: UUID, *, fault: str = "") -> str:
    text, tag = request.args.get("text", "")[:200], request.args.get("tag", "")
    with launch_transaction() as connection:
        current = store.get_quiz(connection, quiz_id, current_session().context_id)
        held = {question.sample_id for question in store.list_questions(connection, quiz_id)}
    return render_template(
        "questions/bank.html",
        quiz=current,
        held=held,
        samples=bank.find_samples(current.language, text=text, tag=tag),
        topics=bank.list_topics(current.language),
        text=text,
        tag=tag,
        chosen=request.form.getlist("sample"),
        max_points=request.form.get("max_points", plain_number(DEFAULT_POINTS)),
        fault=fault,
    )


def question_page(
    quiz_id: UUID,
    typed: TypedQuestion,
    *,
    faults: dict[str, str] | None = None,
    question: store.Question | None = None,
    sample: str = "",
    trial: Mapping[str, object] | None = None,
) -> str:
    """The form of a question as typed; ``sample`` is an answer to try, and ``trial`` what the page says of it."""
    with launch_transaction() as connection:
        current = store.get_quiz(connection, quiz_id, current_session().context_id)
        is_fixed = store.is_fixed(connection, quiz_id)
        elsewhere = count_other_placements(connection, quiz_id, current_session().resource_link_id) if is_fixed else 0
    return render_template(
        "questions/question.html",
        elsewhere=elsewhere,
        quiz=current,
        question=question,
        is_fixed=is_fixed,
        typed=typed,
        answer_rows=(*typed.model_answers, *[""] * max(0, _SPARE_ROWS - len(typed.model_answers))),
        key_point_rows=(*typed.key_points, *[TypedKeyPoint()] * _SPARE_ROWS),
        faults=faults or {},
        sample=sample,
        max_sample_characters=MAX_SAMPLE_CHARACTERS,
        **trial or {},
    )
