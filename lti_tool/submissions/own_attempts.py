"""What the person of this launch has attempted in this placement, and what they may yet."""

from __future__ import annotations

from datetime import UTC, datetime

from psycopg import Connection

from lti_tool.errors import NotFound
from lti_tool.launch.access import current_session
from lti_tool.launch.roles import Role
from lti_tool.launch.sessions import LaunchSession
from lti_tool.questions.answer_key import allowed_previews, max_attempts_here
from lti_tool.questions.store import Quiz
from lti_tool.submissions import store
from lti_tool.submissions.store import Attempt


def is_preview(session: LaunchSession) -> bool:
    """Whether this person's attempts are tries, which are never sent."""
    return session.role is Role.INSTRUCTOR or session.is_test_user


def allowed_attempts(connection: Connection, session: LaunchSession, quiz: Quiz) -> int | None:
    """How many attempts this person has at the quiz here, ``None`` without a bound."""
    return allowed_previews(connection, session, quiz) if is_preview(session) else max_attempts_here(session, quiz)


def is_over(due_at: datetime | None) -> bool:
    """Whether there is a due date, and it has passed."""
    return due_at is not None and due_at <= datetime.now(UTC)


def is_closed(session: LaunchSession, quiz: Quiz) -> bool:
    """Whether this person can begin no attempt any more."""
    return quiz.late_rule == "CLOSE" and is_over(session.due_at) and not is_preview(session)


def list_own_attempts(connection: Connection, session: LaunchSession) -> list[Attempt]:
    """The person's attempts in this placement, first to last."""
    return store.list_attempts(connection, link_id_of(session), session.user_id)


def link_id_of(session: LaunchSession) -> int:
    """The placement of this launch; a deep linking launch has none, and nothing to answer either."""
    if session.resource_link_id is None:
        raise NotFound("a deep linking launch has no placement")
    return session.resource_link_id


def get_own_attempt(connection: Connection, attempt_id: int) -> Attempt:
    """The attempt, if it is this person's in this placement; :class:`NotFound` otherwise."""
    session = current_session()
    found = store.find_attempt(connection, attempt_id)
    if found is None or (found.user_id, found.resource_link_id) != (session.user_id, session.resource_link_id):
        raise NotFound(f"attempt {attempt_id} is not of user {session.user_id}")
    return found
