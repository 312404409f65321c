"""Put a version in charge, and take it back: each one transaction with its entry in the trail.

::

    candidate ──gate: not worse than what serves──▶ promote ──▶ CURRENT ──▶ workers load it between tasks
                  └─ forced, with a reason ───────────┘           └── roll_back ──▶ what served before

An explainer may be promoted for one course: it serves that course before what serves everybody, and a rollback for the
course lets that serve again.

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
from lti_tool.models import course_store, store
from lti_tool.models.course_store import Course
from lti_tool.models.errors import (
    AlreadyCurrent,
    CurrentChanged,
    NotForOneCourse,
    NothingToRollBack,
    NotProven,
    ReasonMissing,
)
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
    """What serves now and what served before, as digests; ``None``: the model that the settings name.

    ``course`` is the number of the one course that it is about.
    """

    kind: Kind
    before: str | None
    now: str | None
    course: int | None = None


def promote(
    connection: Connection,
    settings: Settings,
    candidate: ModelVersion,
    *,
    judged_against: str | None,
    judgement: Judgement | None,
    by: str,
    forced_because: str | None = None,
    course_id: int | None = None,
) -> Change:
    """Make ``candidate`` CURRENT, or the explainer of one course, in the caller's transaction.

    ``judgement`` is the gate's on ``judged_against``, the digest that served then; it may be left out where
    ``forced_because`` says why. Raises :class:`NotProven`, :class:`ReasonMissing`, :class:`AlreadyCurrent`,
    :class:`CurrentChanged`, and :class:`~lti_tool.models.errors.VersionBroken` where the folder is not whole here; for
    a course :class:`NotForOneCourse` and :class:`~lti_tool.models.errors.CourseUnknown` too.
    """
    require_fits_course(candidate.kind, course_id)
    if forced_because is not None:
        require_reason(forced_because)
    elif judgement is None or not judgement.ok:
        raise NotProven(judgement.reasons if judgement else ("it was compared with nothing",))
    intact_folder(settings.versions_path, candidate.digest)
    course, current = _locked_current(connection, candidate.kind, course_id)
    require_other(candidate, current)
    _require_unchanged(candidate.kind, judged_against, current)
    findings = judgement.findings if judgement else {}
    reason = forced_because.strip() if forced_because is not None else None
    if course is None:
        store.put_in_charge(connection, candidate, by=by, forced_because=reason, findings=findings)
    else:
        course_store.choose_explainer(connection, course, candidate.digest, by=by)
    _record(
        connection,
        "model-promotion-forced" if reason else "model-promoted",
        f"{candidate.kind.lower()} {candidate.digest} in place of {_name(current)}",
        course,
        by=by,
        facts={
            "reason": reason or "",
            # Without findings it is the message of an error, which may hold what it could not read.
            "overridden": "\n".join(judgement.reasons) if judgement and findings else "",
            "digest": candidate.digest,
            "before": current or "",
            # A promotion for everybody has a row of its own with them; of a course only the last choice has one.
            "findings": dict(findings) if course else {},
        },
    )
    return Change(kind=candidate.kind, before=current, now=candidate.digest, course=course_id)


def roll_back(
    connection: Connection, kind: Kind, *, taken_for_current: str | None, by: str, course_id: int | None = None
) -> Change:
    """Make current again what served before ``taken_for_current``, without any comparison; in the caller's transaction.

    For a course, that is what serves everybody. Raises :class:`NothingToRollBack`, and :class:`CurrentChanged` where
    another version serves: two people who roll back at once roll back once.
    """
    course, current = _locked_current(connection, kind, course_id)
    if course is not None and course.digest is None:
        raise NothingToRollBack(f"Course {course.id} has no explainer of its own: what serves everybody serves it.")
    _require_unchanged(kind, taken_for_current, current)
    if current is None:
        raise NothingToRollBack(f"No promoted {kind.lower()} serves: there is nothing before the settings' model.")
    if course is None:
        before = store.take_back(connection, kind, by=by)
    else:
        course_store.give_up_explainer(connection, course)
        before = store.current_digest(connection, kind)
    facts = {"digest": before or "", "before": current}
    told = f"{kind.lower()} {current}, back to {_name(before)}"
    _record(connection, "model-rolled-back", told, course, by=by, facts=facts)
    return Change(kind=kind, before=current, now=before, course=course_id)


def require_fits_course(kind: Kind, course_id: int | None) -> None:
    """Raise :class:`NotForOneCourse` for a grader that is to serve one course."""
    if course_id is not None and kind != "EXPLAINER":
        raise NotForOneCourse("A grader serves all courses, or scores could not be compared: leave the course out.")


def require_other(candidate: ModelVersion, current: str | None) -> None:
    """Raise :class:`AlreadyCurrent` where the candidate is what serves."""
    if current == candidate.digest:
        raise AlreadyCurrent(f"{candidate.kind.lower()} {candidate.digest} serves already.")


def require_reason(reason: str) -> None:
    """Raise :class:`ReasonMissing` for a reason that says nothing, or too much."""
    if not LEAST_REASON <= len(reason.strip()) <= LONGEST_REASON:
        raise ReasonMissing(
            f"Forcing a promotion needs a reason of {LEAST_REASON} to {LONGEST_REASON} characters, for the record:"
            ' --reason "…".'
        )


def _locked_current(connection: Connection, kind: Kind, course_id: int | None) -> tuple[Course | None, str | None]:
    """The course, if it is about one, and what serves it or everybody."""
    store.lock_versions(connection)
    current = store.current_digest(connection, kind)
    if course_id is None:
        return None, current
    course = course_store.get_course(connection, course_id)
    return course, course.digest or current


def _record(
    connection: Connection, event: str, told: str, course: Course | None, *, by: str, facts: Mapping[str, Any]
) -> None:
    if course is None:
        record_event(connection, event, detail=f"{told}, by {by}", facts=facts)
        return
    record_event(
        connection,
        event,
        registration_id=course.registration_id,
        detail=f"{told} for course {course.id}, by {by}",
        facts={**facts, "context_id": course.id},
    )


def _require_unchanged(kind: Kind, expected: str | None, current: str | None) -> None:
    if expected != current:
        raise CurrentChanged(
            f"Somebody else was quicker: {_name(current)} serves as {kind.lower()} now, not {_name(expected)}."
            " Nothing was changed; look at `mlquiz models list` and decide again."
        )


def _name(digest: str | None) -> str:
    return digest or "the model of the settings"
