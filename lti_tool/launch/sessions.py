"""The session that follows a launch: one tab, one placement, one person, twelve hours.

A new session starts at each launch, so nobody can plant one; its secret is only in the browser.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.types.json import Jsonb

from lti_tool.db import fetch_one
from lti_tool.launch.errors import DeploymentDisabled, DeploymentPending
from lti_tool.launch.launches import DeepLinkingSettings, Launch
from lti_tool.launch.logins import sha256
from lti_tool.launch.people import upsert_context, upsert_resource_link, upsert_user
from lti_tool.launch.platforms import Deployment, Registration, find_deployment, origin_of
from lti_tool.launch.reviews import reviewed_attempt
from lti_tool.launch.roles import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSession:
    """An open launch with what pages need to know of it.

    ``deployment_id`` is our number, ``platform_deployment_id`` the platform's name for it. A resource link launch
    has ``resource_link_id``; a deep linking launch has ``deep_linking`` instead. ``max_attempts`` is
    what the instructor chose for this placement, ``None``: as the quiz says. ``due_at`` is what this launch told, else
    what is known of the placement, ``None``: no due date. ``review_attempt_id`` is the
    attempt that this launch was opened to show.
    """

    id: UUID
    registration_id: int
    issuer: str
    family: str
    auth_login_url: str
    deployment_id: int
    platform_deployment_id: str
    context_id: int
    context_title: str
    user_id: int
    user_sub: str
    user_name: str | None
    is_test_user: bool
    resource_link_id: int | None
    resource_link_title: str | None
    quiz_id: UUID | None
    line_item_url: str | None
    line_items_url: str | None
    ags_scopes: tuple[str, ...]
    role: Role
    locale: str
    deep_linking: dict[str, Any] | None
    memberships_url: str | None
    max_attempts: int | None
    due_at: datetime | None
    review_attempt_id: int | None
    created_at: datetime
    expires_at: datetime

    @property
    def is_instructor(self) -> bool:
        """Whether the person teaches this course."""
        return self.role is Role.INSTRUCTOR

    @property
    def deep_linking_settings(self) -> DeepLinkingSettings:
        """Settings of a deep linking launch. Raises :class:`LookupError` for any other launch."""
        if self.deep_linking is None:
            raise LookupError("not a deep linking launch")
        return DeepLinkingSettings(**self.deep_linking)

    @property
    def frame_ancestors(self) -> tuple[str, ...]:
        """Origins whose pages may frame this launch: the registered ones and those of its signed service addresses.

        Schools on Canvas's shared issuer are known by the latter only.
        """
        signed = (self.line_items_url, self.line_item_url, (self.deep_linking or {}).get("return_url"))
        origins = (origin_of(url) for url in (self.issuer, self.auth_login_url, *signed) if url)
        return tuple(dict.fromkeys(origin for origin in origins if origin))


@dataclass(frozen=True, slots=True, kw_only=True)
class _SessionRow(LaunchSession):
    secret_hash: bytes


def start_session(connection: Connection, launch: Launch, registration: Registration) -> tuple[UUID, str]:
    """Bring users, context and resource link up to date and open a session for twelve hours: its id and secret.

    A launch that shows an answer goes to the placement of that answer, which stays as it is. Raises
    :class:`DeploymentPending`, :class:`DeploymentDisabled`, :class:`QuizUnknown` for a quiz of elsewhere, or
    :class:`SubmissionUnknown` for an answer of elsewhere.
    """
    deployment = checked_deployment(find_deployment(connection, registration.id, launch.deployment_id))
    user_id = upsert_user(connection, launch)
    context_id = upsert_context(connection, launch, deployment.id)
    reviewed = reviewed_attempt(connection, launch, context_id=context_id, user_id=user_id)
    if reviewed is not None:
        link_id = reviewed.resource_link_id
    else:
        link_id = upsert_resource_link(connection, launch, context_id) if launch.deep_linking is None else None
    session_id, secret = uuid4(), secrets.token_urlsafe(32)
    connection.execute(
        "INSERT INTO launch_sessions (id, secret_hash, registration_id, deployment_id, context_id, user_id,"
        " resource_link_id, role, locale, deep_linking, review_attempt_id, due_at, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, now() + interval '12 hours')",
        (
            session_id,
            sha256(secret),
            registration.id,
            deployment.id,
            context_id,
            user_id,
            link_id,
            launch.role.value,
            launch.locale,
            Jsonb(asdict(launch.deep_linking)) if launch.deep_linking else None,
            reviewed.id if reviewed else None,
            # A launch of another placement that names an answer of this one must not bring its own due date along.
            reviewed.due_at if reviewed else launch.due_at,
        ),
    )
    if link_id is not None and reviewed is None:
        _renew_due_date(connection, resource_link_id=link_id, user_id=user_id, due_at=launch.due_at)
    _purge(connection)
    return session_id, secret


def checked_deployment(deployment: Deployment | None) -> Deployment:
    """The deployment if it may launch. Raises :class:`DeploymentPending` or :class:`DeploymentDisabled`."""
    if deployment is None or deployment.status == "PENDING":
        raise DeploymentPending("deployment unknown or not approved yet")
    if deployment.status != "ACTIVE":
        raise DeploymentDisabled("deployment is disabled")
    return deployment


def find_session(connection: Connection, session_id: UUID, secret: str) -> LaunchSession | None:
    """The open session that this secret belongs to.

    ``None`` if there is none, it is over, or its registration or deployment was switched off since.
    """
    row = fetch_one(
        connection,
        _SessionRow,
        "SELECT s.id, s.registration_id, p.issuer, p.family, r.auth_login_url, s.deployment_id,"
        " d.deployment_id AS platform_deployment_id, s.context_id, c.title AS context_title, s.user_id,"
        " u.sub AS user_sub, u.name AS user_name, u.is_test_user, s.resource_link_id,"
        " l.title AS resource_link_title, l.quiz_id, l.line_item_url, l.line_items_url,"
        " coalesce(l.ags_scopes, '{}') AS ags_scopes, s.role, s.locale, s.deep_linking,"
        " c.memberships_url, l.max_attempts, coalesce(s.due_at, l.due_at) AS due_at, s.review_attempt_id,"
        " s.created_at, s.expires_at, s.secret_hash"
        " FROM launch_sessions s JOIN registrations r ON r.id = s.registration_id"
        " JOIN platforms p ON p.id = r.platform_id JOIN deployments d ON d.id = s.deployment_id"
        " JOIN contexts c ON c.id = s.context_id JOIN users u ON u.id = s.user_id"
        " LEFT JOIN resource_links l ON l.id = s.resource_link_id"
        " WHERE s.id = %s AND s.expires_at > now() AND r.disabled_at IS NULL AND d.status = 'ACTIVE'",
        session_id,
    )
    if row is None or not secrets.compare_digest(bytes(row.secret_hash), sha256(secret)):
        return None
    return _session_from_row(row)


def _session_from_row(row: _SessionRow) -> LaunchSession:
    columns = asdict(row)
    del columns["secret_hash"]
    return LaunchSession(**columns | {"role": Role(row.role), "ags_scopes": tuple(row.ags_scopes)})


def _renew_due_date(connection: Connection, *, resource_link_id: int, user_id: int, due_at: datetime | None) -> None:
    """What a person has begun is due when the latest launch says so: they may have been given more time.

    An attempt that an instructor opened again is not due before that.
    """
    connection.execute(
        "UPDATE attempts SET due_at = coalesce(%s, resource_links.due_at) FROM resource_links"
        " WHERE resource_links.id = attempts.resource_link_id AND attempts.resource_link_id = %s"
        " AND attempts.user_id = %s AND attempts.status = 'OPEN'"
        " AND (attempts.reopened_from IS NULL OR coalesce(%s, resource_links.due_at) > attempts.started_at)",
        (due_at, resource_link_id, user_id, due_at),
    )


def _purge(connection: Connection) -> None:
    """Forget some of the sessions that ended a day ago."""
    connection.execute(
        "DELETE FROM launch_sessions WHERE id IN (SELECT id FROM launch_sessions"
        " WHERE expires_at < now() - interval '1 day' ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED)"
    )
