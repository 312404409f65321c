"""A platform for tests of launches: real keys, a real key set and token endpoint over HTTP, tokens wrong at will."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask
from flask.testing import FlaskClient
from jwt.algorithms import RSAAlgorithm
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response
from werkzeug.test import TestResponse

from config.settings import Settings
from lti_tool import create_app
from lti_tool.db import Database, fetch_value
from lti_tool.embedded.postgres import EmbeddedPostgres
from lti_tool.launch import platforms
from lti_tool.launch.platforms import Registration
from tests.conftest import conninfo_for, owner_conninfo_for

LTI = "https://purl.imsglobal.org/spec/lti/claim"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
AGS = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
DL_SETTINGS = "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"
ABSENT = object()


@dataclass(slots=True)
class PlatformKey:
    """A key pair of a platform and its name."""

    kid: str
    private: rsa.RSAPrivateKey

    @property
    def jwk(self) -> dict[str, Any]:
        """The public half as the key set shows it."""
        numbers = json.loads(RSAAlgorithm.to_jwk(self.private.public_key()))
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": numbers["n"], "e": numbers["e"]}


KEYS = [
    PlatformKey(f"key-{number}", rsa.generate_private_key(public_exponent=65537, key_size=2048)) for number in (1, 2)
]


@dataclass(slots=True)
class FakePlatform:
    """An issuer with one registration of the tool; ``jwks`` may be replaced to break or rotate the key set."""

    server: HTTPServer
    base_url: str
    registration: Registration
    deployment_id: str = "7"
    key: PlatformKey = field(default_factory=lambda: KEYS[0])
    jwks: Any = None
    key_fetches: int = 0
    key_headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def target(self) -> str:
        return f"{self.base_url}/lti/launch"

    def serve_keys(self, request: Request) -> Response:
        self.key_fetches += 1
        self.key_headers.append(dict(request.headers))
        if isinstance(self.jwks, Response):
            return self.jwks
        return Response(json.dumps(self.jwks), content_type="application/json")

    def login_form(self, **changes: Any) -> dict[str, str]:
        form = {
            "iss": self.registration.issuer,
            "login_hint": "user-5",
            "target_link_uri": self.target,
            "lti_message_hint": '{"cmid": 12, "launchid": "ltilaunch12_1"}',
            "client_id": self.registration.client_id,
        }
        return {name: value for name, value in (form | changes).items() if value is not ABSENT}

    def login(self, client: FlaskClient, **changes: Any) -> TestResponse:
        return client.post(f"/lti/login/{self.registration.login_key}", data=self.login_form(**changes))

    def logged_in(self, client: FlaskClient, **changes: Any) -> dict[str, str]:
        """What the tool asked the platform for after a login."""
        response = self.login(client, **changes)
        assert response.status_code == 302, response.text
        return {name: values[0] for name, values in parse_qs(urlsplit(response.location).query).items()}

    def claims(self, nonce: str, /, **changes: Any) -> dict[str, Any]:
        """Claims of a learner's launch; a change to ``ABSENT`` leaves the claim out."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.registration.issuer,
            "aud": self.registration.client_id,
            "sub": "student-1",
            "iat": now,
            "exp": now + 60,
            "nonce": nonce,
            "name": "Ada Lovelace",
            f"{LTI}/version": "1.3.0",
            f"{LTI}/message_type": "LtiResourceLinkRequest",
            f"{LTI}/deployment_id": self.deployment_id,
            f"{LTI}/target_link_uri": self.target,
            f"{LTI}/roles": [f"{MEMBERSHIP}#Learner"],
            f"{LTI}/context": {"id": "course-3", "title": "Machine learning"},
            f"{LTI}/resource_link": {"id": "link-9", "title": "Quiz one"},
            f"{LTI}/launch_presentation": {"locale": "ko"},
            AGS: {
                "scope": ["https://purl.imsglobal.org/spec/lti-ags/scope/score"],
                "lineitem": f"{self.registration.issuer}/lineitems/4/lineitem?type_id=2",
                "lineitems": f"{self.registration.issuer}/lineitems?type_id=2",
            },
        }
        return {name: value for name, value in (claims | changes).items() if value is not ABSENT}

    def deep_linking(self, nonce: str, /, *, offered: Any = None, **changes: Any) -> dict[str, Any]:
        """Claims of an instructor's deep linking request."""
        accepted = {
            "deep_link_return_url": f"{self.registration.issuer}/contentitem_return.php?course=3",
            "accept_types": ["ltiResourceLink"],
            "accept_presentation_document_targets": ["iframe"],
            "accept_multiple": False,
        }
        merged = {name: value for name, value in (accepted | (offered or {})).items() if value is not ABSENT}
        wanted = {
            f"{LTI}/message_type": "LtiDeepLinkingRequest",
            f"{LTI}/roles": [f"{MEMBERSHIP}#Instructor"],
            f"{LTI}/resource_link": ABSENT,
            AGS: ABSENT,
            DL_SETTINGS: merged,
        }
        return self.claims(nonce, **(wanted | changes))

    def signed(self, claims: Any, *, headers: dict[str, Any] | None = None, raw_claims: bytes | None = None) -> str:
        """A token over ``claims``; ``raw_claims`` go in as they are, ``headers`` change the header."""
        header = {"alg": "RS256", "typ": "JWT", "kid": self.key.kid} | (headers or {})
        header = {name: value for name, value in header.items() if value is not ABSENT}
        payload = raw_claims if raw_claims is not None else json.dumps(claims).encode()
        signing_input = f"{encoded(json.dumps(header).encode())}.{encoded(payload)}"
        signature = RSAAlgorithm(RSAAlgorithm.SHA256).sign(signing_input.encode(), self.key.private)
        return f"{signing_input}.{encoded(signature)}"

    def launch(self, client: FlaskClient, *, change_login: Any = None, **changes: Any) -> TestResponse:
        """Login and launch with a learner's token, changed in ``changes``."""
        asked = self.logged_in(client, **(change_login or {}))
        return self.post(client, self.signed(self.claims(asked["nonce"], **changes)), asked["state"])

    def post(self, client: FlaskClient, id_token: str, state: str) -> TestResponse:
        return client.post("/lti/launch", data={"id_token": id_token, "state": state})


