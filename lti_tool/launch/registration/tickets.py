"""The ticket that the registration page's form carries: which platform, with which token, by which invitation.

There is no session in the platform's frame. What the form may do is in the ticket, encrypted and dated by us, so
nothing in it can be changed or made up, and the platform's token is not in the page.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from cryptography.fernet import InvalidToken

from lti_tool.launch.registration.errors import FormOutdated
from lti_tool.secrets import cipher

TICKET_SECONDS = 3600
_PURPOSE = "registration ticket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A platform at our door: where its configuration is, and the token that it gave along."""

    invitation_id: int
    configuration_url: str = field(repr=False)
    registration_token: str = field(repr=False)


def sealed(ticket: Ticket, secret: str) -> str:
    """The ticket as text for a hidden field."""
    return cipher(secret, _PURPOSE).encrypt(json.dumps(asdict(ticket)).encode()).decode()


def opened(text: str, secret: str, *, invitation_id: int) -> Ticket:
    """The ticket of this invitation. Raises :class:`FormOutdated` for any other, a changed or an old one."""
    try:
        content = cipher(secret, _PURPOSE).decrypt(text.encode("utf-8", "replace"), ttl=TICKET_SECONDS)
    except InvalidToken as error:
        raise FormOutdated("the form's ticket is missing, not ours, or older than an hour") from error
    ticket = Ticket(**json.loads(content))
    if ticket.invitation_id != invitation_id:
        raise FormOutdated("the form's ticket is of another invitation")
    return ticket
