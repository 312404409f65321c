"""Errors of consent, exports and erasure.

::

    Refused
    └── ConsentNotAsked     409 the course does not ask, so there is nothing to say yes to
    NotConfigured
    ├── CourseUnclear       no course, or more than one, goes by what was given
    ├── QuizUnknown         no quiz has this number
    ├── StudentUnknown      no student has this id on the platform
    ├── NothingToExport     nothing is left once consent and release were asked; the message says of what
    └── OwnerNeeded         the record is append-only for this role, so only the owner of the tables can erase
"""

from __future__ import annotations

from lti_tool.errors import NotConfigured, Refused


class ConsentNotAsked(Refused):
    """A student says yes in a course that does not ask."""

    status = 409
    code = "CONSENT-NOT-ASKED"
    student_text = "Your course does not use answers to improve the models any more, so nothing was changed."
    instructor_text = "The course's setting is “No”, so students are not asked."


class CourseUnclear(NotConfigured):
    """No course, or more than one, goes by what was given; the message lists what there is."""


class QuizUnknown(NotConfigured):
    """No quiz has this number."""


class StudentUnknown(NotConfigured):
    """No student has this id on the platform."""


class NothingToExport(NotConfigured):
    """Nothing is left to export; the message says how many answers were left out, and why."""


class OwnerNeeded(NotConfigured):
    """The role may not erase; the message says which may."""
