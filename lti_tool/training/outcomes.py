"""What a command that ended leaves for the pages: a result, or a sentence that says what was wrong."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from psycopg import Connection

from config.settings import Settings
from lti_tool.exports.bookkeeping import is_exported_since
from lti_tool.models.adding import add_run as add_version
from lti_tool.models.course_store import list_served_courses
from lti_tool.models.errors import ModelVersionError
from lti_tool.models.store import get_version
from lti_tool.training.log_tail import last_words
from lti_tool.training.runs import OUTPUT, export_folder
from lti_tool.training.store import TrainingRun, add_run

_LARGEST_ANSWER = 8_000_000
_MOST_WARNINGS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is written down of an end; ``error`` beside FINISHED: the run is whole, but its model was not taken."""

    status: Literal["FINISHED", "FAILED", "CANCELLED"]
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    dataset_digest: str | None = None
    version_digest: str | None = None


def outcome_of(
    connection: Connection, settings: Settings, run: TrainingRun, *, code: int, answer: Path, log: Path
) -> Outcome:
    """Look at how the command of ``run`` ended. ``code`` is its exit status, negative for a signal.

    A training's model becomes a candidate, and an export is checked next, in the caller's transaction.
    """
    told = _answer(answer)
    if run.kind == "CHECK" and told is not None and code in (0, 1):
        return Outcome(status="FINISHED", result=_check(told))  # 1: it has faults, which is what was asked
    if code != 0:
        return Outcome(status="FAILED", error=last_words(log) or _ended_by(code))
    match run.kind:
        case "GRADER" | "EXPLAINER":
            return _trained(connection, settings, run)
        case "EXPORT" if told is not None:
            return _exported(connection, run, told)
        case "PROMOTION" if told is not None:
            return Outcome(status="FINISHED", result=_promoted(told))
        case _:
            return Outcome(status="FAILED", error="The command ended well, but did not say what it did.")


def exported_before(connection: Connection, settings: Settings, run: TrainingRun) -> Outcome | None:
    """What an export came to whose folder is in place, although its process ended before that was written down.

    The folder counts where it is whole, and the books say that it was exported since this run was asked for.
    """
    from finetune.dataset.reading import is_whole, read_manifest
    from finetune.errors import DatasetBroken

    folder = export_folder(run, settings)
    try:
        manifest = read_manifest(folder)
    except DatasetBroken:
        return None
    if not (is_whole(folder, manifest) and is_exported_since(connection, manifest.digest, run.created_at)):
        return None
    told = {"digest": manifest.digest, "counts": dict(manifest.counts)}
    return _exported(
        connection, run, told | {name: manifest.filters.get(name, {}) for name in ("scrubbed", "left_out")}
    )


def cancelled(connection: Connection, run: TrainingRun) -> Outcome:
    """What a run came to whose command was ended because somebody asked: a promotion may have been done by then."""
    if run.kind == "PROMOTION" and _is_in_charge(connection, run):
        return Outcome(
            status="CANCELLED",
            error="It was cancelled too late: the model is in charge already. “Take it back” on its page undoes that.",
        )
    return Outcome(status="CANCELLED")


def _is_in_charge(connection: Connection, run: TrainingRun) -> bool:
    """Whether what a promotion was asked for has been done; a course that is gone has no explainer."""
    course = run.settings.get("course")
    if course is None:
        return get_version(connection, run.version_digest or "").status == "CURRENT"
    return any(each.id == course and each.digest == run.version_digest for each in list_served_courses(connection))


def _answer(path: Path) -> dict[str, Any] | None:
    """What the command printed for programs."""
    try:
        if path.stat().st_size > _LARGEST_ANSWER:
            return None
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def _ended_by(code: int) -> str:
    if code == -signal.SIGKILL:
        return "The process was killed. Where nobody did that, the machine had too little memory."
    if code < 0:
        return f"The process was ended by signal {-code}."
    return f"The process ended with status {code} and said nothing."


def _trained(connection: Connection, settings: Settings, run: TrainingRun) -> Outcome:
    assert run.kind in ("GRADER", "EXPLAINER")
    try:
        # Its row goes back where the version is refused; the run itself is finished all the same.
        with connection.transaction():
            added = add_version(connection, settings, Path(run.folder or "") / OUTPUT, by=run.created_by, kind=run.kind)
    except ModelVersionError as error:
        return Outcome(status="FINISHED", error=f"The training is finished, but its model was not taken: {error}")
    return Outcome(status="FINISHED", version_digest=added.version.digest)


def _exported(connection: Connection, run: TrainingRun, told: Mapping[str, Any]) -> Outcome:
    digest = str(told["digest"])
    add_run(connection, "CHECK", by=run.created_by, dataset_digest=digest)
    result = {name: told[name] for name in ("counts", "scrubbed", "left_out")}
    return Outcome(status="FINISHED", result=result, dataset_digest=digest)


def _check(told: Mapping[str, Any]) -> dict[str, Any]:
    """Faults and warnings in words that name files and lines; the places of each warning are only counted."""
    warnings = [{"text": each["text"], "count": each["count"]} for each in told["warnings"][:_MOST_WARNINGS]]
    return {name: told[name] for name in ("is_usable", "counts", "languages", "faults")} | {"warnings": warnings}


def _promoted(told: Mapping[str, Any]) -> dict[str, Any]:
    judgement = told.get("judgement") or {}
    return {
        "kind": told["kind"],
        "before": told["before"],
        "now": told["now"],
        "course": told.get("course"),
        "reasons": list(judgement.get("reasons", ())),
        "was_judged": bool(judgement),
    }
