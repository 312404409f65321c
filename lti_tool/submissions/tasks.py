"""Grading in workers: received answers become grades with the template's explanation."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import structlog

from grading.explanation.feedback_making import feedback_from
from grading.explanation.template import template_text
from lti_tool.gradebook.store import finish_attempt, record_model_grade
from lti_tool.questions.store import get_grading_question
from lti_tool.submissions import store
from lti_tool.worker import EXPLAIN, GRADE, Workbench, celery, wake, workbench

_log = structlog.get_logger(__name__)
# An answer that takes longer is stuck: the worker's child is replaced, and the try counts.
GRADE_SECONDS = 180
_POINTS_STEP = Decimal("0.0001")


@celery.task(name=GRADE, time_limit=GRADE_SECONDS)
def grade_submission(registration_id: int, submission_id: int) -> None:
    """Grade one received answer; without effect when that is done or another worker is at it."""
    if grade(workbench(), registration_id, submission_id):
        wake(EXPLAIN, registration_id)


def grade(bench: Workbench, registration_id: int, submission_id: int) -> bool:
    """Grade, explain by template, finish the attempt: one transaction. Whether it was graded here."""
    with bench.database.transaction(registration_id) as connection:
        if not store.begin_grading(connection, submission_id):
            return False
    with bench.database.transaction(registration_id) as connection:
        work = store.lock_for_grading(connection, submission_id)
        if work is None:
            return False
        question = get_grading_question(connection, work.question_id)
        assessment = bench.grader.assess(question, [work.answer])[0]
        explanation = template_text(
            feedback_from(question, work.answer, assessment), contact=bench.settings.support_contact
        )
        points = points_from(assessment.fraction, work.max_points)
        names = {point.position: point.name for point in question.key_points}
        record_model_grade(connection, submission_id, assessment, points=points, explanation=explanation, names=names)
        store.mark_graded(connection, submission_id)
        finish_attempt(connection, work.attempt_id, explanation_wait_seconds=bench.settings.explanation_wait_seconds)
    _log.info("graded", submission_id=submission_id, fraction=round(assessment.fraction, 3))
    return True


def points_from(fraction: float, max_points: Decimal) -> Decimal:
    """Points for a fraction 0..1, to four decimals, never more than ``max_points``."""
    points = (Decimal(repr(fraction)) * max_points).quantize(_POINTS_STEP, rounding=ROUND_HALF_UP)
    return min(max(points, Decimal(0)), max_points)
