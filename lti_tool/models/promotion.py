"""Put a version in charge, and take it back: each one transaction with its entry in the trail.

::

    candidate ──gate: not worse than what serves──▶ promote ──▶ CURRENT ──▶ workers load it between tasks
                  └─ forced, with a reason ───────────┘           └── roll_back ──▶ what served before

The gate runs for minutes and before the transaction; should somebody else have changed what serves meanwhile, its
judgement is worth nothing and the promotion is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from psycopg import Connection

from config.settings import Settings
from lti_tool.launch.audit import record_event
from lti_tool.models import store
from lti_tool.models.errors import AlreadyCurrent, CurrentChanged, NothingToRollBack, NotProven, ReasonMissing
from lti_tool.models.folders import Kind, intact_folder
from lti_tool.models.versions import ModelVersion

LEAST_REASON, LONGEST_REASON = 10, 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Whether a candidate may serve: ``reasons`` are sentences why not, ``findings`` figures for the record."""

    ok: bool
    reasons: tuple[str, ...] = ()
    findings: Mapping[str, Any] = field(default_factory=dict)


class Gate(Protocol):
    """Compares a candidate with what serves; the store does not care how. :mod:`lti_tool.models.gate` has the real one.

    ``current`` None: the model that the settings name.
    """

    def __call__(self, candidate: ModelVersion, current: ModelVersion | None) -> Judgement:
        """Judge; raises what loading and reading raise."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What serves now and what served before, as digests; ``None``: the model that the settings name."""

    kind: Kind
    before: str | None
    now: str | None


def promote(
    connection: Connection,
    settings: Settings,
    candidate: ModelVersion,
    *,
    judged_against: str | None,
    judgement: Judgement | None,
    by: str,
    forced_because: str | None = None,
) -> Change:
    """Make ``candidate`` CURRENT, in the caller's transaction.

    ``judgement`` is the gate's on ``judged_against``, the digest that served then; it may be left out where
    ``forced_because`` says why. Raises :class:`NotProven`, :class:`ReasonMissing`, :class:`AlreadyCurrent`,
    :class:`CurrentChanged`, and :class:`~lti_tool.models.errors.VersionBroken` where the folder is not whole here.
    """
    if forced_because is not None:
        require_reason(forced_because)
    elif judgement is None or not judgement.ok:
        raise NotProven(judgement.reasons if judgement else ("it was compared with nothing",))
    intact_folder(settings.versions_path, candidate.digest)
    current = _locked_current(connection, candidate.kind)
    if current == candidate.digest:
        raise AlreadyCurrent(f"{candidate.kind.lower()} {candidate.digest} serves already.")
    _require_unchanged(candidate.kind, judged_against, current)
    findings = judgement.findings if judgement else {}
    reason = forced_because.strip() if forced_because is not None else None
    store.put_in_charge(connection, candidate, by=by, forced_because=reason, findings=findings)
    record_event(
        connection,
        "model-promotion-forced" if reason else "model-promoted",
        detail=f"{candidate.kind.lower()} {candidate.digest} in place of {_name(current)}, by {by}",
        facts={"reason": reason or "", "digest": candidate.digest, "before": current or ""},
    )
    return Change(kind=candidate.kind, before=current, now=candidate.digest)


def roll_back(connection: Connection, kind: Kind, *, taken_for_current: str | None, by: str) -> Change:
    """Make current again what served before ``taken_for_current``, without any comparison; in the caller's transaction.

    Raises :class:`NothingToRollBack`, and :class:`CurrentChanged` where another version serves: two people who roll
    back at once roll back once.
    """
    current = _locked_current(connection, kind)
    _require_unchanged(kind, taken_for_current, current)
    if current is None:
        raise NothingToRollBack(f"No promoted {kind.lower()} serves: there is nothing before the settings' model.")
    before = store.take_back(connection, kind, by=by)
    record_event(
        connection,
        "model-rolled-back",
        detail=f"{kind.lower()} {current}, back to {_name(before)}, by {by}",
        facts={"digest": before or "", "before": current},
    )
    return Change(kind=kind, before=current, now=before)


def require_reason(reason: str) -> None:
    """Raise :class:`ReasonMissing` for a reason that says nothing, or too much."""
    if not LEAST_REASON <= len(reason.strip()) <= LONGEST_REASON:
        raise ReasonMissing(
            f"Forcing a promotion needs a reason of {LEAST_REASON} to {LONGEST_REASON} characters, for the record:"
            ' --reason "…".'
        )


def _locked_current(connection: Connection, kind: Kind) -> str | None:
    store.lock_versions(connection)
    return store.current_digest(connection, kind)


def _require_unchanged(kind: Kind, expected: str | None, current: str | None) -> None:
    if expected != current:
        raise CurrentChanged(
            f"Somebody else was quicker: {_name(current)} serves as {kind.lower()} now, not {_name(expected)}."
            " Nothing was changed; look at `mlquiz models list` and decide again."
        )


def _name(digest: str | None) -> str:
    return digest or "the model of the settings"
