"""Import: files of graded answers become one dataset, or none of it where a row cannot be taken in.

::

    folder, examples.jsonl ──┐
    CSV, TSV, spreadsheet  ──┴─▶ Gathering ──▶ any fault? refuse, naming rows ──▶ write_dataset
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from finetune.dataset.faults import Faults
from finetune.dataset.finding import Material, Place
from finetune.dataset.reading import Scan, read_manifest, scan_lines
from finetune.dataset.records import EXAMPLES, MANIFEST, QUESTIONS, DatasetQuestion, Example
from finetune.dataset.table import read_table, shown
from finetune.dataset.table_rows import Taken, rows_of, taken_in
from finetune.errors import DataUnreadable, RowsRefused

Tell = Callable[[int, int], None]

_WORKBOOKS = {".xlsx", ".xls", ".ods", ".numbers"}


@dataclass(slots=True)
class Gathering:
    """What the files gave so far, each with its place; faults are collected, so that all are known at once.

    ``sources``: the digests of the datasets among the files, and of those that they came from, in order.
    """

    questions: dict[str, tuple[DatasetQuestion, Place]] = field(default_factory=dict)
    examples: dict[str, tuple[Example, Place]] = field(default_factory=dict)
    unread_columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sources: dict[str, None] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def material(self) -> Material:
        """As the checks take it."""
        return Material(
            questions=[question for question, _ in self.questions.values()],
            examples=[example for example, _ in self.examples.values()],
            question_places=[place for _, place in self.questions.values()],
            example_places=[place for _, place in self.examples.values()],
        )


def gather(
    paths: Sequence[Path], *, max_score: float = 1.0, encoding: str | None = None, tell: Tell | None = None
) -> Gathering:
    """Everything in these files; :class:`DataUnreadable` and :class:`RowsRefused` name file and row.

    ``max_score`` is what full marks are in tables; ``encoding`` is theirs when it is not UTF-8. ``tell`` hears how many
    rows of how many are done.
    """
    gathering = Gathering()
    for path in paths:
        if path.is_dir():
            gathering.sources |= dict.fromkeys(read_manifest(path).lineage)
            _gather_lines(path, gathering)
        elif path.suffix.casefold() == ".jsonl":
            if (path.parent / MANIFEST).exists():
                gathering.sources |= dict.fromkeys(read_manifest(path.parent).lineage)
            _gather_lines(path.parent, gathering, path)
        elif path.suffix.casefold() in _WORKBOOKS:
            raise DataUnreadable(f"{path}: a workbook is not read; save the sheet as “CSV UTF-8”.")
        else:
            _gather_table(path, gathering, max_score, encoding, tell)
    if gathering.faults.count:
        raise RowsRefused(
            f"Nothing was imported. Rows or lines that cannot be taken in: {gathering.faults.count}\n"
            f"{gathering.faults}",
            faults=tuple(gathering.faults.kept),
            count=gathering.faults.count,
        )
    if not gathering.examples:
        raise DataUnreadable(f"{', '.join(map(str, paths))}: there is no answer to import.")
    return gathering


def _gather_lines(folder: Path, gathering: Gathering, examples: Path | None = None) -> None:
    path = examples or folder / EXAMPLES
    scan = Scan(faults=gathering.faults)
    scan_lines(folder / QUESTIONS, path, scan)
    for number, question in scan.questions.items():
        _add_question(gathering, question, Place(file=str(folder / QUESTIONS), unit="line", number=number))
    for number, example in scan.examples.items():
        place = Place(file=str(path), unit="line", number=number)
        if example.id in gathering.examples:
            _fault(gathering, place, f"the id '{shown(example.id)}' is taken by another line or row")
        else:
            gathering.examples[example.id] = (example, place)


def _gather_table(path: Path, gathering: Gathering, max_score: float, encoding: str | None, tell: Tell | None) -> None:
    table = read_table(path, encoding)
    gathering.unread_columns[str(path)] = table.unread
    rows = rows_of(table, max_score, gathering.faults, tell)
    if gathering.faults.count:
        return
    taken = taken_in(rows, path, gathering.faults)
    for question, row in taken.questions:
        _add_question(gathering, question, Place(file=str(path), unit="row", number=row))
    _add_examples(gathering, taken, path)


def _add_examples(gathering: Gathering, taken: Taken, path: Path) -> None:
    for example, row in taken.examples:
        name, copy = example.id, 1
        while name in gathering.examples:
            copy += 1
            name = f"{example.id}-{copy}"
        gathering.examples[name] = (
            example.model_copy(update={"id": name}),
            Place(file=str(path), unit="row", number=row),
        )


def _add_question(gathering: Gathering, question: DatasetQuestion, place: Place) -> None:
    """Add a question, or the model answers and tags that it brings to one that is there already."""
    there, first = gathering.questions.get(question.id, (question, place))
    if there.prompt.split() != question.prompt.split() or there.key_points != question.key_points:
        where = f"{first.file} {first.unit} {first.number}"
        _fault(gathering, place, f"the question is not the one with the same id in {where}")
        return
    merged = there.model_copy(
        update={
            "model_answers": tuple(dict.fromkeys((*there.model_answers, *question.model_answers))),
            "tags": tuple(dict.fromkeys((*there.tags, *question.tags))),
        }
    )
    gathering.questions[question.id] = (merged, first)


def _fault(gathering: Gathering, place: Place, text: str) -> None:
    gathering.faults.add(f"{place.file}: {place.unit} {place.number}: {text}.")
