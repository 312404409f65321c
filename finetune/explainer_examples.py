"""From the sample bank to examples for the explainer: a feedback object and replies to it, split by question.

A question's part is fixed by a hash of its id: questions that train never judge, and adding questions moves none.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b, sha256
from typing import Literal

from finetune.errors import TooFewExamples
from finetune.explainer_replies import replies
from grading.domain import Assessment, Flag, KeyPoint, KeyPointVerdict, Question, Verdict
from grading.explanation.feedback import Feedback, Point
from grading.explanation.feedback_making import feedback_from
from grading.explanation.words import content_stems, sentences
from grading.samples import AnswerKind, SampleAnswer, SampleQuestion

Part = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainerCase:
    """One answer to explain: what the model gets, and what the checks need to judge its text."""

    question_id: str
    part: Part
    question: Question
    answer: str
    feedback: Feedback
    tutor_text: str
    source: Literal["bank", "course"] = "bank"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainerExample:
    """A feedback and one reply to it."""

    feedback: Feedback
    reply: str


def cases_from(samples: Iterable[SampleQuestion]) -> list[ExplainerCase]:
    """Every sample answer that a model would be asked about: those with a fixed text are left out."""
    cases = [_case(sample, answer) for sample in samples for answer in sample.answers]
    return [case for case in cases if case.feedback.gate is None]


def cases_of(cases: Sequence[ExplainerCase], part: Part) -> list[ExplainerCase]:
    """The cases of one part; raises :class:`TooFewExamples` when there is none."""
    chosen = [case for case in cases if case.part == part]
    if not chosen:
        questions = len({case.question_id for case in cases})
        raise TooFewExamples(f"no question falls into the {part} part; {questions} questions are too few")
    return chosen


def examples_from(
    cases: Sequence[ExplainerCase], *, replies_per_case: int, seed: int, epoch: int = 0
) -> list[ExplainerExample]:
    """Examples for training, the same for the same seed; some without quotations, as they occur in service.

    Of four replies to a case, in one epoch or over several, the first is the tutor's.
    """
    rng = random.Random(seed)
    examples: list[ExplainerExample] = []
    for case in cases:
        for reply_number in range(replies_per_case):
            feedback = _without_quotes(case.feedback) if rng.random() < _SHARE_WITHOUT_QUOTES else case.feedback
            is_tutors = (epoch * replies_per_case + reply_number) % _REPLIES_TO_A_TUTORS == 0
            tutor_text = case.tutor_text if is_tutors else ""
            made = replies(feedback, case.question, case.answer, tutor_text, count=1, rng=rng)
            examples += [ExplainerExample(feedback=feedback, reply=reply) for reply in made]
    return examples


def assessment_of(sample: SampleQuestion, answer: SampleAnswer) -> Assessment:
    """The bank's own judgement of a sample answer, with the sentence nearest to each key point as its evidence."""
    verdicts = tuple(
        KeyPointVerdict(
            position=position,
            verdict=Verdict(answer.verdicts[point.id].value),
            similarity=0.0,
            evidence=None
            if answer.verdicts[point.id].value == "missing"
            else nearest_sentence(answer.text, point.text),
        )
        for position, point in enumerate(sample.key_points)
    )
    flags = frozenset({Flag.DONT_KNOW}) if answer.kind is AnswerKind.DONT_KNOW else frozenset[Flag]()
    return Assessment(
        fraction=answer.score, low=answer.score, high=answer.score, confidence=1.0, verdicts=verdicts, flags=flags
    )


def nearest_sentence(text: str, point_text: str) -> str | None:
    """The sentence of ``text`` that shares most words with a key point; ``None`` where there is no sentence."""
    wanted = set(content_stems(point_text))
    return max(sentences(text), key=lambda sentence: len(wanted & set(content_stems(sentence))), default=None)


def question_of(sample: SampleQuestion) -> Question:
    """A sample question as grading knows it."""
    points = tuple(
        KeyPoint(position=position, name=point.name, text=point.text, weight=point.weight)
        for position, point in enumerate(sample.key_points)
    )
    return Question(
        prompt=sample.prompt, model_answers=tuple(sample.model_answers), key_points=points, language=sample.language
    )


def digest_of(cases: Sequence[ExplainerCase], *, has_feedback: bool = False) -> str:
    """SHA-256 over everything that training and judging read; over the feedback too where asked for."""
    rows = [
        [case.question_id, case.part, case.question.prompt, case.answer, case.tutor_text]
        + ([repr(case.feedback)] if has_feedback else [])
        for case in cases
    ]
    return sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()


def part_of(question_id: str) -> Part:
    """Seven of ten questions train, the rest is halved."""
    share = int.from_bytes(blake2b(question_id.encode(), digest_size=2).digest()) / 65536
    if share < 0.7:
        return "train"
    return "validation" if share < 0.85 else "test"


def _case(sample: SampleQuestion, answer: SampleAnswer) -> ExplainerCase:
    question = question_of(sample)
    return ExplainerCase(
        question_id=sample.id,
        part=part_of(sample.id),
        question=question,
        answer=answer.text,
        feedback=feedback_from(question, answer.text, assessment_of(sample, answer)),
        tutor_text=answer.explanation,
    )


def _without_quotes(feedback: Feedback) -> Feedback:
    def bare(points: tuple[Point, ...]) -> tuple[Point, ...]:
        return tuple(replace(point, quote=None) for point in points)

    return replace(
        feedback,
        covered=bare(feedback.covered),
        partial=bare(feedback.partial),
        contradicted=bare(feedback.contradicted),
    )


_SHARE_WITHOUT_QUOTES = 0.12
_REPLIES_TO_A_TUTORS = 4
