"""What a good launch stores, and how the session after it is guarded."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from flask import Flask, g
from flask.testing import FlaskClient

from config.settings import Settings
from lti_tool.db import Database, fetch_value
from lti_tool.launch import platforms
from lti_tool.launch.rates import MinuteLimit
from lti_tool.launch.sessions import LaunchSession, find_session
from lti_tool.launch.views import csrf_token, current_session, with_session
from tests.fake_platform import (
    ABSENT,
    AGS,
    LTI,
    MEMBERSHIP,
    FakePlatform,
    _launch_database,
    app,
    browser,
    client,
    database_url,
    events,
    platform,
    rows,
)

__all__ = ["_launch_database", "app", "client", "database_url", "platform"]

INSTITUTION = "http://purl.imsglobal.org/vocab/lis/v2/institution/person"
TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"


def session_of(client: FlaskClient, database: Database, location: str) -> LaunchSession:
    """The session that a launch led to, found with the browser's own cookie."""
    session_id = UUID(location.rstrip("/").rpartition("/")[2])
    cookie = client.get_cookie("__Secure-launch", path=f"/launches/{session_id}/")
    assert cookie is not None
    with database.across_tenants() as connection:
        session = find_session(connection, session_id, cookie.value)
    assert session is not None
    return session


def launched(platform: FakePlatform, client: FlaskClient, database: Database, **changes: Any) -> LaunchSession:
    response = platform.launch(client, **changes)
    assert response.status_code == 303, response.text
    return session_of(client, database, response.location)


@pytest.fixture
def guarded(app: Flask) -> list[str]:
    """Pages behind a launch, and what ran of them."""
    ran: list[str] = []

    @app.get("/launches/<uuid:launch_id>/whoami")
    @with_session()
    def home(launch_id: UUID) -> dict[str, Any]:
        return {"token": csrf_token(), "user": current_session().user_name, "role": g.launch_session.role}

    @app.post("/launches/<uuid:launch_id>/change")
    @with_session("INSTRUCTOR", "LEARNER")
    def change(launch_id: UUID) -> str:
        ran.append("change")
        return "changed"

    @app.get("/launches/<uuid:launch_id>/teaching")
    @with_session("INSTRUCTOR")
    def teaching(launch_id: UUID) -> str:
        return "teaching"

    return ran


# The login --------------------------------------------------------------------------------------------------------


def test_a_login_asks_the_platform_for_a_token(platform: FakePlatform, client: FlaskClient) -> None:
    asked = platform.logged_in(client)
    assert {name: asked[name] for name in asked if name not in {"state", "nonce"}} == {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": "our-client",
        "redirect_uri": "http://localhost:8400/lti/launch",
        "login_hint": "user-5",
        "lti_message_hint": '{"cmid": 12, "launchid": "ltilaunch12_1"}',
    }
    assert len(asked["nonce"]) >= 32


def test_the_redirect_address_never_carries_the_quiz(platform: FakePlatform, client: FlaskClient) -> None:
    asked = platform.logged_in(client, target_link_uri=f"{platform.target}?quiz=1")
    assert asked["redirect_uri"] == platform.target


def test_a_login_address_with_a_query_keeps_it(platform: FakePlatform, client: FlaskClient, database: Database) -> None:
    with database.across_tenants() as connection:
        connection.execute("UPDATE registrations SET auth_login_url = auth_login_url || '?tenant=4'")
    location = platform.login(client).location
    assert "/auth.php?tenant=4&scope=openid" in location


def test_a_login_without_hint_for_the_message_sends_none(platform: FakePlatform, client: FlaskClient) -> None:
    assert "lti_message_hint" not in platform.logged_in(client, lti_message_hint=ABSENT)


def test_the_state_cookie_is_one_that_frames_keep(platform: FakePlatform, client: FlaskClient) -> None:
    header = platform.login(client).headers["Set-Cookie"]
    assert header.startswith("__Secure-state-")
    for part in ("Secure", "HttpOnly", "SameSite=None", "Partitioned", "Path=/lti/launch", "Max-Age=600"):
        assert part in header


