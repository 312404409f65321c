"""The parts of a run that need no process: progress that is read, a log that is shown, commands put together."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings, load_settings
from lti_tool.training.datasets import datasets_folder, get_dataset, list_datasets
from lti_tool.training.errors import DatasetMissing
from lti_tool.training.log_tail import last_words, log_tail
from lti_tool.training.outcomes import _ended_by
from lti_tool.training.progress import MOST_LOSSES, ProgressReader, thinned
from lti_tool.training.runs import OUTPUT, command_of, environment_of, report_of
from lti_tool.training.store import RunKind, TrainingRun
from tests.training_actors import STUDENT_TEXT, make_dataset

VERSION = "0123456789abcdef"


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return load_settings(_env_file=None, data_dir=tmp_path / "data", secret_key="s" * 40, model_threads=3)


def made(kind: RunKind = "GRADER", **values: Any) -> TrainingRun:
    nothing: dict[str, Any] = dict.fromkeys(
        ("dataset_digest", "version_digest", "host", "pid", "process_started", "folder", "started_at", "finished_at")
    )
    run = TrainingRun(
        id=7,
        kind=kind,
        status="RUNNING",
        settings={},
        created_by="ada",
        created_at=datetime.now(UTC),
        is_cancelling=False,
        done=0,
        total=0,
        progress_text="",
        losses=[],
        **nothing,
    )
    return replace(run, **values)


# Progress ---------------------------------------------------------------------------------------------------------


def told(done: int, loss: float | None = None, *, but: Mapping[str, Any] | None = None) -> str:
    line: dict[str, Any] = {"done": done, "total": 9, "text": f"step {done}"} | dict(but or {})
    return json.dumps(line if loss is None else line | {"loss": loss}) + "\n"


def test_a_file_is_read_on_where_the_reading_stopped(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    reader = ProgressReader(path, [])
    assert reader.read().done == 0, "there is no file yet"
    path.write_text(told(1, 0.5) + told(2, 0.4)[:10])
    assert (reader.read().done, reader.read().losses) == (1, ((1, 0.5),))
    with path.open("a") as file:
        file.write(told(2, 0.4)[10:])
    assert (reader.read().done, reader.read().text) == (2, "step 2")


@pytest.mark.parametrize(
    "line",
    [
        *("nothing\n", "[]\n", "{}\n", '"text"\n', "\x00\x01\n", '{"done": 1, "total": 2}\n'),
        *(
            told(3, but={"done": "many"}),
            told(3, but={"done": None}),
            told(3, but={"done": [1]}),
            told(3, but={"total": float("inf")}),
        ),
    ],
)
def test_a_line_that_says_nothing_is_passed_over(tmp_path: Path, line: str) -> None:
    path = tmp_path / "progress.jsonl"
    path.write_text(told(1, 0.5) + line + told(2))
    assert ProgressReader(path, []).read().done == 2


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), 1e300])
def test_a_loss_that_is_none_is_no_point_of_the_curve(tmp_path: Path, loss: float) -> None:
    path = tmp_path / "progress.jsonl"
    path.write_text(told(1, loss))
    assert ProgressReader(path, []).read().losses == ()


def test_a_run_that_goes_on_draws_its_curve_on_from_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    path.write_text(told(2, 0.35) + told(3, 0.3))
    reader = ProgressReader(path, [[1, 0.5], [2, 0.4], [3, 0.39]])
    assert reader.read().losses == ((1, 0.5), (2, 0.35), (3, 0.3))


def test_a_long_training_keeps_few_points_and_its_last_one(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    path.write_text("".join(told(step, 1.0) for step in range(10_000)))
    losses = ProgressReader(path, []).read().losses
    assert len(losses) <= MOST_LOSSES
    assert losses[-1][0] == 9999
    assert [step for step, _ in losses] == sorted({step for step, _ in losses})


def test_two_points_become_one_with_their_mean() -> None:
    assert thinned([(1, 1.0), (2, 0.5), (3, 0.5), (4, 0.3), (5, 0.1)]) == [(2, 0.75), (4, 0.4), (5, 0.1)]


# The log ----------------------------------------------------------------------------------------------------------

STACK = f"""before
Traceback (most recent call last):
  File "/srv/tool/finetune/reader.py", line 12, in train
    raise ValueError(answer)
