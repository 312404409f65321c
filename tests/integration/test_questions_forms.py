"""What is typed into the editor's forms, and what it means."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import Babel
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from grading.domain import Question
from grading.errors import QuestionUnusable
from grading.keypoints import key_points_of
from lti_tool.questions.errors import FormFaults
from lti_tool.questions.forms import (
    TypedKeyPoint,
    TypedQuestion,
    TypedQuiz,
    parse_max_points,
    parse_points,
    parse_question,
    parse_quiz,
    plain_number,
)
from lti_tool.questions.policy_form import TypedPolicies, parse_policies

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _a_request() -> Iterator[None]:
    app = Flask(__name__)
    Babel(app)
    with app.test_request_context():
        yield


def typed_question(**changes: object) -> TypedQuestion:
    values: dict[str, object] = {
        "prompt": "What is dropout?",
        "max_points": "5",
        "model_answers": ("Random units are switched off.",),
        "key_points": (TypedKeyPoint(name="what happens", text="Units are switched off.", weight="2"),),
    }
    return TypedQuestion(**values | changes)  # pyright: ignore[reportArgumentType]


def faults_of(typed: TypedQuestion) -> dict[str, str]:
    with pytest.raises(FormFaults) as refusal:
        parse_question(typed)
    assert refusal.value.typed is typed, "what was typed must come back"
    return refusal.value.faults


def test_a_quiz_form_is_read_with_blanks_around_left_off() -> None:
    fields = parse_quiz(
        TypedQuiz.from_form(MultiDict({"title": "  Week 3 \r\n", "language": "ko", "max_attempts": "2"}))
    )
    assert (fields.title, fields.language, fields.max_attempts) == ("Week 3", "ko", 2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", " \n"),
        ("title", "\x00"),
        ("title", "x" * 201),
        ("language", "fr"),
        ("language", ""),
        ("max_attempts", "0"),
        ("max_attempts", "21"),
        ("max_attempts", "two"),
        ("max_attempts", "1.5"),
        ("max_attempts", ""),
    ],
)
def test_a_wrong_quiz_field_is_named(field: str, value: str) -> None:
    form = MultiDict({"title": "Week 3", "language": "en", "max_attempts": "1"} | {field: value})
    with pytest.raises(FormFaults) as refusal:
        parse_quiz(TypedQuiz.from_form(form))
    assert list(refusal.value.faults) == [field]
    assert refusal.value.faults[field].endswith(".")


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(FormFaults) as refusal:
        parse_quiz(TypedQuiz(title="", language="xx", max_attempts="-1"))
    assert set(refusal.value.faults) == {"title", "language", "max_attempts"}


POLICIES = {
    "posting": "AT_ONCE",
    "counted_attempt": "BEST",
    "late_rule": "ACCEPT",
    "late_percent_per_day": "10",
    "explanations_shown": "AT_ONCE",
    "review_confidence": "50",
    "review_share": "0",
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("posting", ""),
        ("posting", "LATER"),
        ("counted_attempt", "WORST"),
        ("late_rule", "accept"),
        ("late_percent_per_day", "0"),
        ("late_percent_per_day", "101"),
        ("late_percent_per_day", "ten"),
        ("late_percent_per_day", ""),
        ("late_percent_per_day", "NaN"),
        ("late_percent_per_day", "1.234"),
        ("explanations_shown", "NEVER"),
        ("review", "yes"),
        ("review_confidence", "0"),
        ("review_confidence", "100.5"),
        ("review_share", "-1"),
        ("review_share", "100"),
    ],
)
def test_a_wrong_policy_is_named(field: str, value: str) -> None:
    typed = TypedPolicies.from_form(MultiDict(POLICIES | {field: value}))
    with pytest.raises(FormFaults) as refusal:
        parse_policies(typed)
    assert list(refusal.value.faults) == [field]
    assert refusal.value.faults[field].endswith(".")
    assert refusal.value.typed is typed


@given(st.decimals("1", "100", places=2), st.decimals("0", "99.99", places=2))
def test_percent_come_back_as_they_were_typed(confidence: Decimal, share: Decimal) -> None:
    typed = TypedPolicies.from_form(
        MultiDict(POLICIES | {"review": "on", "review_confidence": str(confidence), "review_share": str(share)})
    )
    again = TypedPolicies.from_policies(parse_policies(typed))
    assert (Decimal(again.review_confidence), Decimal(again.review_share)) == (confidence, share)


def test_a_question_form_becomes_a_question() -> None:
    form = MultiDict(
        [
            ("prompt", "What is dropout?\r\nSay why."),
            ("max_points", "2,5"),
            ("model_answer", "One way to say it."),
            ("model_answer", "  "),
            ("model_answer", "Another way."),
            ("key_point_name", ""),
            ("key_point_text", ""),
            ("key_point_weight", "1"),
            ("key_point_name", "what happens"),
            ("key_point_text", "Units are\r\nswitched off."),
            ("key_point_weight", "2"),
        ]
    )
    question = parse_question(TypedQuestion.from_form(form), sample_id="dropout")
    assert question.prompt == "What is dropout?\nSay why."
    assert question.max_points == Decimal("2.5")
    assert question.model_answers == ("One way to say it.", "Another way.")
    assert [(point.name, point.text, point.weight) for point in question.key_points] == [
        ("what happens", "Units are switched off.", Decimal(2))
    ]
    assert question.sample_id == "dropout"


def test_a_missing_weight_counts_one() -> None:
    form = MultiDict({"prompt": "Why?", "max_points": "1", "model_answer": "So.", "key_point_name": "a"})
    form.add("key_point_text", "b")
    assert parse_question(TypedQuestion.from_form(form)).key_points[0].weight == 1


def test_key_points_are_optional() -> None:
    assert parse_question(typed_question(key_points=())).key_points == ()


@pytest.mark.parametrize("points", ["0", "-1", "1001", "NaN", "Infinity", "1e400", "five", "", "0.00001", "٥x"])
def test_points_that_are_no_points_are_refused(points: str) -> None:
    assert set(faults_of(typed_question(max_points=points))) == {"max_points"}


@pytest.mark.parametrize(
    ("typed", "points"), [("0.0001", "0.0001"), ("1000", "1000"), (" 2,5 ", "2.5"), ("3.50", "3.50")]
)
def test_points_are_read_as_people_type_them(typed: str, points: str) -> None:
    assert parse_question(typed_question(max_points=typed)).max_points == Decimal(points)
    assert parse_max_points(typed) == Decimal(points)


def test_a_question_without_a_model_answer_is_refused() -> None:
    assert set(faults_of(typed_question(model_answers=()))) == {"model_answers"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "key_points-0-name"),
        ({"name": "x" * 201}, "key_points-0-name"),
        ({"text": ""}, "key_points-0-text"),
        ({"text": "x" * 2001}, "key_points-0-text"),
        ({"weight": "0"}, "key_points-0-weight"),
        ({"weight": "heavy"}, "key_points-0-weight"),
        ({"weight": "101"}, "key_points-0-weight"),
    ],
)
def test_a_wrong_key_point_field_is_named_with_its_row(changes: dict[str, str], field: str) -> None:
    point = TypedKeyPoint(**{"name": "what happens", "text": "Units are switched off.", "weight": "1"} | changes)
    assert set(faults_of(typed_question(key_points=(point,)))) == {field}


def test_texts_that_are_too_long_are_named_as_such() -> None:
    faults = faults_of(typed_question(prompt="x" * 5001, model_answers=("fine", "x" * 4001)))
    assert set(faults) == {"prompt", "model_answers"}
    assert faults["prompt"] == "This is too long. Please shorten it."


@pytest.mark.parametrize("answer", ["…", "- \u200b -", "\u200b\u2060", "\u202e", "1.", "•"])
def test_a_model_answer_that_cannot_be_graded_against_is_refused(answer: str) -> None:
    """The form and the grader agree on what that is."""
    question = Question(prompt="Why?", model_answers=(answer,), key_points=(), language="en")
    try:
        key_points_of(question)
    except QuestionUnusable:
        faults = faults_of(typed_question(model_answers=(answer, "Fine words."), key_points=()))
        assert list(faults) == ["model_answers"]
        assert parse_question(typed_question(model_answers=(answer,))).key_points, "key points serve instead"
    else:
        assert parse_question(typed_question(model_answers=(answer,), key_points=())).model_answers == (answer,)


def test_some_model_answers_cannot_be_graded_against() -> None:
    assert set(faults_of(typed_question(model_answers=("\u200b\u2060",), key_points=()))) == {"model_answers"}


def test_there_is_an_end_to_model_answers_and_key_points() -> None:
    point = TypedKeyPoint(name="a", text="b", weight="1")
    most = parse_question(typed_question(model_answers=("So.",) * 10, key_points=(point,) * 20))
    assert (len(most.model_answers), len(most.key_points)) == (10, 20)
    faults = faults_of(typed_question(model_answers=("So.",) * 11, key_points=(point,) * 21))
    assert faults == {
        "model_answers": "At most 10 model answers, please.",
        "key_points": "At most 20 key points, please.",
    }


def test_the_forms_load_nothing_heavy() -> None:
    program = "import sys, lti_tool.questions.forms; sys.exit('numpy' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT).returncode == 0


def test_nul_never_reaches_the_database() -> None:
    assert parse_question(typed_question(prompt="a\x00b")).prompt == "ab"


def test_points_of_many_questions_are_read_by_question() -> None:
    form = MultiDict({"csrf_token": "x", "points-7": "2", "points-12": "3,5", "points-x": "9"})
    assert parse_points(form) == {7: Decimal(2), 12: Decimal("3.5")}


def test_a_wrong_number_among_points_is_named_and_all_are_kept() -> None:
    with pytest.raises(FormFaults) as refusal:
        parse_points(MultiDict({"points-7": "2", "points-12": "many"}))
    assert list(refusal.value.faults) == ["points-12"]
    assert refusal.value.typed == {"7": "2", "12": "many"}


def test_wrong_points_for_the_bank_are_refused() -> None:
    with pytest.raises(FormFaults) as refusal:
        parse_max_points("lots")
    assert list(refusal.value.faults) == ["max_points"]


@pytest.mark.parametrize(("number", "text"), [("5.0000", "5"), ("2.5000", "2.5"), ("100", "100"), ("0.0001", "0.0001")])
def test_numbers_stand_in_fields_as_people_write_them(number: str, text: str) -> None:
    assert plain_number(Decimal(number)) == text
