"""Explaining and delivering in workers, and the sweep that finds what a crash left behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import psycopg
import structlog
from psycopg import Connection

from grading.domain import Assessment, Flag, KeyPointVerdict, Verdict
from lti_tool.gradebook import outbox, store
from lti_tool.gradebook.ags import SCORE_SCOPE
from lti_tool.gradebook.column_store import list_untended_placements
from lti_tool.gradebook.regrade_items import list_stalled
from lti_tool.questions.store import get_grading_question
from lti_tool.questions.trials import delete_forgotten_trials, list_waiting_trials
from lti_tool.submissions.closing import hand_in_ended, list_overdue_attempts
from lti_tool.submissions.store import list_waiting
from lti_tool.worker import (
    DELIVER,
    EXPLAIN,
    GRADE,
    REGRADE,
    SWEEP,
    TEND_COLUMN,
    TRY_ANSWER,
    Workbench,
    backlog,
    celery,
    wake,
    wake_each,
    workbench,
)

if TYPE_CHECKING:
    from grading.explanation.explainer import Explanation, Item

_FULL_QUEUE = 200

_log = structlog.get_logger(__name__)


@celery.task(name=EXPLAIN)
def explain_pending(registration_id: int) -> None:
    """Let the language model reword what waits, a batch a time; then the scores may go."""
    delivery_ids, more = explain(workbench(), registration_id)
    for delivery_id in delivery_ids:
        wake(DELIVER, registration_id, delivery_id)
    if more:
        wake(EXPLAIN, registration_id)


@celery.task(name=DELIVER)
def deliver_score(registration_id: int, delivery_id: int) -> None:
    """Send a score and what else of the registration is due; without effect on what others are at."""
    left = workbench().delivery.deliver_due(registration_id, delivery_id)
    if left is not None:
        wake(DELIVER, registration_id, left)


@celery.task(name=TEND_COLUMN)
def tend_column(registration_id: int, resource_link_id: int) -> None:
    """Find the gradebook column of a placement, or bring the one that we made up to date; then scores may go."""
    workbench().delivery.columns.tend(registration_id, resource_link_id)


@celery.task(name=SWEEP)
def sweep() -> None:
    """Wake workers for all that waits in the database, whatever became of the first wake."""
    bench = workbench()
    wait_seconds = bench.settings.explanation_wait_seconds
    with bench.database.across_tenants() as connection:
        ended = list_overdue_attempts(connection)
    _for_each(bench, ended, lambda each, id_: hand_in_ended(each, id_, explanation_wait_seconds=wait_seconds))
    with bench.database.across_tenants() as connection:
        without_delivery = outbox.list_attempts_without_delivery(connection)
    _for_each(bench, without_delivery, lambda each, id_: outbox.queue_delivery(each, id_, wait_seconds=0))
    with bench.database.across_tenants() as connection:
        waiting = list_waiting(connection)
        to_explain = store.list_tenants_with_rewordings(connection)
        due = outbox.list_due_deliveries(connection)
        untended = list_untended_placements(connection, may_score=SCORE_SCOPE)
        stalled = list_stalled(connection)
        delete_forgotten_trials(connection)
        tried = list_waiting_trials(connection)
    # What is woken already need not be woken again: the queue would grow faster than it is worked off.
    if backlog("grade") < _FULL_QUEUE:
        wake_each(GRADE, waiting)
        wake_each(TRY_ANSWER, tried)
    wake_each(REGRADE, stalled)
    for registration_id in to_explain:
        wake(EXPLAIN, registration_id)
    if backlog("deliver") < _FULL_QUEUE:
        wake_each(DELIVER, due)
    wake_each(TEND_COLUMN, untended)


def _for_each(bench: Workbench, attempts: Sequence[tuple[int, int]], work: Callable[[Connection, int], object]) -> None:
    """Do this for each (registration, attempt), in a transaction of its own: one that fails keeps no other waiting."""
    for registration_id, attempt_id in attempts:
        try:
            with bench.database.transaction(registration_id) as connection:
                work(connection, attempt_id)
        except psycopg.Error:
            _log.exception("the sweep leaves an attempt out", registration_id=registration_id, attempt_id=attempt_id)


def explain(bench: Workbench, registration_id: int) -> tuple[list[int], bool]:
    """Reword one batch in one transaction; ids of the deliveries that may go now, and whether more waits."""
    with bench.database.transaction(registration_id) as connection:
        begun = store.begin_rewordings(connection)
    if not begun:
        return [], False
    with bench.database.transaction(registration_id) as connection:
        # Before the locks: whoever changes an answer key gives up what is not locked (give_up_rewordings), so what is
        # locked afterwards was read with the key that it was scored with.
        questions = {
            each: get_grading_question(connection, each) for each in store.list_questions_of(connection, begun)
        }
        work = store.lock_rewordings(connection, begun)
        assessed: list[Item] = [
            (questions[item.question_id], item.answer, _assessment(connection, item)) for item in work
        ]
        explanations = _explained(bench, [item.explainer for item in work], assessed)
        for item, explanation in zip(work, explanations, strict=True):
            is_served = explanation.source == "LLM"
            store.record_rewording(
                connection,
                item.grade_id,
                outcome="SERVED" if is_served else "REFUSED" if explanation.refused else "NOT_WANTED",
                text=explanation.text if is_served else None,
                reasons=explanation.refused,
                versions=explanation.versions,
            )
        attempts = store.list_attempts_fully_explained(connection, [item.attempt_id for item in work])
        delivery_ids = outbox.release_deliveries(connection, attempts)
        more = bool(store.list_tenants_with_rewordings(connection))
    _log.info("explained", count=len(work), served=sum(item.source == "LLM" for item in explanations))
    return delivery_ids, more


def _explained(bench: Workbench, versions: Sequence[str | None], items: Sequence[Item]) -> list[Explanation]:
    """Each item by the explainer of its course, those of one version in one batch."""
    found: dict[int, Explanation] = {}
    for version in dict.fromkeys(versions):
        rows = [row for row, each in enumerate(versions) if each == version]
        explanations = _by_version(bench, version, [items[row] for row in rows])
        found.update(zip(rows, explanations, strict=True))
    return [found[row] for row in range(len(items))]


def _by_version(bench: Workbench, version: str | None, items: Sequence[Item]) -> list[Explanation]:
    """What a course's explainer writes, or the general one where that fails: other courses are in the same batch."""
    if version is not None:
        try:
            return bench.explainer_for(version).explain(items)
        except psycopg.Error:
            raise
        except Exception:
            _log.exception("a course's explainer failed, the general one writes", digest=version)
    return bench.explainer_for(None).explain(items)


def _assessment(connection: Connection, item: store.RewordingWork) -> Assessment:
    """The assessment as it was recorded: the language model must not see another one than the student."""
    return Assessment(
        fraction=item.fraction,
        low=item.low,
        high=item.high,
        confidence=item.confidence,
        flags=frozenset(Flag(flag) for flag in item.flags),
        verdicts=tuple(
            KeyPointVerdict(
                position=row.position,
                verdict=Verdict(row.verdict),
                similarity=row.similarity,
                evidence=row.evidence,
            )
            for row in store.list_verdicts(connection, item.grade_id)
        ),
    )
