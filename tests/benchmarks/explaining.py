"""Wording by OpenVINO beside plain transformers, in one run and by turns: trust the ratios, not the rates."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence

import torch
from transformers import AutoTokenizer

from config import load_settings
from grading.domain import KeyPoint, Question
from grading.explanation.explainer import load_generator
from grading.explanation.feedback import Feedback
from grading.explanation.feedback_making import feedback_from
from grading.explanation.generators import Generator, LocalGenerator
from grading.grader import load_grader
from grading.models import adapter_folder, language_model_folder
from grading.samples import SampleQuestion, load_samples

THREADS = 2
PLAIN_TEXTS = 8


def measure() -> dict[str, float]:
    """OpenVINO beside plain transformers in float32, one feedback at a time by turns, and twelve in one batch.

    Tokens are counted by the base model's tokenizer. The slowest of 24 texts but one stands for the 95th percentile.
    """
    torch.set_num_threads(THREADS)
    # What a worker sets for all that computes.
    os.environ["OMP_NUM_THREADS"] = str(THREADS)
    settings = load_settings()
    model = language_model_folder(settings.explainer_model, settings.models_path)
    plain = LocalGenerator(model, adapter_folder(settings.explainer_adapter))
    with plain._model._adapters.using(None) as computed:
        torch.nn.Module.float(computed)  # it takes bfloat16 where the processor has it
    quick = load_generator(settings.model_copy(update={"explainer_runtime": "openvino"}))
    assert quick is not None
    count = AutoTokenizer.from_pretrained(model)
    bench = load_grader(settings)
    feedbacks = []
    for sample in load_samples("en")[:24]:
        question, answer = question_from(sample), sample.answers[2].text
        feedbacks.append(feedback_from(question, answer, bench.assess(question, [answer])[0]))
    quick.rewrite(feedbacks[:1])
    rates: dict[str, list[float]] = {"plain": [], "quick": []}
    seconds: list[float] = []
    for feedback in feedbacks:
        for name, generator in (("plain", plain), ("quick", quick)):
            if name == "plain" and len(rates["plain"]) == PLAIN_TEXTS:
                continue
            began = time.perf_counter()
            [text] = generator.rewrite([feedback])
            taken = time.perf_counter() - began
            rates[name].append(len(count(text)["input_ids"]) / taken)
            if name == "quick":
                seconds.append(taken)
    batched = {name: _seconds(each, feedbacks[:12]) for name, each in (("plain", plain), ("quick", quick))}
    return {
        "plain_tokens_a_second": statistics.median(rates["plain"]),
        "openvino_tokens_a_second": statistics.median(rates["quick"]),
        "openvino_times_faster": statistics.median(
            quick / plain for quick, plain in zip(rates["quick"], rates["plain"], strict=False)
        ),
        "openvino_seconds_a_text_p95": sorted(seconds)[-2],
        "plain_seconds_for_12_in_a_batch": batched["plain"],
        "openvino_seconds_for_12_in_a_batch": batched["quick"],
    }


def question_from(sample: SampleQuestion) -> Question:
    """A question of the bank as the grader takes it."""
    return Question(
        prompt=sample.prompt,
        model_answers=tuple(sample.model_answers),
        key_points=tuple(
            KeyPoint(position=position, name=point.name, text=point.text, weight=point.weight)
            for position, point in enumerate(sample.key_points)
        ),
        language=sample.language,
    )


def _seconds(generator: Generator, feedbacks: Sequence[Feedback]) -> float:
    began = time.perf_counter()
    generator.rewrite(feedbacks)
    return time.perf_counter() - began
