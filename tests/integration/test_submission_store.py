"""Attempts and submissions: nothing typed is lost, nothing counts twice, one worker at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

import pytest
from psycopg import Connection

from lti_tool.errors import AlreadyDone, NotFound, Unusable
from lti_tool.submissions import store
from lti_tool.submissions.errors import NoAttemptsLeft
from lti_tool.submissions.results import list_results
from tests.course_actors import Course

Result = TypeVar("Result")


class Desk:
    """A student with an attempt at a quiz of two questions, straight at the store."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.quiz_id: UUID = course.has_quiz()
        person = course.learner()
        with self.course.transaction() as connection:
            row = connection.execute(
                "SELECT resource_link_id, user_id FROM launch_sessions WHERE id = %s", (person.launch_id,)
            ).fetchone()
            assert row is not None
            self.resource_link_id, self.user_id = row
            self.questions = [
                row[0]
                for row in connection.execute(
                    "SELECT id FROM questions WHERE quiz_id = %s ORDER BY position", (self.quiz_id,)
                )
            ]

    def start(self, *, max_attempts: int = 1, is_preview: bool = False) -> store.Attempt:
        return self.does(
            lambda connection: store.start_attempt(
                connection,
                resource_link_id=self.resource_link_id,
                user_id=self.user_id,
                quiz_id=self.quiz_id,
                max_attempts=max_attempts,
                is_preview=is_preview,
            )
        )

    def writes(self, attempt: store.Attempt, answer: str, question: int = 0) -> store.Submission:
        return self.does(
            lambda connection: store.save_draft(
                connection, attempt_id=attempt.id, question_id=self.questions[question], answer=answer
            )
        )

    def hands_in(self, attempt: store.Attempt) -> list[int]:
        return self.does(lambda connection: store.hand_in(connection, attempt.id))

    def does(self, work: Callable[[Connection], Result]) -> Result:
        with self.course.transaction() as connection:
            return work(connection)


@pytest.fixture
def desk(course: Course) -> Desk:
    return Desk(course)


def test_starting_again_goes_on_with_the_open_attempt(desk: Desk) -> None:
    assert desk.start() == desk.start()


def test_twenty_tabs_open_one_attempt(desk: Desk) -> None:
    attempts: list[int] = []
    threads = [threading.Thread(target=lambda: attempts.append(desk.start().id)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(attempts) == 20
    assert len(set(attempts)) == 1


def test_no_attempt_more_than_allowed(desk: Desk) -> None:
    for number in (1, 2):
        attempt = desk.start(max_attempts=2)
        assert attempt.number == number
        desk.writes(attempt, "an answer")
        desk.hands_in(attempt)
    with pytest.raises(NoAttemptsLeft, match="2 of 2"):
        desk.start(max_attempts=2)


def test_a_number_is_not_given_twice_where_one_before_is_gone(desk: Desk) -> None:
    first = desk.start(is_preview=True)
    second = desk.start()
    # Opening an attempt again, and taking that back, leaves such a gap.
    desk.does(lambda connection: connection.execute("DELETE FROM attempts WHERE id = %s", (first.id,)))
    desk.hands_in(second)
    assert desk.start(max_attempts=2).number == 3


def test_previews_do_not_use_up_attempts(desk: Desk) -> None:
    preview = desk.start(is_preview=True)
    desk.writes(preview, "trying it out")
    desk.hands_in(preview)
    assert desk.start(max_attempts=1).number == 2


def test_a_preview_and_an_attempt_are_kept_apart(desk: Desk) -> None:
    preview = desk.start(is_preview=True)
    attempt = desk.start()
    assert (preview.is_preview, attempt.is_preview) == (True, False)
    assert desk.start(is_preview=True) == preview
    assert desk.start() == attempt


def test_another_quiz_of_the_placement_begins_afresh(desk: Desk, course: Course) -> None:
    old = desk.start()
    desk.quiz_id = course.has_quiz()
    with pytest.raises(AlreadyDone):
        desk.start()
    course.learner("another")  # opens the placement with the other quiz
    new = desk.start()
    assert new.id != old.id
    assert (new.quiz_id, new.status) == (desk.quiz_id, "OPEN")


def test_a_quiz_without_questions_cannot_be_begun(desk: Desk) -> None:
    with desk.course.transaction() as connection:
        connection.execute("DELETE FROM key_points")
        connection.execute("DELETE FROM questions")
    with pytest.raises(NotFound, match="no questions"):
        desk.start()


def test_the_latest_text_is_kept(desk: Desk) -> None:
    attempt = desk.start()
    desk.writes(attempt, "first")
    desk.writes(attempt, "second thoughts")
    assert [draft.answer for draft in desk.does(lambda c: store.list_submissions(c, attempt.id))] == ["second thoughts"]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("a\x00b", "a\ufffdb"),
        ("half \ud83d a pair", "half \ufffd a pair"),
        ("답 🙂 \u202e reversed", "답 🙂 \u202e reversed"),
        ("  spaces stay \n\n lines too ", "  spaces stay \n\n lines too "),
        ("'; DROP TABLE submissions; --", "'; DROP TABLE submissions; --"),
    ],
)
def test_any_text_can_be_stored(desk: Desk, typed: str, kept: str) -> None:
    assert desk.writes(desk.start(), typed).answer == kept


