"""Questions with graded answers, wherever they come from: banks and contrast sets here, tables and datasets elsewhere.

The trainers and benchmarks see only :class:`GradedQuestion`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from finetune.bank import VERDICTS, BankKeyPoint, load_bank
from finetune.composed_answers import composed_answers
from finetune.contrasts import ContrastPoint, load_contrasts
from finetune.graded_answer import GradedAnswer
from grading.domain import KeyPoint, Question, Verdict
from grading.samples import SampleKeyPoint, load_samples


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedQuestion:
    """``group`` is what folds are cut by: a question and its translation are in one group. ``source`` names the set."""

    source: str
    group: str
    question: Question
    answers: tuple[GradedAnswer, ...]
    tags: tuple[str, ...] = ()


def bank_questions() -> list[GradedQuestion]:
    """The training bank (:mod:`finetune.bank`)."""
    return [
        GradedQuestion(
            source="bank",
            group=f"bank {identifier}",
            question=_question(entry.prompt, (entry.reference,), entry.key_points, language),
            answers=tuple(
                GradedAnswer(
                    text=answer.text,
                    score=answer.score,
                    verdicts=tuple(VERDICTS[code] for code in answer.verdicts),
                    kind=answer.kind.value,
                )
                for answer in entry.answers
            ),
        )
        for (language, identifier), entry in load_bank().items()
    ]


def contrast_questions() -> list[GradedQuestion]:
    """The contrast sets (:mod:`finetune.contrasts`), their statements joined to answers."""
    return [
        GradedQuestion(
            source="contrasts",
            group=f"contrasts {language} {identifier}",
            question=_question(contrast.prompt, (contrast.reference,), contrast.points, language),
            answers=tuple(composed_answers(contrast, random.Random(f"{language} {identifier}"))),
        )
        for (language, identifier), contrast in load_contrasts().items()
    ]


def sample_questions() -> list[GradedQuestion]:
    """The sample bank (:mod:`grading.samples`)."""
    return [
        GradedQuestion(
            source="samples",
            group=f"samples {sample.id}",
            question=_question(sample.prompt, tuple(sample.model_answers), sample.key_points, sample.language),
            answers=tuple(
                GradedAnswer(
                    text=answer.text,
                    score=answer.score,
                    verdicts=tuple(Verdict(answer.verdicts[point.id]) for point in sample.key_points),
                    kind=answer.kind.value,
                )
                for answer in sample.answers
            ),
            tags=tuple(sample.tags),
        )
        for sample in load_samples()
    ]


def _question(
    prompt: str,
    model_answers: tuple[str, ...],
    points: Sequence[BankKeyPoint | ContrastPoint | SampleKeyPoint],
    language: str,
) -> Question:
    key_points = tuple(
        KeyPoint(position=position, name=point.name, text=point.text, weight=point.weight)
        for position, point in enumerate(points)
    )
    return Question(prompt=prompt, model_answers=model_answers, key_points=key_points, language=language)
