"""Training the explainer on a tiny random model: what is left behind, resuming, refusing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from finetune import explainer_model, explainer_training
from finetune.errors import ModelUnsuitable, RunMismatch, TooFewExamples
from finetune.explainer_batches import ExplainerTraining
from finetune.explainer_examples import cases_from
from finetune.explainer_judging import Judged, spread
from finetune.explainer_run import thinned
from finetune.explainer_sources import Sources
from finetune.explainer_training import train_explainer
from grading.explanation.errors import GeneratorRefused
from grading.explanation.generators import LocalGenerator
from grading.unpacking import file_sha256
from tests.conftest_lm import build_tiny_tokenizer
from tests.finetune.explainer_builders import SMALL, build_tiny_lm, few_samples
from tests.unit.explanation_builders import make_feedback

QUICK = replace(SMALL, epochs=1, checked_cases=1, tested_cases=1)


@pytest.fixture(scope="module")
def sources() -> Sources:
    """A few questions of every part, with few answers each: enough to train, quick to decode."""
    return Sources(samples=few_samples())


@pytest.fixture(scope="module")
def finished(
    sources: Sources, tiny_lm_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """A run on the tiny model from start to end."""
    output = tmp_path_factory.mktemp("run")
    return output, train_explainer(sources, tiny_lm_folder, output, base_name="bundled:tiny", training=SMALL)


def test_a_run_leaves_adapter_card_and_metrics(finished: tuple[Path, dict[str, Any]]) -> None:
    output, _ = finished
    assert {path.name for path in output.iterdir()} == {
        "adapter_model.safetensors",
        "adapter_config.json",
        "explainer.json",
        "card.md",
        "metrics.json",
        "report.html",
        "samples.jsonl",
        "manifest.json",
    }


def test_the_manifest_vouches_for_every_file_but_the_samples(finished: tuple[Path, dict[str, Any]]) -> None:
    output, metrics = finished
    manifest = json.loads((output / "manifest.json").read_text())
    names = {path.name for path in output.iterdir()} - {"manifest.json", "samples.jsonl"}
    assert manifest["files"] == {name: file_sha256(output / name) for name in names}
    assert manifest["metrics"] == json.loads(json.dumps(metrics))
    assert (manifest["schema_version"], manifest["kind"]) == (1, "explainer")
    assert manifest["base_model"] == manifest["run"]["base_model"] == "bundled:tiny"
    assert manifest["dataset_digest"] == manifest["run"]["data"][:16]
    assert manifest["code_version"]


def test_the_metrics_hold_numbers_and_no_texts(finished: tuple[Path, dict[str, Any]]) -> None:
    def leaves(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [leaf for each in value.values() for leaf in leaves(each)]
        return [leaf for each in value for leaf in leaves(each)] if isinstance(value, list) else [value]

    assert all(isinstance(leaf, int | float) for leaf in leaves(finished[1]))


def test_the_samples_show_every_writer_and_the_answer(finished: tuple[Path, dict[str, Any]]) -> None:
    lines = (finished[0] / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    samples = [json.loads(line) for line in lines]
    assert len(samples) == 3
    assert all(sample["answer"] and sample["template"] and "base_model" in sample for sample in samples)
    # Random weights write nothing that passes, and it is said.
    assert all(sample["problems"] for sample in samples)


def test_the_checks_are_made_after_every_epoch(finished: tuple[Path, dict[str, Any]]) -> None:
    _, metrics = finished
    per_epoch = metrics["steps_per_epoch"]
    assert (
        [each["step"] for each in metrics["validation"]] == [per_epoch, 2 * per_epoch] == [per_epoch, metrics["steps"]]
    )


def test_the_adapter_takes_less_than_25_megabytes(finished: tuple[Path, dict[str, Any]]) -> None:
    assert (finished[0] / "adapter_model.safetensors").stat().st_size < 25_000_000


def test_the_adapter_names_its_base_and_no_path_of_this_machine(finished: tuple[Path, dict[str, Any]]) -> None:
    output, _ = finished
    config = json.loads((output / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "bundled:tiny"
    for path in output.glob("*.[jmh]*"):
        assert str(output.parent) not in path.read_text()


def test_only_the_upper_half_learned(finished: tuple[Path, dict[str, Any]]) -> None:
    output, _ = finished
    arrays = load_file(output / "adapter_model.safetensors")
    assert {name.split(".layers.")[1].split(".")[0] for name in arrays} == {"1"}
    assert all(array.dtype is torch.float16 for array in arrays.values())
    assert any(bool(array.abs().sum() > 0) for name, array in arrays.items() if "lora_B" in name)


def test_the_loss_falls(finished: tuple[Path, dict[str, Any]]) -> None:
    _, metrics = finished
    assert len(metrics["loss"]) == metrics["steps"] >= 3
    assert metrics["loss"][-1] < metrics["loss"][0]


def test_the_metrics_compare_adapter_base_model_and_template(finished: tuple[Path, dict[str, Any]]) -> None:
    _, metrics = finished
    assert set(metrics["test"]) == {"adapter", "base_model", "template"}
    assert metrics["test"]["template"]["share"] == 1.0
    # Random weights write nothing that passes, and the figures say so.
    assert metrics["test"]["adapter"]["share"] == 0.0
    assert metrics["test"]["adapter"]["problems"]
    assert len({each["cases"] for each in metrics["test"].values()}) == 1


def test_the_card_tells_the_figures_of_the_metrics(finished: tuple[Path, dict[str, Any]]) -> None:
    output, metrics = finished
    card = (output / "card.md").read_text()
    run = json.loads((output / "manifest.json").read_text())["run"]
    assert run["data"][:12] in card
    assert f"| template | {metrics['test']['template']['cases']} | 100% | none |" in card
    assert "Where not to use it" in card


def test_the_trained_adapter_is_served(finished: tuple[Path, dict[str, Any]], tiny_lm_folder: Path) -> None:
    output, _ = finished
    generator = LocalGenerator(tiny_lm_folder, output)
    assert generator.languages == {"en"}
    assert len(generator.versions["adapter"]) == 12
    assert len(generator.rewrite([make_feedback()])) == 1


def test_an_adapter_for_another_prompt_is_refused(
    finished: tuple[Path, dict[str, Any]], tiny_lm_folder: Path, tmp_path: Path
) -> None:
    for path in finished[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "explainer.json").write_text('{"prompt": "0", "languages": ["en"]}')
    with pytest.raises(GeneratorRefused, match="trained with prompt '0'"):
        LocalGenerator(tiny_lm_folder, tmp_path)


def test_an_adapter_of_another_model_is_refused(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = build_tiny_tokenizer("{{ messages[0]['content'] }}")
    tokenizer.save_pretrained(tmp_path)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        bos_token_id=0,
        eos_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    with pytest.raises(GeneratorRefused, match="cannot load"):
        LocalGenerator(tmp_path, finished[0])


def test_a_finished_run_is_not_trained_again(
    finished: tuple[Path, dict[str, Any]],
    sources: Sources,
    tiny_lm_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(explainer_training, "_step", lambda *_: pytest.fail("trained again"))
    output, metrics = finished
    again = train_explainer(sources, tiny_lm_folder, output, base_name="bundled:tiny", training=SMALL)
    assert again == json.loads(json.dumps(metrics))


def test_a_folder_with_another_run_is_refused(
    finished: tuple[Path, dict[str, Any]], sources: Sources, tiny_lm_folder: Path
) -> None:
    with pytest.raises(RunMismatch, match="another training"):
        train_explainer(
            sources, tiny_lm_folder, finished[0], base_name="bundled:tiny", training=ExplainerTraining(seed=2)
        )


def test_too_few_questions_are_an_error(sources: Sources, tiny_lm_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TooFewExamples):
        train_explainer(
            Sources(samples=sources.samples[:1]), tiny_lm_folder, tmp_path, base_name="bundled:tiny", training=SMALL
        )


def test_a_model_without_chat_template_cannot_be_trained(
    sources: Sources, tiny_lm_folder: Path, tmp_path: Path
) -> None:
    build_tiny_tokenizer(None).save_pretrained(tmp_path)
    with pytest.raises(ModelUnsuitable, match="chat template"):
        train_explainer(sources, tmp_path, tmp_path / "run", base_name="bundled:tiny", training=SMALL)


def test_judged_cases_are_spread_over_all(sources: Sources) -> None:
    cases = cases_from(sources.samples)
    chosen = spread(cases, 5)
    assert len(chosen) == 5
    assert chosen[0] is cases[0]
    assert len({case.question_id for case in chosen}) >= 4
    assert spread(cases[:3], 5) == cases[:3]


def test_the_rate_rises_shortly_and_falls_to_nearly_nothing() -> None:
    shares = [explainer_training._rate_share(step, 100) for step in range(100)]
    assert shares[0] == pytest.approx(0.2)
    assert max(shares) == shares[5] == 1.0
    assert shares[5:] == sorted(shares[5:], reverse=True)
    assert shares[-1] < 0.001
    assert explainer_training._rate_share(0, 1) == 1.0


def test_a_long_curve_is_thinned_to_means() -> None:
    assert thinned([1.0, 3.0]) == [1.0, 3.0]
    assert thinned([1.0, 3.0] * 100) == [2.0] * 100
    assert thinned([]) == []


# Early stopping ---------------------------------------------------------------------------------------------------


@pytest.fixture
def judge_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[float]], None]:
    """Checks with given shares on the questions that choose: random weights never pass any of their own."""

    def told(shares: Sequence[float]) -> None:
        left = iter(shares)

        def judged(_model: object, _tokenizer: object, cases: Any, *, is_adapted: bool = True) -> Judged:
            return _Given(cases=cases, texts=[""] * len(cases), given=next(left, 0.0))

        monkeypatch.setattr(explainer_training, "judged", judged)

    return told


@dataclass(frozen=True, kw_only=True)
class _Given(Judged):
    given: float

    @property
    def share(self) -> float:
        return self.given


def test_it_ends_when_the_texts_get_no_better_and_keeps_the_best_epoch(
    sources: Sources, tiny_lm_folder: Path, tmp_path: Path, judge_by: Callable[[Sequence[float]], None]
) -> None:
    judge_by([0.2, 0.6, 0.5, 0.4])
    training = replace(QUICK, epochs=6, patience=2)
    metrics = train_explainer(sources, tiny_lm_folder, tmp_path, base_name="bundled:tiny", training=training)
    per_epoch = metrics["steps_per_epoch"]
    assert metrics["steps"] == 4 * per_epoch
    assert metrics["best_step"] == 2 * per_epoch


def test_what_is_kept_is_the_adapter_of_the_best_epoch(
    sources: Sources, tiny_lm_folder: Path, tmp_path: Path, judge_by: Callable[[Sequence[float]], None]
) -> None:
    adapters: list[Any] = []
    for name, shares in (("first", [0.9, 0.1]), ("last", [0.1, 0.9])):
        judge_by(shares)
        output = tmp_path / name
        train_explainer(
            sources, tiny_lm_folder, output, base_name="bundled:tiny", training=replace(QUICK, epochs=2, patience=5)
        )
        adapters.append(load_file(output / "adapter_model.safetensors"))
    assert any(not torch.equal(adapters[0][name], adapters[1][name]) for name in adapters[0])


# Models -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", ["qwen2", "qwen3"])
def test_a_model_of_another_make_is_trained_and_served(make: str, sources: Sources, tmp_path: Path) -> None:
    folder = build_tiny_lm(tmp_path / "model", make)
    train_explainer(sources, folder, tmp_path / "run", base_name="tiny", training=QUICK)
    assert len(LocalGenerator(folder, tmp_path / "run").rewrite([make_feedback()])) == 1


def test_a_template_without_system_messages_is_refused(sources: Sources, tmp_path: Path) -> None:
    template = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    folder = build_tiny_lm(tmp_path / "model", "llama", chat_template=template)
    with pytest.raises(ModelUnsuitable, match="no system message"):
        train_explainer(sources, folder, tmp_path / "run", base_name="tiny", training=QUICK)


def test_a_folder_without_a_model_is_refused(sources: Sources, tmp_path: Path) -> None:
    with pytest.raises(ModelUnsuitable, match="cannot load"):
        train_explainer(sources, tmp_path, tmp_path / "run", base_name="tiny", training=QUICK)


def test_an_adapter_over_25_megabytes_is_refused_with_a_rank_that_fits(
    sources: Sources, tiny_lm_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explainer_model, "MAX_ADAPTER_BYTES", 5000)
    with pytest.raises(ModelUnsuitable, match=r"rank 8 .*--rank [1-7] fits"):
        train_explainer(sources, tiny_lm_folder, tmp_path, base_name="tiny", training=QUICK)


def test_four_bits_without_a_gpu_are_refused(
    sources: Sources, tiny_lm_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelUnsuitable, match="needs an NVIDIA GPU"):
        train_explainer(sources, tiny_lm_folder, tmp_path, base_name="tiny", training=replace(QUICK, quantize="4bit"))


def test_four_bits_without_their_package_are_refused_with_what_to_install(
    sources: Sources, tiny_lm_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(explainer_model, "find_spec", lambda _name: None)
    with pytest.raises(ModelUnsuitable, match=r"pip install 'mlquiz\[qlora\]'"):
        train_explainer(sources, tiny_lm_folder, tmp_path, base_name="tiny", training=replace(QUICK, quantize="4bit"))
