"""Texts about answers as people and language models write them: good ones, and ones with exactly one planted error.

::

    seen/en.yaml  seen/ko.yaml        looked at while the checks are changed
    unseen/en.yaml  unseen/ko.yaml    written at the same time, of other questions; never looked at for a change

All were written before the checks were changed for them. None of them is a text of the template. A file is a list of
scenes: a question of the sample bank (or one of its own), an answer with its verdicts, and one text a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from grading.domain import Assessment, KeyPoint, KeyPointVerdict, Question, Verdict
from grading.explanation.checks import Problem, ProblemKind, problems_in
from grading.explanation.feedback import Feedback
from grading.explanation.feedback_making import feedback_from
from grading.samples import get_sample

Half = Literal["seen", "unseen"]
HALVES: tuple[Half, ...] = ("seen", "unseen")
_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedText:
    """A text about an answer: ``planted`` is the kind of its one error, ``None`` where it is good."""

    half: Half
    language: str
    text: str
    planted: ProblemKind | None
    question: Question
    answer: str
    feedback: Feedback

    @property
    def problems(self) -> list[Problem]:
        """What the checks say against it."""
        return problems_in(self.text, self.feedback, self.question, self.answer)


@cache
def judged_texts(half: Half) -> tuple[JudgedText, ...]:
    """All texts of one half, English first."""
    return tuple(text for language in ("en", "ko") for text in _texts(half, language))


def _texts(half: Half, language: str) -> Iterator[JudgedText]:
    content = (_FOLDER / half / f"{language}.yaml").read_text(encoding="utf-8")
    for scene in TypeAdapter(list[_Scene]).validate_python(yaml.safe_load(content)):
        question = scene.as_question(language)
        feedback = feedback_from(question, scene.answer, scene.as_assessment())
        told = [(None, text) for text in scene.good]
        told += [(kind, text) for kind, texts in scene.planted.items() for text in texts]
        for planted, text in told:
            yield JudgedText(
                half=half,
                language=language,
                text=text,
                planted=planted,
                question=question,
                answer=scene.answer,
                feedback=feedback,
            )


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Own(_Strict):
    """A question that is not of the bank; ``key_points`` are texts by their names."""

    prompt: str
    model_answers: list[str]
    key_points: dict[str, str]


Lines = Annotated[str, AfterValidator(lambda text: text.strip().split("\n"))]


class _Scene(_Strict):
    """``verdicts`` in order of the key points; ``evidence`` by their position."""

    question: str | None = None
    own: _Own | None = None
    answer: str
    fraction: Annotated[float, Field(ge=0, le=1)]
    verdicts: list[Verdict]
    evidence: dict[int, str] = {}
    good: Lines
    planted: dict[ProblemKind, Lines]

    @model_validator(mode="after")
    def _has_one_question(self) -> Self:
        if (self.question is None) == (self.own is None):
            raise ValueError("name a question of the bank or write one")
        return self

    def as_question(self, language: str) -> Question:
        if self.own is not None:
            asked, named = self.own, [*self.own.key_points.items()]
        else:
            asked = get_sample(str(self.question), language)
            named = [(point.name, point.text) for point in asked.key_points]
        points = tuple(KeyPoint(position=position, name=name, text=text) for position, (name, text) in enumerate(named))
        return Question(
            prompt=asked.prompt, model_answers=tuple(asked.model_answers), key_points=points, language=language
        )

    def as_assessment(self) -> Assessment:
        judged = tuple(
            KeyPointVerdict(position=position, verdict=verdict, similarity=0.5, evidence=self.evidence.get(position))
            for position, verdict in enumerate(self.verdicts)
        )
        return Assessment(fraction=self.fraction, low=0.0, high=1.0, confidence=0.9, verdicts=judged)
