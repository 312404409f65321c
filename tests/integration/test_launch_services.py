"""Keys of ours and of platforms, access tokens, and the HTTP client behind them."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from queue import Queue
from threading import Barrier
from urllib.parse import parse_qs

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.launch import key_sets as key_sets_module
from lti_tool.launch import keys, platforms
from lti_tool.launch.errors import KeysUnavailable
from lti_tool.launch.key_sets import KeySets
from lti_tool.launch.platforms import PlatformWrong
from lti_tool.launch.tokens import TokenSource
from lti_tool.platform_http import (
    AddressNotAllowed,
    PlatformHttp,
    PlatformRefused,
    PlatformUnreachable,
    is_public,
)
from tests.fake_platform import KEYS, FakePlatform, _launch_database, app, client, database_url, platform

__all__ = ["_launch_database", "app", "client", "database_url", "platform"]

SECRET = "a test's secret of more than thirty-two characters"
SCORE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
RESULT = "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly"


@pytest.fixture
def http(settings: Settings) -> PlatformHttp:
    return PlatformHttp(settings)


@pytest.fixture
def strict_http(settings: Settings) -> PlatformHttp:
    """As in production: https and public addresses only."""
    return PlatformHttp(settings.model_copy(update={"allow_private_platforms": False}))


# Our keys ---------------------------------------------------------------------------------------------------------


def test_a_key_is_made_once_and_encrypted(database: Database) -> None:
    with database.across_tenants() as connection:
        first = keys.signing_key(connection, SECRET)
        again = keys.signing_key(connection, SECRET)
        stored = connection.execute("SELECT private_pem_encrypted FROM tool_keys").fetchall()
    assert first.kid == again.kid
    assert first.private_key.key_size == 2048
    assert len(stored) == 1
    assert b"PRIVATE KEY" not in bytes(stored[0][0])


def test_another_secret_cannot_read_the_key(database: Database) -> None:
    with database.across_tenants() as connection:
        keys.signing_key(connection, SECRET)
        with pytest.raises(keys.ToolKeyUnreadable, match="SECRET_KEY"):
            keys.signing_key(connection, SECRET + "x")


def test_processes_that_start_together_make_one_key(database: Database) -> None:
    together = Barrier(4)

    def start(_: int) -> str:
        together.wait()
        with database.across_tenants() as connection:
            return keys.signing_key(connection, SECRET).kid

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(start, range(4)))) == 1


def test_a_new_key_is_published_a_day_before_it_signs(database: Database) -> None:
    with database.across_tenants() as connection:
        old = keys.signing_key(connection, SECRET).kid
        connection.execute("UPDATE tool_keys SET created_at = created_at - interval '90 days'")
        new = keys.rotate(connection, SECRET)
        assert keys.signing_key(connection, SECRET).kid == old
        assert {key["kid"] for key in keys.public_jwks(connection)["keys"]} == {old, new}
        connection.execute("UPDATE tool_keys SET created_at = created_at - interval '26 hours'")
        assert keys.signing_key(connection, SECRET).kid == new
        newest = keys.rotate(connection, SECRET)
        assert {key["kid"] for key in keys.public_jwks(connection)["keys"]} == {new, newest}


# Platforms --------------------------------------------------------------------------------------------------------


def test_adding_a_platform_again_changes_its_addresses(platform: FakePlatform, database: Database) -> None:
    known = platform.registration
    with database.across_tenants() as connection:
        platforms.disable_registration(connection, known.id)
        again = platforms.add_platform(
            connection,
            issuer=known.issuer,
            client_id=known.client_id,
            auth_login_url="https://new.example/auth",
            auth_token_url=known.auth_token_url,
            jwks_url=known.jwks_url,
            family="canvas",
            deployment_ids=["7", "9"],
        )
        assert [each.id for each in platforms.list_registrations(connection)] == [known.id]
        deployments = platforms.list_deployments(connection, known.id)
    assert (again.id, again.login_key, again.disabled_at) == (known.id, known.login_key, None)
    assert (again.auth_login_url, again.family) == ("https://new.example/auth", "canvas")
    assert [(each.deployment_id, each.status) for each in deployments] == [("7", "ACTIVE"), ("9", "ACTIVE")]


def test_a_platform_can_have_fifty_deployments_waiting_and_no_more(platform: FakePlatform, database: Database) -> None:
    known = platform.registration
    with database.transaction(known.id) as connection:
        before = len(platforms.list_deployments(connection, known.id))
        for number in range(60):
            platforms.add_pending_deployment(connection, known.id, f"invented-{number}")
        assert len(platforms.list_deployments(connection, known.id)) == before + 50
        platforms.disable_deployment(connection, known.id, "invented-0")
        platforms.add_pending_deployment(connection, known.id, "next")
        assert platforms.find_deployment(connection, known.id, "next") is not None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"auth_login_url": "javascript:alert(1)"}, "login URL"),
        ({"auth_token_url": "moodle.example.edu/token"}, "token URL"),
        ({"jwks_url": "https://user:pass@a.example/"}, "key set URL"),
        ({"jwks_url": "https://a b.example/"}, "key set URL"),
        ({"issuer": "x"}, "issuer"),
        ({"client_id": ""}, "client id"),
        ({"family": "blackboard"}, "family"),
        ({"deployment_ids": [""]}, "deployment id"),
    ],
)
def test_a_platform_with_a_wrong_value_is_refused_by_name(
    database: Database, changes: dict[str, object], named: str
) -> None:
    values: dict[str, object] = {
        "issuer": "https://moodle.example.edu",
        "client_id": "c",
        "auth_login_url": "https://moodle.example.edu/a",
        "auth_token_url": "https://moodle.example.edu/t",
        "jwks_url": "https://moodle.example.edu/k",
    }
    with database.across_tenants() as connection, pytest.raises(PlatformWrong, match=named):
        platforms.add_platform(connection, **(values | changes))  # pyright: ignore[reportArgumentType]


def test_a_new_registration_does_not_make_another_kind_of_platform_of_its_issuer(database: Database) -> None:
    urls = {
        "issuer": "https://lms.example.edu",
        "auth_login_url": "https://lms.example.edu/a",
        "auth_token_url": "https://lms.example.edu/t",
        "jwks_url": "https://lms.example.edu/k",
    }
    with database.across_tenants() as connection:
        platforms.add_platform(connection, client_id="first", family="canvas", **urls)
        with pytest.raises(platforms.FamilyDiffers, match="canvas"):
            platforms.add_platform(connection, client_id="second", family="moodle", **urls)
        assert platforms.add_platform(connection, client_id="second", family="canvas", **urls).family == "canvas"
        assert [each.family for each in platforms.list_registrations(connection)] == ["canvas", "canvas"]


def test_who_was_alone_at_an_issuer_may_be_corrected(database: Database) -> None:
    urls = {
        "issuer": "https://lms.example.edu",
        "auth_login_url": "https://lms.example.edu/a",
        "auth_token_url": "https://lms.example.edu/t",
        "jwks_url": "https://lms.example.edu/k",
    }
    with database.across_tenants() as connection:
        platforms.add_platform(connection, client_id="first", family="other", **urls)
        assert platforms.add_platform(connection, client_id="first", family="moodle", **urls).family == "moodle"


def test_a_registration_that_does_not_exist_is_an_error(database: Database) -> None:
    with database.across_tenants() as connection, pytest.raises(LookupError):
        platforms.get_registration(connection, 12345)


# Keys of platforms ------------------------------------------------------------------------------------------------


def test_five_launches_fetch_the_key_set_once_and_say_who_we_are(platform: FakePlatform, client: FlaskClient) -> None:
    for _ in range(5):
        assert platform.launch(client).status_code == 303
    assert platform.key_fetches == 1
    assert platform.key_headers[0]["User-Agent"] == "mlquiz/0.1.0 (+http://localhost:8400)"


def test_an_old_key_set_is_fetched_again(platform: FakePlatform, client: FlaskClient, database: Database) -> None:
    platform.launch(client)
    age(database, "61 minutes")
    platform.launch(client)
    assert platform.key_fetches == 2


def test_a_platform_that_is_down_is_believed_for_a_day(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    platform.launch(client)
    platform.jwks = Response("down", status=503)
    age(database, "23 hours")
    assert platform.launch(client).status_code == 303
    age(database, "2 hours")
    assert platform.launch(client).status_code == 503


def test_a_rotation_during_many_launches_fails_none(
    platform: FakePlatform, app: Flask, database: Database, http: PlatformHttp
) -> None:
    key_sets = KeySets(database, http)
    key_sets.get_jwk(platform.registration, KEYS[0].kid)
    platform.jwks = {"keys": [KEYS[1].jwk]}
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda _: key_sets.get_jwk(platform.registration, KEYS[1].kid)["kid"], range(40)))
    assert found == [KEYS[1].kid] * 40
    assert platform.key_fetches == 2


def test_a_failed_fetch_is_not_repeated_by_everyone_in_line(
    platform: FakePlatform, database: Database, http: PlatformHttp
) -> None:
    platform.jwks = Response("down", status=500)
    key_sets = KeySets(database, http)
    for _ in range(10):
        with pytest.raises(KeysUnavailable):
            key_sets.get_jwk(platform.registration, "key-1")
    assert platform.key_fetches == 1


@pytest.mark.parametrize("waits_for", ["a thread", "a process"])
def test_a_key_set_that_hangs_collects_no_launches(
    platform: FakePlatform, database: Database, http: PlatformHttp, monkeypatch: pytest.MonkeyPatch, waits_for: str
) -> None:
    monkeypatch.setattr(key_sets_module, "_WAIT_SECONDS", 0.3)
    asked, goes_on = threading.Event(), threading.Event()

    def hang(request: Request) -> Response:
        asked.set()
        goes_on.wait(10)
        return Response(json.dumps(platform.jwks), content_type="application/json")

    platform.server.clear()
    platform.server.expect_request("/jwks").respond_with_handler(hang)
    first = KeySets(database, http)
    second = first if waits_for == "a thread" else KeySets(database, http)
    with ThreadPoolExecutor(1) as pool:
        fetching = pool.submit(first.get_jwk, platform.registration, KEYS[0].kid)
        assert asked.wait(10)
        began = time.monotonic()
        with pytest.raises(KeysUnavailable):
            second.get_jwk(platform.registration, KEYS[0].kid)
        assert time.monotonic() - began < 2
        goes_on.set()
        assert fetching.result()["kid"] == KEYS[0].kid
    assert second.get_jwk(platform.registration, KEYS[0].kid)["kid"] == KEYS[0].kid


def test_while_a_key_set_hangs_known_keys_of_yesterday_will_do(
    platform: FakePlatform, database: Database, http: PlatformHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_sets_module, "_WAIT_SECONDS", 0.2)
    key_sets = KeySets(database, http)
    key_sets.get_jwk(platform.registration, KEYS[0].kid)
    age(database, "2 hours")
    # Somebody fetches, and does not come back.
    with key_sets._locks[platform.registration.id], ThreadPoolExecutor(1) as pool:
        found = pool.submit(key_sets.get_jwk, platform.registration, KEYS[0].kid).result()
    assert found["kid"] == KEYS[0].kid
    assert platform.key_fetches == 1


def age(database: Database, interval: str) -> None:
    with database.across_tenants() as connection:
        connection.execute("UPDATE platform_keys SET fetched_at = fetched_at - %s::interval", (interval,))


# Access tokens ----------------------------------------------------------------------------------------------------


class TokenEndpoint:
    """Counts requests and keeps their forms; ``answer`` replaces the good one."""

    def __init__(self) -> None:
        self.forms: list[dict[str, list[str]]] = []
        self.answer: Response | None = None
        self.expires_in = 3600

    def __call__(self, request: Request) -> Response:
        self.forms.append(parse_qs(request.get_data(as_text=True)))
        if self.answer is not None:
            return self.answer
        token = f'{{"access_token": "t{len(self.forms)}", "token_type": "Bearer", "expires_in": {self.expires_in}}}'
        return Response(token, content_type="application/json")


@pytest.fixture
def endpoint(httpserver: HTTPServer) -> TokenEndpoint:
    made = TokenEndpoint()
    httpserver.expect_request("/token.php", method="POST").respond_with_handler(made)
    return made


@pytest.fixture
def tokens(http: PlatformHttp, database: Database) -> TokenSource:
    return TokenSource(http, database, SECRET)


def test_a_token_is_asked_for_with_a_signed_assertion(
    platform: FakePlatform, client: FlaskClient, endpoint: TokenEndpoint, tokens: TokenSource
) -> None:
    assert tokens.get(platform.registration, [SCORE]) == "t1"
    (form,) = endpoint.forms
    assert form["grant_type"] == ["client_credentials"]
    assert form["scope"] == [SCORE]
    (assertion,) = form["client_assertion"]
    key = jwt.PyJWKSet.from_dict(client.get("/lti/jwks.json").json or {})[jwt.get_unverified_header(assertion)["kid"]]
    claims = jwt.decode(assertion, key.key, algorithms=["RS256"], audience=platform.registration.auth_token_url)
    assert (claims["iss"], claims["sub"]) == ("our-client", "our-client")
    assert claims["jti"]


def test_an_assertion_is_never_of_the_next_second(
    platform: FakePlatform, endpoint: TokenEndpoint, tokens: TokenSource
) -> None:
    for _ in range(5):
        tokens.newly_asked(platform.registration, [SCORE])
        (assertion,) = endpoint.forms[-1]["client_assertion"]
        assert jwt.decode(assertion, options={"verify_signature": False})["iat"] <= time.time()
        time.sleep(0.21)


def test_a_token_is_kept_for_its_registration_and_scopes(
    platform: FakePlatform, endpoint: TokenEndpoint, tokens: TokenSource, database: Database
) -> None:
    first = tokens.get(platform.registration, [SCORE, RESULT])
    assert tokens.get(platform.registration, [RESULT, SCORE]) == first
    assert tokens.get(platform.registration, [SCORE]) != first
    with database.across_tenants() as connection:
        other = platforms.add_platform(
            connection,
            issuer=platform.registration.issuer,
            client_id="second-client",
            family=platform.registration.family,
            auth_login_url=platform.registration.auth_login_url,
            auth_token_url=platform.registration.auth_token_url,
            jwks_url=platform.registration.jwks_url,
        )
    assert tokens.get(other, [SCORE, RESULT]) != first
    assert len(endpoint.forms) == 3


def test_a_token_is_renewed_a_minute_before_its_end(
    platform: FakePlatform, endpoint: TokenEndpoint, tokens: TokenSource
) -> None:
    endpoint.expires_in = 59
    assert tokens.get(platform.registration, [SCORE]) == "t1"
    assert tokens.get(platform.registration, [SCORE]) == "t2"


def test_a_dropped_token_is_asked_for_again_once(
    platform: FakePlatform, endpoint: TokenEndpoint, tokens: TokenSource
) -> None:
    old = tokens.get(platform.registration, [SCORE])
    tokens.drop(platform.registration, [SCORE], old)
    assert tokens.get(platform.registration, [SCORE]) == "t2"
    tokens.drop(platform.registration, [SCORE], old)
    assert tokens.get(platform.registration, [SCORE]) == "t2"


def test_twenty_workers_share_one_token_request(
    platform: FakePlatform, endpoint: TokenEndpoint, tokens: TokenSource
) -> None:
    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(lambda _: tokens.get(platform.registration, [SCORE]), range(20))) == {"t1"}
    assert len(endpoint.forms) == 1


def test_whoever_waits_for_a_token_holds_one_connection(
    http: PlatformHttp, endpoint: TokenEndpoint, platform: FakePlatform, database: Database
) -> None:
    small = Database(database.conninfo, max_connections=1)
    try:
        assert TokenSource(http, small, SECRET).get(platform.registration, [SCORE])
    finally:
        small.close()


def test_an_endpoint_that_hangs_keeps_those_in_line_waiting_once(
    settings: Settings, httpserver: HTTPServer, platform: FakePlatform, database: Database
) -> None:
    # The server answers one at a time: who asks while it hangs is seen when it is free again.
    asked: Queue[None] = Queue()

    def hangs(request: Request) -> Response:
        asked.put(None)
        time.sleep(1)
        return Response("{}")

    httpserver.expect_request("/token.php", method="POST").respond_with_handler(hangs)
    tokens = TokenSource(PlatformHttp(settings, read_seconds=0.5), database, SECRET)
    start = Barrier(4)

    def ask(_: int) -> str:
        start.wait()
        with pytest.raises(PlatformUnreachable) as failure:
            tokens.get(platform.registration, [SCORE])
        return str(failure.value)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))
    asked.get(timeout=10)
    with pytest.raises(PlatformUnreachable):
        tokens.get(platform.registration, [SCORE])
    asked.get(timeout=10)  # whoever comes later asks again
    assert asked.empty()


@pytest.mark.parametrize(
    "answer",
    [
        Response('{"error": "invalid_scope"}', status=400),
        Response("{}", status=200),
        Response('{"access_token": "a b\\n", "token_type": "Bearer"}'),
        Response('{"access_token": "a", "token_type": "mac"}'),
        Response("[]"),
        Response("<html>"),
    ],
)
def test_an_answer_without_a_token_is_an_error(
    platform: FakePlatform, endpoint: TokenEndpoint, tokens: TokenSource, answer: Response
) -> None:
    endpoint.answer = answer
    with pytest.raises(PlatformRefused):
        tokens.get(platform.registration, [SCORE])


# The HTTP client --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://user:secret@example.com/",
        "https:///nothing",
        "https://example.com:99999/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://0.0.0.0/",
        # urlsplit reads one host here, urllib3 another.
        "https://evil.example\\.instructure.com/",
        "https://evil.example\\@instructure.com/",
    ],
)
def test_ssrf_addresses_are_refused_before_anything_is_sent(strict_http: PlatformHttp, url: str) -> None:
    with pytest.raises(AddressNotAllowed) as refusal:
        strict_http.get(url)
    assert "secret" not in str(refusal.value)


def test_ssrf_a_name_that_leads_inside_is_refused_when_connecting(
    strict_http: PlatformHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def rebinding(host: str, port: int, **_: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        asked.append(host)
        # The second answer never counts: there is one look-up, and its address is the one connected to.
        return [(2, 1, 6, "", ("10.0.0.5" if len(asked) == 1 else "93.184.216.34", port))]

    monkeypatch.setattr("socket.getaddrinfo", rebinding)
    with pytest.raises(AddressNotAllowed):
        strict_http.get("https://rebinding.example/")
    assert asked == ["rebinding.example"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("192.168.0.1", False),
        ("172.16.0.1", False),
        ("100.127.255.255", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:192.168.0.1", False),
        ("2002:a00:1::", False),
        ("64:ff9b::a00:1", False),
        ("ff02::1", False),
        ("fec0::1", False),
        ("192.0.0.192", False),
        ("168.63.129.16", False),
    ],
)
def test_which_addresses_are_public(address: str, expected: bool) -> None:
    assert is_public(address) is expected


def test_redirects_stay_on_the_host(http: PlatformHttp, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/a").respond_with_data("", status=302, headers={"Location": "/b"})
    httpserver.expect_request("/b").respond_with_data("here")
    httpserver.expect_request("/out").respond_with_data("", status=302, headers={"Location": "http://127.0.0.9/"})
    httpserver.expect_request("/round").respond_with_data("", status=302, headers={"Location": "/round"})
    assert http.get(httpserver.url_for("/a")).body == b"here"
    for path in ("/out", "/round"):
        with pytest.raises(PlatformRefused):
            http.get(httpserver.url_for(path))


def test_a_post_follows_no_redirect(http: PlatformHttp, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/a").respond_with_data("", status=307, headers={"Location": "/b"})
    with pytest.raises(PlatformRefused) as refusal:
        http.post(httpserver.url_for("/a"), b"{}", content_type="application/json")
    assert refusal.value.status == 307


def test_a_refusal_keeps_status_headers_and_an_excerpt(http: PlatformHttp, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/a").respond_with_data("no! " * 1000, status=429, headers={"RETRY-AFTER": "7"})
    with pytest.raises(PlatformRefused) as refusal:
        http.get(httpserver.url_for("/a") + "?user=ada")
    assert refusal.value.status == 429
    assert refusal.value.headers["retry-after"] == "7"
    assert len(refusal.value.excerpt) == 500
    assert "ada" not in str(refusal.value)


def test_large_answers_are_cut_off(http: PlatformHttp, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/a").respond_with_data("x" * 70_000)
    with pytest.raises(PlatformRefused, match="more than 65536"):
        http.get(httpserver.url_for("/a"), max_bytes=65536)


def test_slow_answers_are_given_up(http: PlatformHttp, httpserver: HTTPServer) -> None:
    def slow(request: Request) -> Response:
        time.sleep(1)
        return Response("late")

    httpserver.expect_request("/a").respond_with_handler(slow)
    started = time.monotonic()
    with pytest.raises(PlatformUnreachable):
        http.get(httpserver.url_for("/a"), read_seconds=0.2)
    assert time.monotonic() - started < 0.9


def test_nobody_there_is_unreachable(http: PlatformHttp) -> None:
    with pytest.raises(PlatformUnreachable):
        http.get("http://127.0.0.1:1/")


def test_cookies_of_a_platform_are_not_kept(http: PlatformHttp, httpserver: HTTPServer) -> None:
    seen: list[str | None] = []

    def answer(request: Request) -> Response:
        seen.append(request.headers.get("Cookie"))
        return Response("ok", headers={"Set-Cookie": "a=b; Path=/"})

    httpserver.expect_request("/a").respond_with_handler(answer)
    http.get(httpserver.url_for("/a"))
    http.get(httpserver.url_for("/a"))
    assert seen == [None, None]


def test_an_answer_that_is_no_json_is_a_refusal(http: PlatformHttp, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/a").respond_with_data("<html>")
    with pytest.raises(PlatformRefused, match="no JSON"):
        http.get(httpserver.url_for("/a")).json()
