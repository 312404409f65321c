"""What a platform says of itself, fetched and believed only as far as its host vouches for it.

LTI dynamic registration 1.0 section 3.5.1. Whoever holds an invitation chooses the address, so nothing may be
registered there in the name of another platform.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lti_tool.launch.launches import one_line
from lti_tool.launch.platforms import origin_of
from lti_tool.launch.registration import canvas
from lti_tool.launch.registration.errors import (
    AddressRefused,
    ConfigurationUnusable,
    EndpointElsewhere,
    IssuerElsewhere,
    PlatformSilent,
    TokenUsed,
)
from lti_tool.platform_http import AddressNotAllowed, PlatformHttp, PlatformRefused, PlatformUnreachable

MAX_BYTES = 256 * 1024
_READ_SECONDS = 10.0
_URL = re.compile(r"https?://[!-~]+")

_Url = Annotated[str, Field(min_length=8, max_length=2000)]
_Words = Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=2000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformConfiguration:
    """A platform that may be registered: all its addresses are its own.

    ``messages`` are the LTI messages it can send, ``placements`` where it can show them (both empty where it does not
    say). ``page_origins`` are the origins of its own pages, which frame ours during the registration.
    """

    issuer: str
    auth_login_url: str
    auth_token_url: str
    jwks_url: str
    registration_url: str
    family: str
    product: str
    account: str
    messages: frozenset[str]
    placements: frozenset[str]
    scopes: frozenset[str]
    variables: frozenset[str]
    page_origins: tuple[str, ...]


class _Message(BaseModel):
    """A message as Canvas lists it; Moodle lists names alone."""

    model_config = ConfigDict(strict=True)

    type: Annotated[str, Field(max_length=100)]
    placements: _Words = []


class _Platform(BaseModel):
    """The LTI part (section 2.2.2 of the specification)."""

    model_config = ConfigDict(strict=True)

    product_family_code: Annotated[str, Field(max_length=200)] = ""
    version: Annotated[str, Field(max_length=200)] | None = None
    messages_supported: Annotated[list[_Message | str], Field(max_length=200)] = []
    variables: _Words = []
    account_name: Annotated[str | None, Field(alias=f"{canvas.EXTENSION}account_name", max_length=1000)] = None


class _Document(BaseModel):
    """An OpenID configuration, as far as it is needed here."""

    model_config = ConfigDict(strict=True)

    issuer: _Url
    authorization_endpoint: _Url
    token_endpoint: _Url
    jwks_uri: _Url
    registration_endpoint: _Url
    scopes_supported: _Words = []
    token_endpoint_auth_methods_supported: _Words = ["private_key_jwt"]
    id_token_signing_alg_values_supported: _Words = ["RS256"]
    response_types_supported: _Words = ["id_token"]
    platform: Annotated[_Platform, Field(alias="https://purl.imsglobal.org/spec/lti-platform-configuration")]


def fetch_configuration(http: PlatformHttp, url: str, token: str, *, invited_as: str) -> PlatformConfiguration:
    """The configuration at ``url``, fetched with the registration token as bearer, which Canvas insists on.

    ``invited_as`` is the name of the invitation. Raises the :class:`RegistrationRefused` of the first thing wrong.
    """
    try:
        response = http.get(url, bearer=token, read_seconds=_READ_SECONDS, max_bytes=MAX_BYTES)
        document = response.json()
    except AddressNotAllowed as error:
        raise AddressRefused(f"configuration: {error}") from error
    except PlatformUnreachable as error:
        raise PlatformSilent(f"configuration: {error}") from error
    except PlatformRefused as error:
        if error.is_passing:
            raise PlatformSilent(f"configuration: {error}") from error
        if error.status in {401, 403}:
            raise TokenUsed(f"configuration: {error}") from error
        raise ConfigurationUnusable(f"configuration: {error}") from error
    # A redirect may have led from http to https of the same host.
    return checked_configuration(document, response.url, invited_as=invited_as)


def checked_configuration(document: object, url: str, *, invited_as: str) -> PlatformConfiguration:
    """The platform that a document from ``url`` describes, if it speaks for itself.

    Raises :class:`ConfigurationUnusable`, :class:`IssuerElsewhere` or :class:`EndpointElsewhere`.
    """
    try:
        said = _Document.model_validate(document)
    except (ValidationError, RecursionError) as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"]) if isinstance(error, ValidationError) else ""
        raise ConfigurationUnusable(f"configuration: {place[:100] or 'not an object'} is missing or wrong") from error
    _check_abilities(said)
    _check_addresses(said)
    source = origin_of(url)
    if said.issuer in canvas.ENVIRONMENTS:
        _check_canvas(said, source, invited_as)
    else:
        _check_own_host(said, source)
    return _configuration(said, source)


def _check_abilities(said: _Document) -> None:
    for name, needed in (
        ("token_endpoint_auth_methods_supported", "private_key_jwt"),
        ("id_token_signing_alg_values_supported", "RS256"),
        ("response_types_supported", "id_token"),
    ):
        if needed not in getattr(said, name):
            raise ConfigurationUnusable(f"configuration: {name} lacks {needed}")


def _check_addresses(said: _Document) -> None:
    for name, url in {"issuer": said.issuer, **_endpoints(said)}.items():
        parts = urlsplit(url) if _URL.fullmatch(url) and origin_of(url) else None
        if parts is None or parts.username is not None or parts.fragment:
            raise ConfigurationUnusable(f"configuration: {name} is not an address")


def _endpoints(said: _Document) -> Mapping[str, str]:
    return {
        "authorization_endpoint": said.authorization_endpoint,
        "token_endpoint": said.token_endpoint,
        "jwks_uri": said.jwks_uri,
        "registration_endpoint": said.registration_endpoint,
    }


def _check_own_host(said: _Document, source: str) -> None:
    """Scheme, host and port of everything are those of the address that the configuration came from."""
    if origin_of(said.issuer) != source:
        raise IssuerElsewhere("the issuer is not of the configuration's host")
    for name, url in _endpoints(said).items():
        if origin_of(url) != source:
            raise EndpointElsewhere(f"{name} is not of the issuer's host")


def _check_canvas(said: _Document, source: str, invited_as: str) -> None:
    """Schools share Canvas's issuers: the configuration is Instructure's or the invited school's, the rest by table."""
    central = canvas.ENVIRONMENTS[said.issuer]
    if not _is_canvas_page(source, invited_as) and source != central:
        raise IssuerElsewhere("the issuer is Canvas's, the configuration is of another host")
    for name, url in _endpoints(said).items():
        if name == "registration_endpoint":
            # Each school has this one on its own host, also where the configuration is on the common one.
            is_right = origin_of(url) == source or _is_canvas_page(origin_of(url), invited_as)
        else:
            is_right = origin_of(url) in {central, said.issuer}
        if not is_right:
            raise EndpointElsewhere(f"{name} is not of Canvas's hosts")


