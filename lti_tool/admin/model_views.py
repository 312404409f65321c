"""Trained models for the administrator: look at them, compare, put one in charge, take that back.

Judging loads models and takes minutes, so it is a run of its own; nothing of it happens in the web process.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from lti_tool.admin.asking import BY, ask_once, to_run
from lti_tool.admin.errors import ModelChanged, VersionMissing
from lti_tool.admin.figure_names import PlainFigure, plain_figures
from lti_tool.admin.training_forms import check_reason
from lti_tool.admin.views import blueprint, record
from lti_tool.models import course_store
from lti_tool.models import store as models_store
from lti_tool.models.course_store import Course
from lti_tool.models.errors import CourseUnknown, CurrentChanged, NothingToRollBack, VersionUnknown
from lti_tool.models.folders import Kind
from lti_tool.models.promotion import roll_back
from lti_tool.models.versions import ModelVersion
from lti_tool.training import store
from lti_tool.training.datasets import list_datasets
from lti_tool.web import services

LARGEST_CARD = 100_000
_KINDS: tuple[Kind, ...] = ("GRADER", "EXPLAINER")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A figure of two versions, and in plain words which it is."""

    figure: PlainFigure
    own: float
    other: float | None

    @property
    def difference(self) -> float | None:
        """How much the version is above the other."""
        return None if self.other is None else self.own - self.other


# Looking ----------------------------------------------------------------------------------------------------------


@blueprint.get("/models")
def models() -> ResponseReturnValue:
    """What serves, the candidates, and what served before."""
    with services().database.across_tenants() as connection:
        versions = models_store.list_versions(connection)
        problems = models_store.list_load_problems(connection, minutes=5)
        courses = course_store.list_served_courses(connection)
    by_kind = {kind: [each for each in versions if each.kind == kind] for kind in _KINDS}
    return render_template(
        "admin/models.html",
        by_kind=by_kind,
        problems=problems,
        courses=courses,
        explainer=services().settings.explainer,
    )


@blueprint.get("/models/<digest>")
def model(digest: str) -> ResponseReturnValue:
    """All that is known of a version, beside the one that serves."""
    return _version_page(_version(digest), {})


@blueprint.get("/models/outdated")
def outdated() -> ResponseReturnValue:
    """Quizzes with answers whose scores another grader gave, and how they are graded again."""
    with services().database.across_tenants() as connection:
        digest = models_store.current_digest(connection, "GRADER")
        quizzes = models_store.list_outdated_quizzes(connection, digest)
    return render_template("admin/outdated.html", quizzes=quizzes, digest=digest)


# Changing what serves ---------------------------------------------------------------------------------------------


@blueprint.post("/models/<digest>/promote")
def promote(digest: str) -> ResponseReturnValue:
    """Have a version judged and, where it is not worse, put in charge; or put in charge with a reason.

    An explainer may be for one course only.
    """
    version = _version(digest)
    course = request.form.get("course", "")
    dataset = request.form.get("dataset", "")
    is_forced = request.form.get("then") == "force"
    checked = check_reason(request.form) if is_forced else None
    faults = dict(checked.faults) if checked else {}
    if dataset not in {each.digest for each in list_datasets(services().settings)}:
        dataset = ""
    if not is_forced and not dataset:
        faults["dataset"] = _("Please choose a dataset of this list.")
    if course and course not in {str(each.id) for each in _courses(version)}:
        faults["course"] = _("Please choose a course of this list.")
    if faults:
        return _version_page(version, faults), 422
    settings = {**(checked.settings if checked else {}), **({"course": int(course)} if course else {})}
    with services().database.across_tenants() as connection:
        number, is_new = ask_once(
            connection,
            "PROMOTION",
            dataset_digest=dataset or None,
            version_digest=version.digest,
            settings=settings,
        )
        if is_new:
            record(connection, "promotion-asked", detail=f"run {number}, {version.kind.lower()} {version.digest}")
    return to_run(number)


@blueprint.post("/models/rollback")
def roll_model_back() -> ResponseReturnValue:
    """Let what served before serve again, everywhere or in one course."""
    version = _version(request.form.get("digest", ""))
    course = request.form.get("course", "")
    if course and not (course.isascii() and course.isdecimal() and len(course) < 19):
        raise ModelChanged("no number of a course")
    course_id = int(course) if course else None
    try:
        with services().database.across_tenants() as connection:
            roll_back(connection, version.kind, taken_for_current=version.digest, by=BY, course_id=course_id)
    except (CourseUnknown, CurrentChanged, NothingToRollBack) as error:
        raise ModelChanged(str(error)) from error
    if course:
        return redirect(url_for("admin.model", digest=version.digest, notice="rolled-back"), 303)
    endpoint = "admin.outdated" if version.kind == "GRADER" else "admin.models"
    return redirect(url_for(endpoint, notice="rolled-back"), 303)


# Helpers ----------------------------------------------------------------------------------------------------------


def _version(digest: str) -> ModelVersion:
    try:
        with services().database.across_tenants() as connection:
            return models_store.get_version(connection, digest.replace("\x00", ""))
    except VersionUnknown as error:
        raise VersionMissing(str(error)) from error


def _courses(version: ModelVersion) -> list[Course]:
    """The courses that a version may serve alone: any for an explainer."""
    if version.kind != "EXPLAINER":
        return []
    with services().database.across_tenants() as connection:
        return course_store.list_courses(connection)


def _version_page(version: ModelVersion, faults: dict[str, str]) -> str:
    with services().database.across_tenants() as connection:
        current = models_store.find_current(connection, version.kind)
        runs = store.list_runs_of_version(connection, version.digest)
    trained = next((run for run in runs if run.kind != "PROMOTION"), None)
    return render_template(
        "admin/model.html",
        version=version,
        current=current,
        figures=compared(version, current if current and current.digest != version.digest else None),
        settings=_settings_of(version),
        card=_card_of(version),
        datasets=list_datasets(services().settings),
        courses=_courses(version),
        trained=trained,
        promotions=[run for run in runs if run.kind == "PROMOTION"],
        faults=faults,
        typed=request.form,
    )


def compared(version: ModelVersion, other: ModelVersion | None) -> list[Compared]:
    """The figures of a version that have plain names, each with that of another one."""
    metrics = other.metrics if other else {}
    theirs = {(each.name, each.of): metrics[each.path] for each in plain_figures(metrics)}
    return [
        Compared(figure=each, own=version.metrics[each.path], other=theirs.get((each.name, each.of)))
        for each in plain_figures(version.metrics)
    ]


def _settings_of(version: ModelVersion) -> list[tuple[str, str]]:
    """What the training was told, without what is nested deeper than two levels."""
    found: list[tuple[str, str]] = []
    for name, value in version.settings.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for key, each in inner:
            if not isinstance(each, dict | list):
                found.append((f"{name} {key}".strip(), str(each)[:200]))
    return found


def _card_of(version: ModelVersion) -> str:
    """The card as it was written for people, empty where this machine has no copy of the version."""
    path = services().settings.versions_path / version.digest / "card.md"
    try:
        if path.is_symlink() or path.stat().st_size > LARGEST_CARD:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
