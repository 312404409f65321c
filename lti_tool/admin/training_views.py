"""Trainings for the administrator: start one, watch it, cancel it, let it go on, read its report."""

from __future__ import annotations

from pathlib import Path

from flask import make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from lti_tool.admin.asking import BY, to_run
from lti_tool.admin.errors import FolderStays, ReportMissing, RunMissing
from lti_tool.admin.loss_curve import loss_curve
from lti_tool.admin.training_forms import Checked, TrainedKind, check_training
from lti_tool.admin.views import blueprint, record
from lti_tool.models.course_store import list_courses
from lti_tool.models.errors import NotProven
from lti_tool.training import store
from lti_tool.training.datasets import list_datasets
from lti_tool.training.errors import RunBusy, RunUnknown
from lti_tool.training.log_tail import log_tail
from lti_tool.training.removal import find_removable_folder, remove_folder_of
from lti_tool.training.runs import LOG, report_of
from lti_tool.training.store import RunKind, TrainingRun
from lti_tool.training.waiting import list_unserved
from lti_tool.web import services

SECONDS_TO_NEXT = 2
LARGEST_REPORT = 50_000_000
#: A page of its own that can do nothing: no scripts, no forms, no origin, nothing from anywhere else.
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; sandbox"
)
_KINDS: dict[str, TrainedKind] = {"grader": "GRADER", "explainer": "EXPLAINER"}
_TRAININGS: tuple[RunKind, ...] = ("GRADER", "EXPLAINER", "PROMOTION")
_TYPED = {
    "mode": "head",
    "start": "default",
    "has_bank": "yes",
    "epochs": "",
    "rank": "8",
    "seed": "1",
    "dataset": "",
}

# Looking ----------------------------------------------------------------------------------------------------------


@blueprint.get("/trainings")
def trainings() -> ResponseReturnValue:
    """Trainings and promotions, the newest first."""
    with services().database.across_tenants() as connection:
        runs = store.list_runs(connection, _TRAININGS)
    return render_template("admin/trainings.html", runs=runs)


@blueprint.get("/trainings/<int:number>")
def training(number: int) -> ResponseReturnValue:
    """One run; what changes while it runs comes by itself."""
    return _run_page(_run(number))


@blueprint.get("/trainings/<int:number>/now")
def training_now(number: int) -> ResponseReturnValue:
    """The part of the page that changes."""
    run = _run(number)
    return render_template("admin/_run_now.html", run=run, **_values(run))


@blueprint.get("/trainings/<int:number>/report")
def training_report(number: int) -> ResponseReturnValue:
    """The report that a training left, as it is, in a page that can do nothing."""
    report = report_of(_run(number))
    if report is None or report.stat().st_size > LARGEST_REPORT:
        raise ReportMissing(f"run {number} has no report")
    response = make_response(report.read_bytes())
    response.headers["Content-Type"] = "text/html; charset=utf-8"
    response.headers["Content-Security-Policy"] = REPORT_POLICY
    return response


# Starting ---------------------------------------------------------------------------------------------------------


@blueprint.get("/trainings/new/<kind>")
def new_training(kind: str) -> ResponseReturnValue:
    """The form of a training of the grader or the explainer."""
    return _form_page(_known(kind), _TYPED | {"dataset": request.args.get("dataset", "")}, {})


@blueprint.post("/trainings/new/<kind>")
def start_training(kind: str) -> ResponseReturnValue:
    """Put a training in the queue; nothing typed is lost where something is wrong."""
    known = _known(kind)
    typed = {name: request.form.get(name, "")[:200] for name in _TYPED}
    checked = check_training(request.form, known)
    faults = dict(checked.faults)
    if typed["dataset"] not in {each.digest for each in list_datasets(services().settings)}:
        faults["dataset"] = _("Please choose a dataset of this list.")
    if faults:
        return _form_page(known, typed, faults), 422
    return _queued(known, checked, typed["dataset"])


