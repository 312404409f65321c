"""Model versions in PostgreSQL: which there are, which one serves, and what served before it. Of no tenant.

A change of what serves takes the table for itself until its transaction ends: of two people who promote at once, one
waits and then sees what the other did. Readers never wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.types.json import Jsonb

from lti_tool.db import fetch_all, fetch_one, fetch_value
from lti_tool.models.errors import VersionUnknown
from lti_tool.models.folders import Kind
from lti_tool.models.versions import ModelVersion, NewVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProblem:
    """Why the workers of a machine go on with another version; ``digest`` None: the model of the settings."""

    host: str
    kind: Kind
    digest: str | None
    problem: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OutdatedQuiz:
    """A quiz in a course of a platform with answers whose score that counts is another version's."""

    platform: str
    course: str
    quiz: str
    answer_count: int


_VERSIONS: LiteralString = """
    SELECT digest, kind, status, run_folder, dataset_digest, code_version, settings, metrics, created_by, created_at,
        latest.promoted_by, latest.promoted_at, latest.forced_because, latest.findings
    FROM model_versions
    LEFT JOIN LATERAL (
        SELECT promoted_by, promoted_at, forced_because, findings FROM model_promotions
        WHERE model_promotions.digest = model_versions.digest ORDER BY id DESC LIMIT 1
    ) AS latest ON true
"""


def add_version(connection: Connection, version: NewVersion, by: str) -> bool:
    """Keep a version as CANDIDATE; ``False`` where it is there already, which stays as it is."""
    added = connection.execute(
        "INSERT INTO model_versions (digest, kind, run_folder, dataset_digest, code_version, settings, metrics,"
        " created_by) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (digest) DO NOTHING",
        (
            version.digest,
            version.kind,
            version.run_folder,
            version.dataset_digest,
            version.code_version,
            Jsonb(dict(version.settings)),
            Jsonb(version.metrics),
            by,
        ),
    )
    return added.rowcount == 1


def list_versions(connection: Connection, kind: Kind | None = None) -> list[ModelVersion]:
    """All versions, of one kind or both: what serves first, then the newest."""
    return fetch_all(
        connection,
        ModelVersion,
        _VERSIONS + " WHERE %s::text IS NULL OR kind = %s"
        " ORDER BY kind DESC, status = 'CURRENT' DESC, created_at DESC, digest",
        kind,
        kind,
    )


def get_version(connection: Connection, beginning: str) -> ModelVersion:
    """The version whose digest begins so (four digits or more); :class:`VersionUnknown` for none or several."""
    found = fetch_all(
        connection, ModelVersion, _VERSIONS + " WHERE starts_with(digest, %s) ORDER BY digest", beginning.lower()
    )
    if len(beginning) < 4 or not found:
        raise VersionUnknown(
            f"no version has the digest {beginning!r}: `mlquiz models list` shows those that there are; at least the"
            " first four digits are needed"
        )
    if len(found) > 1:
        raise VersionUnknown(f"{beginning!r} may be {' or '.join(each.digest for each in found)}: give more digits")
    return found[0]


def find_current(connection: Connection, kind: Kind) -> ModelVersion | None:
    """The version that serves; ``None``: the model that the settings name."""
    return fetch_one(connection, ModelVersion, _VERSIONS + " WHERE kind = %s AND status = 'CURRENT'", kind)


def current_digest(connection: Connection, kind: Kind) -> str | None:
    """What the workers ask every few seconds: the digest of the version that serves."""
    digest = fetch_value(connection, "SELECT digest FROM model_versions WHERE kind = %s AND status = 'CURRENT'", kind)
    assert digest is None or isinstance(digest, str)
    return digest


# What serves -------------------------------------------------------------------------------------------------------


def lock_versions(connection: Connection) -> None:
    """Let nobody else change what serves until the transaction ends."""
    connection.execute("LOCK TABLE model_versions IN SHARE ROW EXCLUSIVE MODE")


def put_in_charge(
    connection: Connection, version: ModelVersion, *, by: str, forced_because: str | None, findings: Mapping[str, Any]
) -> None:
    """Make a version CURRENT, and RETIRED what served before. To be called with the lock."""
    _set_current(connection, version.kind, version.digest)
    connection.execute(
        "INSERT INTO model_promotions (kind, digest, promoted_by, forced_because, findings)"
        " VALUES (%s, %s, %s, %s, %s)",
        (version.kind, version.digest, by, forced_because, Jsonb(dict(findings))),
    )


