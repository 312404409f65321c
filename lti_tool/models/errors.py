"""Why a model version is not taken, not put in charge or not served. Every message says what to do.

::

    ModelVersionError (lti_tool.errors.ToolError)
    ├── RunRefused             a run's folder cannot become a version: the message names the file
    ├── VersionUnknown         no version begins with this digest, or several do
    ├── VersionBroken          a version's folder is missing on this machine, or is not as it was added
    ├── VersionUnusable        it is as it was added, but cannot be loaded, or scores nothing
    ├── VersionsFolderUnusable the folder of versions cannot be written
    ├── AlreadyCurrent         it serves already
    ├── NotProven              it may be worse than the version that serves: the message has the reasons
    ├── ReasonMissing          forcing needs a reason of ten characters or more
    ├── CurrentChanged         another version serves than the one that was compared with: somebody was quicker
    ├── NothingToRollBack      the bundled default serves, or what serves everybody serves the course
    ├── CourseUnknown          no course has this number
    └── NotForOneCourse        a grader serves all courses
"""

from __future__ import annotations

from lti_tool.errors import ToolError


class ModelVersionError(ToolError):
    """Something about a model version is refused; the message says what to do."""


class RunRefused(ModelVersionError):
    """The run's folder cannot become a version."""


class VersionUnknown(ModelVersionError):
    """There is no version with this digest, or more than one begins with it."""


class VersionBroken(ModelVersionError):
    """The version's folder is missing on this machine, or is not as it was added."""


class VersionUnusable(ModelVersionError):
    """The version cannot be loaded on this machine, or fails at its first answer."""


class VersionsFolderUnusable(ModelVersionError):
    """The folder of versions cannot be written: no space, no permission."""


class AlreadyCurrent(ModelVersionError):
    """The version serves already."""


class NotProven(ModelVersionError):
    """Nothing shows that the version is not worse than the one that serves; ``reasons`` are sentences."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        told = "; ".join(reason.rstrip(".") for reason in reasons)
        super().__init__(f'Not promoted: {told}. Train it again, or promote it all the same with --force --reason "…".')
        self.reasons = reasons


class ReasonMissing(ModelVersionError):
    """A forced promotion needs a reason for the record."""


class CurrentChanged(ModelVersionError):
    """Somebody promoted or rolled back meanwhile."""


class NothingToRollBack(ModelVersionError):
    """The bundled default serves, or a course has no explainer of its own: there is nothing before it."""


class CourseUnknown(ModelVersionError):
    """No course has this number."""


class NotForOneCourse(ModelVersionError):
    """Scores must be comparable between courses: a grader serves all of them."""
