"""Which score counts for a student: attempts by the quiz's policy, what is held, excused or opened again, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import LiteralString

import pytest

from lti_tool.gradebook.comment_store import get_comment_facts
from lti_tool.gradebook.outbox import list_attempts_without_delivery, queue_delivery, withdraw_deliveries
from lti_tool.gradebook.sending import begin_delivery
from tests.course_actors import Course, Person, make_question


@dataclass
class Class:
    """One student who attempts a quiz of one question worth 10 points, as often as they like."""

    course: Course
    learner: Person

    def attempts(self, points: float, *, confidence: float = 0.9, hours_late: float | None = None) -> int:
        """Answer, hand in, be graded with so many points; the attempt's id."""
        self.learner.post("attempts", {"csrf_token": self.learner.token()})
        page = self.learner.get("quiz")
        page = page.submit("form[action$='/answers']", {str(page.form("textarea")["name"]): "an answer"})
        page.submit("form[action$='/hand-in']")
        if hours_late is not None:
            due_at = datetime.now(UTC) - timedelta(hours=hours_late)
            self.run("UPDATE attempts SET due_at = %s WHERE status = 'SUBMITTED'", due_at)
        self.course.grades(self.learner, fraction=points / 10, confidence=confidence)
        return self.value("SELECT max(id) FROM attempts")

    def adds_grade(self, attempt_id: int, points: float) -> None:
        """An instructor gives another score."""
        self.run(
            "INSERT INTO grades (submission_id, source, fraction, points, low, high, confidence, reason)"
            " SELECT id, 'INSTRUCTOR', %s, %s, %s, %s, 1, 'looked at it' FROM submissions WHERE attempt_id = %s",
            points / 10,
            points,
            points / 10,
            points / 10,
            attempt_id,
        )

    def queues(self, attempt_id: int, *, has_new_comment: bool = False) -> int | None:
        with self.course.transaction() as connection:
            return queue_delivery(connection, attempt_id, wait_seconds=0, has_new_comment=has_new_comment)

    def sent(self) -> list[float]:
        """Points of every version made so far."""
        with self.course.transaction() as connection:
            rows = connection.execute("SELECT score_given FROM deliveries ORDER BY version").fetchall()
        return [float(row[0]) for row in rows]

    def run(self, query: LiteralString, *values: object) -> None:
        with self.course.transaction() as connection:
            connection.execute(query, values)

    def value(self, query: LiteralString, *values: object) -> int:
        with self.course.transaction() as connection:
            row = connection.execute(query, values).fetchone()
        assert row is not None
        return row[0]


@pytest.fixture
def room(course: Course) -> Class:
    course.has_quiz(make_question(max_points=Decimal(10)), max_attempts=5)
    return Class(course, course.learner())


@pytest.mark.parametrize(
    ("policy", "versions"),
    [("BEST", [4, 8]), ("LAST", [4, 8, 2]), ("AVERAGE", [4, 6, 4.6667])],
)
def test_the_quizs_policy_says_which_attempt_counts(room: Class, policy: str, versions: list[float]) -> None:
    room.run("UPDATE quizzes SET counted_attempt = %s", policy)
    for points in (4, 8, 2):
        room.attempts(points)
    assert room.sent() == versions


def test_of_equally_good_attempts_the_later_counts(room: Class) -> None:
    room.attempts(5)
    second = room.attempts(5)
    assert room.value("SELECT attempt_id FROM deliveries ORDER BY version DESC LIMIT 1") == second


def test_what_is_held_for_approval_is_not_sent_until_it_is_approved(room: Class) -> None:
    room.run("UPDATE quizzes SET posting = 'APPROVAL'")
    attempt_id = room.attempts(7)
    assert room.sent() == []
    with room.course.transaction() as connection:
        assert list_attempts_without_delivery(connection) == []
    room.run("UPDATE attempts SET approval = 'APPROVED'")
    assert room.queues(attempt_id) is not None
    assert room.sent() == [7]


def test_only_what_is_unsure_is_held_where_the_quiz_asks_for_it(room: Class) -> None:
    room.run("UPDATE quizzes SET review_confidence = 0.6, review_share = 0.5")
    room.attempts(3, confidence=0.9)
    assert room.sent() == [3]
    room.attempts(8, confidence=0.5)
    assert room.sent() == [3]
    assert room.value("SELECT count(*) FROM attempts WHERE approval = 'NEEDED'") == 1


def test_an_instructors_own_try_is_never_held(room: Class) -> None:
    room.run("UPDATE quizzes SET posting = 'APPROVAL'")
    teacher = Class(room.course, room.course.instructor())
    teacher.attempts(7)
    assert room.value("SELECT count(*) FROM attempts WHERE approval = 'NEEDED'") == 0
    assert room.sent() == []


