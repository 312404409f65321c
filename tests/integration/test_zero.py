"""Zero is a score: whatever was graded arrives as it is, from the grade to the gradebook; none arrives as nothing."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from lti_tool.db import fetch_value
from lti_tool.gradebook.store import finish_attempt, record_model_grade
from lti_tool.submissions.store import hand_in, mark_graded, save_draft, start_attempt
from lti_tool.submissions.tasks import points_from
from tests.course_actors import make_assessment, make_question
from tests.integration.test_delivery import Outbox, outbox

__all__ = ["outbox"]  # the fixture of the neighbour

_numbers = count(1)
_fractions = st.sampled_from([0.0, 1 / 3, 1.0]) | st.floats(0, 1, allow_subnormal=False)
_max_points = st.sampled_from([Decimal(text) for text in ("1", "5", "0.3333", "2.5", "100")])


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    policy=st.sampled_from(["BEST", "LAST", "AVERAGE"]),
    max_points=st.lists(_max_points, min_size=1, max_size=2),
    attempts=st.lists(st.tuples(_fractions, _fractions), min_size=1, max_size=3),
)
@example(policy="BEST", max_points=[Decimal(5)], attempts=[(0.0, 0.0)])
@example(policy="LAST", max_points=[Decimal(5)], attempts=[(1.0, 1.0), (0.0, 0.0)])
@example(policy="AVERAGE", max_points=[Decimal(5), Decimal("0.3333")], attempts=[(0.0, 0.0), (1 / 3, 1 / 3)])
@example(policy="AVERAGE", max_points=[Decimal(1)], attempts=[(0.0, 0.0), (0.0, 0.0), (1 / 3, 0.0)])
@example(policy="BEST", max_points=[Decimal("0.3333")], attempts=[(1 / 3, 0.0), (1.0, 0.0)])
def test_every_score_arrives_as_it_was_graded(
    outbox: Outbox, policy: str, max_points: list[Decimal], attempts: list[tuple[float, float]]
) -> None:
    sub = f"student-{next(_numbers)}"
    quiz_id = outbox.course.has_quiz(*(make_question(max_points=each) for each in max_points), max_attempts=9)
    outbox.course.learner(sub)
    sums = []
    for fractions in attempts:
        with outbox.course.transaction() as connection:
            connection.execute("UPDATE quizzes SET counted_attempt = %s WHERE id = %s", (policy, quiz_id))
            sums.append(_graded_attempt(connection, quiz_id, sub, fractions))
    row = outbox.row(
        "SELECT deliveries.id FROM deliveries JOIN users ON users.id = user_id WHERE sub = %s"
        " ORDER BY version DESC LIMIT 1",
        sub,
    )
    assert row is not None
    outbox.makes_due()
    outbox.delivers(row[0])
    assert outbox.state(row[0])[0] == "DELIVERED"

    average = (sum(sums, Decimal(0)) / len(sums)).quantize(Decimal("0.0001"), rounding="ROUND_HALF_UP")
    expected = {"BEST": max(sums), "LAST": sums[-1], "AVERAGE": average}[policy]
    sent = outbox.gradebook.scores[-1]
    assert sent["userId"] == sub
    assert isinstance(sent["scoreGiven"], int | float)
    assert not isinstance(sent["scoreGiven"], bool)
    assert Decimal(str(sent["scoreGiven"])) == expected
    assert Decimal(str(sent["scoreMaximum"])) == sum(max_points)
    result = outbox.gradebook.results[sub]
    assert result["resultScore"] / result["resultMaximum"] == pytest.approx(float(expected / sum(max_points)))


def _graded_attempt(connection: Connection, quiz_id: UUID, sub: str, fractions: tuple[float, float]) -> Decimal:
    """The points of an attempt that was answered, handed in and graded with these fractions."""
    user_id = fetch_value(connection, "SELECT id FROM users WHERE sub = %s", sub)
    link_id = fetch_value(connection, "SELECT id FROM resource_links")
    assert isinstance(user_id, int)
    assert isinstance(link_id, int)
    attempt = start_attempt(
        connection, resource_link_id=link_id, user_id=user_id, quiz_id=quiz_id, max_attempts=9, is_preview=False
    )
    questions = connection.execute(
        "SELECT id, max_points FROM questions WHERE quiz_id = %s ORDER BY position", (quiz_id,)
    ).fetchall()
    for question_id, _ in questions:
        save_draft(connection, attempt_id=attempt.id, question_id=question_id, answer="an answer")
    total = Decimal(0)
    for submission_id, (_, most), fraction in zip(hand_in(connection, attempt.id), questions, fractions, strict=False):
        points = points_from(fraction, most)
        record_model_grade(
            connection, submission_id, make_assessment(fraction=fraction), points=points, explanation="So.", names={}
        )
        mark_graded(connection, submission_id)
        total += points
    assert finish_attempt(connection, attempt.id, explanation_wait_seconds=0)
    return total
