"""``mlquiz models``: from a run to the model that serves and back, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from config import load_settings
from lti_tool.cli.models import models
from lti_tool.cli.output import Commands, console
from lti_tool.db import Database
from lti_tool.models import gate as gates
from lti_tool.models.folders import remove_folder
from lti_tool.models.promotion import Judgement
from tests.course_actors import Course
from tests.model_runs import make_explainer_run, make_run

Run = Callable[..., Result]


@click.group(cls=Commands)
def main() -> None:
    """As the whole command line shows errors."""


main.add_command(models)


@pytest.fixture
def run(database_url: str, tmp_path: Path, tiny_encoder_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """``mlquiz models …`` in this process, with the test's database and a tiny encoder."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("GRADER_MODEL", str(tiny_encoder_folder))
    monkeypatch.setenv("EXPLAINER", "template")
    monkeypatch.setattr(console, "width", 200)
    yield lambda *arguments: CliRunner().invoke(main, ["models", *map(str, arguments)])
    remove_folder(load_settings().versions_path)


@pytest.fixture
def added(run: Run, tmp_path: Path) -> str:
    """The digest of a candidate."""
    return add(run, make_run(tmp_path / "one"))


def add(run: Run, folder: Path) -> str:
    result = run("add", folder, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["digest"]


def facts(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def force(run: Run, digest: str) -> None:
    result = run("promote", digest, "--force", "--reason", "Tried in the demo")
    assert result.exit_code == 0, result.output


# Adding and looking -----------------------------------------------------------------------------------------------


def test_add_says_what_comes_next_and_the_second_time_that_nothing_changed(run: Run, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "one")
    first, second = run("add", folder), run("add", folder)
    assert "is a candidate now" in first.stdout
    assert "models promote" in first.stderr
    assert "was added before: nothing was changed" in second.stdout


def test_add_refuses_with_one_and_names_the_file(run: Run, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "one")
    (folder / "optimizer.pt").write_bytes(b"0")
    result = run("add", folder)
    assert result.exit_code == 1
    assert "optimizer.pt" in result.stderr
    assert "Traceback" not in result.output


def test_add_refuses_the_other_kind(run: Run, tmp_path: Path) -> None:
    result = run("add", make_run(tmp_path / "one"), "--kind", "explainer")
    assert result.exit_code == 1
    assert "leave --kind out" in result.stderr


def test_list_without_versions_says_what_serves(run: Run) -> None:
    assert "The grader that the settings name serves" in run("list").stdout
    assert facts(run("list", "--json")) == []


def test_list_shows_status_figures_and_data(run: Run, added: str) -> None:
    force(run, added)
    shown = run("list").stdout
    for expected in (added, "current", "mse 0.0500", "pearson_r 0.8000", "d" * 16, "by command"):
        assert expected in shown
    assert "The grader that" not in shown
    assert "The explainer that the settings name serves" in shown
    (listed,) = facts(run("list", "--json"))
    assert (listed["status"], listed["forced_because"]) == ("CURRENT", "Tried in the demo")


def test_list_of_one_kind_leaves_the_other_out(run: Run, added: str) -> None:
    assert facts(run("list", "--kind", "explainer", "--json")) == []
    assert added in run("list", "--kind", "grader").stdout


def test_show_tells_all_that_is_known(run: Run, added: str, tmp_path: Path) -> None:
    shown = run("show", added[:6]).stdout
    for expected in (added, "candidate", str(tmp_path / "one"), "d" * 64, "seed", "own/all/mse"):
        assert expected in shown
    assert facts(run("show", added, "--json"))["settings"]["seed"] == 1


def test_show_of_nothing_is_a_sentence(run: Run) -> None:
    result = run("show", "0123456789abcdef")
    assert result.exit_code == 1
    assert "mlquiz models list" in result.stderr


def test_compare_puts_figures_side_by_side(run: Run, added: str, tmp_path: Path) -> None:
    metrics = {"own": {"all": {"mse": 0.04, "bias": 0.01}}}
    better = add(run, make_run(tmp_path / "two", "two", metrics=metrics, run={"data": "e" * 64}))
    result = run("compare", better, added)
    assert "-0.0100" in result.stdout
    assert "different data" in result.stderr
    figures = facts(run("compare", better, added, "--json"))["figures"]
    assert figures["own/all/mse"] == {"first": 0.04, "second": 0.05, "difference": pytest.approx(-0.01)}
    assert figures["own/all/bias"] == {"first": 0.01, "second": None, "difference": None}


def test_compare_takes_what_serves_where_no_other_is_named(run: Run, added: str, tmp_path: Path) -> None:
    second = add(run, make_run(tmp_path / "two", "two"))
    assert "name the version to compare with" in run("compare", second).stderr
    force(run, added)
    assert facts(run("compare", second, "--json"))["second"]["digest"] == added


# Promoting and rolling back ---------------------------------------------------------------------------------------


def test_promote_needs_data_to_judge_by(run: Run, added: str) -> None:
    result = run("promote", added)
    assert result.exit_code == 1
    assert "--data" in result.stderr
    assert "--force" in result.stderr
    assert "d" * 16 in result.stderr


@pytest.mark.parametrize("arguments", [("--force",), ("--force", "--reason", "short"), ("--reason", "without force")])
def test_a_reason_belongs_to_force_and_is_none_without_words(run: Run, added: str, arguments: tuple[str, ...]) -> None:
    assert run("promote", added, *arguments).exit_code == 1
    assert facts(run("show", added, "--json"))["status"] == "CANDIDATE"


def test_promote_and_rollback_say_what_serves(run: Run, added: str) -> None:
    promoted = run("promote", added, "--force", "--reason", "Tried in the demo")
    assert f"grader {added} serves now, in place of that of the settings" in promoted.stdout
    assert "within a minute" in promoted.stderr
    back = facts(run("rollback", "--json"))
    assert (back["kind"], back["before"], back["now"]) == ("GRADER", added, None)


def test_rollback_of_nothing_is_a_sentence(run: Run) -> None:
    result = run("rollback")
    assert result.exit_code == 1
    assert "nothing to take back" in result.stderr


def test_rollback_asks_which_where_both_kinds_are_promoted(
    run: Run, added: str, tmp_path: Path, tiny_lm_folder: Path
) -> None:
    force(run, added)
    explainer = add(run, make_explainer_run(tmp_path / "explainer", tiny_lm_folder))
    force(run, explainer)
    assert "--kind" in run("rollback").stderr
    assert facts(run("rollback", "--kind", "explainer", "--json"))["before"] == explainer
    assert facts(run("rollback", "--json"))["before"] == added


def test_an_explainer_that_the_settings_keep_out_is_told_of(run: Run, tmp_path: Path, tiny_lm_folder: Path) -> None:
    explainer = add(run, make_explainer_run(tmp_path / "explainer", tiny_lm_folder))
    result = run("promote", explainer, "--force", "--reason", "Tried in the demo")
    assert "EXPLAINER=template" in result.stderr


def test_a_version_that_cannot_be_loaded_never_serves_even_forced(run: Run, tmp_path: Path) -> None:
    broken = make_run(tmp_path / "broken")
    (broken / "head.json").write_text('{"schema_version": 99}', encoding="utf-8")
    from tests.model_runs import resealed

    digest = add(run, resealed(broken))
    result = run("promote", digest, "--force", "--reason", "I am sure that it works")
    assert result.exit_code == 1
    assert "cannot be loaded here" in result.stderr
    assert facts(run("show", digest, "--json"))["status"] == "CANDIDATE"


@pytest.mark.parametrize("is_ok", [True, False])
def test_the_gate_decides_on_the_dataset_that_is_named(
    run: Run, added: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_ok: bool
) -> None:
    """What the real gate finds is in test_models_gate.py."""
    reasons = () if is_ok else ("The candidate is worse: by 0.1.",)
    asked: list[tuple[str, object]] = []

    def judge(self: object, candidate: Any, current: object) -> Judgement:
        asked.append((candidate.digest, current))
        return Judgement(ok=is_ok, reasons=reasons, findings={"answers": 40})

    monkeypatch.setattr(gates.EvaluationGate, "__call__", judge)
    result = run("promote", added, "--data", tmp_path, "--json")
    assert asked == [(added, None)]
    if is_ok:
        assert facts(result)["judgement"] == {"ok": True, "reasons": [], "answers": 40}
        assert facts(run("show", added, "--json"))["findings"] == {"answers": 40}
    else:
        assert result.exit_code == 1
        assert "by 0.1" in result.stderr
        assert facts(run("show", added, "--json"))["status"] == "CANDIDATE"


def test_forced_against_the_gate_it_serves_and_the_reasons_are_said(
    run: Run, added: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worse = Judgement(ok=False, reasons=("The candidate is worse: by 0.1.",))
    monkeypatch.setattr(gates.EvaluationGate, "__call__", lambda *_: worse)
    result = run("promote", added, "--data", tmp_path, "--force", "--reason", "Agreed with the team")
    assert result.exit_code == 0
    assert "by 0.1" in result.stderr
    assert facts(run("show", added, "--json"))["forced_because"] == "Agreed with the team"


def test_answers_of_the_version_before_are_counted_and_none_is_graded_again(
    run: Run, added: str, course: Course, database: Database
) -> None:
    course.has_quiz(title="Regularisation")
    learner = course.learner()
    page = learner.post("attempts", {"csrf_token": learner.token()})
    names = [str(area["name"]) for area in page.soup.select("textarea")]
    page.submit("#answers-form", {**dict.fromkeys(names, "An answer"), "then": "hand-in"}).submit("#hand-in-form")
    course.grades(learner)
    result = run("promote", added, "--force", "--reason", "Tried in the demo")
    assert "2 answers in 1 quizzes" in result.stdout
    assert "Regularisation" in result.stdout
    assert "Grade again" in result.stdout
    with database.across_tenants() as connection:
        assert connection.execute("SELECT count(*) FROM regrades").fetchone() == (0,)
    assert facts(run("rollback", "--json"))["regrade_preview"] == []


# For one course -----------------------------------------------------------------------------------------------------


@pytest.fixture
def explainer(run: Run, course: Course, tmp_path: Path, tiny_lm_folder: Path) -> str:
    """The digest of a candidate beside a course."""
    course.has_quiz()
    return add(run, make_explainer_run(tmp_path / "explainer", tiny_lm_folder))


def test_an_explainer_is_given_to_one_course_and_taken_back(run: Run, explainer: str) -> None:
    forced = ("--force", "--reason", "Agreed with the course team")
    given = facts(run("promote", explainer, "--course", "Machine learning 101", *forced, "--json"))
    assert (given["before"], given["now"]) == (None, explainer)
    shown = facts(run("show", explainer, "--json"))
    assert shown["status"] == "CANDIDATE"
    assert shown["courses"] == [{"id": given["course"], "title": "Machine learning 101", "platform": "lms.example.edu"}]
    named = f"course {given['course']}: Machine learning 101, lms.example.edu"
    assert f"explainer {explainer} serves {named}" in run("list").stdout
    assert named in run("show", explainer).stdout
    assert "serves already" in run("promote", explainer, "--course", given["course"], *forced).stderr
    back = run("rollback", "--course", given["course"])
    assert f"explainer of the settings serves course {given['course']} now, in place of {explainer}" in back.stdout
    assert run("rollback", "--course", given["course"]).exit_code == 1
    assert facts(run("show", explainer, "--json"))["courses"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--course", "Alchemy", "--force", "--reason", "Agreed with the team"), "no course is called 'Alchemy'"),
        (("--course", "Machine learning 101"), "--data"),
    ],
)
def test_a_course_that_is_not_there_and_no_proof_are_refused(
    run: Run, explainer: str, arguments: tuple[str, ...], words: str
) -> None:
    result = run("promote", explainer, *arguments)
    assert result.exit_code
    assert words in result.stderr
    assert facts(run("show", explainer, "--json"))["courses"] == []


@pytest.mark.usefixtures("explainer")
def test_a_grader_is_for_all_courses(run: Run, added: str) -> None:
    result = run("promote", added, "--course", "Machine learning 101", "--force", "--reason", "Agreed with the team")
    assert result.exit_code == 1
    assert "A grader serves all courses" in result.stderr


def test_a_judging_for_a_course_is_beside_what_serves_it(
    run: Run, explainer: str, tmp_path: Path, tiny_lm_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str | None, bool]] = []

    def judge(self: gates.EvaluationGate, candidate: Any, current: Any) -> Judgement:
        asked.append((current.digest if current else None, self._current_stays))
        return Judgement(ok=True)

    monkeypatch.setattr(gates.EvaluationGate, "__call__", judge)
    second = add(run, make_explainer_run(tmp_path / "second", tiny_lm_folder, "two", seed=6))
    for digest in (explainer, second):
        assert run("promote", digest, "--course", "Machine learning 101", "--data", tmp_path).exit_code == 0
    assert asked == [(None, True), (explainer, False)]
