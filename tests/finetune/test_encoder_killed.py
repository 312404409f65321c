"""``kill -9`` while an encoder is tuned: the same command goes on, to the same model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from finetune.progress_file import VARIABLE
from tests.conftest_models import build_tiny_transformer

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[2]
_PROGRAM = """
import sys
from pathlib import Path
import torch
from finetune.encoder_pairs import EncoderTraining
from finetune.encoder_run import train_full
from tests.finetune.reader_data import few_questions
torch.set_num_threads(1)
encoder, output = sys.argv[1:]
training = EncoderTraining(loss="mse", epochs=3, patience=3, folds=2, batch_size=4, rate=1e-3)
def tell(done, total, text):
    print(done, total, "loss" if "loss" in text else "other", flush=True)
train_full(few_questions(), encoder, Path(output), encoder_name="tiny", training=training, progress=tell)
"""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_transformer(tmp_path_factory.mktemp("models") / "bert", "bert")


@pytest.fixture(scope="module")
def whole(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing stopped."""
    output = tmp_path_factory.mktemp("runs") / "whole"
    with started(encoder, output) as process:
        steps_told(process)
    assert process.returncode == 0
    return output


def started(encoder: Path, output: Path) -> subprocess.Popen[str]:
    """A training in a process of its own that says each step on its standard output."""
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    paths = [str(_ROOT), environment.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(encoder), str(output)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
        env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )


def steps_told(process: subprocess.Popen[str], *, until: float = 2.0) -> list[int]:
    """The steps of the training as they are told, up to this share of all; the rest is left unread."""
    assert process.stdout is not None
    told: list[int] = []
    for line in process.stdout:
        done, total, what = line.split()
        if what == "loss":
            told.append(int(done))
            if int(done) >= until * int(total):
                break
    return told


def killed(encoder: Path, output: Path, share: float) -> None:
    with started(encoder, output) as victim:
        steps_told(victim, until=share)
        victim.send_signal(signal.SIGKILL)
    assert victim.returncode == -signal.SIGKILL
    assert not (output / "manifest.json").exists()


def same_as(whole: Path, run: Path) -> bool:
    files = json.loads((whole / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert "encoder/model.safetensors" in files
    own = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    return own["files"] == files and (run / "manifest.json").read_bytes() == (whole / "manifest.json").read_bytes()


def test_a_run_killed_again_and_again_comes_to_the_same_model(encoder: Path, whole: Path, tmp_path: Path) -> None:
    """In the middle of a fold's second pass, early in the next fold, and in the last pass over all questions."""
    run = tmp_path / "run"
    for share in (0.2, 0.35, 0.95):
        killed(encoder, run, share)
    with started(encoder, run) as again:
        told = steps_told(again)
    assert again.returncode == 0
    assert told[0] > 1, "it began anew instead of going on"
    assert same_as(whole, run)
    assert not (run / "checkpoint").exists()


def test_a_half_written_checkpoint_is_passed_over(encoder: Path, whole: Path, tmp_path: Path) -> None:
    """What a kill leaves in the middle of writing: weights, and no state of the trainer beside them, or half of it."""
    run = tmp_path / "run"
    killed(encoder, run, 0.25)
    part = run / "checkpoint" / "part-0"
    checkpoint = max(part.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    state = checkpoint / "trainer_state.json"
    state.write_bytes(state.read_bytes()[:40])
    (checkpoint / "optimizer.pt").unlink()
    with started(encoder, run) as again:
        steps_told(again)
    assert again.returncode == 0
    assert same_as(whole, run)
