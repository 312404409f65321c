"""Why a platform's service did not do what was asked: the message is for the instructor.

::

    ServiceError (lti_tool.errors)
    ├── ServiceAway          no answer, busy or out of order: later
    │   ├── NoAnswer         none in time, or broken off: what was sent may have arrived, or may yet
    │   └── ClockBehind      the platform's clock is behind ours, so what we sent lies in its future
    ├── StaleTimestamp       the gradebook holds something as new or newer for this user
    ├── PermissionMissing    the platform does not allow this service, or not this call of it
    ├── ServiceMissing       404: the column, list or entry asked for does not exist
    ├── OwnedByPlatform      a column that came with an activity: only the platform removes it
    ├── AttemptsExhausted    the gradebook takes no further submission of this student
    ├── NotAStudent          the person is no enrolled student of the course (any more)
    └── ChangedInLms         somebody changed or locked the grade in the LMS: it stays until a person decides

    Refused (lti_tool.errors)
    ├── RegradeOpen          409 answers of this activity are being graded again already
    ├── RegradeNotOpen       409 it was applied or discarded before, or is not computed yet
    └── NothingToRegrade     409 no answer was scored yet
"""

from __future__ import annotations

from lti_tool.errors import Refused, ServiceError


class ServiceAway(ServiceError):
    """No answer, busy or out of order: worth another try."""

    permanent = False


class NoAnswer(ServiceAway):
    """None in time, or it broke off: what was sent may have arrived, or may yet arrive."""


class ClockBehind(ServiceAway):
    """The platform's clock is behind ours: what was sent lies in its future."""


class StaleTimestamp(ServiceError):
    """The gradebook holds something as new or newer for this user: read the result, then send with a later time."""

    permanent = False


class PermissionMissing(ServiceError):
    """The platform does not allow the tool to use this service, or not in this way."""

    parked_because = "NO_PERMISSION"


class ServiceMissing(ServiceError):
    """404: the column, list or entry asked for does not exist (any more)."""

    parked_because = "NO_COLUMN"


class OwnedByPlatform(ServiceError):
    """The column came with an activity: it lives as long, and only the platform removes it."""


class AttemptsExhausted(ServiceError):
    """The gradebook takes no further submission of this student."""

    parked_because = "NO_ATTEMPTS_LEFT"


class NotAStudent(ServiceError):
    """The person is no enrolled student of the course, or not any more."""

    parked_because = "NOT_A_STUDENT"


class ChangedInLms(ServiceError):
    """Somebody changed or locked the grade in the LMS: it stays as it is until a person decides."""

    parked_because = "CHANGED_IN_LMS"


#: What the tool itself notes where it finds a grade of somebody else.
CHANGED_SINCE = "The grade was changed in the LMS since the tool sent one, so it stays as it is there."
GIVEN_BEFORE = "The LMS already has a grade that did not come from this tool, so it stays as it is there."


def words_of_the_lms(noted: str | None) -> str | None:
    """What was noted about a score that did not arrive, unless those are the tool's words: pages have better ones."""
    return None if noted in (CHANGED_SINCE, GIVEN_BEFORE) else noted


class RegradeOpen(Refused):
    """Answers of this placement are being graded again already: one preview at a time."""

    status = 409
    code = "REGRADE-OPEN"
    instructor_text = (
        "Answers of this activity are being graded again already, by you or by a colleague."
        " Apply or discard that first; the results page leads to it."
    )


class RegradeNotOpen(Refused):
    """There is nothing to apply or discard: that was done, or the scores are not computed yet."""

    status = 409
    code = "REGRADE-NOT-OPEN"
    instructor_text = (
        "This was applied or discarded before, or its scores are not computed yet. Open it again from the results page."
    )


class NothingToRegrade(Refused):
    """No answer of a student was scored yet."""

    status = 409
    code = "NOTHING-TO-REGRADE"
    instructor_text = "No answer of a student was scored yet, so there is nothing to grade again."
