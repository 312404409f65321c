"""The people of the practice course: an instructor and students, who do with forms and links what people do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import mechanicalsoup
from bs4 import Tag

from lti_tool.demo.practice import Activity, PracticeLms
from lti_tool.demo.visitor import TIMEOUT_SECONDS, VisitFailed, Visitor
from tests.circle.quiz import INSTRUCTOR, POINTS_EACH, QUIZ_TITLE, Asked

FAR_OFF = 0.2
"""A score that is off by more than this share of the points is corrected."""


class Person(Visitor):
    """A visitor who also presses a button of several, and fills in rows of fields that have one name."""

    def presses(self, address_end: str, name: str, value: str) -> None:
        """Submit the form whose address ends like this by its button of this name and value."""
        button = self.page.select_one(f'form[action$="{address_end}"] button[name="{name}"][value="{value}"]')
        form = button.find_parent("form") if button else None
        if button is None or form is None:
            raise VisitFailed(f"{self.slug}: no button {name} = {value} on {self.url}: {self.text}")
        filled = mechanicalsoup.Form(form)
        filled.choose_submit(button)
        self._arrive(self.browser.submit(filled, url=self.url, timeout=TIMEOUT_SECONDS))

    def types(self, name: str, texts: Sequence[str]) -> None:
        """Fill the fields of this name on the page, from the first on; the page's script adds those that lack."""
        fields = list(self.page.find_all(["input", "textarea"], attrs={"name": name}))
        if not fields:
            raise VisitFailed(f"{self.slug}: no field {name} on {self.url}: {self.text}")
        while len(fields) < len(texts):
            fields.append(copy(fields[-1]))
            fields[-2].insert_after(fields[-1])
        for field, text in zip(fields, texts, strict=False):
            if field.name == "textarea":
                field.string = text
            else:
                field["value"] = text


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """The course with its quiz: what each of the people does there."""

    lms: PracticeLms
    activity: Activity
    questions: Sequence[Asked]

    @classmethod
    def founded(cls, lms: PracticeLms, questions: Sequence[Asked]) -> Class:
        """The instructor writes the quiz and adds it: scores wait for approval, the last attempt counts."""
        instructor = Person(lms_url=lms.url, slug=INSTRUCTOR)
        instructor.chooses_content()
        instructor.submits("/quizzes", {"title": QUIZ_TITLE, "language": "en", "max_attempts": "3"})
        for asked in questions:
            instructor.follows("/questions/new")
            _write_question(instructor, asked)
        instructor.submits("/policies", {"posting": "APPROVAL", "counted_attempt": "LAST"})
        instructor.follows("/place")
        instructor.submits("/place")
        activity = next(activity for activity in lms.activities() if activity.title == QUIZ_TITLE)
        return cls(lms=lms, activity=activity, questions=questions)

    def opened_by(self, slug: str) -> Person:
        """Somebody launches the quiz from the course."""
        person = Person(lms_url=self.lms.url, slug=slug)
        person.launches(self.activity.id)
        return person

    def asks_students_about_their_answers(self) -> None:
        """The instructor lets the course ask each student."""
        instructor = self.opened_by(INSTRUCTOR)
        instructor.follows("/answer-use")
        instructor.submits("/answer-use", {"answer_use": "ASK_STUDENTS"})

    def hears_from(self, slug: str, answers: Sequence[str], *, choice: str | None = None) -> None:
        """A student launches, says YES or NO to the use of the answers where asked, answers and hands in."""
        student = self.opened_by(slug)
        if choice is not None:
            student.presses("/consent", "choice", choice)
        student.submits("/attempts")
        student.submits("/answers", dict(zip(student.fields("answer-"), answers, strict=True)))
        student.submits("/hand-in")
        if "/result" not in student.url:
            raise VisitFailed(f"{slug}: handing in ended at {student.url}: {student.text}")

    def corrects(self, attempt_id: int, fair_shares: Sequence[float], *, most: int) -> int:
        """The instructor looks at an attempt and changes the ``most`` scores that are furthest off; how many."""
        instructor = self.opened_by(INSTRUCTOR)
        instructor.follows(f"/results/{attempt_id}")
        given = _points_by_action(instructor)
        if len(given) != len(fair_shares):
            raise VisitFailed(f"{len(given)} scores can be changed on {instructor.url}, not {len(fair_shares)}")
        fair = dict(zip(given, (round(share * POINTS_EACH, 2) for share in fair_shares), strict=True))
        off = {action: abs(float(given[action]) - fair[action]) / POINTS_EACH for action in given}
        wrong = sorted((action for action in off if off[action] > FAR_OFF), key=off.__getitem__, reverse=True)[:most]
        for action in wrong:
            instructor.submits(action, {"points": str(fair[action]), "reason": "Scored by hand"})
        return len(wrong)

    def approves_all(self) -> None:
        """The instructor approves every attempt that waits."""
        self.opened_by(INSTRUCTOR).submits("/results/approve")

    def record_of(self, attempt_id: int) -> str:
        """The record on the page of an attempt, as the instructor reads it."""
        instructor = self.opened_by(INSTRUCTOR)
        instructor.follows(f"/results/{attempt_id}")
        record = instructor.page.select_one("#record")
        return " ".join(record.get_text(" ").split()) if record else ""


def _write_question(instructor: Person, asked: Asked) -> None:
    question = asked.material.question
    instructor.types("prompt", [question.prompt])
    instructor.types("max_points", [str(POINTS_EACH)])
    instructor.types("model_answer", list(question.model_answers))
    instructor.types("key_point_name", [point.name for point in question.key_points])
    instructor.types("key_point_text", [point.text for point in question.key_points])
    instructor.types("key_point_weight", [str(point.weight) for point in question.key_points])
    instructor.submits("/questions/new")


def _points_by_action(instructor: Person) -> Mapping[str, Decimal]:
    """What each answer has, by the end of the address of the form that changes it, in the order of the questions."""
    found: dict[str, Decimal] = {}
    for form in instructor.page.select('form[action$="/score"]'):
        field = form.select_one('[name="points"]')
        action = str(form["action"])
        try:
            found[action] = Decimal(str(field["value"]) if isinstance(field, Tag) else "")
        except InvalidOperation as error:
            raise VisitFailed(f"{instructor.slug}: no points at {action} on {instructor.url}") from error
    return found
