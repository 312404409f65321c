"""Deep linking with the practice LMS: the request, the way back, and every answer that is refused."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest

if TYPE_CHECKING:
    from tests.lms.conftest import RunningLms, ScriptedTool

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
SETTINGS = "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"
TOOL = "http://localhost:9"
ITEM: dict[str, Any] = {"type": "ltiResourceLink", "title": "Overfitting"}


def test_the_instructor_is_sent_to_choose_content(scripted_tool: ScriptedTool) -> None:
    claims = scripted_tool.is_asked_for_content()
    assert claims[f"{CLAIM}message_type"] == "LtiDeepLinkingRequest"
    assert claims[f"{CLAIM}target_link_uri"] == f"{TOOL}/lti/choose"
    assert claims[f"{CLAIM}roles"] == ["http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"]
    assert f"{CLAIM}resource_link" not in claims
    settings = claims[SETTINGS]
    assert settings["accept_types"] == ["ltiResourceLink"]
    assert settings["accept_multiple"] is True
    assert settings["accept_lineitem"] is True
    assert settings["deep_link_return_url"] == f"{scripted_tool.lms.issuer}/deep-linking/return"
    assert isinstance(settings["data"], str)
    assert len(settings["data"]) >= 24


def test_chosen_content_becomes_an_activity_with_all_it_says(scripted_tool: ScriptedTool) -> None:
    activity = scripted_tool.adds(
        text="Three questions about <b>variance</b>.",
        custom={"quiz_id": 7, "mode": "graded"},
        available={"startDateTime": "2026-03-01T08:00:00Z", "endDateTime": "2026-03-31T20:00:00Z"},
        submission={"endDateTime": "2026-03-20T20:00:00+01:00"},
    )
    assert activity["title"] == "Overfitting"
    assert activity["url"] == f"{TOOL}/lti/launch?quiz=7"
    assert activity["custom"] == {"quiz_id": "7", "mode": "graded"}
    assert activity["maximum"] == 10
    page = scripted_tool.lms.page("/as/mateo/course")
    assert "Three questions about &lt;b&gt;variance&lt;/b&gt;." in page
    assert "10 points" in page
    assert "Opens 1 Mar 2026" in page
    assert re.search(r"Due 20 Mar 2026, \d\d:\d\d \S+", page), "a moment with its zone"


def test_the_line_item_says_what_the_content_item_said(scripted_tool: ScriptedTool) -> None:
    activity = scripted_tool.adds(submission={"endDateTime": "2026-03-20T20:00:00Z"})
    line_item = scripted_tool.calls("GET", scripted_tool.line_item_of(activity)).json()
    del line_item["id"]
    assert line_item == {
        "label": "Overfitting quiz",
        "scoreMaximum": 10,
        "resourceId": "quiz-7",
        "tag": "quiz",
        "resourceLinkId": activity["resource_link_id"],
        "endDateTime": "2026-03-20T20:00:00Z",
    }


def test_several_items_at_once_and_one_without_anything_but_its_type(scripted_tool: ScriptedTool) -> None:
    items = [ITEM, {"type": "ltiResourceLink", "unknown": {"kept": "out"}}]
    response = scripted_tool.returns(scripted_tool.answers(scripted_tool.is_asked_for_content(), items))
    assert "2 activities were added" in response.text
    first, second = scripted_tool.lms.activities()
    assert first["title"] == "Overfitting"
    assert (second["title"], second["url"], second["maximum"]) == ("Quiz tool", f"{TOOL}/lti/launch", None)


def test_the_way_back_leads_the_whole_window_to_the_course(scripted_tool: ScriptedTool) -> None:
    response = scripted_tool.returns(scripted_tool.answers(scripted_tool.is_asked_for_content(), [ITEM]))
    assert 'target="_top"' in response.text
    assert "/as/ada/course?added=1" in response.text
    assert "One activity was added to the course." in scripted_tool.lms.page("/as/ada/course?added=1")


def test_choosing_nothing_adds_nothing(scripted_tool: ScriptedTool) -> None:
    token = scripted_tool.answers(scripted_tool.is_asked_for_content(), None, dl_errormsg="No <quiz> was ready.")
    response = scripted_tool.returns(token)
    assert "Nothing was added" in response.text
    assert "No &lt;quiz&gt; was ready." in response.text
    assert scripted_tool.lms.activities() == []


def test_an_answer_is_taken_once(scripted_tool: ScriptedTool) -> None:
    token = scripted_tool.answers(scripted_tool.is_asked_for_content(), [ITEM])
    assert scripted_tool.returns(token).status_code == 200
    assert scripted_tool.returns(token).status_code == 409
    assert len(scripted_tool.lms.activities()) == 1


def test_a_nonce_is_good_once_even_for_another_request(scripted_tool: ScriptedTool) -> None:
    first, second = scripted_tool.is_asked_for_content(), scripted_tool.is_asked_for_content()
    assert scripted_tool.returns(scripted_tool.answers(first, [ITEM], nonce="same")).status_code == 200
    assert scripted_tool.returns(scripted_tool.answers(second, [ITEM], nonce="same")).status_code == 409


def test_a_request_is_answered_once_even_with_a_new_nonce(scripted_tool: ScriptedTool) -> None:
    asked = scripted_tool.is_asked_for_content()
    assert scripted_tool.returns(scripted_tool.answers(asked, [ITEM])).status_code == 200
    assert scripted_tool.returns(scripted_tool.answers(asked, [ITEM])).status_code == 409


def test_a_refused_answer_leaves_the_request_open(scripted_tool: ScriptedTool) -> None:
    asked = scripted_tool.is_asked_for_content()
    assert scripted_tool.returns(scripted_tool.answers(asked, [{"type": "html"}])).status_code == 400
    assert scripted_tool.returns(scripted_tool.answers(asked, [ITEM])).status_code == 200


def _now() -> int:
    return int(time.time())


class FromNow(int):
    """Seconds from the time a test runs, not from the time it is collected."""


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"iss": "somebody"}, 401),
        ({"iss": None}, 400),
        ({"aud": "https://other.example"}, 401),
        ({"aud": None}, 401),
        ({"exp": FromNow(-60)}, 401),
        ({"exp": None}, 401),
        ({"exp": FromNow(10 * 365 * 86400)}, 401),
        ({"iat": FromNow(600)}, 401),
        ({"iat": FromNow(-2 * 3600)}, 401),
        ({"iat": None}, 401),
        ({"iat": "yesterday"}, 401),
        ({"nonce": None}, 401),
        ({"nonce": ""}, 400),
        ({"nonce": ["a"]}, 400),
        ({"claim_deployment_id": "999"}, 403),
        ({"claim_deployment_id": None}, 401),
        ({"claim_version": "LTI-1p0"}, 400),
        ({"claim_message_type": "LtiResourceLinkRequest"}, 400),
        ({"claim_message_type": None}, 400),
        ({"dl_data": "made up"}, 409),
        ({"dl_data": None}, 409),
        ({"dl_data": 5}, 409),
    ],
    ids=str,
)
def test_an_answer_with_a_wrong_claim_is_refused(
    scripted_tool: ScriptedTool, wrong: dict[str, Any], status: int
) -> None:
    asked = scripted_tool.is_asked_for_content()
    claims = {name: _now() + value if isinstance(value, FromNow) else value for name, value in wrong.items()}
    response = scripted_tool.returns(scripted_tool.answers(asked, [ITEM], **claims))
    assert response.status_code == status
    assert "That did not work" in response.text
    assert scripted_tool.lms.activities() == []


def test_a_clock_that_is_some_seconds_ahead_is_forgiven(scripted_tool: ScriptedTool) -> None:
    asked = scripted_tool.is_asked_for_content()
    assert scripted_tool.returns(scripted_tool.answers(asked, [ITEM], iat=_now() + 10)).status_code == 200


def test_an_audience_list_that_names_us_is_fine(scripted_tool: ScriptedTool) -> None:
    asked = scripted_tool.is_asked_for_content()
    token = scripted_tool.answers(asked, [ITEM], aud=[scripted_tool.lms.issuer])
    assert scripted_tool.returns(token).status_code == 200


@pytest.mark.parametrize(
    "items",
    [
        "not a list",
        ["not an object"],
        [{"title": "no type"}],
        [{"type": "link", "url": TOOL}],
        [{**ITEM, "title": "x" * 256}],
        [{**ITEM, "url": "https://attacker.example/lti"}],
        [{**ITEM, "url": "javascript:alert(1)"}],
        [{**ITEM, "custom": ["a"]}],
        [{**ITEM, "custom": {"a": {"b": "c"}}}],
        [{**ITEM, "lineItem": {"label": "no maximum"}}],
        [{**ITEM, "lineItem": {"scoreMaximum": 0}}],
        [{**ITEM, "lineItem": {"scoreMaximum": "10"}}],
        [{**ITEM, "submission": {"endDateTime": "tomorrow"}}],
        [{**ITEM, "submission": {"endDateTime": "2026-03-20T20:00:00"}}],
        [ITEM, {"type": "html", "html": "<p>"}],
    ],
    ids=lambda items: str(items)[:60],
)
def test_content_that_does_not_fit_is_refused_whole(scripted_tool: ScriptedTool, items: Any) -> None:
    token = scripted_tool.answers(scripted_tool.is_asked_for_content(), items)
    assert scripted_tool.returns(token).status_code == 400
    assert scripted_tool.lms.activities() == []


def test_an_answer_signed_with_another_key_is_refused(scripted_tool: ScriptedTool) -> None:
    asked = scripted_tool.is_asked_for_content()
    forged = scripted_tool.answers(asked, [ITEM], key=scripted_tool.other_key)
    assert scripted_tool.returns(forged).status_code == 401
    claims = jwt.decode(forged, options={"verify_signature": False})
    same_name = scripted_tool.signs(claims, key=scripted_tool.other_key, kid=scripted_tool.key.key_id)
    assert scripted_tool.returns(same_name).status_code == 401


def test_an_unsigned_or_symmetric_answer_is_refused(scripted_tool: ScriptedTool) -> None:
    signed = scripted_tool.answers(scripted_tool.is_asked_for_content(), [ITEM])
    claims = jwt.decode(signed, options={"verify_signature": False})
    headers = {"kid": scripted_tool.key.key_id}
    assert scripted_tool.returns(jwt.encode(claims, "", algorithm="none", headers=headers)).status_code == 401
    assert scripted_tool.returns(jwt.encode(claims, "x" * 64, algorithm="HS256", headers=headers)).status_code == 401
    assert scripted_tool.returns(jwt.encode(claims, scripted_tool.key.private, algorithm="RS256")).status_code == 401


@pytest.mark.parametrize("token", ["", "abc", "a.b.c", "e30.e30.e30"])
def test_what_is_no_token_is_refused(practice_lms: RunningLms, token: str) -> None:
    response = practice_lms.browser.post(f"{practice_lms.issuer}/deep-linking/return", data={"JWT": token}, timeout=10)
    assert response.status_code == 400


def test_an_answer_to_another_tools_request_is_refused(scripted_tool: ScriptedTool) -> None:
    asked = scripted_tool.is_asked_for_content()
    scripted_tool.registers(launch_url=f"{TOOL}/other/launch")
    assert scripted_tool.returns(scripted_tool.answers(asked, [ITEM])).status_code == 409


def test_an_answer_is_refused_while_the_tools_keys_cannot_be_fetched(scripted_tool: ScriptedTool) -> None:
    token = scripted_tool.answers(scripted_tool.is_asked_for_content(), [ITEM])
    scripted_tool.jwks_server.clear()
    scripted_tool.jwks_server.expect_request(scripted_tool.jwks_path).respond_with_data("<p>", status=500)
    assert scripted_tool.returns(token).status_code == 502
    scripted_tool.jwks_server.clear()
    scripted_tool.serve_keys()
    assert scripted_tool.returns(token).status_code == 200
