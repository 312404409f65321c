"""What students say about the explanations that a machine wrote for them: it helps, it does not, something is wrong.

A rating belongs to one text and to the student it was written for, who can change it and take it back; a newer text
begins without. Where the same words stand beside another grade, what was said about them goes along.
"""

from __future__ import annotations

from typing import Literal

from psycopg import Connection

from lti_tool.db import fetch_value
from lti_tool.errors import Unusable
from lti_tool.submissions.store import storable

Rating = Literal["HELPFUL", "NOT_HELPFUL", "WRONG"]
MAX_NOTE_CHARACTERS = 1000


def note_from(typed: str) -> str:
    """What a student wrote about a mistake, as it is kept. Raises :class:`Unusable` for more than 1,000 characters."""
    note = storable(typed.replace("\r\n", "\n").replace("\x00", "")).strip()
    if len(note) > MAX_NOTE_CHARACTERS:
        raise Unusable(
            f"a note of {len(note)} characters",
            student_text="Your note is longer than 1,000 characters. Go back and shorten it.",
        )
    return note


def rate_explanation(connection: Connection, explanation_id: int, rating: Rating, note: str = "") -> None:
    """Record what the student says about a machine's text, in place of what they said before.

    ``note`` is kept with WRONG only. What an instructor decided about the same words of the student stands.
    """
    connection.execute(
        """
        INSERT INTO explanation_ratings AS before (explanation_id, rating, note)
        SELECT id, %(rating)s, %(note)s FROM explanations WHERE id = %(id)s AND source <> 'INSTRUCTOR'
        ON CONFLICT (explanation_id) DO UPDATE SET rating = excluded.rating, note = excluded.note, rated_at = now(),
            kept_at = CASE WHEN (before.rating, before.note) = (excluded.rating, excluded.note) THEN before.kept_at END
        """,
        {"id": explanation_id, "rating": rating, "note": note if rating == "WRONG" else ""},
    )


def withdraw_rating(connection: Connection, explanation_id: int) -> None:
    """The student says nothing about this text any more."""
    connection.execute("DELETE FROM explanation_ratings WHERE explanation_id = %s", (explanation_id,))


def keep_as_it_is(connection: Connection, explanation_id: int) -> bool:
    """An instructor lets a text stand that its student called wrong; whether it is called so, and nobody did before."""
    kept = connection.execute(
        "UPDATE explanation_ratings SET kept_at = now()"
        " WHERE explanation_id = %s AND rating = 'WRONG' AND kept_at IS NULL",
        (explanation_id,),
    )
    return kept.rowcount > 0


def find_rated_question(connection: Connection, attempt_id: int, explanation_id: int) -> int | None:
    """The question of the attempt that a text explains; ``None`` for a text of another attempt."""
    found = fetch_value(
        connection,
        """
        SELECT submissions.question_id
        FROM explanations
        JOIN grades ON grades.id = explanations.grade_id
        JOIN submissions ON submissions.id = grades.submission_id
        WHERE explanations.id = %s AND submissions.attempt_id = %s
        """,
        explanation_id,
        attempt_id,
    )
    return found if isinstance(found, int) else None
