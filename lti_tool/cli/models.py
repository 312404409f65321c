"""``mlquiz models``: trained models, and which of them serves."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from config import load_settings
from finetune.progress_file import also_to_file, progress_file_option
from lti_tool.cli.database import opened_database
from lti_tool.cli.model_output import (
    KINDS,
    KindName,
    compared_figures,
    facts_of,
    kind_of,
    show_comparison,
    show_version,
    show_versions,
    tell_of_change,
)
from lti_tool.cli.output import complain, complaints, say, say_json
from lti_tool.errors import NotConfigured

if TYPE_CHECKING:
    from psycopg import Connection

    from lti_tool.models.course_store import Course
    from lti_tool.models.gate import Tell
    from lti_tool.models.promotion import Judgement
    from lti_tool.models.versions import ModelVersion


@click.group()
def models() -> None:
    """Trained models: add what a training left, compare, put in charge, take back.

    A version goes by its digest, or by the first four or more digits of it. docs/how-to/promote-a-model.md says how.
    """


@models.command("add")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--kind", type=click.Choice(["grader", "explainer"]), default=None, help="Refuse a run of the other kind."
)
@click.option("--json", "as_json", is_flag=True, help="The version as JSON.")
def models_add(run: Path, kind: KindName | None, as_json: bool) -> None:
    """Keep the model of a finished training as a candidate. It serves nobody before it is promoted.

    Every file's digest is looked at. Students' answers in the run's folder are left there.

    \b
    Examples:
      mlquiz models add runs/course-1
      mlquiz models add runs/explainer-2 --kind explainer --json | jq -r .digest
    """
    from lti_tool.models.adding import add_run

    settings = load_settings()
    with opened_database(settings) as database, database.across_tenants() as connection:
        added = add_run(connection, settings, run, by=_who(), kind=kind_of(kind))
    if as_json:
        say_json({**facts_of(added.version), "is_new": added.is_new})
    elif added.is_new:
        say(f"{added.version.kind.lower()} {added.version.digest} is a candidate now")
        complain(f"Next: mlquiz models promote {added.version.digest} --data DATASET")
    else:
        say(f"{added.version.kind.lower()} {added.version.digest} was added before: nothing was changed")


@models.command("list")
@click.option("--kind", type=click.Choice(["grader", "explainer"]), default=None, help="Only these.")
@click.option("--json", "as_json", is_flag=True, help="The versions as JSON.")
def models_list(kind: KindName | None, as_json: bool) -> None:
    """List the versions: what serves first, then the newest.

    \b
    Examples:
      mlquiz models list
      mlquiz models list --kind grader --json | jq -r '.[] | select(.status == "CURRENT") | .digest'
    """
    from lti_tool.models.course_store import list_served_courses
    from lti_tool.models.store import list_versions

    with opened_database(load_settings()) as database, database.across_tenants() as connection:
        versions = list_versions(connection, kind_of(kind))
        courses = list_served_courses(connection)
    if as_json:
        say_json([facts_of(version, courses) for version in versions])
        return
    show_versions(versions, (kind_of(kind),) if kind else KINDS, courses)


@models.command("show")
@click.argument("digest")
@click.option("--json", "as_json", is_flag=True, help="The version as JSON.")
def models_show(digest: str, as_json: bool) -> None:
    """Show all that is known of a version: its data, settings and figures, who added and promoted it, its courses.

    \b
    Example:
      mlquiz models show 89ab12cd
    """
    from lti_tool.models.course_store import list_served_courses
    from lti_tool.models.store import get_version

    with opened_database(load_settings()) as database, database.across_tenants() as connection:
        version = get_version(connection, digest)
        courses = list_served_courses(connection)
    if as_json:
        say_json(facts_of(version, courses))
        return
    show_version(version, courses)


@models.command("compare")
@click.argument("digest")
@click.argument("other", required=False)
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON.")
def models_compare(digest: str, other: str | None, as_json: bool) -> None:
    """Put the figures of two versions side by side; without OTHER, beside those of the one that serves.

    The figures are those of each training, on its own data: only `mlquiz models promote` judges both on the same
    answers.

    \b
    Examples:
      mlquiz models compare 89ab12cd
      mlquiz models compare 89ab12cd 0f1e2d3c --json
    """
    from lti_tool.models.store import find_current, get_version

    with opened_database(load_settings()) as database, database.across_tenants() as connection:
        first = get_version(connection, digest)
        second = get_version(connection, other) if other else find_current(connection, first.kind)
    if second is None:
        raise NotConfigured(f"no trained {first.kind.lower()} serves: name the version to compare with")
    if second.kind != first.kind:
        raise NotConfigured(f"{first.digest} is a {first.kind.lower()}, {second.digest} is none: nothing to compare")
    if as_json:
        say_json({"first": facts_of(first), "second": facts_of(second), "figures": compared_figures(first, second)})
    else:
        show_comparison(first, second)


@models.command("promote")
@progress_file_option
@click.argument("digest")
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of a dataset: candidate and current model are judged on its test part.",
)
@click.option("--course", default=None, help="An explainer for this course only, by title or number.")
@click.option("--force", is_flag=True, help="Promote it although nothing shows that it is not worse.")
@click.option("--reason", default=None, help="With --force: why, for the record; ten characters or more.")
@click.option("--json", "as_json", is_flag=True, help="What serves now, as JSON.")
def models_promote(
    digest: str, data: Path | None, course: str | None, force: bool, reason: str | None, as_json: bool
) -> None:
    """Put a version in charge: workers load it within a minute, between two answers.

    Refused where the version may be worse than the one that serves: on all answers of the dataset's test part, on some
    sort of them, or by the behaviour suite. That takes minutes. Scores that were given stay as they are.

    With --course an explainer serves that course before the one that serves everybody, which goes on with the languages
    that it does not write.

    \b
    Examples:
      mlquiz models promote 89ab12cd --data datasets/spring
      mlquiz models promote 0f1e2d3c --data datasets/spring --course "Machine learning 101"
      mlquiz models promote 89ab12cd --force --reason "Agreed with the course team on 12 May"
    """
    from lti_tool.models.course_store import find_serving
    from lti_tool.models.errors import ReasonMissing
    from lti_tool.models.gate import EvaluationGate, try_out
    from lti_tool.models.promotion import promote, require_fits_course, require_other, require_reason
    from lti_tool.models.store import find_current, get_version

    if force:
        require_reason(reason or "")
    elif reason is not None:
        raise ReasonMissing("--reason is for --force.")
    settings = load_settings()
    with opened_database(settings) as database:
        with database.across_tenants() as connection:
            candidate = get_version(connection, digest)
            place = _course(connection, course)
            require_fits_course(candidate.kind, place.id if place else None)
            current = find_serving(connection, place) if place else find_current(connection, candidate.kind)
        require_other(candidate, current.digest if current else None)
        judgement: Judgement | None = None
        with _progress(as_json) as tell:
            if data is not None:
                stays = place is not None and place.digest is None
                judgement = EvaluationGate(settings, data, tell, current_stays=stays)(candidate, current)
            _require_proof(judgement, candidate, is_forced=force)
            tell(0, 0, "trying it out")
            try_out(settings, candidate)
        with database.across_tenants() as connection:
            change = promote(
                connection,
                settings,
                candidate,
                judged_against=current.digest if current else None,
                judgement=judgement,
                by=_who(),
                forced_because=reason if force else None,
                course_id=place.id if place else None,
            )
        tell_of_change(database, settings, change, as_json=as_json, judgement=judgement)


@models.command("rollback")
@click.option(
    "--kind", type=click.Choice(["grader", "explainer"]), default=None, help="Which, where both are promoted."
)
@click.option("--course", default=None, help="Take back the explainer of this course only, by title or number.")
@click.option("--json", "as_json", is_flag=True, help="What serves now, as JSON.")
def models_rollback(kind: KindName | None, course: str | None, as_json: bool) -> None:
    """Take the last promotion back: what served before serves again. Once more goes one further back.

    With --course what serves everybody serves that course again.

    \b
    Examples:
      mlquiz models rollback
      mlquiz models rollback --kind explainer
      mlquiz models rollback --course "Machine learning 101"
    """
    from lti_tool.models.errors import NothingToRollBack
    from lti_tool.models.promotion import require_fits_course, roll_back
    from lti_tool.models.store import list_versions

    settings = load_settings()
    with opened_database(settings) as database:
        if course is not None:
            with database.across_tenants() as connection:
                place = _course(connection, course)
                assert place is not None  # it was named
                require_fits_course(kind_of(kind) or "EXPLAINER", place.id)
                change = roll_back(
                    connection, "EXPLAINER", taken_for_current=place.digest, by=_who(), course_id=place.id
                )
            tell_of_change(database, settings, change, as_json=as_json)
            return
        with database.across_tenants() as connection:
            promoted = [each for each in list_versions(connection, kind_of(kind)) if each.status == "CURRENT"]
        if not promoted:
            raise NothingToRollBack(f"No promoted {kind or 'model'} serves: there is nothing to take back.")
        if len(promoted) > 1:
            raise NotConfigured("a grader and an explainer are promoted: say which with --kind")
        (current,) = promoted
        with database.across_tenants() as connection:
            change = roll_back(connection, current.kind, taken_for_current=current.digest, by=_who())
        tell_of_change(database, settings, change, as_json=as_json)


def _require_proof(judgement: Judgement | None, candidate: ModelVersion, *, is_forced: bool) -> None:
    """Refuse before the candidate is tried out; one that is forced is told of, and goes on."""
    from lti_tool.models.errors import NotProven

    if is_forced:
        for reason in judgement.reasons if judgement else ():
            complain(reason)
        return
    if judgement is None:
        trained = f" (it was trained on {candidate.dataset_digest[:16]})" if candidate.dataset_digest else ""
        raise NotProven((f"there is nothing to judge it by: name the folder of a dataset with --data{trained}",))
    if not judgement.ok:
        raise NotProven(judgement.reasons)


def _course(connection: Connection, name: str | None) -> Course | None:
    from lti_tool.exports.selection import named_courses
    from lti_tool.models.course_store import get_course

    return get_course(connection, named_courses(connection, (name,))[0]) if name is not None else None


def _who() -> str:
    """Who runs the command, for the record; a run that was started on a page says who started it there."""
    if by := os.environ.get("MLQUIZ_BY"):
        return by
    try:
        return f"{getpass.getuser()}, by command"
    except (OSError, KeyError):  # a container's user has no name
        return f"user {os.getuid()}, by command"


@contextmanager
def _progress(is_json: bool) -> Iterator[Tell]:
    """A progress bar on standard error, or nothing where a program reads."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=complaints, disable=is_json or not sys.stderr.isatty(), transient=True) as bars:
        task = bars.add_task("judging", total=None)

        def tell(done: int, total: int, text: str) -> None:
            bars.update(task, completed=done, total=total or None, description=f"{text:.60}")

        yield also_to_file(tell)
