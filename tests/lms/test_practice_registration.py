"""Tools that register themselves at the practice LMS: its rules, one use of a token, pending until activated."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from bs4 import BeautifulSoup

from lti_tool.practice_lms.identity import load_identity
from lti_tool.practice_lms.tools import ALL_SCOPES

if TYPE_CHECKING:
    from tests.lms.conftest import RunningLms, ScriptedTool

TOOL = "http://localhost:9"
CONFIGURATION = "https://purl.imsglobal.org/spec/lti-tool-configuration"
PASTED = f"{TOOL}/lti/register/secret?from=mail"


def application(**changes: Any) -> dict[str, Any]:
    """A tool's application; a change ``tool_x=…`` is one of its tool configuration, ``None`` leaves the field out."""
    sent: dict[str, Any] = {
        "application_type": "web",
        "response_types": ["id_token"],
        "grant_types": ["client_credentials", "implicit"],
        "initiate_login_uri": f"{TOOL}/lti/login",
        "redirect_uris": [f"{TOOL}/lti/launch"],
        "client_name": "Quiz tool",
        "jwks_uri": f"{TOOL}/jwks",
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": f"{ALL_SCOPES[0]} openid unknown",
        CONFIGURATION: {
            "domain": "localhost:9",
            "target_link_uri": f"{TOOL}/lti/launch",
            "claims": ["iss", "sub", "given_name"],
            "messages": [{"type": "LtiDeepLinkingRequest", "target_link_uri": f"{TOOL}/lti/choose"}],
        },
    }
    sent = copy.deepcopy(sent)
    for name, value in changes.items():
        place = sent[CONFIGURATION] if name.startswith("tool_") else sent
        key = CONFIGURATION if name == "tool" else name.removeprefix("tool_")
        if value is None:
            place.pop(key)
        else:
            place[key] = value
    return sent


def pasted(lms: RunningLms, url: str = PASTED) -> dict[str, str]:
    """What the tool's page is opened with after its address was pasted."""
    response = lms.browser.get(f"{lms.issuer}/site/tools/start", params={"url": url}, timeout=10, allow_redirects=False)
    assert response.status_code == 302, response.text
    location = response.headers["Location"]
    assert location.startswith(f"{TOOL}/lti/register/secret?")
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def applies(lms: RunningLms, sent: Any, token: str | None = None, **headers: str) -> requests.Response:
    """A registration request, with a fresh token unless one is given."""
    bearer = pasted(lms)["registration_token"] if token is None else token
    authorization = {"Authorization": f"Bearer {bearer}"} | headers
    return lms.browser.post(f"{lms.issuer}/register", json=sent, headers=authorization, timeout=10)


def tool_states(lms: RunningLms) -> dict[str, str]:
    """Names and states as the administrator's page shows them."""
    soup = BeautifulSoup(lms.page("/site/tools"), "html.parser")
    cards = soup.select("li.activity")
    return {card.h2.get_text(): card.select_one(".chip").get_text() for card in cards}  # pyright: ignore


def test_the_tool_is_opened_with_configuration_and_token(practice_lms: RunningLms) -> None:
    asked = pasted(practice_lms)
    assert asked["from"] == "mail"
    assert asked["openid_configuration"] == f"{practice_lms.issuer}/.well-known/openid-configuration"
    assert len(asked["registration_token"]) > 100
    said = practice_lms.browser.get(asked["openid_configuration"], timeout=10).json()
    assert said["issuer"] == practice_lms.issuer
    hosts = {urlsplit(url).netloc for name, url in said.items() if name.endswith(("_endpoint", "_uri"))}
    assert hosts == {urlsplit(practice_lms.issuer).netloc}
    assert (
        "LtiDeepLinkingRequest"
        in said["https://purl.imsglobal.org/spec/lti-platform-configuration"]["messages_supported"]
    )