def test_only_hashes_of_state_and_nonce_are_stored(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    asked = platform.logged_in(client)
    with database.across_tenants() as connection:
        stored = str(connection.execute("SELECT * FROM logins").fetchall())
    assert asked["state"] not in stored
    assert asked["nonce"] not in stored


def test_logins_of_an_hour_ago_are_forgotten(platform: FakePlatform, client: FlaskClient, database: Database) -> None:
    platform.logged_in(client)
    with database.across_tenants() as connection:
        connection.execute("UPDATE logins SET created_at = created_at - interval '61 minutes'")
    platform.logged_in(client)
    with database.across_tenants() as connection:
        assert fetch_value(connection, "SELECT count(*) FROM logins") == 1


def test_hints_too_long_to_be_carried_still_log_in(
    platform: FakePlatform, app: Flask, client: FlaskClient, settings: Settings
) -> None:
    asked = platform.logged_in(client, lti_message_hint="x" * 4000)
    assert asked["lti_message_hint"] == "x" * 4000
    assert len(asked["state"]) < 100
    response = platform.post(browser(app, settings), platform.signed(platform.claims(asked["nonce"])), asked["state"])
    assert response.status_code == 401
    assert "target=" not in response.text


# What is stored ---------------------------------------------------------------------------------------------------


def test_a_launch_opens_a_session_with_all_that_pages_need(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    session = launched(platform, client, database)
    assert (session.role, session.locale, session.deep_linking) == ("LEARNER", "ko", None)
    assert (session.user_sub, session.user_name, session.is_test_user) == ("student-1", "Ada Lovelace", False)
    assert (session.context_title, session.resource_link_title) == ("Machine learning", "Quiz one")
    assert session.line_item_url == f"{platform.registration.issuer}/lineitems/4/lineitem?type_id=2"
    assert session.ags_scopes == ("https://purl.imsglobal.org/spec/lti-ags/scope/score",)
    assert (session.issuer, session.family) == (platform.registration.issuer, "moodle")
    assert session.platform_deployment_id == "7"
    assert session.frame_ancestors == (platform.registration.issuer,)
    assert (session.expires_at - session.created_at).total_seconds() == 12 * 3600
    assert events(database) == ["launch"]


def test_a_second_launch_updates_and_opens_another_session(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    first = launched(platform, client, database)
    changed = {"id": "link-9", "title": "Renamed"}
    second = launched(platform, client, database, name=ABSENT, **{f"{LTI}/resource_link": changed})
    assert rows(database) == {"users": 1, "contexts": 1, "resource_links": 1, "launch_sessions": 2}
    assert second.id != first.id
    assert (second.user_name, second.resource_link_title) == ("Ada Lovelace", "Renamed")


def test_a_column_that_was_taken_away_is_forgotten(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    launched(platform, client, database)
    assert launched(platform, client, database, **{AGS: ABSENT}).line_item_url is None


def test_a_column_found_in_the_list_stays_while_the_list_is_the_same(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    launched(platform, client, database)
    only_list = {"scope": [], "lineitems": f"{platform.registration.issuer}/lineitems?type_id=2"}
    assert launched(platform, client, database, **{AGS: only_list}).line_item_url is not None
    other_list = {"scope": [], "lineitems": f"{platform.registration.issuer}/lineitems?type_id=3"}
    assert launched(platform, client, database, **{AGS: other_list}).line_item_url is None


@pytest.mark.parametrize("where", ["custom", "target"])
def test_the_quiz_comes_from_the_custom_parameter_or_the_address(
    platform: FakePlatform, client: FlaskClient, database: Database, where: str
) -> None:
    session = launched(platform, client, database)
    with database.transaction(session.registration_id) as connection:
        quiz_id = fetch_value(
            connection,
            "INSERT INTO quizzes (context_id, title, language) VALUES (%s, 'Q', 'en') RETURNING id",
            session.context_id,
        )
    target = f"{platform.target}?quiz={quiz_id}"
    changes: dict[str, Any] = {f"{LTI}/custom": {"quiz_id": str(quiz_id), "course": 4, "unset": "$Course.x"}}
    login: dict[str, Any] = {}
    if where == "target":
        changes, login = {f"{LTI}/target_link_uri": target}, {"target_link_uri": target}
    response = platform.launch(client, change_login=login, **changes)
    assert session_of(client, database, response.location).quiz_id == quiz_id
    assert launched(platform, client, database).quiz_id == quiz_id


def test_a_quiz_of_another_registration_is_not_found(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    with database.across_tenants() as connection:
        other = platforms.add_platform(
            connection,
            issuer="https://other.example",
            client_id="c",
            auth_login_url="https://other.example/a",
            auth_token_url="https://other.example/t",
            jwks_url="https://other.example/k",
            deployment_ids=["1"],
        )
    with database.transaction(other.id) as connection:
        quiz_id = fetch_value(
            connection,
            "WITH course AS (INSERT INTO contexts (deployment_id, platform_context_id)"
            " SELECT id, 'c' FROM deployments RETURNING id)"
            " INSERT INTO quizzes (context_id, title, language) SELECT id, 'Q', 'en' FROM course RETURNING id",
        )
    response = platform.launch(client, **{f"{LTI}/custom": {"quiz_id": str(quiz_id)}})
    assert response.status_code == 404
    assert "LTI-QUIZ" in response.text


def test_names_are_stored_as_one_plain_line(platform: FakePlatform, client: FlaskClient, database: Database) -> None:
    session = launched(platform, client, database, name="<script>\u202eevil\n name" + "x" * 400)
    assert session.user_name is not None
    assert session.user_name.startswith("<script>evil name")
    assert len(session.user_name) == 300


def test_without_a_name_none_is_stored(platform: FakePlatform, client: FlaskClient, database: Database) -> None:
    assert launched(platform, client, database, name=ABSENT).user_name is None


def test_given_and_family_name_make_a_name(platform: FakePlatform, client: FlaskClient, database: Database) -> None:
    assert launched(platform, client, database, name=None, given_name="A", family_name="B").user_name == "A B"


@pytest.mark.parametrize(("locale", "expected"), [("en-US", "en-US"), ("ko_KR", "ko_KR"), ("<x>", "en"), (None, "en")])
def test_a_locale_that_is_none_becomes_english(
    platform: FakePlatform, client: FlaskClient, database: Database, locale: str | None, expected: str
) -> None:
    session = launched(platform, client, database, **{f"{LTI}/launch_presentation": {"locale": locale}})
    assert session.locale == expected


# Accepted variants of the matrix ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [2, 29])
def test_row_40_a_clock_that_is_a_little_ahead_is_forgiven(
    platform: FakePlatform, client: FlaskClient, database: Database, ahead: int
) -> None:
    now = int(time.time())
    launched(platform, client, database, iat=now + ahead, exp=now + ahead + 60)


def test_a_list_of_audiences_with_our_azp_is_accepted(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    launched(platform, client, database, aud=["our-client"])
    launched(platform, client, database, aud=["other", "our-client"], azp="our-client")


@pytest.mark.parametrize("roles", [[], ["urn:something:else"], [f"{MEMBERSHIP}#Mentor"]])
def test_row_57_unknown_roles_give_no_privilege(
    platform: FakePlatform, client: FlaskClient, database: Database, roles: list[str]
) -> None:
    assert launched(platform, client, database, **{f"{LTI}/roles": roles}).role == "NONE"


def test_row_60_staff_who_study_are_learners(platform: FakePlatform, client: FlaskClient, database: Database) -> None:
    roles = [f"{INSTITUTION}#Instructor", f"{MEMBERSHIP}#Learner"]
    assert launched(platform, client, database, **{f"{LTI}/roles": roles}).role == "LEARNER"


def test_canvas_test_students_are_marked(platform: FakePlatform, client: FlaskClient, database: Database) -> None:
    session = launched(platform, client, database, **{f"{LTI}/roles": [f"{MEMBERSHIP}#Learner", TEST_USER]})
    assert (session.role, session.is_test_user) == ("LEARNER", True)


# The session ------------------------------------------------------------------------------------------------------


def test_the_session_cookie_is_bound_to_its_launch(platform: FakePlatform, client: FlaskClient) -> None:
    response = platform.launch(client)
    path = response.location.removeprefix("http://localhost:8400")
    header = response.headers["Set-Cookie"]
    assert header.startswith("__Secure-launch=")
    for part in ("Secure", "HttpOnly", "SameSite=None", "Partitioned", f"Path={path}"):
        assert part in header


def test_two_launches_in_two_tabs_do_not_mix(platform: FakePlatform, client: FlaskClient, guarded: list[str]) -> None:
    teacher = {f"{LTI}/roles": [f"{MEMBERSHIP}#Instructor"]}
    first = platform.launch(client).location
    second = platform.launch(client, sub="teacher", name="Grace", **teacher).location
    assert client.get(first + "whoami").json == {
        "token": client.get(first + "whoami").json["token"],
        "user": "Ada Lovelace",
        "role": "LEARNER",
    }
    assert client.get(second + "whoami").json["user"] == "Grace"


def test_another_browser_has_no_session(
    platform: FakePlatform, app: Flask, client: FlaskClient, settings: Settings, guarded: list[str]
) -> None:
    location = platform.launch(client).location
    response = browser(app, settings).get(location + "whoami")
    assert response.status_code == 401
    assert "SESSION" in response.text


def test_a_session_with_a_wrong_secret_is_refused(
    platform: FakePlatform, client: FlaskClient, guarded: list[str], database: Database
) -> None:
    first, second = platform.launch(client).location, platform.launch(client).location
    stolen = client.get_cookie("__Secure-launch", path=second.removeprefix("http://localhost:8400"))
    assert stolen is not None
    client.set_cookie("__Secure-launch", stolen.value, path=first.removeprefix("http://localhost:8400"))
    assert client.get(first + "whoami").status_code == 401


@pytest.mark.parametrize(
    "end",
    [
        lambda connection, platform: connection.execute("UPDATE launch_sessions SET expires_at = now()"),
        lambda connection, platform: platforms.disable_registration(connection, platform.registration.id),
        lambda connection, platform: platforms.disable_deployment(connection, platform.registration.id, "7"),
    ],
    ids=["over", "registration", "deployment"],
)
def test_a_session_ends(
    platform: FakePlatform,
    client: FlaskClient,
    guarded: list[str],
    database: Database,
    end: Callable[[Any, FakePlatform], object],
) -> None:
    location = platform.launch(client).location
    assert client.get(location + "whoami").status_code == 200
    with database.across_tenants() as connection:
        end(connection, platform)
    assert client.get(location + "whoami").status_code == 401


def test_sessions_that_ended_long_ago_are_forgotten(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    platform.launch(client)
    with database.across_tenants() as connection:
        connection.execute("UPDATE launch_sessions SET expires_at = now() - interval '2 days'")
    platform.launch(client)
    assert rows(database)["launch_sessions"] == 1


def test_a_learner_does_not_see_an_instructors_page(
    platform: FakePlatform, client: FlaskClient, guarded: list[str]
) -> None:
    response = client.get(platform.launch(client).location + "teaching")
    assert response.status_code == 403
    instructor = platform.launch(client, **{f"{LTI}/roles": [f"{MEMBERSHIP}#Instructor"]})
    assert client.get(instructor.location + "teaching").text == "teaching"


def test_only_the_platform_may_frame_the_session(
    platform: FakePlatform, client: FlaskClient, guarded: list[str]
) -> None:
    policy = client.get(platform.launch(client).location + "whoami").headers["Content-Security-Policy"]
    assert policy.endswith(f"frame-ancestors 'self' {platform.registration.issuer}")


# Forms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost:8400", "Sec-Fetch-Site": "same-origin"},
        # What browsers send for our own forms under Referrer-Policy: no-referrer.
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_a_form_of_our_own_page_is_taken(
    platform: FakePlatform, client: FlaskClient, guarded: list[str], headers: dict[str, str]
) -> None:
    location = platform.launch(client).location
    token = client.get(location + "whoami").json["token"]
    assert client.post(location + "change", data={"csrf_token": token}, headers=headers).text == "changed"
    assert client.post(location + "change", headers={"X-CSRF-Token": token, **headers}).text == "changed"


@pytest.mark.parametrize(
    ("keep_token", "headers"),
    [
        (False, {}),
        (False, {"X-CSRF-Token": "ü"}),
        (True, {"Origin": "https://evil.example"}),
        (True, {"Sec-Fetch-Site": "cross-site"}),
        (True, {"Sec-Fetch-Site": "same-site", "Origin": "null"}),
    ],
)
def test_a_form_from_elsewhere_changes_nothing(
    platform: FakePlatform, client: FlaskClient, guarded: list[str], keep_token: bool, headers: dict[str, str]
) -> None:
    location = platform.launch(client).location
    data = {"csrf_token": client.get(location + "whoami").json["token"]} if keep_token else {}
    response = client.post(location + "change", data=data, headers=headers)
    assert response.status_code == 403
    assert "FORM-TOKEN" in response.text
    assert guarded == []


def test_the_token_of_another_launch_is_refused(
    platform: FakePlatform, client: FlaskClient, guarded: list[str]
) -> None:
    first, second = platform.launch(client).location, platform.launch(client).location
    token = client.get(first + "whoami").json["token"]
    assert client.post(second + "change", data={"csrf_token": token}).status_code == 403
    assert guarded == []


# What anyone may read ---------------------------------------------------------------------------------------------


def test_the_key_set_shows_public_halves_only(client: FlaskClient) -> None:
    response = client.get("/lti/jwks.json")
    (key,) = json.loads(response.text)["keys"]
    assert key.keys() == {"kty", "use", "alg", "kid", "n", "e"}
    assert "max-age" in response.headers["Cache-Control"]
    assert client.get("/lti/jwks.json").json == response.json


def test_the_landing_page_and_the_logo_are_there(client: FlaskClient) -> None:
    assert "http://localhost:8400/lti/launch" in client.get("/").text
    logo = client.get("/lti/logo.svg")
    assert logo.content_type == "image/svg+xml"
    assert logo.text.startswith("<svg")


# Floods -----------------------------------------------------------------------------------------------------------


def test_a_flood_of_refused_launches_does_not_fill_the_trail(
    platform: FakePlatform, app: Flask, client: FlaskClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One window of the limit, however long this test takes.
    monkeypatch.setattr("lti_tool.launch.rates._WINDOW_SECONDS", 1e9)
    common = app.extensions["mlquiz.launch"]
    app.extensions["mlquiz.launch"] = replace(common, refusal_limit=MinuteLimit(5))
    statuses = {client.post("/lti/launch", data={"state": "made up", "id_token": "x"}).status_code for _ in range(20)}
    assert (statuses, events(database)) == ({401}, ["LTI-STATE"] * 5)
    # Each login has a share of its own, so that a flood hides nobody else's refusal.
    asked = platform.logged_in(client)
    for _ in range(20):
        assert platform.post(client, "no token", asked["state"]).status_code == 400
    assert events(database)[5:] == ["LTI-TOKEN-FORM"] * 5


@pytest.mark.parametrize("host", ["例え.example", "a.example;script-src-elem https:", "a.example,https:"])
def test_a_gradebook_address_that_no_header_can_hold_is_refused(
    platform: FakePlatform, client: FlaskClient, database: Database, host: str
) -> None:
    response = platform.launch(client, **{AGS: {"scope": [], "lineitems": f"https://{host}/items"}})
    assert (response.status_code, events(database)) == (400, ["LTI-CLAIM"])
