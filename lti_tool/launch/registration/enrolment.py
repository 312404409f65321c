"""The registration itself: an invitation is used, the platform answers with a client id, both are stored together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated
from uuid import uuid4

from psycopg import Connection
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from lti_tool.launch.platforms import PlatformWrong, Registration, add_platform, is_client_elsewhere
from lti_tool.launch.registration.application import TOOL_CONFIGURATION, application
from lti_tool.launch.registration.configuration import PlatformConfiguration
from lti_tool.launch.registration.errors import (
    AddressRefused,
    AnswerUnusable,
    ApplicationDeclined,
    ClientKnown,
    InvitationOver,
    PlatformSilent,
    TokenUsed,
)
from lti_tool.launch.registration.invitations import Invitation, name_what_came_of_it, use_invitation
from lti_tool.platform_http import AddressNotAllowed, PlatformHttp, PlatformRefused, PlatformUnreachable

_Identifier = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What came of an application; ``deployment_id`` is ``None`` where the platform tells it only at a launch."""

    registration: Registration
    deployment_id: str | None


class _Deployed(BaseModel):
    """The tool configuration as the platform keeps it; Moodle names the deployment in it."""

    model_config = ConfigDict(strict=True)

    deployment_id: _Identifier | None = None


class _Answer(BaseModel):
    """What a platform answers (section 3.7); newer Canvas names the deployment of the school at the top."""

    model_config = ConfigDict(strict=True)

    client_id: _Identifier
    deployment_id: _Identifier | None = None
    tool_configuration: Annotated[_Deployed, Field(alias=TOOL_CONFIGURATION)] = _Deployed()


def enrol(
    connection: Connection,
    http: PlatformHttp,
    invitation: Invitation,
    platform: PlatformConfiguration,
    *,
    token: str,
    base_url: str,
) -> Enrolment:
    """Apply at ``platform`` with its registration token and store what comes of it.

    All in the caller's transaction: if anything fails, the invitation stays good. Its row stays locked meanwhile, so
    a second try waits for the end of the first, and is refused without asking the platform again. Raises the
    :class:`RegistrationRefused` of what failed.
    """
    if not use_invitation(connection, invitation.id):
        raise InvitationOver("the invitation was used, revoked or is too old")
    # It is part of the login address that the platform is told, before there is a registration.
    login_key = uuid4()
    body = application(platform, base_url=base_url, login_key=login_key, wants_names=invitation.wants_names)
    answer = _applied(http, platform.registration_url, json.dumps(body).encode(), token)
    deployment_id = answer.tool_configuration.deployment_id or answer.deployment_id
    if is_client_elsewhere(connection, issuer=platform.issuer, client_id=answer.client_id):
        raise ClientKnown("the platform answered with the client id that another platform gave")
    try:
        registration = add_platform(
            connection,
            issuer=platform.issuer,
            client_id=answer.client_id,
            auth_login_url=platform.auth_login_url,
            auth_token_url=platform.auth_token_url,
            jwks_url=platform.jwks_url,
            family=platform.family,
            name=invitation.name,
            deployment_ids=[deployment_id] if deployment_id else [],
            login_key=login_key,
            source="DYNAMIC",
        )
    except PlatformWrong as error:
        raise AnswerUnusable(f"the platform cannot be stored: {error}") from error
    if registration.login_key != login_key:
        raise ClientKnown("the platform answered with a client id that is registered already")
    name_what_came_of_it(connection, invitation.id, registration.id)
    return Enrolment(registration=registration, deployment_id=deployment_id)


def _applied(http: PlatformHttp, url: str, body: bytes, token: str) -> _Answer:
    try:
        response = http.post(url, body, content_type="application/json", bearer=token)
        return _Answer.model_validate(response.json())
    except AddressNotAllowed as error:
        raise AddressRefused(f"registration: {error}") from error
    except PlatformUnreachable as error:
        raise PlatformSilent(f"registration: {error}") from error
    except PlatformRefused as error:
        if error.is_rate_limit or error.status in {502, 503, 504}:
            raise PlatformSilent(f"registration: {error}") from error
        if error.status in {401, 403} or "token_already_used" in error.excerpt:
            raise TokenUsed(f"registration: {error}") from error
        if 200 <= error.status < 300:
            raise AnswerUnusable(f"registration: {error}") from error
        raise ApplicationDeclined(f"registration: {error}") from error
    except (ValidationError, RecursionError) as error:
        raise AnswerUnusable("registration: no usable client_id in the answer") from error