def test_a_registered_tool_is_pending_until_it_is_activated(practice_lms: RunningLms) -> None:
    response = applies(practice_lms, application())
    assert response.status_code == 200, response.text
    answer = response.json()
    deployment = answer[CONFIGURATION]["deployment_id"]
    assert answer["scope"] == ALL_SCOPES[0]
    assert tool_states(practice_lms) == {"Quiz tool": "Pending"}

    # Nobody can use it: not in the course, not for a login, not for a token.
    assert "No tool is registered" in practice_lms.page("/as/ada/add")
    practice_lms.page(f"/as/ada/tools/{deployment}/choose", 404)
    login = f"/auth?client_id={answer['client_id']}&redirect_uri={TOOL}/lti/launch"
    assert "not registered here" in practice_lms.page(login, 400)

    activated = practice_lms.browser.post(f"{practice_lms.issuer}/site/tools/{deployment}/activate", timeout=10)
    assert "The tool is active" in activated.text
    assert tool_states(practice_lms) == {"Quiz tool": "Active"}
    chosen = practice_lms.browser.get(
        f"{practice_lms.issuer}/as/ada/tools/{deployment}/choose", timeout=10, allow_redirects=False
    )
    asked = parse_qs(urlsplit(chosen.headers["Location"]).query)
    assert chosen.headers["Location"].startswith(f"{TOOL}/lti/login?")
    assert asked["client_id"] == [answer["client_id"]]
    assert asked["target_link_uri"] == [f"{TOOL}/lti/choose"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"response_types": None}, "missing required attribute response_types", id="no_response_types"),
        pytest.param({"response_types": ["code"]}, "invalid_response_types", id="no_id_token"),
        pytest.param({"initiate_login_uri": None}, "missing required attribute initiate_login_uri", id="no_login"),
        pytest.param({"redirect_uris": None}, "missing required attribute redirect_uris", id="no_redirect"),
        pytest.param({"redirect_uris": f"{TOOL}/launch"}, "invalid_redirect_uris", id="redirect_no_list"),
        pytest.param({"redirect_uris": []}, "invalid_redirect_uris", id="redirect_empty"),
        pytest.param({"client_name": None}, "missing required attribute client_name", id="no_name"),
        pytest.param({"jwks_uri": None}, "missing required attribute jwks_uri", id="no_keys"),
        pytest.param({"jwks_uri": "javascript:alert(1)"}, "invalid_jwks_uri", id="keys_no_address"),
        pytest.param(
            {"token_endpoint_auth_method": "client_secret_basic"}, "invalid_token_endpoint_auth_method", id="secret"
        ),
        pytest.param({"application_type": "native"}, "invalid_application_type", id="native"),
        pytest.param({"tool": None}, f"missing required attribute {CONFIGURATION}", id="no_tool"),
        pytest.param({"tool_domain": None}, "missing required attribute domain", id="no_domain"),
        pytest.param({"tool_domain": "localhost"}, "invalid_domain", id="domain_without_port"),
        pytest.param({"tool_target_link_uri": None}, "missing required attribute target_link_uri", id="no_target"),
        pytest.param({"tool_target_link_uri": "http://evil.example/"}, "invalid_domain", id="target_elsewhere"),
    ],
)
def test_what_moodle_refuses_is_refused(practice_lms: RunningLms, changes: dict[str, Any], reason: str) -> None:
    if "tool" in changes:
        sent = {name: value for name, value in application().items() if name != CONFIGURATION}
    else:
        sent = application(**changes)
    response = applies(practice_lms, sent)
    assert (response.status_code, response.text) == (400, reason)
    assert tool_states(practice_lms) == {}


def test_a_registration_token_is_good_for_one_tool(practice_lms: RunningLms) -> None:
    token = pasted(practice_lms)["registration_token"]
    # A refused application does not use it up.
    assert applies(practice_lms, application(client_name=None), token).status_code == 400
    assert applies(practice_lms, application(), token).status_code == 200
    again = applies(practice_lms, application(redirect_uris=[f"{TOOL}/second"]), token)
    assert (again.status_code, again.text) == (401, "token_already_used")
    known = applies(practice_lms, application())
    assert (known.status_code, known.text) == (400, "tool_already_registered")


