"""``mlquiz evaluate …``: the whole way on tiny models, JSON, and what is refused in a sentence."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from config.settings import Settings
from finetune.dataset import DatasetQuestion, Example, write_dataset
from finetune.evaluation.writers import chosen_writers
from finetune.evaluation_cli import evaluate

ROOT = Path(__file__).parents[2]
ANSWERS = ("it lowers the loss step by step", "cats sleep <b>all</b> day long", "the weights move")


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _tiny_models(tiny_encoder_folder: Path, tiny_lm_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADER_MODEL", str(tiny_encoder_folder))
    monkeypatch.setenv("EXPLAINER_MODEL", str(tiny_lm_folder))
    monkeypatch.setenv("EXPLAINER_ADAPTER", "")


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """Four questions with three answers each, the question in the first row only."""
    path = tmp_path / "course.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["question", "reference", "answer", "score"])
        for number in range(4):
            told = (f"What does method {number} do?", "It lowers the loss. It moves the weights.")
            for place, (answer, score) in enumerate(zip(ANSWERS, (0.5, 0.0, 0.5), strict=True)):
                rows.writerow([*(told if place == 0 else ("", "")), answer, score])
    return path


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two questions in the test part and one that trains; one of the scores is a model's."""
    parts = ("test", "test", "train")
    questions = [
        DatasetQuestion(
            id=f"q{number}",
            prompt=f"What does method {number} do?",
            language="en",
            model_answers=("It lowers the loss. It moves the weights.",),
        )
        for number in range(3)
    ]
    examples = [
        Example(
            id=f"e{number}-{place}",
            question=f"q{number}",
            answer=answer,
            language="en",
            score=0.5,
            scored_by="MODEL" if (number, place) == (1, 2) else "PERSON",
            part=parts[number],
        )
        for number in range(3)
        for place, answer in enumerate(ANSWERS)
    ]
    folder = tmp_path / "dataset"
    write_dataset(folder, questions=questions, examples=examples, producer="test", filters={})
    return folder


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(evaluate, [str(each) for each in arguments])


def metrics(folder: Path) -> dict[str, object]:
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", ["grader", "explainer"])
def test_help_shows_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"mlquiz evaluate {command} --data" in result.output


