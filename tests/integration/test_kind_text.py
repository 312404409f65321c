"""Who writes that they are not well reads at once whom to turn to, whatever the quiz holds back; and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import LiteralString

import pytest

from grading.domain import Flag
from grading.explanation.feedback_making import feedback_for_a_person
from grading.explanation.template import template_text
from lti_tool.gradebook.comment import comment_text
from lti_tool.gradebook.comment_store import get_comment_facts
from lti_tool.submissions import kind_text, views
from lti_tool.web import services
from tests.course_actors import Course, Person
from tests.integration.test_results_shown import SECRETS, SOON, approves, changes_rows, hands_in, has_quiz, holds, shown

CRY = "Random units are switched off. I want to die."
KIND = "please talk today to a person whom you trust"
FLAGGED = frozenset({Flag.NEEDS_PERSON})
HELD: tuple[LiteralString, ...] = (
    "posting = 'APPROVAL'",
    "review_confidence = 0.95",
    "explanations_shown = 'AFTER_APPROVAL'",
)


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)


def is_explained(course: Course, text: str, source: LiteralString = "TEMPLATE") -> None:
    with course.transaction() as connection:
        connection.execute(
            "INSERT INTO explanations (grade_id, source, text) SELECT max(id), %s, %s FROM grades", (source, text)
        )


def in_trouble(course: Course, setting: LiteralString = "", *, answer: str = CRY, **changes: object) -> Person:
    has_quiz(course, setting, **changes)
    person = course.learner()
    hands_in(person, answer)
    return person


@pytest.mark.parametrize("setting", ["", *HELD])
def test_it_is_there_before_the_answer_is_scored(course: Course, setting: LiteralString) -> None:
    assert KIND in shown(in_trouble(course, setting)).form(".notice--info [lang=en]").get_text()


@pytest.mark.parametrize("setting", HELD)
def test_it_is_there_while_the_rest_is_held_back_and_brings_nothing_along(
    course: Course, setting: LiteralString
) -> None:
    person = in_trouble(course, setting)
    course.grades(person, fraction=0.7, flags=FLAGGED)
    page = shown(person)
    assert page.text.count(KIND) == 1
    secrets = SECRETS if "explanations" in setting else (*SECRETS, "3.5")
    assert holds(page, *secrets, "needs a person", "needs_person") == []


def test_it_is_there_where_the_machine_could_not_score_the_answer(course: Course) -> None:
    person = in_trouble(course)
    changes_rows(course, "UPDATE submissions SET status = 'STUCK'")
    assert KIND in shown(person).text


def test_a_text_of_the_instructor_stays_held_back_and_the_kind_one_is_shown_until_then(course: Course) -> None:
    person = in_trouble(course, "explanations_shown = 'AFTER_APPROVAL'")
    course.grades(person, flags=FLAGGED)
    is_explained(course, "Come and see me, please.", "INSTRUCTOR")
    page = shown(person)
    assert KIND in page.text
    assert holds(page, "Come and see me") == []
    approves(course)
    page = shown(person)
    assert "Come and see me, please." in page.text
    assert KIND not in page.text, "a person speaks in its place"


def test_it_is_said_once_where_the_explanation_is_shown(course: Course) -> None:
    person = in_trouble(course)
    course.grades(person, flags=FLAGGED)
    is_explained(course, f"It sounds hard: {KIND}.")
    assert shown(person).text.count(KIND) == 1
    assert not shown(person).soup.select(".notice--info [lang=en]")


def test_the_machines_text_beside_a_score_of_the_instructor_says_it_once_too(course: Course) -> None:
    person = in_trouble(course)
    course.grades(person)
    is_explained(course, template_text(feedback_for_a_person(CRY, "en"), contact="a line that is another one now"))
    assert shown(person).text.count(KIND) == 1


def test_it_stays_where_the_instructor_gave_a_score_without_a_word(course: Course) -> None:
    person = in_trouble(course)
    course.grades(person, flags=FLAGGED)
    is_explained(course, "Scored by your instructor.", "INSTRUCTOR")
    assert KIND in shown(person).text


def test_an_old_answer_with_the_flag_has_it_whatever_is_looked_for_now(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind_text, "needs_person", lambda answer: False)
    person = in_trouble(course, "posting = 'APPROVAL'")
    assert KIND not in shown(person).text
    course.grades(person, flags=FLAGGED)
    assert KIND in shown(person).text


def test_it_is_in_the_language_of_the_answer_and_names_the_contact(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    with course.app.app_context():
        settings = services().settings.model_copy(update={"support_contact": "상담실 <12>"})
    monkeypatch.setattr("lti_tool.submissions.result_views.services", lambda: SimpleNamespace(settings=settings))
    person = in_trouble(course, "posting = 'APPROVAL'", answer="드롭아웃은 유닛을 끕니다. 저는 죽고 싶어요.")
    text = shown(person).form(".notice--info [lang=ko]").get_text()
    assert "오늘 꼭 이야기해 주세요" in text
    assert text.endswith("상담실 <12>")


def test_it_does_not_wait_for_the_due_date(course: Course) -> None:
    has_quiz(course, "explanations_shown = 'AFTER_DUE'")
    person = course.learner(due_at=datetime.now(UTC) + SOON)
    hands_in(person, CRY)
    course.grades(person, flags=FLAGGED)
    page = shown(person)
    assert "Explanations are shown after" in page.text
    assert KIND in page.text
    assert holds(page, *SECRETS) == []


@pytest.mark.parametrize("setting", ["", *HELD])
def test_nobody_else_reads_it(course: Course, setting: LiteralString) -> None:
    person = in_trouble(course, setting, answer="Dead neurons die: the unit is killed and never comes back.")
    assert holds(shown(person), KIND, "It sounds as if") == []
    course.grades(person)
    assert holds(shown(person), KIND, "It sounds as if") == []


@pytest.mark.parametrize(
    ("source", "text", "said"),
    [
        ("TEMPLATE", f"It sounds hard: {KIND}.", "1. (2.5/5) The explanation is in the quiz."),
        ("INSTRUCTOR", "Well done, see me.", "1. (2.5/5) Well done, see me."),
    ],
)
def test_the_gradebook_which_others_read_says_nothing_of_it(
    course: Course, source: LiteralString, text: str, said: str
) -> None:
    person = in_trouble(course)
    course.grades(person, flags=FLAGGED)
    is_explained(course, text, source)
    with course.transaction() as connection:
        (delivery_id,) = connection.execute("SELECT max(id) FROM deliveries").fetchone() or (0,)
        comment = comment_text(get_comment_facts(connection, delivery_id))
    assert said in comment
    assert KIND not in comment


@pytest.mark.parametrize("state", ["status = 'RECEIVED'", "status = 'STUCK'"])
def test_the_instructor_sees_at_once_who_needs_a_person_whether_or_not_a_machine_ever_scores_the_answer(
    course: Course, state: LiteralString
) -> None:
    person = in_trouble(course)
    hands_in(course.learner("carl-gauss"), "Dead neurons die.")
    changes_rows(course, "UPDATE submissions SET " + state)
    page = course.instructor().get("results")
    rows = [row.get_text(" ") for row in page.soup.select("tbody tr")]
    assert ["needs a person" in row for row in rows] == [True, False]
    flagged = page.follow("Flagged")
    assert [row.get_text(" ") for row in flagged.soup.select("tbody tr")] == rows[:1]
    answer = flagged.follow("Ada Lovelace")
    assert answer.form(".tags .tag--fair").get_text() == "needs a person"
    assert holds(shown(person), "needs a person") == [], "that is for the instructor"


def test_nobody_reads_what_a_student_is_still_writing(course: Course) -> None:
    in_trouble(course)
    changes_rows(course, "UPDATE attempts SET status = 'OPEN', submitted_at = NULL")
    changes_rows(course, "UPDATE submissions SET status = 'DRAFT', submitted_at = NULL")
    assert holds(course.instructor().get("results"), "needs a person", "Flagged") == []
