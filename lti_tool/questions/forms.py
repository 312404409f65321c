"""The forms of the quiz editor: what was typed, and what it means once it is checked.

A form is read into a ``Typed…`` object of plain strings, which the page can show again as it was, and then checked.
What cannot be used raises :class:`~lti_tool.questions.errors.FormFaults` with one sentence a field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Self

from flask_babel import gettext as _
from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from werkzeug.datastructures import MultiDict

from grading.text import clean, sentences
from lti_tool.questions.errors import FormFaults
from lti_tool.questions.store import NewKeyPoint, NewQuestion, Question, Quiz

#: Languages of a quiz in their own words: those that the grader's phrases and the bank speak.
QUIZ_LANGUAGES: Mapping[str, str] = {"en": "English", "ko": "한국어"}
DEFAULT_POINTS = Decimal(5)
#: So much of a question is graded in seconds; an answer is held against each of them.
MAX_MODEL_ANSWERS = 10
MAX_KEY_POINTS = 20
#: Of an answer to try, which is typed by hand: a longer one would keep students' answers waiting.
MAX_SAMPLE_CHARACTERS = 10_000


def _plain(value: object) -> object:
    """One line end for all browsers, no blanks around, no NUL (PostgreSQL's text cannot hold one)."""
    return value.replace("\r\n", "\n").replace("\x00", "").strip() if isinstance(value, str) else value


def _one_line(value: object) -> object:
    """A text whose field grows to several lines, as one."""
    return " ".join(value.replace("\x00", "").split()) if isinstance(value, str) else value


def number_as_typed(value: object) -> object:
    """A number as people type it, with a decimal comma too."""
    return value.strip().replace(",", ".") if isinstance(value, str) else value


#: Points of one question.
Points = Annotated[Decimal, BeforeValidator(number_as_typed), Field(gt=0, le=1000, decimal_places=4)]
#: Text of a field, without blanks around.
Line = Annotated[str, BeforeValidator(_plain)]


class QuizFields(BaseModel):
    """A quiz's own fields, checked."""

    title: Annotated[Line, Field(min_length=1, max_length=200)]
    language: Annotated[str, Field(pattern=f"^({'|'.join(QUIZ_LANGUAGES)})$")]
    max_attempts: Annotated[int, Field(ge=1, le=20)]


class _KeyPointFields(BaseModel):
    name: Annotated[Line, Field(min_length=1, max_length=200)]
    text: Annotated[str, BeforeValidator(_one_line), Field(min_length=1, max_length=2000)]
    weight: Annotated[Decimal, BeforeValidator(number_as_typed), Field(gt=0, le=100, decimal_places=3)]


class _QuestionFields(BaseModel):
    prompt: Annotated[Line, Field(min_length=1, max_length=5000)]
    max_points: Points
    model_answers: Annotated[
        list[Annotated[Line, Field(max_length=4000)]], Field(min_length=1, max_length=MAX_MODEL_ANSWERS)
    ]
    key_points: Annotated[list[_KeyPointFields], Field(max_length=MAX_KEY_POINTS)]


class _PointsFields(BaseModel):
    points: dict[int, Points]


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedQuiz:
    """The quiz form as typed."""

    title: str = ""
    language: str = "en"
    max_attempts: str = "1"

    @classmethod
    def from_form(cls, form: MultiDict[str, str]) -> Self:
        """Fields ``title``, ``language``, ``max_attempts``."""
        return cls(**{name: form[name] for name in ("title", "language", "max_attempts") if name in form})

    @classmethod
    def from_quiz(cls, quiz: Quiz) -> Self:
        """The form of a stored quiz."""
        return cls(title=quiz.title, language=quiz.language, max_attempts=str(quiz.max_attempts))


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedKeyPoint:
    """One row of key point fields as typed."""

    name: str = ""
    text: str = ""
    weight: str = "1"

    @property
    def is_blank(self) -> bool:
        """Nothing but a weight: the row does not count."""
        return not _plain(self.name) and not _plain(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedQuestion:
    """The question form as typed."""

    prompt: str = ""
    max_points: str = "5"
    model_answers: tuple[str, ...] = ()
    key_points: tuple[TypedKeyPoint, ...] = ()

    @classmethod
    def from_form(cls, form: MultiDict[str, str], question: Question | None = None) -> Self:
        """Fields ``prompt``, ``max_points``; repeated ``model_answer``, ``key_point_name``, ``_text``, ``_weight``.

        Blank model answers and rows of key points without name and text are left out. A form that has the answer key
        alone asks what ``question`` asks.
        """
        names, texts, weights = (form.getlist(f"key_point_{part}") for part in ("name", "text", "weight"))
        key_points = (
            TypedKeyPoint(name=_at(names, row), text=_at(texts, row), weight=_at(weights, row) or "1")
            for row in range(max(len(names), len(texts)))
        )
        stored = None if "prompt" in form else question
        return cls(
            prompt=stored.prompt if stored else form.get("prompt", ""),
            max_points=plain_number(stored.max_points) if stored else form.get("max_points", ""),
            model_answers=tuple(answer for answer in form.getlist("model_answer") if _plain(answer)),
            key_points=tuple(point for point in key_points if not point.is_blank),
        )

    @classmethod
    def from_question(cls, question: Question) -> Self:
        """The form of a stored question."""
        return cls(
            prompt=question.prompt,
            max_points=plain_number(question.max_points),
            model_answers=question.model_answers,
            key_points=tuple(
                TypedKeyPoint(name=point.name, text=point.text, weight=plain_number(point.weight))
                for point in question.key_points
            ),
        )


def parse_quiz(typed: TypedQuiz) -> QuizFields:
    """The fields of the quiz form; :class:`FormFaults` for what cannot be used."""
    try:
        return QuizFields.model_validate(typed, from_attributes=True)
    except ValidationError as error:
        raise FormFaults(_faults(error), typed) from error


def parse_question(typed: TypedQuestion, *, sample_id: str | None = None) -> NewQuestion:
    """The question that the form describes; :class:`FormFaults` for what cannot be used."""
    try:
        fields = _QuestionFields.model_validate(typed, from_attributes=True)
    except ValidationError as error:
        raise FormFaults(_faults(error), typed) from error
    # Without key points the sentences of the first model answer serve, so it must have one that the grader can read.
    if not fields.key_points and not sentences(clean(fields.model_answers[0])):
        raise FormFaults({"model_answers": _sentence("model_answers", "unreadable")}, typed)
    return NewQuestion(
        prompt=fields.prompt,
        max_points=fields.max_points,
        model_answers=tuple(fields.model_answers),
        key_points=tuple(
            NewKeyPoint(name=point.name, text=point.text, weight=point.weight) for point in fields.key_points
        ),
        sample_id=sample_id,
    )


def parse_points(form: MultiDict[str, str]) -> dict[int, Decimal]:
    """Points by question id out of fields ``points-<question id>``; :class:`FormFaults` keyed by field name."""
    typed = {
        name.removeprefix("points-"): value
        for name, value in form.items()
        if name.startswith("points-") and name.removeprefix("points-").isdecimal()
    }
    try:
        return _PointsFields.model_validate({"points": typed}).points
    except ValidationError as error:
        faults = {f"points-{fault['loc'][1]}": _sentence("max_points", fault["type"]) for fault in error.errors()}
        raise FormFaults(faults, typed) from error


def parse_max_points(typed: str) -> Decimal:
    """Points for one question; :class:`FormFaults` with field ``max_points``."""
    try:
        return _PointsFields.model_validate({"points": {0: typed}}).points[0]
    except ValidationError as error:
        raise FormFaults({"max_points": _sentence("max_points", "")}, typed) from error


def plain_number(value: Decimal) -> str:
    """``5.0000`` as ``5``, ``2.5000`` as ``2.5``: how a number stands in an input field."""
    return f"{value.normalize():f}"


def _at(values: list[str], row: int) -> str:
    return values[row] if row < len(values) else ""


def _faults(error: ValidationError) -> dict[str, str]:
    """One sentence a field; a key point's field is named with its row on the page, ``key_points-0-name``."""
    faults: dict[str, str] = {}
    for fault in error.errors():
        location = fault["loc"]
        field = str(location[0])
        if field == "key_points" and len(location) > 1:
            row, part = location[1:]
            faults.setdefault(f"key_points-{row}-{part}", _sentence(f"key_point_{part}", fault["type"]))
        else:
            is_list = len(location) == 1 and field in ("model_answers", "key_points")
            fault_type = "too_many" if is_list and fault["type"] == "too_long" else fault["type"]
            faults.setdefault(field, _sentence(field, fault_type))
    return faults


def _sentence(field: str, fault_type: str) -> str:
    if fault_type in ("string_too_long", "too_long"):
        return _("This is too long. Please shorten it.")
    if fault_type == "too_many":
        return {
            "model_answers": _("At most %(num)s model answers, please.", num=MAX_MODEL_ANSWERS),
            "key_points": _("At most %(num)s key points, please.", num=MAX_KEY_POINTS),
        }[field]
    if fault_type == "unreadable":
        return _("The first model answer has no words that answers can be compared with.")
    return {
        "title": _("Give the quiz a title."),
        "language": _("Choose one of the languages."),
        "max_attempts": _("Attempts: a whole number from 1 to 20."),
        "prompt": _("Write the question."),
        "max_points": _("Points: a number above 0, at most 1000."),
        "model_answers": _("Write at least one model answer: it is what answers are compared with."),
        "key_point_name": _("Give the key point a short name; students see it."),
        "key_point_text": _("Say the key point in one sentence."),
        "key_point_weight": _("Weight: a number above 0, at most 100."),
    }[field]