def test_help_imports_no_model_library() -> None:
    program = (
        "import sys; from click.testing import CliRunner; from finetune.evaluation_cli import evaluate;"
        "code = CliRunner().invoke(evaluate, ['grader', '--help']).exit_code;"
        "sys.exit(code or any(name in sys.modules for name in ('torch', 'transformers', 'peft', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT).returncode == 0


def test_a_csv_file_is_judged_whole_and_leaves_page_and_figures(course: Path, tmp_path: Path) -> None:
    result = run("grader", "--data", course, "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "mse" in result.stdout
    assert str(tmp_path / "out") in result.stdout
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "cats sleep &lt;b&gt;all&lt;/b&gt; day long" in page
    found = metrics(tmp_path / "out")
    assert (found["answers"], found["questions"]) == (12, 4)
    assert "cats sleep" not in json.dumps(found)


def test_json_is_all_that_stands_on_standard_output(course: Path, tmp_path: Path) -> None:
    result = run("grader", "--data", course, "--output", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told == metrics(tmp_path / "out")
    assert told["about"]["data"] == ["course.csv, whole file"]


def test_two_graders_are_compared(course: Path, tmp_path: Path) -> None:
    result = run("grader", "--data", course, "--against", "default", "--output", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["against"]["comparison"]["overall"]["mse"]["value"] == 0.0
    assert "gate" not in told["against"]


def test_a_dataset_is_judged_by_the_confirmed_scores_of_its_test_part(dataset: Path, tmp_path: Path) -> None:
    result = run("grader", "--data", dataset, "--output", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["answers"], told["questions"]) == (5, 2)
    assert "part test by question" in told["about"]["data"][0]


def test_all_parts_are_judged_where_asked_for(dataset: Path, tmp_path: Path) -> None:
    result = run("grader", "--data", dataset, "--part", "all", "--output", tmp_path / "out", "--json")
    assert json.loads(result.stdout)["answers"] == 8


def test_several_sources_are_judged_together(course: Path, dataset: Path, tmp_path: Path) -> None:
    result = run("grader", "--data", course, "--data", dataset, "--output", tmp_path / "out", "--json")
    told = json.loads(result.stdout)
    assert told["answers"] == 17
    assert len(told["about"]["data"]) == 2


def test_template_and_base_model_are_judged_side_by_side(course: Path, tmp_path: Path) -> None:
    result = run("explainer", "--data", course, "--limit", "4", "--output", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert list(told["writers"]) == ["template", "base model"]
    assert told["writers"]["template"]["passed"]["value"] == 1.0
    assert told["writers"]["base model"]["passed"]["value"] < 1.0
    assert "Side by side" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_the_template_alone_is_judged_where_the_settings_say_so(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPLAINER", "template")
    result = run("explainer", "--data", course, "--limit", "4", "--output", tmp_path / "out", "--json")
    assert list(json.loads(result.stdout)["writers"]) == ["template"]


# refusals


def refused(*arguments: str | Path, code: int = 1) -> str:
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


@pytest.mark.parametrize("command", ["grader", "explainer"])
def test_data_are_required(command: str) -> None:
    assert "--data" in refused(command, code=2)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in refused("grader", "--data", tmp_path / "none.csv", code=2)


def test_a_score_out_of_range_is_refused_with_its_row(course: Path, tmp_path: Path) -> None:
    text = course.read_text(encoding="utf-8").replace("0.5", "5", 1)
    course.write_text(text, encoding="utf-8")
    assert "row 2: the score 5 is more than 1" in refused("grader", "--data", course, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert str(tmp_path / "empty") in refused("grader", "--data", tmp_path / "empty")


def test_a_part_without_scores_is_refused(dataset: Path) -> None:
    said = refused("grader", "--data", dataset, "--part", "validation")
    assert "no score confirmed by a person in its part validation" in said


def test_a_csv_file_has_no_parts(course: Path) -> None:
    assert "a CSV file has no parts" in refused("grader", "--data", course, "--part", "test")


def test_a_folder_without_a_grader_is_refused(course: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert "manifest.json is missing" in refused("grader", "--data", course, "--model", tmp_path / "run")


def test_a_language_model_that_is_not_there_is_refused(course: Path) -> None:
    said = refused("explainer", "--data", course, "--model", "bundled:unknown")
    assert "EXPLAINER_MODEL=bundled:unknown" in said


def test_a_wrong_setting_is_refused(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_PORT", "many")
    assert "WEB_PORT" in refused("grader", "--data", course)


@pytest.mark.parametrize("arguments", [["--limit", "0"], ["--part", "train"], ["--threads", "0"]])
def test_values_out_of_range_are_refused(course: Path, arguments: list[str]) -> None:
    refused("explainer", "--data", course, *arguments, code=2)


# which models word the feedback


def settings(tiny_lm_folder: Path, **overrides: object) -> Settings:
    told = {"explainer_model": str(tiny_lm_folder), "explainer_adapter": "", **overrides}
    return Settings(**told)  # type: ignore[arg-type]


def test_a_server_stands_alone(tiny_lm_folder: Path) -> None:
    served = settings(tiny_lm_folder, explainer="server", explainer_url="http://127.0.0.1:1/v1")
    writers, named = chosen_writers(served, None, None)
    assert list(writers) == ["server"]
    assert named == [("Explainer", f"{tiny_lm_folder} on a server")]


@pytest.mark.parametrize("explainer", ["server", "template"])
def test_a_model_that_is_named_is_judged_whatever_the_settings_say(tiny_lm_folder: Path, explainer: str) -> None:
    chosen = settings(tiny_lm_folder, explainer=explainer, explainer_url="http://127.0.0.1:1/v1")
    assert list(chosen_writers(chosen, str(tiny_lm_folder), None)[0]) == ["base model"]


def test_an_adapter_is_judged_beside_its_base_model(tiny_lm_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}", encoding="utf-8")
    writers, named = chosen_writers(settings(tiny_lm_folder), None, str(tmp_path))
    assert list(writers) == ["base model", "adapter"]
    assert ("Adapter", str(tmp_path)) in named


def test_an_adapter_that_is_not_there_is_refused_before_anything_is_loaded(course: Path, tmp_path: Path) -> None:
    assert "EXPLAINER_ADAPTER=" in refused("explainer", "--data", course, "--adapter", tmp_path / "none")
