"""Deliveries: every score arrives once, the newest only, zero as zero, and what cannot arrive says why."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from pytest_httpserver import HTTPServer

from config import Settings
from lti_tool.gradebook import outbox as rows
from lti_tool.gradebook import patience, sending
from lti_tool.gradebook.ags import AgsClient
from lti_tool.gradebook.delivery import Delivery
from tests.course_actors import Course, Person
from tests.scripted_gradebook import ScriptedGradebook, is_slow, is_slow_and_then_fails, keeps_and_then_fails, refuses


@dataclass
class Outbox:
    """A graded attempt on its way to a scripted gradebook."""

    course: Course
    delivery: Delivery
    gradebook: ScriptedGradebook
    learner: Person

    def answers(self, *, fraction: float = 0.5, answer: str | None = "an answer", due: bool = True) -> int:
        """Start, answer the first question, hand in, be graded; the id of the delivery made, due now."""
        self.learner.post("attempts", {"csrf_token": self.learner.token()})
        page = self.learner.get("quiz")
        fields = {str(area["name"]): "" for area in page.soup.find_all("textarea")}
        if answer is not None:
            fields[next(iter(fields))] = answer
        page = page.submit("form[action$='/answers']", fields)
        page.submit("form[action$='/hand-in']", {"empty_is_meant": "yes"} if answer is None else None)
        if answer is not None:
            self.course.grades(self.learner, fraction=fraction)
        if due:
            self.makes_due()
        row = self.row("SELECT id FROM deliveries ORDER BY id DESC LIMIT 1")
        assert row is not None
        return row[0]

    def overrides(self, *, points: str) -> int:
        """An instructor scores the first answer of the latest attempt anew; the id of the delivery made, due now."""
        with self.course.transaction() as connection:
            connection.execute(
                "INSERT INTO grades (submission_id, source, fraction, points, low, high, confidence, flags, versions,"
                " created_by) SELECT submission_id, 'INSTRUCTOR', %s::numeric / 5, %s, 0, 1, 1, '{}', '{}',"
                " (SELECT max(id) FROM users) FROM grades ORDER BY id DESC LIMIT 1",
                (points, points),
            )
            row = connection.execute("SELECT max(id) FROM attempts").fetchone()
            assert row is not None
            delivery_id = rows.queue_delivery(connection, row[0], wait_seconds=0)
        assert delivery_id is not None
        return delivery_id

    def ends_connections(self) -> None:
        """What a restart of PostgreSQL does to whoever holds a transaction."""
        with psycopg.connect(self.course.database.conninfo) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
            )

    def has_been_tried_since(self, delivery_id: int, *, days: int) -> None:
        """Its first try was so long ago."""
        with self.course.transaction() as connection:
            connection.execute(
                "INSERT INTO delivery_events (delivery_id, try_number, event, at)"
                " VALUES (%s, 1, 'BEGUN', now() - make_interval(days => %s))",
                (delivery_id, days),
            )

    def delivers(self, delivery_id: int) -> None:
        """What a worker does when it is woken for this delivery."""
        self.delivery.deliver(self.course.registration.id, delivery_id)

    def makes_due(self) -> None:
        with self.course.transaction() as connection:
            connection.execute("UPDATE deliveries SET due_at = now() WHERE status = 'QUEUED'")

    def row(self, query: str, *values: object) -> tuple | None:
        with self.course.transaction() as connection:
            return connection.execute(query, values).fetchone()  # pyright: ignore[reportArgumentType]

    def state(self, delivery_id: int) -> tuple[str, int, str | None]:
        row = self.row("SELECT status, tries, last_error FROM deliveries WHERE id = %s", delivery_id)
        assert row is not None
        return row[0], row[1], row[2]


@pytest.fixture
def outbox(course: Course, settings: Settings, httpserver: HTTPServer) -> Outbox:
    gradebook = ScriptedGradebook(httpserver)
    database = course.database
    gradebook.serves(course)
    course.has_quiz(max_attempts=5)
    return Outbox(course, Delivery(settings, database), gradebook, course.learner())


def test_a_score_arrives_with_its_comment(outbox: Outbox) -> None:
    delivery_id = outbox.answers(fraction=0.5)
    outbox.delivers(delivery_id)
    assert outbox.state(delivery_id) == ("DELIVERED", 1, None)
    (score,) = outbox.gradebook.scores
    assert (score["userId"], score["scoreGiven"], score["scoreMaximum"]) == ("ada-lovelace", 2.5, 10)
    assert (score["activityProgress"], score["gradingProgress"]) == ("Completed", "FullyGraded")
    assert "1. (2.5/5) You said what happens." in score["comment"]
    assert "2. (0/5) Not answered." in score["comment"]


def test_zero_arrives_as_a_number(outbox: Outbox) -> None:
    outbox.delivers(outbox.answers(answer=None))
    (score,) = outbox.gradebook.scores
    assert score["scoreGiven"] == 0
    assert not isinstance(score["scoreGiven"], bool)


def test_delivering_twice_sends_once(outbox: Outbox) -> None:
    delivery_id = outbox.answers()
    outbox.delivers(delivery_id)
    outbox.makes_due()
    outbox.delivers(delivery_id)
    assert len(outbox.gradebook.scores) == 1


def test_nothing_is_sent_before_it_is_due(outbox: Outbox) -> None:
    delivery_id = outbox.answers()
    with outbox.course.transaction() as connection:
        connection.execute("UPDATE deliveries SET due_at = now() + interval '1 minute'")
    outbox.delivers(delivery_id)
    assert outbox.gradebook.scores == []
    assert outbox.state(delivery_id) == ("QUEUED", 0, None)


def test_ten_workers_at_once_send_once(outbox: Outbox) -> None:
    delivery_id = outbox.answers()
    outbox.gradebook.script = [is_slow(0.3)]
    threads = [threading.Thread(target=outbox.delivers, args=(delivery_id,)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(outbox.gradebook.scores) == 1
    assert outbox.state(delivery_id)[0] == "DELIVERED"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again_with_the_same_message(outbox: Outbox, status: int) -> None:
    delivery_id = outbox.answers()
    outbox.gradebook.script = [refuses(status)]
    outbox.delivers(delivery_id)
    state, tries, error = outbox.state(delivery_id)
    assert (state, tries) == ("QUEUED", 1)
    assert error
    outbox.makes_due()
    outbox.delivers(delivery_id)
    assert outbox.state(delivery_id) == ("DELIVERED", 2, None)
    first, second = outbox.gradebook.scores
    assert first == second


def test_the_next_try_waits_as_long_as_the_platform_asks(outbox: Outbox) -> None:
    delivery_id = outbox.answers()
    outbox.gradebook.script = [refuses(429, Retry_After="900")]
    outbox.delivers(delivery_id)
    row = outbox.row("SELECT due_at - now() FROM deliveries WHERE id = %s", delivery_id)
    assert row is not None
    assert timedelta(seconds=850) < row[0] <= timedelta(seconds=900)


def test_a_lost_reply_does_not_send_the_comment_twice(outbox: Outbox) -> None:
    delivery_id = outbox.answers()
    outbox.gradebook.script = [keeps_and_then_fails(outbox.gradebook)]
    outbox.delivers(delivery_id)
    assert outbox.state(delivery_id)[0] == "QUEUED"
    outbox.makes_due()
    outbox.delivers(delivery_id)
    assert outbox.state(delivery_id) == ("DELIVERED", 2, None)
    assert len(outbox.gradebook.scores) == 1


def test_a_worker_that_died_while_sending_leaves_a_row_that_is_found_again(outbox: Outbox) -> None:
    delivery_id = outbox.answers()
    with outbox.course.transaction() as connection:
        assert sending.begin_delivery(connection, delivery_id)
        rows.set_comment(connection, delivery_id, "first words")
        assert rows.list_due_deliveries(connection) == []
        connection.execute("UPDATE deliveries SET due_at = now()")  # a minute passes
        assert rows.list_due_deliveries(connection) == [(outbox.course.registration.id, delivery_id)]
    outbox.delivers(delivery_id)
    assert outbox.gradebook.scores[0]["comment"] == "first words"
    assert outbox.state(delivery_id)[0] == "DELIVERED"


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_what_a_person_must_mend_is_parked_with_a_reason(outbox: Outbox, status: int) -> None:
    delivery_id = outbox.answers()
    outbox.gradebook.script = [refuses(status, "User is not enrolled")]
    outbox.delivers(delivery_id)
    state, tries, error = outbox.state(delivery_id)
    assert (state, tries) == ("PARKED", 1)
    assert error
    assert len(error) > 20


def test_an_older_timestamp_is_sent_again_with_a_newer_one(outbox: Outbox) -> None:
    delivery_id = outbox.answers()
    outbox.gradebook.script = [refuses(409, "refused: older timestamp")]
    outbox.delivers(delivery_id)
    outbox.makes_due()
    outbox.delivers(delivery_id)
    first, second = outbox.gradebook.scores
    assert second["timestamp"] > first["timestamp"]
    assert outbox.state(delivery_id)[0] == "DELIVERED"


def test_a_gradebook_that_finds_every_time_too_old_is_asked_less_and_less_often(outbox: Outbox) -> None:
    delivery_id = outbox.answers()
    waits: list[float] = []
    for _ in range(5):
        outbox.gradebook.script = [refuses(409)]
        outbox.makes_due()
        outbox.delivers(delivery_id)
        (wait,) = outbox.row("SELECT extract(epoch FROM due_at - now())::float FROM deliveries") or (0.0,)
        waits.append(wait)
    assert max(waits[:3]) <= 1
    assert min(waits[3:]) > 20
    assert waits[4] > waits[3]


def test_a_grade_like_one_that_was_held_back_is_somebody_elses(outbox: Outbox) -> None:
    outbox.delivers(outbox.answers(fraction=0.2))
    outbox.gradebook.keeps({"userId": outbox.learner.sub, "scoreGiven": 3, "scoreMaximum": 10})
    held_back = outbox.overrides(points="4")
    outbox.delivers(held_back)
    assert outbox.state(held_back)[0] == "PARKED"
    outbox.gradebook.keeps({"userId": outbox.learner.sub, "scoreGiven": 4, "scoreMaximum": 10})
    lower = outbox.overrides(points="1")
    outbox.delivers(lower)
    assert outbox.state(lower)[0] == "PARKED"
    assert len(outbox.gradebook.scores) == 1


def test_a_grade_that_the_lms_holds_on_to_is_parked_and_not_fought(outbox: Outbox) -> None:
    delivery_id = outbox.answers()

    def overridden(body: dict) -> None:
        outbox.gradebook.keeps({**body, "scoreGiven": 9.0})

    def takes_but_shows_another(body: dict):
        from werkzeug import Response

        overridden(body)
        return Response("", 200)

    outbox.gradebook.script = [takes_but_shows_another]
    outbox.delivers(delivery_id)
    state, _, error = outbox.state(delivery_id)
    assert state == "PARKED"
    assert "changed or locked" in str(error)


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_platform_that_lets_nobody_read_results_still_gets_its_score(outbox: Outbox, status: int) -> None:
    outbox.gradebook.result_status = status
    delivery_id = outbox.answers()
    outbox.delivers(delivery_id)
    assert outbox.state(delivery_id) == ("DELIVERED", 1, None)
    assert len(outbox.gradebook.scores) == 1


def test_while_results_cannot_be_read_for_a_moment_nothing_is_sent_again(outbox: Outbox) -> None:
    delivery_id = outbox.answers()
    outbox.gradebook.script = [keeps_and_then_fails(outbox.gradebook)]
    outbox.delivers(delivery_id)
    outbox.gradebook.result_status = 503
    outbox.makes_due()
    outbox.delivers(delivery_id)
    assert outbox.state(delivery_id)[0] == "QUEUED"
    assert len(outbox.gradebook.scores) == 1


def test_the_better_second_attempt_supersedes_the_first(outbox: Outbox) -> None:
    first = outbox.answers(fraction=0.2)
    second = outbox.answers(fraction=0.8)
    outbox.delivers(first)
    assert outbox.state(first)[0] == "SUPERSEDED"
    outbox.delivers(second)
    assert [score["scoreGiven"] for score in outbox.gradebook.scores] == [4]


def test_a_worse_second_attempt_is_not_sent(outbox: Outbox) -> None:
    first = outbox.answers(fraction=0.8)
    outbox.delivers(first)
    assert outbox.answers(fraction=0.2) == first
    assert len(outbox.gradebook.scores) == 1


def test_an_equal_second_attempt_is_not_taken_for_the_first_after_a_failed_try(outbox: Outbox) -> None:
    outbox.delivers(outbox.answers(fraction=0.5))
    second = outbox.answers(fraction=0.5)
    outbox.gradebook.script = [refuses(503)]
    outbox.delivers(second)
    outbox.makes_due()
    outbox.delivers(second)
    assert outbox.state(second)[0] == "DELIVERED"
    assert len(outbox.gradebook.scores) == 3


def test_the_score_of_a_worker_that_died_is_our_own_to_the_version_after_it(outbox: Outbox) -> None:
    outbox.delivers(outbox.answers(fraction=0.3))
    second = outbox.answers(fraction=0.5)
    with outbox.course.transaction() as connection:
        assert sending.begin_delivery(connection, second, lease_seconds=0)
    # It was taken, and the worker died before anybody knew.
    outbox.gradebook.keeps({"userId": "ada-lovelace", "scoreGiven": 2.5, "scoreMaximum": 10.0, "comment": "Attempt 2."})
    third = outbox.answers(fraction=0.9)
    outbox.delivers(third)
    assert outbox.state(third) == ("DELIVERED", 1, None)
    assert outbox.gradebook.scores[-1]["scoreGiven"] == 4.5


def test_a_score_that_is_nearly_the_one_before_is_not_taken_for_it_after_a_failed_try(outbox: Outbox) -> None:
    outbox.delivers(outbox.answers(fraction=0.5))
    second = outbox.answers(fraction=0.5001)
    outbox.gradebook.script = [refuses(503)]
    outbox.delivers(second)
    outbox.makes_due()
    outbox.delivers(second)
    assert outbox.state(second)[0] == "DELIVERED"
    assert outbox.gradebook.results["ada-lovelace"]["comment"].startswith("Attempt 2.")
    assert outbox.gradebook.scores[-1]["scoreGiven"] == 2.5005


def test_a_column_that_comes_later_gets_the_best_attempt(outbox: Outbox) -> None:
    with outbox.course.transaction() as connection:
        connection.execute("UPDATE resource_links SET line_item_url = NULL")
    for fraction in (0.9, 0.2):
        with pytest.raises(AssertionError):
            outbox.answers(fraction=fraction)  # no delivery is made
    with outbox.course.transaction() as connection:
        connection.execute("UPDATE resource_links SET line_item_url = %s", (outbox.gradebook.line_item_url,))
        ((_, attempt_id),) = rows.list_attempts_without_delivery(connection)
        delivery_id = rows.queue_delivery(connection, attempt_id, wait_seconds=0)
        assert rows.list_attempts_without_delivery(connection) == []
    assert delivery_id is not None
    outbox.delivers(delivery_id)
    assert [score["scoreGiven"] for score in outbox.gradebook.scores] == [4.5]


def test_two_attempts_that_finish_at_once_leave_the_better_one(outbox: Outbox) -> None:
    better = outbox.answers(fraction=0.9)
    with outbox.course.transaction() as connection:
        row = connection.execute("SELECT attempt_id FROM deliveries WHERE id = %s", (better,)).fetchone()
        assert row is not None
        connection.execute("DELETE FROM deliveries")
    outbox.answers(fraction=0.2)
    threads = []

    def queues(attempt_id: int) -> None:
        with outbox.course.transaction() as connection:
            rows.queue_delivery(connection, attempt_id, wait_seconds=0)

    for attempt_id in (row[0], row[0] + 1) * 4:
        threads.append(threading.Thread(target=queues, args=(attempt_id,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert outbox.row("SELECT count(*), max(score_given) FROM deliveries WHERE status = 'QUEUED'") == (
        1,
        Decimal("4.5"),
    )


def test_a_platform_that_keeps_workers_waiting_is_left_alone_for_a_while(outbox: Outbox, settings: Settings) -> None:
    quick = {"delivery_retry_seconds": 0.05, "platform_timeout_seconds": 1.0}
    outbox.delivery = Delivery(settings.model_copy(update=quick), outbox.course.database)
    outbox.gradebook.script = [is_slow_and_then_fails(0.3)] * patience.SILENCES
    delivery_id = outbox.answers()
    for _ in range(patience.SILENCES + 1):
        outbox.makes_due()
        outbox.delivers(delivery_id)
    status, tries, _ = outbox.state(delivery_id)
    assert (status, tries, len(outbox.gradebook.scores)) == ("QUEUED", patience.SILENCES, patience.SILENCES)
    time.sleep(0.7)
    outbox.delivers(delivery_id)
    assert outbox.state(delivery_id)[:2] == ("DELIVERED", patience.SILENCES + 1)


def test_after_a_pause_a_platform_is_asked_by_one_until_it_answers() -> None:
    who = patience.Patience(pause_seconds=0.0)
    with who.turn(1) as first, who.turn(1) as second:
        assert (first, second) == (True, True)
    for _ in range(patience.SILENCES):
        who.note_silence(1, seconds=0.1)
    with who.turn(1) as first, who.turn(1) as second:
        assert (first, second) == (True, True), "a quick failure holds up nobody"
    for _ in range(patience.SILENCES):
        who.note_silence(1, seconds=20)
    with who.turn(1) as first, who.turn(1) as second, who.turn(2) as other:
        assert (first, second, other) == (True, False, True)
    with who.turn(1) as again:
        assert again
        who.note_answer(1)
    with who.turn(1) as first, who.turn(1) as second:
        assert (first, second) == (True, True)


def test_a_platform_that_is_silent_now_and_then_is_not_left_alone() -> None:
    who = patience.Patience(pause_seconds=60.0)
    for _ in range(10):
        for _ in range(patience.SILENCES - 1):
            who.note_silence(1, seconds=20)
        who.note_answer(1)
        with who.turn(1) as may_ask:
            assert may_ask


def test_a_registration_with_many_scores_due_keeps_no_other_waiting(outbox: Outbox) -> None:
    course = outbox.course
    delivery_id = outbox.answers()
    busy = Course.open(course.app, course.database, school="busy")
    busy.has_quiz()
    Outbox(busy, outbox.delivery, outbox.gradebook, busy.learner()).answers()
    with busy.transaction() as connection:
        connection.execute(
            "INSERT INTO deliveries (line_item_url, user_id, attempt_id, version, score_given, score_maximum,"
            " submitted_at, due_at) SELECT line_item_url, user_id, attempt_id, version + n, score_given,"
            " score_maximum, submitted_at, now() - interval '1 day' FROM deliveries, generate_series(1, 20) AS n"
        )
    with course.database.across_tenants() as connection:
        due = rows.list_due_deliveries(connection, per_registration=3)
    assert [registration_id for registration_id, _ in due].count(busy.registration.id) == 3
    assert (course.registration.id, delivery_id) in due


def test_whoever_is_woken_for_one_score_sends_all_that_are_due(outbox: Outbox) -> None:
    learners = [outbox.course.learner(f"student-{number}") for number in range(3)]
    ids = [Outbox(outbox.course, outbox.delivery, outbox.gradebook, learner).answers() for learner in learners]
    assert outbox.delivery.deliver_due(outbox.course.registration.id, ids[0]) is None
    assert [outbox.state(each)[0] for each in ids] == ["DELIVERED"] * 3


def test_two_threads_at_a_time_send_for_one_registration(outbox: Outbox) -> None:
    learners = [outbox.course.learner(f"student-{number}") for number in range(6)]
    ids = [Outbox(outbox.course, outbox.delivery, outbox.gradebook, learner).answers() for learner in learners]
    outbox.gradebook.script = [is_slow(0.1)] * 6
    turns = [
        threading.Thread(target=outbox.delivery.deliver_due, args=(outbox.course.registration.id, each)) for each in ids
    ]
    for thread in turns:
        thread.start()
    for thread in turns[2:]:
        thread.join(0.1)
    assert sum(thread.is_alive() for thread in turns) == 2
    for thread in turns:
        thread.join(30)
    assert len(outbox.gradebook.scores) == 6


def test_grading_the_next_attempt_does_not_wait_for_an_lms_that_hangs(outbox: Outbox) -> None:
    first = outbox.answers(fraction=0.2)
    with outbox.course.transaction() as connection:
        assert sending.begin_delivery(connection, first)
        rows.set_comment(connection, first, "on its way")
    with outbox.course.transaction() as connection:
        assert sending.lock_delivery(connection, first) is not None
        second = outbox.answers(fraction=0.8, due=False)  # would hang here
    assert second != first


def test_a_quiz_that_the_placement_no_longer_has_is_not_sent_to_its_column(outbox: Outbox) -> None:
    old_quiz = outbox.course.quiz_id
    outbox.learner.post("attempts", {"csrf_token": outbox.learner.token()})
    page = outbox.learner.get("quiz")
    field = str(page.soup.find("textarea")["name"])  # pyright: ignore[reportOptionalSubscript]
    page = page.submit("form[action$='/answers']", {field: "an answer"})
    page.submit("form[action$='/hand-in']")
    outbox.course.has_quiz()
    outbox.course.learner()  # the placement has the new quiz now
    assert outbox.course.quiz_id != old_quiz
    outbox.course.grades(outbox.learner)
    assert outbox.row("SELECT count(*) FROM deliveries") == (0,)


def test_versions_of_one_student_have_growing_timestamps(outbox: Outbox) -> None:
    for fraction in (0.2, 0.4, 0.6):
        outbox.delivers(outbox.answers(fraction=fraction))
    stamps = [score["timestamp"] for score in outbox.gradebook.scores]
    assert stamps == sorted(set(stamps))
    assert [score["scoreGiven"] for score in outbox.gradebook.scores] == [1, 2, 3]


def test_previews_and_test_users_are_never_sent(outbox: Outbox) -> None:
    with outbox.course.transaction() as connection:
        connection.execute("UPDATE users SET is_test_user = true WHERE sub = 'ada-lovelace'")
    with pytest.raises(AssertionError):
        outbox.answers()  # no delivery is made
    assert outbox.row("SELECT count(*) FROM deliveries") == (0,)


@pytest.mark.parametrize("fraction", [0.0, 1 / 3, 2 / 3, 0.12345, 1.0])
def test_points_arrive_as_they_were_graded(outbox: Outbox, fraction: float) -> None:
    delivery_id = outbox.answers(fraction=fraction)
    outbox.delivers(delivery_id)
    row = outbox.row("SELECT score_given FROM deliveries WHERE id = %s", delivery_id)
    assert row is not None
    assert Decimal(str(outbox.gradebook.scores[0]["scoreGiven"])) == row[0]
    assert outbox.state(delivery_id)[0] == "DELIVERED"


def test_on_canvas_a_score_brings_the_address_that_opens_the_answer_once(outbox: Outbox) -> None:
    with outbox.course.database.across_tenants() as connection:
        connection.execute("UPDATE platforms SET family = 'canvas'")
    extension = "https://canvas.instructure.com/lti/submission"
    outbox.delivers(outbox.answers(fraction=0.5))
    attempt = outbox.row("SELECT id FROM attempts")
    assert attempt is not None
    first = outbox.gradebook.scores[0][extension]
    assert first["new_submission"] is True
    assert first["submission_type"] == "basic_lti_launch"
    assert first["submission_data"] == (
        f"http://localhost:8400/lti/launch?quiz={outbox.course.quiz_id}&attempt={attempt[0]}"
    )
    # The same score again: by its comment the gradebook shows that the first try did not arrive.
    second_id = outbox.answers(fraction=0.5)
    outbox.gradebook.script = [refuses(502)]
    outbox.delivers(second_id)
    outbox.makes_due()
    outbox.delivers(second_id)
    assert [score[extension]["new_submission"] for score in outbox.gradebook.scores[1:]] == [True, True]
    assert outbox.state(second_id)[0] == "DELIVERED"


def test_what_may_have_arrived_is_neither_announced_nor_commented_twice(outbox: Outbox) -> None:
    with outbox.course.database.across_tenants() as connection:
        connection.execute("UPDATE platforms SET family = 'canvas'")
    outbox.delivers(outbox.answers(fraction=0.5))
    second_id = outbox.answers(fraction=0.5)
    outbox.gradebook.script = [keeps_and_then_fails(outbox.gradebook)]
    outbox.delivers(second_id)
    outbox.makes_due()
    outbox.delivers(second_id)
    assert outbox.state(second_id) == ("DELIVERED", 2, None)
    assert len(outbox.gradebook.scores) == 2


def test_an_attempt_is_announced_by_the_first_version_that_arrives(outbox: Outbox) -> None:
    with outbox.course.database.across_tenants() as connection:
        connection.execute("UPDATE platforms SET family = 'canvas'")
    outbox.gradebook.script = [refuses(503)]
    outbox.delivers(outbox.answers(fraction=0.5))
    second = outbox.overrides(points="3")
    outbox.makes_due()
    outbox.delivers(second)
    outbox.delivers(outbox.overrides(points="4"))
    extensions = [score["https://canvas.instructure.com/lti/submission"] for score in outbox.gradebook.scores]
    assert [each["new_submission"] for each in extensions] == [True, True, False]
    assert [score["scoreGiven"] for score in outbox.gradebook.scores] == [2.5, 3, 4]


def test_a_worker_that_died_after_sending_is_followed_by_the_newer_version_alone(outbox: Outbox) -> None:
    first = outbox.answers(fraction=0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AgsClient, "get_result", _is_killed)
        with pytest.raises(_Killed):
            outbox.delivers(first)
    assert outbox.state(first)[:2] == ("QUEUED", 1)
    second = outbox.overrides(points="4")
    outbox.delivers(second)
    assert outbox.state(second)[:2] == ("QUEUED", 0), "the older score may be under way still"
    outbox.makes_due()
    outbox.delivers(first)
    outbox.delivers(second)
    assert (outbox.state(first)[0], outbox.state(second)[:2]) == ("SUPERSEDED", ("DELIVERED", 1))
    assert [score["scoreGiven"] for score in outbox.gradebook.scores] == [2.5, 4]


def test_after_a_restart_of_the_database_nothing_is_sent_without_the_lock(outbox: Outbox) -> None:
    outbox.delivers(outbox.answers(fraction=0.2))
    second = outbox.answers(fraction=0.8)
    outbox.gradebook.before_results = outbox.ends_connections
    with pytest.raises(psycopg.OperationalError):
        outbox.delivers(second)
    outbox.gradebook.before_results = None
    assert len(outbox.gradebook.scores) == 1
    outbox.makes_due()
    outbox.delivers(second)
    assert [score["scoreGiven"] for score in outbox.gradebook.scores] == [1, 4]


def test_after_two_weeks_of_failures_a_person_is_asked(outbox: Outbox) -> None:
    delivery_id = outbox.answers()
    outbox.gradebook.script = [refuses(503)] * 3
    outbox.has_been_tried_since(delivery_id, days=13)
    outbox.delivers(delivery_id)
    assert outbox.state(delivery_id)[0] == "QUEUED"
    outbox.has_been_tried_since(delivery_id, days=15)
    outbox.makes_due()
    outbox.delivers(delivery_id)
    status, _, error = outbox.state(delivery_id)
    assert status == "PARKED"
    assert "tried for 14 days" in (error or "")
    with outbox.course.transaction() as connection:
        assert rows.resend_parked(connection, [delivery_id], overwrites=False, actor="grace-hopper") == [delivery_id]
    outbox.delivers(delivery_id)
    assert outbox.state(delivery_id)[0] == "QUEUED", "the two weeks begin anew"
    outbox.makes_due()
    outbox.delivers(delivery_id)
    assert outbox.state(delivery_id)[0] == "DELIVERED"


class _Killed(BaseException):
    """A worker that is killed at this moment: nothing after it is done, no transaction committed."""


def _is_killed(*_: object) -> None:
    raise _Killed
