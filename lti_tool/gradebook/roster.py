"""Who is in a course, as the platform says: Names and Role Provisioning Services 2.0.

Platforms differ: Moodle writes bare role names and pages only when asked to, Canvas repeats people across pages.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from lti_tool.gradebook.services import PAGE_LENGTH, ServiceClient, parsed, with_query
from lti_tool.launch.launches import one_line
from lti_tool.launch.roles import Role, is_test_user, role_from_claim

MEMBERSHIPS_SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
_MEDIA_TYPE = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody who is in the course at present; ``name`` is ``None`` where the platform keeps it back."""

    user_sub: str
    name: str | None
    role: Role
    is_test_user: bool


class _Member(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, coerce_numbers_to_str=True)

    user_id: str
    # Absent means active (section 2.3).
    status: str | None = None
    roles: list[str] = []
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None

    @property
    def is_active(self) -> bool:
        return (self.status or "Active").lower() == "active" and _is_storable(self.user_id)

    @property
    def full_name(self) -> str | None:
        return one_line(self.name or " ".join(part for part in (self.given_name, self.family_name) if part)) or None


class _Container(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    members: list[_Member] = Field(max_length=10_000)


_CONTAINER = TypeAdapter(_Container)


class RosterClient(ServiceClient):
    """The class lists of one registration's platform."""

    def list_members(self, memberships_url: str, *, resource_link_id: str | None = None) -> list[Member]:
        """The active members of a course, each once; ``resource_link_id``: those who can open that placement.

        At most 20 pages are read. Raises :class:`ServiceError`.
        """
        url = with_query(memberships_url, rlid=resource_link_id, limit=PAGE_LENGTH)
        found: dict[str, list[_Member]] = {}
        for page in self._pages(url, (MEMBERSHIPS_SCOPE,), _MEDIA_TYPE):
            for entry in parsed(_CONTAINER, page).members:
                if entry.is_active:
                    found.setdefault(entry.user_id, []).append(entry)
        return [_member(entries) for entries in found.values()]


def _member(entries: list[_Member]) -> Member:
    """One person out of all entries about them: whoever teaches in one of them teaches."""
    roles = [role for entry in entries for role in entry.roles]
    return Member(
        user_sub=entries[0].user_id,
        name=next((entry.full_name for entry in entries if entry.full_name), None),
        role=role_from_claim(roles),
        is_test_user=is_test_user(roles),
    )


def _is_storable(user_id: str) -> bool:
    return 1 <= len(user_id) <= 255 and not any(unicodedata.category(each) in {"Cc", "Cs"} for each in user_id)