def _is_canvas_page(origin: str, invited_as: str) -> bool:
    parts = urlsplit(origin)
    host = parts.netloc
    return parts.scheme == "https" and (
        host.endswith(canvas.HOSTED) or host in re.findall(r"[\w.-]+", invited_as.lower())
    )


def _configuration(said: _Document, source: str) -> PlatformConfiguration:
    listed = said.platform.messages_supported
    code = said.platform.product_family_code.lower()
    is_canvas = code == "canvas" or said.issuer in canvas.ENVIRONMENTS
    pages = [origin_of(said.registration_endpoint), source, said.issuer if is_canvas else ""]
    return PlatformConfiguration(
        issuer=said.issuer,
        auth_login_url=said.authorization_endpoint,
        auth_token_url=said.token_endpoint,
        jwks_url=said.jwks_uri,
        registration_url=said.registration_endpoint,
        family="canvas" if is_canvas else "moodle" if code == "moodle" else "other",
        product=one_line(f"{said.platform.product_family_code} {said.platform.version or ''}", 80),
        account=one_line(said.platform.account_name or "", 120),
        messages=frozenset(one if isinstance(one, str) else one.type for one in listed),
        placements=frozenset(place for one in listed if isinstance(one, _Message) for place in one.placements),
        scopes=frozenset(said.scopes_supported),
        variables=frozenset(said.platform.variables),
        page_origins=tuple(dict.fromkeys(origin for origin in pages if origin)),
    )
