"""What must be true at the end: in the database by itself, and of gradebook and database together."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, LiteralString

from psycopg import Connection

from lti_tool.gradebook.ags import plain_comment
from tests.chaos.schools import MAXIMUM

#: Rows that are in no state, or in one out of which nobody takes them. Each of these must find nothing.
INVARIANTS: dict[str, LiteralString] = {
    "an answer that was handed in has a grade, or is stuck and waits for a person": """
        SELECT submissions.id FROM submissions JOIN attempts ON attempts.id = submissions.attempt_id
        WHERE attempts.status <> 'OPEN' AND NOT (
            submissions.status = 'STUCK'
            OR (submissions.status = 'GRADED' AND EXISTS (SELECT 1 FROM grades WHERE submission_id = submissions.id))
        )
    """,
    "an attempt that was handed in is graded, or has a stuck answer": """
        SELECT id FROM attempts WHERE status = 'SUBMITTED' AND NOT EXISTS (
            SELECT 1 FROM submissions WHERE attempt_id = attempts.id AND submissions.status = 'STUCK'
        )
    """,
    "one grade of the model for each answer": """
        SELECT submission_id FROM grades WHERE source = 'MODEL' GROUP BY submission_id HAVING count(*) > 1
    """,
    "nothing is queued": "SELECT id FROM deliveries WHERE status = 'QUEUED'",
    "no explanation is pending": "SELECT grade_id FROM rewordings WHERE outcome = 'PENDING'",
    "who has an attempt that counts has a newest version that is delivered, or parked with a reason": """
        SELECT counted.id FROM counted_attempts AS counted
        JOIN resource_links ON resource_links.id = counted.resource_link_id
        WHERE NOT EXISTS (
            SELECT 1 FROM (
                SELECT * FROM deliveries
                WHERE line_item_url = resource_links.line_item_url AND user_id = counted.user_id
                ORDER BY version DESC LIMIT 1
            ) AS newest
            WHERE newest.status = 'DELIVERED' OR (newest.status = 'PARKED' AND newest.parked_because IS NOT NULL
                AND newest.last_error IS NOT NULL)
        )
    """,
    "every try that was begun and not cut off has an end": """
        SELECT id FROM deliveries WHERE status IN ('DELIVERED', 'PARKED') AND NOT EXISTS (
            SELECT 1 FROM delivery_events WHERE delivery_id = deliveries.id AND event = deliveries.status
        )
    """,
    "timestamps of one student's scores grow by a second at least": """
        SELECT id FROM (
            SELECT id, score_timestamp - lag(score_timestamp) OVER (
                PARTITION BY line_item_url, user_id ORDER BY version
            ) AS step FROM deliveries WHERE tries > 0
        ) AS steps WHERE step < interval '1 second'
    """,
}


def broken_invariants(connection: Connection) -> list[str]:
    """The sentences that are not true, with how often and for which rows."""
    broken = []
    for sentence, query in INVARIANTS.items():
        rows = connection.execute(query).fetchall()
        if rows:
            broken.append(f"not true: {sentence} ({len(rows)}: {[row[0] for row in rows[:5]]})")
    return broken


def differences(connection: Connection, family: str, state: dict[str, Any]) -> list[str]:
    """Where the gradebook of a school (``/state`` of ``schools.py``) and the tenant's rows differ."""
    found: list[str] = []
    grades: dict[str, Any] = state["grades"]
    expected = _expected_points(connection)
    rows = connection.execute(
        """
        SELECT DISTINCT ON (line_item_url, user_id)
            substring(line_item_url FROM 'lineitems/([0-9]+)'), users.sub,
            user_id, resource_links.id, status, score_given, score_maximum, comment, parked_because
        FROM deliveries JOIN users ON users.id = user_id JOIN resource_links USING (line_item_url)
        ORDER BY line_item_url, user_id, version DESC
        """
    ).fetchall()
    for item, sub, user_id, link_id, status, given, maximum, comment, because in rows:
        grade = grades.pop(f"{item} {sub}", None)
        wanted = expected.pop((link_id, user_id), None)
        own = [] if wanted == given else [f"the newest version is {given}, by the grades it should be {wanted}"]
        if sub.startswith("left-"):
            if (status, because) != ("PARKED", "NOT_A_STUDENT"):
                own.append(f"left the course, but the score is {status} {because}")
        else:
            own += [] if status == "DELIVERED" else [f"{status} {because}"]
            own += _faults_of(grade, given, maximum, comment)
        if own:
            found += [f"{family} {sub}: {fault}" for fault in own]
            found += _story(connection, item, user_id, grade)
    found += [f"{family} {key}: a grade that nobody sent" for key in grades]
    found += [f"{family}: no version for {key}" for key in expected]
    return found + [f"{family}: {harm}" for harm in state["harms"]]


def _faults_of(grade: dict[str, Any] | None, given: Decimal, maximum: Decimal, comment: str) -> list[str]:
    if grade is None or grade["score"] is None:
        return ["no grade in the gradebook"]
    faults: list[str] = []
    if abs(grade["score"] - float(given / maximum) * MAXIMUM) > 1e-6 * MAXIMUM:
        faults.append(f"{grade['score']} in the gradebook, {given}/{maximum} here")
    if _words(grade["comment"]) != _words(comment):
        faults.append("another comment in the gradebook")
    return faults


def _story(connection: Connection, item: str, user_id: int, grade: dict[str, Any] | None) -> list[str]:
    """What befell one student's scores, for whoever looks for the cause."""
    events = connection.execute(
        """
        SELECT at::time(3), version, event, round(score_given / score_maximum, 6), score_timestamp::time, detail
        FROM delivery_events JOIN deliveries ON deliveries.id = delivery_id
        WHERE user_id = %s AND line_item_url LIKE %s ORDER BY delivery_events.id
        """,
        (user_id, f"%lineitems/{item}/%"),
    ).fetchall()
    lines = [
        f"    {at} version {number} {event}: {share} of {dated} {said}"
        for at, number, event, share, dated, said in events
    ]
    return [*lines, f"    taken: {grade['scores'] if grade else None}"]


def _words(comment: str) -> str:
    return " ".join(plain_comment(comment).split())


def _expected_points(connection: Connection) -> dict[tuple[int, int], Decimal]:
    """By placement and user, what counts: worked out of the grades once more, without the tool's own query."""
    rows = connection.execute(
        """
        SELECT attempts.resource_link_id, attempts.user_id, quizzes.counted_attempt, attempts.number,
            (SELECT points FROM grades WHERE submission_id = submissions.id ORDER BY grades.id DESC LIMIT 1)
        FROM attempts JOIN quizzes ON quizzes.id = attempts.quiz_id
        JOIN submissions ON submissions.attempt_id = attempts.id
        WHERE attempts.status = 'GRADED'
        """
    ).fetchall()
    attempts: dict[tuple[int, int], dict[int, Decimal]] = {}
    policies: dict[tuple[int, int], str] = {}
    for link_id, user_id, policy, number, points in rows:
        policies[link_id, user_id] = policy
        sums = attempts.setdefault((link_id, user_id), {})
        sums[number] = sums.get(number, Decimal(0)) + points
    return {key: _counted(policies[key], sums) for key, sums in attempts.items()}


def _counted(policy: str, sums: dict[int, Decimal]) -> Decimal:
    if policy == "BEST":
        return max(sums.values())
    if policy == "LAST":
        return sums[max(sums)]
    return (sum(sums.values(), Decimal(0)) / len(sums)).quantize(Decimal("0.0001"), rounding="ROUND_HALF_UP")
