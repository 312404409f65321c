"""Why a platform is not registered: one class a cause, each with its status, code and two sentences.

::

    RegistrationRefused (lti_tool.errors.Refused)
    ├── TooManyTries           429  from one address within a minute
    ├── RegistrationMalformed  400  no configuration address, or a parameter that cannot be read
    ├── InvitationUnknown      404
    ├── InvitationOver         400  used, or older than seven days
    ├── FormOutdated           400  the page's form is not ours, or older than an hour
    ├── AddressRefused         400  not https, or inside a private network
    ├── PlatformSilent         503  the platform does not answer
    ├── ConfigurationUnusable  400  no JSON, too large, a field missing or wrong
    ├── IssuerElsewhere        400  the issuer is not of the host that the configuration came from
    ├── EndpointElsewhere      400  an address of the platform is on another host
    ├── ApplicationDeclined    400  the platform does not take the application
    │   └── TokenUsed          400  its registration token was used before, or is too old
    ├── AnswerUnusable         400  the platform's answer names no client
    └── ClientKnown            400  the client was registered here before

Both sentences are for administrators: ``student_text`` for the one in front of the platform, ``instructor_text`` for
whoever runs this tool. Nothing but an audit row is stored, and the invitation stays good.
"""

from __future__ import annotations

from lti_tool.errors import Refused

_START_AGAIN = "Start again in your learning platform: paste the address there once more."
_NEW_ADDRESS = "Ask whoever runs this tool for a new address."


class RegistrationRefused(Refused):
    """A platform is not registered; nothing but an audit row is stored."""

    code = "LTI-REG"
    student_text = f"This platform could not be registered. {_START_AGAIN}"
    instructor_text = "The registration failed."
    # Seconds until another try makes sense.
    retry_after_seconds: float | None = None


class TooManyTries(RegistrationRefused):
    """One address asks too often: somebody may be guessing."""

    status = 429
    code = "LTI-REG-RATE"
    student_text = "Too many tries within a minute. Please wait a minute, then try again."
    instructor_text = "Too many requests for registration from one address within a minute."
    retry_after_seconds = 60


class RegistrationMalformed(RegistrationRefused):
    """The request names no configuration address, or holds what cannot be read."""

    code = "LTI-REG-REQUEST"
    student_text = (
        "This address is not for opening by hand: paste it into your learning platform, where tools are added by"
        " registration address. The platform then opens this page itself."
    )
    instructor_text = "The request lacks `openid_configuration`, or a parameter is repeated, too long or unreadable."


class InvitationUnknown(RegistrationRefused):
    """No invitation has this secret; also what a revoked one gets."""

    status = 404
    code = "LTI-REG-INVITATION"
    student_text = f"Nobody knows this address: is it complete? {_NEW_ADDRESS}"
    instructor_text = "No invitation has this address, or it was revoked. `mlquiz platform invite` makes a new one."


class InvitationOver(RegistrationRefused):
    """The invitation was used, or is older than seven days."""

    code = "LTI-REG-OVER"
    student_text = f"This address was used before, or is older than seven days. {_NEW_ADDRESS}"
    instructor_text = (
        "An invitation registers one platform, within seven days. `mlquiz platform invite` makes a new one."
    )


class FormOutdated(RegistrationRefused):
    """The form was not made by us for this invitation, or more than an hour ago."""

    code = "LTI-REG-FORM"
    student_text = f"This page was open for too long. {_START_AGAIN}"
    instructor_text = "The form is not of this invitation, or older than an hour."


class AddressRefused(RegistrationRefused):
    """An address is not https, or leads into a private network."""

    code = "LTI-REG-ADDRESS"
    student_text = "Your learning platform must be reachable over https at a public address."
    instructor_text = (
        "This tool does not talk to this address: not https, or inside a private network. On your own network"
        " ALLOW_PRIVATE_PLATFORMS=true allows it, outside of production."
    )


class PlatformSilent(RegistrationRefused):
    """The platform does not answer."""

    status = 503
    code = "LTI-REG-SILENT"
    student_text = "Your learning platform does not answer this tool. Please try again in a minute."
    instructor_text = "No answer from the platform: a firewall may keep this tool out."
    retry_after_seconds = 60


class ConfigurationUnusable(RegistrationRefused):
    """What the platform says of itself is no JSON, too large, or lacks something."""

    code = "LTI-REG-CONFIGURATION"
    student_text = "Your learning platform described itself in a way that this tool cannot use."
    instructor_text = (
        "The platform's configuration is unusable (the log names the place). `mlquiz platform add` adds a platform"
        " by hand."
    )


class IssuerElsewhere(RegistrationRefused):
    """The issuer is not of the host that the configuration came from: somebody speaks for another platform."""

    code = "LTI-REG-ISSUER"
    student_text = "Your learning platform gave a name that belongs to another address."
    instructor_text = (
        "The issuer must be of the host that its configuration comes from (LTI dynamic registration 1.0 section"
        " 3.5.1). For Canvas under an address of its own, write that address into the invitation's name."
    )


class EndpointElsewhere(RegistrationRefused):
    """Login, token, key set or registration address is on another host than the issuer."""

    code = "LTI-REG-ENDPOINT"
    student_text = "Your learning platform named addresses that belong to somebody else."
    instructor_text = (
        "All addresses of a platform must be on its own host. If they rightly are elsewhere, add the platform by hand:"
        " `mlquiz platform add`."
    )


class ApplicationDeclined(RegistrationRefused):
    """The platform does not take the application."""

    code = "LTI-REG-DECLINED"
    student_text = f"Your learning platform did not accept the registration. {_START_AGAIN}"
    instructor_text = "The platform refused the application (the log has its status)."


class TokenUsed(ApplicationDeclined):
    """The platform's registration token was used before, or is too old."""

    code = "LTI-REG-TOKEN"
    student_text = f"Your learning platform allows each try once, for an hour, and this one is over. {_START_AGAIN}"
    instructor_text = "The platform refused its registration token: used before, or too old. A new try gets a new one."


class AnswerUnusable(RegistrationRefused):
    """The platform took the application, yet its answer names no client."""

    code = "LTI-REG-ANSWER"
    student_text = "Your learning platform registered this tool but did not say under which name. Delete the new entry"
    student_text += " there, and ask whoever runs this tool to add the platform by hand."
    instructor_text = "The platform's answer has no usable client_id. `mlquiz platform add` adds a platform by hand."


class ClientKnown(RegistrationRefused):
    """The platform answered with a client that is registered here already."""

    code = "LTI-REG-KNOWN"
    student_text = "Your learning platform answered with the name of an older registration, which stays as it is."
    instructor_text = "The client id is registered here already, for this platform or another; nothing was changed."
