"""Train a LoRA adapter that words feedback objects, on any causal language model with a chat template.

::

    Sources ──▶ cases ──▶ batches ──step──▶ adapter ──each epoch: its texts on questions that choose──▶ best adapter
                                               └─▶ checkpoint                                            └─▶ run folder

The loss counts the reply only. What is judged is not the loss but the texts: after every epoch the model words feedback
of questions it never trained on, and the share that passes :mod:`grading.explanation.checks` decides which state is
kept, because more epochs make such models worse. A run continues where it was stopped and gives the same result for a
seed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from finetune.evaluation.report import report_html
from finetune.explainer_batches import Batch, Batching, ExplainerTraining, Row, batching_of, packed, padded
from finetune.explainer_card import card
from finetune.explainer_examples import ExplainerCase, Part, cases_of, digest_of
from finetune.explainer_judging import Judged, by_template, judged, spread
from finetune.explainer_model import adapted, base_model, can_pack, embedding_dtype, logits_of
from finetune.explainer_report import training_report
from finetune.explainer_run import (
    RunResult,
    RunState,
    adapter_arrays,
    finished_metrics,
    refuse_other_checkpoint,
    resumed,
    save_checkpoint,
    set_adapter,
    thinned,
    write_run,
)
from finetune.explainer_sources import Sources, gathered
from grading.explanation.checks import CHECKS_VERSION
from grading.explanation.decoding import Model, Tokenizer
from grading.explanation.prompt import PROMPT_VERSION

#: Told after every step: steps done, steps in all, a sentence.
Progress = Callable[[int, int, str], None]
Parts = Mapping[Part, Sequence[ExplainerCase]]

STEPS_BETWEEN_CHECKPOINTS = 20
SAMPLES = 8


def train_explainer(
    sources: Sources,
    model_folder: Path | str,
    output: Path,
    *,
    base_name: str,
    training: ExplainerTraining | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train on ``sources``; leave in ``output`` what :mod:`finetune.explainer_run` draws, and return the metrics.

    ``base_name`` is the base model's name that is written into the adapter. Raises the errors of
    :mod:`finetune.errors`. A folder with a finished run of the same settings and data returns its metrics at once.
    """
    training = training or ExplainerTraining()
    tell = progress or (lambda _done, _total, _text: None)
    run = {
        "training": asdict(training),
        "data": sources.digest,
        "base_model": base_name,
        "prompt": PROMPT_VERSION,
        "checks": CHECKS_VERSION,
    }
    if (finished := finished_metrics(output, run)) is not None:
        return finished
    refuse_other_checkpoint(output, run)
    found = gathered(sources, output, tell)
    parts: Parts = {part: cases_of(found.cases, part) for part in _PARTS}
    tell(0, 0, "loading the base model")
    torch.manual_seed(training.seed)
    loaded, tokenizer = base_model(model_folder, training)
    model = adapted(loaded, training)
    batching = batching_of(tokenizer, parts["train"], training)
    is_packed = _is_packing_quicker(model) and can_pack(model)
    # What the grader made of the answers belongs to a checkpoint too: other feedback is another training.
    own = {**run, "feedback of the answers": digest_of(found.cases, has_feedback=True)}

    def batch_of(rows: Sequence[Row]) -> Batch:
        if is_packed:
            return packed(rows, embedding_dtype(model), model.device)
        return padded(rows, tokenizer, model.device)

    choosing = spread(parts["validation"], training.checked_cases)
    state = _fit(model, tokenizer, choosing, batching, batch_of, training, output, own, tell)
    set_adapter(model, state.best)
    texts = _tested(model, tokenizer, spread(parts["test"], training.tested_cases), state, tell)
    metrics = {
        "cases": {part: len(chosen) for part, chosen in parts.items()},
        "left_out": {**found.left_out, **({"longer than max_tokens": batching.too_long} if batching.too_long else {})},
        "is_packed": is_packed,
        "steps": state.step,
        "steps_per_epoch": batching.steps_per_epoch,
        "best_step": state.best_step,
        "seconds": round(state.seconds),
        "loss": thinned(state.losses),
        "validation": state.checks,
        "test": {name: each.as_json() for name, each in texts.items()},
    }
    languages = sorted({case.feedback.language for case in parts["train"]})
    result = RunResult(
        run=run,
        dataset_digest=sources.dataset_digest,
        languages=languages,
        needs_names=all(case.feedback.is_named for case in parts["train"]),
        metrics=metrics,
        samples=_samples(texts),
        card=card(run, metrics, languages, has_bank=bool(sources.samples), datasets=len(sources.courses)),
        report=report_html(training_report(run, metrics, texts, sources.dataset_digest)),
    )
    write_run(model, output, base_name, result)
    return metrics


