"""``--progress-file``: what a command tells its bar is written to a file too, and that stops no training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from finetune import progress_file
from finetune.progress_file import VARIABLE, also_to_file, loss_in, progress_file_option

TOLD = ((0, 0, "loading the encoder"), (1, 3, "fold 1 of 2: loss 0.75"), (2, 3, "loss 0.5"), (3, 3, "done"))


@pytest.fixture(autouse=True)
def _every_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_file, "LEAST_SECONDS", 0.0)


def tells(*arguments: str, **environment: str) -> list[tuple[int, int, str]]:
    """Run a command that tells what it does; what its own bar was told."""
    heard: list[tuple[int, int, str]] = []

    @click.command()
    @progress_file_option
    def training() -> None:
        tell = also_to_file(lambda *told: heard.append(told))
        for told in TOLD:
            tell(*told)

    result = CliRunner().invoke(training, arguments, env=environment)
    assert result.exit_code == 0, result.output
    return heard


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_file_has_a_line_for_each_step_and_the_loss_that_its_words_name(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    assert tells("--progress-file", str(path)) == list(TOLD)
    assert lines(path) == [
        {"done": 0, "total": 0, "text": "loading the encoder"},
        {"done": 1, "total": 3, "text": "fold 1 of 2: loss 0.75", "loss": 0.75},
        {"done": 2, "total": 3, "text": "loss 0.5", "loss": 0.5},
        {"done": 3, "total": 3, "text": "done"},
    ]


def test_the_environment_names_the_file_as_well(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    tells(**{VARIABLE: str(path)})
    assert len(lines(path)) == len(TOLD)


def test_a_second_process_writes_behind_the_first(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    for _ in range(2):
        tells("--progress-file", str(path))
    assert len(lines(path)) == 2 * len(TOLD)


def test_steps_that_follow_each_other_quickly_are_left_out_but_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_file, "LEAST_SECONDS", 3600.0)
    monkeypatch.setattr(progress_file.time, "monotonic", lambda: 10_000.0)
    path = tmp_path / "progress.jsonl"
    tells("--progress-file", str(path))
    assert [line["text"] for line in lines(path)] == ["loading the encoder", "fold 1 of 2: loss 0.75", "done"][::2]


def test_without_a_file_only_the_bar_is_told() -> None:
    assert tells() == list(TOLD)


def test_outside_a_command_nothing_is_written() -> None:
    def tell(done: int, total: int, text: str) -> None: ...

    assert also_to_file(tell) is tell


def test_a_file_that_cannot_be_written_ends_no_training(tmp_path: Path) -> None:
    assert tells("--progress-file", str(tmp_path / "nowhere" / "progress.jsonl")) == list(TOLD)


@pytest.mark.parametrize(
    ("text", "loss"),
    [("loss 0.412", 0.412), ("fold 2 of 5: loss 12", 12.0), ("no loss yet", None), ("glossary 3", None), ("", None)],
)
def test_a_loss_is_found_by_its_word(text: str, loss: float | None) -> None:
    assert loss_in(text) == loss
