"""``mlquiz train grader --mode full``: the whole way on a tiny encoder, seeds, a sweep, and what is refused."""

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
from grading.grader import grader_from
from tests.finetune.dataset_data import make_example, make_question, write


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """Eight questions with two scored answers each."""
    path = tmp_path / "course.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["question", "reference", "answer", "score"])
        for number in range(8):
            rows.writerow([f"What is {number}?", f"It is a small step {number}.", f"a small step {number}", 1.0])
            rows.writerow(["", "", "it is a large leap of the weights", 0.0])
    return path


def grader(*arguments: str | Path) -> Result:
    return CliRunner().invoke(train, ["grader", *map(str, arguments)])


@pytest.mark.slow
def test_a_course_is_trained_on_with_two_seeds(course: Path, tiny_encoder_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = ("--output", run, "--mode", "full", "--data", course, "--no-bank", "--model", tiny_encoder_folder)
    result = grader(*arguments, "--loss", "mse", "--epochs", "1", "--folds", "2", "--seeds", "2")
    assert result.exit_code == 0, result.output
    for said in ("own mse", "cosine mse", "seeds mse", str(run)):
        assert said in result.stdout
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["run"]["training"]["loss"] == "mse"
    assert manifest["run"]["training"]["folds"] == 2
    assert not any(name.startswith("seeds") for name in manifest["files"])
    assert grader_from("any", tmp_path, run).versions["head"].startswith("own@")


@pytest.mark.slow
def test_a_sweep_trains_encoders_side_by_side(tiny_encoder_folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    questions = [make_question(number, prompt=f"What is meant by term {number}?") for number in range(30)]
    write(data, [make_example(number, question=f"q{number}", score=number % 2) for number in range(30)], questions)
    arguments = ["--output", tmp_path / "sweep", "--mode", "full", "--data", data, "--no-bank", "--folds", "2"]
    arguments += ["--sweep-epochs", "1,2", "--sweep", f"{tiny_encoder_folder},{tmp_path / 'nowhere'}", "--json"]
    result = grader(*arguments)
    assert result.exit_code == 0, result.output
    one, two, *failed = json.loads(result.stdout)["cells"]
    assert [(cell["epochs"], set(cell["figures"]) >= {"mse", "mae"}) for cell in (one, two)] == [(1, True), (2, True)]
    assert all(cell["problem"] for cell in failed)
    manifest = json.loads((tmp_path / "sweep" / two["run"] / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["dataset_digest"] == read_dataset(data).digest
    assert manifest["run"]["training"]["epochs"] == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--loss", "mse"], "--loss is for --mode full"),
        (["--mode", "full", "--from", "default"], "takes no --from"),
        (["--mode", "full", "--lora-layers", "2"], "--lora-layers is for --mode lora"),
        (["--mode", "full", "--loss", "triplet"], "'triplet' is not one of"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: list[str], said: str, tmp_path: Path) -> None:
    result = grader("--output", tmp_path / "run", *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert not (tmp_path / "run").exists()
