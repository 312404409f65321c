"""Grading again in workers: new scores beside the grades, sixteen answers at a time."""

from __future__ import annotations

from itertools import groupby

import structlog

from grading.explanation.feedback_making import feedback_from
from grading.explanation.template import template_text
from lti_tool.gradebook import regrade_items
from lti_tool.questions.store import get_grading_question
from lti_tool.submissions.tasks import points_from
from lti_tool.worker import REGRADE, Workbench, celery, wake, workbench

_log = structlog.get_logger(__name__)
# For a batch: a child that takes longer is replaced, and the tries count.
REGRADE_SECONDS = 600


@celery.task(name=REGRADE, time_limit=REGRADE_SECONDS)
def compute_regrade(registration_id: int, regrade_id: int) -> None:
    """Compute one batch; answers that students hand in meanwhile have their turn before the next one."""
    if compute(workbench(), registration_id, regrade_id):
        wake(REGRADE, registration_id, regrade_id)


def compute(bench: Workbench, registration_id: int, regrade_id: int) -> bool:
    """Score one batch of answers against the key as it is now; whether more can be begun.

    Three transactions: the first counts the tries, the second computes, the third finishes what has nothing left.
    """
    with bench.database.transaction(registration_id) as connection:
        begun = regrade_items.begin_items(connection, regrade_id)
    with bench.database.transaction(registration_id) as connection:
        work = regrade_items.lock_items(connection, regrade_id, begun) if begun else []
        for question_id, items in groupby(work, lambda item: item.question_id):
            question = get_grading_question(connection, question_id)
            answers = list(items)
            assessments = bench.grader.assess(question, [item.answer for item in answers])
            for item, assessment in zip(answers, assessments, strict=True):
                regrade_items.record_new_score(
                    connection,
                    regrade_id,
                    item.submission_id,
                    question,
                    assessment,
                    points=points_from(assessment.fraction, item.max_points),
                    explanation=template_text(
                        feedback_from(question, item.answer, assessment), contact=bench.settings.support_contact
                    ),
                )
    with bench.database.transaction(registration_id) as connection:
        unfinished = regrade_items.finish_computing(connection, regrade_id)
    _log.info("graded again", regrade_id=regrade_id, count=len(work), unfinished=unfinished)
    # Nothing begun: other workers have what is left, and the sweep looks after them.
    return unfinished and bool(begun)
