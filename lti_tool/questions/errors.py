"""Errors of quizzes and questions.

::

    Refused
    ├── QuizFixed           409 a student has begun the quiz, so what was asked stays as it is
    ├── QuestionTried       409 an answer hangs on the question, so it cannot be removed
    ├── PlacementAnswered   409 a student has begun the quiz here, so another cannot take its place
    └── Unusable
        ├── FormFaults      422 a form cannot be used: one message a field, with everything that was typed
        └── QuizEmpty       422 a quiz without questions cannot be placed in a course
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from lti_tool.errors import Refused, Unusable

Typed = TypeVar("Typed")


class QuizFixed(Refused):
    """The change would alter what a student was already asked."""

    status = 409
    code = "QUIZ-FIXED"
    student_text = "This quiz can no longer be changed."
    instructor_text = (
        "A student has begun this quiz, so what its questions ask and their points stay as they are."
        " Title, number of attempts, model answers and key points can still change."
        " To ask something else, make a copy of the quiz."
    )


class QuestionTried(Refused):
    """The question has an answer, if only a try by an instructor."""

    status = 409
    code = "QUESTION-TRIED"
    student_text = "This question can no longer be removed."
    instructor_text = (
        "This question was answered in a try of the quiz, so it cannot be removed."
        " Its text can still change, or make a copy of the quiz and remove it there."
    )


class PlacementAnswered(Refused):
    """The placement has answers, which belong to the quiz that it has."""

    status = 409
    code = "PLACEMENT-ANSWERED"
    student_text = "This activity keeps its quiz."
    instructor_text = (
        "A student has begun the quiz in this activity, so the quiz stays."
        " To use another one, add a new activity to the course."
    )


class QuizEmpty(Unusable):
    """There is nothing to answer yet."""

    code = "QUIZ-EMPTY"
    instructor_text = "Add at least one question before you add the quiz to the course."


class FormFaults(Unusable, Generic[Typed]):
    """A form cannot be used. ``faults`` has one sentence a field name; ``typed`` is what the form held."""

    code = "FORM"

    def __init__(self, faults: Mapping[str, str], typed: Typed) -> None:
        super().__init__(", ".join(faults), instructor_text=" ".join(faults.values()))
        self.faults = dict(faults)
        self.typed = typed
