"""Which attempts an instructor wants to look at, and in which order: the part of an address that pages hand on.

table of attempts ──▶ one attempt ──▶ a decision ──▶ the same attempt, or the next one of the same list
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self, get_args

from flask import has_request_context, request

Show = Literal["all", "waiting", "undelivered", "unsure", "wrong", "flagged", "changed"]

#: Pages and forms between which the choice is handed on.
_ENDPOINTS = frozenset(
    f"gradebook.{name}"
    for name in (
        *("overview", "overview_parts", "review", "lms_grade", "decide", "send_again", "send_all_again"),
        *("approve", "approve_all", "override", "restore", "excuse", "count_again", "reopen", "withdraw"),
        *("edit_explanation", "restore_explanation", "keep_explanation"),
    )
)
# PostgreSQL's bigint has 19.
_ID_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What an address asks for: attempts of one kind, with an answer to one question, the most doubtful first."""

    show: Show = "all"
    question_id: int | None = None
    by_doubt: bool = False

    @classmethod
    def from_address(cls, values: Mapping[str, str]) -> Self:
        """Fields ``show``, ``only`` (a question's id) and ``sort``; what is none of the choices counts as not given."""
        only = values.get("only", "")
        is_id = only.isascii() and only.isdecimal() and len(only) <= _ID_DIGITS
        return cls(
            show=next((show for show in get_args(Show) if show == values.get("show")), "all"),
            question_id=int(only) if is_id else None,
            by_doubt=values.get("sort") == "doubt",
        )

    @property
    def is_narrow(self) -> bool:
        """It leaves attempts out."""
        return self.show != "all" or self.question_id is not None

    @property
    def address(self) -> dict[str, str | int | None]:
        """The same as fields of an address; ``None`` where the field is not needed."""
        return {
            "show": None if self.show == "all" else self.show,
            "only": self.question_id,
            "sort": "doubt" if self.by_doubt else None,
        }


def choice_here() -> Choice:
    """The choice that the address of this request holds."""
    return Choice.from_address(request.args)


def keep_choice(endpoint: str, values: dict[str, object]) -> None:
    """Links and forms of these pages lead on with the same choice, unless they name another one."""
    if has_request_context() and request.endpoint in _ENDPOINTS and endpoint in _ENDPOINTS:
        for name, value in choice_here().address.items():
            values.setdefault(name, value)
