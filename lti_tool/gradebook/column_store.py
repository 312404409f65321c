"""Gradebook columns of placements in PostgreSQL: which there is, which one we made, what waits to be done."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from psycopg import Connection

from lti_tool.db import fetch_one, fetch_value

MAX_LABEL_CHARACTERS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A placement of a quiz with its gradebook column, as its latest launch and we know it.

    ``label`` and ``max_points`` are what the column should have; ``own_url`` and what follows are of the column
    that we made, as we wrote it last.
    """

    id: int
    platform_link_id: str
    line_item_url: str | None
    line_items_url: str | None
    ags_scopes: list[str]
    quiz_id: UUID
    label: str
    max_points: Decimal
    own_url: str | None
    own_label: str | None
    own_maximum: Decimal | None

    @property
    def is_outdated(self) -> bool:
        """Whether the column is ours and the quiz was renamed or its points changed since."""
        is_ours = self.line_item_url is not None and self.line_item_url == self.own_url
        return is_ours and (self.own_label, self.own_maximum) != (self.label, self.max_points)


def find_placement(connection: Connection, resource_link_id: int) -> Placement | None:
    """The placement, if it has a quiz."""
    return fetch_one(
        connection,
        Placement,
        """
        SELECT links.id, links.platform_link_id, links.line_item_url, links.line_items_url, links.ags_scopes,
            quizzes.id AS quiz_id, left(quizzes.title, %s) AS label,
            (SELECT coalesce(sum(max_points), 0) FROM questions WHERE quiz_id = quizzes.id) AS max_points,
            links.own_line_item_url AS own_url, links.own_line_item_label AS own_label,
            links.own_line_item_maximum AS own_maximum
        FROM resource_links AS links JOIN quizzes ON quizzes.id = links.quiz_id
        WHERE links.id = %s
        """,
        MAX_LABEL_CHARACTERS,
        resource_link_id,
    )


def list_untended_placements(connection: Connection, *, may_score: str, limit: int = 200) -> list[tuple[int, int]]:
    """(registration, placement) of those whose column is to be found or brought up to date.

    To be found: scores wait, the platform lists columns and lets us score (scope ``may_score``), and none is known.
    Each is asked about every ten minutes at most.
    """
    return connection.execute(
        """
        SELECT links.registration_id, links.id
        FROM resource_links AS links JOIN quizzes ON quizzes.id = links.quiz_id
        WHERE links.line_items_url IS NOT NULL AND %s = ANY(links.ags_scopes)
            AND (links.line_item_asked_at IS NULL OR links.line_item_asked_at < now() - interval '10 minutes')
            AND CASE
                WHEN links.line_item_url IS NULL THEN EXISTS (
                    SELECT 1 FROM attempts JOIN users ON users.id = attempts.user_id
                    WHERE attempts.resource_link_id = links.id AND attempts.quiz_id = links.quiz_id
                        AND attempts.status = 'GRADED' AND NOT attempts.is_preview AND NOT users.is_test_user
                )
                ELSE links.own_line_item_url = links.line_item_url AND (
                    links.own_line_item_label <> left(quizzes.title, %s)
                    OR links.own_line_item_maximum
                        <> (SELECT coalesce(sum(max_points), 0) FROM questions WHERE quiz_id = quizzes.id)
                )
            END
        ORDER BY links.id LIMIT %s
        """,
        (may_score, MAX_LABEL_CHARACTERS, limit),
    ).fetchall()


def lock_placement(connection: Connection, resource_link_id: int) -> bool:
    """Whether nobody else is asking about this placement's column; it stays so until the transaction ends.

    Launches of the placement are not held up.
    """
    key = f"column {resource_link_id}"
    return bool(fetch_value(connection, "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", key))


def record_asked(connection: Connection, resource_link_id: int) -> None:
    """The platform is asked about the column now."""
    connection.execute(
        "UPDATE resource_links SET line_item_asked_at = clock_timestamp() WHERE id = %s", (resource_link_id,)
    )


def record_found(connection: Connection, resource_link_id: int, line_item_url: str) -> None:
    """The column of the placement that the platform lists."""
    connection.execute("UPDATE resource_links SET line_item_url = %s WHERE id = %s", (line_item_url, resource_link_id))


def record_written(
    connection: Connection, resource_link_id: int, line_item_url: str, *, label: str, maximum: Decimal
) -> None:
    """We made this column, or changed it, to have this label and maximum."""
    connection.execute(
        """
        UPDATE resource_links SET line_item_url = %s, own_line_item_url = %s, own_line_item_label = %s,
            own_line_item_maximum = %s
        WHERE id = %s
        """,
        (line_item_url, line_item_url, label, maximum, resource_link_id),
    )


def record_not_ours(connection: Connection, resource_link_id: int) -> None:
    """The column can no longer be changed by us: it stays as it is."""
    connection.execute(
        """
        UPDATE resource_links SET own_line_item_url = NULL, own_line_item_label = NULL, own_line_item_maximum = NULL
        WHERE id = %s
        """,
        (resource_link_id,),
    )
