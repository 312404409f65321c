"""A course's own explanations as cases for the explainer: dataset folders and tables of answers.

::

    --data ──read──▶ Course ──which may be learnt from?──▶ feedback of verdicts, or of a grader ──▶ ExplainerCase
                                      └──────── counted, with the reason ◀────── fixed text, failed checks

The score is the one that the explanation was written for. A grader says which key points an answer covers only where
nobody else did. Where a question has more explanations than are taken, those that a person wrote or edited come first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import TypeVar

from finetune.behaviour.judging import Assesses
from finetune.dataset import DatasetQuestion, Example, part_of_example, read_dataset
from finetune.dataset.importing import gather
from finetune.dataset.parts import normalised
from finetune.explainer_examples import ExplainerCase, Part, nearest_sentence
from finetune.explainer_replies import finished_text, learnable_reply, may_be_learnable
from grading.domain import Assessment, KeyPoint, KeyPointVerdict, Question, Verdict
from grading.errors import QuestionUnusable
from grading.explanation.checks import problems_in
from grading.explanation.feedback_making import feedback_from

ANSWERS_PER_QUESTION = 24
"""More explanations of one question teach its words, not how to explain; and one course cannot flood the others."""

Tell = Callable[[int, int, str], None]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One ``--data``: what was read, and the digest by which it is known later; ``sources``: what it was made from."""

    digest: str
    questions: tuple[DatasetQuestion, ...]
    examples: tuple[Example, ...]
    sources: tuple[str, ...] = ()

    @property
    def lineage(self) -> tuple[str, ...]:
        """Its own digest and those of its sources."""
        return self.digest, *self.sources

    @property
    def languages(self) -> frozenset[str]:
        """The languages of texts for students, as far as there are wordings."""
        return frozenset("ko" if question.language == "ko" else "en" for question in self.questions)


@dataclass(slots=True)
class CourseCases:
    """Cases, and why the other examples gave none: each reason with its count."""

    cases: list[ExplainerCase] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def read_course(path: Path) -> Course:
    """A dataset's folder, or a table; the errors name file and row (:mod:`finetune.errors`)."""
    if path.is_dir():
        dataset = read_dataset(path)
        return Course(
            digest=dataset.digest,
            questions=dataset.questions,
            examples=dataset.examples,
            sources=dataset.manifest.sources,
        )
    gathering = gather([path])
    return Course(
        digest=sha256(path.read_bytes()).hexdigest()[:16],
        questions=tuple(question for question, _ in gathering.questions.values()),
        examples=tuple(example for example, _ in gathering.examples.values()),
    )


def course_cases(course: Course, grader: Assesses, tell: Tell) -> CourseCases:
    """What can be learnt from and judged on.

    The explanation of a case that trains has passed every check, at least in part. In the other parts it is the
    model's text that is judged, so the tutor's may be what it is.
    """
    found = CourseCases()
    by_question: dict[str, list[Example]] = {}
    for example in course.examples:
        if (reason := _reason_against(example)) is not None:
            found.left_out[reason] += 1
        else:
            by_question.setdefault(example.question, []).append(example)
    for done, question in enumerate(course.questions):
        tell(done, len(course.questions), "scoring answers")
        _add_cases(question, by_question.get(question.id, []), grader, found)
    return found


def aligned(cases: Iterable[ExplainerCase]) -> list[ExplainerCase]:
    """The cases with one part for each wording of a question, the one furthest from training.

    A course that asks a question of the bank must not be tested on what the bank trained, nor the other way round.
    """
    cases = list(cases)
    parts: dict[str, Part] = {}
    for case in cases:
        key = normalised(case.question.prompt)
        parts[key] = max(parts.get(key, "train"), case.part, key=_FROM_TRAINING.__getitem__)
    return [replace(case, part=parts[normalised(case.question.prompt)]) for case in cases]


def _reason_against(example: Example) -> str | None:
    """Why an example is not even looked at; ``None`` where it is."""
    if not (example.explanation or "").strip():
        return "no explanation"
    if example.explained_by not in ("PERSON", "TEMPLATE"):
        return "the explanation is a language model's"
    if example.score is None or (not example.is_confirmed and not _is_persons(example)):
        return "no score that a person confirmed"
    if example.rating == "WRONG":
        return "the student found it wrong, and nobody edited it since"
    if example.rating == "NOT_HELPFUL":
        return "the student found it no help"
    return None


