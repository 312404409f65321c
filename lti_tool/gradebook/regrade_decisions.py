"""Applying a regrade, discarding it, taking it back: one transaction each, and in the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import Connection

from lti_tool.gradebook.decisions import NO_WORDS
from lti_tool.gradebook.errors import RegradeNotOpen
from lti_tool.gradebook.outbox import queue_delivery
from lti_tool.gradebook.regrade_changes import ITEMS, item_values, summarise
from lti_tool.gradebook.regrades import Regrade, find_regrade
from lti_tool.gradebook.store import list_attempts_fully_explained
from lti_tool.launch.audit import record_event


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What applying did: answers with a new grade, attempts they are in, answers whose grade had changed meanwhile."""

    changed_count: int
    attempt_count: int
    meanwhile_count: int


def apply_regrade(
    connection: Connection,
    regrade_id: int,
    user_id: int,
    *,
    include_instructor_scored: bool,
    wait_seconds: int,
    seen: str | None = None,
    seen_text: int | None = None,
) -> Applied:
    """Give every answer that changes its new grade, and queue the scores that differ by it.

    Answers whose grade changed since the regrade began are left alone. An attempt's approval stays as it was.
    ``wait_seconds``: how long a score waits for the language model at most. ``seen``: the mark of the new scores that
    the instructor has seen, and ``seen_text`` the ``newest_text`` of the summary; both are looked at where ``seen`` is
    given. Raises :class:`RegradeNotOpen` unless the regrade is READY, with those scores and texts.
    """
    regrade = _lock(connection, regrade_id, "READY")
    if seen is not None and seen != regrade.mark:
        raise RegradeNotOpen(
            f"regrade {regrade_id} was computed anew at {regrade.mark}, not {seen[:40]}",
            instructor_text=(
                "The answer key changed, so these scores were computed anew since the page was opened. Nothing was"
                " applied: open it again from the results page and look at them first."
            ),
        )
    _lock_attempts(connection, regrade_id)
    summary = summarise(connection, regrade_id)
    if seen is not None and (summary.newest_text or 0) > (seen_text or 0):
        raise RegradeNotOpen(
            f"regrade {regrade_id} would replace explanation {summary.newest_text}, which was not seen",
            instructor_text=(
                "An explanation that this would replace was edited since the page was opened. Nothing was applied: open"
                " it again from the results page and look at it first."
            ),
        )
    rows = connection.execute(
        ITEMS  # noqa: S608 - only literals
        + """
        INSERT INTO grades (submission_id, source, fraction, points, low, high, confidence, flags, versions, regrade_id)
        SELECT submission_id, 'MODEL', fraction, points, low, high, confidence, flags, versions, regrade_id
        FROM regrade_items JOIN items USING (regrade_id, submission_id)
        WHERE state = 'CHANGED' OR (state = 'KEPT' AND %(included)s)
        RETURNING id
        """,
        item_values(regrade_id) | {"included": include_instructor_scored},
    ).fetchall()
    grade_ids = [row[0] for row in rows]
    _add_findings(connection, grade_ids)
    attempt_ids = _attempts_of(connection, grade_ids)
    _queue(connection, attempt_ids, wait_seconds)
    applied = Applied(
        changed_count=len(grade_ids), attempt_count=len(attempt_ids), meanwhile_count=summary.meanwhile_count
    )
    _finish(
        connection,
        regrade,
        "APPLIED",
        user_id,
        changed=applied.changed_count,
        attempts=applied.attempt_count,
        changed_meanwhile=applied.meanwhile_count,
        with_instructor_scored=int(include_instructor_scored),
        replaced_explanations=summary.replaced_text_count
        + (summary.kept_text_count if include_instructor_scored else 0),
    )
    return applied


