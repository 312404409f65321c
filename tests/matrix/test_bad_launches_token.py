"""Rows 22 to 26, 30 and 32 to 35, 69: tokens whose shape, header or signature is wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_httpserver import HTTPServer

from tests.fake_platform import ABSENT, KEYS, encoded
from tests.matrix.scene import Scene
from tests.platforms.matrix_platform import PlatformMessage, signed_parts

STRANGER = KEYS[0]
Make = Callable[[PlatformMessage], str]


def _parts(message: PlatformMessage) -> list[str]:
    return message.signed().split(".")


def _body(body: bytes) -> Make:
    return lambda message: message.signed(body=body)


def _public_pem(message: PlatformMessage) -> bytes:
    return message.platform.key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _unsigned(message: PlatformMessage) -> str:
    return message.signed(header={"alg": "none"}).rpartition(".")[0] + "."


def _unsigned_with_signature(message: PlatformMessage) -> str:
    return message.signed(header={"alg": "none"})


def _with_public_key_as_secret(message: PlatformMessage) -> str:
    head = encoded(json.dumps(message.header | {"alg": "HS256"}).encode())
    signed = f"{head}.{encoded(json.dumps(message.claims).encode())}"
    # The bare signature: PyJWT would not encode with such a secret.
    signature = jwt.get_algorithm_by_name("HS256").sign(signed.encode(), _public_pem(message))
    return f"{signed}.{encoded(signature)}"


def _with_algorithm(algorithm: str) -> Make:
    return lambda message: jwt.encode(
        message.claims, message.platform.key.private, algorithm, headers={"kid": message.platform.key.kid}
    )


def _with_elliptic_curve(message: PlatformMessage) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(message.claims, key, "ES256", headers={"kid": message.platform.key.kid})


def _altered_after_signing(message: PlatformMessage) -> str:
    head, _, signature = _parts(message)
    return f"{head}.{encoded(json.dumps(message.claims | {'sub': '3'}).encode())}.{signature}"


def _header_with_a_blank(message: PlatformMessage) -> str:
    _, body, signature = _parts(message)
    return f"{encoded(json.dumps(message.header).encode() + b' ')}.{body}.{signature}"


def _without_signature(message: PlatformMessage) -> str:
    return message.signed().rpartition(".")[0] + "."


@pytest.mark.parametrize("make", [_unsigned, _unsigned_with_signature], ids=["no_signature", "signature"])
def test_bad_launch_22_algorithm_none(scene: Scene, make: Make) -> None:
    scene.assert_refused(scene.launch_with(make), 401, "LTI-ALG")


def test_bad_launch_23_public_key_as_the_secret_of_hs256(scene: Scene) -> None:
    scene.assert_refused(scene.launch_with(_with_public_key_as_secret), 401, "LTI-ALG")


@pytest.mark.parametrize(
    "make",
    [_with_algorithm("RS512"), _with_algorithm("RS384"), _with_algorithm("PS256"), _with_elliptic_curve],
    ids=["rs512", "rs384", "ps256", "es256"],
)
def test_bad_launch_24_algorithms_that_are_not_ours(scene: Scene, make: Make) -> None:
    scene.assert_refused(scene.launch_with(make), 401, "LTI-ALG")


@pytest.mark.parametrize(
    "make",
    [lambda message: message.signed(key=STRANGER), _altered_after_signing, _header_with_a_blank, _without_signature],
    ids=["other_key", "altered", "header_altered", "no_signature"],
)
def test_bad_launch_25_signed_by_another_key_under_the_right_name(scene: Scene, make: Make) -> None:
    scene.assert_refused(scene.launch_with(make), 401, "LTI-SIGNATURE")


@pytest.mark.parametrize("kid", [ABSENT, "", 5, None], ids=["absent", "empty", "number", "null"])
def test_bad_launch_26_without_a_key_name(scene: Scene, kid: Any) -> None:
    scene.assert_refused(scene.launch(header={"kid": kid}), 401, "LTI-HEADER")


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
def test_bad_launch_30_a_header_that_brings_its_own_key(scene: Scene, httpserver: HTTPServer, name: str) -> None:
    strangers: dict[str, Any] = {
        "jwk": STRANGER.jwk,
        "jku": httpserver.url_for("/strangers-keys"),
        "x5u": httpserver.url_for("/strangers-keys"),
        "x5c": ["MIIB"],
    }
    message = scene.message()
    asked_before = len(httpserver.log)
    for key in (STRANGER, message.platform.key):
        token = message.signed(header={name: strangers[name]}, key=key)
        scene.assert_refused(scene.post(token, message.state), 401, "LTI-HEADER")
    assert len(httpserver.log) == asked_before


def test_bad_launch_32_critical_extensions(scene: Scene) -> None:
    scene.assert_refused(scene.launch(header={"crit": ["exp"], "exp": 1}), 401, "LTI-HEADER")
    scene.assert_refused(scene.launch(header={"crit": []}), 401, "LTI-HEADER")


@pytest.mark.parametrize(
    "make",
    [
        lambda message: message.signed(header={"alg": "RSA-OAEP", "enc": "A256GCM"}) + ".x.x",
        lambda message: message.signed(header={"alg": "RSA-OAEP", "enc": "A256GCM"}),
        lambda message: message.signed(header={"cty": "JWT"}, body=message.signed().encode()),
        lambda message: ".".join(_parts(message)[:2]),
        lambda message: f"{message.signed()}.x",
        lambda message: _parts(message)[1],
        lambda message: "=".join(_parts(message)),
        lambda message: "..",
        lambda message: f"{_parts(message)[0]}=.{_parts(message)[1]}.{_parts(message)[2]}",
        # Found by the fuzz: the signature was decoded with padding or without.
        lambda message: f"{message.signed()}==",
        lambda message: f"{message.signed()}\n",
    ],
    ids=[
        "jwe",
        "jwe_in_three",
        "nested",
        "two",
        "four",
        "one",
        "no_dots",
        "dots",
        "padded_header",
        "padded_signature",
        "line_break",
    ],
)
def test_bad_launch_33_a_token_that_is_not_three_plain_parts(scene: Scene, make: Make) -> None:
    scene.assert_refused(scene.launch_with(make), 400, "LTI-TOKEN-FORM")


@pytest.mark.parametrize(
    "make",
    [
        lambda message: signed_parts(b"[]", b"{}", message.platform.key),
        lambda message: signed_parts(b'"RS256"', b"{}", message.platform.key),
        _body(b"[1]"),
        _body(b"5"),
        _body(b"null"),
        _body(b"{"),
        _body(b""),
        _body(b'{"sub": "\xed\xa0\x80"}'),
    ],
    ids=["header_list", "header_text", "list", "number", "null", "half", "empty", "no_utf8"],
)
def test_bad_launch_34_header_or_body_that_is_no_object(scene: Scene, make: Make) -> None:
    scene.assert_refused(scene.launch_with(make), 400, "LTI-TOKEN-FORM")


def _twice(name: str, value: str) -> Make:
    def make(message: PlatformMessage) -> str:
        text = json.dumps(message.claims)
        return message.signed(body=text.replace(f'"{name}":', f'"{name}": {value}, "{name}":', 1).encode())

    return make


def _header_twice(message: PlatformMessage) -> str:
    text = json.dumps(message.header).replace('"alg":', '"alg": "none", "alg":')
    return signed_parts(text.encode(), json.dumps(message.claims).encode(), message.platform.key)


@pytest.mark.parametrize(
    "make",
    [_twice("sub", '"3"'), _twice("iss", '"x"'), _twice("id", '"x"'), _header_twice],
    ids=["sub", "iss", "inner", "header"],
)
def test_bad_launch_35_a_key_twice(scene: Scene, make: Make) -> None:
    scene.assert_refused(scene.launch_with(make), 400, "LTI-TOKEN-FORM")


def _nested(levels: int, opening: str = '{"a":', closing: str = "}") -> Make:
    def make(message: PlatformMessage) -> str:
        text = json.dumps(message.claims | {"deep": 0})
        return message.signed(body=text.replace('"deep": 0', f'"deep": {opening * levels}1{closing * levels}').encode())

    return make


@pytest.mark.parametrize(
    "make",
    [_nested(30_000), _nested(90_000, "[", "]"), _nested(30), _body(b"[" * 100_000), _body(b'{"a":' * 30_000)],
    ids=["objects", "lists", "rather_deep", "unclosed", "unclosed_objects"],
)
def test_bad_launch_69_a_claim_nested_a_hundred_thousand_deep(scene: Scene, make: Make) -> None:
    message = scene.message()
    token = make(message)
    started = time.monotonic()
    response = scene.post(token, message.state)
    assert time.monotonic() - started < 1
    scene.assert_refused(response, 400, "LTI-TOKEN-FORM")
