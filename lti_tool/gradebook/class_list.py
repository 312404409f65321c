"""Who has not answered yet: the class list of the platform beside the attempts at one placement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import structlog
from psycopg import Connection

from lti_tool.db import Database
from lti_tool.errors import ServiceError
from lti_tool.gradebook import rosters
from lti_tool.gradebook.errors import PermissionMissing, ServiceAway
from lti_tool.gradebook.roster import RosterClient
from lti_tool.gradebook.rosters import Problem, Student
from lti_tool.launch.platforms import get_registration
from lti_tool.launch.tokens import TokenSource
from lti_tool.platform_http import PlatformHttp

_log = structlog.get_logger(__name__)

State = Literal["NOT_OFFERED", "AWAITED", "DUE", "KNOWN"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassList:
    """The students of the course and those of them who have not handed in here.

    ``state``: NOT_OFFERED where launches bring no address of a class list, AWAITED while the platform is asked, DUE
    when it is time to ask, else KNOWN. ``problem`` says why the latest try brought nothing; what was known stays.
    """

    state: State
    fetched_at: datetime | None
    problem: Problem | None
    count: int
    waiting: tuple[Student, ...]

    @property
    def named(self) -> tuple[Student, ...]:
        """Those who wait and can be called something: by name, or by the pseudonym that the results use."""
        return tuple(student for student in self.waiting if student.name or student.user_id is not None)

    @property
    def unnamed_count(self) -> int:
        """How many others wait: they never opened the tool, and the platform keeps names back."""
        return len(self.waiting) - len(self.named)


def class_list_of(
    connection: Connection, *, context_id: int, resource_link_id: int, memberships_url: str | None
) -> ClassList:
    """The class list as it is stored."""
    roster = rosters.find_roster(connection, context_id)
    students = rosters.list_students(connection, context_id, resource_link_id) if roster else []
    return ClassList(
        state=_state(roster, memberships_url),
        fetched_at=roster.fetched_at if roster else None,
        problem=roster.problem if roster else None,
        count=len(students),
        waiting=tuple(student for student in students if not student.has_answered),
    )


def _state(roster: rosters.Roster | None, memberships_url: str | None) -> State:
    if memberships_url is None:
        return "NOT_OFFERED"
    if roster is None or roster.is_due:
        return "DUE"
    return "AWAITED" if roster.is_awaited else "KNOWN"


class ClassLists:
    """Asks platforms for class lists. One instance serves all threads of a process."""

    def __init__(self, database: Database, http: PlatformHttp, tokens: TokenSource) -> None:
        self._database = database
        self._http = http
        self._tokens = tokens

    def ask(self, registration_id: int, context_id: int, memberships_url: str) -> None:
        """Ask for the class list of a course and keep it; nothing if it was asked for within the last minute.

        No transaction is open meanwhile. What goes wrong is kept as the list's problem.
        """
        with self._database.transaction(registration_id) as connection:
            if not rosters.begin_asking(connection, context_id):
                return
            registration = get_registration(connection, registration_id)
        client = RosterClient(registration, self._http, self._tokens)
        try:
            members = client.list_members(memberships_url)
        except ServiceError as error:
            _log.warning("no class list", context_id=context_id, error=str(error))
            with self._database.transaction(registration_id) as connection:
                rosters.record_problem(connection, context_id, _problem(error))
            return
        with self._database.transaction(registration_id) as connection:
            rosters.record_members(connection, context_id, members)
        _log.info("class list", context_id=context_id, count=len(members))


def _problem(error: ServiceError) -> Problem:
    if isinstance(error, PermissionMissing):
        return "NOT_ALLOWED"
    return "AWAY" if isinstance(error, ServiceAway) else "REFUSED"
