"""Texts for the student, each tied to a grade: only ever added, and the latest of a grade is shown."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import Connection
from psycopg.types.json import Jsonb

from lti_tool.db import fetch_value


def lock_explanations(connection: Connection, grade_id: int) -> None:
    """Whoever adds a text to this grade comes one after the other, until the transaction ends.

    Not the row's own lock: the tool's role may not change grades, so it cannot lock them either.
    """
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"explanation {grade_id}",))


def add_explanation(
    connection: Connection, grade_id: int, source: str, text: str, versions: Mapping[str, str] | None = None
) -> None:
    """A text that is shown from now on. ``source`` is TEMPLATE, LLM or INSTRUCTOR; ``versions``: what a model was."""
    connection.execute(
        "INSERT INTO explanations (grade_id, source, text, versions) VALUES (%s, %s, %s, %s)",
        (grade_id, source, text, Jsonb(dict(versions or {}))),
    )


def latest_explanation_id(connection: Connection, grade_id: int | None) -> int | None:
    """The text of a grade that is shown; ``None`` where there is no grade."""
    found = fetch_value(connection, "SELECT max(id) FROM explanations WHERE grade_id = %s", grade_id)
    return found if isinstance(found, int) else None


def machine_explanation_id(connection: Connection, grade_id: int) -> int | None:
    """The latest text of a grade that a machine wrote; ``None`` where an instructor wrote all."""
    found = fetch_value(
        connection, "SELECT max(id) FROM explanations WHERE grade_id = %s AND source <> 'INSTRUCTOR'", grade_id
    )
    return found if isinstance(found, int) else None


def is_explained_by_instructor(connection: Connection, grade_id: int) -> bool:
    """An instructor has written a text for this grade, be it shown or not."""
    return bool(
        fetch_value(
            connection,
            "SELECT EXISTS (SELECT 1 FROM explanations WHERE grade_id = %s AND source = 'INSTRUCTOR')",
            grade_id,
        )
    )


def copy_explanation(connection: Connection, explanation_id: int | None, to_grade: int) -> bool:
    """A text stands beside this grade, too, with what its student said about these words; whether there was one."""
    copied = fetch_value(
        connection,
        """
        INSERT INTO explanations (grade_id, source, text, versions)
        SELECT %s, source, text, versions FROM explanations WHERE id = %s RETURNING id
        """,
        to_grade,
        explanation_id,
    )
    connection.execute(
        """
        INSERT INTO explanation_ratings (explanation_id, rating, note, rated_at, kept_at)
        SELECT %s, rating, note, rated_at, kept_at FROM explanation_ratings WHERE explanation_id = %s
            AND %s::bigint IS NOT NULL
        """,
        (copied, explanation_id, copied),
    )
    return copied is not None