def test_an_answer_that_is_too_long_is_refused_and_the_draft_before_it_stays(desk: Desk) -> None:
    attempt = desk.start()
    desk.writes(attempt, "short")
    with pytest.raises(Unusable, match="100001"):
        desk.writes(attempt, "x" * 100_001)
    assert desk.does(lambda c: store.list_submissions(c, attempt.id))[0].answer == "short"


def test_a_hundred_thousand_characters_of_korean_are_kept(desk: Desk) -> None:
    assert len(desk.writes(desk.start(), "가" * 100_000).answer) == 100_000


def test_a_question_of_another_quiz_is_not_found(desk: Desk, course: Course) -> None:
    attempt = desk.start()
    other_quiz = course.has_quiz()
    with desk.course.transaction() as connection:
        other = connection.execute("SELECT min(id) FROM questions WHERE quiz_id = %s", (other_quiz,)).fetchone()
    assert other is not None
    with pytest.raises(NotFound):
        desk.does(lambda c: store.save_draft(c, attempt_id=attempt.id, question_id=other[0], answer="x"))


def test_handing_in_receives_what_is_not_blank(desk: Desk) -> None:
    attempt = desk.start()
    desk.writes(attempt, "an answer", question=0)
    desk.writes(attempt, " \n\t ", question=1)
    received = desk.hands_in(attempt)
    submissions = desk.does(lambda c: store.list_submissions(c, attempt.id))
    assert [(item.id, item.status) for item in submissions] == [(received[0], "RECEIVED")]
    after = desk.does(lambda c: store.find_attempt(c, attempt.id))
    assert after is not None
    assert after.status == "SUBMITTED"
    assert after.submitted_at == submissions[0].submitted_at


def test_handing_in_twice_is_refused_and_changes_nothing(desk: Desk) -> None:
    attempt = desk.start()
    desk.writes(attempt, "an answer")
    desk.hands_in(attempt)
    with pytest.raises(AlreadyDone):
        desk.hands_in(attempt)


def test_a_late_autosave_does_not_change_a_received_answer(desk: Desk) -> None:
    attempt = desk.start()
    desk.writes(attempt, "final")
    desk.hands_in(attempt)
    with pytest.raises(AlreadyDone):
        desk.writes(attempt, "too late")
    assert desk.does(lambda c: store.list_submissions(c, attempt.id))[0].answer == "final"


def test_an_empty_attempt_is_graded_at_once_with_zero(desk: Desk) -> None:
    attempt = desk.start()
    assert desk.hands_in(attempt) == []
    after = desk.does(lambda c: store.find_attempt(c, attempt.id))
    assert after is not None
    assert after.status == "GRADED"
    with desk.course.transaction() as connection:
        delivery = connection.execute("SELECT score_given, score_maximum FROM deliveries").fetchone()
    assert delivery == (Decimal(0), Decimal(10))


def test_one_worker_at_a_time_has_a_submission(desk: Desk) -> None:
    attempt = desk.start()
    desk.writes(attempt, "an answer")
    (submission_id,) = desk.hands_in(attempt)
    with desk.course.transaction() as first:
        assert store.begin_grading(first, submission_id)
    with desk.course.transaction() as first:
        assert store.lock_for_grading(first, submission_id) is not None
        with desk.course.transaction() as second:
            assert store.lock_for_grading(second, submission_id) is None
            assert not store.begin_grading(second, submission_id)
    with desk.course.transaction() as third:
        assert store.lock_for_grading(third, submission_id) is not None


def test_an_answer_that_keeps_killing_workers_waits_for_a_person(desk: Desk) -> None:
    attempt = desk.start()
    desk.writes(attempt, "poison")
    (submission_id,) = desk.hands_in(attempt)
    tries = [desk.does(lambda c: store.begin_grading(c, submission_id)) for _ in range(7)]
    assert tries == [True] * store.MAX_GRADING_TRIES + [False, False]
    assert desk.does(lambda c: store.list_waiting(c)) == []
    (first, second) = desk.does(lambda c: list_results(c, attempt.id))
    assert (first.status, second.status) == ("STUCK", "UNANSWERED")
    assert desk.does(store.retry_stuck) == 1
    assert desk.does(store.list_waiting) == [(desk.course.registration.id, submission_id)]
    assert desk.does(lambda c: store.begin_grading(c, submission_id))


def test_results_show_unanswered_and_waiting_questions(desk: Desk) -> None:
    attempt = desk.start()
    desk.writes(attempt, "an answer")
    desk.hands_in(attempt)
    first, second = desk.does(lambda c: list_results(c, attempt.id))
    assert (first.status, first.answer, first.points) == ("RECEIVED", "an answer", None)
    assert (second.status, second.answer) == ("UNANSWERED", None)


def test_results_show_grade_verdicts_and_explanation(desk: Desk, course: Course) -> None:
    attempt = desk.start()
    desk.writes(attempt, "an answer")
    desk.hands_in(attempt)
    with desk.course.transaction() as connection:
        row = connection.execute("SELECT sub FROM users WHERE id = %s", (desk.user_id,)).fetchone()
    assert row is not None
    course.grades(type("Whoever", (), {"sub": row[0]})(), fraction=0.5)
    result = desk.does(lambda c: list_results(c, attempt.id))[0]
    assert (result.status, result.points, result.fraction) == ("GRADED", Decimal("2.5"), 0.5)
    assert [(item.name, item.verdict) for item in result.verdicts] == [
        ("what happens", "covered"),
        ("why it helps", "missing"),
    ]
    assert (result.explanation, result.explanation_source) == ("You said what happens.", "TEMPLATE")
    assert result.explanation_pending