def take_back(connection: Connection, kind: Kind, *, by: str) -> str | None:
    """Undo the latest promotion that stands; the digest that serves now, ``None`` for the settings' model.

    To be called with the lock, and while a version is CURRENT.
    """
    connection.execute(
        "UPDATE model_promotions SET taken_back_at = now(), taken_back_by = %s WHERE id = ("
        "SELECT id FROM model_promotions WHERE kind = %s AND taken_back_at IS NULL ORDER BY id DESC LIMIT 1)",
        (by, kind),
    )
    before = fetch_value(
        connection,
        "SELECT digest FROM model_promotions WHERE kind = %s AND taken_back_at IS NULL ORDER BY id DESC LIMIT 1",
        kind,
    )
    assert before is None or isinstance(before, str)
    _set_current(connection, kind, before)
    return before


def _set_current(connection: Connection, kind: Kind, digest: str | None) -> None:
    connection.execute("UPDATE model_versions SET status = 'RETIRED' WHERE kind = %s AND status = 'CURRENT'", (kind,))
    connection.execute("UPDATE model_versions SET status = 'CURRENT' WHERE digest = %s", (digest,))


# What became of it -------------------------------------------------------------------------------------------------


def record_load_problem(connection: Connection, host: str, kind: Kind, digest: str | None, problem: str) -> None:
    """Keep why a machine's workers cannot serve what they should; written again at each try."""
    connection.execute(
        "INSERT INTO model_load_problems (host, kind, digest, problem) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (host, kind, digest) DO UPDATE SET problem = EXCLUDED.problem, at = now()",
        (host, kind, digest, problem[:2000]),
    )


def forget_load_problem(connection: Connection, host: str, kind: Kind, digest: str | None) -> None:
    """The workers of a machine serve this version, or need not any more."""
    connection.execute(
        "DELETE FROM model_load_problems WHERE host = %s AND kind = %s AND digest IS NOT DISTINCT FROM %s",
        (host, kind, digest),
    )


def list_load_problems(connection: Connection, *, minutes: int) -> list[LoadProblem]:
    """Machines whose workers said in the last ``minutes`` that they cannot serve what serves now, all or a course."""
    return fetch_all(
        connection,
        LoadProblem,
        """
        SELECT host, kind, digest, problem, at FROM model_load_problems
        WHERE at > now() - make_interval(mins => %s) AND (
            digest IN (SELECT digest FROM course_explainers) OR digest IS NOT DISTINCT FROM (
                SELECT digest FROM model_versions WHERE kind = model_load_problems.kind AND status = 'CURRENT'
            )
        )
        ORDER BY host, kind, digest
        """,
        minutes,
    )


def list_outdated_quizzes(connection: Connection, digest: str | None) -> list[OutdatedQuiz]:
    """Quizzes with answers whose score that counts is from another grader than this one, those with most first.

    ``digest`` None: the model that the settings name. Scores of instructors, tries and test users do not count, as in
    a regrade. For a transaction across tenants.
    """
    return fetch_all(
        connection,
        OutdatedQuiz,
        """
        SELECT registrations.name AS platform, contexts.title AS course, quizzes.title AS quiz,
            count(*)::integer AS answer_count
        FROM submissions
        JOIN attempts ON attempts.id = submissions.attempt_id
        JOIN users ON users.id = attempts.user_id
        JOIN resource_links ON resource_links.id = attempts.resource_link_id
        JOIN contexts ON contexts.id = resource_links.context_id
        JOIN quizzes ON quizzes.id = attempts.quiz_id
        JOIN registrations ON registrations.id = submissions.registration_id
        CROSS JOIN LATERAL (
            SELECT source, versions FROM grades WHERE grades.submission_id = submissions.id ORDER BY id DESC LIMIT 1
        ) AS latest
        WHERE submissions.status = 'GRADED' AND NOT attempts.is_preview AND NOT users.is_test_user
            AND latest.source = 'MODEL' AND latest.versions ->> 'version' IS DISTINCT FROM %s
        GROUP BY registrations.id, contexts.id, quizzes.id
        ORDER BY count(*) DESC, platform, course, quiz
        """,
        digest,
    )
