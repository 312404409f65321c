"""Models × epochs and several seeds: each cell a run of its own, finished ones left alone, failures named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

from finetune.cli import train
from finetune.dataset import read_dataset
from finetune.errors import ModelUnsuitable
from finetune.seeds import spread_over_seeds
from finetune.sweep import folder_of, sweep
from tests.finetune.dataset_data import make_example, make_question, write

Told = list[tuple[str, int]]


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def figure(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


def trained(model: str, epochs: int, folder: Path) -> dict[str, Any]:
    """The figures of a training, without one: better with every pass; the encoder ``broken`` cannot be trained."""
    if model == "broken":
        raise ModelUnsuitable("the encoder <b>broken</b> has no layers")
    return {"figures": {"mse": figure(0.1 / epochs), "mae": figure(0.2), "pearson_r": figure(0.5), "bias": figure(0)}}


def quiet(done: int, total: int, text: str) -> None:
    pass


def swept(output: Path, *models: str) -> dict[str, Any]:
    return sweep(models, (1, 2), output, trained, tell=quiet)


# --- the table ---------------------------------------------------------------------------------------------------


def test_every_model_is_trained_for_every_number_of_epochs(tmp_path: Path) -> None:
    cells = swept(tmp_path, "a", "b")["cells"]
    assert [(cell["model"], cell["epochs"]) for cell in cells] == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert cells[1]["figures"]["mse"]["value"] == 0.05
    assert set(cells[0]["figures"]) == {"mse", "mae", "pearson_r"}


def test_a_model_that_fails_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    cells = swept(tmp_path, "broken", "b")["cells"]
    assert [cell["problem"] is None for cell in cells] == [False, False, True, True]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "has no layers" in page
    assert "<b>broken</b>" not in page


def test_the_page_names_the_best_and_draws_each_figure(tmp_path: Path) -> None:
    swept(tmp_path, "a", "b")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The lowest mean squared error has a after 2 epochs." in page
    for title in ("MSE by epochs", "MAE by epochs", "r by epochs"):
        assert f'aria-label="{title}"' in page


def test_where_all_fail_there_is_a_page_all_the_same(tmp_path: Path) -> None:
    swept(tmp_path, "broken")
    assert "No training has finished yet." in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_what_is_done_is_on_the_page_before_the_next_one_ends(tmp_path: Path) -> None:
    def stops(model: str, epochs: int, folder: Path) -> dict[str, Any]:
        if epochs == 2:
            raise KeyboardInterrupt
        return trained(model, epochs, folder)

    with pytest.raises(KeyboardInterrupt):
        sweep(["a"], [1, 2], tmp_path, stops, tell=quiet)
    assert len(json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["cells"]) == 1


def test_models_whose_folders_are_called_the_same_have_runs_of_their_own(tmp_path: Path) -> None:
    one, other = (folder_of(f"{parent}/encoder", 1, tmp_path) for parent in ("one", "other"))
    assert one != other
    assert one.parent.name.startswith("encoder-")


def test_a_name_that_is_no_name_of_a_folder_stays_inside(tmp_path: Path) -> None:
    for model in ("..", "../..", "a/../../etc", "/", "bundled:e5-small"):
        assert folder_of(model, 1, tmp_path).resolve().parent.parent == tmp_path.resolve()


# --- seeds -------------------------------------------------------------------------------------------------------


def test_the_spread_is_mean_and_deviation_over_the_seeds() -> None:
    found = spread_over_seeds([{"figures": {"mse": figure(value)}} for value in (0.1, 0.2, 0.3)])
    assert found == {"count": 3, "mse": {"mean": 0.2, "deviation": 0.1, "each": {"1": 0.1, "2": 0.2, "3": 0.3}}}


def test_a_figure_that_a_run_lacks_has_no_spread() -> None:
    assert spread_over_seeds([{"figures": {"mse": figure(0.1)}}, {"figures": {}}]) == {"count": 2}


# --- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Path:
    questions = [make_question(number, prompt=f"What is meant by term {number}?") for number in range(30)]
    write(tmp_path / "data", [make_example(number, question=f"q{number}") for number in range(30)], questions)
    return tmp_path / "data"


def grader(*arguments: str | Path) -> Result:
    return CliRunner().invoke(train, ["grader", *map(str, arguments)])


@pytest.mark.slow
def test_a_sweep_leaves_runs_that_are_not_trained_again(data: Path, tiny_encoder_folder: Path, tmp_path: Path) -> None:
    arguments = ["--output", tmp_path / "sweep", "--data", data, "--no-bank", "--folds", "2", "--sweep-epochs", "1"]
    arguments += ["--mode", "reader", "--sweep", f"{tiny_encoder_folder}, {tmp_path / 'nowhere'}", "--json"]
    first = grader(*arguments)
    assert first.exit_code == 0, first.output
    done, failed = json.loads(first.stdout)["cells"]
    run = tmp_path / "sweep" / done["run"]
    assert failed["problem"]
    manifest = (run / "manifest.json").read_bytes()
    assert json.loads(manifest)["dataset_digest"] == read_dataset(data).digest
    assert json.loads(grader(*arguments).stdout)["cells"] == [done, failed]
    assert (run / "manifest.json").read_bytes() == manifest


@pytest.mark.slow
def test_several_seeds_say_how_the_figures_spread(data: Path, tiny_encoder_folder: Path, tmp_path: Path) -> None:
    arguments = ["--output", tmp_path / "run", "--data", data, "--no-bank", "--folds", "2"]
    arguments += ["--mode", "reader", "--epochs", "1"]
    result = grader(*arguments, "--model", tiny_encoder_folder, "--seeds", "2")
    assert result.exit_code == 0, result.output
    assert "seeds mse" in result.stdout
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["seeds"]["count"] == 2
    assert metrics["seeds"]["mse"]["each"]["1"] == metrics["figures"]["mse"]["value"]
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["run"]["training"]["seed"] == 1
    assert not any(name.startswith("seeds") for name in manifest["files"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--mode", "reader", "--sweep", "a", "--epochs", "2"], "leave out --model, --epochs and --seeds"),
        (["--mode", "reader", "--sweep", "a", "--model", "b"], "leave out --model, --epochs and --seeds"),
        (["--mode", "reader", "--sweep", " , "], "--sweep names the encoders"),
        (["--sweep", "a", "--mode", "head"], "leave --layers"),
        (["--mode", "reader", "--sweep", "a", "--sweep-epochs", "1,x"], "whole numbers between commas"),
        (["--mode", "reader", "--sweep", "a", "--sweep-epochs", "0,1"], "from 1 to 100"),
        (["--seeds", "0"], "not in the range"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: list[str], said: str, tmp_path: Path) -> None:
    result = grader("--output", tmp_path / "run", *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert not (tmp_path / "run").exists()
