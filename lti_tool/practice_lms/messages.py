"""The messages that the practice LMS sends through the browser: login initiation, launch, deep linking request.

The library builds and signs them; what it has no words for (locale, platform, ``data``) is added here.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import redirect, render_template
from lti1p3platform.message_launch import LTIAdvantageMessageLaunchAbstract
from lti1p3platform.oidc_login import OIDCLoginAbstract
from werkzeug.wrappers import Response

from lti_tool.practice_lms.activities import Activity
from lti_tool.practice_lms.courses import find_course
from lti_tool.practice_lms.intents import Intent
from lti_tool.practice_lms.lms import PracticeLms, ToolPlatform, address, current_lti_request
from lti_tool.practice_lms.people import COURSE, INSTRUCTOR, Person
from lti_tool.practice_lms.tools import ALL_SCOPES, Tool

ID_TOKEN_SECONDS = 60
AGS_CLAIM = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
NRPS_SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
_CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
_DEEP_LINKING_SETTINGS = "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"


class PracticeLogin(OIDCLoginAbstract):
    """Step one: sends the browser to the tool's login address (LTI Core 1.3, Security Framework 5.1.1.1).

    ``storage_target`` names the frame that keeps data for the tool (LTI OIDC Login with Client Side postMessages).
    """

    storage_target: str | None = None

    def set_lti_message_hint(self, **kwargs: Any) -> None:
        """Takes ``hint``."""
        self._lti_message_hint = kwargs["hint"]

    def prepare_preflight_url(self, user_id: str) -> str:
        """The library's address, with ``&`` where the tool's login address has a query of its own."""
        url = super().prepare_preflight_url(user_id)
        login_url = self._registration.get_oidc_login_url() or ""
        url = login_url + "&" + url.removeprefix(login_url + "?") if "?" in login_url else url
        return url if self.storage_target is None else f"{url}&{urlencode({'lti_storage_target': self.storage_target})}"

    def get_redirect(self, url: str) -> Response:
        """A GET redirect."""
        return redirect(url)


class PracticeLaunch(LTIAdvantageMessageLaunchAbstract):
    """Step three: the signed message in a form that posts itself to the redirect address."""

    def get_preflight_response(self) -> dict[str, Any]:
        """The authentication request, by GET or POST."""
        request = current_lti_request()
        return {**request.get_data, **request.form_data}

    def choose_content(self, *, return_url: str, title: str, data: str) -> None:
        """Makes it a deep linking request; ``data`` is text that the tool must give back."""
        self.set_dl(return_url, title, accept_types={"ltiResourceLink"})
        assert self._deep_linking_launch_data
        settings = self._deep_linking_launch_data[_DEEP_LINKING_SETTINGS]
        settings["data"] = data
        settings["accept_presentation_document_targets"] = ["iframe", "window"]
        settings["accept_lineitem"] = True

    def render_launch_form(self, launch_data: dict[str, Any], **kwargs: Any) -> str:
        """The page with the form."""
        del kwargs
        fields = {"id_token": launch_data["id_token"], "state": launch_data["state"]}
        return render_template("forward.html", action=launch_data["launch_url"], fields=fields)


def login_initiation(
    lms: PracticeLms, tool: Tool, person: Person, activity: Activity | None, hint: str, storage_target: str | None
) -> Response:
    """The redirect that starts a launch of ``activity``, or content selection without one."""
    login = PracticeLogin(current_lti_request(), ToolPlatform(lms=lms, tool=tool))
    login.storage_target = storage_target
    login.set_lti_message_hint(hint=hint)
    login.set_launch_url(activity.url if activity else tool.deep_link_url)
    return login.initiate_login(person.id)


def launch_form(
    lms: PracticeLms, tool: Tool, person: Person, activity: Activity | None, intent: Intent, data: str | None
) -> str:
    """The page that posts the message: a resource link launch, or with ``data`` a deep linking request."""
    with lms.database.transaction() as connection:
        course = find_course(connection, intent.course_id) or COURSE
    launch = PracticeLaunch(current_lti_request(), ToolPlatform(lms=lms, tool=tool))
    launch.set_id_token_expiration(ID_TOKEN_SECONDS)
    launch.set_user_data(
        person.id,
        [person.role],
        full_name=person.name if tool.share_names else None,
        email_address=person.email if tool.share_emails else None,
    )
    launch.set_launch_context_claim(
        course.id, ["http://purl.imsglobal.org/vocab/lis/v2/course#CourseSection"], course.title, course.label
    )
    launch.set_extra_claims(_platform_claims(lms, tool, person, intent))
    if data is not None:
        launch.choose_content(return_url=address("deep_linking.come_back"), title=course.title, data=data)
    elif activity:
        _add_activity(launch, tool, activity)
        if intent.for_user_id is not None:
            # Submission Review 1.0 section 3: a launch of the activity, and whose submission it is about.
            launch.set_extra_claims(
                {
                    f"{_CLAIM}message_type": "LtiSubmissionReviewRequest",
                    f"{_CLAIM}for_user": {"user_id": intent.for_user_id},
                }
            )
    return launch.lti_launch()


def _platform_claims(lms: PracticeLms, tool: Tool, person: Person, intent: Intent) -> dict[str, Any]:
    names = {"given_name": person.given_name, "family_name": person.family_name} if tool.share_names else {}
    return {
        **names,
        "locale": person.locale,
        f"{_CLAIM}launch_presentation": {
            "document_target": intent.document_target,
            "return_url": address("pages.course", slug=person.slug, course_id=intent.course_id),
            "locale": person.locale,
        },
        f"{_CLAIM}tool_platform": {
            "guid": lms.issuer,
            "name": "Practice LMS",
            "product_family_code": "practice-lms",
            "version": "1.0",
        },
    }


def _add_activity(launch: PracticeLaunch, tool: Tool, activity: Activity) -> None:
    launch.set_launch_url(activity.url)
    launch.set_resource_link_claim(activity.resource_link_id, activity.text or None, activity.title)
    launch.set_custom_parameters_claim(_expanded(activity))
    grade_scopes = [scope for scope in ALL_SCOPES if scope in tool.scopes and scope != NRPS_SCOPE]
    if grade_scopes:
        line_item = activity.line_item
        launch.set_ags(
            line_items_url(tool, activity.course_id),
            line_item_url(tool, line_item.id, activity.course_id) if line_item else None,
        )
        # The library offers no read-only scope beside the full one, and cannot leave scopes out for a tool.
        launch.extra_claims[AGS_CLAIM]["scope"] = grade_scopes
    if NRPS_SCOPE in tool.scopes:
        launch.set_nrps(address("members.list_members", course_id=activity.course_id))


def _expanded(activity: Activity) -> dict[str, str]:
    """Custom parameters with the variables filled in that have a value; the others stay as they are, as on Moodle.

    LTI Core 1.3, resource link variables: ISO 8601 moments that the instructor may have changed since.
    """
    variables = {
        "$Context.id": activity.course_id,
        "$ResourceLink.id": activity.resource_link_id,
        "$ResourceLink.title": activity.title,
        "$ResourceLink.available.startDateTime": activity.available_from,
        "$ResourceLink.available.endDateTime": activity.available_until,
        "$ResourceLink.submission.startDateTime": activity.submission_from,
        "$ResourceLink.submission.endDateTime": activity.submission_until,
    }
    return {name: variables.get(value) or value for name, value in activity.custom.items()}


def line_items_url(tool: Tool, course_id: str) -> str:
    """The tool's line items of a course. Moodle gradebookservices.php: it ends in ``?type_id=N``."""
    return address("grades.line_items", course_id=course_id, type_id=tool.number)


def line_item_url(tool: Tool, line_item_id: int, course_id: str, *, query: bool = True) -> str:
    """A line item's address, which is also its identity; ``query`` is off where the library adds the query."""
    type_id = tool.number if query else None
    return address(
        "grades.line_item",
        course_id=course_id,
        line_item_id=line_item_id,
        type_id=type_id,
    )


def role_name(person: Person) -> str:
    """The bare role name that Moodle's membership service uses."""
    return "Instructor" if person.role == INSTRUCTOR else "Learner"
