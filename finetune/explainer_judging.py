"""Judge texts by the checks that serving uses: the share that passes, and what the others break."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from finetune.evaluation.resampling import Figure, mean_figures
from finetune.explainer_examples import ExplainerCase
from grading.explanation.checks import Problem, problems_in
from grading.explanation.decoding import Model, Tokenizer, replies_to
from grading.explanation.prompt import short_chat
from grading.explanation.template import template_text


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The texts of one writer for ``cases``, with what the checks say."""

    cases: Sequence[ExplainerCase]
    texts: Sequence[str]

    @cached_property
    def problems(self) -> list[list[Problem]]:
        """A list for each text, empty where it may be shown."""
        return [
            problems_in(text, case.feedback, case.question, case.answer)
            for case, text in zip(self.cases, self.texts, strict=True)
        ]

    @property
    def share(self) -> float:
        """The share of texts that pass every check."""
        return sum(not each for each in self.problems) / len(self.problems)

    @property
    def figure(self) -> Figure:
        """The share with its interval, by question."""
        passed = np.array([[not each] for each in self.problems], float)
        groups = np.unique([case.question_id for case in self.cases], return_inverse=True)[1]
        return mean_figures(passed, groups)[0]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many texts break each rule."""
        kinds = Counter(kind for each in self.problems for kind in {problem.kind.value for problem in each})
        return dict(sorted(kinds.items()))

    def as_json(self) -> dict[str, Any]:
        """Numbers only."""
        return {"cases": len(self.cases), "share": self.share, "problems": dict(self.counts)}


def judged(model: Model, tokenizer: Tokenizer, cases: Sequence[ExplainerCase], *, is_adapted: bool = True) -> Judged:
    """The model's texts for ``cases``, with its adapter or without."""
    model.eval()
    chats = [short_chat(case.feedback) for case in cases]
    if is_adapted:
        return Judged(cases=cases, texts=replies_to(model, tokenizer, chats))
    with model.disable_adapter():
        return Judged(cases=cases, texts=replies_to(model, tokenizer, chats))


def by_template(cases: Sequence[ExplainerCase]) -> Judged:
    """The template's texts: the checks judge themselves here."""
    return Judged(cases=cases, texts=[template_text(case.feedback) for case in cases])


def spread(cases: Sequence[ExplainerCase], count: int) -> list[ExplainerCase]:
    """At most ``count`` cases, spread evenly over all."""
    if len(cases) <= count:
        return list(cases)
    return [cases[index * len(cases) // count] for index in range(count)]
