"""All errors of the tool.

::

    ToolError
    ├── NotConfigured            a part is missing or wrong: the message says what to do
    │   ├── DatabaseUnavailable
    │   ├── SchemaOutdated
    │   ├── RoleTooStrong        row-level security does not bind the tool's role
    │   └── EmbeddedServerFailed
    ├── Refused                  shown to a person: code, HTTP status, a sentence for student and instructor
    │   ├── LaunchRefused        (launch/errors.py has one class a cause)
    │   ├── SessionMissing       401 the launch is over or was another browser's
    │   ├── NotAllowed           403
    │   ├── NotFound             404
    │   ├── AlreadyDone          409 e.g. the attempt was handed in before
    │   └── Unusable             422 what was sent cannot be used: the message names the field
    └── ServiceError             a platform's service did not do what was asked; ``permanent`` tells giving up from
                                 trying again (gradebook/errors.py has its causes)
"""

from __future__ import annotations


class ToolError(Exception):
    """Base of all errors of the tool."""


class NotConfigured(ToolError):
    """A part is missing or wrong; the message says which and what to do."""


class DatabaseUnavailable(NotConfigured):
    """PostgreSQL does not answer."""


class SchemaOutdated(NotConfigured):
    """The database lacks migrations of this version."""


class RoleTooStrong(NotConfigured):
    """Row-level security does not bind the role that the tool works as; the message says how to make one."""


class EmbeddedServerFailed(NotConfigured):
    """The embedded PostgreSQL or Valkey did not start; the message holds the end of its log."""


class Refused(ToolError):
    """A request is refused: a page with a sentence for the student, one for the instructor, and a code.

    ``log_detail`` goes to the log and the audit table only, never to the page.
    """

    status = 400
    code = "REFUSED"
    student_text = "Something about this request was not right. Please open the quiz again from your course."
    instructor_text = "The request was refused."

    def __init__(self, log_detail: str = "", *, student_text: str = "", instructor_text: str = "") -> None:
        super().__init__(log_detail or self.code)
        self.log_detail = log_detail
        if student_text:
            self.student_text = student_text
        if instructor_text:
            self.instructor_text = instructor_text


class SessionMissing(Refused):
    """The launch is over, or this browser never made it."""

    status = 401
    code = "SESSION"
    student_text = "This page is no longer open. Please open the quiz again from your course; saved answers are kept."
    instructor_text = "A launch lasts twelve hours and belongs to one browser. Open the activity again from the course."


class NotAllowed(Refused):
    """Known, but not allowed to do this."""

    status = 403
    code = "ROLE"
    student_text = "This page is for instructors."
    instructor_text = "Your role in this course does not allow this."


class NotFound(Refused):
    """There is no such thing for this person; the same for what exists elsewhere."""

    status = 404
    code = "NOT-FOUND"
    student_text = "There is nothing here. Please open the quiz again from your course."
    instructor_text = "It may have been removed, or it belongs to another course."


class AlreadyDone(Refused):
    """It was done before, and once is right."""

    status = 409
    code = "ALREADY-DONE"
    student_text = "This attempt was already handed in. Your answers are safe."
    instructor_text = "The attempt was already handed in."


class Unusable(Refused):
    """What was sent cannot be used; the message names the place."""

    status = 422
    code = "INPUT"


class ServiceError(ToolError):
    """A platform's service did not do what was asked. ``permanent``: trying again will not help, a person must mend it.

    ``retry_after_seconds``: when the platform wants to be asked again, ``None`` where it does not say.
    ``parked_because``: what a score that cannot arrive is parked under (column of ``deliveries``).
    """

    permanent = True
    parked_because = "REFUSED"

    def __init__(
        self, message: str, *, permanent: bool | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        if permanent is not None:
            self.permanent = permanent
        self.retry_after_seconds = retry_after_seconds
