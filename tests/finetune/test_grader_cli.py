"""``mlquiz train grader``: the whole way on a tiny encoder, JSON, and what is refused in a sentence."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from finetune.cli import train
from finetune.dataset import read_dataset
from finetune.grader_command import remembers
from finetune.reader_batches import FINE_TUNING
from grading.reading_model import DEFAULT_MODEL, load_reading_model
from tests.finetune.dataset_data import make_example, make_question, write


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """Eight questions with two answers each, the question in the first row only, and a row kept for a test."""
    path = tmp_path / "course.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["question", "reference", "answer", "score", "split"])
        for number in range(8):
            rows.writerow([f"What is {number}?", f"A step {number}.", f"a step {number}", 1.0, "train"])
            rows.writerow(["", "", "cats sleep all day long", 0.0, "train"])
        rows.writerow(["", "", "kept for the test", 0.5, "test"])
    return path


def grader(*arguments: str | Path) -> Result:
    return CliRunner().invoke(train, ["grader", *map(str, arguments)])


def test_a_course_is_trained_on_from_start_to_end(course: Path, tiny_encoder_folder: Path, tmp_path: Path) -> None:
    quick = ("--mode", "reader", "--epochs", "1", "--folds", "2", "--no-bank", "--without", "test", "--json")
    run = tmp_path / "run"
    result = grader("--output", run, "--data", course, "--model", tiny_encoder_folder, *quick)
    assert result.exit_code == 0, result.output
    metrics = json.loads(result.stdout)
    assert metrics["head"]["by_source"]["course"]["count"] == 16
    assert load_reading_model(run).encoder_name == str(tiny_encoder_folder)

    again = tmp_path / "again"
    arguments = ("--output", again, "--data", course, "--model", tiny_encoder_folder, "--from", run)
    result = grader(*arguments, "--folds", "2", "--no-bank", "--without", "test", "--mode", "lora")
    assert result.exit_code == 0, result.output
    assert "head mse" in result.stdout
    assert "cosine mse" in result.stdout
    assert str(again) in result.stdout
    manifest = json.loads((again / "manifest.json").read_text(encoding="utf-8"))
    settings = manifest["run"]["training"]
    assert {name: settings[name] for name in FINE_TUNING} == FINE_TUNING | {"folds": 2}
    assert manifest["sources"]["course"]["real"] == 16


def test_a_head_alone_goes_on_from_a_run_without_the_banks(
    course: Path, tiny_encoder_folder: Path, tmp_path: Path
) -> None:
    arguments = ("--data", course, "--model", tiny_encoder_folder, "--without", "test")
    quick = ("--mode", "reader", "--epochs", "1", "--folds", "2", "--no-bank")
    assert grader("--output", tmp_path / "run", *arguments, *quick).exit_code == 0
    result = grader("--output", tmp_path / "again", *arguments, "--from", tmp_path / "run", "--folds", "2", "--json")
    assert result.exit_code == 0, result.output
    manifest = json.loads((tmp_path / "again" / "manifest.json").read_text(encoding="utf-8"))
    assert list(manifest["sources"]) == ["course"], "what the model remembers need not be read again"
    assert (manifest["run"]["training"]["mode"], manifest["run"]["training"]["epochs"]) == ("head", 0)
    assert json.loads(result.stdout)["head"]["all"]["count"] == 16
    assert load_reading_model(tmp_path / "again").encoder_name == str(tiny_encoder_folder)


def test_a_model_that_forgot_is_told_from_one_that_remembers(tmp_path: Path) -> None:
    assert remembers("default")
    assert not remembers(None)
    assert not remembers(str(tmp_path))


def test_a_run_names_the_dataset_that_it_was_trained_on(tiny_encoder_folder: Path, tmp_path: Path) -> None:
    questions = [make_question(number, prompt=f"What is meant by term {number}?") for number in range(40)]
    write(tmp_path / "data", [make_example(number, question=f"q{number}") for number in range(40)], questions)
    arguments = ("--output", tmp_path / "run", "--data", tmp_path / "data", "--model", tiny_encoder_folder)
    result = grader(
        *arguments, "--mode", "reader", "--no-bank", "--part", "all", "--epochs", "1", "--folds", "2", "--json"
    )
    assert result.exit_code == 0, result.output
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["dataset_digest"] == read_dataset(tmp_path / "data").digest
    # With --part all the test part is among them.
    assert manifest["learnt_test_part"] is True
    assert json.loads(result.stdout)["head"]["all"]["count"] == 40


def test_help_shows_going_on_from_the_shipped_model() -> None:
    result = grader("--help")
    assert result.exit_code == 0
    assert "--from default" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--no-bank"], "leaves nothing to train on"),
        (["--lora-layers", "2"], "--lora-layers is for --mode lora"),
        (["--epochs", "2"], "--mode head takes the encoder as it is"),
        (["--from", "default", "--epochs", "2"], "--mode head takes the encoder as it is"),
        (["--seeds", "2"], "With --from it takes --folds and --seeds"),
        (["--data", "nowhere.csv"], "does not exist"),
        (["--mode", "both"], "'both' is not one of"),
        (["--folds", "1"], "not in the range"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: list[str], said: str, tmp_path: Path) -> None:
    result = grader("--output", tmp_path / "run", *arguments)
    assert result.exit_code == 2
    assert said in result.output
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_not_right_is_a_sentence_with_its_row(course: Path, tmp_path: Path) -> None:
    course.write_text(course.read_text(encoding="utf-8").replace(",0.0,", ",much,", 1), encoding="utf-8")
    result = grader("--output", tmp_path / "run", "--data", course, "--no-bank")
    assert result.exit_code == 1
    assert "row 3: the score 'much' is not a number" in result.output
    assert "Traceback" not in result.output


def test_a_start_that_is_not_there_is_a_sentence(course: Path, tiny_encoder_folder: Path, tmp_path: Path) -> None:
    arguments = ("--output", tmp_path / "run", "--data", course, "--no-bank", "--model", tiny_encoder_folder)
    result = grader(*arguments, "--mode", "reader", "--from", tmp_path / "nowhere")
    assert result.exit_code == 1
    assert "holds no grader" in result.output


def test_default_is_the_shipped_model(
    course: Path, tiny_encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from finetune import reader_training

    told: dict[str, object] = {}
    # The shipped model is not for the tiny encoder: this is about what the command hands over.
    monkeypatch.setattr(reader_training, "train_reader", lambda *_, **given: told.update(given) or {"head": {}})
    arguments = ("--output", tmp_path / "run", "--data", course, "--no-bank", "--model", tiny_encoder_folder)
    assert grader(*arguments, "--mode", "lora", "--from", "default", "--epochs", "3").exit_code == 0
    assert told["start"] == DEFAULT_MODEL
    assert getattr(told["training"], "epochs", None) == 3


def test_trees_learn_from_scores_alone(course: Path, tiny_encoder_folder: Path, tmp_path: Path) -> None:
    arguments = ("--output", tmp_path / "run", "--data", course, "--no-bank", "--model", tiny_encoder_folder)
    result = grader(*arguments, "--without", "test", "--json")
    assert result.exit_code == 0, result.output
    metrics = json.loads(result.stdout)
    assert metrics["own"]["all"]["count"] == 16
    assert metrics["own"]["all"]["mse"] < 0.1
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["answers"]["made up"] == 8 * 6


def test_trees_are_grown_on_the_sample_bank(
    tiny_encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from finetune import grader_training

    told: list[object] = []

    def trained(questions: list[object], *_: object, **__: object) -> dict[str, object]:
        told.extend(questions)
        return {"own": {"all": {"mse": 0.25}}}

    # The training itself has its own tests, and takes a minute on the whole bank.
    monkeypatch.setattr(grader_training, "train_head", trained)
    result = grader("--output", tmp_path / "run", "--mode", "head", "--model", tiny_encoder_folder)
    assert result.exit_code == 0, result.output
    assert "own mse" in result.stdout
    assert "0.2500" in result.stdout
    assert len(told) > 80
