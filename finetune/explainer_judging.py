"""Judge texts by the checks that serving uses: the share that passes, and what the others break."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peft import PeftModel

from finetune.explainer_examples import ExplainerCase
from grading.explanation.checks import problems_in
from grading.explanation.decoding import Model, Tokenizer, replies_to
from grading.explanation.prompt import short_chat
from grading.explanation.template import template_text


@dataclass(frozen=True, slots=True, kw_only=True)
class PassShare:
    """How many texts passed all checks, and how often each kind of problem occurred."""

    cases: int
    share: float
    problems: Mapping[str, int]


def judged(
    model: Model,
    tokenizer: Tokenizer,
    cases: Sequence[ExplainerCase],
    *,
    is_adapted: bool = True,
) -> PassShare:
    """The share of the model's texts for ``cases`` that pass every check."""
    chats = [short_chat(case.feedback) for case in cases]
    if is_adapted:
        texts = replies_to(model, tokenizer, chats)
    else:
        with model.disable_adapter():
            texts = replies_to(model, tokenizer, chats)
    return _share(cases, texts)


def template_share(cases: Sequence[ExplainerCase]) -> PassShare:
    """The share of the template's texts that pass: the checks judge themselves here."""
    return _share(cases, [template_text(case.feedback) for case in cases])


def side_by_side(model: PeftModel, tokenizer: Tokenizer, cases: Sequence[ExplainerCase]) -> list[dict[str, Any]]:
    """The model's and the template's texts for ``cases`` with what the checks say, to be read by people."""
    texts = replies_to(model, tokenizer, [short_chat(case.feedback) for case in cases])
    return [
        {
            "question": case.question_id,
            "answer": case.answer,
            "model": text,
            "template": template_text(case.feedback),
            "problems": [str(problem) for problem in problems_in(text, case.feedback, case.question, case.answer)],
        }
        for case, text in zip(cases, texts, strict=True)
    ]


def spread(cases: Sequence[ExplainerCase], count: int) -> list[ExplainerCase]:
    """At most ``count`` cases, spread evenly over all."""
    if len(cases) <= count:
        return list(cases)
    return [cases[index * len(cases) // count] for index in range(count)]


def _share(cases: Sequence[ExplainerCase], texts: Sequence[str]) -> PassShare:
    problems: Counter[str] = Counter()
    passed = 0
    for case, text in zip(cases, texts, strict=True):
        found = {problem.kind.value for problem in problems_in(text, case.feedback, case.question, case.answer)}
        problems.update(found)
        passed += not found
    return PassShare(cases=len(cases), share=passed / len(cases), problems=dict(sorted(problems.items())))
