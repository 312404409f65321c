"""Rows 27 to 29, 31 and 65: the platform's key set."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest
from flask import Flask
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from config.settings import Settings
from lti_tool import create_app
from lti_tool.launch import key_sets, platforms
from tests.fake_platform import KEYS, browser
from tests.matrix.scene import Scene

OTHER = KEYS[1]


def test_bad_launch_27_an_unknown_key_after_one_more_look(scene: Scene) -> None:
    scene.assert_launched(scene.launch())
    assert scene.keys.fetches == 1
    scene.assert_refused(scene.launch(header={"kid": "unknown"}), 401, "LTI-KEY")
    assert scene.keys.fetches == 2


def test_bad_launch_28_is_a_good_one_where_the_platform_just_rotated_its_key(scene: Scene) -> None:
    scene.assert_launched(scene.launch())
    scene.keys.publish(OTHER.jwk)
    message = scene.message()
    token = message.signed(header={"kid": OTHER.kid}, key=OTHER)
    scene.assert_launched(scene.post(token, message.state))
    assert scene.keys.fetches == 2
    again = scene.message()
    scene.assert_launched(scene.post(again.signed(header={"kid": OTHER.kid}, key=OTHER), again.state))
    assert scene.keys.fetches == 2


def test_bad_launch_29_two_hundred_invented_keys_cause_one_look_in_thirty_seconds(scene: Scene) -> None:
    scene.assert_launched(scene.launch())
    message = scene.message()
    for number in range(200):
        response = scene.post(message.signed(header={"kid": f"invented-{number}"}), message.state)
        assert (response.status_code, "LTI-KEY" in response.text) == (401, True)
    assert scene.keys.fetches == 2
    assert scene.rows()["audit_events"] == scene.before["audit_events"] + 200
    scene.owner.execute("UPDATE platform_keys SET refetched_at = refetched_at - interval '31 seconds'")
    scene.before = scene.rows()
    scene.assert_refused(scene.post(message.signed(header={"kid": "another"}), message.state), 401, "LTI-KEY")
    assert scene.keys.fetches == 3
    scene.assert_launched(scene.post(message.id_token, message.state))


@pytest.mark.parametrize("twin_first", [True, False])
def test_bad_launch_31_two_keys_of_one_name(scene: Scene, twin_first: bool) -> None:
    mine = scene.platform.key.jwk
    twin = {"kty": "EC", "kid": mine["kid"], "crv": "P-256", "x": "a", "y": "b"}
    scene.keys.publish(*((twin, mine) if twin_first else (mine, twin)))
    scene.assert_refused(scene.launch(), 401, "LTI-KEY")


def _document(**content: object) -> Response:
    return Response(json.dumps(content), content_type="application/json")


@pytest.mark.parametrize(
    "answer",
    [
        Response("broken", status=500),
        Response("<html>", content_type="text/html"),
        Response("", status=204),
        _document(),
        _document(keys="none"),
        _document(keys=[1]),
        Response(b" " * (10 << 20)),
        Response("", status=302, headers={"Location": "http://169.254.169.254/latest/meta-data/"}),
        Response("", status=302, headers={"Location": "/keys"}),
    ],
    ids=["500", "html", "empty", "no_keys", "keys_text", "keys_numbers", "10_mb", "redirect", "circle"],
)
def test_bad_launch_65_a_key_set_that_cannot_be_had(scene: Scene, answer: Response) -> None:
    scene.keys.answer = answer
    message = scene.message()
    response = scene.post(message.id_token, message.state)
    scene.assert_refused(response, 503, "LTI-KEYS")
    assert int(response.headers["Retry-After"]) > 0
    fetches = scene.keys.fetches
    # The platform is left alone for a while; then the same launch goes on.
    scene.assert_refused(scene.post(message.id_token, message.state), 503, "LTI-KEYS")
    assert scene.keys.fetches == fetches


def test_bad_launch_65_a_key_that_cannot_be_read(scene: Scene) -> None:
    for numbers in ({}, {"n": "!", "e": "AQAB"}, {"n": 5, "e": "AQAB"}):
        scene.keys.publish({"kty": "RSA", "kid": scene.platform.key.kid} | numbers)
        scene.owner.execute("DELETE FROM platform_keys")
        scene.assert_refused(scene.launch(), 503, "LTI-KEYS")


def test_bad_launch_65_the_cached_keys_serve_while_the_platform_is_down(scene: Scene) -> None:
    scene.assert_launched(scene.launch())
    scene.owner.execute("UPDATE platform_keys SET fetched_at = fetched_at - interval '23 hours'")
    scene.keys.answer = Response("broken", status=500)
    scene.assert_launched(scene.launch())
    scene.owner.execute("UPDATE platform_keys SET fetched_at = fetched_at - interval '2 hours'")
    scene.assert_refused(scene.launch(), 503, "LTI-KEYS")


@pytest.mark.parametrize("is_dripping", [False, True], ids=["silent", "drop_by_drop"])
def test_bad_launch_65_a_key_set_that_takes_too_long(
    scene: Scene, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, is_dripping: bool
) -> None:
    assert key_sets._READ_SECONDS <= 5
    monkeypatch.setattr(key_sets, "_READ_SECONDS", 0.4)
    monkeypatch.setattr("lti_tool.platform_http.client.CONNECT_SECONDS", 0.4)

    def drops() -> Iterator[bytes]:
        for _ in range(30):
            time.sleep(0.1)
            yield b" "

    def answer(request: Request) -> Response:
        if is_dripping:
            return Response(drops(), headers={"Content-Length": "1000"})
        time.sleep(2)
        return Response("{}")

    httpserver.expect_request("/slow").respond_with_handler(answer)
    scene.owner.execute("UPDATE registrations SET jwks_url = %s", (httpserver.url_for("/slow"),))
    message = scene.message()
    started = time.monotonic()
    response = scene.post(message.id_token, message.state)
    assert time.monotonic() - started < 1.6
    scene.assert_refused(response, 503, "LTI-KEYS")


def test_bad_launch_65_a_key_set_that_is_busy_again_and_again_takes_no_longer_than_one(
    scene: Scene, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_sets, "_READ_SECONDS", 1.0)

    def busy(request: Request) -> Response:
        time.sleep(0.6)
        return Response("busy", status=503, headers={"Retry-After": "2"})

    httpserver.expect_request("/busy").respond_with_handler(busy)
    scene.owner.execute("UPDATE registrations SET jwks_url = %s", (httpserver.url_for("/busy"),))
    message = scene.message()
    started = time.monotonic()
    response = scene.post(message.id_token, message.state)
    assert time.monotonic() - started < 2.0
    scene.assert_refused(response, 503, "LTI-KEYS")


@pytest.fixture
def careful_app(settings: Settings) -> Iterator[Flask]:
    """The tool as in production: it talks to public addresses over https only."""
    made = create_app(settings.model_copy(update={"allow_private_platforms": False}))
    yield made
    made.extensions["mlquiz"].database.close()


@pytest.mark.parametrize(
    ("address", "resolves_to"),
    [
        ("http://keys.example/jwks", ["203.0.113.7"]),
        ("https://127.0.0.1/jwks", []),
        ("https://[::1]/jwks", []),
        ("https://169.254.169.254/jwks", []),
        ("https://keys.example/jwks", ["127.0.0.1"]),
        ("https://keys.example/jwks", ["10.0.0.5"]),
        ("https://keys.example/jwks", ["::ffff:169.254.169.254"]),
    ],
    ids=["http", "loopback", "loopback6", "metadata", "name_of_loopback", "name_of_private", "name_of_mapped"],
)
def test_bad_launch_65_a_key_set_inside_a_private_network_is_not_asked_for(
    scene: Scene, careful_app: Flask, monkeypatch: pytest.MonkeyPatch, address: str, resolves_to: list[str]
) -> None:
    message = scene.message()
    scene.owner.execute("UPDATE registrations SET jwks_url = %s", (address,))
    looked_up: list[str] = []
    true_lookup = socket.getaddrinfo

    def rebound(host: str, port: int, *arguments: object, **options: object) -> object:
        looked_up.append(host)
        if host != "keys.example":
            return true_lookup(host, port, *arguments, **options)  # pyright: ignore[reportArgumentType]
        # Whoever asks twice gets a public address first: only what was checked may be connected to.
        return [
            (socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))
            for ip in resolves_to
        ]

    dialled: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    monkeypatch.setattr(socket.socket, "connect", lambda self, where: dialled.append(where))
    client = browser(careful_app, scene.settings)
    client._cookies.update(scene.browser._cookies)
    scene.assert_refused(scene.post(message.id_token, message.state, client=client), 503, "LTI-KEYS")
    assert dialled == []
    assert looked_up.count("keys.example") <= 1


def test_the_registration_of_one_platform_is_not_verified_with_the_keys_of_another(scene: Scene) -> None:
    with scene.database.across_tenants() as connection:
        platforms.add_platform(
            connection,
            issuer="https://other.example",
            client_id="other-client",
            auth_login_url="https://other.example/auth",
            auth_token_url="https://other.example/token",
            jwks_url="https://other.example/keys",
        )
        connection.execute(
            "INSERT INTO platform_keys (registration_id, jwks, fetched_at) SELECT r.id, %s, now() FROM registrations r"
            " WHERE r.client_id = 'other-client'",
            (json.dumps({"keys": [OTHER.jwk]}),),
        )
    scene.before = scene.rows()
    message = scene.message()
    token = message.signed(header={"kid": OTHER.kid}, key=OTHER)
    scene.assert_refused(scene.post(token, message.state), 401, "LTI-KEY")