def _fit(
    model: PeftModel,
    tokenizer: Tokenizer,
    choosing: Sequence[ExplainerCase],
    batching: Batching,
    batch_of: Callable[[Sequence[Row]], Batch],
    training: ExplainerTraining,
    output: Path,
    run: Mapping[str, Any],
    tell: Progress,
) -> RunState:
    """Train until the last step or until the texts get no better; the best state is in what comes back."""
    steps = len(batching.groups)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=training.learning_rate, weight_decay=0.0)
    state = resumed(model, optimizer, output, run)
    while state.step < steps and state.checks_without_gain < training.patience:
        started = time.monotonic()
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * _rate_share(state.step, steps)
        loss = _step(model, optimizer, batch_of(batching.groups[state.step]))
        state.step += 1
        state.losses.append(loss)
        tell(state.step, steps, f"loss {loss:.3f}")
        is_epochs_end = state.step % batching.steps_per_epoch == 0
        if is_epochs_end:
            _check(model, tokenizer, choosing, state)
            tell(state.step, steps, f"{state.checks[-1]['share']:.0%} of the texts pass")
        state.seconds += time.monotonic() - started
        if is_epochs_end or state.step % STEPS_BETWEEN_CHECKPOINTS == 0:
            save_checkpoint(model, optimizer, state, output, run)
    return state


def _rate_share(step: int, steps: int) -> float:
    """The share of the learning rate at a step: a short rise, then half a cosine down to nearly nothing."""
    rise = max(1, steps // 20)
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1.0 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def _step(model: PeftModel, optimizer: torch.optim.Optimizer, batch: Batch) -> float:
    """One update; returns the mean loss a reply token."""
    model.train()
    loss = loss_of(model, batch)
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


def loss_of(model: Model, batch: Batch) -> torch.Tensor:
    """The mean loss over the tokens of the replies, nothing else."""
    logits = logits_of(model, batch)
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch.labels.flatten())


def _check(model: PeftModel, tokenizer: Tokenizer, cases: Sequence[ExplainerCase], state: RunState) -> None:
    found = judged(model, tokenizer, cases)
    state.checks.append({"step": state.step, **found.as_json()})
    if found.share > state.best_share:
        state.best_share, state.best_step, state.checks_without_gain = found.share, state.step, 0
        state.best = adapter_arrays(model, torch.float16)
    else:
        state.checks_without_gain += 1


def _tested(
    model: PeftModel, tokenizer: Tokenizer, cases: Sequence[ExplainerCase], state: RunState, tell: Progress
) -> dict[str, Judged]:
    """The texts of all writers on the same answers of the test part, which chose nothing."""
    tell(state.step, state.step, "judging the base model")
    before = judged(model, tokenizer, cases, is_adapted=False)
    tell(state.step, state.step, "judging the adapter")
    after = judged(model, tokenizer, cases)
    return {"adapter": after, "base_model": before, "template": by_template(cases)}


def _samples(texts: Mapping[str, Judged]) -> list[dict[str, Any]]:
    """Texts of every writer for a few answers, to be read by people; they hold the answers."""
    every = texts["adapter"].cases
    chosen = [number * len(every) // min(SAMPLES, len(every)) for number in range(min(SAMPLES, len(every)))]
    return [
        {
            "question": every[place].question_id,
            "source": every[place].source,
            "answer": every[place].answer,
            **{name: each.texts[place] for name, each in texts.items()},
            "problems": [str(problem) for problem in texts["adapter"].problems[place]],
        }
        for place in chosen
    ]


def _is_packing_quicker(model: Model) -> bool:
    """On a GPU padding is wasted work; a CPU computes what the mask hides, which costs more than padding does."""
    return model.device.type != "cpu"


_PARTS: tuple[Part, ...] = ("train", "validation", "test")
