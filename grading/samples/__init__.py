"""The sample question bank: one YAML file a question, checked against :class:`SampleQuestion` when read.

The bank feeds the demo, the tests and the first models. Files lie in ``<language>/<id>.yaml``; the same id in two
languages is the same question. ``python -m grading.samples`` checks them all and names the place of every fault.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from grading.yaml_files import read_yaml, yaml_paths

SAMPLES_FOLDER = Path(__file__).parent

Text = Annotated[str, Field(min_length=2, max_length=4000)]


class AnswerKind(StrEnum):
    """What a sample answer is an example of."""

    FULL = "full"
    PARTIAL = "partial"
    WRONG = "wrong"
    SHORT_RIGHT = "short_right"
    LONG_WRONG = "long_wrong"
    DONT_KNOW = "dont_know"


class SampleVerdict(StrEnum):
    """How an answer treats a key point; the same words as :class:`grading.domain.Verdict`."""

    COVERED = "covered"
    PARTIAL = "partial"
    MISSING = "missing"
    CONTRADICTED = "contradicted"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SampleKeyPoint(_Strict):
    """One thing a full answer says.

    ``name`` names the point without giving its content away (it is shown to a student who missed it); ``text`` is
    the point as a sentence; ``weight`` is its share of the score relative to the others.
    """

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    name: Annotated[str, Field(min_length=2, max_length=80)]
    text: Annotated[str, Field(min_length=2, max_length=400)]
    weight: Annotated[int, Field(ge=1, le=5)]


class SampleAnswer(_Strict):
    """A graded answer: ``score`` is a fraction 0..1 in steps of 0.05, ``verdicts`` has one entry a key point."""

    kind: AnswerKind
    text: Text
    score: Annotated[float, Field(ge=0, le=1)]
    verdicts: dict[str, SampleVerdict]
    explanation: Annotated[str, Field(min_length=10, max_length=600)]


class SampleQuestion(_Strict):
    """One question of the bank with its model answers, key points and graded sample answers."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    language: Literal["en", "ko"]
    topic: Annotated[str, Field(min_length=2, max_length=60)]
    tags: Annotated[list[str], Field(min_length=2, max_length=8)]
    prompt: Annotated[str, Field(min_length=10, max_length=600)]
    model_answers: Annotated[list[Text], Field(min_length=1)]
    key_points: Annotated[list[SampleKeyPoint], Field(min_length=2, max_length=6)]
    answers: Annotated[list[SampleAnswer], Field(min_length=6)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        ids = [point.id for point in self.key_points]
        if len(set(ids)) != len(ids):
            raise ValueError("key point ids repeat")
        missing_kinds = set(AnswerKind) - {answer.kind for answer in self.answers}
        if missing_kinds:
            raise ValueError(f"no sample answer of kind {', '.join(sorted(missing_kinds))}")
        texts = [answer.text.strip() for answer in self.answers]
        if len(set(texts)) != len(texts):
            raise ValueError("two sample answers have the same text")
        for number, answer in enumerate(self.answers, start=1):
            _check_answer(number, answer, ids)
        return self


class SampleError(Exception):
    """A file of the sample bank does not fit the schema; the message names file and field."""


def load_samples(language: str | None = None) -> tuple[SampleQuestion, ...]:
    """All questions of the bank, sorted by language and id; ``language`` keeps only one.

    Raises :class:`SampleError` for the first file that does not fit the schema.
    """
    return tuple(sample for sample in _load_all() if language in (None, sample.language))


def get_sample(sample_id: str, language: str) -> SampleQuestion:
    """The question with this id in this language; ``KeyError`` when the bank has none."""
    for sample in load_samples(language):
        if sample.id == sample_id:
            return sample
    raise KeyError(f"no sample question {sample_id!r} in {language!r}")


def read_sample(path: Path) -> SampleQuestion:
    """One file of the bank, checked; :class:`SampleError` names the file and the field."""
    sample = read_yaml(path, SampleQuestion, SampleError)
    if (sample.language, sample.id) != (path.parent.name, path.stem):
        raise SampleError(f"{path}: id and language must equal the file's name and folder")
    return sample


@cache
def _load_all() -> tuple[SampleQuestion, ...]:
    return tuple(read_sample(path) for path in yaml_paths(SAMPLES_FOLDER))


def _check_answer(number: int, answer: SampleAnswer, key_point_ids: list[str]) -> None:
    place = f"answers[{number}] ({answer.kind})"
    if sorted(answer.verdicts) != sorted(key_point_ids):
        raise ValueError(f"{place}: verdicts must name each key point once")
    if abs(answer.score * 20 - round(answer.score * 20)) > 1e-9:
        raise ValueError(f"{place}: score {answer.score} is not a multiple of 0.05")
    low, high = _SCORE_RANGE[answer.kind]
    if not low <= answer.score <= high:
        raise ValueError(f"{place}: score {answer.score} is outside {low}..{high}")


_SCORE_RANGE = {
    AnswerKind.FULL: (0.9, 1.0),
    AnswerKind.PARTIAL: (0.2, 0.85),
    AnswerKind.WRONG: (0.0, 0.2),
    AnswerKind.SHORT_RIGHT: (0.85, 1.0),
    AnswerKind.LONG_WRONG: (0.0, 0.25),
    AnswerKind.DONT_KNOW: (0.0, 0.0),
}


def main() -> int:
    """Check every file and print what is wrong; the exit code is 1 if anything is."""
    faults = 0
    for path in yaml_paths(SAMPLES_FOLDER):
        try:
            read_sample(path)
        except SampleError as error:
            faults += 1
            sys.stderr.write(f"{error}\n")
    sys.stdout.write(f"{len(list(yaml_paths(SAMPLES_FOLDER)))} questions, {faults} with faults\n")
    return 1 if faults else 0
