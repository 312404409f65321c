"""Why a page of the administration is refused. The first sentence says what happened, the second what to do.

::

    AdminRefused (lti_tool.errors.Refused)
    ├── SignInNeeded      401  no session, or it is over
    ├── LinkOver          410  the sign-in link was used or is too old
    ├── TooManyRequests   429
    ├── FormNotOfSession  403  a form without the session's token, or from another site
    ├── PlatformUnknown   404
    ├── RunMissing        404  no training, export or promotion with this number
    ├── ReportMissing     404  the training left no report
    ├── FolderStays       500  what a training left cannot be removed
    ├── DatasetGone       404  no dataset with this digest on this machine
    ├── VersionMissing    404  no trained model with this digest
    └── ModelChanged      409  another model serves by now
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


class RunMissing(AdminRefused):
    """There is no training, export or promotion with this number."""

    status = 404
    code = "ADMIN-RUN"
    student_text = "There is no such training."
    instructor_text = "See the list of trainings for those that there are."


class ReportMissing(AdminRefused):
    """A training without a report."""

    status = 404
    code = "ADMIN-REPORT"
    student_text = "This training left no report."
    instructor_text = "It has not come that far, or its folder is on another machine."


class FolderStays(AdminRefused):
    """What a training left cannot be removed, or not all of it."""

    status = 500
    code = "ADMIN-FOLDER"
    student_text = "What this training left could not be removed, or not all of it."
    instructor_text = "Look at who owns its folder in DATA_DIR/training, then try again or delete it there."


class DatasetGone(AdminRefused):
    """No dataset with this digest is on the machine that serves the pages."""

    status = 404
    code = "ADMIN-DATASET"
    student_text = "There is no such dataset here."
    instructor_text = "Its folder was taken away, or it is on another machine: see the list of datasets."


class VersionMissing(AdminRefused):
    """There is no trained model with this digest."""

    status = 404
    code = "ADMIN-MODEL"
    student_text = "There is no such model."
    instructor_text = "See the list of models for those that there are."


class ModelChanged(AdminRefused):
    """Another model serves by now, so what was decided about is no longer there."""

    status = 409
    code = "ADMIN-MODEL-CHANGED"
    student_text = "Nothing was changed: another model serves by now."
    instructor_text = "Somebody else was quicker. Look at the models again and decide anew."
