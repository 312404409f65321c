"""The gradebook column of a placement: found among those of the course, made where an instructor wants one, renamed.

Platforms name the column in each launch where a placement has exactly one; this is for all others (AGS 2.0 section
3.2). Columns of the platform's own are never changed.
"""

from __future__ import annotations

import structlog
from psycopg import Connection

from lti_tool.db import Database
from lti_tool.errors import ServiceError
from lti_tool.gradebook import column_store
from lti_tool.gradebook.ags import LINE_ITEM_READ_SCOPE, LINE_ITEM_SCOPE, AgsClient
from lti_tool.gradebook.column_store import Placement
from lti_tool.gradebook.errors import PermissionMissing, ServiceAway
from lti_tool.launch.platforms import get_registration
from lti_tool.launch.tokens import TokenSource
from lti_tool.platform_http import PlatformHttp

#: What the columns that we make, and those that our content items ask for, are marked with.
TAG = "mlquiz"

_log = structlog.get_logger(__name__)


class Columns:
    """Looks after gradebook columns. One instance serves all threads of a process."""

    def __init__(self, database: Database, http: PlatformHttp, tokens: TokenSource) -> None:
        self._database = database
        self._http = http
        self._tokens = tokens

    def tend(self, registration_id: int, resource_link_id: int) -> None:
        """Find the placement's column if none is known; bring one that we made up to date.

        What fails is logged and tried again in ten minutes, except where the column is no longer ours to change.
        """
        try:
            self._ask(registration_id, resource_link_id, may_create=False)
        except ServiceError as error:
            _log.warning("column not tended", resource_link_id=resource_link_id, error=str(error))

    def provide(self, registration_id: int, resource_link_id: int) -> None:
        """Find the placement's column, or make one. Raises :class:`ServiceError` with what is in the way."""
        self._ask(registration_id, resource_link_id, may_create=True)

    def _ask(self, registration_id: int, resource_link_id: int, *, may_create: bool) -> None:
        with self._database.transaction(registration_id) as connection:
            column_store.record_asked(connection, resource_link_id)
        # The lock keeps two from making a column each; nothing else waits for it.
        with self._database.transaction(registration_id) as connection:
            if not column_store.lock_placement(connection, resource_link_id):
                raise ServiceAway("The LMS is being asked about the gradebook column at this moment.")
            placement = column_store.find_placement(connection, resource_link_id)
            if placement is None:
                return
            client = AgsClient(get_registration(connection, registration_id), self._http, self._tokens)
            if placement.is_outdated:
                self._rewrite(connection, client, placement)
            elif placement.line_item_url is None:
                self._provide(connection, client, placement, may_create=may_create)

    def _provide(self, connection: Connection, client: AgsClient, placement: Placement, *, may_create: bool) -> None:
        if placement.line_items_url is None:
            raise PermissionMissing(
                "The LMS does not tell the tool of gradebook columns: this activity has no grading."
            )
        if not {LINE_ITEM_SCOPE, LINE_ITEM_READ_SCOPE} & set(placement.ags_scopes):
            raise PermissionMissing("The LMS does not let the tool see gradebook columns.")
        found = client.find_line_item(
            placement.line_items_url,
            resource_link_id=placement.platform_link_id,
            scopes=placement.ags_scopes,
            tag=TAG,
        )
        if found is not None:
            column_store.record_found(connection, placement.id, found.url)
            _log.info("column found", resource_link_id=placement.id)
        elif may_create:
            self._create(connection, client, placement, placement.line_items_url)

    def _create(self, connection: Connection, client: AgsClient, placement: Placement, line_items_url: str) -> None:
        if LINE_ITEM_SCOPE not in placement.ags_scopes:
            raise PermissionMissing("The LMS lets the tool see gradebook columns, but not make one.")
        if not placement.max_points:
            raise ServiceError("The quiz has no questions yet, so there is nothing to give points for.")
        created = client.create_line_item(
            line_items_url,
            label=placement.label,
            score_maximum=placement.max_points,
            resource_link_id=placement.platform_link_id,
            resource_id=str(placement.quiz_id),
            tag=TAG,
        )
        self._record(connection, placement, created.url)
        _log.info("column created", resource_link_id=placement.id)

    def _rewrite(self, connection: Connection, client: AgsClient, placement: Placement) -> None:
        assert placement.line_item_url is not None
        if not placement.max_points:
            return
        try:
            client.update_line_item(placement.line_item_url, label=placement.label, score_maximum=placement.max_points)
        except ServiceError as error:
            if not error.permanent:
                raise
            column_store.record_not_ours(connection, placement.id)
            _log.warning("column is no longer ours", resource_link_id=placement.id, error=str(error))
        else:
            self._record(connection, placement, placement.line_item_url)

    def _record(self, connection: Connection, placement: Placement, url: str) -> None:
        column_store.record_written(connection, placement.id, url, label=placement.label, maximum=placement.max_points)
