"""What a dataset folder holds, line by line: checked where bytes enter, and the source of ``schema.json``.

::

    dataset/
    ├── questions.jsonl    one DatasetQuestion a line
    ├── examples.jsonl     one Example a line
    ├── schema.json        JSON Schema of both
    └── manifest.json      comes last: a folder without it is unfinished
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from grading.domain import Verdict
from grading.text import MAX_CHARACTERS

SCHEMA_VERSION = 1
KIND = "dataset"
QUESTIONS, EXAMPLES, SCHEMA, MANIFEST = "questions.jsonl", "examples.jsonl", "schema.json", "manifest.json"
MAX_LINE_BYTES = 1_000_000
"""A longer line is none that was written by :func:`finetune.dataset.write_dataset`."""

PartName = Literal["train", "validation", "test"]


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("the text holds a NUL character: was the file saved in another encoding?")
    return text


def _with_content(text: str) -> str:
    if not text.strip():
        raise ValueError("the text is blank")
    return text


_Text = Annotated[str, Field(max_length=MAX_CHARACTERS), AfterValidator(_without_nul)]
_Content = Annotated[_Text, AfterValidator(_with_content)]
_Identifier = Annotated[_Content, Field(max_length=200)]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
_Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DatasetKeyPoint(_Record):
    """One thing a full answer says: :class:`grading.domain.KeyPoint` as a file holds it."""

    position: Annotated[int, Field(ge=0, strict=True)]
    name: _Text
    text: _Content
    weight: Annotated[float, Field(gt=0, strict=True)] = 1.0


class DatasetQuestion(_Record):
    """One question; ``language`` is its ISO 639 code, ``und`` where none could be told; ``source`` names the set."""

    id: _Identifier
    prompt: _Content
    language: _Language
    model_answers: Annotated[tuple[_Content, ...], Field(min_length=1)]
    key_points: tuple[DatasetKeyPoint, ...] = ()
    tags: tuple[_Text, ...] = ()
    source: _Text = ""

    @model_validator(mode="after")
    def _counts_its_points(self) -> Self:
        if [point.position for point in self.key_points] != list(range(len(self.key_points))):
            raise ValueError("the positions of the key points do not count 0, 1, 2 …")
        return self


class Example(_Record):
    """One answer with what is known of it.

    ``question`` is the id of its question; ``score`` a fraction 0..1; ``verdicts`` one a key point, or none at all.
    ``explained_by`` is PERSON where an instructor wrote the explanation, or edited a machine's; ``rating`` is what the
    student said about it as it stands. ``learner`` and ``course`` are pseudonyms. ``part`` is set where the data came
    with parts of their own; otherwise :func:`finetune.dataset.part_of` says it.
    """

    id: _Identifier
    question: _Identifier
    answer: _Text
    language: _Language
    score: Annotated[float, Field(ge=0, le=1, strict=True)] | None = None
    scored_by: Literal["PERSON", "MODEL"] | None = None
    verdicts: tuple[Verdict, ...] = ()
    explanation: _Text | None = None
    explained_by: Literal["PERSON", "MODEL", "TEMPLATE"] | None = None
    learner: _Identifier | None = None
    rating: Literal["HELPFUL", "NOT_HELPFUL", "WRONG"] | None = None
    course: _Identifier | None = None
    part: PartName | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether a person gave or confirmed the score, so that it may be learnt from."""
        return self.score is not None and self.scored_by == "PERSON"


class Manifest(_Record):
    """Where a dataset came from, how much it holds, and the SHA-256 of every file.

    ``sources``: the digests of the datasets that its rows were taken from, and of theirs, so that an erasure finds what
    became of an export.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: Literal["dataset"] = KIND
    producer: str
    created_at: AwareDatetime
    filters: Mapping[str, Any]
    counts: Mapping[str, int]
    files: Mapping[Literal["questions.jsonl", "examples.jsonl", "schema.json"], str]
    sources: tuple[_Digest, ...] = ()

    @property
    def digest(self) -> str:
        """The dataset's identity: the same content has the same, whoever wrote it when."""
        files = json.dumps(dict(self.files), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(files.encode()).hexdigest()[:16]

    @property
    def lineage(self) -> tuple[str, ...]:
        """Its own digest and those of its sources."""
        return tuple(dict.fromkeys((self.digest, *self.sources)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A whole folder, read and found to be what its manifest says."""

    questions: tuple[DatasetQuestion, ...]
    examples: tuple[Example, ...]
    manifest: Manifest

    @property
    def digest(self) -> str:
        """That of the manifest."""
        return self.manifest.digest


def schema() -> dict[str, Any]:
    """JSON Schema of a line of each file."""
    return {
        "schema_version": SCHEMA_VERSION,
        QUESTIONS: DatasetQuestion.model_json_schema(),
        EXAMPLES: Example.model_json_schema(),
    }
