"""Tools known to the practice LMS, and what each may use only once."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from lti1p3platform.constants import LTI_1P3_ACCESS_TOKEN_SCOPES
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

ALL_SCOPES: tuple[str, ...] = tuple(LTI_1P3_ACCESS_TOKEN_SCOPES)


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, e.g. ``http://localhost:8400``."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.fragment:
        raise ValueError("expected an http or https address")
    return value


def _known_scopes(value: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := set(value) - set(ALL_SCOPES):
        raise ValueError(f"unknown scope {min(unknown)}")
    return value


WebAddress = Annotated[str, Field(max_length=2000), AfterValidator(_web_address)]


class ToolApplication(BaseModel):
    """What an admin says about a tool to register it. ``launch_url`` is the one redirect address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100)]
    login_url: WebAddress
    launch_url: WebAddress
    jwks_url: WebAddress
    deep_link_url: WebAddress
    share_names: bool = True
    share_emails: bool = False
    scopes: Annotated[tuple[str, ...], AfterValidator(_known_scopes)] = ALL_SCOPES


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A registered tool. ``number`` is also its deployment id and the ``type_id`` in its line item addresses."""

    number: int
    name: str
    login_url: str
    launch_url: str
    jwks_url: str
    deep_link_url: str
    client_id: str
    share_names: bool
    share_emails: bool
    scopes: tuple[str, ...]

    @property
    def deployment_id(self) -> str:
        """LTI's deployment id: the tool's number as text."""
        return str(self.number)

    @property
    def origins(self) -> frozenset[str]:
        """Where the tool's own pages live."""
        return frozenset(origin_of(url) for url in (self.login_url, self.launch_url, self.deep_link_url))


_TOOLS = """
    SELECT number, name, login_url, launch_url, jwks_url, deep_link_url, client_id, share_names, share_emails, scopes
    FROM tool
"""
_ACTIVE = "number NOT IN (SELECT number FROM pending_tool)"


def _tool_from_row(row: sqlite3.Row) -> Tool:
    values = dict(row)
    values["share_names"] = bool(values["share_names"])
    values["share_emails"] = bool(values["share_emails"])
    values["scopes"] = tuple(json.loads(values["scopes"]))
    return Tool(**values)


def register_tool(connection: sqlite3.Connection, application: ToolApplication, *, client_id: str = "") -> Tool:
    """The tool with this launch address, made or brought up to date; its client id never changes.

    A new one gets ``client_id``, else a random one.
    """
    row = connection.execute(
        """
        INSERT INTO tool (name, login_url, launch_url, jwks_url, deep_link_url, client_id,
                          share_names, share_emails, scopes)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (launch_url) DO UPDATE SET
            name = excluded.name, login_url = excluded.login_url, jwks_url = excluded.jwks_url,
            deep_link_url = excluded.deep_link_url, share_names = excluded.share_names,
            share_emails = excluded.share_emails, scopes = excluded.scopes
        RETURNING number, name, login_url, launch_url, jwks_url, deep_link_url, client_id, share_names, share_emails,
                  scopes
        """,
        (
            application.name,
            application.login_url,
            application.launch_url,
            application.jwks_url,
            application.deep_link_url,
            client_id or secrets.token_hex(12),
            application.share_names,
            application.share_emails,
            json.dumps(application.scopes),
        ),
    ).fetchone()
    return _tool_from_row(row)


def list_tools(connection: sqlite3.Connection) -> list[Tool]:
    """All tools that may be used, oldest first."""
    return [_tool_from_row(row) for row in connection.execute(f"{_TOOLS} WHERE {_ACTIVE} ORDER BY number")]


def find_tool(connection: sqlite3.Connection, number: int) -> Tool | None:
    """The tool with this number, if it may be used."""
    row = connection.execute(f"{_TOOLS} WHERE number = ? AND {_ACTIVE}", (number,)).fetchone()
    return _tool_from_row(row) if row else None


def find_any_tool(connection: sqlite3.Connection, number: int) -> Tool | None:
    """The tool with this number, pending or not."""
    row = connection.execute(f"{_TOOLS} WHERE number = ?", (number,)).fetchone()
    return _tool_from_row(row) if row else None


def list_pending_tools(connection: sqlite3.Connection) -> list[Tool]:
    """The tools that wait for the administrator, oldest first."""
    return [_tool_from_row(row) for row in connection.execute(f"{_TOOLS} WHERE NOT ({_ACTIVE}) ORDER BY number")]


def set_pending(connection: sqlite3.Connection, number: int) -> None:
    """Keep a tool from being used until it is activated."""
    connection.execute("INSERT OR IGNORE INTO pending_tool (number) VALUES (?)", (number,))


def activate_tool(connection: sqlite3.Connection, number: int) -> None:
    """Let a tool be used."""
    connection.execute("DELETE FROM pending_tool WHERE number = ?", (number,))


def find_tool_by_client_id(connection: sqlite3.Connection, client_id: str) -> Tool | None:
    """The tool with exactly this client id, if it may be used."""
    row = connection.execute(f"{_TOOLS} WHERE client_id = ? AND {_ACTIVE}", (client_id,)).fetchone()
    return _tool_from_row(row) if row else None


def use_once(connection: sqlite3.Connection, tool: Tool, *, purpose: str, value: str, expires_at: float) -> bool:
    """Whether ``value`` is new for this tool and purpose; it is remembered until ``expires_at`` (Unix seconds)."""
    connection.execute("DELETE FROM used_value WHERE expires_at < ?", (time.time(),))
    cursor = connection.execute(
        "INSERT OR IGNORE INTO used_value (client_id, purpose, value, expires_at) VALUES (?, ?, ?, ?)",
        (tool.client_id, purpose, value, expires_at),
    )
    return cursor.rowcount == 1
