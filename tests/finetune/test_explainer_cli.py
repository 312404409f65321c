"""``mlquiz train …``: help, JSON, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from finetune.cli import train
from finetune.dataset import read_dataset, write_dataset
from tests.finetune.explainer_builders import make_course_question, make_explained, prompts

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", ["explainer", "grader"])
def test_help_shows_an_example(command: str) -> None:
    result = CliRunner().invoke(train, [command, "--help"])
    assert result.exit_code == 0
    assert f"mlquiz train {command}" in result.output
    assert "--output" in result.output


def test_help_imports_no_model_library() -> None:
    program = (
        "import sys; from click.testing import CliRunner; from finetune.cli import train;"
        "code = CliRunner().invoke(train, ['explainer', '--help']).exit_code;"
        "sys.exit(code or any(name in sys.modules for name in ('torch', 'transformers', 'peft', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT).returncode == 0


def test_output_is_required() -> None:
    result = CliRunner().invoke(train, ["explainer"])
    assert result.exit_code == 2
    assert "--output" in result.output


def test_a_missing_model_is_a_sentence_and_exit_code_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(train, ["explainer", "--output", str(tmp_path / "run"), "--model", "bundled:unknown"])
    assert result.exit_code == 1
    assert "EXPLAINER_MODEL=bundled:unknown" in result.output
    assert "Traceback" not in result.output


def test_a_wrong_setting_is_a_sentence_and_exit_code_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_PORT", "many")
    result = CliRunner().invoke(train, ["explainer", "--output", str(tmp_path / "run")])
    assert result.exit_code == 1
    assert "WEB_PORT" in result.output


@pytest.mark.parametrize("arguments", [["--epochs", "0"], ["--rank", "0"], ["--learning-rate", "3"], ["--seed", "x"]])
def test_values_out_of_range_are_refused(arguments: list[str], tmp_path: Path) -> None:
    assert CliRunner().invoke(train, ["explainer", "--output", str(tmp_path), *arguments]).exit_code == 2


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with explained answers in every part; one answer in it was explained by nobody."""
    folder = tmp_path_factory.mktemp("data") / "spring"
    asked = [make_course_question(prompt) for part in ("train", "validation", "test") for prompt in prompts(part, 2)]
    examples = [make_explained(question, number) for question in asked for number in range(2)]
    examples.append(make_explained(asked[0], 9, explanation=None, explained_by=None))
    write_dataset(folder, questions=asked, examples=examples, producer="tests", filters={})
    return folder


@pytest.fixture(scope="module")
def trained(course: Path, tiny_lm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The whole command on the course's data alone."""
    output = tmp_path_factory.mktemp("runs") / "one"
    arguments = ["explainer", "--output", str(output), "--data", str(course), "--no-bank", "--epochs", "1", "--json"]
    return output, CliRunner().invoke(train, [*arguments, "--model", str(tiny_lm_folder)])


def test_json_is_all_that_stands_on_standard_output(trained: tuple[Path, Result]) -> None:
    output, result = trained
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads((output / "metrics.json").read_text())


def test_a_courses_data_alone_train_and_are_named_by_their_digest(trained: tuple[Path, Result], course: Path) -> None:
    output, result = trained
    assert json.loads(result.stdout)["cases"] == {"train": 4, "validation": 4, "test": 4}
    assert json.loads((output / "manifest.json").read_text())["dataset_digest"] == read_dataset(course).digest


def test_the_same_command_again_says_what_was_left_out_and_why(
    trained: tuple[Path, Result], course: Path, tiny_lm_folder: Path
) -> None:
    arguments = ["--output", str(trained[0]), "--data", str(course), "--no-bank", "--epochs", "1"]
    result = CliRunner().invoke(train, ["explainer", *arguments, "--model", str(tiny_lm_folder)])
    assert result.exit_code == 0, result.output
    assert "1 answers: no explanation 1" in result.output


def test_no_words_of_students_stand_in_what_the_manifest_lists(trained: tuple[Path, Result]) -> None:
    output, _ = trained
    assert "exercise" in (output / "samples.jsonl").read_text(encoding="utf-8")
    for name in json.loads((output / "manifest.json").read_text())["files"]:
        assert b"exercise" not in (output / name).read_bytes()


def test_neither_bank_nor_data_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(train, ["explainer", "--output", str(tmp_path / "run"), "--no-bank"])
    assert result.exit_code == 2
    assert "--data" in result.output


def test_broken_data_are_a_sentence_with_file_and_row(tmp_path: Path) -> None:
    path = tmp_path / "course.csv"
    path.write_text("question,reference,answer,score,explanation\nWhy?,Because.,So.,two,Good.\n", encoding="utf-8")
    result = CliRunner().invoke(train, ["explainer", "--output", str(tmp_path / "run"), "--data", str(path)])
    assert result.exit_code == 1
    assert f"{path}: row 2" in result.output
    assert not (tmp_path / "run").exists()


def test_an_export_needs_to_know_what_to_write(tmp_path: Path) -> None:
    result = CliRunner().invoke(train, ["explainer-export", str(tmp_path)])
    assert result.exit_code == 2
    assert "--merged" in result.output


def test_the_merged_export_is_named(trained: tuple[Path, Result], tmp_path: Path) -> None:
    target = tmp_path / "merged"
    result = CliRunner().invoke(train, ["explainer-export", str(trained[0]), "--merged", str(target), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"merged": str(target)}
    assert (target / "model.safetensors").is_file()


def test_a_folder_that_is_no_run_is_a_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(train, ["explainer-export", str(tmp_path), "--merged", str(tmp_path / "merged")])
    assert result.exit_code == 1
    assert "mlquiz train explainer" in result.output