def take_back_regrade(connection: Connection, regrade_id: int, user_id: int, *, reason: str, wait_seconds: int) -> int:
    """Give the answers that still have their score of this regrade the one from before; how many they are.

    As grades of the person who takes it back: a grade is never removed. Their explanations come back with them. Raises
    :class:`RegradeNotOpen` unless the regrade was applied.
    """
    regrade = _lock(connection, regrade_id, "APPLIED")
    _lock_attempts(connection, regrade_id)
    rows = connection.execute(
        """
        INSERT INTO grades (submission_id, source, fraction, points, low, high, confidence, flags, versions, created_by,
            reason)
        SELECT old.submission_id, 'INSTRUCTOR', old.fraction, old.points, old.low, old.high, old.confidence, old.flags,
            jsonb_build_object('restored_grade', old.id), %s, %s
        FROM regrade_items
        JOIN grades AS old ON old.id = regrade_items.old_grade_id
        CROSS JOIN LATERAL (
            SELECT regrade_id FROM grades WHERE grades.submission_id = old.submission_id ORDER BY id DESC LIMIT 1
        ) AS latest
        WHERE regrade_items.regrade_id = %s AND latest.regrade_id = regrade_items.regrade_id
        RETURNING id
        """,
        (user_id, reason, regrade_id),
    ).fetchall()
    grade_ids = [row[0] for row in rows]
    _copy_findings(connection, regrade_id, grade_ids)
    _queue(connection, _attempts_of(connection, grade_ids), wait_seconds)
    _record(connection, regrade, "REGRADE_TAKEN_BACK", user_id, changed=len(grade_ids))
    return len(grade_ids)


def discard_regrade(connection: Connection, regrade_id: int, user_id: int) -> None:
    """Forget the new scores; no grade changes. Raises :class:`RegradeNotOpen`."""
    _finish(connection, _lock(connection, regrade_id, "COMPUTING", "READY"), "DISCARDED", user_id)


def _lock(connection: Connection, regrade_id: int, *statuses: str) -> Regrade:
    connection.execute("SELECT 1 FROM regrades WHERE id = %s FOR UPDATE", (regrade_id,))
    regrade = find_regrade(connection, regrade_id)
    if regrade is None or regrade.status not in statuses:
        raise RegradeNotOpen(f"regrade {regrade_id} is {regrade.status if regrade else 'not there'}")
    return regrade


def _add_findings(connection: Connection, grade_ids: Sequence[int]) -> None:
    """Verdicts and the template's explanation for grades of a regrade; the language model may reword that.

    Where the points are as before, an instructor's text stays in front of it, and the model need not word it.
    """
    connection.execute(
        """
        INSERT INTO key_point_verdicts (grade_id, position, verdict, similarity, evidence, name)
        SELECT grades.id, each.position, each.verdict, each.similarity, each.evidence, each.name
        FROM grades JOIN regrade_items USING (regrade_id, submission_id)
        CROSS JOIN LATERAL jsonb_to_recordset(regrade_items.verdicts)
            AS each (position integer, verdict text, similarity double precision, evidence text, name text)
        WHERE grades.id = ANY(%s)
        """,
        (list(grade_ids),),
    )
    connection.execute(
        """
        INSERT INTO explanations (grade_id, source, text)
        SELECT grades.id, 'TEMPLATE', regrade_items.explanation
        FROM grades JOIN regrade_items USING (regrade_id, submission_id) WHERE grades.id = ANY(%s)
        """,
        (list(grade_ids),),
    )
    connection.execute(
        """
        INSERT INTO explanations (grade_id, source, text, versions)
        SELECT grades.id, written.source, written.text, written.versions
        FROM grades
        JOIN regrade_items USING (regrade_id, submission_id)
        JOIN grades AS old ON old.id = regrade_items.old_grade_id
        CROSS JOIN LATERAL (
            SELECT source, text, versions FROM explanations WHERE explanations.grade_id = old.id
            ORDER BY explanations.id DESC LIMIT 1
        ) AS written
        WHERE grades.id = ANY(%s) AND abs(grades.points - old.points) < 0.005 AND written.source = 'INSTRUCTOR'
            AND written.text <> ALL(%s)
        """,
        (list(grade_ids), list(NO_WORDS.values())),
    )
    connection.execute(
        """
        INSERT INTO rewordings (grade_id)
        SELECT grades.id FROM grades
        WHERE grades.id = ANY(%s) AND NOT EXISTS (
            SELECT 1 FROM explanations WHERE explanations.grade_id = grades.id AND explanations.source = 'INSTRUCTOR'
        )
        """,
        (list(grade_ids),),
    )


