"""Registration by one pasted address: what is sent, what is stored, and everything that is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pytest_httpserver import HTTPServer
from werkzeug import Response
from werkzeug.test import TestResponse

from config.settings import Settings
from lti_tool import create_app, observability
from lti_tool.db import Database, fetch_value
from lti_tool.launch.platforms import Registration, add_platform, list_deployments, list_registrations
from lti_tool.launch.registration.canvas import developer_key
from lti_tool.launch.registration.invitations import (
    create_invitation,
    invitation_url,
    list_invitations,
    revoke_invitation,
    use_invitation,
)
from lti_tool.launch.registration.views import TRIES_PER_MINUTE
from tests.fake_platform import _launch_database, app, browser, client, database_url, events
from tests.integration.registering_platform import (
    EXTENSION,
    PLATFORM,
    TOKEN,
    TOOL,
    RegisteringPlatform,
    ticket_of,
)

__all__ = ["_launch_database", "app", "client", "database_url"]

Invite = Callable[..., str]


@pytest.fixture
def invite(database: Database, settings: Settings) -> Invite:
    """``invite(name=…)``: the address that an administrator is given."""

    def invited(*, name: str = "Our school", wants_names: bool = True) -> str:
        with database.across_tenants() as connection:
            _, secret = create_invitation(connection, name=name, wants_names=wants_names)
        return invitation_url(settings.base_url, secret)

    return invited


@pytest.fixture
def moodle(httpserver: HTTPServer) -> RegisteringPlatform:
    made = RegisteringPlatform(server=httpserver, family="moodle")
    made.serve()
    return made


@pytest.fixture
def canvas(httpserver: HTTPServer) -> RegisteringPlatform:
    made = RegisteringPlatform(server=httpserver, family="canvas")
    made.serve()
    return made


def registrations(database: Database) -> list[Registration]:
    with database.across_tenants() as connection:
        return list_registrations(connection)


def deployments(database: Database, registration: Registration) -> list[tuple[str, str]]:
    with database.across_tenants() as connection:
        return [(row.deployment_id, row.status) for row in list_deployments(connection, registration.id)]


def invitation_statuses(database: Database) -> list[str]:
    with database.across_tenants() as connection:
        return [invitation.status for invitation in list_invitations(connection)]


def assert_refused(response: TestResponse, database: Database, status: int, code: str) -> None:
    """Status and code; nothing stored but the audit row, and the invitation is as good as before."""
    assert (response.status_code, code in response.text) == (status, True), response.text
    assert registrations(database) == []
    with database.across_tenants() as connection:
        assert fetch_value(connection, "SELECT count(*) FROM platforms") == 0
        assert fetch_value(connection, "SELECT count(*) FROM deployments") == 0
    assert events(database)[-1] == code
    assert TOKEN not in response.text


# The way it goes --------------------------------------------------------------------------------------------------


def test_a_pasted_address_registers_a_moodle(
    moodle: RegisteringPlatform, client: FlaskClient, invite: Invite, database: Database, settings: Settings
) -> None:
    address = invite(name="Moodle of the faculty")
    page = moodle.opens(client, address)
    assert page.status_code == 200
    assert moodle.issuer in page.text
    assert "moodle 4.5.2" in page.text
    assert "gradebook" in page.text
    assert moodle.applications == []

    done = moodle.presses(client, address, page)
    assert done.status_code == 200, done.text
    assert "pending until you activate it" in done.text
    assert "waits for approval" not in done.text

    (registration,) = registrations(database)
    base = settings.base_url
    assert moodle.applications == [
        {
            "application_type": "web",
            "client_name": "ML quiz",
            "client_uri": f"{base}/",
            "logo_uri": f"{base}/lti/logo.svg",
            "response_types": ["id_token"],
            "grant_types": ["client_credentials", "implicit"],
            "initiate_login_uri": f"{base}/lti/login/{registration.login_key}",
            "redirect_uris": [f"{base}/lti/launch"],
            "jwks_uri": f"{base}/lti/jwks.json",
            "token_endpoint_auth_method": "private_key_jwt",
            "scope": "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"
            " https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly"
            " https://purl.imsglobal.org/spec/lti-ags/scope/score"
            " https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly",
            TOOL: {
                "domain": urlsplit(base).netloc,
                "description": moodle.applications[0][TOOL]["description"],
                "target_link_uri": f"{base}/lti/launch",
                "claims": ["iss", "sub", "name", "given_name", "family_name"],
                "custom_parameters": {},
                "messages": [
                    {"type": kind, "target_link_uri": f"{base}/lti/launch", "label": "ML quiz"}
                    for kind in ("LtiResourceLinkRequest", "LtiDeepLinkingRequest")
                ],
            },
        }
    ]
    assert registration == replace(
        registration,
        issuer=moodle.issuer,
        name="Moodle of the faculty",
        family="moodle",
        client_id="client-of-ours",
        auth_login_url=f"{moodle.issuer}/auth",
        auth_token_url=f"{moodle.issuer}/token",
        jwks_url=f"{moodle.issuer}/jwks",
        disabled_at=None,
    )
    assert deployments(database, registration) == [("4", "ACTIVE")]
    assert invitation_statuses(database) == ["USED"]
    assert events(database) == ["registration"]
    with database.across_tenants() as connection:
        assert fetch_value(connection, "SELECT source FROM registrations") == "DYNAMIC"
        assert fetch_value(connection, "SELECT registration_id FROM invitations") == registration.id
        assert fetch_value(connection, "SELECT registration_id FROM audit_events") == registration.id


def test_every_request_to_the_platform_carries_bearer_and_user_agent(
    canvas: RegisteringPlatform, client: FlaskClient, invite: Invite
) -> None:
    canvas.registers(client, invite())
    assert [seen[:2] for seen in canvas.seen] == [
        ("GET", "/openid-configuration"),
        ("GET", "/openid-configuration"),
        ("POST", "/register"),
    ]
    for _, _, headers in canvas.seen:
        assert headers["Authorization"] == f"Bearer {TOKEN}"
        assert headers["User-Agent"].startswith("mlquiz/")
        assert headers["Accept"] == "application/json"


def test_the_registered_login_address_is_the_one_that_the_platform_was_told(
    moodle: RegisteringPlatform, client: FlaskClient, invite: Invite, settings: Settings
) -> None:
    moodle.registers(client, invite())
    login_url = moodle.applications[0]["initiate_login_uri"]
    asked = {"iss": moodle.issuer, "login_hint": "5", "target_link_uri": f"{settings.base_url}/lti/launch"}
    response = client.get(urlsplit(login_url).path, query_string=asked)
    assert response.status_code == 302
    assert response.location.startswith(f"{moodle.issuer}/auth?")
    assert "client_id=client-of-ours" in response.location


def test_without_names_only_ids_are_asked_for(moodle: RegisteringPlatform, client: FlaskClient, invite: Invite) -> None:
    address = invite(wants_names=False)
    assert "No names" in moodle.opens(client, address).text
    moodle.registers(client, address)
    assert moodle.applications[0][TOOL]["claims"] == ["iss", "sub"]


def test_only_services_and_messages_that_the_platform_has_are_asked_for(
    moodle: RegisteringPlatform, client: FlaskClient, invite: Invite
) -> None:
    platform = moodle.document[PLATFORM]
    platform["messages_supported"].append({"type": "LtiSubmissionReviewRequest"})
    platform["variables"].append("ResourceLink.submission.endDateTime")
    moodle.document["scopes_supported"] = ["https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"]
    address = invite()
    assert "no gradebook service" in moodle.opens(client, address).text
    moodle.registers(client, address)
    sent = moodle.applications[0]
    assert sent["scope"] == "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
    assert sent[TOOL]["messages"][-1]["type"] == "LtiSubmissionReviewRequest"
    assert sent[TOOL]["custom_parameters"] == {"due_at": "$ResourceLink.submission.endDateTime"}


@pytest.mark.parametrize(
    ("named", "kept"), [(None, []), ("1:8865aa05b4b79b64a91a86042e43af5ea8ae79eb", ["ACTIVE"])], ids=["older", "newer"]
)
def test_a_pasted_address_registers_a_canvas(
    canvas: RegisteringPlatform,
    client: FlaskClient,
    invite: Invite,
    database: Database,
    named: str | None,
    kept: list[str],
) -> None:
    canvas.deployment_at_top = named
    done = canvas.registers(client, invite())
    assert done.status_code == 200, done.text
    assert ("waits for approval" in done.text) == (named is None)
    (registration,) = registrations(database)
    assert registration.family == "canvas"
    assert [status for _, status in deployments(database, registration)] == kept
    tool = canvas.applications[0][TOOL]
    assert tool[f"{EXTENSION}privacy_level"] == "name_only"
    assert tool[f"{EXTENSION}tool_id"] == "mlquiz"
    assert tool["custom_parameters"] == {
        "due_at": "$Canvas.assignment.dueAt.iso8601",
        "max_attempts": "$Canvas.assignment.allowedAttempts",
    }
    choosing, menu = tool["messages"]
    assert choosing["type"] == "LtiDeepLinkingRequest"
    assert choosing["placements"] == ["assignment_selection", "link_selection", "course_assignments_menu"]
    assert choosing[f"{EXTENSION}display_type"] == "default"
    assert menu["type"] == "LtiResourceLinkRequest"
    assert menu["placements"] == ["course_navigation"]
    assert menu[f"{EXTENSION}course_navigation/default_enabled"] is False
    assert {message[f"{EXTENSION}visibility"] for message in tool["messages"]} == {"admins"}


def test_a_canvas_that_lacks_a_placement_is_not_asked_for_it(
    canvas: RegisteringPlatform, client: FlaskClient, invite: Invite
) -> None:
    # Newer versions write placements with a prefix.
    canvas.document[PLATFORM]["messages_supported"] = [
        {"type": "LtiDeepLinkingRequest", "placements": [f"{EXTENSION}assignment_selection", "RichTextEditor"]}
    ]
    canvas.registers(client, invite())
    (message,) = canvas.applications[0][TOOL]["messages"]
    assert message["placements"] == ["assignment_selection"]


def test_each_school_on_one_issuer_keeps_its_own_name(
    canvas: RegisteringPlatform, client: FlaskClient, invite: Invite, database: Database
) -> None:
    canvas.registers(client, invite(name="First school"))
    canvas.used_tokens.clear()
    canvas.client_id = "another-client"
    assert canvas.registers(client, invite(name="Second school")).status_code == 200
    assert [(one.client_id, one.name) for one in registrations(database)] == [
        ("client-of-ours", "First school"),
        ("another-client", "Second school"),
    ]


# The frame ----------------------------------------------------------------------------------------------------------


def test_pages_may_be_framed_by_the_platform_alone_and_close_with_its_exact_origin(
    moodle: RegisteringPlatform, client: FlaskClient, invite: Invite
) -> None:
    address = invite()
    page = moodle.opens(client, address)
    done = moodle.presses(client, address, page)
    for response in (page, done):
        policy = response.headers["Content-Security-Policy"]
        assert policy.endswith(f"frame-ancestors 'self' {moodle.issuer}")
        assert "'unsafe-inline'" not in policy
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in response.headers
    assert f'data-close="{moodle.issuer}"' in done.text


def test_an_error_before_the_platform_is_known_shows_in_any_frame(client: FlaskClient, settings: Settings) -> None:
    response = client.get("/lti/register/nobody-made-this")
    assert response.status_code == 404
    assert "LTI-REG-INVITATION" in response.text
    assert response.headers["Content-Security-Policy"].endswith("frame-ancestors 'self' https: http:")


def test_neither_page_nor_log_nor_trail_shows_token_or_secret(
    moodle: RegisteringPlatform,
    client: FlaskClient,
    invite: Invite,
    database: Database,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    address = invite()
    url = f"{moodle.configuration_url}?registration_token={TOKEN}"
    secret = address.rpartition("/")[2]
    observability.configure(settings.model_copy(update={"log_level": "DEBUG"}))
    page = moodle.opens(client, address, openid_configuration=url)
    moodle.presses(client, address, page)
    moodle.opens(client, address, openid_configuration=url)
    moodle.document = {}
    refused = moodle.opens(client, invite(), openid_configuration=url)
    with database.across_tenants() as connection:
        trail = str(connection.execute("SELECT * FROM audit_events").fetchall())
    # The platform's own server logs in this process too.
    log = "".join(line for line in capsys.readouterr().err.splitlines() if "[werkzeug]" not in line)
    written = page.text + refused.text + log + trail
    assert "platform registered" in log
    assert "LTI-REG-OVER" in trail
    assert TOKEN not in written
    assert secret not in written


# Invitations --------------------------------------------------------------------------------------------------------


def test_only_the_hash_of_an_invitation_is_kept(database: Database, invite: Invite) -> None:
    secret = invite().rpartition("/")[2]
    assert len(secret) >= 40
    with database.across_tenants() as connection:
        row = str(connection.execute("SELECT * FROM invitations").fetchall())
    assert secret not in row


def test_an_invitation_lasts_seven_days(
    moodle: RegisteringPlatform, client: FlaskClient, invite: Invite, database: Database
) -> None:
    address = invite()
    page = moodle.opens(client, address)
    with database.across_tenants() as connection:
        days = fetch_value(connection, "SELECT extract(epoch FROM expires_at - now()) / 86400 FROM invitations")
        assert 6.99 < float(str(days)) <= 7
        connection.execute("UPDATE invitations SET expires_at = now() - interval '1 second'")
    assert invitation_statuses(database) == ["EXPIRED"]
    assert_refused(moodle.opens(client, address), database, 400, "LTI-REG-OVER")
    assert_refused(moodle.presses(client, address, page), database, 400, "LTI-REG-OVER")
    with database.across_tenants() as connection:
        assert not use_invitation(connection, list_invitations(connection)[0].id)


def test_a_revoked_invitation_is_as_if_it_never_was(
    moodle: RegisteringPlatform, client: FlaskClient, invite: Invite, database: Database
) -> None:
    address = invite()
    with database.across_tenants() as connection:
        (invitation,) = list_invitations(connection)
        assert revoke_invitation(connection, invitation.id)
        assert not revoke_invitation(connection, invitation.id)
    assert_refused(moodle.opens(client, address), database, 404, "LTI-REG-INVITATION")
    assert moodle.seen == []


def test_guessing_addresses_is_stopped_and_does_not_fill_the_trail(
    client: FlaskClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One window of the limit, however long this test takes.
    monkeypatch.setattr("lti_tool.launch.rates._WINDOW_SECONDS", 1e9)
    statuses = [client.get(f"/lti/register/guess-{number}").status_code for number in range(TRIES_PER_MINUTE + 5)]
    assert statuses == [404] * TRIES_PER_MINUTE + [429] * 5
    assert client.get("/lti/register/guess").headers["Retry-After"] == "60"
    assert len(events(database)) == TRIES_PER_MINUTE


def test_a_used_invitation_cannot_be_revoked(
    moodle: RegisteringPlatform, client: FlaskClient, invite: Invite, database: Database
) -> None:
    moodle.registers(client, invite())
    with database.across_tenants() as connection:
        assert not revoke_invitation(connection, list_invitations(connection)[0].id)
    assert invitation_statuses(database) == ["USED"]


def test_bad_launch_66_an_invitation_registers_once_also_when_two_come_at_once(
    moodle: RegisteringPlatform, app: Flask, client: FlaskClient, invite: Invite, database: Database, settings: Settings
) -> None:
    address = invite()
    page = moodle.opens(client, address)
    others = [browser(app, settings) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(lambda one: moodle.presses(one, address, page).status_code, others))
    assert statuses == [200, 400, 400, 400, 400, 400]
    assert len(registrations(database)) == 1
    # The others did not even ask the platform.
    assert len([1 for method, _, _ in moodle.seen if method == "POST"]) == 1
    again = moodle.opens(client, address)
    assert (again.status_code, "LTI-REG-OVER" in again.text) == (400, True)


def test_a_form_of_another_invitation_or_an_old_one_does_nothing(
    moodle: RegisteringPlatform,
    client: FlaskClient,
    invite: Invite,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = invite(), invite()
    page = moodle.opens(client, first)
    assert_refused(moodle.presses(client, second, page), database, 400, "LTI-REG-FORM")
    changed = ticket_of(page)[:-6] + "AAAA=="
    for sent in ({"ticket": changed}, {"ticket": "not\u00e1 ticket"}, {}):
        assert_refused(client.post(urlsplit(first).path, data=sent), database, 400, "LTI-REG-FORM")
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 3700)
    assert_refused(moodle.presses(client, first, page), database, 400, "LTI-REG-FORM")
    assert moodle.applications == []


# Row 66: what a platform may not be ---------------------------------------------------------------------------------


@pytest.fixture
def strict_client(settings: Settings) -> Iterator[FlaskClient]:
    """A browser in front of the tool as in production: https and public addresses only."""
    strict = create_app(settings.model_copy(update={"allow_private_platforms": False}))
    yield browser(strict, settings)
    strict.extensions["mlquiz"].database.close()


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://moodle.example.edu/openid-configuration", id="http"),
        pytest.param("https://127.0.0.1/openid-configuration", id="loopback"),
        pytest.param("https://169.254.169.254/latest/meta-data", id="metadata"),
        pytest.param("https://[::ffff:10.0.0.1]/openid-configuration", id="private_in_ipv6"),
        pytest.param("https://localhost/openid-configuration", id="localhost"),
        pytest.param("https://user@moodle.example.edu/", id="userinfo"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("//moodle.example.edu/", id="no_scheme"),
        pytest.param("https://[", id="broken"),
    ],
)
def test_bad_launch_66_address_of_no_platform(
    strict_client: FlaskClient, moodle: RegisteringPlatform, invite: Invite, database: Database, url: str
) -> None:
    response = moodle.opens(strict_client, invite(), openid_configuration=url)
    assert_refused(response, database, 400, "LTI-REG-ADDRESS")
    assert moodle.seen == []


def test_bad_launch_66_private_address_of_a_running_platform(
    strict_client: FlaskClient, moodle: RegisteringPlatform, invite: Invite, database: Database
) -> None:
    assert_refused(moodle.opens(strict_client, invite()), database, 400, "LTI-REG-ADDRESS")
    assert moodle.seen == []


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        pytest.param("issuer", "http://other.example", "LTI-REG-ISSUER", id="issuer_of_another_host"),
        pytest.param("issuer", "http://localhost:1", "LTI-REG-ISSUER", id="issuer_of_another_port"),
        pytest.param("issuer", "https://canvas.instructure.com", "LTI-REG-ISSUER", id="issuer_of_canvas"),
        pytest.param("authorization_endpoint", "http://other.example/auth", "LTI-REG-ENDPOINT", id="login_elsewhere"),
        pytest.param("token_endpoint", "http://other.example/token", "LTI-REG-ENDPOINT", id="token_elsewhere"),
        pytest.param("jwks_uri", "http://other.example/jwks", "LTI-REG-ENDPOINT", id="keys_elsewhere"),
        pytest.param(
            "registration_endpoint", "http://other.example/r", "LTI-REG-ENDPOINT", id="registration_elsewhere"
        ),
        pytest.param(
            "registration_endpoint", "http://localhost.evil/r", "LTI-REG-ENDPOINT", id="name_that_begins_alike"
        ),
    ],
)
def test_bad_launch_66_a_platform_that_speaks_for_another(
    moodle: RegisteringPlatform,
    client: FlaskClient,
    invite: Invite,
    database: Database,
    name: str,
    value: str,
    code: str,
) -> None:
    address = invite()
    page = moodle.opens(client, address)
    moodle.document[name] = value
    assert_refused(moodle.opens(client, address), database, 400, code)
    # Also if it says so only when the button is pressed.
    assert_refused(moodle.presses(client, address, page), database, 400, code)
    assert moodle.applications == []
    assert invitation_statuses(database) == ["OPEN"]


ABSENT = object()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param("issuer", ABSENT, id="no_issuer"),
        pytest.param("issuer", 5, id="issuer_a_number"),
        pytest.param("issuer", "moodle.example.edu", id="issuer_no_address"),
        pytest.param("registration_endpoint", ABSENT, id="no_registration"),
        pytest.param("token_endpoint", "javascript:alert(1)", id="token_no_address"),
        pytest.param("token_endpoint", "http://[", id="token_broken"),
        pytest.param("jwks_uri", ["http://localhost/jwks"], id="keys_a_list"),
        pytest.param("jwks_uri", "http://localhost/\u0440", id="keys_not_ascii"),
        pytest.param("authorization_endpoint", "http://us@localhost/auth", id="login_with_user"),
        pytest.param("authorization_endpoint", "http://localhost/auth#x", id="login_with_fragment"),
        pytest.param("authorization_endpoint", "http://localhost/" + "a" * 2000, id="login_too_long"),
        pytest.param(PLATFORM, ABSENT, id="no_lti"),
        pytest.param(PLATFORM, {"messages_supported": [{"placements": []}]}, id="message_without_type"),
        pytest.param("token_endpoint_auth_methods_supported", ["client_secret_basic"], id="no_signed_tokens"),
        pytest.param("id_token_signing_alg_values_supported", ["HS256"], id="no_rs256"),
        pytest.param("response_types_supported", ["code"], id="no_id_token"),
    ],
)
def test_bad_launch_66_a_configuration_that_is_wrong(
    moodle: RegisteringPlatform, client: FlaskClient, invite: Invite, database: Database, place: str, value: Any
) -> None:
    moodle.document[place] = value
    moodle.document = {name: said for name, said in moodle.document.items() if said is not ABSENT}
    assert_refused(moodle.opens(client, invite()), database, 400, "LTI-REG-CONFIGURATION")


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        pytest.param(
            Response(b'{"issuer": "' + b"x" * 10_000_000 + b'"}', 200), 400, "LTI-REG-CONFIGURATION", id="10_megabytes"
        ),
        pytest.param(Response("<html>", 200), 400, "LTI-REG-CONFIGURATION", id="html"),
        pytest.param(Response("[" * 100_000, 200), 400, "LTI-REG-CONFIGURATION", id="deep"),
        pytest.param(Response("[]", 200), 400, "LTI-REG-CONFIGURATION", id="list"),
        pytest.param(Response("", 404), 400, "LTI-REG-CONFIGURATION", id="not_found"),
        pytest.param(
            Response("", 302, {"Location": "http://169.254.169.254/"}), 400, "LTI-REG-CONFIGURATION", id="redirect"
        ),
        pytest.param(Response("", 401), 400, "LTI-REG-TOKEN", id="unauthorized"),
        pytest.param(Response("", 500), 503, "LTI-REG-SILENT", id="broken"),
    ],
)
def test_bad_launch_66_an_answer_that_is_no_configuration(
    moodle: RegisteringPlatform,
    client: FlaskClient,
    invite: Invite,
    database: Database,
    answer: Response,
    status: int,
    code: str,
) -> None:
    moodle.document = answer
    response = moodle.opens(client, invite())
    assert_refused(response, database, status, code)
    assert ("Retry-After" in response.headers) == (status == 503)


def test_bad_launch_66_no_platform_at_the_address(client: FlaskClient, invite: Invite, database: Database) -> None:
    nobody = "http://127.0.0.1:1/openid-configuration"
    response = client.get(urlsplit(invite()).path, query_string={"openid_configuration": nobody})
    assert_refused(response, database, 503, "LTI-REG-SILENT")


def test_bad_launch_66_a_registration_token_used_twice(
    moodle: RegisteringPlatform, client: FlaskClient, invite: Invite, database: Database
) -> None:
    moodle.used_tokens.add(TOKEN)
    address = invite()
    assert_refused(moodle.registers(client, address), database, 400, "LTI-REG-TOKEN")
    assert invitation_statuses(database) == ["OPEN"]
    # The platform starts again with a new token: the same address is still good.
    moodle.used_tokens.clear()
    assert moodle.registers(client, address).status_code == 200


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        pytest.param(Response("invalid_redirect_uris", 400), 400, "LTI-REG-DECLINED", id="declined"),
        pytest.param(Response("token_already_used", 400), 400, "LTI-REG-TOKEN", id="token_used_as_400"),
        pytest.param(Response("oops", 500), 400, "LTI-REG-DECLINED", id="broken"),
        pytest.param(Response("", 503), 503, "LTI-REG-SILENT", id="busy"),
        pytest.param(Response("", 302, {"Location": "/elsewhere"}), 400, "LTI-REG-DECLINED", id="redirect"),
        pytest.param(Response("registered", 200), 400, "LTI-REG-ANSWER", id="no_json"),
        pytest.param(Response("[]", 200), 400, "LTI-REG-ANSWER", id="list"),
        pytest.param(Response("{}", 200), 400, "LTI-REG-ANSWER", id="no_client"),
        pytest.param(Response('{"client_id": 5}', 200), 400, "LTI-REG-ANSWER", id="client_a_number"),
        pytest.param(Response(json.dumps({"client_id": "a\x00b"}), 200), 400, "LTI-REG-ANSWER", id="client_with_nul"),
        pytest.param(Response(json.dumps({"client_id": "a" * 256}), 200), 400, "LTI-REG-ANSWER", id="client_too_long"),
        pytest.param(
            Response(json.dumps({"client_id": "a", TOOL: {"deployment_id": ""}}), 200),
            400,
            "LTI-REG-ANSWER",
            id="deployment_empty",
        ),
    ],
)
def test_bad_launch_66_a_platform_that_does_not_register(
    moodle: RegisteringPlatform,
    client: FlaskClient,
    invite: Invite,
    database: Database,
    answer: Response,
    status: int,
    code: str,
) -> None:
    moodle.answers = [answer]
    address = invite()
    assert_refused(moodle.registers(client, address), database, status, code)
    assert moodle.registers(client, address).status_code == 200, "the invitation was spoilt"


def test_bad_launch_66_a_platform_cannot_take_over_a_known_registration(
    moodle: RegisteringPlatform, client: FlaskClient, invite: Invite, database: Database
) -> None:
    moodle.registers(client, invite())
    (before,) = registrations(database)
    with database.across_tenants() as connection:
        connection.execute("UPDATE registrations SET disabled_at = now()")
    moodle.used_tokens.clear()
    moodle.document["authorization_endpoint"] = f"{moodle.issuer}/other"
    response = moodle.registers(client, invite(name="Somebody else"))
    assert (response.status_code, "LTI-REG-KNOWN" in response.text) == (400, True)
    (after,) = registrations(database)
    assert after.disabled_at is not None
    assert replace(after, disabled_at=None) == before
    assert sorted(invitation_statuses(database)) == ["OPEN", "USED"]


def test_bad_launch_66_a_platform_cannot_take_the_client_id_of_another(
    moodle: RegisteringPlatform, client: FlaskClient, invite: Invite, database: Database
) -> None:
    """Moodle does not look at whom an assertion is for: one for the second would open the gradebooks of the first."""
    with database.across_tenants() as connection:
        add_platform(
            connection,
            issuer="https://victim.example.edu",
            client_id=moodle.client_id,
            auth_login_url="https://victim.example.edu/mod/lti/auth.php",
            auth_token_url="https://victim.example.edu/mod/lti/token.php",
            jwks_url="https://victim.example.edu/mod/lti/certs.php",
        )
    response = moodle.registers(client, invite())
    assert (response.status_code, "LTI-REG-KNOWN" in response.text) == (400, True)
    assert [each.issuer for each in registrations(database)] == ["https://victim.example.edu"]
    assert invitation_statuses(database) == ["OPEN"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"openid_configuration": None}, id="opened_by_hand"),
        pytest.param({"openid_configuration": "https://moodle.example.edu/" + "a" * 5000}, id="too_long"),
        pytest.param({"openid_configuration": "https://moodle.example.edu/\x00"}, id="nul"),
        pytest.param({"registration_token": "a\r\nX-Injected: yes"}, id="header_injection"),
        pytest.param({"registration_token": "a b"}, id="blank"),
    ],
)
def test_bad_launch_66_a_request_that_cannot_be_read(
    moodle: RegisteringPlatform,
    client: FlaskClient,
    invite: Invite,
    database: Database,
    changes: dict[str, str | None],
) -> None:
    assert_refused(moodle.opens(client, invite(), **changes), database, 400, "LTI-REG-REQUEST")
    assert moodle.seen == []


def test_bad_launch_66_a_repeated_parameter(
    moodle: RegisteringPlatform, client: FlaskClient, invite: Invite, database: Database
) -> None:
    query = f"openid_configuration={moodle.configuration_url}&openid_configuration=https://evil.example/"
    assert_refused(client.get(f"{urlsplit(invite()).path}?{query}"), database, 400, "LTI-REG-REQUEST")


def test_a_moodle_without_a_registration_token_is_asked_without_one(
    moodle: RegisteringPlatform, client: FlaskClient, invite: Invite, database: Database
) -> None:
    address = invite()
    page = moodle.opens(client, address, registration_token=None)
    assert page.status_code == 200
    assert_refused(moodle.presses(client, address, page), database, 400, "LTI-REG-TOKEN")
    assert all("Authorization" not in headers for _, _, headers in moodle.seen)


# Canvas without a registration --------------------------------------------------------------------------------------


def test_the_developer_key_is_served_and_may_be_kept(client: FlaskClient, settings: Settings) -> None:
    named, unnamed = client.get("/lti/canvas.json"), client.get("/lti/canvas.json?names=no")
    assert named.content_type == "application/json"
    assert named.headers["Cache-Control"] == "public, max-age=3600"
    assert named.json == developer_key(settings.base_url, wants_names=True)
    assert unnamed.json == developer_key(settings.base_url, wants_names=False)
    assert '"privacy_level":"anonymous"' in unnamed.text