def _queued(kind: TrainedKind, checked: Checked, dataset: str) -> ResponseReturnValue:
    with services().database.across_tenants() as connection:
        number = store.add_run(connection, kind, by=BY, settings=checked.settings, dataset_digest=dataset)
        record(connection, "training-asked", detail=f"run {number}, {kind.lower()} on {dataset}")
    return to_run(number)


# While it runs ----------------------------------------------------------------------------------------------------


@blueprint.post("/trainings/<int:number>/cancel")
def cancel_training(number: int) -> ResponseReturnValue:
    """End it; what it has done so far is kept."""
    return _decide(number, "training-cancelled")


@blueprint.post("/trainings/<int:number>/continue")
def continue_training(number: int) -> ResponseReturnValue:
    """Let one that failed or was cancelled go on where it stopped."""
    return _decide(number, "training-continued")


@blueprint.post("/trainings/<int:number>/remove")
def remove_training(number: int) -> ResponseReturnValue:
    """Take away what an ended training left, where no model is kept of it; its line in the list stays."""
    try:
        with services().database.across_tenants() as connection:
            store.get_run(connection, number)
            remove_folder_of(connection, services().settings, number)
            record(connection, "training-removed", detail=f"run {number}")
    except RunUnknown as error:
        raise RunMissing(str(error)) from error
    except RunBusy:
        return redirect(url_for("admin.training", number=number, notice="run-as-it-is"), 303)
    except OSError as error:
        raise FolderStays(f"the folder of run {number}: {error}") from error
    return redirect(url_for("admin.training", number=number, notice="removed"), 303)


def _decide(number: int, event: str) -> ResponseReturnValue:
    change = store.ask_to_cancel if event == "training-cancelled" else store.queue_again
    try:
        with services().database.across_tenants() as connection:
            change(connection, number)
            record(connection, event, detail=f"run {number}")
    except RunUnknown as error:
        raise RunMissing(str(error)) from error
    except RunBusy:  # it ended, or somebody else was quicker: the page shows how it stands
        return redirect(url_for("admin.training", number=number, notice="run-as-it-is"), 303)
    return to_run(number)


# Helpers ----------------------------------------------------------------------------------------------------------


def _run(number: int) -> TrainingRun:
    try:
        with services().database.across_tenants() as connection:
            return store.get_run(connection, number)
    except RunUnknown as error:
        raise RunMissing(str(error)) from error


def _known(kind: str) -> TrainedKind:
    if kind not in _KINDS:
        raise RunMissing(f"no training of {kind[:40]!r}")
    return _KINDS[kind]


def _run_page(run: TrainingRun) -> str:
    return render_template("admin/run.html", run=run, **_values(run))


def _values(run: TrainingRun) -> dict[str, object]:
    with services().database.across_tenants() as connection:
        is_removable = find_removable_folder(connection, services().settings, run.id) is not None
        is_unserved = run.id in list_unserved(connection)
    return {
        "is_removable": is_removable,
        "is_unserved": is_unserved,
        "curve": loss_curve(run.losses, run.total),
        "log": log_tail(Path(run.folder) / LOG) if run.folder and run.status != "QUEUED" else [],
        "has_report": report_of(run) is not None,
        "reasons": reasons_of(run.error) if run.kind == "PROMOTION" and run.error else (),
        "next_seconds": 0 if run.is_over else SECONDS_TO_NEXT,
        "titles": _titles() if run.kind in ("EXPORT", "PROMOTION") else {},
    }


def _titles() -> dict[int, str]:
    with services().database.across_tenants() as connection:
        return {each.id: each.title for each in list_courses(connection)}


def reasons_of(error: str) -> tuple[str, ...]:
    """The reasons in the sentence of :class:`NotProven`, one by one; none where it is another sentence."""
    before, after = str(NotProven(("|",))).split("|")
    if not (error.startswith(before) and error.endswith(after)):
        return ()
    return tuple(error[len(before) : -len(after)].split("; "))


def _form_page(kind: TrainedKind, typed: dict[str, str], faults: dict[str, str]) -> str:
    return render_template(
        "admin/training_form.html",
        kind=kind,
        typed=typed,
        faults=faults,
        datasets=list_datasets(services().settings),
        explainer=services().settings.explainer,
    )
