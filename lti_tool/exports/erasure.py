"""Erase a student's words, and say where they went before: which datasets hold them, and which models learnt from them.

Scores stay: they are the school's record. What goes is what the student wrote and what quotes it: answers, the words
that show a verdict, explanations, ratings of them, comments; and the name. The rows of grades are append-only for the
tool's own role, so this runs as the owner of the tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import Connection

from lti_tool.db import fetch_value
from lti_tool.errors import DatabaseUnavailable
from lti_tool.exports.bookkeeping import (
    DatasetOfStudent,
    DerivedDataset,
    ModelOfDataset,
    list_datasets_of,
    list_models_of,
    list_run_folders_of,
    wait_for_exports,
)
from lti_tool.exports.errors import OwnerNeeded, StudentUnknown
from lti_tool.launch.audit import record_event

#: What an explanation says after it was erased; the column takes no empty text.
ERASED = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What was erased, and what had come of it: the datasets are files, and whoever keeps them must delete them.

    So are the folders of trainings on them, which quote answers, and ``derived``: what was made from such a dataset by
    an import, and may hold the answers still.
    """

    answer_count: int
    datasets: list[DatasetOfStudent]
    derived: list[DerivedDataset]
    models: list[ModelOfDataset]
    run_folders: list[str]


def get_student(connection: Connection, registration_id: int, sub: str) -> int:
    """Our number of the person with this id on the platform. Raises :class:`StudentUnknown`."""
    found = fetch_value(
        connection, "SELECT id FROM users WHERE registration_id = %s AND sub = %s", registration_id, sub
    )
    if not isinstance(found, int):
        raise StudentUnknown(
            f"nobody on this platform has the id {sub!r}: it is the column student_lms_id of the record"
        )
    return found


def erase_student(owner: str, registration_id: int, user_id: int, *, kept: Sequence[DerivedDataset] = ()) -> Erasure:
    """Erase the student's words; safe to run again. ``owner``: conninfo of the role that owns the tables.

    ``kept``: the datasets of this machine, for exports live on in what was imported from them.

    Raises :class:`OwnerNeeded` where that role does not own them, and :class:`DatabaseUnavailable`.
    """
    try:
        with psycopg.connect(owner, connect_timeout=10) as connection:
            connection.execute("SELECT set_config('mlquiz.tenant', %s, true)", (str(registration_id),))
            wait_for_exports(connection)
            count = _erase(connection, registration_id, user_id)
            datasets = list_datasets_of(connection, user_id)
            digests = [each.digest for each in datasets]
            derived = [each for each in kept if each.digest not in digests and not {*digests}.isdisjoint(each.sources)]
            digests += [each.digest for each in derived]
            # Models are nobody's: what learnt from these answers may serve another tenant's course.
            connection.execute("SELECT set_config('mlquiz.tenant', 'all', true)")
            models = list_models_of(connection, digests)
            run_folders = list_run_folders_of(connection, digests)
    except psycopg.errors.InsufficientPrivilege as error:
        raise OwnerNeeded("this role may not erase: set DATABASE_OWNER_URL to the owner of the tables") from error
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"PostgreSQL does not answer: {error}") from error
    return Erasure(answer_count=count, datasets=datasets, derived=derived, models=models, run_folders=run_folders)


def _erase(connection: Connection, registration_id: int, user_id: int) -> int:
    """Everything in one transaction; how many answers it was."""
    # Workers lock these rows before they write of them: whoever has one in hand is waited for, and what was written
    # then is erased below. The other way round each would wait for the other.
    erased = connection.execute(
        "UPDATE submissions SET answer = '' FROM attempts"
        " WHERE attempts.id = submissions.attempt_id AND attempts.user_id = %s AND answer <> ''",
        (user_id,),
    ).rowcount
    connection.execute(
        "UPDATE rewordings SET outcome = 'NOT_WANTED', finished_at = now() FROM grades, submissions, attempts"
        " WHERE grades.id = rewordings.grade_id AND submissions.id = grades.submission_id"
        " AND attempts.id = submissions.attempt_id AND attempts.user_id = %s AND outcome = 'PENDING'",
        (user_id,),
    )
    connection.execute(
        """
        DELETE FROM regrade_items USING submissions, attempts
        WHERE submissions.id = regrade_items.submission_id AND attempts.id = submissions.attempt_id
            AND attempts.user_id = %s
        """,
        (user_id,),
    )
    with _changeable_rows(connection):
        connection.execute(
            """
            UPDATE key_point_verdicts SET evidence = NULL
            FROM grades JOIN submissions ON submissions.id = grades.submission_id
            JOIN attempts ON attempts.id = submissions.attempt_id
            WHERE grades.id = key_point_verdicts.grade_id AND attempts.user_id = %s AND evidence IS NOT NULL
            """,
            (user_id,),
        )
        connection.execute(
            """
            UPDATE explanations SET text = %s
            FROM grades JOIN submissions ON submissions.id = grades.submission_id
            JOIN attempts ON attempts.id = submissions.attempt_id
            WHERE grades.id = explanations.grade_id AND attempts.user_id = %s
            """,
            (ERASED, user_id),
        )
    connection.execute(
        """
        DELETE FROM explanation_ratings USING explanations
        JOIN grades ON grades.id = explanations.grade_id
        JOIN submissions ON submissions.id = grades.submission_id
        JOIN attempts ON attempts.id = submissions.attempt_id
        WHERE explanations.id = explanation_ratings.explanation_id AND attempts.user_id = %s
        """,
        (user_id,),
    )
    connection.execute("UPDATE deliveries SET comment = NULL WHERE user_id = %s", (user_id,))
    connection.execute(
        """
        UPDATE rosters SET members = (
            SELECT coalesce(jsonb_agg(member), '[]') FROM jsonb_array_elements(members) AS member
            WHERE member ->> 'sub' <> users.sub
        )
        FROM users WHERE users.id = %s AND users.registration_id = rosters.registration_id AND members IS NOT NULL
        """,
        (user_id,),
    )
    connection.execute("UPDATE users SET name = NULL, erased_at = coalesce(erased_at, now()) WHERE id = %s", (user_id,))
    record_event(
        connection,
        "STUDENT_ERASED",
        registration_id=registration_id,
        user_id=user_id,
        facts={"answers": erased},
    )
    return erased


@contextmanager
def _changeable_rows(connection: Connection) -> Iterator[None]:
    """Without the triggers that keep words as they are; they stand again before anybody else can write."""
    connection.execute("ALTER TABLE key_point_verdicts DISABLE TRIGGER append_only")
    connection.execute("ALTER TABLE explanations DISABLE TRIGGER append_only")
    yield
    connection.execute("ALTER TABLE key_point_verdicts ENABLE TRIGGER append_only")
    connection.execute("ALTER TABLE explanations ENABLE TRIGGER append_only")
