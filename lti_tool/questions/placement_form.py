"""The form that adds quizzes to a course: what was typed for each of them, and what it means once it is checked.

Field names end in the quiz's id, so that several quizzes share one form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from flask_babel import gettext as _
from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from lti_tool.questions.errors import FormFaults
from lti_tool.questions.forms import Line, number_as_typed, plain_number
from lti_tool.questions.store import Quiz

#: The browser's zone is at most a day away from UTC.
_DAY_MINUTES = 24 * 60


def _moment_as_typed(value: object) -> object:
    """A day and time as a ``datetime-local`` field sends it, ``None`` for an empty one."""
    if not isinstance(value, str) or not value.strip():
        return None
    return datetime.fromisoformat(value.strip())


class Placement(BaseModel):
    """How a quiz is placed: its name in the course, points of the gradebook column, due date (UTC), attempts."""

    title: Annotated[Line, Field(min_length=1, max_length=200)]
    max_points: Annotated[Decimal, BeforeValidator(number_as_typed), Field(gt=0, le=100_000, decimal_places=4)]
    due: Annotated[datetime | None, BeforeValidator(_moment_as_typed)] = None
    offset: Annotated[int, BeforeValidator(lambda value: value or 0), Field(ge=-_DAY_MINUTES, le=_DAY_MINUTES)] = 0
    max_attempts: Annotated[int, Field(ge=1, le=20)]

    @model_validator(mode="after")
    def _is_to_come(self) -> Self:
        if self.due_at is not None and self.due_at <= datetime.now(UTC):
            raise ValueError("over")
        return self

    @property
    def due_at(self) -> datetime | None:
        """The due date in UTC; ``offset`` is how many minutes UTC is ahead of the reader's clock at that moment."""
        if self.due is None:
            return None
        moment = self.due if self.due.tzinfo else self.due.replace(tzinfo=UTC) + timedelta(minutes=self.offset)
        return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedPlacement:
    """The fields of one quiz as typed."""

    quiz_id: UUID
    title: str
    max_points: str
    due: str = ""
    offset: str = ""
    max_attempts: str

    @classmethod
    def from_quiz(cls, quiz: Quiz) -> Self:
        """What the form offers for a quiz."""
        return cls(
            quiz_id=quiz.id,
            title=quiz.title,
            max_points=plain_number(quiz.max_points),
            max_attempts=str(quiz.max_attempts),
        )

    @classmethod
    def from_form(cls, form: Mapping[str, str], quiz: Quiz) -> Self:
        """Fields ``title-…``, ``max_points-…``, ``due-…``, ``offset-…``, ``max_attempts-…``.

        A field that the page did not have is as the quiz offers it.
        """
        offered = cls.from_quiz(quiz)
        return cls(
            quiz_id=quiz.id,
            title=form.get(f"title-{quiz.id}", offered.title),
            max_points=form.get(f"max_points-{quiz.id}", offered.max_points),
            due=form.get(f"due-{quiz.id}", ""),
            offset=form.get(f"offset-{quiz.id}", ""),
            max_attempts=form.get(f"max_attempts-{quiz.id}", offered.max_attempts),
        )

    def parse(self) -> Placement:
        """What it means; :class:`FormFaults` keyed by field name for what cannot be used."""
        try:
            return Placement.model_validate(self, from_attributes=True)
        except OverflowError as error:
            raise FormFaults({f"due-{self.quiz_id}": _sentence("due", "")}, self) from error
        except ValidationError as error:
            faults: dict[str, str] = {}
            for fault in error.errors():
                # What concerns the form as a whole is a due date that is over.
                part = str(fault["loc"][0]) if fault["loc"] else "over"
                field = "due" if part in ("over", "offset") else part
                faults.setdefault(f"{field}-{self.quiz_id}", _sentence(part, fault["type"]))
            raise FormFaults(faults, self) from error


def parse_placements(typed: list[TypedPlacement]) -> list[Placement]:
    """The placements of all quizzes of the form; :class:`FormFaults` with all that is wrong in any of them."""
    parsed: list[Placement] = []
    faults: dict[str, str] = {}
    for one in typed:
        try:
            parsed.append(one.parse())
        except FormFaults as refusal:
            faults |= refusal.faults
    if faults:
        raise FormFaults(faults, typed)
    return parsed


def _sentence(part: str, fault_type: str) -> str:
    if fault_type == "string_too_long":
        return _("This is too long. Please shorten it.")
    return {
        "title": _("Give the quiz a title."),
        "max_points": _("Points: a number above 0, at most 100000."),
        "over": _("This moment is over. Choose a later one, or leave it empty."),
        "max_attempts": _("Attempts: a whole number from 1 to 20."),
    }.get(part, _("Choose a day and a time, or leave it empty."))
