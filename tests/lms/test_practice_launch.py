"""Launches from the practice LMS: the three steps, what the message says, and what is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import time_machine

from lti_tool.practice_lms.intents import add_intent, find_intent
from lti_tool.practice_lms.people import find_person

if TYPE_CHECKING:
    from tests.lms.conftest import RunningLms, ScriptedTool

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
AGS = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
AGS_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/"
TOOL = "http://localhost:9"


def _form(response: Any) -> Any:
    from tests.lms.conftest import read_form

    return read_form(response)


def test_opening_an_activity_sends_the_browser_to_the_tools_login_address(scripted_tool: ScriptedTool) -> None:
    activity = scripted_tool.adds()
    login = scripted_tool.login_parameters(f"/as/mateo/activities/{activity['id']}/open")
    hint = login.pop("lti_message_hint")
    assert len(hint) >= 24
    assert login == {
        "iss": scripted_tool.lms.issuer,
        "login_hint": "11",
        "target_link_uri": f"{TOOL}/lti/launch?quiz=7",
        "client_id": scripted_tool.client_id,
        "lti_deployment_id": scripted_tool.registration["deployment_id"],
    }


def test_a_login_address_with_a_query_keeps_it(unregistered_tool: ScriptedTool) -> None:
    unregistered_tool.registers(login_url=f"{TOOL}/lti/login?school=north")
    response = unregistered_tool.lms.browser.get(
        f"{unregistered_tool.lms.issuer}/as/ada/tools/{unregistered_tool.registration['deployment_id']}/choose",
        allow_redirects=False,
        timeout=10,
    )
    address = response.headers["Location"]
    assert address.startswith(f"{TOOL}/lti/login?school=north&iss=")
    assert address.count("?") == 1


def test_the_message_goes_to_the_redirect_address_with_state_and_nonce_unaltered(scripted_tool: ScriptedTool) -> None:
    activity = scripted_tool.adds()
    login = scripted_tool.login_parameters(f"/as/mateo/activities/{activity['id']}/open")
    form = _form(scripted_tool.authenticates(login, state='a "state" & more', nonce="n 0123"))
    assert form.action == f"{TOOL}/lti/launch"
    assert form.fields["state"] == 'a "state" & more'
    assert scripted_tool.verified(form.fields["id_token"])["nonce"] == "n 0123"


def test_the_authentication_endpoint_takes_post_too(scripted_tool: ScriptedTool) -> None:
    activity = scripted_tool.adds()
    login = scripted_tool.login_parameters(f"/as/mateo/activities/{activity['id']}/open")
    form = _form(scripted_tool.authenticates(login, method="POST"))
    assert scripted_tool.verified(form.fields["id_token"])["sub"] == "11"


def test_a_learners_launch_says_who_where_and_what(scripted_tool: ScriptedTool) -> None:
    activity = scripted_tool.adds(text="Three questions.")
    claims = scripted_tool.launches("mateo", activity["id"])
    assert claims["exp"] - claims["iat"] == 60
    assert claims["azp"] == scripted_tool.client_id
    assert (claims["name"], claims["given_name"], claims["family_name"]) == ("Mateo Hernández", "Mateo", "Hernández")
    assert "email" not in claims
    assert claims[f"{CLAIM}message_type"] == "LtiResourceLinkRequest"
    assert claims[f"{CLAIM}version"] == "1.3.0"
    assert claims[f"{CLAIM}deployment_id"] == scripted_tool.registration["deployment_id"]
    assert claims[f"{CLAIM}target_link_uri"] == f"{TOOL}/lti/launch?quiz=7"
    assert claims[f"{CLAIM}roles"] == ["http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"]
    assert claims[f"{CLAIM}context"] == {
        "id": "2",
        "label": "ML-101",
        "title": "Introduction to Machine Learning",
        "type": ["http://purl.imsglobal.org/vocab/lis/v2/course#CourseSection"],
    }
    assert claims[f"{CLAIM}resource_link"] == {
        "id": activity["resource_link_id"],
        "title": "Overfitting",
        "description": "Three questions.",
    }
    assert claims[f"{CLAIM}custom"] == {"quiz_id": "7"}
    assert claims[f"{CLAIM}tool_platform"]["product_family_code"] == "practice-lms"


def test_an_instructor_launches_as_instructor(scripted_tool: ScriptedTool) -> None:
    claims = scripted_tool.launches("ada", scripted_tool.adds()["id"])
    assert claims["sub"] == "3"
    assert claims[f"{CLAIM}roles"] == ["http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"]


@pytest.mark.parametrize(("slug", "locale"), [("mateo", "en"), ("seoyeon", "ko")])
@pytest.mark.parametrize("target", ["iframe", "window"])
def test_the_presentation_says_language_place_and_way_back(
    scripted_tool: ScriptedTool, slug: str, locale: str, target: str
) -> None:
    claims = scripted_tool.launches(slug, scripted_tool.adds()["id"], target)
    assert claims["locale"] == locale
    assert claims[f"{CLAIM}launch_presentation"] == {
        "document_target": target,
        "return_url": f"{scripted_tool.lms.issuer}/as/{slug}/course",
        "locale": locale,
    }


def test_a_graded_activity_carries_its_line_item_and_services(scripted_tool: ScriptedTool) -> None:
    activity = scripted_tool.adds()
    claims = scripted_tool.launches("mateo", activity["id"])
    assert claims[AGS]["lineitem"] == activity["lineitem"]
    number = scripted_tool.registration["deployment_id"]
    base = f"{scripted_tool.lms.issuer}/services"
    assert re.fullmatch(rf"{base}/ags/2/lineitems/\d+/lineitem\?type_id={number}", claims[AGS]["lineitem"])
    assert claims[AGS]["lineitems"] == f"{base}/ags/2/lineitems?type_id={number}"
    assert set(claims[AGS]["scope"]) == {
        f"{AGS_SCOPE}{name}" for name in ("lineitem", "lineitem.readonly", "result.readonly", "score")
    }
    assert claims[NRPS] == {
        "context_memberships_url": f"{base}/CourseSection/2/memberships",
        "service_versions": ["2.0"],
    }


def test_an_ungraded_activity_has_no_line_item(scripted_tool: ScriptedTool) -> None:
    claims = scripted_tool.launches("mateo", scripted_tool.adds(lineItem=None)["id"])
    assert "lineitem" not in claims[AGS]
    assert "lineitems" in claims[AGS]


def test_an_activity_with_two_line_items_is_launched_without_one(scripted_tool: ScriptedTool) -> None:
    activity = scripted_tool.adds()
    added = scripted_tool.calls(
        "POST",
        scripted_tool.launches("ada", activity["id"])[AGS]["lineitems"],
        content_type="application/vnd.ims.lis.v2.lineitem+json",
        body={"label": "Bonus", "scoreMaximum": 2, "resourceLinkId": activity["resource_link_id"]},
    )
    assert added.status_code == 201
    assert "lineitem" not in scripted_tool.launches("mateo", activity["id"])[AGS]


def test_a_tool_without_scopes_gets_no_services(unregistered_tool: ScriptedTool) -> None:
    unregistered_tool.registers(scopes=[])
    claims = unregistered_tool.launches("mateo", unregistered_tool.adds()["id"])
    assert AGS not in claims
    assert NRPS not in claims


def test_names_and_mail_addresses_go_out_as_registered(unregistered_tool: ScriptedTool) -> None:
    unregistered_tool.registers(share_names=False, share_emails=True)
    claims = unregistered_tool.launches("mateo", unregistered_tool.adds()["id"])
    assert not {"name", "given_name", "family_name"} & set(claims)
    assert claims["email"] == "mateo@practice.example"


def test_messages_are_signed_with_the_published_key_only(scripted_tool: ScriptedTool) -> None:
    login = scripted_tool.login_parameters(f"/as/mateo/activities/{scripted_tool.adds()['id']}/open")
    token = _form(scripted_tool.authenticates(login)).fields["id_token"]
    header = jwt.get_unverified_header(token)
    keys = scripted_tool.lms.browser.get(scripted_tool.registration["jwks_url"], timeout=10).json()["keys"]
    assert header["alg"] == "RS256"
    assert [key["kid"] for key in keys] == [header["kid"]]
    assert not {"d", "p", "q"} & set(keys[0])


def test_the_form_page_works_without_scripts_and_allows_only_its_own(scripted_tool: ScriptedTool) -> None:
    login = scripted_tool.login_parameters(f"/as/mateo/activities/{scripted_tool.adds()['id']}/open")
    response = scripted_tool.authenticates(login)
    policy = response.headers["Content-Security-Policy"]
    nonce = re.search(r"'nonce-([^']+)'", policy)
    assert nonce
    assert f'<script nonce="{nonce[1]}">' in response.text
    assert "unsafe-inline" not in policy
    assert re.search(r"<noscript>.*<button[^>]*type=\"submit\"", response.text, re.DOTALL)
    assert f"form-action 'self' {TOOL}" in policy
    assert response.headers["Cache-Control"] == "no-store"
    assert scripted_tool.authenticates(login).headers["Content-Security-Policy"] != policy


# --- refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"response_type": "code"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"prompt": "login"}, "invalid_request"),
        ({"nonce": None}, "invalid_request"),
        ({"state": None}, "invalid_request"),
        ({"lti_message_hint": "made up"}, "invalid_request"),
        ({"lti_message_hint": None}, "invalid_request"),
        ({"login_hint": "12"}, "login_required"),
        ({"login_hint": None}, "login_required"),
    ],
    ids=str,
)
def test_a_wrong_authentication_request_gets_an_openid_error(
    scripted_tool: ScriptedTool, wrong: dict[str, str | None], code: str
) -> None:
    login = scripted_tool.login_parameters(f"/as/mateo/activities/{scripted_tool.adds()['id']}/open")
    response = scripted_tool.authenticates(login, **wrong)
    form = _form(response)
    assert form.action == f"{TOOL}/lti/launch"
    assert form.fields["error"] == code
    assert form.fields["error_description"]
    assert form.fields["state"] == ("" if wrong.get("state", "") is None else "state of the tool")
    assert "id_token" not in form.fields


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "somebody"},
        {"client_id": None},
        {"redirect_uri": f"{TOOL}/lti/launch/"},
        {"redirect_uri": f"{TOOL}/lti/launch?quiz=7"},
        {"redirect_uri": f"{TOOL}/LTI/launch"},
        {"redirect_uri": "https://attacker.example/lti/launch"},
        {"redirect_uri": None},
    ],
    ids=str,
)
def test_nothing_is_sent_to_an_address_that_is_not_registered(
    scripted_tool: ScriptedTool, wrong: dict[str, str | None]
) -> None:
    login = scripted_tool.login_parameters(f"/as/mateo/activities/{scripted_tool.adds()['id']}/open")
    response = scripted_tool.authenticates(login, **wrong)
    assert response.status_code == 400
    assert "<form" not in response.text
    assert "attacker.example" not in response.text


def test_a_hint_of_another_tool_is_refused(scripted_tool: ScriptedTool) -> None:
    login = scripted_tool.login_parameters(f"/as/mateo/activities/{scripted_tool.adds()['id']}/open")
    scripted_tool.registers(launch_url=f"{TOOL}/other/launch")
    form = _form(scripted_tool.authenticates(login, redirect_uri=f"{TOOL}/other/launch"))
    assert form.fields["error"] == "invalid_request"


def test_a_hint_is_good_for_ten_minutes(scripted_tool: ScriptedTool, practice_lms: RunningLms) -> None:
    from lti_tool.practice_lms.database import Database
    from lti_tool.practice_lms.tools import list_tools

    database = Database(path=practice_lms.folder / "practice_lms.sqlite3")
    mateo = find_person("mateo")
    assert mateo
    with time_machine.travel("2026-03-02T09:00:00Z", tick=False) as clock, database.transaction() as connection:
        tool = list_tools(connection)[0]
        hint = add_intent(connection, tool=tool, person=mateo, activity=None, document_target="iframe").hint
        clock.shift(600)
        assert find_intent(connection, hint)
        clock.shift(1)
        assert find_intent(connection, hint) is None


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/as/nobody/activities/1/open", 404),
        ("/as/mateo/activities/999999/open", 404),
        ("/as/nobody/tools/1/choose", 404),
        ("/as/ada/tools/999999/choose", 404),
        ("/as/mateo/tools/1/choose", 403),
    ],
)
def test_what_does_not_exist_or_is_not_yours_is_not_launched(practice_lms: RunningLms, path: str, status: int) -> None:
    assert "That did not work" in practice_lms.page(path, status)
