"""``mlquiz train grader --data FOLDER``: a dataset is trained on, its test part is not, and a broken one is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from finetune import reader_training
from finetune.cli import train
from finetune.dataset import graded_questions, read_dataset
from finetune.graded_questions import GradedQuestion
from tests.finetune.dataset_data import change_example, course_rows, make_example, make_question, run, table, write


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def trained_on(monkeypatch: pytest.MonkeyPatch) -> list[GradedQuestion]:
    """The questions that the command hands over; training itself has tests of its own."""
    given: list[GradedQuestion] = []
    monkeypatch.setattr(reader_training, "train_reader", lambda questions, *_, **__: given.extend(questions) or {})
    return given


def grader(tmp_path: Path, encoder: Path, *arguments: str | Path) -> Result:
    given = ("grader", "--output", tmp_path / "run", "--model", encoder, "--no-bank", "--mode", "reader", *arguments)
    return CliRunner().invoke(train, list(map(str, given)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    questions = [make_question(number, prompt=f"What is meant by term {number}?") for number in range(40)]
    examples = [make_example(number, question=f"q{number % 40}") for number in range(80)]
    write(tmp_path / "data", [*examples, make_example(100, scored_by="MODEL", question="q0")], questions)
    return tmp_path / "data"


def test_a_dataset_is_trained_on_but_for_its_test_part(
    folder: Path, tiny_encoder_folder: Path, tmp_path: Path, trained_on: list[GradedQuestion]
) -> None:
    assert grader(tmp_path, tiny_encoder_folder, "--data", folder).exit_code == 0
    dataset = read_dataset(folder)
    tested = {graded.group for graded in graded_questions(dataset, part={"test"})}
    assert tested
    assert {graded.group for graded in trained_on}.isdisjoint(tested)
    assert len(trained_on) + len(tested) == 40
    assert all(len(graded.answers) == 2 for graded in trained_on)


def test_a_part_may_be_left_out(
    folder: Path, tiny_encoder_folder: Path, tmp_path: Path, trained_on: list[GradedQuestion]
) -> None:
    assert grader(tmp_path, tiny_encoder_folder, "--data", folder, "--without", "validation").exit_code == 0
    assert trained_on == graded_questions(read_dataset(folder), part={"train"})


def test_a_dataset_and_a_file_go_together(
    folder: Path, tiny_encoder_folder: Path, tmp_path: Path, trained_on: list[GradedQuestion]
) -> None:
    (tmp_path / "more.csv").write_text(table(course_rows()), encoding="utf-8")
    arguments = ("--data", folder, "--data", tmp_path / "more.csv")
    assert grader(tmp_path, tiny_encoder_folder, *arguments).exit_code == 0
    assert {graded.source for graded in trained_on} == {"course", "more"}


def test_a_broken_dataset_is_a_sentence_with_its_line(folder: Path, tiny_encoder_folder: Path, tmp_path: Path) -> None:
    change_example(folder, score=3)
    result = grader(tmp_path, tiny_encoder_folder, "--data", folder)
    assert result.exit_code == 1
    assert "examples.jsonl: line 2: score" in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_dataset_is_a_sentence(tiny_encoder_folder: Path, tmp_path: Path) -> None:
    result = grader(tmp_path, tiny_encoder_folder, "--data", tmp_path)
    assert result.exit_code == 1
    assert "manifest.json is missing" in result.output


def test_what_was_imported_is_trained_on_from_start_to_end(tiny_encoder_folder: Path, tmp_path: Path) -> None:
    two_each = [row for number, row in enumerate(course_rows(10)) if number % 4 < 2]
    (tmp_path / "course.csv").write_text(table(two_each), encoding="utf-8")
    assert run("import", tmp_path / "course.csv", "--output", tmp_path / "data").exit_code == 0
    result = grader(tmp_path, tiny_encoder_folder, "--data", tmp_path / "data", "--epochs", "1", "--folds", "2")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "manifest.json").is_file()
