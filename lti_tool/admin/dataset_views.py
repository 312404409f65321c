"""Datasets for the administrator: export answers, look at what there is, check it."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from lti_tool.admin.asking import BY, ask_once, to_run
from lti_tool.admin.errors import DatasetGone
from lti_tool.admin.training_forms import check_export
from lti_tool.admin.views import blueprint, record
from lti_tool.training import store
from lti_tool.training.datasets import KeptDataset, datasets_folder, get_dataset, list_datasets
from lti_tool.training.errors import DatasetMissing
from lti_tool.web import services


@blueprint.get("/datasets")
def datasets() -> ResponseReturnValue:
    """The datasets that there are, exports on their way, and the form of a new one."""
    return _datasets_page({}, {}, frozenset())


@blueprint.post("/datasets")
def export_answers() -> ResponseReturnValue:
    """Put an export in the queue."""
    chosen = request.form.getlist("courses")
    with services().database.across_tenants() as connection:
        courses = frozenset(each.id for each in store.list_open_courses(connection))
    checked = check_export(request.form, chosen, courses)
    if checked.faults:
        return _datasets_page(request.form.to_dict(), checked.faults, frozenset(chosen)), 422
    with services().database.across_tenants() as connection:
        number = store.add_run(connection, "EXPORT", by=BY, settings=checked.settings)
        record(connection, "dataset-asked", detail=f"run {number}")
    return to_run(number)


@blueprint.get("/datasets/<digest>")
def dataset(digest: str) -> ResponseReturnValue:
    """One dataset: its counts, what the latest check found, and what it was used for."""
    kept = _dataset(digest)
    with services().database.across_tenants() as connection:
        runs = store.list_runs_of_dataset(connection, digest)
    checks = [run for run in runs if run.kind == "CHECK"]
    return render_template(
        "admin/dataset.html",
        dataset=kept,
        check=checks[0] if checks else None,
        uses=[run for run in runs if run.kind != "CHECK"],
    )


@blueprint.post("/datasets/<digest>/check")
def check_dataset(digest: str) -> ResponseReturnValue:
    """Look for faults and for what a person should look at."""
    _dataset(digest)
    with services().database.across_tenants() as connection:
        number, _ = ask_once(connection, "CHECK", dataset_digest=digest)
    return to_run(number)


def _dataset(digest: str) -> KeptDataset:
    try:
        return get_dataset(services().settings, digest)
    except DatasetMissing as error:
        raise DatasetGone(str(error)) from error


def _worth_telling(exports: list[store.TrainingRun]) -> list[store.TrainingRun]:
    """What is on its way, and the newest where it made no dataset: an older failure is done with."""
    newest = exports[0] if exports else None
    return [run for run in exports if not run.is_over or (run is newest and run.status != "FINISHED")]


def _datasets_page(typed: dict[str, str], faults: dict[str, str], chosen: frozenset[str]) -> str:
    with services().database.across_tenants() as connection:
        courses = store.list_open_courses(connection)
        exports = _worth_telling(store.list_runs(connection, ("EXPORT",), limit=10))
        checks = store.list_runs(connection, ("CHECK",), limit=200)
    newest: dict[str | None, store.TrainingRun] = {}
    for run in reversed(checks):
        newest[run.dataset_digest] = run
    return render_template(
        "admin/datasets.html",
        datasets=list_datasets(services().settings),
        folder=datasets_folder(services().settings),
        checks=newest,
        exports=exports,
        courses=courses,
        typed=typed,
        faults=faults,
        chosen=chosen,
    )
