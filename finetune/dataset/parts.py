"""Which part an example is in, and the examples of some parts as the trainers take them.

The part is a hash of what was asked (or answered), not of a number that an export drew: the same text is in the same
part in every dataset, and a copy never trains while its twin tests. The test part is never used to choose anything.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Collection
from functools import lru_cache
from typing import Literal

from finetune.dataset.records import Dataset, DatasetQuestion, Example, PartName
from finetune.graded_answer import GradedAnswer
from finetune.graded_questions import GradedQuestion
from grading.domain import KeyPoint, Question

By = Literal["question", "answer"]
Labels = Literal["confirmed", "all"]

_TEST_BELOW, _VALIDATION_BELOW = 0.1, 0.2
_MEANT = frozenset("-/*%#")
_DROPPED = "CZP"
_EMOJI = "So"


def part_of(identifier: str, *, salt: str = "") -> PartName:
    """The part by hash: 80 % train, 10 % validation, 10 % test. Another ``salt`` gives another split."""
    digest = hashlib.sha256(f"{salt}\0{identifier}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return "test" if place < _TEST_BELOW else "validation" if place < _VALIDATION_BELOW else "train"


def part_of_example(example: Example, question: DatasetQuestion, by: By) -> PartName:
    """The part that the data came with, else that of the question's wording or of the answer's.

    What the data say to train on is never tested; the share that validates is taken from it all the same.
    """
    if example.part in ("validation", "test"):
        return example.part
    prompt = normalised(question.prompt)
    hashed = part_of(prompt if by == "question" else f"{prompt}\n{normalised(example.answer)}")
    return "train" if example.part == "train" and hashed == "test" else hashed


def graded_questions(
    dataset: Dataset, *, part: Collection[PartName] | None = None, by: By = "question", labels: Labels = "confirmed"
) -> list[GradedQuestion]:
    """The questions with their scored answers in these parts (``None``: all), those without any left out.

    ``by`` the question, all answers to it are in one part; by the answer, each question is in all. Only scores that a
    person gave count as labels, unless ``labels`` is ``"all"``.
    """
    questions = {question.id: question for question in dataset.questions}
    answers: dict[str, list[GradedAnswer]] = {}
    for example in dataset.examples:
        if example.score is None or not (labels == "all" or example.is_confirmed):
            continue
        if part is None or part_of_example(example, questions[example.question], by) in part:
            answers.setdefault(example.question, []).append(
                GradedAnswer(text=example.answer, score=example.score, verdicts=example.verdicts)
            )
    return [_graded(question, answers[question.id]) for question in dataset.questions if question.id in answers]


@lru_cache(maxsize=1024)  # the same questions are asked about for every answer
def normalised(text: str) -> str:
    """What is left when case, white space, punctuation and emoji do not matter; signs of mathematics do.

    Text of nothing but punctuation stays as it is.
    """
    return unicodedata.normalize("NFKC", text).casefold().translate(_KEPT) or text.strip()


class _Kept(dict[int, int | None]):
    """For ``str.translate``: each character to itself or to nothing, found out when it is first met."""

    def __missing__(self, code: int) -> int | None:
        category = unicodedata.category(chr(code))
        is_meant = chr(code) in _MEANT or (category[0] not in _DROPPED and category != _EMOJI)
        return self.setdefault(code, code if is_meant else None)


_KEPT = _Kept()


def _graded(question: DatasetQuestion, answers: list[GradedAnswer]) -> GradedQuestion:
    source = question.source or "dataset"
    return GradedQuestion(
        source=source,
        # One prompt in two quizzes is one question to a student.
        group=f"{source} {normalised(question.prompt)}",
        question=Question(
            prompt=question.prompt,
            model_answers=question.model_answers,
            key_points=tuple(
                KeyPoint(position=point.position, name=point.name, text=point.text, weight=point.weight)
                for point in question.key_points
            ),
            language=question.language,
        ),
        answers=tuple(answers),
        tags=question.tags,
    )
