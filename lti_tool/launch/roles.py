"""What a person may do in a course, decided from the roles that a launch carries.

Only *context* roles count (LTI 1.3 core, appendix A.2.3): a member of staff who studies in a course is a learner
there, whatever the institution says.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

_MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
_TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"
# Administrators of a course run it; a bare "TeachingAssistant" grades. Canvas sends assistants as instructors anyway.
_TEACHING = frozenset({"Instructor", "TeachingAssistant", "Administrator"})
# Canvas and Moodle call a student Learner; Member is the vocabulary's plain participant and earns no grade.
_LEARNING = frozenset({"Learner"})


class Role(StrEnum):
    """What a person is in a course; ``NONE`` sees a page without any privilege."""

    LEARNER = "LEARNER"
    INSTRUCTOR = "INSTRUCTOR"
    NONE = "NONE"


def role_from_claim(roles: Iterable[str]) -> Role:
    """The highest role that the context roles give; ``NONE`` for unknown ones, none, or those of an institution."""
    principals = {_context_role(uri) for uri in roles}
    if principals & _TEACHING:
        return Role.INSTRUCTOR
    if principals & _LEARNING:
        return Role.LEARNER
    return Role.NONE


def is_test_user(roles: Iterable[str]) -> bool:
    """Whether this is the platform's pretend student (Canvas "student view"): graded, never posted."""
    return _TEST_USER in roles


def _context_role(uri: str) -> str:
    """Principal context role of a URI, ``""`` if it is none.

    ``…/membership#Learner`` and the simple name ``Learner`` (A.2.3.1) are principal roles; in a sub-role such as
    ``…/membership/Learner#Instructor`` what stands before the ``#`` decides.
    """
    if uri.startswith(f"{_MEMBERSHIP}#"):
        return uri.removeprefix(f"{_MEMBERSHIP}#")
    if uri.startswith(f"{_MEMBERSHIP}/"):
        return uri.removeprefix(f"{_MEMBERSHIP}/").partition("#")[0]
    return uri if uri.isalpha() else ""
