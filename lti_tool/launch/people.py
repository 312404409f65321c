"""Who launched what where: users, contexts and resource links, kept up to date by each launch."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from psycopg import Connection

from lti_tool.db import fetch_value
from lti_tool.launch.errors import QuizUnknown
from lti_tool.launch.launches import Launch


def upsert_user(connection: Connection, launch: Launch) -> int:
    """The user's id. The name is stored only if it was sent; a later launch without one keeps it."""
    user_id = fetch_value(
        connection,
        "INSERT INTO users (registration_id, sub, name, is_test_user) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (registration_id, sub) DO UPDATE SET name = coalesce(EXCLUDED.name, users.name),"
        " is_test_user = EXCLUDED.is_test_user RETURNING id",
        launch.registration_id,
        launch.sub,
        launch.name,
        launch.is_test_user,
    )
    return cast(int, user_id)


def upsert_context(connection: Connection, launch: Launch, deployment_id: int) -> int:
    """The context's id; ``deployment_id`` is our number of the deployment."""
    context_id = fetch_value(
        connection,
        "INSERT INTO contexts (deployment_id, platform_context_id, title, memberships_url) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (deployment_id, platform_context_id) DO UPDATE"
        " SET title = coalesce(nullif(EXCLUDED.title, ''), contexts.title),"
        " memberships_url = coalesce(EXCLUDED.memberships_url, contexts.memberships_url) RETURNING id",
        deployment_id,
        launch.context_id,
        launch.context_title,
        launch.memberships_url,
    )
    return cast(int, context_id)


def upsert_resource_link(connection: Connection, launch: Launch, context_id: int) -> int:
    """The resource link's id, with title, quiz and gradebook column as this launch has them.

    A launch that names no quiz keeps the one that is set, with its attempts and due date; one that names the same as
    before keeps the copy that was put in its place. A column that was found in the list of columns stays as long as
    the launch still has that list and names no other. Raises :class:`QuizUnknown` if the quiz does not exist for this
    registration.
    """
    if launch.quiz_id is not None and not _is_quiz_of(connection, launch.quiz_id, launch.registration_id):
        raise QuizUnknown("the quiz does not exist for this registration")
    ags = launch.ags
    link_id = fetch_value(
        connection,
        "INSERT INTO resource_links AS link"
        " (context_id, platform_link_id, title, quiz_id, named_quiz_id, line_item_url, line_items_url, ags_scopes,"
        " max_attempts, due_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (context_id, platform_link_id) DO UPDATE SET"
        " title = coalesce(nullif(EXCLUDED.title, ''), link.title),"
        " quiz_id = CASE WHEN EXCLUDED.named_quiz_id = link.named_quiz_id THEN link.quiz_id"
        "  ELSE coalesce(EXCLUDED.named_quiz_id, link.quiz_id) END,"
        " named_quiz_id = coalesce(EXCLUDED.named_quiz_id, link.named_quiz_id),"
        " line_item_url = coalesce(EXCLUDED.line_item_url,"
        "  CASE WHEN link.line_items_url = EXCLUDED.line_items_url THEN link.line_item_url END),"
        " line_items_url = EXCLUDED.line_items_url, ags_scopes = EXCLUDED.ags_scopes,"
        " max_attempts = coalesce(EXCLUDED.max_attempts,"
        "  CASE WHEN EXCLUDED.named_quiz_id IS NULL THEN link.max_attempts END),"
        " due_at = coalesce(EXCLUDED.due_at, CASE WHEN EXCLUDED.named_quiz_id IS NULL THEN link.due_at END)"
        " RETURNING id",
        context_id,
        launch.resource_link_id,
        launch.resource_link_title,
        launch.quiz_id,
        launch.quiz_id,
        ags.line_item_url if ags else None,
        ags.line_items_url if ags else None,
        list(ags.scopes) if ags else [],
        launch.max_attempts,
        launch.due_at,
    )
    return cast(int, link_id)


def _is_quiz_of(connection: Connection, quiz_id: UUID, registration_id: int) -> bool:
    found = fetch_value(
        connection,
        "SELECT 1 FROM quizzes q JOIN contexts c ON c.id = q.context_id JOIN deployments d ON d.id = c.deployment_id"
        " WHERE q.id = %s AND d.registration_id = %s",
        quiz_id,
        registration_id,
    )
    return found is not None
