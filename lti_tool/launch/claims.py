"""The claims of an id_token: read strictly, each of its kind, before anything else looks at them.

LTI core 1.3 section 5.3 and 5.4, deep linking 2.0 section 4.4, AGS 2.0 section 3.6, NRPS 2.0 section 3.6, submission
review 1.0 section 3. What is absent or ``null`` is ``None`` here; whether that is refused is decided by ``id_token``
and ``protocol``.
"""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lti_tool.launch.errors import ClaimWrong, TokenMalformed

_LTI = "https://purl.imsglobal.org/spec/lti/claim"
_MAX_DEPTH = 20
# No date of a token lies beyond the year 9999; floats and integers compare exactly up to there.
_LAST_SECOND = 253_402_300_799

Identifier = Annotated[str, Field(min_length=1, max_length=255)]
_Seconds = Annotated[int | float, Field(ge=0, le=_LAST_SECOND, allow_inf_nan=False)]
_Url = Annotated[str, Field(max_length=8192)]


class _Claim(BaseModel):
    # hide_input: what a platform sends about people must not reach a log through an error message.
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


class ContextClaim(_Claim):
    """The course."""

    id: Identifier
    title: str | None = None
    label: str | None = None


class ResourceLinkClaim(_Claim):
    """The placement."""

    id: Identifier
    title: str | None = None


class AgsClaim(_Claim):
    """Gradebook services: the column of this placement, the columns of the course, what we may do."""

    scope: list[str] | None = None
    lineitem: _Url | None = None
    lineitems: _Url | None = None


class DeepLinkingClaim(_Claim):
    """Settings of a deep linking request. ``data`` is the platform's and goes back unaltered."""

    deep_link_return_url: _Url
    accept_types: list[str]
    accept_multiple: bool | str | None = None
    accept_lineitem: bool | str | None = None
    title: str | None = None
    text: str | None = None
    data: Any = None


class MembershipsClaim(_Claim):
    """Names and roles service (NRPS 2.0 section 3.6.1.1)."""

    context_memberships_url: _Url


class ForUserClaim(_Claim):
    """Whose submission is to be reviewed (submission review 1.0 section 3.2)."""

    user_id: Identifier


class PresentationClaim(_Claim):
    """How the platform shows us."""

    locale: str | None = None


class IdTokenClaims(_Claim):
    """All claims that are read."""

    iss: str | None = None
    aud: str | Annotated[list[str], Field(min_length=1, max_length=20)] | None = None
    azp: str | None = None
    nonce: str | None = None
    exp: _Seconds | None = None
    iat: _Seconds | None = None
    nbf: _Seconds | None = None
    sub: Identifier | None = None
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    version: str | None = Field(None, alias=f"{_LTI}/version")
    message_type: str | None = Field(None, alias=f"{_LTI}/message_type")
    deployment_id: Identifier = Field(alias=f"{_LTI}/deployment_id")
    target_link_uri: _Url | None = Field(None, alias=f"{_LTI}/target_link_uri")
    roles: Annotated[list[str], Field(max_length=200)] = Field(alias=f"{_LTI}/roles")
    context: ContextClaim | None = Field(None, alias=f"{_LTI}/context")
    resource_link: ResourceLinkClaim | None = Field(None, alias=f"{_LTI}/resource_link")
    custom: dict[str, Any] | None = Field(None, alias=f"{_LTI}/custom")
    presentation: PresentationClaim | None = Field(None, alias=f"{_LTI}/launch_presentation")
    ags: AgsClaim | None = Field(None, alias="https://purl.imsglobal.org/spec/lti-ags/claim/endpoint")
    memberships: MembershipsClaim | None = Field(
        None, alias="https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
    )
    for_user: ForUserClaim | None = Field(None, alias=f"{_LTI}/for_user")
    deep_linking: DeepLinkingClaim | None = Field(
        None, alias="https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"
    )


def claims_from_json(value: dict[str, Any]) -> IdTokenClaims:
    """The claims. Raises :class:`ClaimWrong` naming the first that is missing or of the wrong kind."""
    try:
        return IdTokenClaims.model_validate(value)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise ClaimWrong(f"{place}: {fault['msg']}") from error


def strict_json_object(text: bytes) -> dict[str, Any]:
    """A JSON object in which nothing is ambiguous or meant to hurt.

    Raises :class:`TokenMalformed` for anything but an object, repeated keys, NaN and infinite numbers, over 20
    levels, and for characters that no text column takes (NUL, lone surrogates).
    """
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_object_without_repeats,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        raise TokenMalformed(f"not strict JSON: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise TokenMalformed("not a JSON object")
    _check_values(value)
    return value


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key is repeated")
    return members


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError("a number is infinite")
    return value


def _check_values(value: dict[str, Any]) -> None:
    level: list[Any] = [value]
    for _ in range(_MAX_DEPTH):
        below: list[Any] = []
        for member in level:
            if isinstance(member, dict):
                below.extend(member.keys())
                below.extend(member.values())
            elif isinstance(member, list):
                below.extend(member)
            elif isinstance(member, str) and not _is_storable(member):
                raise TokenMalformed("a text holds NUL or half a character")
        if not below:
            return
        level = below
    raise TokenMalformed(f"nested deeper than {_MAX_DEPTH} levels")


def _is_storable(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
