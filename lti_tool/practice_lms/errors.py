"""Why the practice LMS says no; one class per cause.

PracticeLmsError
├── PageRefused             a person gets an error page
├── AuthenticationRefused   an OpenID error goes back to the tool's redirect address
├── ToolMessageRefused      something the tool signed is not right
├── ToolKeysUnavailable     the tool's public keys cannot be fetched
├── TokenRefused            an OAuth error answers the token request
├── RegistrationRefused     a tool that wants to register is told why it cannot
└── WrongGrade              a score that breaks one of the gradebook's rules
"""

from __future__ import annotations


class PracticeLmsError(Exception):
    """Anything the practice LMS refuses."""


class PageRefused(PracticeLmsError):
    """A page that is not shown; ``status`` is the HTTP status, the message is written for the person."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class AuthenticationRefused(PracticeLmsError):
    """An authentication request with a fault; ``code`` is from OpenID Connect Core 3.1.2.6."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ToolMessageRefused(PracticeLmsError):
    """A JWT of the tool that is not authentic, not for us, too old or already used."""

    def __init__(self, message: str, *, status: int = 401) -> None:
        super().__init__(message)
        self.status = status


class ToolKeysUnavailable(PracticeLmsError):
    """The tool's JWKS address does not answer with a key set."""


class TokenRefused(PracticeLmsError):
    """A token request with a fault; ``code`` is from RFC 6749 section 5.2."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RegistrationRefused(PracticeLmsError):
    """An application of a tool with a fault; the message is the reason as Moodle words it, ``status`` the HTTP one."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class WrongGrade(PracticeLmsError):
    """A score message that is well formed but not acceptable; ``status`` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
