"""Graded answers and what a grader made of them, as arrays: all that the figures, curves and comparisons see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetune.behaviour.judging import Assesses, Tell
from finetune.errors import TooFewExamples
from finetune.graded_questions import GradedQuestion
from grading.domain import Flag

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """``n`` answers in the order of the data; every array is ``[n]`` and every fraction 0..1.

    ``question`` numbers the question of each answer into ``questions``: what resampling draws, a question and its
    translation being one. ``low`` and ``high`` bound what a tutor is expected to give, ``true`` is what one gave,
    ``length`` counts characters. ``prompts`` and ``texts`` are the words of the question and of the student.
    """

    questions: tuple[str, ...]
    question: NDArray[np.int64]
    predicted: Numbers
    low: Numbers
    high: Numbers
    confidence: Numbers
    true: Numbers
    length: Numbers
    language: NDArray[np.str_]
    flags: tuple[frozenset[Flag], ...]
    prompts: tuple[str, ...]
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.true)

    @property
    def error(self) -> Numbers:
        """Given minus true, ``[n]``."""
        return self.predicted - self.true

    def has_same_answers_as(self, other: Judged) -> bool:
        """Whether both judged the same answers in the same order, so that their errors can be paired."""
        return (
            self.questions == other.questions
            and self.texts == other.texts
            and np.array_equal(self.question, other.question)
            and np.array_equal(self.true, other.true)
        )


def judge_answers(grader: Assesses, questions: Sequence[GradedQuestion], progress: Tell | None = None) -> Judged:
    """What ``grader`` gives for every answer of ``questions``; :class:`TooFewExamples` where there is none."""
    numbers: dict[str, int] = {}
    rows: list[tuple[float, ...]] = []
    flags: list[frozenset[Flag]] = []
    for done, graded in enumerate(questions):
        if progress:
            progress(done, len(questions), "scoring answers")
        number = numbers.setdefault(graded.group, len(numbers))
        assessed = grader.assess(graded.question, [answer.text for answer in graded.answers])
        for answer, got in zip(graded.answers, assessed, strict=True):
            size = float(len(answer.text))
            rows.append((number, got.fraction, got.low, got.high, got.confidence, answer.score, size))
            flags.append(got.flags)
    if progress:
        progress(len(questions), len(questions), "scoring answers")
    if not rows:
        raise TooFewExamples("no scored answer to judge the grader by")
    question, predicted, low, high, confidence, true, length = np.array(rows, float).T
    every = [(graded, answer) for graded in questions for answer in graded.answers]
    return Judged(
        questions=tuple(numbers),
        question=question.astype(np.int64),
        predicted=predicted,
        low=low,
        high=high,
        confidence=confidence,
        true=true,
        length=length,
        language=np.array([graded.question.language for graded, _ in every]),
        flags=tuple(flags),
        prompts=tuple(graded.question.prompt for graded, _ in every),
        texts=tuple(answer.text for _, answer in every),
    )
