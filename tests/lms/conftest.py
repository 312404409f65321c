"""Actors for the tests of the practice LMS: the LMS on a real socket, and a tool that does what a test tells it to."""

from __future__ import annotations

import html
import json
import re
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from pytest_httpserver import HTTPServer
from werkzeug.serving import make_server

from lti_tool.practice_lms import create_practice_lms
from lti_tool.practice_lms.tools import ALL_SCOPES

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
DL_CLAIM = "https://purl.imsglobal.org/spec/lti-dl/claim/"
SCORE_TYPE = "application/vnd.ims.lis.v1.score+json"
TOOL = "http://localhost:9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A page that posts itself on: where to, and with which fields."""

    action: str
    fields: dict[str, str]


def read_form(response: requests.Response) -> Form:
    """The form of an auto-submit page."""
    action = re.search(r'<form[^>]* action="([^"]*)"', response.text)
    assert action, response.text
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', response.text)
    return Form(
        action=html.unescape(action[1]), fields={html.unescape(name): html.unescape(value) for name, value in fields}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningLms:
    """A practice LMS that answers on a real socket."""

    issuer: str
    folder: Path
    admin_token: str = field(repr=False)
    browser: requests.Session = field(repr=False)

    def admin(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """A request with the admin token."""
        headers = {"Authorization": f"Bearer {self.admin_token}"}
        return self.browser.request(method, f"{self.issuer}/admin/{path}", headers=headers, timeout=10, **kwargs)

    def page(self, path: str, status: int = 200) -> str:
        """The text of a page."""
        response = self.browser.get(self.issuer + path, timeout=10, allow_redirects=False)
        assert response.status_code == status, response.text
        return response.text

    def gradebook(self) -> list[dict[str, Any]]:
        """What the admin sees of the gradebook."""
        return self.admin("GET", "gradebook").json()

    def activities(self) -> list[dict[str, Any]]:
        """What the admin sees of the course."""
        return self.admin("GET", "course").json()["activities"]


class SigningKey:
    """An RSA key with its id."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwk(self) -> dict[str, Any]:
        """The public half."""
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.key_id, "alg": "RS256", "use": "sig"}


@dataclass(kw_only=True)
class ScriptedTool:
    """A tool with real keys on a real JWKS address; everything else it does is written in the test."""

    lms: RunningLms
    key: SigningKey
    other_key: SigningKey
    jwks_server: HTTPServer
    jwks_path: str
    published: list[SigningKey] = field(default_factory=list)
    jwks_fetches: int = 0
    registration: dict[str, str] = field(default_factory=dict)
    tokens: dict[tuple[str, ...], str] = field(default_factory=dict)
    platform_keys: jwt.PyJWKSet | None = None

    def serve_keys(self) -> None:
        """Publishes ``published``, which a test may change at any time, and counts who asks."""

        def answer(request: Any) -> Any:
            del request
            from werkzeug.wrappers import Response

            self.jwks_fetches += 1
            keys = {"keys": [key.jwk() for key in self.published]}
            return Response(json.dumps(keys), content_type="application/json")

        self.jwks_server.expect_request(self.jwks_path).respond_with_handler(answer)

    def application(self, **overrides: Any) -> dict[str, Any]:
        """What the admin registers the tool with."""
        return {
            "name": "Quiz tool",
            "login_url": f"{TOOL}/lti/login",
            "launch_url": f"{TOOL}/lti/launch",
            "jwks_url": self.jwks_server.url_for(self.jwks_path),
            "deep_link_url": f"{TOOL}/lti/choose",
        } | overrides

    def registers(self, **overrides: Any) -> dict[str, str]:
        """Registers the tool at the LMS."""
        response = self.lms.admin("POST", "tool", json=self.application(**overrides))
        assert response.status_code == 200, response.text
        self.registration = response.json()
        return self.registration

    @property
    def client_id(self) -> str:
        return self.registration["client_id"]

    def signs(self, claims: dict[str, Any], *, key: SigningKey | None = None, **header: Any) -> str:
        """A JWT; claims that are ``None`` are left out."""
        key = key or self.key
        present = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(present, key.private, algorithm="RS256", headers={"kid": key.key_id, **header})

    # --- launches -----------------------------------------------------------------------------------------------

    def login_parameters(self, path: str) -> dict[str, str]:
        """Opens a launch address as a browser does and returns what the tool's login address gets."""
        response = self.lms.browser.get(self.lms.issuer + path, timeout=10, allow_redirects=False)
        assert response.status_code == 302, response.text
        return dict(parse_qsl(urlsplit(response.headers["Location"]).query))

    def authenticates(self, login: dict[str, str], *, method: str = "GET", **overrides: Any) -> requests.Response:
        """Sends the authentication request that answers ``login``; overrides that are ``None`` are left out."""
        parameters = {
            "scope": "openid",
            "response_type": "id_token",
            "response_mode": "form_post",
            "prompt": "none",
            "client_id": self.client_id,
            "redirect_uri": f"{TOOL}/lti/launch",
            "login_hint": login["login_hint"],
            "lti_message_hint": login["lti_message_hint"],
            "state": "state of the tool",
            "nonce": secrets.token_hex(8),
        } | overrides
        sent = {name: value for name, value in parameters.items() if value is not None}
        place = {"params" if method == "GET" else "data": sent}
        return self.lms.browser.request(method, self.registration["auth_login_url"], timeout=10, **place)

    def verified(self, id_token: str) -> dict[str, Any]:
        """The claims of a message, verified with the platform's published keys."""
        if self.platform_keys is None:
            keys = self.lms.browser.get(self.registration["jwks_url"], timeout=10).json()
            self.platform_keys = jwt.PyJWKSet.from_dict(keys)
        key = self.platform_keys[jwt.get_unverified_header(id_token)["kid"]]
        return jwt.decode(id_token, key.key, algorithms=["RS256"], audience=self.client_id, issuer=self.lms.issuer)

    def launches(self, slug: str, activity_id: int, target: str = "iframe") -> dict[str, Any]:
        """A whole launch; the verified claims that the tool receives."""
        login = self.login_parameters(f"/as/{slug}/activities/{activity_id}/open?target={target}")
        return self.verified(read_form(self.authenticates(login)).fields["id_token"])

    # --- deep linking -------------------------------------------------------------------------------------------

    def is_asked_for_content(self) -> dict[str, Any]:
        """The verified deep linking request after the instructor opens "Add activity"."""
        login = self.login_parameters(f"/as/ada/tools/{self.registration['deployment_id']}/choose")
        return self.verified(read_form(self.authenticates(login)).fields["id_token"])

    def answers(self, asked: dict[str, Any], items: Any, *, key: SigningKey | None = None, **overrides: Any) -> str:
        """The signed answer to a deep linking request. Overrides: ``nonce=…``, ``claim_version=…``, ``dl_data=…``."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.client_id,
            "aud": self.lms.issuer,
            "iat": now,
            "exp": now + 60,
            "nonce": secrets.token_hex(8),
            f"{CLAIM}deployment_id": self.registration["deployment_id"],
            f"{CLAIM}version": "1.3.0",
            f"{CLAIM}message_type": "LtiDeepLinkingResponse",
            f"{DL_CLAIM}content_items": items,
            f"{DL_CLAIM}data": asked[f"{DL_CLAIM}deep_linking_settings"]["data"],
        }
        for name, value in overrides.items():
            full = name.replace("claim_", CLAIM, 1) if name.startswith("claim_") else name
            claims[full.replace("dl_", DL_CLAIM, 1) if full.startswith("dl_") else full] = value
        return self.signs(claims, key=key)

    def returns(self, token: str) -> requests.Response:
        """Posts an answer to the return address, as the browser does."""
        return self.lms.browser.post(f"{self.lms.issuer}/deep-linking/return", data={"JWT": token}, timeout=10)

    def adds(self, **overrides: Any) -> dict[str, Any]:
        """Adds an activity worth 10 points by deep linking; what the admin sees of it."""
        item = {
            "type": "ltiResourceLink",
            "title": "Overfitting",
            "url": f"{TOOL}/lti/launch?quiz=7",
            "custom": {"quiz_id": "7"},
            "lineItem": {"label": "Overfitting quiz", "scoreMaximum": 10, "resourceId": "quiz-7", "tag": "quiz"},
        } | overrides
        item = {name: value for name, value in item.items() if value is not None}
        response = self.returns(self.answers(self.is_asked_for_content(), [item]))
        assert response.status_code == 200, response.text
        return self.lms.activities()[-1]

    # --- services -----------------------------------------------------------------------------------------------

    def assertion(self, *, key: SigningKey | None = None, **overrides: Any) -> str:
        """A client assertion for the token endpoint."""
        now = int(time.time())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.registration["auth_token_url"],
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_hex(8),
        } | overrides
        return self.signs(claims, key=key)

    def asks_for_token(self, *scopes: str, **overrides: Any) -> requests.Response:
        """A token request."""
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "scope": " ".join(scopes),
        } | overrides
        form.setdefault("client_assertion", self.assertion())
        return self.lms.browser.post(self.registration["auth_token_url"], data=form, timeout=10)

    def token(self, *scopes: str) -> str:
        """An access token, for all scopes unless some are given; kept, as a tool should."""
        wanted = (self.client_id, *(scopes or ALL_SCOPES))
        if wanted not in self.tokens:
            response = self.asks_for_token(*wanted[1:])
            assert response.status_code == 200, response.text
            self.tokens[wanted] = response.json()["access_token"]
        return self.tokens[wanted]

    def calls(
        self,
        method: str,
        url: str,
        *,
        token: str | None = None,
        content_type: str | None = None,
        body: Any = None,
        **headers: str | None,
    ) -> requests.Response:
        """A service call, with a token for everything unless one is given."""
        sent = {"Authorization": f"Bearer {token if token is not None else self.token()}", "Content-Type": content_type}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return self.lms.browser.request(method, url, headers=sent, data=data, timeout=10)

    def posts_score(self, line_item_url: str, *, token: str | None = None, **overrides: Any) -> requests.Response:
        """Posts a score of 4 out of 5 for Mateo; overrides that are ``None`` are left out."""
        score = {
            "userId": "11",
            "scoreGiven": 4,
            "scoreMaximum": 5,
            "comment": "Good, one point is missing.",
            "timestamp": moment(0),
            "activityProgress": "Completed",
            "gradingProgress": "FullyGraded",
        } | overrides
        body = {name: value for name, value in score.items() if value is not None}
        return self.calls("POST", below(line_item_url, "scores"), token=token, content_type=SCORE_TYPE, body=body)

    def results(self, line_item_url: str, query: str = "") -> list[dict[str, Any]]:
        """The results of a line item."""
        response = self.calls("GET", below(line_item_url, "results") + query)
        assert response.status_code == 200, response.text
        return response.json()

    def line_item_of(self, activity: dict[str, Any]) -> str:
        """The line item address of an activity; ``test_practice_launch`` shows that launches carry the same."""
        assert activity["lineitem"]
        return activity["lineitem"]


def moment(seconds: float) -> str:
    """A fixed moment plus some seconds, as ISO 8601."""
    return (datetime(2026, 3, 2, 9, 30, tzinfo=UTC) + timedelta(seconds=seconds)).isoformat()


def below(url: str, name: str) -> str:
    """``name`` as the next part of the path, before the query."""
    path, question, query = url.partition("?")
    return f"{path}/{name}{question}{query}"


@pytest.fixture(scope="session")
def running_lms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLms]:
    """One practice LMS for the session; use ``practice_lms``, which starts afresh for each test."""
    folder = tmp_path_factory.mktemp("practice-lms")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        issuer = f"http://127.0.0.1:{port}"
        app = create_practice_lms(folder, issuer)
        server = make_server("127.0.0.1", port, app, threaded=True, fd=listener.fileno())
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with requests.Session() as browser:
            token = (folder / "admin.token").read_text(encoding="utf-8")
            yield RunningLms(issuer=issuer, folder=folder, admin_token=token, browser=browser)
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()


@pytest.fixture
def practice_lms(running_lms: RunningLms) -> RunningLms:
    """A practice LMS without tools, activities or grades."""
    assert running_lms.admin("POST", "reset?tools=1").status_code == 204
    return running_lms


@pytest.fixture(scope="session")
def signing_keys() -> tuple[SigningKey, SigningKey]:
    """Two RSA keys, made once: making one takes a while."""
    return SigningKey("first"), SigningKey("second")


@pytest.fixture
def unregistered_tool(
    practice_lms: RunningLms, signing_keys: tuple[SigningKey, SigningKey], httpserver: HTTPServer
) -> ScriptedTool:
    """A scripted tool that the LMS does not know yet."""
    tool = ScriptedTool(
        lms=practice_lms,
        key=signing_keys[0],
        other_key=signing_keys[1],
        jwks_server=httpserver,
        # Each test has an address of its own: the LMS keeps key sets by address.
        jwks_path=f"/{secrets.token_hex(8)}/jwks",
        published=[signing_keys[0]],
    )
    tool.serve_keys()
    return tool


@pytest.fixture
def scripted_tool(unregistered_tool: ScriptedTool) -> ScriptedTool:
    """A scripted tool that is registered."""
    unregistered_tool.registers()
    return unregistered_tool
