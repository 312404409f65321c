"""The tools' public keys, and the check of what a tool signed.

The library's own check covers signature and ``exp``; audience, issuer, required claims and age are added here
(IMS Security Framework 1.0 sections 4.1.1 and 5.1.3).
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import jwt
import requests
from jwt.types import Options

from lti_tool.practice_lms.errors import ToolKeysUnavailable, ToolMessageRefused
from lti_tool.practice_lms.tools import Tool

USER_AGENT = "practice-lms/1.0"
LEEWAY_SECONDS = 30
MAX_AGE_SECONDS = 3600
_CACHE_SECONDS = 3600
_MAX_BYTES = 256 * 1024


class ToolKeys:
    """Key sets by address, kept for an hour; an unknown key id fetches again at once, as after a rotation."""

    def __init__(self, *, timeout_seconds: float = 5) -> None:
        self._timeout_seconds = timeout_seconds
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def key_set(self, tool: Tool, key_id: str) -> dict[str, Any]:
        """The tool's JWKS, which holds ``key_id`` if the tool publishes it. Raises :class:`ToolKeysUnavailable`."""
        with self._lock:
            fetched_at, key_set = self._kept.get(tool.jwks_url, (0.0, {"keys": []}))
        if time.monotonic() - fetched_at > _CACHE_SECONDS or not _has(key_set, key_id):
            key_set = self._fetch(tool.jwks_url)
            with self._lock:
                self._kept[tool.jwks_url] = (time.monotonic(), key_set)
        return key_set

    def _fetch(self, url: str) -> dict[str, Any]:
        try:
            with requests.get(
                url,
                headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
                timeout=self._timeout_seconds,
                allow_redirects=False,
                stream=True,
            ) as response:
                body = response.raw.read(_MAX_BYTES + 1, decode_content=True)
                if response.status_code != 200 or len(body) > _MAX_BYTES:
                    raise ToolKeysUnavailable(f"{url} answered {response.status_code}, {len(body)} bytes")
            key_set = json.loads(body)
        except (requests.RequestException, OSError, ValueError) as error:
            raise ToolKeysUnavailable(f"{url} gives no key set: {error}") from error
        if not isinstance(key_set, dict) or not isinstance(key_set.get("keys"), list):
            raise ToolKeysUnavailable(f"{url} gives no key set")
        return key_set


def _has(key_set: dict[str, Any], key_id: str) -> bool:
    return any(isinstance(key, dict) and key.get("kid") == key_id for key in key_set["keys"])


def claimed_issuer(token: str) -> str:
    """The ``iss`` of a token nobody has verified yet: only to find whose keys to verify it with."""
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except jwt.InvalidTokenError as error:
        raise ToolMessageRefused("This is not a JSON Web Token.", status=400) from error
    if not isinstance(issuer, str):
        raise ToolMessageRefused("The token names no issuer.", status=400)
    return issuer


def verify_tool_token(
    token: str, *, tool: Tool, keys: ToolKeys, audience: str, required: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The claims of a token that ``tool`` signed for ``audience``, and the key set that it was verified with.

    Raises :class:`ToolMessageRefused` on anything else, :class:`ToolKeysUnavailable` without keys.
    """
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise ToolMessageRefused("This is not a JSON Web Token.", status=400) from error
    key_id = header.get("kid")
    if header.get("alg") != "RS256" or not isinstance(key_id, str):
        raise ToolMessageRefused("The token must be signed with RS256 and name its key.")
    key_set = keys.key_set(tool, key_id)
    options: Options = {"require": ["iss", "aud", "exp", "iat", *required]}
    try:
        key = next(jwk for jwk in key_set["keys"] if isinstance(jwk, dict) and jwk.get("kid") == key_id)
        claims = jwt.decode(
            token,
            jwt.PyJWK(key, algorithm="RS256").key,
            algorithms=["RS256"],
            audience=audience,
            issuer=tool.client_id,
            leeway=LEEWAY_SECONDS,
            options=options,
        )
    except StopIteration as error:
        raise ToolMessageRefused("The token is signed with a key that the tool does not publish.") from error
    except (jwt.InvalidTokenError, jwt.PyJWKError) as error:
        raise ToolMessageRefused(f"The token is refused: {error}.") from error
    issued_at, expires_at = float(claims["iat"]), float(claims["exp"])
    if time.time() - issued_at > MAX_AGE_SECONDS or expires_at - issued_at > MAX_AGE_SECONDS:
        raise ToolMessageRefused("The token is too old or lives too long.")
    return claims, key_set
