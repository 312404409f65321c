"""Training the explainer on a tiny random model: what is left behind, resuming, refusing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from finetune import explainer_training
from finetune.errors import ModelUnsuitable, RunMismatch, TooFewExamples
from finetune.explainer_batches import ExplainerTraining, batches_of
from finetune.explainer_examples import cases_from, cases_of
from finetune.explainer_judging import spread
from finetune.explainer_run import thinned
from finetune.explainer_training import train_explainer
from grading.explanation.errors import GeneratorRefused
from grading.explanation.generators import LocalGenerator
from grading.samples import SampleQuestion, load_samples
from tests.conftest_lm import build_tiny_tokenizer
from tests.unit.explanation_builders import make_feedback

SMALL = ExplainerTraining(epochs=1, replies_per_case=1, batch_size=8, checked_cases=2, max_tokens=1000, patience=9)


@pytest.fixture(scope="module")
def samples() -> tuple[SampleQuestion, ...]:
    """A few questions of every part, with few answers each: enough to train, quick to decode."""
    chosen: dict[str, list[SampleQuestion]] = {}
    for sample in load_samples("en"):
        part = cases_from([sample])[0].part
        chosen.setdefault(part, [])
        if len(chosen[part]) < (4 if part == "train" else 1):
            chosen[part].append(sample)
    return tuple(sample for group in chosen.values() for sample in group)


@pytest.fixture(scope="module")
def finished(
    samples: tuple[SampleQuestion, ...], tiny_lm_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """A run on the tiny model from start to end."""
    output = tmp_path_factory.mktemp("run")
    return output, train_explainer(samples, tiny_lm_folder, output, base_model="bundled:tiny", training=SMALL)


def test_a_run_leaves_adapter_card_and_metrics(finished: tuple[Path, dict[str, Any]]) -> None:
    output, _ = finished
    assert {path.name for path in output.iterdir()} == {
        "adapter_model.safetensors",
        "adapter_config.json",
        "explainer.json",
        "card.md",
        "metrics.json",
    }


def test_the_adapter_names_its_base_and_no_path_of_this_machine(finished: tuple[Path, dict[str, Any]]) -> None:
    output, _ = finished
    config = json.loads((output / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "bundled:tiny"
    for path in output.glob("*.[jm]*"):
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
    assert all(sample["problems"] for sample in metrics["samples"])


def test_the_card_tells_the_figures_of_the_metrics(finished: tuple[Path, dict[str, Any]]) -> None:
    output, metrics = finished
    card = (output / "card.md").read_text()
    assert metrics["data"][:12] in card
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
    samples: tuple[SampleQuestion, ...],
    tiny_lm_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(explainer_training, "_step", lambda *_: pytest.fail("trained again"))
    output, metrics = finished
    again = train_explainer(samples, tiny_lm_folder, output, base_model="bundled:tiny", training=SMALL)
    assert again == json.loads(json.dumps(metrics))


def test_a_folder_with_another_run_is_refused(
    finished: tuple[Path, dict[str, Any]], samples: tuple[SampleQuestion, ...], tiny_lm_folder: Path
) -> None:
    with pytest.raises(RunMismatch, match="another training"):
        train_explainer(
            samples, tiny_lm_folder, finished[0], base_model="bundled:tiny", training=ExplainerTraining(seed=2)
        )


def test_a_stopped_run_goes_on_to_the_same_adapter(
    finished: tuple[Path, dict[str, Any]],
    samples: tuple[SampleQuestion, ...],
    tiny_lm_folder: Path,
    tmp_path: Path,
) -> None:
    whole, metrics = finished

    class KilledError(Exception):
        pass

    def stop_after_the_first_check(done: int, total: int, text: str) -> None:
        if total and done > total // 2 + 1:
            raise KilledError

    with pytest.raises(KilledError):
        train_explainer(
            samples,
            tiny_lm_folder,
            tmp_path,
            base_model="bundled:tiny",
            training=SMALL,
            progress=stop_after_the_first_check,
        )
    assert (tmp_path / "checkpoint" / "last.safetensors").exists()
    told: list[int] = []
    again = train_explainer(
        samples,
        tiny_lm_folder,
        tmp_path,
        base_model="bundled:tiny",
        training=SMALL,
        progress=lambda done, _total, text: told.append(done) if text.startswith("loss") else None,
    )
    assert told[0] > 1, "it began anew instead of going on"
    assert again["loss"] == pytest.approx(metrics["loss"], abs=1e-3)
    one, other = (load_file(folder / "adapter_model.safetensors") for folder in (whole, tmp_path))
    assert all(torch.allclose(one[name].float(), other[name].float(), atol=2e-3) for name in one)


def test_too_few_questions_are_an_error(
    samples: tuple[SampleQuestion, ...], tiny_lm_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(TooFewExamples):
        train_explainer(samples[:1], tiny_lm_folder, tmp_path, base_model="bundled:tiny", training=SMALL)


def test_a_model_without_chat_template_cannot_be_trained(
    samples: tuple[SampleQuestion, ...], tiny_lm_folder: Path, tmp_path: Path
) -> None:
    build_tiny_tokenizer(None).save_pretrained(tmp_path)
    with pytest.raises(ModelUnsuitable, match="chat template"):
        train_explainer(samples, tmp_path, tmp_path / "run", base_model="bundled:tiny", training=SMALL)


def test_the_loss_counts_the_reply_only(samples: tuple[SampleQuestion, ...], tiny_lm_folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(tiny_lm_folder))
    model = AutoModelForCausalLM.from_pretrained(str(tiny_lm_folder))
    cases = cases_of(cases_from(samples), "train")
    for batch in batches_of(model, tokenizer, cases, SMALL):
        labels, tokens = batch["labels"], batch["tokens"]
        counted = labels != -100
        assert torch.equal(labels[counted], tokens[counted])
        assert int(counted.sum(1).max()) == batch["reply_width"]
        # Every row ends with the reply's end mark, and what is counted stands in one piece at the end.
        assert set(labels[:, -1].tolist()) == {tokenizer.eos_token_id}
        assert bool((counted.long().diff(dim=1) >= 0).all())
        # What is padded is masked.
        assert not bool(batch["mask"][tokens == tokenizer.pad_token_id].any())


def test_judged_cases_are_spread_over_all(samples: tuple[SampleQuestion, ...]) -> None:
    cases = cases_from(samples)
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