def test_an_excused_attempt_does_not_count(room: Class) -> None:
    room.attempts(4)
    best = room.attempts(9)
    room.run("UPDATE attempts SET excused_at = now() WHERE id = %s", best)
    room.queues(best)
    assert room.sent() == [4, 9, 4]
    room.run("UPDATE attempts SET excused_at = now()")
    assert room.queues(best) is None
    assert room.sent() == [4, 9, 4], "nothing is ever cleared"


def test_an_attempt_opened_again_counts_in_place_of_the_first_once_it_is_graded(room: Class) -> None:
    first = room.attempts(9)
    room.run(
        "INSERT INTO attempts (resource_link_id, user_id, quiz_id, number, reopened_from)"
        " SELECT resource_link_id, user_id, quiz_id, 2, id FROM attempts WHERE id = %s",
        first,
    )
    assert room.queues(first) is None
    room.attempts(5)
    assert room.sent() == [9, 5], "though it is worse"


def test_an_attempt_opened_again_twice_is_replaced_by_the_last_though_the_one_between_is_excused(room: Class) -> None:
    first = room.attempts(9)
    for number, points in ((2, 7), (3, 5)):
        room.run(
            "INSERT INTO attempts (resource_link_id, user_id, quiz_id, number, reopened_from)"
            " SELECT resource_link_id, user_id, quiz_id, %s, id FROM attempts ORDER BY number DESC LIMIT 1",
            number,
        )
        room.attempts(points)
    room.run("UPDATE attempts SET excused_at = now() WHERE number = 2")
    assert room.queues(first) is None
    assert room.sent() == [9, 7, 5]
    assert room.value("SELECT array_agg(number) FROM counted_attempts") == [3]


@pytest.mark.parametrize(
    ("hours_late", "points"), [(-1, 8.0), (0.1, 7.2), (24.1, 6.4), (24 * 30, 0.0)], ids=["early", "1", "2", "30"]
)
def test_the_late_rule_takes_a_share_off_for_each_day_begun(room: Class, hours_late: float, points: float) -> None:
    room.run("UPDATE quizzes SET late_rule = 'DEDUCT', late_percent_per_day = 10")
    room.attempts(8, hours_late=hours_late)
    assert room.sent() == [points]


def test_a_changed_grade_makes_a_new_version_and_an_unchanged_one_does_not(room: Class) -> None:
    attempt_id = room.attempts(4)
    assert room.queues(attempt_id) is None
    room.adds_grade(attempt_id, 6)
    assert room.queues(attempt_id) is not None
    assert room.queues(attempt_id) is None
    room.adds_grade(attempt_id, 6)
    assert room.queues(attempt_id) is not None, "another grade has another text, though the points are the same"
    assert room.sent() == [4, 6, 6]


def test_the_timestamp_is_a_whole_second_of_when_the_version_was_made(room: Class) -> None:
    attempt_id = room.attempts(4)
    for points in (5, 6):
        room.adds_grade(attempt_id, points)
        room.queues(attempt_id)
    with room.course.transaction() as connection:
        rows = connection.execute("SELECT score_timestamp, created_at FROM deliveries ORDER BY version").fetchall()
    stamps = [stamp for stamp, _ in rows]
    assert all(stamp.microsecond == 0 for stamp in stamps)
    assert timedelta(0) <= stamps[0] - rows[0][1] < timedelta(seconds=5)
    assert all(later - earlier >= timedelta(seconds=1) for earlier, later in pairwise(stamps))
    assert stamps[2] - rows[2][1] < timedelta(seconds=5)


def test_a_score_that_comes_back_has_a_comment_of_its_own(room: Class) -> None:
    first, second = room.attempts(4), room.attempts(9)
    room.run("UPDATE deliveries SET tries = 1")
    room.run("UPDATE attempts SET excused_at = now() WHERE id = %s", second)
    back = room.queues(second)
    assert back is not None
    with room.course.transaction() as connection:
        facts = get_comment_facts(connection, back)
        assert get_comment_facts(connection, back - 1).again is None
    assert (facts.number, facts.again, facts.version) == (1, "RETURNS", 3)
    assert room.value("SELECT attempt_id FROM deliveries WHERE id = %s", back) == first


def comment_facts(room: Class, delivery_id: int | None) -> tuple[str | None, int | None]:
    """Why the comment says that it is sent once more, and which number it has."""
    assert delivery_id is not None
    with room.course.transaction() as connection:
        facts = get_comment_facts(connection, delivery_id)
    return facts.again, facts.version


