"""What a platform must offer so that a launch from it can be walked, altered at one point, and signed again.

A platform runs on a real socket with its own code; a test starts it, so it knows the private key.
"""

from __future__ import annotations

import base64
import html
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import requests
from jwt.algorithms import RSAAlgorithm

from tests.fake_platform import ABSENT, PlatformKey, encoded, unverified

Role = Literal["learner", "instructor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformRegistration:
    """What the platform says of itself to the tool."""

    issuer: str
    client_id: str
    deployment_id: str
    auth_login_url: str
    auth_token_url: str
    jwks_url: str


class MatrixPlatform(ABC):
    """A running platform with the tool registered at it. ``name`` is its part of a test's id."""

    name: str
    registration: PlatformRegistration
    key: PlatformKey

    def __init__(self) -> None:
        self._browser = requests.Session()

    @abstractmethod
    def course_url(self, role: Role, *, deep_linking: bool) -> str:
        """The address behind the link in the course that begins a launch, or adding content."""

    @abstractmethod
    def stop(self) -> None:
        """End it and free what it holds."""

    def login_request(self, role: Role, *, deep_linking: bool = False) -> dict[str, str]:
        """What the platform sends to the tool's login address when somebody follows the link."""
        response = self._browser.get(
            self.course_url(role, deep_linking=deep_linking), timeout=10, allow_redirects=False
        )
        assert response.status_code == 302, response.text
        return dict(parse_qsl(urlsplit(response.headers["Location"]).query, keep_blank_values=True))

    def answer(self, authentication_url: str) -> dict[str, str]:
        """The fields of the form that the platform answers an authentication request with."""
        response = self._browser.get(authentication_url, timeout=10, allow_redirects=False)
        assert response.status_code == 200, response.text
        inputs = re.findall(r"<input[^>]*>", response.text)
        pairs = [(re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)) for tag in inputs]
        return {html.unescape(name[1]): html.unescape(value[1]) for name, value in pairs if name and value}

    def key_set(self) -> bytes:
        """The key set as the platform serves it."""
        response = self._browser.get(self.registration.jwks_url, timeout=10)
        response.raise_for_status()
        return response.content


@dataclass(slots=True, kw_only=True)
class PlatformMessage:
    """A message as the platform made it, for signing again with one thing altered."""

    platform: MatrixPlatform
    state: str
    id_token: str
    header: dict[str, Any] = field(init=False)
    claims: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        head = self.id_token.partition(".")[0]
        self.header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        self.claims = unverified(self.id_token)

    def claims_with(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The platform's claims with some replaced, or left out if ``ABSENT``."""
        return {name: value for name, value in (self.claims | dict(changes)).items() if value is not ABSENT}

    def signed(
        self,
        changes: Mapping[str, Any] | None = None,
        *,
        header: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        key: PlatformKey | None = None,
    ) -> str:
        """A token with claims or header altered, or another ``body``, signed by the platform or by ``key``."""
        head = {name: value for name, value in (self.header | dict(header or {})).items() if value is not ABSENT}
        payload = body if body is not None else json.dumps(self.claims_with(changes or {})).encode()
        return signed_parts(json.dumps(head).encode(), payload, key or self.platform.key)


def signed_parts(header: bytes, payload: bytes, key: PlatformKey) -> str:
    """A token of any two parts with an RS256 signature that fits."""
    signing_input = f"{encoded(header)}.{encoded(payload)}"
    return f"{signing_input}.{encoded(RSAAlgorithm(RSAAlgorithm.SHA256).sign(signing_input.encode(), key.private))}"
