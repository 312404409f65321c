"""Tiny language models of several makes, and datasets with tutors' explanations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.dataset import DatasetKeyPoint, DatasetQuestion, Example, part_of
from finetune.dataset.parts import normalised
from finetune.explainer_batches import ExplainerTraining
from finetune.explainer_examples import cases_from
from grading.domain import Assessment, KeyPointVerdict, Question, Verdict
from grading.keypoints import key_points_of
from grading.samples import SampleQuestion, load_samples
from tests.conftest_lm import TINY_CHAT_TEMPLATE, build_tiny_tokenizer

SMALL = ExplainerTraining(epochs=2, batch_size=8, checked_cases=2, tested_cases=3, max_tokens=1000, patience=9)
PROMPT = "What does method {} do with the data, and why?"
POINTS = ("how the data are split", "why it is repeated")
ANSWER = "It splits the data into parts, each used once. It is repeated so that luck matters less."
LACKING = "You are right about how the data are split. Still missing: why it is repeated. One sentence is enough."


def few_samples(train: int = 3) -> list[SampleQuestion]:
    """A few English questions of every part of the bank."""
    chosen: dict[str, list[SampleQuestion]] = {}
    for sample in load_samples("en"):
        part = cases_from([sample])[0].part
        group = chosen.setdefault(part, [])
        if len(group) < (train if part == "train" else 1):
            group.append(sample)
    return [sample for group in chosen.values() for sample in group]


def prompts(part: str, count: int) -> list[str]:
    """Wordings of questions whose hash puts them into this part."""
    found = (PROMPT.format(number) for number in range(10_000))
    chosen = [prompt for prompt in found if part_of(normalised(prompt)) == part]
    return chosen[:count]


def make_course_question(prompt: str, **overrides: Any) -> DatasetQuestion:
    """A question with two key points."""
    points = tuple(
        DatasetKeyPoint(position=place, name=name, text=text)
        for place, (name, text) in enumerate(
            zip(POINTS, ("It splits the data into parts.", "It is repeated so that luck matters less."), strict=True)
        )
    )
    given: dict[str, Any] = {
        "id": f"q-{normalised(prompt)[:60]}",
        "prompt": prompt,
        "language": "en",
        "model_answers": (ANSWER,),
        "key_points": points,
        "source": "course",
    }
    return DatasetQuestion(**(given | overrides))


def make_explained(question: DatasetQuestion, number: int = 1, **overrides: Any) -> Example:
    """An answer that lacks the second point, with the tutor's score, verdicts and explanation."""
    given: dict[str, Any] = {
        "id": f"{question.id}-{number}",
        "question": question.id,
        "answer": f"It splits the data into parts, I think, as in exercise {number}.",
        "language": "en",
        "score": 0.5,
        "scored_by": "PERSON",
        "verdicts": (Verdict.COVERED, Verdict.MISSING),
        "explanation": LACKING,
        "explained_by": "PERSON",
    }
    return Example(**(given | overrides))


class Halves:
    """A grader by rule: the first half of the key points is covered, the rest is missing."""

    def __init__(self) -> None:
        self.versions = {"grader": "halves"}
        self.asked: list[str] = []

    def assess(self, question: Question, answers: Sequence[str]) -> list[Assessment]:
        self.asked += answers
        points = key_points_of(question)
        return [
            Assessment(
                fraction=0.1,
                low=0.0,
                high=1.0,
                confidence=0.5,
                verdicts=tuple(
                    KeyPointVerdict(
                        position=point.position,
                        verdict=Verdict.COVERED if point.position * 2 < len(points) else Verdict.MISSING,
                        similarity=0.5,
                        evidence=answer.split(".")[0] if point.position * 2 < len(points) else None,
                    )
                    for point in points
                ),
            )
            for answer in answers
        ]


def build_tiny_lm(folder: Path, make: str, *, chat_template: str | None = TINY_CHAT_TEMPLATE, **more: Any) -> Path:
    """A two-layer model of this make (``llama``, ``qwen2``, ``qwen3``, ``gpt2``) with random weights."""
    import torch
    from transformers import (
        GPT2Config,
        GPT2LMHeadModel,
        LlamaConfig,
        LlamaForCausalLM,
        Qwen2Config,
        Qwen2ForCausalLM,
        Qwen3Config,
        Qwen3ForCausalLM,
    )

    torch.set_num_threads(1)
    torch.manual_seed(0)
    tokenizer = build_tiny_tokenizer(chat_template)
    tokens = {"bos_token_id": tokenizer.eos_token_id, "eos_token_id": tokenizer.eos_token_id}
    if make == "gpt2":
        model: Any = GPT2LMHeadModel(
            GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=4, n_positions=1024, **tokens)
        )
    else:
        kinds = {
            "llama": (LlamaConfig, LlamaForCausalLM),
            "qwen2": (Qwen2Config, Qwen2ForCausalLM),
            "qwen3": (Qwen3Config, Qwen3ForCausalLM),
        }
        make_config, make_model = kinds[make]
        config = make_config(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
            max_position_embeddings=1024,
            pad_token_id=tokenizer.pad_token_id,
            **tokens,
            **more,
        )
        model = make_model(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
