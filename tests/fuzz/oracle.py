"""What may pass, written a second time and differently: no code of the tool, no PyJWT, no pydantic.

``may_launch`` errs on the side of yes for what harms nobody (a strange title, an unknown claim); for what decides who
launches where, it is exact.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
_KINDS = ("LtiResourceLinkRequest", "LtiDeepLinkingRequest", "LtiSubmissionReviewRequest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the tool knows of a login that waits for its launch."""

    issuer: str
    client_id: str
    deployments: tuple[str, ...]
    target: str
    key_id: str
    public_key: RSAPublicKey
    state: str
    nonce: str


class _Doubtful(Exception):
    """The message is not plain."""


def may_launch(form: Sequence[tuple[str, str]], expected: Expected, now: float) -> dict[str, Any] | None:
    """The claims of a form that may launch, ``None`` for any other."""
    fields = [name for name, _ in form]
    values = dict(form)
    if "error" in fields and values["error"]:
        return None
    if fields.count("id_token") != 1 or fields.count("state") != 1 or values["state"] != expected.state:
        return None
    try:
        claims = _proven(values["id_token"], expected)
    except (_Doubtful, ValueError, RecursionError, InvalidSignature, TypeError, KeyError):
        return None
    return claims if _is_for_us(claims, expected) and _is_fresh(claims, now) and _is_usable(claims, expected) else None


def _proven(token: str, expected: Expected) -> dict[str, Any]:
    match = re.fullmatch(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", token)
    if match is None or len(token) > 262_144:
        raise _Doubtful
    header, claims = (_plain_object(_decoded(match[part])) for part in (1, 2))
    if header["alg"] != "RS256" or header["kid"] != expected.key_id:
        raise _Doubtful
    if {"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip"} & header.keys() or header.get("enc") is not None:
        raise _Doubtful
    signed = f"{match[1]}.{match[2]}".encode()
    expected.public_key.verify(_decoded(match[3]), signed, padding.PKCS1v15(), SHA256())
    return claims


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)


def _plain_object(text: bytes) -> dict[str, Any]:
    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise _Doubtful
        return dict(pairs)

    def refuse(constant: str) -> Any:
        raise _Doubtful(constant)

    value = json.loads(text.decode("utf-8"), object_pairs_hook=members, parse_constant=refuse)
    written = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not isinstance(value, dict) or "\x00" in "".join(_texts(value)):
        raise _Doubtful
    # Half a character cannot be encoded.
    written.encode("utf-8")
    return value


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for member in pair for text in _texts(member)]
    if isinstance(value, list):
        return [text for member in value for text in _texts(member)]
    return [value] if isinstance(value, str) else []


def _is_for_us(claims: dict[str, Any], expected: Expected) -> bool:
    audience = claims.get("aud")
    parties = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    authorized = claims.get("azp")
    return (
        claims.get("iss") == expected.issuer
        and expected.client_id in parties
        and (len(parties) == 1 or authorized is not None)
        and authorized in (None, expected.client_id)
        and claims.get("nonce") == expected.nonce
        and claims.get(f"{LTI}deployment_id") in expected.deployments
    )


def _is_fresh(claims: dict[str, Any], now: float) -> bool:
    begin, end, not_before = (claims.get(name) for name in ("iat", "exp", "nbf"))
    times = [begin, end] + ([not_before] if not_before is not None else [])
    if not all(isinstance(time, (int, float)) and not isinstance(time, bool) for time in times):
        return False
    # A second of slack for the time between the tool's clock and ours.
    return (
        now - 631 <= begin <= now + 31
        and end >= now - 31
        and end - begin <= 86_400
        and (not_before is None or 0 <= not_before <= now + 31)
    )


def _is_usable(claims: dict[str, Any], expected: Expected) -> bool:
    subject, roles = claims.get("sub"), claims.get(f"{LTI}roles")
    kind, link, context = (claims.get(f"{LTI}{name}") for name in ("message_type", "resource_link", "context"))
    target = claims.get(f"{LTI}target_link_uri")
    if claims.get(f"{LTI}version") != "1.3.0" or kind not in _KINDS:
        return False
    if not _is_id(subject) or not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        return False
    if not isinstance(context, dict) or not _is_id(context.get("id")):
        return False
    if kind == "LtiResourceLinkRequest":
        return target == expected.target and isinstance(link, dict) and _is_id(link.get("id"))
    if kind == "LtiDeepLinkingRequest":
        return target in (None, expected.target) and teaches(roles) and _returns_to_the_platform(claims, expected)
    return target in (None, expected.target) and isinstance(claims.get(f"{LTI}for_user"), dict)


def _returns_to_the_platform(claims: dict[str, Any], expected: Expected) -> bool:
    settings = claims.get("https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings")
    address = settings.get("deep_link_return_url") if isinstance(settings, dict) else None
    if not isinstance(address, str) or re.search(r"[\s\"'<>\\]|[^\x21-\x7e]", address):
        return False
    # Scheme and host are the same in any case (RFC 3986 section 6.2.2.1).
    return re.match(re.escape(expected.issuer) + r"(?![^/?#])", address, re.IGNORECASE) is not None


def teaches(roles: list[str]) -> bool:
    """Whether a role in the course gives the rights of an instructor."""
    names = {
        re.sub(r"#.*", "", role.removeprefix(f"{MEMBERSHIP}/"))
        if role.startswith(f"{MEMBERSHIP}/")
        else role.removeprefix(f"{MEMBERSHIP}#")
        for role in roles
    }
    return bool(names & {"Instructor", "TeachingAssistant", "Administrator"})


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 255


def may_log_in(
    parameters: Sequence[tuple[str, str]], *, issuer: str, client_id: str, launch_url: str
) -> dict[str, str] | None:
    """The parameters of a login that may go on to the platform, ``None`` for any other."""
    names = [name for name, _ in parameters]
    read = ("iss", "login_hint", "client_id", "target_link_uri", "lti_message_hint", "lti_storage_target")
    if any(names.count(name) > 1 for name in read):
        return None
    values = {name: value for name, value in parameters if name in read}
    if any(len(value) > 8192 or "\x00" in value for value in values.values()):
        return None
    target = values.get("target_link_uri", "")
    if (
        values.get("iss") != issuer
        or not values.get("login_hint")
        or values.get("client_id") not in (None, "", client_id)
    ):
        return None
    if not re.fullmatch(re.escape(launch_url) + r"(\?[!-~]*)?", target) or re.search(r"[#\"'<>\\]", target):
        return None
    return values


def query_of(url: str) -> dict[str, str]:
    """The parameters in an address."""
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
