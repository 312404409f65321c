"""Bad launches, one fault each: status, code, and nothing stored but the audit row. Numbers are rows of the matrix."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from flask import Flask
from flask.testing import FlaskClient
from werkzeug import Response

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.launch import logins, platforms
from lti_tool.launch.views import LOGINS_PER_MINUTE
from tests.fake_platform import (
    ABSENT,
    AGS,
    DL_SETTINGS,
    KEYS,
    LTI,
    MEMBERSHIP,
    NOTHING,
    FakePlatform,
    _launch_database,
    app,
    browser,
    client,
    database_url,
    encoded,
    events,
    platform,
    rows,
)

__all__ = ["_launch_database", "app", "client", "database_url", "platform"]

NOW = int(time.time())


def assert_refused(response: Any, database: Database, status: int, code: str) -> None:
    """The page has status and code but nothing of the token, and only the audit row was stored."""
    assert (response.status_code, code in response.text) == (status, True), response.text
    assert "student-1" not in response.text
    assert "Ada" not in response.text
    assert rows(database) == NOTHING
    assert events(database)[-1] == code
    assert "__Secure-launch" not in response.headers.get("Set-Cookie", "")


# Login, rows 1 to 9 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        pytest.param({"iss": ABSENT}, 400, "LTI-LOGIN-ISS", id="row_01"),
        pytest.param({"login_hint": ABSENT}, 400, "LTI-LOGIN-HINT", id="row_02"),
        pytest.param({"iss": "https://unknown.example"}, 403, "LTI-REGISTRATION", id="row_03"),
        pytest.param({"client_id": "unknown"}, 403, "LTI-REGISTRATION", id="row_04"),
        pytest.param({"target_link_uri": "https://evil.example/lti/launch"}, 400, "LTI-LOGIN-TARGET", id="row_06"),
        pytest.param({"target_link_uri": "//evil.example/lti/launch"}, 400, "LTI-LOGIN-TARGET", id="row_06_no_scheme"),
        pytest.param({"target_link_uri": ABSENT}, 400, "LTI-LOGIN-TARGET", id="row_06_absent"),
        pytest.param({"target_link_uri": "http://localhost:8400/lti/login"}, 400, "LTI-LOGIN-TARGET", id="row_07"),
        pytest.param({"login_hint": "x" * 9000}, 400, "LTI-LOGIN-FORM", id="too_long"),
        pytest.param({"iss": "http://a.example/\x00"}, 400, "LTI-LOGIN-FORM", id="nul"),
        pytest.param({"iss": ["https://a.example", "https://b.example"]}, 400, "LTI-LOGIN-FORM", id="repeated"),
    ],
)
def test_bad_launch_login(
    platform: FakePlatform, client: FlaskClient, database: Database, changes: dict[str, Any], status: int, code: str
) -> None:
    assert_refused(platform.login(client, **changes), database, status, code)


def test_bad_launch_row_03_an_unknown_login_address_gets_the_page_of_an_unknown_issuer(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    response = client.post("/lti/login/00000000-0000-4000-8000-000000000000", data=platform.login_form())
    assert_refused(response, database, 403, "LTI-REGISTRATION")


def test_bad_launch_row_05_an_issuer_with_two_clients_needs_the_address_of_its_own(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    registration = platform.registration
    assert client.post("/lti/login", data=platform.login_form(client_id=ABSENT)).status_code == 302
    with database.across_tenants() as connection:
        platforms.add_platform(
            connection,
            issuer=registration.issuer,
            client_id="second-client",
            auth_login_url=registration.auth_login_url,
            auth_token_url=registration.auth_token_url,
            jwks_url=registration.jwks_url,
        )
    response = client.post("/lti/login", data=platform.login_form(client_id=ABSENT))
    assert_refused(response, database, 400, "LTI-LOGIN-CLIENT")
    assert client.post("/lti/login", data=platform.login_form(client_id="second-client")).status_code == 302


def test_bad_launch_row_08_a_disabled_registration_neither_logs_in_nor_launches(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    asked = platform.logged_in(client)
    with database.across_tenants() as connection:
        platforms.disable_registration(connection, platform.registration.id)
    assert_refused(platform.login(client), database, 403, "LTI-DISABLED")
    token = platform.signed(platform.claims(asked["nonce"]))
    assert_refused(platform.post(client, token, asked["state"]), database, 403, "LTI-DISABLED")


def test_bad_launch_row_09_a_flood_of_logins_is_told_to_wait(platform: FakePlatform, client: FlaskClient) -> None:
    limit = client.application.extensions["mlquiz.launch"].login_limit
    for _ in range(LOGINS_PER_MINUTE + 1):
        limit.allows("127.0.0.1")
    response = platform.login(client)
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "60"


# The request, rows 10 to 21, 64, 70 -------------------------------------------------------------------------------


def test_bad_launch_row_10_by_get(client: FlaskClient, platform: FakePlatform) -> None:
    response = client.get("/lti/launch")
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]


def test_bad_launch_row_11_without_a_token(platform: FakePlatform, client: FlaskClient, database: Database) -> None:
    response = client.post("/lti/launch", data={"state": platform.logged_in(client)["state"]})
    assert_refused(response, database, 400, "LTI-TOKEN-MISSING")


def test_bad_launch_row_12_without_a_state(platform: FakePlatform, client: FlaskClient, database: Database) -> None:
    token = platform.signed(platform.claims(platform.logged_in(client)["nonce"]))
    assert_refused(client.post("/lti/launch", data={"id_token": token}), database, 400, "LTI-STATE-MISSING")


@pytest.mark.parametrize("altered", [lambda state: state + "x", lambda state: "x" + state, lambda state: "\x00"])
def test_bad_launch_row_13_with_an_altered_state(
    platform: FakePlatform, client: FlaskClient, database: Database, altered: Callable[[str], str]
) -> None:
    asked = platform.logged_in(client)
    token = platform.signed(platform.claims(asked["nonce"]))
    assert_refused(platform.post(client, token, altered(asked["state"])), database, 401, "LTI-STATE")


def test_bad_launch_row_14_without_the_cookie_offers_a_new_window_that_works(
    platform: FakePlatform, app: Flask, client: FlaskClient, settings: Settings, database: Database
) -> None:
    asked = platform.logged_in(client)
    framed = browser(app, settings)
    response = platform.post(framed, platform.signed(platform.claims(asked["nonce"])), asked["state"])
    assert_refused(response, database, 401, "LTI-COOKIE")
    (link,) = re.findall(r'href="([^"]+)" target="_blank"', response.text)
    again = framed.get(unescape(link))
    assert again.status_code == 302
    assert "login_hint=user-5" in again.location
    assert "launchid" in again.location


def test_bad_launch_row_15_with_the_state_of_another_browser(
    platform: FakePlatform, app: Flask, client: FlaskClient, settings: Settings, database: Database
) -> None:
    attacker = browser(app, settings)
    asked = platform.logged_in(attacker)
    platform.logged_in(client)
    response = platform.post(client, platform.signed(platform.claims(asked["nonce"])), asked["state"])
    assert_refused(response, database, 401, "LTI-COOKIE")


def test_bad_launch_row_16_ten_minutes_after_the_login(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    asked = platform.logged_in(client)
    with database.across_tenants() as connection:
        connection.execute("UPDATE logins SET created_at = created_at - interval '10 minutes 1 second'")
    token = platform.signed(platform.claims(asked["nonce"]))
    assert_refused(platform.post(client, token, asked["state"]), database, 401, "LTI-STATE-OLD")


def test_bad_launch_row_17_replay_is_refused_and_leaves_the_first_session(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    asked = platform.logged_in(client)
    token = platform.signed(platform.claims(asked["nonce"]))
    assert platform.post(client, token, asked["state"]).status_code == 303
    before = rows(database)
    response = platform.post(client, token, asked["state"])
    assert response.status_code == 409
    assert "LTI-USED" in response.text
    assert rows(database) == before


def test_bad_launch_row_18_of_fifty_replays_at_once_one_is_accepted(
    platform: FakePlatform, app: Flask, client: FlaskClient, settings: Settings, database: Database
) -> None:
    asked = platform.logged_in(client)
    token = platform.signed(platform.claims(asked["nonce"]))
    cookie = logins.cookie_name(asked["state"]), asked["state"].partition(".")[0]

    def post(_: int) -> int:
        form = {"id_token": token, "state": asked["state"]}
        same_browser = browser(app, settings)
        same_browser.set_cookie(*cookie, path="/lti/launch")
        return same_browser.post("/lti/launch", data=form).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = sorted(pool.map(post, range(50)))
    assert statuses == [303] + [409] * 49
    assert rows(database)["launch_sessions"] == 1


def test_bad_launch_row_19_replay_of_an_old_token_with_a_new_state(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    old = platform.logged_in(client)
    token = platform.signed(platform.claims(old["nonce"]))
    new = platform.logged_in(client)
    assert_refused(platform.post(client, token, new["state"]), database, 401, "LTI-NONCE")


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ({"error": "login_required", "error_description": "<script>alert(1)</script>"}, "LTI-PLATFORM"),
        ({"error": "access_denied", "state": "x"}, "LTI-PLATFORM"),
    ],
)
def test_bad_launch_row_64_the_error_form_of_a_platform(
    platform: FakePlatform, client: FlaskClient, database: Database, form: dict[str, str], shown: str
) -> None:
    response = client.post("/lti/launch", data=form)
    assert_refused(response, database, 401, shown)
    assert "<script>" not in response.text


def test_bad_launch_row_70_as_json_or_as_a_huge_multipart(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    assert_refused(client.post("/lti/launch", json={"id_token": "x"}), database, 415, "LTI-TYPE")
    response = client.post("/lti/launch", data=b"x" * 300_000, content_type="multipart/form-data; boundary=x")
    assert_refused(response, database, 413, "LTI-SIZE")


def test_bad_launch_row_36_larger_than_256_kib(platform: FakePlatform, client: FlaskClient, database: Database) -> None:
    asked = platform.logged_in(client)
    token = platform.signed(platform.claims(asked["nonce"], name="x" * 200_000))
    assert_refused(platform.post(client, token, asked["state"]), database, 413, "LTI-SIZE")


# The token, rows 20 to 49 -----------------------------------------------------------------------------------------


def _symmetric(platform: FakePlatform, claims: dict[str, Any]) -> str:
    pem = platform.key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = encoded(json.dumps({"alg": "HS256", "kid": platform.key.kid}).encode())
    signed = f"{header}.{encoded(json.dumps(claims).encode())}"
    mac = jwt.get_algorithm_by_name("HS256")
    return f"{signed}.{encoded(mac.sign(signed.encode(), b'-' + pem))}"


def _unsigned(platform: FakePlatform, claims: dict[str, Any]) -> str:
    return platform.signed(claims, headers={"alg": "none"}).rpartition(".")[0] + "."


def _other_key(platform: FakePlatform, claims: dict[str, Any]) -> str:
    return jwt.encode(claims, KEYS[1].private, "RS256", headers={"kid": KEYS[0].kid})


def _tampered(platform: FakePlatform, claims: dict[str, Any]) -> str:
    head, _, signature = platform.signed(claims).split(".")
    return f"{head}.{encoded(json.dumps(claims | {'sub': 'student-2'}).encode())}.{signature}"


def _with_header(**headers: Any) -> Callable[[FakePlatform, dict[str, Any]], str]:
    return lambda platform, claims: platform.signed(claims, headers=headers)


def _raw(text: str) -> Callable[[FakePlatform, dict[str, Any]], str]:
    return lambda platform, claims: platform.signed(None, raw_claims=text.encode())


def _patched(old: str, new: str) -> Callable[[FakePlatform, dict[str, Any]], str]:
    return lambda platform, claims: platform.signed(None, raw_claims=json.dumps(claims).replace(old, new).encode())


@pytest.mark.parametrize(
    ("make", "status", "code"),
    [
        pytest.param(_unsigned, 401, "LTI-ALG", id="row_22_none"),
        pytest.param(_symmetric, 401, "LTI-ALG", id="row_23_hs256"),
        pytest.param(_with_header(alg="RS512"), 401, "LTI-ALG", id="row_24_rs512"),
        pytest.param(_with_header(alg="PS256"), 401, "LTI-ALG", id="row_24_ps256"),
        pytest.param(_with_header(alg="ES256"), 401, "LTI-ALG", id="row_24_es256"),
        pytest.param(_other_key, 401, "LTI-SIGNATURE", id="row_25_other_key"),
        pytest.param(_tampered, 401, "LTI-SIGNATURE", id="row_25_tampered"),
        pytest.param(_with_header(kid=ABSENT), 401, "LTI-HEADER", id="row_26_no_kid"),
        pytest.param(_with_header(kid=5), 401, "LTI-HEADER", id="row_26_kid_number"),
        pytest.param(_with_header(kid="unknown"), 401, "LTI-KEY", id="row_27_unknown_kid"),
        pytest.param(_with_header(jwk=KEYS[0].jwk), 401, "LTI-HEADER", id="row_30_jwk"),
        pytest.param(_with_header(jku="https://evil.example/"), 401, "LTI-HEADER", id="row_30_jku"),
        pytest.param(_with_header(x5u="https://evil.example/"), 401, "LTI-HEADER", id="row_30_x5u"),
        pytest.param(_with_header(crit=["exp"]), 401, "LTI-HEADER", id="row_32_crit"),
        pytest.param(_with_header(cty="JWT"), 400, "LTI-TOKEN-FORM", id="row_33_nested"),
        pytest.param(_with_header(alg="RSA-OAEP", enc="A256GCM"), 400, "LTI-TOKEN-FORM", id="row_33_jwe"),
        pytest.param(lambda p, c: p.signed(c).rpartition(".")[0], 400, "LTI-TOKEN-FORM", id="row_33_two_parts"),
        pytest.param(lambda p, c: p.signed(c) + ".x", 400, "LTI-TOKEN-FORM", id="row_33_four_parts"),
        pytest.param(lambda p, c: "a=b.c.d", 400, "LTI-TOKEN-FORM", id="row_33_no_base64"),
        pytest.param(lambda p, c: "a.c.d", 400, "LTI-TOKEN-FORM", id="row_33_odd_base64"),
        pytest.param(lambda p, c: f"{encoded(b'[]')}.{encoded(b'{}')}.x", 400, "LTI-TOKEN-FORM", id="row_34_header"),
        pytest.param(_raw("[1]"), 400, "LTI-TOKEN-FORM", id="row_34_body"),
        pytest.param(_raw("5"), 400, "LTI-TOKEN-FORM", id="row_34_number"),
        pytest.param(_raw("{"), 400, "LTI-TOKEN-FORM", id="row_34_no_json"),
        pytest.param(_patched('"sub":', '"sub": "teacher", "sub":'), 400, "LTI-TOKEN-FORM", id="row_35_twice"),
        pytest.param(_patched(f'"iat": {NOW}', '"iat": NaN'), 400, "LTI-TOKEN-FORM", id="row_43_nan"),
        pytest.param(_patched(f'"iat": {NOW}', '"iat": 1e400'), 400, "LTI-TOKEN-FORM", id="row_43_infinite"),
        pytest.param(_patched('"Ada Lovelace"', '"\\ud800"'), 400, "LTI-TOKEN-FORM", id="row_55_half_character"),
        pytest.param(_raw("[" * 100_000), 400, "LTI-TOKEN-FORM", id="row_69_deep_list"),
        pytest.param(_raw('{"a":' * 30_000 + "1" + "}" * 30_000), 400, "LTI-TOKEN-FORM", id="row_69_deep_object"),
        pytest.param(_raw('{"a":' * 30 + "1" + "}" * 30), 400, "LTI-TOKEN-FORM", id="row_69_rather_deep"),
    ],
)
def test_bad_launch_token(
    platform: FakePlatform,
    client: FlaskClient,
    database: Database,
    make: Callable[[FakePlatform, dict[str, Any]], str],
    status: int,
    code: str,
) -> None:
    asked = platform.logged_in(client)
    token = make(platform, platform.claims(asked["nonce"], iat=NOW))
    started = time.monotonic()
    response = platform.post(client, token, asked["state"])
    assert time.monotonic() - started < 1
    assert_refused(response, database, status, code)
    assert platform.key_fetches <= 1


def _times(**seconds: Any) -> dict[str, Any]:
    return {
        name: value if isinstance(value, (str, bool)) else int(time.time()) + value for name, value in seconds.items()
    }


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        pytest.param({"nonce": ABSENT}, 401, "LTI-NONCE", id="row_20"),
        pytest.param({"nonce": "never-issued"}, 401, "LTI-NONCE", id="row_21"),
        pytest.param(_times(iat=-120, exp=-40), 401, "LTI-TIME", id="row_37"),
        pytest.param({"exp": ABSENT}, 401, "LTI-TIME", id="row_38"),
        pytest.param(_times(exp=10 * 365 * 86400), 401, "LTI-TIME", id="row_39"),
        pytest.param(_times(iat=600, exp=660), 401, "LTI-TIME", id="row_41"),
        pytest.param(_times(nbf=3600), 401, "LTI-TIME", id="row_41_nbf"),
        pytest.param({"iat": ABSENT}, 401, "LTI-TIME", id="row_42"),
        pytest.param(_times(iat=-3 * 86400), 401, "LTI-TIME", id="row_42_old"),
        pytest.param({"exp": "soon"}, 400, "LTI-CLAIM", id="row_43_text"),
        pytest.param({"exp": True}, 400, "LTI-CLAIM", id="row_43_bool"),
        pytest.param({"iat": -5}, 400, "LTI-CLAIM", id="row_43_negative"),
        pytest.param({"exp": 10**400}, 400, "LTI-CLAIM", id="row_43_huge"),
        pytest.param({"iss": "https://other.example"}, 401, "LTI-ISS", id="row_44"),
        pytest.param({"iss": ABSENT}, 401, "LTI-ISS", id="row_44_absent"),
        pytest.param({"aud": "other"}, 401, "LTI-AUD", id="row_46"),
        pytest.param({"aud": ABSENT}, 401, "LTI-AUD", id="row_46_absent"),
        pytest.param({"aud": ["our-client", "stranger"]}, 401, "LTI-AUD", id="row_47"),
        pytest.param({"aud": ["stranger", "our-client"], "azp": "stranger"}, 401, "LTI-AUD", id="row_48_list"),
        pytest.param({"azp": "stranger"}, 401, "LTI-AUD", id="row_48"),
        pytest.param({f"{LTI}/deployment_id": ABSENT}, 400, "LTI-CLAIM", id="row_50"),
        pytest.param({f"{LTI}/deployment_id": "8"}, 403, "LTI-DEPLOYMENT", id="row_51"),
        pytest.param({f"{LTI}/version": "LTI-1p0"}, 400, "LTI-VERSION", id="row_53"),
        pytest.param({f"{LTI}/version": ABSENT}, 400, "LTI-VERSION", id="row_53_absent"),
        pytest.param({f"{LTI}/message_type": ABSENT}, 422, "LTI-MESSAGE", id="row_54"),
        pytest.param({f"{LTI}/message_type": "LtiStartProctoring"}, 422, "LTI-MESSAGE", id="row_54_unknown"),
        pytest.param({"sub": ABSENT, AGS: ABSENT}, 400, "LTI-CLAIM", id="row_55_absent"),
        pytest.param({"sub": ""}, 400, "LTI-CLAIM", id="row_55_empty"),
        pytest.param({"sub": 5}, 400, "LTI-CLAIM", id="row_55_number"),
        pytest.param({"sub": "x" * 256}, 400, "LTI-CLAIM", id="row_55_long"),
        pytest.param({"sub": "a\x00b"}, 400, "LTI-TOKEN-FORM", id="row_55_nul"),
        *[
            pytest.param(claims, 400, "LTI-TOKEN-FORM", id=f"row_55_half_character_{number}")
            for number, claims in enumerate(
                (
                    {"sub": "a\ud800"},
                    {"name": "A\ud800"},
                    {f"{LTI}/context": {"id": "course-1", "title": "A\udfff"}},
                    {f"{LTI}/context": {"id": "\ud800"}},
                    {f"{LTI}/resource_link": {"id": "link-1", "title": "\ud800"}},
                    {f"{LTI}/resource_link": {"id": "link\ud800"}},
                    {f"{LTI}/custom": {"\ud800": "x"}},
                    {f"{LTI}/deployment_id": "\ud800"},
                )
            )
        ],
        pytest.param({"sub": ABSENT}, 422, "LTI-ANONYMOUS", id="row_56"),
        pytest.param({f"{LTI}/roles": ABSENT}, 400, "LTI-CLAIM", id="row_57"),
        pytest.param({f"{LTI}/roles": "Instructor"}, 400, "LTI-CLAIM", id="row_57_text"),
        pytest.param({f"{LTI}/roles": [1]}, 400, "LTI-CLAIM", id="row_57_numbers"),
        pytest.param({f"{LTI}/resource_link": ABSENT}, 400, "LTI-CLAIM", id="row_58_absent"),
        pytest.param({f"{LTI}/resource_link": {"title": "x"}}, 400, "LTI-CLAIM", id="row_58"),
        pytest.param({f"{LTI}/resource_link": "link"}, 400, "LTI-CLAIM", id="row_58_text"),
        pytest.param({f"{LTI}/resource_link": {"id": "x" * 256}}, 400, "LTI-CLAIM", id="row_58_long"),
        pytest.param({f"{LTI}/target_link_uri": ABSENT}, 400, "LTI-TARGET", id="row_59_absent"),
        pytest.param(
            {f"{LTI}/target_link_uri": "http://localhost:8400/lti/launch?quiz=1"}, 400, "LTI-TARGET", id="row_59"
        ),
        pytest.param({f"{LTI}/target_link_uri": "https://evil.example/"}, 400, "LTI-TARGET", id="row_59_foreign"),
        pytest.param({f"{LTI}/target_link_uri": "javascript:alert(1)"}, 400, "LTI-TARGET", id="row_59_script"),
        pytest.param({f"{LTI}/target_link_uri": "//evil.example"}, 400, "LTI-TARGET", id="row_59_no_scheme"),
        pytest.param({"nonce": ["a"]}, 400, "LTI-CLAIM", id="row_68_nonce"),
        pytest.param({"aud": []}, 400, "LTI-CLAIM", id="row_68_aud"),
        pytest.param({f"{LTI}/deployment_id": 7}, 400, "LTI-CLAIM", id="row_68_deployment"),
        pytest.param({f"{LTI}/deployment_id": ["7"]}, 400, "LTI-CLAIM", id="row_68_deployment_list"),
        pytest.param({f"{LTI}/context": ABSENT}, 422, "LTI-CONTEXT", id="no_course"),
        pytest.param({AGS: {"lineitem": "javascript:alert(1)"}}, 400, "LTI-CLAIM", id="line_item_script"),
        pytest.param(
            {f"{LTI}/custom": {"quiz_id": "6a0c2a58-4b1b-4b3e-9d0f-1d6f4a5f0000"}}, 404, "LTI-QUIZ", id="unknown_quiz"
        ),
    ],
)
def test_bad_launch_claims(
    platform: FakePlatform, client: FlaskClient, database: Database, changes: dict[str, Any], status: int, code: str
) -> None:
    assert_refused(platform.launch(client, **changes), database, status, code)


@pytest.mark.parametrize("change", [lambda issuer: issuer + "/", str.upper])
def test_bad_launch_row_45_the_issuer_is_compared_to_the_letter(
    platform: FakePlatform, client: FlaskClient, database: Database, change: Callable[[str], str]
) -> None:
    changed = change(platform.registration.issuer)
    assert_refused(platform.launch(client, iss=changed), database, 401, "LTI-ISS")


def test_bad_launch_row_49_a_token_for_our_other_registration(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    with database.across_tenants() as connection:
        platforms.add_platform(
            connection,
            issuer=platform.registration.issuer,
            client_id="second-client",
            auth_login_url=platform.registration.auth_login_url,
            auth_token_url=platform.registration.auth_token_url,
            jwks_url=platform.registration.jwks_url,
            deployment_ids=["7"],
        )
    assert_refused(platform.launch(client, aud="second-client"), database, 401, "LTI-AUD")


def test_bad_launch_row_51_an_unknown_deployment_waits_for_approval_and_then_launches(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    changes = {f"{LTI}/deployment_id": "8"}
    assert_refused(platform.launch(client, **changes), database, 403, "LTI-DEPLOYMENT")
    with database.across_tenants() as connection:
        waiting = platforms.find_deployment(connection, platform.registration.id, "8")
        assert waiting is not None
        assert waiting.status == "PENDING"
        platforms.activate(connection, platform.registration.id, "8")
    assert platform.launch(client, **changes).status_code == 303


def test_bad_launch_row_52_a_disabled_deployment(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    with database.across_tenants() as connection:
        platforms.disable_deployment(connection, platform.registration.id, "7")
    assert_refused(platform.launch(client), database, 403, "LTI-DEPLOYMENT-OFF")


@pytest.mark.parametrize(
    "target",
    ["http://localhost:8400@evil.example/lti/launch", "http://user@localhost:8400/lti/launch", "http://localhost:8400/lti/launch#x",
     "http://lоcalhost:8400/lti/launch", "http://localhost:8400\\@evil.example/lti/launch", "http://localhost:8400/lti/launch/..",
     "http://localhost:8400/lti/launch\n", "HTTP://localhost:8400/lti/launch?quiz=<x>"],
)  # fmt: skip
def test_bad_launch_row_59_addresses_that_only_look_like_ours(
    platform: FakePlatform, client: FlaskClient, database: Database, target: str
) -> None:
    assert_refused(platform.login(client, target_link_uri=target), database, 400, "LTI-LOGIN-TARGET")
    assert_refused(platform.launch(client, **{f"{LTI}/target_link_uri": target}), database, 400, "LTI-TARGET")


# Key sets, rows 27 to 31, 65 --------------------------------------------------------------------------------------


def test_row_28_a_platform_that_just_rotated_its_key_launches_at_once(
    platform: FakePlatform, client: FlaskClient
) -> None:
    assert platform.launch(client).status_code == 303
    platform.key, platform.jwks = KEYS[1], {"keys": [KEYS[1].jwk]}
    assert platform.launch(client).status_code == 303
    assert platform.key_fetches == 2


def test_bad_launch_row_29_strangers_who_invent_kids_cause_one_fetch(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    for number in range(20):
        asked = platform.logged_in(client)
        token = platform.signed(platform.claims(asked["nonce"]), headers={"kid": f"invented-{number}"})
        assert_refused(platform.post(client, token, asked["state"]), database, 401, "LTI-KEY")
    assert platform.key_fetches == 1
    with database.across_tenants() as connection:
        connection.execute("UPDATE platform_keys SET refetched_at = refetched_at - interval '31 seconds'")
    asked = platform.logged_in(client)
    platform.post(client, platform.signed(platform.claims(asked["nonce"]), headers={"kid": "another"}), asked["state"])
    assert platform.key_fetches == 2


def test_bad_launch_row_31_two_keys_of_one_name(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    platform.jwks = {"keys": [KEYS[0].jwk, {"kty": "EC", "kid": KEYS[0].kid, "crv": "P-256", "x": "a", "y": "b"}]}
    assert_refused(platform.launch(client), database, 401, "LTI-KEY")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Response("broken", status=500), id="500"),
        pytest.param(Response("<html>", content_type="text/html"), id="html"),
        pytest.param(Response("{}", content_type="application/json"), id="no_keys"),
        pytest.param(Response("x" * 300_000), id="too_large"),
        pytest.param(Response("", status=302, headers={"Location": "http://169.254.169.254/"}), id="redirect"),
        pytest.param({"keys": [{"kty": "RSA", "kid": "key-1", "n": "!", "e": "AQAB"}]}, id="bad_key"),
        pytest.param({"keys": [{"kty": "RSA", "kid": "key-1"}]}, id="no_numbers"),
        pytest.param({"keys": "none"}, id="keys_text"),
    ],
)
def test_bad_launch_row_65_a_key_set_that_cannot_be_had(
    platform: FakePlatform, client: FlaskClient, database: Database, answer: Any
) -> None:
    platform.jwks = answer
    response = platform.launch(client)
    assert_refused(response, database, 503, "LTI-KEYS")
    assert int(response.headers["Retry-After"]) > 0
    platform.launch(client)
    assert platform.key_fetches == 1


# Roles and deep linking, rows 57, 60 to 63 ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "offered",
    [
        {"deep_link_return_url": "javascript:alert(1)"},
        {"deep_link_return_url": "https://evil.example/return"},
        {"deep_link_return_url": 'ISSUER/"><script>alert(1)</script>'},
        {"deep_link_return_url": "http://user@localhost/return"},
    ],
)
def test_bad_launch_row_62_return_addresses_that_are_not_the_platforms(
    platform: FakePlatform, client: FlaskClient, database: Database, offered: dict[str, Any]
) -> None:
    offered = {name: value.replace("ISSUER", platform.registration.issuer) for name, value in offered.items()}
    asked = platform.logged_in(client)
    claims = platform.deep_linking(asked["nonce"], offered=offered)
    response = platform.post(client, platform.signed(claims), asked["state"])
    assert_refused(response, database, 400, "LTI-DL-RETURN")


@pytest.mark.parametrize("return_url", ["https://evil.example/", "javascript:alert(1)"])
def test_bad_launch_row_61_a_learner_cannot_add_content(
    platform: FakePlatform, client: FlaskClient, database: Database, return_url: str
) -> None:
    asked = platform.logged_in(client)
    claims = platform.deep_linking(
        asked["nonce"],
        offered={"deep_link_return_url": return_url},
        **{f"{LTI}/roles": [f"{MEMBERSHIP}#Learner"]},
    )
    assert_refused(platform.post(client, platform.signed(claims), asked["state"]), database, 403, "LTI-DL-ROLE")


@pytest.mark.parametrize(
    ("offered", "status", "code"),
    [({"accept_types": ["link"]}, 422, "LTI-DL"), ({"accept_types": ABSENT}, 400, "LTI-CLAIM")],
)
def test_bad_launch_deep_linking_that_takes_no_links(
    platform: FakePlatform, client: FlaskClient, database: Database, offered: dict[str, Any], status: int, code: str
) -> None:
    asked = platform.logged_in(client)
    claims = platform.deep_linking(asked["nonce"], offered=offered)
    assert_refused(platform.post(client, platform.signed(claims), asked["state"]), database, status, code)


def test_bad_launch_deep_linking_without_settings(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    asked = platform.logged_in(client)
    claims = platform.deep_linking(asked["nonce"], **{DL_SETTINGS: ABSENT})
    assert_refused(platform.post(client, platform.signed(claims), asked["state"]), database, 400, "LTI-CLAIM")


def test_refusals_in_a_frame_can_be_read(platform: FakePlatform, client: FlaskClient) -> None:
    response = platform.launch(client, sub="")
    assert "frame-ancestors 'self' https: http:" in response.headers["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "no-store"


def test_the_header_of_a_token_may_be_padded_by_nobody(platform: FakePlatform, client: FlaskClient) -> None:
    asked = platform.logged_in(client)
    head, body, signature = platform.signed(platform.claims(asked["nonce"])).split(".")
    padded = base64.urlsafe_b64encode(base64.urlsafe_b64decode(head + "==") + b" ").decode()
    assert platform.post(client, f"{padded}.{body}.{signature}", asked["state"]).status_code in {400, 401}
