"""The forms of the review page: what was typed, and what it means once it is checked."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Self

from flask_babel import format_decimal
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from lti_tool.questions.errors import FormFaults
from lti_tool.questions.forms import number_as_typed, plain_number
from lti_tool.submissions.results import QuestionResult
from lti_tool.submissions.store import storable

MAX_EXPLANATION_CHARACTERS = 4000
MAX_REASON_CHARACTERS = 2000
# PostgreSQL's bigint has 19.
_ID_DIGITS = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedScore:
    """The form of one answer's score as typed. ``seen_grade``: the grade that the page showed, empty for none.

    ``comment`` says what becomes of the machine's words: ``keep``, ``edit``, ``leave_out``, empty where nobody chose.
    """

    points: str = ""
    comment: str = ""
    explanation: str = ""
    reason: str = ""
    seen_grade: str = ""

    @classmethod
    def from_form(cls, form: MultiDict[str, str]) -> Self:
        """Fields ``points``, ``comment``, ``explanation``, ``reason``, ``seen_grade``."""
        return cls(**{name: form.get(name, "") for name in cls.__slots__})

    @classmethod
    def from_result(cls, result: QuestionResult) -> Self:
        """The form of an answer as it stands."""
        return cls(
            points="" if result.points is None else _shown(result.points),
            explanation=result.explanation or "",
            seen_grade=str(result.grade_id or ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewScore:
    """What the form of a score says. ``explanation`` is ``None`` where the machine's words stay."""

    points: Decimal
    explanation: str | None
    reason: str


def parse_score(typed: TypedScore, result: QuestionResult) -> NewScore:
    """The score that was typed for the answer of ``result``; :class:`FormFaults` for what cannot be used.

    Points that are as the form showed them, to two decimals, are the exact ones.
    """
    max_points, number = result.max_points, result.position + 1
    explanation, reason = _text(typed.explanation), _text(typed.reason)
    points = _points(typed.points, max_points)
    if result.points is not None and points == Decimal(_shown(result.points)):
        points = result.points
    faults: dict[str, str] = {}
    if points is None:
        most = format_decimal(max_points, format="#,##0.####")
        faults["points"] = _(
            "Question %(number)s: points from 0 to %(most)s, with at most four decimals.", number=number, most=most
        )
    if len(explanation) > MAX_EXPLANATION_CHARACTERS:
        faults["explanation"] = _("Question %(number)s: this text is longer than 4,000 characters.", number=number)
    if not reason:
        faults["reason"] = _("Question %(number)s: say in a few words why the score changes.", number=number)
    elif len(reason) > MAX_REASON_CHARACTERS:
        faults["reason"] = _("This is too long. Please shorten it.")
    if points is None or faults:
        raise FormFaults(faults, typed)
    return NewScore(points=points, explanation=_explanation(typed, points, result), reason=reason)


def parse_explanation(typed: str, result: QuestionResult) -> str:
    """The text that the student is to read; :class:`FormFaults` with field ``text`` for what cannot be used."""
    text = _text(typed)
    if not text:
        fault = _("Write what the student is to read.")
    elif len(text) > MAX_EXPLANATION_CHARACTERS:
        fault = _("This text is longer than 4,000 characters.")
    elif text == _text(result.explanation or ""):
        fault = _("This is the text as it was. Change what you would say otherwise.")
    else:
        return text
    raise FormFaults({"text": fault}, typed)


def parse_reason(typed: str) -> str:
    """The reason for a decision; :class:`FormFaults` with field ``reason`` where there is none."""
    reason = _text(typed)
    if not reason:
        raise FormFaults({"reason": _("Say in a few words why, for the record.")}, typed)
    if len(reason) > MAX_REASON_CHARACTERS:
        raise FormFaults({"reason": _("This is too long. Please shorten it.")}, typed)
    return reason


def id_from(typed: str) -> int | None:
    """The id of a row that a hidden field holds; ``None`` for an empty one, 0 (no row's) for what is no id."""
    if not typed:
        return None
    return int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < _ID_DIGITS else 0


def _explanation(typed: TypedScore, points: Decimal, result: QuestionResult) -> str | None:
    """What the student is to read; where nobody chose, the machine's words stay as long as they can be right."""
    written = _text(typed.explanation)
    if not result.has_machine_words:
        return written
    match typed.comment:
        case "keep":
            return None
        case "leave_out":
            return ""
        case "edit":
            return written
        case _:
            if written != _text(result.explanation or ""):
                return written
            return "" if _is_far(points, result) else None


def _is_far(points: Decimal, result: QuestionResult) -> bool:
    """More than a quarter of the points from the score that the machine's words were written for."""
    return result.points is not None and abs(points - result.points) > result.max_points / 4


def _shown(points: Decimal) -> str:
    """As the page shows points: two decimals at most."""
    return plain_number(round(points, 2))


def _points(typed: str, max_points: Decimal) -> Decimal | None:
    try:
        points = Decimal(str(number_as_typed(typed)))
    except InvalidOperation:
        return None
    if not points.is_finite() or not 0 <= points <= max_points:
        return None
    return points if points == round(points, 4) else None


def _text(typed: str) -> str:
    return storable(typed.replace("\r\n", "\n").replace("\x00", "")).strip()