def test_only_tokens_of_this_platform_register(practice_lms: RunningLms, scripted_tool: ScriptedTool) -> None:
    now = int(time.time())
    claims = {"sub": "mine", "aud": f"{practice_lms.issuer}/register", "iat": now, "exp": now + 60}
    own_key = load_identity(practice_lms.folder).private_key
    foreign = scripted_tool.key.private
    for wrong in (
        "",
        "not-a-token",
        jwt.encode(claims, foreign, algorithm="RS256"),
        jwt.encode(claims | {"exp": now - 60}, own_key, algorithm="RS256"),
        jwt.encode(claims | {"aud": "another"}, own_key, algorithm="RS256"),
        jwt.encode({"aud": claims["aud"], "exp": now + 60}, own_key, algorithm="RS256"),
        scripted_tool.token(),
    ):
        response = applies(practice_lms, application(), wrong)
        assert response.status_code == 401, response.text
    assert "Quiz tool" in tool_states(practice_lms)
    # Nor is a registration token good for anything else.
    line_items = scripted_tool.calls(
        "GET", f"{practice_lms.issuer}/courses/2/lineitems", token=pasted(practice_lms)["registration_token"]
    )
    assert line_items.status_code in {401, 404}


def test_claims_decide_about_names_and_scopes_about_services(practice_lms: RunningLms) -> None:
    applies(practice_lms, application())
    applies(practice_lms, application(client_name="Plain", redirect_uris=[f"{TOOL}/plain"], tool_claims=["iss", "sub"]))
    page = BeautifulSoup(practice_lms.page("/site/tools"), "html.parser")
    facts = {card.h2.get_text(): card.select_one(".facts").get_text() for card in page.select("li.activity")}  # pyright: ignore
    assert facts["Quiz tool"].endswith("Gets names")
    assert facts["Plain"].endswith("Gets no names")


def test_the_frame_is_open_to_the_pasted_tool_alone(practice_lms: RunningLms) -> None:
    response = practice_lms.browser.get(f"{practice_lms.issuer}/site/tools/add", params={"url": PASTED}, timeout=10)
    assert "frame-src 'self' http://localhost:9;" in response.headers["Content-Security-Policy"]
    frame = BeautifulSoup(response.text, "html.parser").select_one("iframe")
    assert frame is not None
    assert str(frame["src"]).startswith("/site/tools/start?url=http")
    other = practice_lms.browser.get(f"{practice_lms.issuer}/site/tools", timeout=10)
    assert "localhost:9" not in other.headers["Content-Security-Policy"]


@pytest.mark.parametrize("url", ["", "javascript:alert(1)", "/site/tools", "http://user@localhost/"])
def test_what_is_no_address_is_not_opened(practice_lms: RunningLms, url: str) -> None:
    for path in ("add", "start"):
        response = practice_lms.browser.get(
            f"{practice_lms.issuer}/site/tools/{path}", params={"url": url}, timeout=10, allow_redirects=False
        )
        assert response.status_code == 400, response.text


def test_another_site_cannot_press_activate(practice_lms: RunningLms) -> None:
    deployment = applies(practice_lms, application()).json()[CONFIGURATION]["deployment_id"]
    url = f"{practice_lms.issuer}/site/tools/{deployment}/activate"
    forged = practice_lms.browser.post(url, headers={"Sec-Fetch-Site": "cross-site"}, timeout=10)
    assert forged.status_code == 403
    assert tool_states(practice_lms) == {"Quiz tool": "Pending"}
    unknown = f"{practice_lms.issuer}/site/tools/999/activate"
    assert practice_lms.browser.post(unknown, timeout=10).status_code == 404


def test_a_program_s_registration_activates_a_pending_tool(practice_lms: RunningLms) -> None:
    client_id = applies(practice_lms, application()).json()["client_id"]
    by_program = practice_lms.admin(
        "POST",
        "tool",
        json={
            "name": "Quiz tool",
            "login_url": f"{TOOL}/lti/login",
            "launch_url": f"{TOOL}/lti/launch",
            "jwks_url": f"{TOOL}/jwks",
            "deep_link_url": f"{TOOL}/lti/launch",
        },
    )
    assert by_program.json()["client_id"] == client_id
    assert tool_states(practice_lms) == {"Quiz tool": "Active"}
