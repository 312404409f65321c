"""A run as a model of its own: merged for transformers, and GGUF where a converter is installed."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from finetune.errors import ModelUnsuitable, RunMismatch
from finetune.explainer_export import CONVERTER, export_gguf, export_merged
from finetune.explainer_sources import Sources
from finetune.explainer_training import train_explainer
from grading.explanation.generators import LocalGenerator
from tests.finetune.explainer_builders import SMALL, build_tiny_lm, few_samples
from tests.unit.explanation_builders import make_feedback


@pytest.fixture(scope="module")
def run(tiny_lm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on the tiny model."""
    output = tmp_path_factory.mktemp("runs") / "one"
    training = replace(SMALL, epochs=1, checked_cases=1, tested_cases=1)
    train_explainer(Sources(samples=few_samples()), tiny_lm_folder, output, base_name="tiny", training=training)
    return output


@pytest.fixture
def converter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of the converter's name that takes what the converter takes, first on the path."""
    path = tmp_path / "bin" / CONVERTER
    path.parent.mkdir()
    path.write_text(
        '#!/bin/sh\n[ -f "$1/model.safetensors" ] && [ "$2 $4 $5" = "--outfile --outtype f16" ] && printf GGUF > "$3"\n'
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
    return path


def test_the_merged_model_writes_what_base_and_adapter_write(run: Path, tiny_lm_folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "models" / "merged"
    export_merged(run, tiny_lm_folder, target)
    feedback = [make_feedback()]
    assert LocalGenerator(target).rewrite(feedback) == LocalGenerator(tiny_lm_folder, run).rewrite(feedback)


def test_the_merged_model_is_one_of_transformers_in_safetensors(
    run: Path, tiny_lm_folder: Path, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    export_merged(run, tiny_lm_folder, tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(str(tmp_path / "merged"), use_safetensors=True)
    base = AutoModelForCausalLM.from_pretrained(str(tiny_lm_folder))
    moved = [name for name, each in merged.state_dict().items() if not torch.equal(each, base.state_dict()[name])]
    assert moved
    assert all(".layers.1." in name for name in moved)
    assert AutoTokenizer.from_pretrained(str(tmp_path / "merged")).chat_template
    assert "Where not to use it" in (tmp_path / "merged" / "README.md").read_text(encoding="utf-8")


def test_a_folder_with_something_in_it_is_left_alone(run: Path, tiny_lm_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RunMismatch, match="choose an empty folder"):
        export_merged(run, tiny_lm_folder, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_unfinished_run_is_refused(run: Path, tiny_lm_folder: Path, tmp_path: Path) -> None:
    for path in run.iterdir():
        if path.name != "manifest.json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(RunMismatch, match="no finished run"):
        export_merged(tmp_path, tiny_lm_folder, tmp_path / "merged")


def test_another_base_model_is_refused_and_leaves_nothing(run: Path, tmp_path: Path) -> None:
    other = build_tiny_lm(tmp_path / "other", "gpt2")
    with pytest.raises(ModelUnsuitable, match="cannot put the adapter"):
        export_merged(run, other, tmp_path / "models" / "merged")
    assert [*(tmp_path / "models").iterdir()] == []


def test_without_a_converter_it_is_said_what_to_install(
    run: Path, tiny_lm_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelUnsuitable, match=f"pipx install {CONVERTER}"):
        export_gguf(run, tiny_lm_folder, tmp_path / "gguf")
    assert not (tmp_path / "gguf").exists()


@pytest.mark.usefixtures("converter")
def test_the_converter_gets_the_merged_model(run: Path, tiny_lm_folder: Path, tmp_path: Path) -> None:
    written = export_gguf(run, tiny_lm_folder, tmp_path / "gguf")
    assert written.read_bytes() == b"GGUF"
    assert [path.name for path in (tmp_path / "gguf").iterdir()] == ["model.gguf"]


def test_a_converter_that_fails_is_quoted(run: Path, tiny_lm_folder: Path, tmp_path: Path, converter: Path) -> None:
    converter.write_text("#!/bin/sh\necho 'Model TinyForCausalLM is not supported' >&2\nexit 1\n", encoding="utf-8")
    with pytest.raises(ModelUnsuitable, match="TinyForCausalLM is not supported"):
        export_gguf(run, tiny_lm_folder, tmp_path / "gguf")
    assert not (tmp_path / "gguf").exists()