def _add_cases(asked: DatasetQuestion, examples: Sequence[Example], grader: Assesses, found: CourseCases) -> None:
    question = _question(asked)
    try:
        worth = [example for example in examples if _is_worth_grading(asked, question, example)]
        some = _chosen(worth, 2 * ANSWERS_PER_QUESTION, lambda example: example, lambda example: example.score or 0.0)
        assessments = _assessments(question, some, grader)
    except QuestionUnusable:
        found.left_out["the question has no model answer with words in it"] += len(examples)
        return
    cases: list[tuple[Example, ExplainerCase]] = []
    for example, assessment in zip(some, assessments, strict=True):
        case = _case(asked, question, example, assessment)
        if (reason := _reason_against_case(case)) is not None:
            found.left_out[reason] += 1
        else:
            cases.append((example, case))
    kept = _chosen(cases, ANSWERS_PER_QUESTION, lambda each: each[0], lambda each: len(each[1].feedback.covered))
    found.left_out += Counter({_OTHER: len(examples) - len(worth)})
    found.left_out += Counter({_ENOUGH: len(worth) - len(some) + len(cases) - len(kept)})
    found.cases += [case for _, case in kept]


def _is_worth_grading(asked: DatasetQuestion, question: Question, example: Example) -> bool:
    """False for what trains and could not be learnt whatever the grader says: graders are slow."""
    is_trained = part_of_example(example, asked, "question") == "train"
    return not is_trained or may_be_learnable(question, example.answer, example.explanation or "")


def _assessments(question: Question, examples: Sequence[Example], grader: Assesses) -> list[Assessment]:
    """Of the verdicts that came with the example, else of the grader, with the tutor's score in any case."""
    unknown = [example for example in examples if not example.verdicts]
    graded = iter(grader.assess(question, [example.answer for example in unknown]) if unknown else ())
    return [
        replace(_told(question, example) if example.verdicts else next(graded), fraction=example.score or 0.0)
        for example in examples
    ]


def _told(question: Question, example: Example) -> Assessment:
    verdicts = tuple(
        KeyPointVerdict(
            position=point.position,
            verdict=verdict,
            similarity=0.0,
            evidence=None if verdict is Verdict.MISSING else nearest_sentence(example.answer, point.text),
        )
        for point, verdict in zip(question.key_points, example.verdicts, strict=True)
    )
    return Assessment(fraction=0.0, low=0.0, high=1.0, confidence=1.0, verdicts=verdicts)


def _case(asked: DatasetQuestion, question: Question, example: Example, assessment: Assessment) -> ExplainerCase:
    return ExplainerCase(
        question_id=asked.id,
        part=part_of_example(example, asked, "question"),
        question=question,
        answer=example.answer,
        feedback=feedback_from(question, example.answer, assessment),
        tutor_text=example.explanation or "",
        source="course",
    )


def _reason_against_case(case: ExplainerCase) -> str | None:
    if case.feedback.gate is not None:
        return "the answer gets a fixed text"
    if case.part != "train":
        return None
    if learnable_reply(case.feedback, case.question, case.answer, case.tutor_text, Random(0)):
        return None
    problems = problems_in(finished_text(case.tutor_text), case.feedback, case.question, case.answer)
    return f"check {problems[0].kind.value}" if problems else _OTHER


def _chosen(
    items: Sequence[Item], count: int, example_of: Callable[[Item], Example], place_of: Callable[[Item], float]
) -> list[Item]:
    """At most ``count``: those that a person explained first, then the others, spread over their places."""
    persons = [item for item in items if _is_persons(example_of(item))]
    others = [item for item in items if not _is_persons(example_of(item))]
    kept = _spread(persons, count, place_of)
    return kept + _spread(others, count - len(kept), place_of)


def _is_persons(example: Example) -> bool:
    """A person wrote the explanation, or edited a machine's, and so stands for it."""
    return example.explained_by == "PERSON"


def _spread(items: Sequence[Item], count: int, place_of: Callable[[Item], float]) -> list[Item]:
    """At most ``count``, from the lowest place to the highest, in their first order."""
    if len(items) <= count:
        return list(items)
    order = sorted(range(len(items)), key=lambda number: (place_of(items[number]), number))
    chosen = {order[number * len(order) // count] for number in range(count)}
    return [item for number, item in enumerate(items) if number in chosen]


def _question(asked: DatasetQuestion) -> Question:
    points = tuple(
        KeyPoint(position=point.position, name=point.name, text=point.text, weight=point.weight)
        for point in asked.key_points
    )
    return Question(prompt=asked.prompt, model_answers=asked.model_answers, key_points=points, language=asked.language)


_OTHER = "says too little, or more than the feedback holds"
_ENOUGH = f"its question has {ANSWERS_PER_QUESTION} others"
_FROM_TRAINING: Mapping[Part, int] = {"train": 0, "validation": 1, "test": 2}
