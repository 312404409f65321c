"""What the folds of a training made of the answers, as the evaluation takes it, and the baseline on the same folds.

::

    readings, cross-validated head ──▶ judged_by_reader ──┐
    published encoder ──▶ cosine, affine fit ──▶ judged_by_cosine ──▶ compared, evaluation_of

Both judge every real answer, each by a model that saw nothing of its question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from finetune.evaluation.judged import Judged
from finetune.graded_answer import GradedAnswer
from finetune.reader_examples import ReaderQuestion
from finetune.reader_readings import OutOfFold
from finetune.reading_head import FittedReadingHead
from grading.domain import Question
from grading.keypoints import references_of

Answered = tuple[str, Question, GradedAnswer]
"""The group that folds are cut by, the question, and a real answer to it."""

Given = tuple[float, float, float, float]
"""Fraction, low and high end, confidence."""

NOTHING: Given = (0.0, 0.0, 0.05, 0.97)
"""What an answer gets of which the guard leaves nothing, as :mod:`grading.grader` gives it."""

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


def judged_by_reader(
    questions: Sequence[ReaderQuestion], readings: Sequence[OutOfFold], head: FittedReadingHead
) -> Judged:
    """What the cross-validated reader and head give for the real answers, with the intervals of the head."""
    found = {
        (reading.question, reading.answer): (float(fraction), *head.interval.around(float(fraction), float(doubt)))
        for reading, fraction, doubt in zip(readings, head.fractions, head.doubts, strict=True)
    }
    given = [
        NOTHING if number is None else found[place, number]
        for place, question in enumerate(questions)
        for number, _ in _numbered(question)
    ]
    return judged(real_answers(questions), given)


def real_answers(questions: Sequence[ReaderQuestion]) -> list[Answered]:
    """The answers that somebody gave, question by question, those that the guard decides behind the others."""
    return [(question.group, question.question, graded) for question in questions for _, graded in _numbered(question)]


def judged_by_cosine(answers: Sequence[Answered], folds: Sequence[int], encode: Encode) -> Judged:
    """The baseline: the cosine of answer and nearest model answer, with a straight line fitted on the other folds.

    ``folds`` has the number of each answer's fold, ``encode`` gives vectors of length 1.
    """
    fold = np.array(folds)
    cosines = _cosines(answers, encode)
    scores = np.array([graded.score for *_, graded in answers])
    fractions = np.zeros(len(answers))
    for number in np.unique(fold):
        own = fold == number
        fractions[own] = _on_a_line(cosines[~own], scores[~own], cosines[own])
    return judged(answers, [(fraction, fraction, fraction, 0.0) for fraction in fractions.tolist()])


def judged(answers: Sequence[Answered], given: Sequence[Given]) -> Judged:
    """``answers`` with what was ``given`` for each, as the evaluation takes them."""
    numbers: dict[str, int] = {}
    for group, *_ in answers:
        numbers.setdefault(group, len(numbers))
    predicted, low, high, confidence = np.array(given, float).T
    return Judged(
        questions=tuple(numbers),
        question=np.array([numbers[group] for group, *_ in answers], np.int64),
        predicted=predicted,
        low=low,
        high=high,
        confidence=confidence,
        true=np.array([graded.score for *_, graded in answers]),
        length=np.array([float(len(graded.text)) for *_, graded in answers]),
        language=np.array([question.language for _, question, _ in answers]),
        flags=tuple(frozenset() for _ in answers),
        prompts=tuple(question.prompt for _, question, _ in answers),
        texts=tuple(graded.text for *_, graded in answers),
    )


def _numbered(question: ReaderQuestion) -> list[tuple[int | None, GradedAnswer]]:
    """Real answers with their place among those that are read; ``None`` where the guard decides."""
    read = [(number, each.graded) for number, each in enumerate(question.answers) if not each.graded.is_made_up]
    return [*read, *((None, graded) for graded in question.decided)]


def _cosines(answers: Sequence[Answered], encode: Encode) -> NDArray[np.float64]:
    texts = encode([graded.text for *_, graded in answers])
    asked = {id(question): question for _, question, _ in answers}
    references = {number: encode(references_of(question)) for number, question in asked.items()}
    nearest = [(references[id(question)] @ text).max() for (_, question, _), text in zip(answers, texts, strict=True)]
    return np.array(nearest, float)


def _on_a_line(
    cosines: NDArray[np.float64], scores: NDArray[np.float64], wanted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where cosines do not vary, the mean: a line needs two points."""
    if not len(cosines) or np.ptp(cosines) == 0:
        return np.full(len(wanted), scores.mean() if len(scores) else 0.5)
    slope, level = np.polyfit(cosines, scores, 1)
    return np.clip(level + slope * wanted, 0.0, 1.0)
