"""The practice LMS's SQLite file: its schema and its transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lti_tool.practice_lms.people import COURSE

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tool (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    login_url TEXT NOT NULL,
    launch_url TEXT NOT NULL UNIQUE,
    jwks_url TEXT NOT NULL,
    deep_link_url TEXT NOT NULL,
    client_id TEXT NOT NULL UNIQUE,
    share_names INTEGER NOT NULL,
    share_emails INTEGER NOT NULL,
    scopes TEXT NOT NULL
);
-- Tools that registered themselves and wait for the administrator; nobody can use them yet.
CREATE TABLE IF NOT EXISTS pending_tool (
    number INTEGER PRIMARY KEY REFERENCES tool (number) ON DELETE CASCADE
);
-- Copies of the course; the first one is in the code.
CREATE TABLE IF NOT EXISTS course_copy (
    id TEXT PRIMARY KEY,
    label TEXT NOT NULL,
    title TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS activity (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    resource_link_id TEXT NOT NULL UNIQUE,
    tool_number INTEGER NOT NULL REFERENCES tool (number) ON DELETE CASCADE,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    url TEXT NOT NULL,
    custom TEXT NOT NULL,
    available_from TEXT,
    available_until TEXT,
    submission_from TEXT,
    submission_until TEXT
);
CREATE TABLE IF NOT EXISTS line_item (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tool_number INTEGER NOT NULL REFERENCES tool (number) ON DELETE CASCADE,
    activity_id INTEGER REFERENCES activity (id) ON DELETE CASCADE,
    coupled INTEGER NOT NULL,
    label TEXT NOT NULL,
    score_maximum REAL NOT NULL CHECK (score_maximum > 0),
    resource_id TEXT NOT NULL,
    tag TEXT NOT NULL,
    starts_at TEXT,
    ends_at TEXT
);
CREATE TABLE IF NOT EXISTS grade (
    line_item_id INTEGER NOT NULL REFERENCES line_item (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    score REAL,
    comment TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    PRIMARY KEY (line_item_id, user_id)
);
-- Every score message that was ever posted, accepted or not.
CREATE TABLE IF NOT EXISTS score_post (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    line_item_id INTEGER NOT NULL,
    user_id TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    received_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS score_post_of ON score_post (line_item_id, user_id);
-- What a lti_message_hint stands for.
CREATE TABLE IF NOT EXISTS intent (
    hint TEXT PRIMARY KEY,
    tool_number INTEGER NOT NULL REFERENCES tool (number) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    activity_id INTEGER REFERENCES activity (id) ON DELETE CASCADE,
    document_target TEXT NOT NULL,
    created_at REAL NOT NULL,
    for_user_id TEXT
);
-- A deep linking request on its way; its "data" comes back once.
CREATE TABLE IF NOT EXISTS selection (
    data TEXT PRIMARY KEY,
    tool_number INTEGER NOT NULL REFERENCES tool (number) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    created_at REAL NOT NULL
);
-- Values a tool may use only once: assertion ids and nonces.
CREATE TABLE IF NOT EXISTS used_value (
    client_id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    value TEXT NOT NULL,
    expires_at REAL NOT NULL,
    PRIMARY KEY (client_id, purpose, value)
);
"""


# Tables of files from before there were several courses; what they hold is the first one's.
_OF_A_COURSE = ("activity", "line_item", "intent", "selection")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A SQLite file in write-ahead mode. Connections are short-lived: threads and processes share only the file."""

    path: Path

    def create(self) -> None:
        """Makes the tables and columns that are missing."""
        connection = self._connect()
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
            for table in _OF_A_COURSE:
                columns = [row["name"] for row in connection.execute(f"PRAGMA table_info({table})")]
                if "course_id" not in columns:
                    connection.execute(f"ALTER TABLE {table} ADD COLUMN course_id TEXT NOT NULL DEFAULT '{COURSE.id}'")
            # Files of before submission review.
            if "for_user_id" not in {row["name"] for row in connection.execute("PRAGMA table_info(intent)")}:
                connection.execute("ALTER TABLE intent ADD COLUMN for_user_id TEXT")
        finally:
            connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a transaction: committed at the end, rolled back on an exception.

        It is a writing one from its start, so that what was read still holds when it is written.
        """
        connection = self._connect()
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        finally:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=10, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection


def reset(connection: sqlite3.Connection, *, tools: bool) -> None:
    """Forgets activities, grades and messages; with ``tools`` the registered tools as well."""
    for statement in (
        "DELETE FROM score_post",
        "DELETE FROM activity",
        "DELETE FROM line_item",
        "DELETE FROM selection",
        "DELETE FROM intent",
        "DELETE FROM used_value",
        "DELETE FROM course_copy",
    ):
        connection.execute(statement)
    if tools:
        connection.execute("DELETE FROM tool")