ValueError: {STUDENT_TEXT}
{STUDENT_TEXT} again
"""


def log(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "log.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_stack_is_cut_down_to_places_and_the_name_of_the_error(tmp_path: Path) -> None:
    assert log_tail(log(tmp_path, STACK)) == [
        "before",
        "Traceback (most recent call last):",
        "  reader.py, line 12, in train",
        "ValueError",
    ]


def test_colours_and_steering_characters_are_taken_out(tmp_path: Path) -> None:
    assert log_tail(log(tmp_path, "\x1b[31mred\x1b[0m\x07 end\rnext\n")) == ["red end", "next"]


def test_a_log_is_shown_from_its_end_and_lines_are_cut(tmp_path: Path) -> None:
    shown = log_tail(log(tmp_path, "".join(f"line {number} {'x' * 500}\n" for number in range(2000))))
    assert len(shown) == 40
    assert shown[-1].startswith("line 1999 ")
    assert max(map(len, shown)) == 300


def test_no_log_is_no_line(tmp_path: Path) -> None:
    assert log_tail(tmp_path / "nothing") == []
    assert last_words(tmp_path / "nothing") == ""


def test_the_last_words_are_those_of_the_error(tmp_path: Path) -> None:
    path = log(tmp_path, "loading\nUsage: x\n\nError: line 3: no score.\nMend the file.\n")
    assert last_words(path) == "line 3: no score. Mend the file."
    assert last_words(log(tmp_path, "one\ntwo\n")) == "one two"


def test_a_signal_is_named() -> None:
    assert "memory" in _ended_by(-signal.SIGKILL)
    assert _ended_by(-signal.SIGSEGV) == f"The process was ended by signal {signal.SIGSEGV.value}."


# Datasets ---------------------------------------------------------------------------------------------------------


def test_datasets_are_found_by_their_digest_and_nothing_else_is_one(here: Settings, tmp_path: Path) -> None:
    digest = make_dataset(here)
    folder = datasets_folder(here)
    (folder / "empty").mkdir()
    (folder / "file").write_text("x")
    (folder / "broken").mkdir()
    (folder / "broken" / "manifest.json").write_text('{"kind": "dataset"}')
    (folder / ".hidden").symlink_to(folder / "spring")
    (folder / "link").symlink_to(folder / "spring")
    (dataset,) = list_datasets(here)
    assert (dataset.digest, dataset.name, dataset.counts["examples"]) == (digest, "spring", 20)
    assert get_dataset(here, digest) == dataset


@pytest.mark.parametrize("digest", ["", "spring", "../datasets/spring", "f" * 16])
def test_nothing_but_a_digest_finds_a_dataset(here: Settings, digest: str) -> None:
    make_dataset(here)
    with pytest.raises(DatasetMissing):
        get_dataset(here, digest)


def test_without_a_folder_there_is_no_dataset(here: Settings) -> None:
    assert list_datasets(here) == []


# Commands ---------------------------------------------------------------------------------------------------------


def test_a_training_is_the_command_that_one_would_type(here: Settings, tmp_path: Path) -> None:
    digest = make_dataset(here)
    chosen = {"mode": "lora", "start": "default", "has_bank": False, "epochs": 2, "seed": 5}
    run = made(dataset_digest=digest, folder=str(tmp_path / "7"), settings=chosen)
    assert command_of(run, here)[1:] == [
        *("-m", "lti_tool", "train", "grader", "--data", str(datasets_folder(here) / "spring")),
        *("--output", str(tmp_path / "7" / OUTPUT), "--mode", "lora", "--epochs", "2", "--seed", "5"),
        *("--from", "default", "--no-bank", "--threads", "3", "--json"),
    ]


def test_an_explainer_has_no_options_of_a_grader(here: Settings, tmp_path: Path) -> None:
    run = made("EXPLAINER", dataset_digest=make_dataset(here), folder=str(tmp_path), settings={"rank": 4, "seed": 1})
    command = command_of(run, here)
    assert command[3:5] == ["train", "explainer"]
    assert "--rank" in command
    assert {"--bank", "--no-bank", "--from", "--epochs"}.isdisjoint(command)


def test_an_export_goes_where_the_datasets_are(here: Settings) -> None:
    run = made("EXPORT", settings={"courses": [3, 12], "since": "2026-09-01", "all_scores": True})
    assert command_of(run, here)[3:] == [
        *("dataset", "export", "--output", str(datasets_folder(here) / "export-7")),
        *("--course", "3", "--course", "12", "--since", "2026-09-01", "--all-scores", "--json"),
    ]


def test_a_reason_is_one_argument_whatever_it_says(here: Settings) -> None:
    reason = "--data /etc; $(rm -rf /) `x`\nagreed on"
    run = made("PROMOTION", version_digest=VERSION, settings={"reason": reason})
    assert command_of(run, here)[3:] == ["models", "promote", VERSION, "--force", f"--reason={reason}", "--json"]


def test_a_judging_names_the_dataset_and_forces_nothing(here: Settings) -> None:
    run = made("PROMOTION", version_digest=VERSION, dataset_digest=make_dataset(here))
    assert command_of(run, here)[3:] == [
        *("models", "promote", VERSION, "--data", str(datasets_folder(here) / "spring"), "--json")
    ]


def test_a_promotion_for_one_course_names_it(here: Settings) -> None:
    run = made("PROMOTION", version_digest=VERSION, settings={"course": 12, "reason": "Agreed with the team"})
    assert command_of(run, here)[3:] == [
        *("models", "promote", VERSION, "--course", "12", "--force", "--reason=Agreed with the team", "--json")
    ]


@pytest.mark.parametrize(("kind", "is_given"), [("GRADER", False), ("EXPLAINER", False), ("EXPORT", True)])
def test_only_what_asks_the_database_is_told_where_it_is(here: Settings, kind: RunKind, is_given: bool) -> None:
    settings = load_settings(
        _env_file=None, data_dir=here.data_dir, database_url="postgresql://h/d", database_owner_url="postgresql://o/d"
    )
    environment = environment_of(made(kind), settings)
    assert bool(environment["DATABASE_URL"]) is is_given
    assert environment["DATABASE_OWNER_URL"] == ""
    assert environment["OMP_NUM_THREADS"]
    assert environment["MLQUIZ_BY"] == "ada"


def test_only_a_file_is_a_report(tmp_path: Path) -> None:
    run = made(folder=str(tmp_path))
    assert report_of(made()) is None
    assert report_of(run) is None
    (tmp_path / OUTPUT).mkdir()
    (tmp_path / "secret").write_text("secret")
    report = tmp_path / OUTPUT / "report.html"
    report.symlink_to(tmp_path / "secret")
    assert report_of(run) is None
    report.unlink()
    report.write_text("<!doctype html>")
    assert report_of(run) == report
