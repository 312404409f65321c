"""A training that was killed goes on to the same adapter: real processes, real kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from finetune import explainer_run, explainer_training
from finetune.errors import RunMismatch
from finetune.explainer_run import RunState
from finetune.explainer_sources import Sources
from finetune.explainer_training import train_explainer
from tests.finetune.explainer_builders import SMALL, few_samples

ROOT = Path(__file__).parents[2]

# Kills itself where it is told to: before the given step is taken, or while a file is being written.
PROGRAM = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path

import torch

torch.set_num_threads(1)
from finetune import explainer_run, explainer_training
from finetune.explainer_sources import Sources
from tests.finetune.explainer_builders import SMALL, few_samples

where, folder, output = sys.argv[1:]

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def tell(done, total, text):
    if where == f"step {done}" and text.startswith("loss"):
        die()

def half_written(arrays, path, *rest, **more):
    Path(path).write_bytes(b"half")
    die()

if where == "checkpoint":
    explainer_run.save_file = half_written
if where == "adapter":
    kept = explainer_run.save_file
    explainer_run.save_file = lambda arrays, path, *rest, **more: (
        half_written if Path(path).name == "adapter_model.safetensors" else kept)(arrays, path, *rest, **more)
if where == "manifest":
    explainer_run.file_sha256 = die
explainer_training.STEPS_BETWEEN_CHECKPOINTS = 1
explainer_training.train_explainer(
    Sources(samples=few_samples()), folder, Path(output), base_name="tiny",
    training=replace(SMALL, checked_cases=1, tested_cases=1), progress=tell)
"""
TRAINING = replace(SMALL, checked_cases=1, tested_cases=1)


@pytest.fixture(scope="module")
def whole(tiny_lm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nobody disturbed."""
    output = tmp_path_factory.mktemp("runs") / "whole"
    train_explainer(Sources(samples=few_samples()), tiny_lm_folder, output, base_name="tiny", training=TRAINING)
    return output


def killed(where: str, folder: Path, output: Path) -> None:
    """The same training in a process that is killed at ``where``."""
    arguments = [sys.executable, "-c", PROGRAM, where, str(folder), str(output)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(arguments, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    assert not (output / "manifest.json").exists()


def assert_same(one: Path, other: Path) -> None:
    """Bit for bit the same adapter, and the same figures but for the time they took."""
    left, right = (load_file(folder / "adapter_model.safetensors") for folder in (one, other))
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)
    first, second = (json.loads((folder / "metrics.json").read_text()) for folder in (one, other))
    assert first | {"seconds": 0} == second | {"seconds": 0}


@pytest.mark.parametrize("where", ["step 4", "checkpoint", "adapter", "manifest"])
def test_a_killed_run_goes_on_to_the_same_result(where: str, whole: Path, tiny_lm_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    killed(where, tiny_lm_folder, output)
    told: list[int] = []

    def tell(done: int, _total: int, text: str) -> None:
        if text.startswith("loss"):
            told.append(done)

    train_explainer(
        Sources(samples=few_samples()), tiny_lm_folder, output, base_name="tiny", training=TRAINING, progress=tell
    )
    steps: int = json.loads((output / "metrics.json").read_text())["steps"]
    # Killed within step 4, it goes on with step 4; killed after the last step, there is none left.
    begun: int = {"step 4": 4, "checkpoint": 1}.get(where, steps + 1)
    assert told == [*range(begun, steps + 1)]
    assert_same(whole, output)
    assert not (output / "checkpoint").exists()


def test_a_checkpoint_of_other_settings_is_refused(tiny_lm_folder: Path, tmp_path: Path) -> None:
    killed("step 4", tiny_lm_folder, tmp_path)
    with pytest.raises(RunMismatch, match="another training"):
        train_explainer(
            Sources(samples=few_samples()),
            tiny_lm_folder,
            tmp_path,
            base_name="tiny",
            training=replace(TRAINING, seed=2),
        )


def test_what_a_kill_left_of_a_finished_run_is_cleared_away(whole: Path, tiny_lm_folder: Path) -> None:
    (whole / "checkpoint").mkdir()
    (whole / "checkpoint" / "assessments.jsonl").write_text("[]", encoding="utf-8")
    train_explainer(Sources(samples=few_samples()), tiny_lm_folder, whole, base_name="tiny", training=TRAINING)
    assert not (whole / "checkpoint").exists()


def test_a_checkpoint_keeps_the_best_adapter_with_the_state(
    tiny_lm_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[RunState] = []
    keep = explainer_run.save_checkpoint

    def save(model: Any, optimizer: Any, state: RunState, *rest: Any) -> None:
        keep(model, optimizer, state, *rest)
        found = explainer_run.resumed(model, optimizer, *rest)
        assert {name: array.tolist() for name, array in found.best.items()} == {
            name: array.tolist() for name, array in state.best.items()
        }
        assert replace(found, best={}) == replace(state, best={})
        saved.append(found)

    monkeypatch.setattr(explainer_training, "save_checkpoint", save)
    train_explainer(
        Sources(samples=few_samples()),
        tiny_lm_folder,
        tmp_path,
        base_name="tiny",
        training=TRAINING,
    )
    assert len(saved) == 2
    assert all(state.best for state in saved)