def _copy_findings(connection: Connection, regrade_id: int, grade_ids: Sequence[int]) -> None:
    """Verdicts and latest explanation of the grades from before, and what was said of it, for these copies of them."""
    connection.execute(
        """
        INSERT INTO key_point_verdicts (grade_id, position, verdict, similarity, evidence, name)
        SELECT copies.id, old.position, old.verdict, old.similarity, old.evidence, old.name
        FROM grades AS copies
        JOIN regrade_items ON regrade_items.submission_id = copies.submission_id AND regrade_items.regrade_id = %s
        JOIN key_point_verdicts AS old ON old.grade_id = regrade_items.old_grade_id
        WHERE copies.id = ANY(%s)
        """,
        (regrade_id, list(grade_ids)),
    )
    connection.execute(
        """
        WITH old AS (
            SELECT copies.id AS grade_id, latest.*
            FROM grades AS copies
            JOIN regrade_items ON regrade_items.submission_id = copies.submission_id AND regrade_items.regrade_id = %s
            CROSS JOIN LATERAL (
                SELECT id AS explanation_id, source, text, versions FROM explanations
                WHERE explanations.grade_id = regrade_items.old_grade_id ORDER BY id DESC LIMIT 1
            ) AS latest
            WHERE copies.id = ANY(%s)
        ), added AS (
            INSERT INTO explanations (grade_id, source, text, versions)
            SELECT grade_id, source, text, versions FROM old RETURNING id, grade_id
        )
        INSERT INTO explanation_ratings (explanation_id, rating, note, rated_at, kept_at)
        SELECT added.id, ratings.rating, ratings.note, ratings.rated_at, ratings.kept_at
        FROM added JOIN old USING (grade_id)
        JOIN explanation_ratings AS ratings ON ratings.explanation_id = old.explanation_id
        """,
        (regrade_id, list(grade_ids)),
    )


def _lock_attempts(connection: Connection, regrade_id: int) -> None:
    """Hold off whoever gives one of these answers a grade at this moment; what they gave is seen afterwards."""
    connection.execute(
        """
        SELECT 1 FROM attempts WHERE id IN (
            SELECT submissions.attempt_id FROM regrade_items
            JOIN submissions ON submissions.id = regrade_items.submission_id WHERE regrade_items.regrade_id = %s
        )
        ORDER BY id FOR NO KEY UPDATE
        """,
        (regrade_id,),
    )


def _attempts_of(connection: Connection, grade_ids: Sequence[int]) -> list[int]:
    """By student, as wherever several scores are queued: so two who do that at once never wait for each other."""
    rows = connection.execute(
        "SELECT DISTINCT user_id, attempt_id FROM grades JOIN submissions ON submissions.id = grades.submission_id"
        " JOIN attempts ON attempts.id = submissions.attempt_id WHERE grades.id = ANY(%s) ORDER BY user_id, attempt_id",
        (list(grade_ids),),
    ).fetchall()
    return [attempt_id for _, attempt_id in rows]


def _queue(connection: Connection, attempt_ids: Sequence[int], wait_seconds: int) -> None:
    """A score waits for its explanation only where the language model is asked for one."""
    explained = set(list_attempts_fully_explained(connection, attempt_ids))
    for attempt_id in attempt_ids:
        queue_delivery(connection, attempt_id, wait_seconds=0 if attempt_id in explained else wait_seconds)


def _finish(connection: Connection, regrade: Regrade, status: str, user_id: int, **counts: int) -> None:
    connection.execute(
        "UPDATE regrades SET status = %s, finished_at = clock_timestamp() WHERE id = %s", (status, regrade.id)
    )
    _record(connection, regrade, f"REGRADE_{status}", user_id, **counts)


def _record(connection: Connection, regrade: Regrade, event: str, user_id: int, **counts: int) -> None:
    record_event(
        connection,
        event,
        registration_id=regrade.registration_id,
        user_id=user_id,
        facts={"regrade_id": regrade.id, "reason": regrade.reason} | counts,
    )
