"""Is this id_token a fresh one, from the registered platform, for us, answering our login?

LTI security framework 1.0 section 5.1.3 and OpenID Connect core 3.1.3.7, read strictly: RS256 only, keys only from
the registered key set, all times required and bounded. Nothing here touches network or database.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.algorithms import RSAAlgorithm

from lti_tool.launch.claims import IdTokenClaims, claims_from_json, strict_json_object
from lti_tool.launch.errors import (
    AlgorithmRefused,
    AudienceWrong,
    HeaderRefused,
    IssuerWrong,
    KeysUnavailable,
    KeyUnknown,
    LaunchTooLarge,
    NonceWrong,
    SignatureWrong,
    TimesWrong,
    TokenMalformed,
)
from lti_tool.launch.logins import sha256

MAX_TOKEN_BYTES = 256 * 1024
LEEWAY_SECONDS = 30
MAX_AGE_SECONDS = 10 * 60
MAX_LIFE_SECONDS = 24 * 60 * 60
# A header that brings or names its own key, or demands extensions (RFC 7515 section 4.1).
_REFUSED_HEADERS = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip"})
# Three parts without padding (RFC 7515 section 7.1). An empty signature gets as far as its algorithm.
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedToken:
    """A well-formed token whose header is acceptable; nothing in it is proven yet."""

    raw: str
    kid: str
    claims: IdTokenClaims


def read_token(raw: str) -> UnverifiedToken:
    """Take a token apart without believing it.

    Raises :class:`LaunchTooLarge`, :class:`TokenMalformed`, :class:`AlgorithmRefused`, :class:`HeaderRefused` or
    :class:`ClaimWrong`, all before any key is looked for.
    """
    if len(raw) > MAX_TOKEN_BYTES:
        raise LaunchTooLarge(f"id_token of {len(raw)} characters")
    parts = raw.split(".")
    if not _COMPACT.fullmatch(raw):
        raise TokenMalformed(f"{len(parts)} parts, or no base64url")
    header = strict_json_object(_decoded(parts[0]))
    kid = _checked_header(header)
    claims = strict_json_object(_decoded(parts[1]))
    return UnverifiedToken(raw=raw, kid=kid, claims=claims_from_json(claims))


def select_jwk(jwks: dict[str, Any], kid: str) -> dict[str, Any] | None:
    """The key of this name, ``None`` if there is none.

    Raises :class:`KeyUnknown` if the name is ambiguous or the key is not one for RS256 signatures.
    """
    matches = [key for key in jwks.get("keys", ()) if isinstance(key, dict) and key.get("kid") == kid]
    if not matches:
        return None
    if any(match != matches[0] for match in matches):
        raise KeyUnknown("two keys share the kid")
    key = matches[0]
    if key.get("kty") != "RSA" or key.get("use", "sig") != "sig" or key.get("alg", "RS256") != "RS256":
        raise KeyUnknown("the key is not one for RS256 signatures")
    return key


def verify_token(
    token: UnverifiedToken, jwk: dict[str, Any], *, issuer: str, client_id: str, nonce_hash: bytes, now: float
) -> IdTokenClaims:
    """The claims, proven. ``now`` is in seconds since 1970. Raises a :class:`NotAuthentic`."""
    _check_signature(token.raw, jwk)
    claims = token.claims
    if claims.iss != issuer:
        raise IssuerWrong("iss is not the registered issuer")
    _check_audience(claims, client_id)
    _check_times(claims, now)
    if not claims.nonce or not secrets.compare_digest(sha256(claims.nonce), nonce_hash):
        raise NonceWrong("no nonce" if not claims.nonce else "the nonce was not issued with this state")
    return claims


def _decoded(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError) as error:
        raise TokenMalformed("no base64url") from error


def _checked_header(header: dict[str, Any]) -> str:
    if header.get("enc") is not None or str(header.get("cty", "")).upper() == "JWT":
        raise TokenMalformed("an encrypted or nested token")
    if header.get("alg") != "RS256":
        raise AlgorithmRefused("alg is not RS256")
    unwanted = _REFUSED_HEADERS & header.keys()
    if unwanted:
        raise HeaderRefused(f"header with {', '.join(sorted(unwanted))}")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 1 <= len(kid) <= 512:
        raise HeaderRefused("no kid")
    return kid


def _check_signature(raw: str, jwk: dict[str, Any]) -> None:
    try:
        # Only the numbers: nothing else in the platform's key has a say.
        key = RSAAlgorithm.from_jwk({"kty": "RSA", "n": jwk["n"], "e": jwk["e"]})
    except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
        raise KeysUnavailable("the platform's key cannot be read") from error
    if key.key_size < 2048:
        raise KeysUnavailable(f"the platform's key has only {key.key_size} bits")
    try:
        jwt.PyJWS(algorithms=["RS256"]).decode(raw, key=key, algorithms=["RS256"])  # pyright: ignore[reportArgumentType]
    except jwt.PyJWTError as error:
        raise SignatureWrong(type(error).__name__) from error


def _check_audience(claims: IdTokenClaims, client_id: str) -> None:
    audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud or []
    if client_id not in audience:
        raise AudienceWrong("our client id is not in aud")
    if len(audience) > 1 and claims.azp is None:
        raise AudienceWrong("several audiences and no azp")
    if claims.azp is not None and claims.azp != client_id:
        raise AudienceWrong("azp is another client")


def _check_times(claims: IdTokenClaims, now: float) -> None:
    if claims.exp is None or claims.iat is None:
        raise TimesWrong("exp or iat is missing")
    if claims.exp <= now - LEEWAY_SECONDS:
        raise TimesWrong("expired")
    if claims.iat > now + LEEWAY_SECONDS or (claims.nbf is not None and claims.nbf > now + LEEWAY_SECONDS):
        raise TimesWrong("issued in the future")
    if claims.iat < now - MAX_AGE_SECONDS - LEEWAY_SECONDS:
        raise TimesWrong("issued too long ago")
    if claims.exp - claims.iat > MAX_LIFE_SECONDS:
        raise TimesWrong("lives longer than a day")