def encoded(part: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def unverified(token: str) -> dict[str, Any]:
    """Claims of a token that is not ours to verify."""
    return jwt.decode(token, options={"verify_signature": False})


def rows(database: Database) -> dict[str, int]:
    """How many rows a launch may have left where."""
    with database.across_tenants() as connection:
        return {
            "users": _count(fetch_value(connection, "SELECT count(*) FROM users")),
            "contexts": _count(fetch_value(connection, "SELECT count(*) FROM contexts")),
            "resource_links": _count(fetch_value(connection, "SELECT count(*) FROM resource_links")),
            "launch_sessions": _count(fetch_value(connection, "SELECT count(*) FROM launch_sessions")),
        }


NOTHING = {"users": 0, "contexts": 0, "resource_links": 0, "launch_sessions": 0}


def events(database: Database) -> list[str]:
    """The audit trail, oldest first."""
    with database.across_tenants() as connection:
        return [row[0] for row in connection.execute("SELECT event FROM audit_events ORDER BY id").fetchall()]


def _count(value: object) -> int:
    assert isinstance(value, int)
    return value


@pytest.fixture(scope="session")
def _launch_database(postgres: EmbeddedPostgres) -> str:
    """One database for all tests of launches: emptied for each, which is much quicker than a new one."""
    with psycopg.connect(owner_conninfo_for(postgres, "postgres"), autocommit=True) as connection:
        # Each module that imports this fixture has its own instance of it.
        if fetch_value(connection, "SELECT 1 FROM pg_database WHERE datname = 'launches'") is None:
            connection.execute("CREATE DATABASE launches TEMPLATE template_mlquiz")
    return conninfo_for(postgres, "launches")


@pytest.fixture
def database_url(_launch_database: str, postgres: EmbeddedPostgres) -> str:
    """The conninfo of an empty, migrated database."""
    with psycopg.connect(owner_conninfo_for(postgres, "launches")) as connection:
        connection.execute("TRUNCATE platforms, tool_keys, audit_events CASCADE")
    return _launch_database


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The whole tool."""
    made = create_app(settings)
    yield made
    made.extensions["mlquiz"].database.close()


@pytest.fixture
def client(app: Flask, settings: Settings) -> FlaskClient:
    """A browser that keeps cookies."""
    return browser(app, settings)


def browser(app: Flask, settings: Settings) -> FlaskClient:
    """Another browser, without any cookie."""
    made = app.test_client()
    made.environ_base["HTTP_HOST"] = urlsplit(settings.base_url).netloc
    return made


@pytest.fixture
def platform(httpserver: HTTPServer, database: Database, settings: Settings) -> FakePlatform:
    """A registered platform with an active deployment."""
    issuer = httpserver.url_for("").rstrip("/")
    with database.across_tenants() as connection:
        registration = platforms.add_platform(
            connection,
            issuer=issuer,
            client_id="our-client",
            auth_login_url=f"{issuer}/auth.php",
            auth_token_url=f"{issuer}/token.php",
            jwks_url=f"{issuer}/jwks",
            family="moodle",
            name="Test LMS",
            deployment_ids=["7"],
        )
    made = FakePlatform(server=httpserver, base_url=settings.base_url, registration=registration)
    made.jwks = {"keys": [KEYS[0].jwk]}
    httpserver.expect_request("/jwks").respond_with_handler(made.serve_keys)
    return made
