"""What ``mlquiz models`` prints: versions, figures side by side, and what a change of the model means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from rich.table import Column, Table
from rich.text import Text

from config import Settings
from lti_tool.cli.output import complain, console, say, say_json

if TYPE_CHECKING:
    from lti_tool.db import Database
    from lti_tool.models.course_store import Course
    from lti_tool.models.folders import Kind
    from lti_tool.models.promotion import Change, Judgement
    from lti_tool.models.store import OutdatedQuiz
    from lti_tool.models.versions import ModelVersion

KindName = Literal["grader", "explainer"]
KINDS: tuple[Kind, ...] = ("GRADER", "EXPLAINER")

_SHOWN_QUIZZES = 10


def kind_of(name: KindName | None) -> Kind | None:
    """The kind that an option names."""
    return None if name is None else "GRADER" if name == "grader" else "EXPLAINER"


def facts_of(version: ModelVersion, courses: Sequence[Course] = ()) -> dict[str, Any]:
    """A version for programs, with those of ``courses`` that it was chosen for."""
    return {
        **asdict(version),
        "created_at": version.created_at.isoformat(),
        "promoted_at": version.promoted_at.isoformat() if version.promoted_at else None,
        "courses": [
            {"id": each.id, "title": each.title, "platform": each.platform}
            for each in courses
            if each.digest == version.digest
        ],
    }


def show_versions(
    versions: Sequence[ModelVersion], kinds: Sequence[Kind | None], courses: Sequence[Course] = ()
) -> None:
    """A table for people, courses with an explainer of their own, and which of ``kinds`` the settings decide about."""
    if versions:
        # Narrow enough for a terminal of 80 columns.
        table = Table(box=None, padding=(0, 1, 0, 0))
        for name in ("version", "kind", "status", "added", "figures"):
            table.add_column(name, no_wrap=True)
        table.add_column("data", overflow="fold")
        for each in versions:
            figures = "\n".join(f"{name} {value:.4f}" for name, value in each.headline.items())
            added = f"{each.created_at.astimezone():%Y-%m-%d %H:%M}\n{each.created_by}"
            cells = (each.digest, each.kind.lower(), each.status.lower(), added, figures)
            table.add_row(*map(Text, cells), Text((each.dataset_digest or "–")[:16]))
        console.print(table)
    digests = {each.digest for each in versions}
    for course in courses:
        if course.digest in digests:
            say(f"explainer {course.digest} serves {_named(course)}")
    for kind in kinds:
        if kind and not any(each.kind == kind and each.status == "CURRENT" for each in versions):
            say(f"The {kind.lower()} that the settings name serves; no trained one is promoted.")


def show_version(version: ModelVersion, courses: Sequence[Course] = ()) -> None:
    """All that is known of a version, for people."""
    say(f"{version.kind.lower()} {version.digest}  {version.status.lower()}")
    say(f"  added     {version.created_at.astimezone():%Y-%m-%d %H:%M %Z} by {version.created_by}")
    say(f"  from      {version.run_folder}")
    say(f"  data      {version.dataset_digest or 'not named'}")
    say(f"  code      {version.code_version or 'not named'}")
    if version.promoted_at is not None:
        forced = f", forced: {version.forced_because}" if version.forced_because else ""
        say(f"  promoted  {version.promoted_at.astimezone():%Y-%m-%d %H:%M %Z} by {version.promoted_by}{forced}")
    for course in courses:
        if course.digest == version.digest:
            chosen = f", since {course.chosen_at.astimezone():%Y-%m-%d %H:%M %Z}" if course.chosen_at else ""
            say(f"  serves    {_named(course)}{chosen} by {course.chosen_by}")
    for title, values in (("settings", _flat(version.settings)), ("figures", dict(sorted(version.metrics.items())))):
        if values:
            say(f"  {title}")
        for name, value in values.items():
            say(f"    {name:<40} {value:.4f}" if isinstance(value, float) else f"    {name:<40} {value}")


def compared_figures(first: ModelVersion, second: ModelVersion) -> dict[str, dict[str, float | None]]:
    """Each figure of either with the difference; ``None`` where one of them has no such figure."""
    names = sorted(first.metrics.keys() | second.metrics.keys())
    pairs = {name: (first.metrics.get(name), second.metrics.get(name)) for name in names}
    return {name: {"first": one, "second": two, "difference": _minus(one, two)} for name, (one, two) in pairs.items()}


def show_comparison(first: ModelVersion, second: ModelVersion) -> None:
    """The figures of two versions side by side, for people."""
    table = Table(Column("figure", overflow="fold"), first.digest, second.digest, "difference")
    for name, found in compared_figures(first, second).items():
        table.add_row(
            Text(name), _number(found["first"]), _number(found["second"]), _number(found["difference"], sign="+")
        )
    console.print(table)
    if first.dataset_digest != second.dataset_digest:
        complain("They were trained on different data: the figures are not of the same answers.")


def tell_of_change(
    database: Database, settings: Settings, change: Change, *, as_json: bool, judgement: Judgement | None = None
) -> None:
    """What serves now, and which answers may be graded again; nothing is started."""
    from lti_tool.models.store import list_outdated_quizzes

    outdated: list[OutdatedQuiz] = []
    if change.kind == "GRADER":
        with database.across_tenants() as connection:
            outdated = list_outdated_quizzes(connection, change.now)
    if as_json:
        found = {"ok": judgement.ok, "reasons": judgement.reasons, **judgement.findings} if judgement else None
        quizzes = [asdict(each) for each in outdated]
        say_json({**asdict(change), "judgement": found, "regrade_preview": quizzes})
        return
    kind = change.kind.lower()
    where = f" course {change.course}" if change.course is not None else ""
    before = change.before or "that of the settings"
    say(f"{kind} {change.now or 'of the settings'} serves{where} now, in place of {before}")
    if change.kind == "EXPLAINER" and settings.explainer != "local":
        complain(f"EXPLAINER={settings.explainer}: workers use no trained explainer until EXPLAINER=local.")
    complain("Workers load it within a minute; `mlquiz doctor` says where one cannot.")
    _offer_regrades(outdated)


def _named(course: Course) -> str:
    return f"course {course.id}: {course.title or 'without a title'}, {course.platform}"


def _offer_regrades(outdated: Sequence[OutdatedQuiz]) -> None:
    if not outdated:
        return
    count = sum(each.answer_count for each in outdated)
    say(f"{count} answers in {len(outdated)} quizzes have their scores from another version, and keep them:")
    for each in outdated[:_SHOWN_QUIZZES]:
        say(f"  {each.answer_count:>6}  {each.quiz}, {each.course or 'a course without a title'}, {each.platform}")
    if len(outdated) > _SHOWN_QUIZZES:
        say(f"          and {len(outdated) - _SHOWN_QUIZZES} more quizzes: --json lists all")
    say("To see what would change: an instructor opens the quiz, Results, Grade again… (docs/how-to/grade-again.md)")


def _flat(values: dict[str, Any], name: str = "") -> dict[str, Any]:
    """Settings by the path to them."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{name}/{key}" if name else str(key)
        found |= _flat(value, path) if isinstance(value, dict) else {path: value}
    return found


def _minus(one: float | None, two: float | None) -> float | None:
    return None if one is None or two is None else one - two


def _number(value: float | None, *, sign: str = "") -> Text:
    return Text("–" if value is None else f"{value:{sign}.4f}", justify="right")
