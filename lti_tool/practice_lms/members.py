"""Names and Role Provisioning Services 2.0: who is in the course."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from lti1p3platform.membership import Context
from lti1p3platform.response import Response as ServiceResponse
from lti1p3platform.service_connector import NamesRoleProvisioningService, TPage

from lti_tool.practice_lms.activities import list_activities
from lti_tool.practice_lms.courses import find_course
from lti_tool.practice_lms.lms import FlaskRequest, ToolPlatform, address, current_lms
from lti_tool.practice_lms.messages import role_name
from lti_tool.practice_lms.people import PEOPLE, Course, Person
from lti_tool.practice_lms.services import answer, calling_platform, page_of, page_query

# Moodle's address has these capitals too: a tool must not lower the case of what it finds in a Link header.
blueprint = Blueprint("members", __name__, url_prefix="/services/CourseSection/<course_id>")


class MemberService(NamesRoleProvisioningService):
    """The library's service on the class list, which is the same in all courses."""

    def __init__(self, platform: ToolPlatform, course: Course, query: dict[str, str | int]) -> None:
        lti_request = FlaskRequest(request)
        lti_request.request["get_data"] = query
        super().__init__(lti_request, platform, address("members.list_members", course_id=course.id))
        self.tool = platform.tool
        self._course = course

    def get_member_data_page(
        self,
        page: int = 1,
        limit: int | None = None,
        role: str | None = None,
        since: str | None = None,
        rlid: str | None = None,
    ) -> TPage:
        """Members, in the order of the class list, of one role if ``role`` is given (bare or full name)."""
        del since, rlid
        people = [person for person in PEOPLE if role in (None, person.role, role_name(person))]
        members, has_next = page_of(people, page, limit)
        return TPage(content=[self._member(person) for person in members], has_next=has_next)

    def get_context_by_id(self) -> Context:
        """The course."""
        return Context(id=self._course.id, label=self._course.label, title=self._course.title)

    def is_resource_link_valid(self, context_id: str, resource_link_id: str) -> bool:
        """Whether the link is in the course and this tool's (NRPS 2.0 section 2.4.2)."""
        del context_id
        with current_lms().database.transaction() as connection:
            return any(
                activity.resource_link_id == resource_link_id and activity.tool_number == self.tool.number
                for activity in list_activities(connection, self._course.id)
            )

    def _member(self, person: Person) -> dict[str, Any]:
        # Moodle's memberships service writes bare role names here, full ones in launches.
        member: dict[str, Any] = {"status": "Active", "user_id": person.id, "roles": [role_name(person)]}
        if self.tool.share_names:
            member |= {"name": person.name, "given_name": person.given_name, "family_name": person.family_name}
        if self.tool.share_emails:
            member["email"] = person.email
        return member


@blueprint.get("/memberships")
def list_members(course_id: str) -> Response:
    """The people of the course (``limit``, ``page``, ``role``, ``rlid``), more by ``Link: …; rel="next"``."""
    return answer(lambda: _members(course_id))


def _members(course_id: str) -> ServiceResponse:
    platform = calling_platform(course_id)
    with current_lms().database.transaction() as connection:
        course = find_course(connection, course_id)
    assert course is not None  # calling_platform has looked
    service = MemberService(platform, course, page_query("limit", "page", "role", "rlid"))
    return service.handle_get_members()  # pyright: ignore[reportCallIssue]
