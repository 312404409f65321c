"""Train a LoRA adapter that words feedback objects, on any causal language model with a chat template.

The loss counts the reply only. What is judged is not the loss but the texts: at every check the model words feedback of
questions it never trained on, and the share that passes :mod:`grading.explanation.checks` decides which state is kept,
because more epochs make such models worse. A run continues where it was stopped and gives the same result for a seed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from finetune.errors import ModelUnsuitable
from finetune.explainer_batches import ExplainerTraining, batches_of
from finetune.explainer_examples import ExplainerCase, cases_from, cases_of, digest_of
from finetune.explainer_judging import judged, side_by_side, spread, template_share
from finetune.explainer_run import (
    RunState,
    adapter_arrays,
    finished_metrics,
    resumed,
    save_checkpoint,
    set_adapter,
    thinned,
    write_run,
)
from grading.explanation.checks import CHECKS_VERSION
from grading.explanation.decoding import Model, Tokenizer, serving_dtype
from grading.explanation.lora import with_new_adapter
from grading.explanation.prompt import PROMPT_VERSION
from grading.samples import SampleQuestion

#: Told after every step: steps done, steps in all, a sentence.
Progress = Callable[[int, int, str], None]


def train_explainer(
    samples: Sequence[SampleQuestion],
    model_folder: Path | str,
    output: Path,
    *,
    base_model: str,
    training: ExplainerTraining | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train on English ``samples``; leave adapter, ``explainer.json``, ``card.md`` and ``metrics.json`` in ``output``.

    ``base_model`` is the name written into the adapter. Returns the metrics. Raises the errors of
    :mod:`finetune.errors`. A folder with a finished run of the same settings and data returns its metrics at once.
    """
    training = training or ExplainerTraining()
    tell = progress or (lambda _done, _total, _text: None)
    cases = cases_from(sample for sample in samples if sample.language == "en")
    run = {"training": asdict(training), "data": digest_of(cases), "base_model": base_model, "prompt": PROMPT_VERSION}
    if (finished := finished_metrics(output, run)) is not None:
        return finished
    parts = {part: cases_of(cases, part) for part in ("train", "validation", "test")}
    torch.manual_seed(training.seed)
    model, tokenizer = _base(model_folder)
    adapted = _with_adapter(model, training)
    tell(0, 0, "judging the base model")
    before = judged(adapted, tokenizer, spread(parts["test"], training.checked_cases), is_adapted=False)
    state = _fit(adapted, tokenizer, parts, training, output, run, tell)
    set_adapter(adapted, load_file(output / "checkpoint" / "best.safetensors"))
    tell(state.step, state.step, "judging the adapter")
    metrics = {
        **run,
        "checks": CHECKS_VERSION,
        "cases": {part: len(chosen) for part, chosen in parts.items()},
        "steps": state.step,
        "best_step": state.best_step,
        "seconds": round(state.seconds),
        "loss": thinned(state.losses or []),
        "validation": state.checks,
        "test": {
            "adapter": asdict(judged(adapted, tokenizer, parts["test"])),
            "base_model": asdict(before),
            "template": asdict(template_share(parts["test"])),
        },
        "samples": side_by_side(adapted, tokenizer, spread(parts["test"], 8)),
    }
    write_run(adapted, output, base_model, metrics)
    return metrics


def _fit(
    model: PeftModel,
    tokenizer: Tokenizer,
    parts: Mapping[str, list[ExplainerCase]],
    training: ExplainerTraining,
    output: Path,
    run: Mapping[str, Any],
    tell: Progress,
) -> RunState:
    """Train until the last step or until the texts get no better; the best state lies in ``checkpoint``."""
    batches = list(batches_of(model, tokenizer, parts["train"], training))
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=training.learning_rate, weight_decay=0.0)
    state = resumed(model, optimizer, output, run)
    per_check = max(1, math.ceil(len(batches) / (training.epochs * training.checks_per_epoch)))
    while state.step < len(batches) and state.checks_without_gain < training.patience:
        started = time.monotonic()
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * _rate_share(state.step, len(batches))
        loss = _step(model, optimizer, batches[state.step])
        state.step += 1
        state.losses = [*(state.losses or []), loss]
        tell(state.step, len(batches), f"loss {loss:.3f}")
        if state.step % per_check == 0 or state.step == len(batches):
            _check(model, tokenizer, spread(parts["validation"], training.checked_cases), state, output)
            tell(state.step, len(batches), f"{(state.checks or [{}])[-1]['share']:.0%} of the texts pass")
            state.seconds += time.monotonic() - started
            save_checkpoint(model, optimizer, state, output, run)
        else:
            state.seconds += time.monotonic() - started
    return state


def _rate_share(step: int, steps: int) -> float:
    """The share of the learning rate at a step: a short rise, then half a cosine down to nearly nothing."""
    rise = max(1, steps // 20)
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1.0 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def _step(model: PeftModel, optimizer: torch.optim.Optimizer, batch: Mapping[str, Any]) -> float:
    """One update; returns the mean loss a reply token."""
    model.train()
    kept = int(batch["reply_width"])
    output = model(input_ids=batch["tokens"], attention_mask=batch["mask"], logits_to_keep=kept + 1, use_cache=False)
    logits = output.logits[:, :-1].float().reshape(-1, output.logits.shape[-1])
    loss = torch.nn.functional.cross_entropy(logits, batch["labels"][:, -kept:].reshape(-1), ignore_index=-100)
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


def _check(
    model: PeftModel,
    tokenizer: Tokenizer,
    cases: Sequence[ExplainerCase],
    state: RunState,
    output: Path,
) -> None:
    model.eval()
    found = judged(model, tokenizer, cases)
    state.checks = [*(state.checks or []), {"step": state.step, **asdict(found)}]
    if found.share > state.best_share:
        state.best_share, state.best_step, state.checks_without_gain = found.share, state.step, 0
        (output / "checkpoint").mkdir(parents=True, exist_ok=True)
        save_file(adapter_arrays(model, torch.float16), output / "checkpoint" / "best.safetensors")
    else:
        state.checks_without_gain += 1


def _base(model_folder: Path | str) -> tuple[Model, Tokenizer]:
    tokenizer = AutoTokenizer.from_pretrained(str(model_folder))
    if not tokenizer.chat_template:
        raise ModelUnsuitable(f"{model_folder} has no chat template; choose an instruct model")
    return AutoModelForCausalLM.from_pretrained(str(model_folder), dtype=serving_dtype()), tokenizer


def _with_adapter(model: Model, training: ExplainerTraining) -> PeftModel:
    layers = int(getattr(model.config, "num_hidden_layers", 0))
    if layers < 2:
        raise ModelUnsuitable("the model says no number of layers, so the upper half cannot be chosen")
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=training.rank,
        lora_alpha=2 * training.rank,
        lora_dropout=0.0,
        target_modules=_linear_names(model),
        layers_to_transform=list(range(layers // 2, layers)),
    )
    return with_new_adapter(model, config)


def _linear_names(model: Model) -> list[str]:
    """Last names of the linear modules inside numbered layers: embedding and output layer stay as they are."""
    names = {
        name.rsplit(".", 1)[-1]
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and any(part.isdigit() for part in name.split("."))
    }
    if not names:
        raise ModelUnsuitable("the model has no linear modules inside numbered layers")
    return sorted(names)
