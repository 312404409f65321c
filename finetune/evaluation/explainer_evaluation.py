"""How often the texts of an explainer may be shown, beside those of its base model and of the template.

::

    answers ──grader──▶ feedback ──template, base model, adapter──▶ texts ──checks──▶ rates, reasons

Every writer words the same feedback, and the checks that serve judge them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetune.behaviour.judging import Assesses, Tell
from finetune.errors import TooFewExamples
from finetune.evaluation.resampling import Figure, mean_figures
from finetune.graded_questions import GradedQuestion
from grading.domain import Question
from grading.explanation.checks import CHECKS_VERSION, Problem, ProblemKind, problems_in
from grading.explanation.feedback import Feedback
from grading.explanation.feedback_making import feedback_from
from grading.explanation.generators import ALL_LANGUAGES, Generator, can_word
from grading.explanation.template import template_text

SCHEMA_VERSION = 1
TEMPLATE = "template"
_WORDED_IN_ONE_CALL = 12
"""A writer takes seconds for a text: the bar is to move."""

Load = Callable[[], Generator]
"""Loads a model when its turn comes: two of them would not fit a small machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worded:
    """One answer to explain."""

    group: str
    question: Question
    answer: str
    feedback: Feedback


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What a writer made of an answer, and what the checks say against it."""

    about: Worded
    text: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterEvaluation:
    """``passed`` is the share of texts without any problem, ``broken`` the share that breaks each rule.

    Only what it can word is worded (:func:`grading.explanation.generators.can_word`); ``texts`` holds ``None`` for the
    other answers.
    """

    name: str
    languages: tuple[str, ...]
    count: int
    passed: Figure
    broken: Mapping[ProblemKind, Figure]
    texts: tuple[Text | None, ...]

    def as_json(self) -> dict[str, Any]:
        """Rates only, no words of students."""
        return {
            "texts": self.count,
            "languages": list(self.languages),
            "passed": self.passed.as_json(),
            "broken": {kind.value: rate.as_json() for kind, rate in self.broken.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainerEvaluation:
    """All writers on the same answers, the template first."""

    answers: tuple[Worded, ...]
    writers: tuple[WriterEvaluation, ...]

    def as_json(self) -> dict[str, Any]:
        """What ``metrics.json`` holds."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "explainer evaluation",
            "answers": len(self.answers),
            "questions": len({each.group for each in self.answers}),
            "checks": CHECKS_VERSION,
            "writers": {each.name: each.as_json() for each in self.writers},
        }


def evaluate_explainer(
    grader: Assesses,
    questions: Sequence[GradedQuestion],
    writers: Mapping[str, Load],
    *,
    limit: int | None = None,
    progress: Tell | None = None,
) -> ExplainerEvaluation:
    """Let each writer word the feedback on at most ``limit`` answers, spread evenly over all.

    Answers with a fixed text (blank, gibberish) are left out; :class:`TooFewExamples` where no other is there.
    """
    tell = progress or (lambda _done, _total, _text: None)
    answers = _answers(grader, _spread(questions, limit), tell)
    found = [_writer(TEMPLATE, ALL_LANGUAGES, answers, [template_text(each.feedback) for each in answers])]
    for step, (name, load) in enumerate(writers.items()):
        worded, all_words = step * len(answers), len(writers) * len(answers)
        tell(worded, all_words, f"wording: {name}")
        generator = load()
        own = [row for row, each in enumerate(answers) if can_word(generator, each.feedback)]
        placed: list[str | None] = [None] * len(answers)
        for start in range(0, len(own), _WORDED_IN_ONE_CALL):
            rows = own[start : start + _WORDED_IN_ONE_CALL]
            for row, text in zip(rows, generator.rewrite([answers[row].feedback for row in rows]), strict=True):
                placed[row] = text
            tell(worded + start + len(rows), all_words, f"wording: {name}")
        found.append(_writer(name, generator.languages, answers, placed))
    return ExplainerEvaluation(answers=tuple(answers), writers=tuple(found))


def _spread(questions: Sequence[GradedQuestion], limit: int | None) -> list[tuple[GradedQuestion, str]]:
    every = [(graded, answer.text) for graded in questions for answer in graded.answers]
    count = min(limit or len(every), len(every))
    return [every[number * len(every) // count] for number in range(count)]


def _answers(grader: Assesses, chosen: Sequence[tuple[GradedQuestion, str]], tell: Tell) -> list[Worded]:
    found: list[Worded] = []
    for done, (graded, answer) in enumerate(chosen):
        tell(done, len(chosen), "scoring answers")
        (assessment,) = grader.assess(graded.question, [answer])
        feedback = feedback_from(graded.question, answer, assessment)
        if feedback.gate is None:
            found.append(Worded(group=graded.group, question=graded.question, answer=answer, feedback=feedback))
        tell(done + 1, len(chosen), "scoring answers")
    if not found:
        raise TooFewExamples("no answer that a text would be written for: all of them get a fixed one")
    return found


def _writer(
    name: str, languages: frozenset[str], answers: Sequence[Worded], texts: Sequence[str | None]
) -> WriterEvaluation:
    """``texts``: one for each answer, ``None`` for those that the writer does not word."""
    judged = [_judged(each, text) if text is not None else None for each, text in zip(answers, texts, strict=True)]
    written = [each for each in judged if each is not None]
    kinds = [*ProblemKind]
    rows = [[not each.problems, *(kind in _kinds(each) for kind in kinds)] for each in written]
    groups = np.unique([each.about.group for each in written], return_inverse=True)[1]
    rates = mean_figures(np.array(rows, float), groups) if rows else [Figure(value=0.0)] * (1 + len(kinds))
    return WriterEvaluation(
        name=name,
        languages=tuple(sorted(languages)),
        count=len(written),
        passed=rates[0],
        broken=dict(zip(kinds, rates[1:], strict=True)),
        texts=tuple(judged),
    )


def _judged(about: Worded, text: str) -> Text:
    return Text(about=about, text=text, problems=tuple(problems_in(text, about.feedback, about.question, about.answer)))


def _kinds(text: Text) -> set[ProblemKind]:
    return {problem.kind for problem in text.problems}
