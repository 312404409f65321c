"""Drafts of a page that may be out of date: what was typed in another window since is never written over.

A page says what it knows: when the draft it was made from was saved (``base``), and marks of texts that it showed or
sent. A draft that it does not know comes from another window or device; then both texts are kept.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from psycopg import Connection

from lti_tool.db import fetch_value
from lti_tool.errors import AlreadyDone, NotFound
from lti_tool.submissions import store
from lti_tool.submissions.store import Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedDraft:
    """A text as a page sent it.

    ``base`` is the ISO 8601 time at which the draft under the page was saved, empty if there was none. ``shown`` is
    the mark of that draft's text, ``sent`` the marks of texts that the page sent without hearing what became of them.
    """

    answer: str
    base: str = ""
    shown: str = ""
    sent: frozenset[str] = frozenset()

    @classmethod
    def from_form(cls, form: Mapping[str, str], suffix: str = "") -> Self | None:
        """Fields ``answer``, ``base`` and ``known`` (marks, the shown text's first), each with the suffix.

        ``None`` without a field ``answer``.
        """
        typed = form.get(f"answer{suffix}")
        if typed is None:
            return None
        shown, *sent = form.get(f"known{suffix}", "").split() or [""]
        return cls(answer=_one_line_end(typed), base=form.get(f"base{suffix}", ""), shown=shown, sent=frozenset(sent))

    def knows(self, stored: Submission) -> bool:
        """Whether the page was made from this draft or wrote it itself."""
        return _is_moment(self.base, stored.saved_at) or mark_of(stored.answer) in {self.shown, *self.sent}

    @property
    def is_nothing_new(self) -> bool:
        """Blank, or as the page showed it."""
        return not self.answer.strip() or mark_of(self.answer) == self.shown


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDraft:
    """What is stored now. ``differs`` from what was typed, because of another window; ``is_merged``: both texts."""

    submission: Submission
    differs: bool
    is_merged: bool


def mark_of(text: str) -> str:
    """A short mark of a text, to tell it again: CRC-32 of its UTF-8 bytes, as the page's script reckons it too."""
    return f"{zlib.crc32(text.encode('utf-8', 'replace')):x}"


def keep_draft(connection: Connection, *, attempt_id: int, question_id: int, typed: TypedDraft) -> KeptDraft:
    """Keep what was typed, and what another window saved meanwhile.

    Two texts are kept with the stored one first and a blank line between them; a text that holds the other serves
    for both. Raises what :func:`~lti_tool.submissions.store.save_draft` raises; then the stored text stays.
    """
    # The lock comes before the reading, so that of two windows the second sees what the first one saved.
    status = fetch_value(connection, "SELECT status FROM attempts WHERE id = %s FOR NO KEY UPDATE", attempt_id)
    if status is None:
        raise NotFound(f"attempt {attempt_id}")
    if status != "OPEN":
        raise AlreadyDone(f"attempt {attempt_id} is {status}")
    stored = next(
        (draft for draft in store.list_submissions(connection, attempt_id) if draft.question_id == question_id), None
    )
    answer = _answer_to_keep(stored, typed)
    if stored is not None and answer == stored.answer:
        return KeptDraft(submission=stored, differs=answer != store.storable(typed.answer), is_merged=False)
    saved = store.save_draft(connection, attempt_id=attempt_id, question_id=question_id, answer=answer)
    is_merged = answer != typed.answer
    return KeptDraft(submission=saved, differs=is_merged, is_merged=is_merged)


def _answer_to_keep(stored: Submission | None, typed: TypedDraft) -> str:
    if stored is None or typed.knows(stored):
        return typed.answer
    if typed.is_nothing_new or _holds(stored.answer, typed.answer):
        return stored.answer
    if _holds(typed.answer, stored.answer):
        return typed.answer
    return f"{stored.answer}\n\n{typed.answer}"


def _holds(text: str, part: str) -> bool:
    """Whether the words of ``part`` stand in ``text``, whole and in a row."""
    return f" {' '.join(part.split())} " in f" {' '.join(text.split())} " or not part.strip()


def _is_moment(text: str, moment: datetime) -> bool:
    try:
        return datetime.fromisoformat(text) == moment
    except ValueError:
        return False


def _one_line_end(typed: str) -> str:
    """Browsers send CR LF; one kind of line end keeps a text equal to itself when it is saved again."""
    return typed.replace("\r\n", "\n")
