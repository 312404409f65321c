"""Why a page of the administration is refused. The first sentence says what happened, the second what to do.

::

    AdminRefused (lti_tool.errors.Refused)
    ├── SignInNeeded      401  no session, or it is over
    ├── LinkOver          410  the sign-in link was used or is too old
    ├── TooManyRequests   429
    ├── FormNotOfSession  403  a form without the session's token, or from another site
    └── PlatformUnknown   404
"""

from __future__ import annotations

from lti_tool.errors import Refused


class AdminRefused(Refused):
    """A page of the administration is refused."""

    code = "ADMIN"


class SignInNeeded(AdminRefused):
    """Nobody is signed in."""

    status = 401
    code = "ADMIN-SIGN-IN"
    student_text = "You are not signed in."
    instructor_text = (
        "Where the tool runs, type `mlquiz admin link` and open the address that it prints."
        " A sign-in lasts twelve hours."
    )


class LinkOver(AdminRefused):
    """The link was used, is older than 15 minutes, or never was one."""

    status = 410
    code = "ADMIN-LINK"
    student_text = "This sign-in link no longer works: it was used, or it is older than 15 minutes."
    instructor_text = "Type `mlquiz admin link` again for a new one."


class TooManyRequests(AdminRefused):
    """One address asks too often."""

    status = 429
    code = "ADMIN-RATE"
    student_text = "That was too often within one minute."
    instructor_text = "Wait a minute, then go on."
    retry_after_seconds = 60


class FormNotOfSession(AdminRefused):
    """A form without the session's token, or sent from another site."""

    status = 403
    code = "ADMIN-FORM"
    student_text = "This form is not of your sign-in, so nothing was changed."
    instructor_text = "Open the page again and repeat the step."


class PlatformUnknown(AdminRefused):
    """There is no registration with this number."""

    status = 404
    code = "ADMIN-PLATFORM"
    student_text = "There is no such platform."
    instructor_text = "It may have been removed meanwhile: see the list of platforms."
