"""What the cases are made from: questions of the suite's own (unseen) and of the sample bank (seen), in one form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from finetune.bank import BankQuestion
from finetune.yaml_files import read_yaml
from grading.domain import KeyPoint, Question
from grading.samples import SampleQuestion, load_samples

QUESTIONS_FOLDER = Path(__file__).parent / "questions"
LANGUAGES = ("en", "ko")
SEEN_QUESTIONS = 20
"""How many questions of the sample bank are taken in each language, evenly spread over their names."""

_SAMPLE_KINDS = {"short_right": "short", "partial": "part"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A graded answer; ``kind`` in the words of :class:`finetune.bank.BankKind` or of the sample bank."""

    kind: str
    score: float
    text: str


class Edit(BaseModel):
    """A change of the model answer that makes it wrong: ``old`` becomes ``new``; ``whole`` if nothing right is left."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    old: Annotated[str, Field(min_length=2)]
    new: Annotated[str, Field(min_length=2)]
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A question with everything that cases are made from; ``number`` counts within language and ``seen``."""

    id: str
    number: int
    language: str
    seen: bool
    question: Question
    answers: tuple[Answer, ...]
    edits: tuple[Edit, ...] = ()

    @property
    def reference(self) -> str:
        """The model answer."""
        return self.question.model_answers[0]

    @property
    def points(self) -> list[str]:
        """The key points as sentences."""
        return [point.text if point.text.endswith(".") else f"{point.text}." for point in self.question.key_points]

    @property
    def shares(self) -> list[float]:
        """The share of the score of each key point; they sum to 1."""
        total = sum(point.weight for point in self.question.key_points)
        return [point.weight / total for point in self.question.key_points]

    def of_kind(self, kind: str) -> list[Answer]:
        """The answers of a kind, in the order of the file."""
        return [answer for answer in self.answers if answer.kind == kind]

    def full(self) -> Answer:
        """The first answer that says everything."""
        return self.of_kind("full")[0]

    def part(self) -> Answer:
        """The first answer that says a part."""
        return self.of_kind("part")[0]


@cache
def load_material() -> tuple[Material, ...]:
    """All questions: in each language the unseen ones, then the seen ones.

    Raises :class:`finetune.yaml_files.BankError` or :class:`grading.samples.SampleError` for a file that does not fit.
    """
    found: list[Material] = []
    for language in LANGUAGES:
        edits = _edits(language)
        paths = sorted((QUESTIONS_FOLDER / language).glob("*.yaml"))
        found += [
            _unseen(path.stem, number, language, read_yaml(path, BankQuestion), edits.get(path.stem, []))
            for number, path in enumerate(paths)
        ]
        samples = load_samples(language)
        step = len(samples) / SEEN_QUESTIONS
        chosen = [samples[int(number * step)] for number in range(SEEN_QUESTIONS)]
        found += [_seen(sample, number) for number, sample in enumerate(chosen)]
    return tuple(found)


def _edits(language: str) -> dict[str, list[Edit]]:
    text = (QUESTIONS_FOLDER / f"edits_{language}.yaml").read_text(encoding="utf-8")
    return TypeAdapter(dict[str, list[Edit]]).validate_python(yaml.safe_load(text))


def _unseen(name: str, number: int, language: str, question: BankQuestion, edits: list[Edit]) -> Material:
    points = tuple(
        KeyPoint(position=position, name=point.name, text=point.text, weight=point.weight)
        for position, point in enumerate(question.key_points)
    )
    return Material(
        id=name,
        number=number,
        language=language,
        seen=False,
        question=Question(
            prompt=question.prompt, model_answers=(question.reference,), key_points=points, language=language
        ),
        answers=tuple(
            Answer(kind=answer.kind.value, score=answer.score, text=answer.text) for answer in question.answers
        ),
        edits=tuple(edits),
    )


def _seen(sample: SampleQuestion, number: int) -> Material:
    points = tuple(
        KeyPoint(position=position, name=point.name, text=point.text, weight=point.weight)
        for position, point in enumerate(sample.key_points)
    )
    return Material(
        id=sample.id,
        number=number,
        language=sample.language,
        seen=True,
        question=Question(
            prompt=sample.prompt,
            model_answers=tuple(sample.model_answers),
            key_points=points,
            language=sample.language,
        ),
        answers=tuple(
            Answer(kind=_SAMPLE_KINDS.get(answer.kind, answer.kind.value), score=answer.score, text=answer.text)
            for answer in sample.answers
        ),
    )
