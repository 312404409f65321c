"""The administrator's pages about datasets, trainings and models: what they show, what they start, what they refuse."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from config.settings import Settings
from lti_tool import create_app
from lti_tool.admin import asking
from lti_tool.admin.figure_names import plain_figures
from lti_tool.admin.loss_curve import HEIGHT, WIDTH, loss_curve
from lti_tool.admin.training_views import reasons_of
from lti_tool.db import Database
from lti_tool.models.adding import add_run as add_version
from lti_tool.models.errors import NotProven
from lti_tool.models.folders import remove_folder
from lti_tool.models.promotion import promote
from lti_tool.models.store import find_current, get_version
from lti_tool.training import store
from lti_tool.training.processes import this_process
from lti_tool.training.store import Progress, RunKind, TrainingRun
from tests.course_actors import Course, make_question
from tests.integration.test_admin import Admin, link_of, trail
from tests.model_runs import make_explainer_run, make_run
from tests.training_actors import STUDENT_TEXT, Trainer, make_dataset

REASON = "Agreed with the course team"


@pytest.fixture
def app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    monkeypatch.setattr(asking, "wake_later", lambda name: None)
    made = create_app(settings)
    yield made
    made.extensions["mlquiz"].database.close()
    remove_folder(settings.versions_path)


@pytest.fixture
def admin(app: Flask, database: Database) -> Admin:
    signed_in = Admin(app.test_client())
    assert signed_in.client.post(f"/admin/sign-in/{link_of(database)}").status_code == 303
    return signed_in


@pytest.fixture
def trainer(database: Database, settings: Settings) -> Trainer:
    return Trainer(database, settings)


@pytest.fixture
def dataset(settings: Settings) -> str:
    return make_dataset(settings)


@pytest.fixture
def version(database: Database, settings: Settings, tmp_path: Path) -> str:
    """The digest of a candidate."""
    return added(database, settings, tmp_path / "one")


def added(database: Database, settings: Settings, folder: Path, **manifest: Any) -> str:
    with database.across_tenants() as connection:
        return add_version(connection, settings, make_run(folder, folder.name, **manifest), by="ada").version.digest


def serves(database: Database, settings: Settings, digest: str) -> None:
    with database.across_tenants() as connection:
        candidate = get_version(connection, digest)
        current = find_current(connection, candidate.kind)
        promote(
            connection,
            settings,
            candidate,
            judged_against=current.digest if current else None,
            judgement=None,
            by="ada",
            forced_because=REASON,
        )


def runs(database: Database, *kinds: RunKind) -> list[TrainingRun]:
    with database.across_tenants() as connection:
        return store.list_runs(connection, kinds)


def ended(trainer: Trainer, number: int, status: str = "FINISHED", **values: Any) -> None:
    """Let a run end as its process would write it down."""
    process = this_process()
    trainer.claims(lane="DATA" if trainer.run(number).kind in ("EXPORT", "CHECK") else "MODEL")
    with trainer.database.across_tenants() as connection:
        store.take_over(connection, number, process)
        store.end_run(connection, number, status, process=process, **values)  # pyright: ignore[reportArgumentType]


# Starting a training ----------------------------------------------------------------------------------------------

GRADER = {"mode": "reader", "start": "default", "seed": "1", "epochs": ""}


def test_the_last_step_alone_takes_no_passes(admin: Admin, database: Database, dataset: str) -> None:
    page = admin.sends("/trainings/new/grader", 422, **{**GRADER, "mode": "head", "epochs": "3"}, dataset=dataset)
    assert "takes no passes" in page.text
    assert runs(database, "GRADER") == []
    admin.sends("/trainings/new/grader", **{**GRADER, "mode": "head"}, dataset=dataset)
    [run] = runs(database, "GRADER")
    assert run.settings == {"mode": "head", "start": "default", "seed": 1, "has_bank": False}


def test_a_training_is_asked_for_with_what_was_chosen(admin: Admin, database: Database, dataset: str) -> None:
    admin.opens(f"/trainings/new/grader?dataset={dataset}")
    assert "spring (20 answers" in admin.text
    admin.sends("/trainings/new/grader", dataset=dataset, has_bank="yes", **(GRADER | {"epochs": "3"}))
    (run,) = runs(database, "GRADER")
    assert run.settings == {"mode": "reader", "start": "default", "seed": 1, "epochs": 3, "has_bank": True}
    assert (run.status, run.dataset_digest, run.created_by) == ("QUEUED", dataset, "an administrator, by page")
    assert "waits" in admin.text
    assert trail(database) == ["training-asked"]


def test_an_explainer_is_asked_for(admin: Admin, database: Database, dataset: str) -> None:
    admin.sends("/trainings/new/explainer", dataset=dataset, epochs="", rank="8", seed="2")
    assert runs(database, "EXPLAINER")[0].settings == {"rank": 8, "seed": 2}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mode": "--output=/etc"}, "choose one of these"),
        ({"mode": ""}, "choose one of these"),
        ({"start": "/etc/passwd"}, "choose one of these"),
        ({"epochs": "0"}, "from 1 to 100"),
        ({"epochs": "²"}, "from 1 to 100"),
        ({"epochs": "1; rm"}, "from 1 to 100"),
        ({"seed": ""}, "whole number"),
        ({"seed": "-1"}, "whole number"),
        ({"seed": "9" * 11}, "whole number"),
        ({"dataset": "../../etc"}, "dataset of this list"),
        ({"dataset": "f" * 16}, "dataset of this list"),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_typed_is_lost(
    admin: Admin, database: Database, dataset: str, change: dict[str, str], words: str
) -> None:
    admin.sends("/trainings/new/grader", 422, **({"dataset": dataset} | GRADER | {"seed": "77"} | change))
    assert words in admin.text
    assert "seed" in change or admin.value("#seed") == "77"
    assert runs(database, "GRADER") == []
    assert trail(database) == []


def test_without_a_dataset_the_form_says_where_to_get_one(admin: Admin) -> None:
    assert "no dataset yet to learn from" in admin.opens("/trainings/new/grader").text
    assert "no such training" in admin.opens("/trainings/new/reader", 404).text


# Watching it ------------------------------------------------------------------------------------------------------


def begun(trainer: Trainer, number: int, progress: Progress) -> None:
    process = this_process()
    trainer.claims()
    with trainer.database.across_tenants() as connection:
        store.take_over(connection, number, process)
        store.beat(connection, number, process, progress)


def test_progress_and_curve_are_there_and_the_part_that_changes_comes_alone(admin: Admin, trainer: Trainer) -> None:
    number = trainer.asks(dataset_digest="0" * 16)
    begun(trainer, number, Progress(done=30, total=90, text="fold 1: loss 0.4", losses=((10, 0.8), (30, 0.4))))
    page = admin.opens(f"/trainings/{number}")
    assert "30 of 90" in page.text
    assert "fold 1: loss 0.4" in page.text
    assert "0.400 at step 30" in page.text
    assert page.soup.select_one("polyline") is not None
    assert page.soup.select_one(".without-script a") is not None
    now = admin.opens(f"/trainings/{number}/now")
    assert now.soup.find("html") is None
    assert 'data-next="2"' in str(now.soup)
    assert "style=" not in str(now.soup)


def test_what_is_over_is_no_longer_asked_for(admin: Admin, trainer: Trainer) -> None:
    number = trainer.asks()
    trainer.cancels(number)
    assert 'data-next="0"' in str(admin.opens(f"/trainings/{number}/now").soup)


def test_a_run_is_cancelled_and_goes_on(admin: Admin, trainer: Trainer, database: Database) -> None:
    number = trainer.asks()
    assert "Cancelled. What was done so far is kept." in admin.sends(f"/trainings/{number}/cancel").text
    assert "waits" in admin.sends(f"/trainings/{number}/continue").text
    assert trainer.run(number).status == "QUEUED"
    assert trail(database) == ["training-cancelled", "training-continued"]


def test_what_an_ended_training_left_is_removed_and_its_line_stays(
    admin: Admin, trainer: Trainer, database: Database
) -> None:
    number = trainer.asks()
    ended(trainer, number, "FAILED", error="it died")
    folder = Path(trainer.run(number).folder or "")
    (folder / "run").mkdir(parents=True)
    (folder / "run" / "readings.jsonl").write_text(STUDENT_TEXT, encoding="utf-8")
    assert "cannot go on any more" in admin.opens(f"/trainings/{number}").text
    page = admin.sends(f"/trainings/{number}/remove")
    assert "Removed." in page.text
    assert page.soup.select_one("#remove") is None
    assert not folder.exists()
    run = trainer.run(number)
    assert (run.folder, run.status, run.error) == (None, "FAILED", "it died")
    assert trail(database) == ["training-removed"]
    assert "it died" in admin.opens(f"/trainings/{number}").text
    assert "goes on where it stopped" not in admin.text
    assert "waits" in admin.sends(f"/trainings/{number}/continue").text


@pytest.mark.parametrize("why", ["it waits", "it runs", "its model is kept", "its folder is a model's", "an export"])
def test_nothing_else_is_removed(
    admin: Admin, trainer: Trainer, database: Database, settings: Settings, version: str, why: str
) -> None:
    number = trainer.asks("EXPORT" if why == "an export" else "GRADER")
    folder = settings.data_path / "training" / str(number)
    (folder / "run").mkdir(parents=True)
    if why == "it runs":
        trainer.claims()
    elif why != "it waits":
        status = "FAILED" if why == "an export" else "FINISHED"
        ended(trainer, number, status, error="so", version_digest=version if why == "its model is kept" else None)
    if why == "its folder is a model's":
        with database.across_tenants() as connection:
            connection.execute("UPDATE model_versions SET run_folder = %s", (str(folder / "run"),))
    assert admin.opens(f"/trainings/{number}").soup.select_one("#remove") is None
    assert "Nothing was changed" in admin.sends(f"/trainings/{number}/remove").text
    assert (folder / "run").is_dir()


def test_a_folder_that_is_a_link_or_elsewhere_is_not_removed(
    admin: Admin, trainer: Trainer, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    number = trainer.asks()
    ended(trainer, number, "FAILED", error="it died")
    folder = settings.data_path / "training" / str(number)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(tmp_path / "elsewhere")
    admin.sends(f"/trainings/{number}/remove")
    with trainer.database.across_tenants() as connection:
        connection.execute("UPDATE training_runs SET folder = %s", (str(tmp_path / "elsewhere"),))
    admin.sends(f"/trainings/{number}/remove")
    assert (tmp_path / "elsewhere").is_dir()
    assert trainer.run(number).folder is not None
    admin.sends("/trainings/999/remove", 404)


def test_a_run_that_no_worker_takes_says_how_to_start_one(admin: Admin, trainer: Trainer) -> None:
    number = trainer.asks()
    assert "mlquiz worker --queue train" not in admin.opens(f"/trainings/{number}").text
    has_waited(trainer, number)
    for path in (f"/trainings/{number}", f"/trainings/{number}/now"):
        admin.opens(path)
        assert "mlquiz worker --queue train" in str(admin.soup)
        assert "as soon as nothing else" not in str(admin.soup)


@pytest.mark.parametrize("other", ["runs", "has just ended"])
def test_a_run_that_waits_for_another_one_lacks_no_worker(admin: Admin, trainer: Trainer, other: str) -> None:
    first, number = trainer.asks(), trainer.asks("EXPLAINER")
    if other == "runs":
        trainer.claims()
    else:
        ended(trainer, first)
    has_waited(trainer, number)
    assert "mlquiz worker --queue train" not in admin.opens(f"/trainings/{number}").text


def has_waited(trainer: Trainer, number: int) -> None:
    with trainer.database.across_tenants() as connection:
        connection.execute(
            "UPDATE training_runs SET queued_at = queued_at - interval '1 minute' WHERE id = %s", (number,)
        )


def test_what_somebody_else_decided_first_stays(admin: Admin, trainer: Trainer, database: Database) -> None:
    number = trainer.asks()
    trainer.cancels(number)
    assert "Nothing was changed" in admin.sends(f"/trainings/{number}/cancel").text
    assert trail(database) == []


def test_why_a_run_failed_is_shown_as_text(admin: Admin, trainer: Trainer) -> None:
    number = trainer.asks()
    ended(trainer, number, "FAILED", error="line 3: <script>alert(1)</script>")
    page = admin.opens(f"/trainings/{number}")
    assert "line 3: <script>alert(1)</script>" in page.text
    assert "alert(1)" not in "".join(str(each) for each in page.soup.find_all("script"))
    assert page.soup.select_one("#continue") is not None


def test_the_log_is_shown_without_what_a_student_wrote(admin: Admin, trainer: Trainer) -> None:
    number = trainer.asks()
    ended(trainer, number, "FAILED", error="it died")
    folder = Path(trainer.run(number).folder or "")
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text(
        f'reading\nTraceback (most recent call last):\n  File "/x/y.py", line 1, in f\nValueError: {STUDENT_TEXT}\n'
    )
    page = admin.opens(f"/trainings/{number}")
    assert "y.py, line 1, in f" in page.text
    assert STUDENT_TEXT not in page.text


def test_a_run_that_is_not_there_is_not_there(admin: Admin) -> None:
    for path in ("/trainings/999", "/trainings/99999999999999999999/now", "/trainings/999/report"):
        assert "ADMIN-RUN" in admin.opens(path, 404).soup.get_text()
    admin.sends("/trainings/999/cancel", 404)
    admin.sends("/trainings/999/continue", 404)


# The report -------------------------------------------------------------------------------------------------------


def reported(trainer: Trainer, content: str) -> int:
    number = trainer.asks()
    ended(trainer, number)
    folder = Path(trainer.run(number).folder or "") / "run"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text(content, encoding="utf-8")
    return number


def test_a_report_can_do_nothing(admin: Admin, trainer: Trainer) -> None:
    number = reported(trainer, "<!doctype html><style>p{color:red}</style><p>figures</p>")
    page = admin.opens(f"/trainings/{number}")
    assert "worst answers word for word" in page.text
    response = admin.client.get(f"/admin/trainings/{number}/report")
    policy = response.headers["Content-Security-Policy"]
    assert response.text.endswith("<p>figures</p>")
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    assert policy.endswith("sandbox")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Cache-Control"] == "no-store"


def test_a_run_without_a_report_says_so(admin: Admin, trainer: Trainer) -> None:
    number = trainer.asks()
    assert "left no report" in admin.opens(f"/trainings/{number}/report", 404).text
    assert "worst answers" not in admin.opens(f"/trainings/{number}").text


def test_a_report_is_for_administrators_only(app: Flask, trainer: Trainer) -> None:
    number = reported(trainer, STUDENT_TEXT)
    response = app.test_client().get(f"/admin/trainings/{number}/report")
    assert response.status_code == 401
    assert STUDENT_TEXT not in response.text


# Datasets ---------------------------------------------------------------------------------------------------------


def test_a_dataset_is_shown_with_its_counts_and_no_answer(admin: Admin, dataset: str) -> None:
    assert "not checked" in admin.opens("/datasets").text
    page = admin.opens(f"/datasets/{dataset}")
    assert re.search(r"Answers 20 with a person's score 20", page.text)
    assert STUDENT_TEXT not in page.text


def test_what_a_check_found_is_shown(admin: Admin, dataset: str, database: Database, trainer: Trainer) -> None:
    admin.sends(f"/datasets/{dataset}/check")
    admin.sends(f"/datasets/{dataset}/check")
    (run,) = runs(database, "CHECK")
    result = {
        "is_usable": False,
        "counts": {},
        "languages": {},
        "faults": {"count": 2, "first": ["examples.jsonl: line 3: no score."]},
        "warnings": [{"text": "Few answers.", "count": 3}],
    }
    ended(trainer, run.id, result=result)
    page = admin.opens(f"/datasets/{dataset}")
    assert "2 faults: no model is trained on it" in page.text
    assert "examples.jsonl: line 3: no score." in page.text
    assert page.soup.select("a[href*='/trainings/new/']") == []
    assert "Few answers. in 3 places" in page.text
    assert "has faults" in admin.opens("/datasets").text
    assert "has faults" in admin.opens(f"/trainings/{run.id}").text


def test_a_dataset_that_is_not_there_is_not_there(admin: Admin, dataset: str) -> None:
    for digest in ("spring", "f" * 16, "..%2F..%2Fetc"):
        admin.opens(f"/datasets/{digest}", 404)
    admin.sends(f"/datasets/{'f' * 16}/check", 404)


def test_without_a_course_that_allows_it_nothing_can_be_exported(admin: Admin) -> None:
    assert "No course allows it yet" in admin.opens("/datasets").text


def test_answers_of_chosen_courses_are_asked_for(admin: Admin, course: Course, database: Database) -> None:
    number = opened(course)
    page = admin.opens("/datasets")
    assert page.value("input[name=courses]") == str(number)
    admin.sends("/datasets", courses=str(number), since="2026-09-01", all_scores="yes")
    (run,) = runs(database, "EXPORT")
    assert run.settings == {"courses": [number], "since": "2026-09-01", "all_scores": True}
    assert trail(database)[-1] == "dataset-asked"
    assert "Export of answers" in admin.opens("/datasets").text


@pytest.mark.parametrize(("name", "value"), [("courses", "999"), ("since", "last term"), ("since", "2026-13-01")])
def test_an_export_that_means_nothing_is_not_asked_for(
    admin: Admin, course: Course, database: Database, name: str, value: str
) -> None:
    opened(course)
    admin.sends("/datasets", 422, **{name: value})
    assert admin.soup.select_one(".fault") is not None
    assert runs(database, "EXPORT") == []


def test_an_export_tells_what_was_asked_for_and_what_was_left_out(
    admin: Admin, course: Course, trainer: Trainer, dataset: str
) -> None:
    asked = {"courses": [opened(course)], "since": "2026-09-01", "all_scores": True}
    number = trainer.asks("EXPORT", settings=asked)
    held = {
        "course_says_no": 0,
        "student_did_not_agree": 31,
        "student_was_erased": 1,
        "student_needs_person": 0,
        "not_confirmed": 0,
    }
    result = {"counts": {"examples": 20, "questions": 10}, "scrubbed": {}, "left_out": held}
    ended(trainer, number, result=result, dataset_digest=dataset)
    page = admin.opens(f"/trainings/{number}")
    assert [each.get_text() for each in page.soup.select(".notice--info li")] == [
        "31 answers of students who did not agree",
        "1 answer that was erased",
    ]
    assert re.search(r"Courses Machine learning 101 \(\d+\)", page.text)
    assert "Also scores that no instructor confirmed yes" in page.text
    assert "all_scores" not in page.text


def test_an_export_that_failed_is_listed_until_the_next_one(admin: Admin, trainer: Trainer, dataset: str) -> None:
    ended(trainer, trainer.asks("EXPORT"), "FAILED", error="nothing to export")
    page = admin.opens("/datasets")
    assert page.soup.select_one("a[href*='/trainings/']:not([href$='/trainings'])") is not None
    result = {"counts": {"examples": 20, "questions": 10}, "scrubbed": {}, "left_out": {}}
    ended(trainer, trainer.asks("EXPORT"), result=result, dataset_digest=dataset)
    assert "Export of answers" not in admin.opens("/datasets").text


def opened(course: Course) -> int:
    """The number of a course that allows the use of its answers."""
    course.has_quiz(make_question())
    course.instructor()
    with course.transaction() as connection:
        row = connection.execute(
            "UPDATE contexts SET answer_use = 'YES_COURSE', answer_use_at = now(),"
            " answer_use_by = (SELECT min(id) FROM users) RETURNING id"
        ).fetchone()
    assert row is not None
    return row[0]


# Models -----------------------------------------------------------------------------------------------------------


def test_before_the_first_training_the_way_to_it_is_shown(admin: Admin) -> None:
    steps = admin.opens("/models").soup.select("section[aria-labelledby=steps] li")
    assert [each.a["href"] for each in steps if each.a] == ["/admin/datasets", "/admin/trainings/new/grader"]


def test_what_serves_and_what_could_are_listed(
    admin: Admin, database: Database, settings: Settings, version: str
) -> None:
    assert "The model of the settings" in admin.opens("/models").text
    assert "candidate" in admin.text
    assert "mean squared error 0.050" in admin.text
    serves(database, settings, version)
    grader = admin.opens("/models").soup.select_one("section[aria-labelledby=kind-grader]")
    assert grader is not None
    assert "in charge" in grader.get_text()
    assert admin.soup.select_one("#steps") is None
    assert "The model of the settings" not in grader.get_text()


def test_a_model_is_shown_with_its_data_its_card_and_who_added_it(admin: Admin, version: str) -> None:
    page = admin.opens(f"/models/{version}")
    for words in (version, "ada", "d" * 16, "# Card one", "mean squared error all answers"):
        assert words in page.text, words
    assert "own/all" not in page.text


def test_a_model_is_compared_with_the_one_in_charge(
    admin: Admin, database: Database, settings: Settings, version: str, tmp_path: Path
) -> None:
    better = {"own": {"all": {"mse": 0.04, "mae": 0.1}}}
    other = added(database, settings, tmp_path / "two", metrics=better)
    serves(database, settings, version)
    rows = admin.opens(f"/models/{other}").soup.select("section[aria-labelledby=figures] tbody th")
    row = next(each for each in rows if "mean squared error" in each.get_text())
    assert row.parent is not None
    assert [cell.get_text()[-7:].strip() for cell in row.parent.find_all("td")] == ["0.0400", "0.0500", "-0.0100"]


def test_figures_have_plain_names_and_what_has_none_is_left_to_the_command(app: Flask) -> None:
    paths = (
        *("baseline/cosine/figures/mse", "baseline/difference/probability_worse", "own/made_up/same_junk/mean"),
        *("own/by_language/ko/mae", "own/by_source/spring/count", "own/all/mse", "portable/all/mse", "reader/all/mse"),
        *("figures/mse", "figures/pearson_r", "seeds/mse/mean", "loss", "seconds", "own/by_kind/dont_know/mae"),
        *("test/adapter/share", "test/adapter/problems/too long", "cases/train", "left_out/too long"),
    )
    with app.test_request_context():
        found = [(each.path, each.name, each.of, each.is_count) for each in plain_figures(paths)]
    assert found == [
        ("figures/mse", "mean squared error", "all answers", False),
        ("figures/pearson_r", "correlation", "all answers", False),
        ("own/by_language/ko/mae", "mean error", "answers in Korean", False),
        ("own/by_source/spring/count", "number of answers", "answers of “spring”", True),
        ("test/adapter/share", "texts that pass", "texts of this model", False),
        ("baseline/cosine/figures/mse", "mean squared error", "the plainest grader, to compare with", False),
        (
            "baseline/difference/probability_worse",
            "probability of being worse",
            "this model minus the plainest grader",
            False,
        ),
        ("cases/train", "number of answers", "learnt from", True),
    ]


def test_promoting_asks_for_a_judging_once(admin: Admin, database: Database, version: str, dataset: str) -> None:
    for _ in range(2):
        admin.sends(f"/models/{version}/promote", dataset=dataset, then="judge")
    (run,) = runs(database, "PROMOTION")
    assert (run.version_digest, run.dataset_digest, run.settings) == (version, dataset, {})
    assert trail(database) == ["model-added", "promotion-asked"]
    assert "waits" in admin.text


def test_promoting_without_proof_needs_a_reason(admin: Admin, database: Database, version: str) -> None:
    admin.sends(f"/models/{version}/promote", 422, then="force", reason="because")
    assert "10 to 2000 characters" in admin.text
    assert admin.soup.select_one("details[open] #reason") is not None
    assert runs(database, "PROMOTION") == []
    admin.sends(f"/models/{version}/promote", then="force", reason=f"  {REASON}\x00 ")
    assert runs(database, "PROMOTION")[0].settings == {"reason": REASON}


def test_a_reason_is_not_lost_where_a_judging_waits(
    admin: Admin, database: Database, version: str, dataset: str
) -> None:
    for then in ("judge", "force", "force"):
        admin.sends(f"/models/{version}/promote", dataset=dataset, then=then, reason=REASON)
    assert [run.settings for run in runs(database, "PROMOTION")] == [{"reason": REASON}, {}]


def test_a_judging_needs_a_dataset(admin: Admin, database: Database, version: str) -> None:
    admin.sends(f"/models/{version}/promote", 422, then="judge", dataset="../x")
    assert runs(database, "PROMOTION") == []


def test_the_reasons_of_a_refusal_are_told_one_by_one(admin: Admin, trainer: Trainer, version: str) -> None:
    number = trainer.asks("PROMOTION", version_digest=version)
    ended(trainer, number, "FAILED", error=str(NotProven(("it is worse on short answers", "2 behaviours are lost"))))
    page = admin.opens(f"/trainings/{number}")
    assert [each.get_text() for each in page.soup.select(".notice--bad li")] == [
        "it is worse on short answers",
        "2 behaviours are lost",
    ]
    assert "It was not put in charge" in page.text


def test_a_promotion_that_was_cancelled_too_late_leads_to_the_model(
    admin: Admin, trainer: Trainer, version: str
) -> None:
    number = trainer.asks("PROMOTION", version_digest=version)
    ended(trainer, number, "CANCELLED", error="It was cancelled too late: the model is in charge already.")
    page = admin.opens(f"/trainings/{number}")
    assert page.soup.select_one(f"main p > a[href$='/models/{version}']") is not None
    assert page.soup.select_one("#continue") is None


def test_another_error_of_a_judging_is_shown_whole() -> None:
    assert reasons_of("this machine has no folder") == ()
    assert reasons_of(str(NotProven(("one",)))) == ("one",)


def test_after_a_promotion_the_quizzes_to_grade_again_are_offered(admin: Admin, trainer: Trainer, version: str) -> None:
    number = trainer.asks("PROMOTION", version_digest=version)
    result = {"kind": "GRADER", "before": None, "now": version, "reasons": ["it is worse"], "was_judged": True}
    ended(trainer, number, result=result)
    page = admin.opens(f"/trainings/{number}")
    assert "It is in charge now" in page.text
    assert "although: it is worse" in page.text
    assert page.soup.select_one(".tag").get_text() == "was put in charge"  # pyright: ignore[reportOptionalMemberAccess]
    assert page.soup.select_one("a[href$='/models/outdated']") is not None


def test_a_rollback_lets_what_served_before_serve(
    admin: Admin, database: Database, settings: Settings, version: str
) -> None:
    serves(database, settings, version)
    admin.sends("/models/rollback", digest=version)
    assert "Taken back" in admin.text
    with database.across_tenants() as connection:
        assert find_current(connection, "GRADER") is None
    admin.sends("/models/rollback", 409, digest=version)
    assert "another model serves by now" in admin.text
    assert trail(database)[-1] == "model-rolled-back"


@pytest.fixture
def explainer(database: Database, settings: Settings, course: Course, tmp_path: Path, tiny_lm_folder: Path) -> str:
    """The digest of a candidate beside a course."""
    course.has_quiz()
    run = make_explainer_run(tmp_path / "explainer", tiny_lm_folder)
    with database.across_tenants() as connection:
        return add_version(connection, settings, run, by="ada").version.digest


def number_of(course: Course) -> int:
    with course.transaction() as connection:
        return course.context_id(connection)


def test_an_explainer_is_asked_for_one_course(
    admin: Admin, database: Database, explainer: str, course: Course, dataset: str
) -> None:
    number = number_of(course)
    options = admin.opens(f"/models/{explainer}").soup.select("#course option")
    assert [each["value"] for each in options] == ["", str(number)]
    assert "Machine learning 101 (lms.example.edu" in options[1].get_text()
    admin.sends(f"/models/{explainer}/promote", dataset=dataset, then="judge", course=str(number))
    admin.sends(f"/models/{explainer}/promote", then="force", reason=REASON, course=str(number))
    assert [each.settings for each in runs(database, "PROMOTION")] == [
        {"reason": REASON, "course": number},
        {"course": number},
    ]
    assert "Machine learning 101" in admin.text


@pytest.mark.parametrize("course_id", ["999999", "x", "²", "-1"])
def test_a_course_that_is_not_there_is_refused(
    admin: Admin, database: Database, explainer: str, version: str, course_id: str
) -> None:
    for digest in (explainer, version):
        admin.sends(f"/models/{digest}/promote", 422, then="force", reason=REASON, course=course_id)
        admin.sends("/models/rollback", 409, digest=explainer, course=course_id)
    assert "choose a course" not in admin.opens(f"/models/{version}").text
    assert runs(database, "PROMOTION") == []


def test_the_courses_of_an_explainer_are_listed_and_one_is_taken_back(
    admin: Admin, database: Database, settings: Settings, explainer: str, course: Course
) -> None:
    number = number_of(course)
    with database.across_tenants() as connection:
        candidate = get_version(connection, explainer)
        promote(
            connection,
            settings,
            candidate,
            judged_against=None,
            judgement=None,
            by="ada",
            forced_because=REASON,
            course_id=number,
        )
    assert "Explains first in: Machine learning 101" in admin.opens("/models").text
    page = admin.opens(f"/models/{explainer}")
    assert "Courses where it explains first" in page.text
    assert page.value("form[action$=rollback] [name=course]") == str(number)
    admin.sends("/models/rollback", digest=explainer, course=str(number))
    assert "Taken back" in admin.text
    assert "Courses where it explains first" not in admin.text
    assert trail(database)[-1] == "model-rolled-back"
    admin.sends("/models/rollback", 409, digest=explainer, course=str(number))


def test_after_a_promotion_for_a_course_the_course_is_named(
    admin: Admin, trainer: Trainer, explainer: str, course: Course
) -> None:
    number = trainer.asks("PROMOTION", version_digest=explainer, settings={"course": number_of(course)})
    result = {"kind": "EXPLAINER", "before": None, "now": explainer, "course": number_of(course), "reasons": []}
    ended(trainer, number, result=result)
    assert "It explains in this course now: Machine learning 101." in admin.opens(f"/trainings/{number}").text


def test_quizzes_with_scores_of_another_grader_are_named_with_the_way_to_grade_again(
    admin: Admin, course: Course, database: Database, settings: Settings, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lti_tool.submissions import views

    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)
    course.has_quiz(make_question())
    learner = course.learner()
    page = learner.post("attempts", {"csrf_token": learner.token()})
    names = [str(area["name"]) for area in page.soup.select("textarea")]
    page.submit("#answers-form", {names[0]: STUDENT_TEXT, "then": "hand-in"}).submit("#hand-in-form")
    course.grades(learner)
    serves(database, settings, version)
    text = admin.opens("/models/outdated").text
    assert "Grade again…" in text
    assert "Machine learning 101" in text
    assert STUDENT_TEXT not in text


def test_a_model_that_is_not_there_is_not_there(admin: Admin, version: str) -> None:
    for digest in ("0" * 16, "x", "..%2F..%2Fetc"):
        admin.opens(f"/models/{digest}", 404)
    admin.sends(f"/models/{'0' * 16}/promote", 404, then="judge")
    admin.sends("/models/rollback", 404, digest="")
    assert [each["href"] for each in admin.soup.select("main a")] == ["/admin/models"]


# Safety -----------------------------------------------------------------------------------------------------------


def test_a_form_without_its_token_starts_nothing(admin: Admin, database: Database, version: str, dataset: str) -> None:
    for path in (
        *("/trainings/new/grader", "/trainings/1/cancel", "/trainings/1/continue", "/datasets"),
        *(f"/datasets/{dataset}/check", f"/models/{version}/promote", "/models/rollback"),
    ):
        assert admin.client.post(f"/admin{path}", data={"digest": version}).status_code == 403, path
    assert runs(database, "GRADER", "EXPORT", "CHECK", "PROMOTION") == []


def test_the_pages_load_no_model(database_url: str, tmp_path: Path) -> None:
    script = (
        "import sys, lti_tool; from config import load_settings; from lti_tool.training.datasets import list_datasets;"
        "import lti_tool.training.tasks, lti_tool.admin.model_views, lti_tool.admin.training_views;"
        "settings = load_settings(broker_url='redis://127.0.0.1:1/0');"
        "lti_tool.create_app(settings); list_datasets(settings);"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'numpy', 'sklearn', 'scipy', 'peft'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    make_dataset(Settings(data_dir=tmp_path))
    environment = {**os.environ, "DATABASE_URL": database_url, "DATA_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_curve_fits_its_box() -> None:
    assert loss_curve([[1, 0.5]], 10) is None
    curve = loss_curve([[0, 2.0], [5, 1.0], [10, 0.0]], 20)
    assert curve is not None
    assert curve.points == f"0.0,0.0 {WIDTH / 4},{HEIGHT / 2} {WIDTH / 2},{float(HEIGHT)}"
    assert (curve.highest, curve.latest, curve.last_step) == (2.0, 0.0, 20)
    assert loss_curve([[0, 0.0], [0, 0.0]], 0) is not None
