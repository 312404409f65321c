"""The training bank: questions with graded answers that were written to teach the grader.

The sample bank (:mod:`grading.samples`) is what people see in the demo; this one is larger, terser, and only trained
on. One YAML file a question, ``<language>/<id>.yaml``, checked when read. ``python -m finetune.bank`` checks them all
and names the place of every fault.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finetune.yaml_files import read_yaml
from grading.domain import Verdict
from grading.yaml_files import yaml_paths

BANK_FOLDER = Path(__file__).parent
VERDICTS = {
    "C": Verdict.COVERED,
    "P": Verdict.PARTIAL,
    "M": Verdict.MISSING,
    "X": Verdict.CONTRADICTED,
}

Text = Annotated[str, Field(min_length=2, max_length=2000)]


class BankKind(StrEnum):
    """What an answer is an example of, in the order in which they are written."""

    FULL = "full"  # everything, in the student's own words
    REWORDED = "reworded"  # everything, with hardly a term of the model answer
    SHORT = "short"  # everything, as briefly as it can be said
    NOTES = "notes"  # everything, as notes, formula or list
    CASUAL = "casual"  # everything, with slips of spelling and the tone of a chat
    PART_CLOSE = "part_close"  # the model answer's wording with a needed part left out
    PART = "part"  # another part left out, own words
    FIRST_ONLY = "first_only"  # one part of the question answered well, the rest not at all
    VAGUE = "vague"  # circular or too general to earn much
    FLIPPED = "flipped"  # a right answer with its crucial relation turned round, hardly a word changed
    ONE_WRONG = "one_wrong"  # right but for one point that is said wrongly
    WRONG_TERMS = "wrong_terms"  # the right vocabulary, a wrong statement
    LONG_WRONG = "long_wrong"  # long, fluent, wrong
    MIXED = "mixed"  # a right part and a confident wrong extension
    SIDESTEP = "sidestep"  # true, but not what was asked; or a neighbouring concept


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BankKeyPoint(_Strict):
    """One thing a full answer says; ``name`` does not give it away, ``weight`` is relative to the others."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    text: Annotated[str, Field(min_length=2, max_length=400)]
    weight: Annotated[int, Field(ge=1, le=5)] = 1


class BankAnswer(_Strict):
    """A graded answer: ``score`` 0..1 in steps of 0.05, ``verdicts`` one letter of C, P, M, X a key point."""

    kind: BankKind
    score: Annotated[float, Field(ge=0, le=1)]
    verdicts: Annotated[str, Field(pattern=r"^[CPMX]+$")]
    text: Text


class BankQuestion(_Strict):
    """One question with a model answer, its key points and graded answers."""

    prompt: Annotated[str, Field(min_length=8, max_length=600)]
    reference: Text
    key_points: Annotated[list[BankKeyPoint], Field(min_length=1, max_length=6)]
    answers: Annotated[list[BankAnswer], Field(min_length=5)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        texts = [answer.text.strip() for answer in self.answers]
        for number, answer in enumerate(self.answers, start=1):
            _check_answer(number, answer, self.key_points)
            if texts.index(answer.text.strip()) != number - 1:
                raise ValueError(f"answers[{number}]: the same text as an answer before it")
        return self


@cache
def load_bank() -> dict[tuple[str, str], BankQuestion]:
    """All by language and id, sorted; :class:`finetune.yaml_files.BankError` for the first file that does not fit."""
    return {(path.parent.name, path.stem): read_yaml(path, BankQuestion) for path in yaml_paths(BANK_FOLDER)}


def _check_answer(number: int, answer: BankAnswer, key_points: list[BankKeyPoint]) -> None:
    place = f"answers[{number}] ({answer.kind})"
    if len(answer.verdicts) != len(key_points):
        raise ValueError(f"{place}: {len(key_points)} key points, but verdicts {answer.verdicts!r}")
    if abs(answer.score * 20 - round(answer.score * 20)) > 1e-9:
        raise ValueError(f"{place}: score {answer.score} is not a multiple of 0.05")
    shares = {"C": 1.0, "P": 0.5, "M": 0.0, "X": 0.0}
    total = sum(point.weight for point in key_points)
    earned = sum(point.weight * shares[code] for point, code in zip(key_points, answer.verdicts, strict=True)) / total
    if abs(answer.score - earned) > _TOLERANCE:
        raise ValueError(f"{place}: score {answer.score}, but the verdicts {answer.verdicts} earn {earned:.2f}")


_TOLERANCE = 0.26
