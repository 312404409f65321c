"""What the reader learns from: questions with the answers that are left after the guard, real and made-up ones."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from finetune.composed_answers import COMPOSED
from finetune.graded_answer import GradedAnswer
from finetune.graded_questions import GradedQuestion
from finetune.made_up_answers import made_up_answers
from grading.domain import Question
from grading.guard import guard
from grading.keypoints import key_points_of, references_of

Text = tuple[str, str | None]
"""A text and the context that it is read with: the question's prompt, or ``None`` for an answer."""

_FULL_KINDS = ("full", "reworded", COMPOSED)
_BANKS = ("bank", "samples", "contrasts")
_COUNTS_ONCE = 1000
_LEAST_WEIGHT, _MOST_WEIGHT = 0.5, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderAnswer:
    """``text`` is what the guard leaves of the answer in ``graded``: what is read here and when the model serves."""

    text: str
    graded: GradedAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderQuestion:
    """``points`` and ``references`` are what an answer should say; ``stand_ins`` are students' full answers.

    A stand-in takes a model answer's place now and then, so that the reader does not lean on one wording. ``decided``
    are answers of which the guard leaves nothing: they get 0 and are never read.
    """

    source: str
    group: str
    question: Question
    points: tuple[str, ...]
    references: tuple[str, ...]
    stand_ins: tuple[str, ...]
    answers: tuple[ReaderAnswer, ...]
    decided: tuple[GradedAnswer, ...] = ()

    def should_be_said(self, text: str) -> Text:
        """The text as a key point or model answer is read: with the question before it."""
        return text, self.question.prompt

    @property
    def texts(self) -> Iterator[Text]:
        """Everything of this question that is ever read."""
        yield from (self.should_be_said(text) for text in (*self.points, *self.references, *self.stand_ins))
        yield from ((answer.text, None) for answer in self.answers)


def reader_questions(
    questions: Sequence[GradedQuestion],
    tell: Callable[[int, int, str], None] | None = None,
    *,
    most_made_up: int | None = None,
) -> list[ReaderQuestion]:
    """Each question with its own answers and those made up from it, without answers that the guard leaves nothing of.

    Of the made-up answers to a question at most ``most_made_up`` are taken, drawn for it once and for all. Raises
    :class:`grading.errors.QuestionUnusable` for a question without key points and model answer.
    """
    found: list[ReaderQuestion] = []
    for number, graded in enumerate(questions):
        if tell is not None:
            tell(number, len(questions), "reading the questions")
        found.append(_reader_question(graded, questions, most_made_up))
    return found


def source_weights(questions: Sequence[GradedQuestion]) -> dict[str, float]:
    """How much an answer of each source counts: 1 in the banks, between 0.5 and 2 in a file of students' answers.

    A small file is a course of one's own and counts double; a large one must not drown what the others teach.
    """
    counts: Counter[str] = Counter()
    for graded in questions:
        counts[graded.source] += len(graded.answers)
    return {
        source: 1.0 if source in _BANKS else min(max(_COUNTS_ONCE / max(count, 1), _LEAST_WEIGHT), _MOST_WEIGHT)
        for source, count in counts.items()
    }


def digest_of(questions: Sequence[GradedQuestion]) -> str:
    """Hexadecimal SHA-256 over the data, in their order."""
    digest = hashlib.sha256()
    for graded in questions:
        digest.update(repr(asdict(graded)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _reader_question(
    graded: GradedQuestion, questions: Sequence[GradedQuestion], most_made_up: int | None
) -> ReaderQuestion:
    question = graded.question
    # By question, not by seed: runs with different seeds then compare on the same answers.
    rng = random.Random(graded.group)
    made_up = list(made_up_answers(graded, _others(graded, questions), rng))
    if most_made_up is not None and len(made_up) > most_made_up:
        made_up = rng.sample(made_up, most_made_up)
    answers: list[ReaderAnswer] = []
    decided: list[GradedAnswer] = []
    for answer in (*graded.answers, *made_up):
        kept = guard(question, answer.text)
        if not kept.is_empty_handed:
            answers.append(ReaderAnswer(text=kept.text, graded=answer))
        elif not answer.is_made_up:
            decided.append(answer)
    return ReaderQuestion(
        source=graded.source,
        group=graded.group,
        question=question,
        points=tuple(point.text for point in key_points_of(question)),
        references=references_of(question),
        stand_ins=tuple(answer.text for answer in answers if _is_full(answer.graded)),
        answers=tuple(answers),
        decided=tuple(decided),
    )


def _others(graded: GradedQuestion, questions: Sequence[GradedQuestion]) -> list[GradedQuestion]:
    """Questions to borrow answers from: of the same source if there are any, in the same language always."""
    same_language = [
        other
        for other in questions
        if other.question.language == graded.question.language and other.group != graded.group
    ]
    return [other for other in same_language if other.source == graded.source] or same_language


def _is_full(answer: GradedAnswer) -> bool:
    return answer.score == 1.0 and answer.kind in _FULL_KINDS