def test_a_new_text_beside_a_score_that_always_counted_is_not_one_that_counts_again(room: Class) -> None:
    attempt_id = room.attempts(4)
    assert comment_facts(room, room.value("SELECT id FROM deliveries")) == (None, None)
    room.run("UPDATE deliveries SET tries = 1")
    assert comment_facts(room, room.queues(attempt_id, has_new_comment=True)) == ("TEXT", 2)
    # One that was never sent lies between, and then one that was.
    assert comment_facts(room, room.queues(attempt_id, has_new_comment=True)) == ("TEXT", 3)
    room.run("UPDATE deliveries SET tries = 1")
    assert comment_facts(room, room.queues(attempt_id, has_new_comment=True)) == ("TEXT", 4)


def test_a_score_counts_again_where_another_one_counted_though_that_was_never_sent(room: Class) -> None:
    first = room.attempts(4)
    room.run("UPDATE deliveries SET tries = 1")
    second = room.attempts(9)
    room.run("UPDATE attempts SET excused_at = now() WHERE id = %s", second)
    assert comment_facts(room, room.queues(first)) == ("RETURNS", 3)


def test_a_score_counts_again_where_none_counted_in_between(room: Class) -> None:
    attempt_id = room.attempts(4)
    room.run("UPDATE deliveries SET tries = 1")
    room.run("UPDATE attempts SET excused_at = now() WHERE id = %s", attempt_id)
    with room.course.transaction() as connection:
        assert withdraw_deliveries(connection, attempt_id)
    room.run("UPDATE attempts SET excused_at = NULL")
    assert comment_facts(room, room.queues(attempt_id)) == ("RETURNS", 2)


def gives_up(room: Class, delivery_id: int) -> None:
    """Its next try finds that it is not to be sent any more."""
    room.run("UPDATE deliveries SET due_at = now() WHERE id = %s", delivery_id)
    with room.course.transaction() as connection:
        assert not begin_delivery(connection, delivery_id)
    assert room.value("SELECT count(*) FROM deliveries WHERE id = %s AND status = 'SUPERSEDED'", delivery_id) == 1


def test_a_failed_try_that_a_newer_text_replaced_was_not_withdrawn(room: Class) -> None:
    attempt_id = room.attempts(4)
    room.run("UPDATE deliveries SET tries = 1")
    room.queues(attempt_id, has_new_comment=True)
    gives_up(room, room.value("SELECT min(id) FROM deliveries"))
    assert comment_facts(room, room.queues(attempt_id, has_new_comment=True)) == ("TEXT", 3)


def test_a_failed_try_whose_transaction_began_before_the_newer_text_was_not_withdrawn_either(room: Class) -> None:
    attempt_id = room.attempts(4)
    room.run("UPDATE deliveries SET tries = 1, due_at = now()")
    with room.course.transaction() as connection:
        connection.execute("SELECT now()")
        second = room.queues(attempt_id, has_new_comment=True)
        assert not begin_delivery(connection, room.value("SELECT min(id) FROM deliveries"))
    assert comment_facts(room, second) == ("TEXT", 2)


def test_a_score_counts_again_where_its_replacement_was_withdrawn_before_it_was_sent(room: Class) -> None:
    attempt_id = room.attempts(4)
    room.run("UPDATE deliveries SET tries = 1")
    room.queues(attempt_id, has_new_comment=True)
    gives_up(room, room.value("SELECT min(id) FROM deliveries"))
    room.run("UPDATE attempts SET excused_at = now() WHERE id = %s", attempt_id)
    with room.course.transaction() as connection:
        assert withdraw_deliveries(connection, attempt_id)
    room.run("UPDATE attempts SET excused_at = NULL")
    assert comment_facts(room, room.queues(attempt_id)) == ("RETURNS", 3)


def test_the_same_grades_with_other_points_are_another_score(room: Class) -> None:
    attempt_id = room.attempts(4)
    room.run("UPDATE deliveries SET tries = 1, score_given = 3")
    assert comment_facts(room, room.queues(attempt_id)) == (None, None)


def test_a_try_that_failed_is_not_made_again_once_nothing_counts(room: Class) -> None:
    attempt_id = room.attempts(4)
    room.run("UPDATE attempts SET excused_at = now() WHERE id = %s", attempt_id)
    room.run("UPDATE deliveries SET due_at = now()")
    with room.course.transaction() as connection:
        assert not begin_delivery(connection, room.value("SELECT id FROM deliveries"))
    assert room.value("SELECT count(*) FROM deliveries WHERE status = 'SUPERSEDED'") == 1
