"""``mlquiz train …``: help, JSON, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from finetune.cli import train

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


def test_json_is_all_that_stands_on_standard_output(
    tiny_lm_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from finetune import explainer_training

    def trained(_samples: object, folder: object, output: Path, **told: object) -> dict[str, object]:
        return {"folder": str(folder), "output": str(output), "base_model": told["base_model"], "test": {}}

    # The training itself has its own tests; this one is about what the command hands over and prints.
    monkeypatch.setattr(explainer_training, "train_explainer", trained)
    result = CliRunner().invoke(
        train, ["explainer", "--output", str(tmp_path / "run"), "--model", str(tiny_lm_folder), "--json"]
    )
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["folder"] == told["base_model"] == str(tiny_lm_folder)
    assert told["output"] == str(tmp_path / "run")
