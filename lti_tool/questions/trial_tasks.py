"""Scoring in workers what an instructor tries while writing a question."""

from __future__ import annotations

from lti_tool.questions import trials
from lti_tool.submissions.tasks import GRADE_SECONDS
from lti_tool.worker import TRY_ANSWER, Workbench, celery, workbench


@celery.task(name=TRY_ANSWER, time_limit=GRADE_SECONDS)
def try_answer(registration_id: int, trial_id: int) -> None:
    """Score one trial; without effect when that is done, or nobody wants to know any more."""
    assess_trial(workbench(), registration_id, trial_id)


def assess_trial(bench: Workbench, registration_id: int, trial_id: int) -> bool:
    """Score it with the grader that scores students' answers; whether it was scored here."""
    with bench.database.transaction(registration_id) as connection:
        trial = trials.lock_trial(connection, trial_id)
        if trial is None:
            return False
        assessment = bench.grader.assess(trial.question, [trial.answer])[0]
        trials.record_assessment(connection, trial_id, assessment)
    return True
