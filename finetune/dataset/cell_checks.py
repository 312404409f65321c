"""Checks of one example at a time: what is missing, huge, like a formula, or in another language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from finetune.dataset.finding import Finding, Material
from finetune.dataset.records import DatasetQuestion, Example
from grading.text import language_of, words

HUGE_CHARACTERS = 20_000

_FORMULA = re.compile(r"\s*(?:[=＝@＠]\s*\w|[+\-＋－]\s*\w[\w.]*\s*[(|!])")
_ENOUGH_WORDS = 8
"""Fewer words do not tell a language: Korean students answer with English terms."""


def cell_findings(material: Material) -> Iterator[Finding]:
    """A finding for each check that some example does not pass."""
    questions = material.by_id()
    for kind, text, is_found in _CHECKS:
        found = [
            index for index, example in enumerate(material.examples) if is_found(example, questions[example.question])
        ]
        if found:
            yield Finding(kind=kind, text=text, groups=material.at(found))


def _is_huge(example: Example, question: DatasetQuestion) -> bool:
    del question
    return max(len(example.answer), len(example.explanation or "")) > HUGE_CHARACTERS


def _is_formula(example: Example, question: DatasetQuestion) -> bool:
    del question
    return any(_FORMULA.match(text) for text in (example.answer, example.explanation or ""))


def _is_other_language(example: Example, question: DatasetQuestion) -> bool:
    if len(words(example.answer[:HUGE_CHARACTERS])) < _ENOUGH_WORDS:
        return False
    return language_of(example.answer[:HUGE_CHARACTERS]) != question.language


_CHECKS: tuple[tuple[str, str, Callable[[Example, DatasetQuestion], bool]], ...] = (
    ("score_missing", "There is no score: nothing is learnt from these.", lambda example, _: example.score is None),
    (
        "score_unconfirmed",
        "No person confirmed the score: it is no label by default.",
        lambda example, _: example.score is not None and not example.is_confirmed,
    ),
    ("answer_empty", "The answer is empty.", lambda example, _: not example.answer.strip()),
    ("cell_huge", f"The answer or explanation has more than {HUGE_CHARACTERS:,} characters.", _is_huge),
    ("formula", "The text begins like a formula of a spreadsheet; it is plain text here and stays so.", _is_formula),
    ("language", "The answer is in another language than its question.", _is_other_language),
)
