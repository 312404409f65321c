"""What a check found, and where: the words of a report that people and programs read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from finetune.dataset.records import DatasetQuestion, Example

_SHOWN_GROUPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A row of a spreadsheet or a line of a file, counted from 1."""

    file: str
    unit: Literal["row", "line"]
    number: int

    def as_json(self) -> dict[str, Any]:
        """For a program: the file and the number under the name of its unit."""
        return {"file": self.file, self.unit: self.number}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One kind of thing that was found; ``groups`` are the places, together where they belong together."""

    kind: str
    text: str
    groups: tuple[tuple[Place, ...], ...] = ()

    def where(self) -> str:
        """The first places: ``train.csv row 3, 8, 5+9 … (20 in all)``."""
        shown = self.groups[:_SHOWN_GROUPS]
        parts: list[str] = []
        file = ""
        for group in shown:
            named = f"{group[0].file} {group[0].unit} " if group[0].file != file else ""
            file = group[0].file
            others = [
                f"{place.number}" if place.file == file else f"{place.file} {place.unit} {place.number}"
                for place in group[:_SHOWN_GROUPS]
            ]
            more = f"+… ({len(group)})" if len(group) > _SHOWN_GROUPS else ""
            parts.append(named + "+".join(others) + more)
        rest = f" … ({len(self.groups)} in all)" if len(self.groups) > len(shown) else ""
        return ", ".join(parts) + rest

    def as_json(self) -> dict[str, Any]:
        """For a program: all places."""
        groups = [[place.as_json() for place in group] for group in self.groups]
        return {"kind": self.kind, "text": self.text, "count": len(groups), "places": groups}


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What is checked: questions and examples with the place of each, in the same order."""

    questions: Sequence[DatasetQuestion]
    examples: Sequence[Example]
    question_places: Sequence[Place]
    example_places: Sequence[Place]

    def by_id(self) -> Mapping[str, DatasetQuestion]:
        """The questions by their ids."""
        return {question.id: question for question in self.questions}

    def at(self, indices: Iterable[int]) -> tuple[tuple[Place, ...], ...]:
        """The places of these examples, each a group of its own."""
        return tuple((self.example_places[index],) for index in indices)

    def together(self, groups: Iterable[Iterable[int]]) -> tuple[tuple[Place, ...], ...]:
        """The places of examples that belong together."""
        return tuple(tuple(self.example_places[index] for index in group) for group in groups)
