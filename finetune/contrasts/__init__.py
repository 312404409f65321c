"""Contrast sets: for each key point statements that say it and near copies that say something false.

An encoder puts a statement and its opposite side by side, and a bank of whole answers has few of them that differ in
meaning alone. Here right and wrong statements have the same voices and lengths (Gardner et al. 2020, "Evaluating
Models' Local Decision Boundaries via Contrast Sets"); :mod:`finetune.composed_answers` joins them to answers. One YAML
file a question, ``<language>/<id>.yaml``; ``python -m finetune.contrasts`` checks them all.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finetune.yaml_files import read_yaml
from grading.yaml_files import yaml_paths

CONTRASTS_FOLDER = Path(__file__).parent

Statement = Annotated[str, Field(min_length=2, max_length=500)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ContrastPoint(_Strict):
    """One key point: ``text`` says it as the model answer does, ``weight`` is relative to the others.

    ``right``, in this order: in own words, reworded, terse, casual, as notes or with a correct denial. ``wrong``: two
    minimal edits of ``text``, one of a right statement, a terse one, a casual one, a misconception. ``partly`` earns
    half.
    """

    name: Annotated[str, Field(min_length=1, max_length=80)]
    text: Statement
    weight: Annotated[int, Field(ge=1, le=3)] = 1
    right: Annotated[list[Statement], Field(min_length=5)]
    wrong: Annotated[list[Statement], Field(min_length=6)]
    partly: Annotated[list[Statement], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        texts = [text.casefold() for text in (self.text, *self.right, *self.wrong, *self.partly)]
        if twice := next((text for text in texts if texts.count(text) > 1), None):
            raise ValueError(f"the same statement twice: {twice!r}")
        return self


class ContrastQuestion(_Strict):
    """A question with a model answer; ``asides`` earn and cost nothing, ``wrong_answers`` are long and earn nothing."""

    prompt: Annotated[str, Field(min_length=8, max_length=600)]
    reference: Annotated[str, Field(min_length=40, max_length=2000)]
    points: Annotated[list[ContrastPoint], Field(min_length=2, max_length=5)]
    asides: Annotated[list[Statement], Field(min_length=3)]
    wrong_answers: Annotated[list[Annotated[str, Field(min_length=80, max_length=2000)]], Field(min_length=1)]


@cache
def load_contrasts() -> dict[tuple[str, str], ContrastQuestion]:
    """All by language and id, sorted; :class:`finetune.yaml_files.BankError` for the first file that does not fit."""
    return {(path.parent.name, path.stem): read_yaml(path, ContrastQuestion) for path in yaml_paths(CONTRASTS_FOLDER)}
