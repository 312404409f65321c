"""``kill -9`` in the middle of a training: the same command goes on, to the same model."""

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
from dataclasses import replace
from pathlib import Path
import torch
from finetune.reader_training import train_reader
from tests.finetune.reader_data import TINY, few_questions
torch.set_num_threads(1)
mode, encoder, output = sys.argv[1:]
training = replace(TINY, mode=mode, epochs=2, batch_size=24, lora_layers=1 if mode == "lora" else None)
def tell(done, total, text):
    print(done, total, "loss" if "loss" in text else "other", flush=True)
train_reader(few_questions(), encoder, Path(output), encoder_name="tiny", training=training, progress=tell)
"""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_transformer(tmp_path_factory.mktemp("models") / "bert", "bert")


def started(mode: str, encoder: Path, output: Path) -> subprocess.Popen[str]:
    """A training in a process of its own that says each step on its standard output."""
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, mode, str(encoder), str(output)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
        env={**environment, "PYTHONPATH": str(_ROOT)},
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


@pytest.mark.parametrize("mode", ["reader", "lora"])
def test_a_training_killed_at_once_goes_on_to_the_same_model(mode: str, encoder: Path, tmp_path: Path) -> None:
    with started(mode, encoder, tmp_path / "whole") as whole:
        steps_told(whole)
    with started(mode, encoder, tmp_path / "run") as victim:
        steps_told(victim, until=0.6)
        victim.send_signal(signal.SIGKILL)
    assert victim.returncode == -signal.SIGKILL
    assert not (tmp_path / "run" / "manifest.json").exists()
    with started(mode, encoder, tmp_path / "run") as again:
        told = steps_told(again)
    assert (whole.returncode, again.returncode) == (0, 0)
    assert told[0] > 1, "it began anew instead of going on"
    for name in ("reader.safetensors", "head.json", "readings.jsonl"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    found, wanted = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("run", "whole"))
    assert {**found, "seconds": 0} == {**wanted, "seconds": 0}
