"""The rows of a table as questions and examples: merged cells filled, cells read, every fault by its row."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finetune.dataset.cells import language_in, part_in, score_of, tags_of, verdicts_of
from finetune.dataset.faults import Faults
from finetune.dataset.records import DatasetKeyPoint, DatasetQuestion, Example, PartName
from finetune.dataset.table import Column, Record, Table
from grading.answer_columns import COLUMNS
from grading.domain import Question, Verdict
from grading.errors import QuestionUnusable
from grading.keypoints import key_points_of
from grading.text import MAX_CHARACTERS, language_of

Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row, its merged cells filled from above; ``part`` is what its split says."""

    number: int
    prompt: str
    reference: str
    tags: tuple[str, ...]
    answer: str
    score: float | None
    explanation: str | None
    language: str | None
    part: PartName | None
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Questions and examples with the row that each (first) stands in."""

    questions: list[tuple[DatasetQuestion, int]]
    examples: list[tuple[Example, int]]


def rows_of(table: Table, max_score: float, faults: Faults, tell: Tell | None = None) -> list[Row]:
    """The rows that can be read; what is wrong with the others goes to ``faults``.

    Blank cells of question, model answer and tags are those of the row above (merged cells); another question begins
    with none of them.
    """
    rows: list[Row] = []
    prompt = reference = tags = ""
    for done, (number, record) in enumerate(table.records.items(), 1):
        own = table.cell(record, "question").strip()
        if own and own.split() != prompt.split():
            prompt, reference, tags = own, "", ""
        reference = table.cell(record, "reference").strip() or reference
        tags = table.cell(record, "tags").strip() or tags
        try:
            rows.append(_row(table, number, record, prompt, reference, tags, max_score))
        except ValueError as fault:
            faults.add(f"{table.path}: row {number}: {fault}.")
        if tell:
            tell(done, len(table.records))
    return rows


def taken_in(rows: Sequence[Row], path: Path, faults: Faults) -> Taken:
    """Rows of one question gathered under it. Its model answers are those of all its rows.

    A file's ``split`` counts only where it names more than one part.
    """
    source = path.resolve().parent.name if path.stem in ("train", "answers") else path.stem
    has_parts = len({row.part for row in rows if row.part}) > 1
    by_prompt: dict[str, list[Row]] = {}
    for row in rows:
        by_prompt.setdefault(" ".join(row.prompt.split()), []).append(row)
    taken = Taken(questions=[], examples=[])
    for alike in by_prompt.values():
        question = _question(alike, source)
        taken.questions.append((question, alike[0].number))
        for row in alike:
            if row.verdicts and len(row.verdicts) != len(question.key_points):
                needed = f"the model answer has {len(question.key_points)} sentences"
                faults.add(f"{path}: row {row.number}: {len(row.verdicts)} verdicts, but {needed}.")
            else:
                example = _example(row if has_parts else replace(row, part=None), question)
                taken.examples.append((example, row.number))
    taken.examples.sort(key=lambda each: each[1])
    return taken


def _row(table: Table, number: int, record: Record, prompt: str, reference: str, tags: str, max_score: float) -> Row:
    _require_cells(table, record)
    if not prompt:
        raise ValueError("the question is blank, and there is none above")
    if not reference:
        raise ValueError("the question has no model answer")
    return Row(
        number=number,
        prompt=prompt,
        reference=reference,
        tags=tags_of(tags),
        answer=table.cell(record, "answer"),
        score=score_of(table.cell(record, "score"), max_score),
        explanation=table.cell(record, "explanation").strip() or None,
        language=language_in(table.cell(record, "language")),
        part=part_in(table.cell(record, "split")),
        verdicts=verdicts_of(table.cell(record, "verdicts")),
    )


def _require_cells(table: Table, record: Record) -> None:
    if len(record) > table.width:
        raise ValueError(f"{len(record)} cells, but the header has {table.width}; put quotes around such text")
    short = [part for part in COLUMNS if table.columns[part] >= len(record)]
    if short:
        raise ValueError(f"only {len(record)} cells, none for the {short[0]}; the file may be cut off")
    long = [name for name, column in _named(table) if len(table.cell(record, column)) > MAX_CHARACTERS]
    if long:
        raise ValueError(f"the {long[0]} has more than {MAX_CHARACTERS:,} characters")


def _named(table: Table) -> Iterator[tuple[str, Column]]:
    for column in table.columns:
        yield ("model answer" if column == "reference" else column), column


def _question(rows: Sequence[Row], source: str) -> DatasetQuestion:
    first = rows[0]
    references = {" ".join(row.reference.split()): row.reference for row in reversed(rows)}
    model_answers = tuple(reversed(references.values()))
    language = first.language or language_of(f"{first.prompt} {first.reference}")
    return DatasetQuestion(
        id=_short_digest(" ".join(first.prompt.split())),
        prompt=first.prompt,
        language=language,
        model_answers=model_answers,
        key_points=_key_points(model_answers, language) if any(row.verdicts for row in rows) else (),
        tags=tuple(dict.fromkeys(tag for row in rows for tag in row.tags)),
        source=source,
    )


def _key_points(model_answers: tuple[str, ...], language: str) -> tuple[DatasetKeyPoint, ...]:
    """What verdicts in a table are about: the sentences of the first model answer, as in grading."""
    try:
        points = key_points_of(Question(prompt="", model_answers=model_answers, language=language))
    except QuestionUnusable:
        return ()
    return tuple(
        DatasetKeyPoint(
            position=point.position, name=f"part {point.position + 1}", text=point.text, weight=point.weight
        )
        for point in points
    )


def _example(row: Row, question: DatasetQuestion) -> Example:
    return Example(
        id=_short_digest(f"{question.id}\0{row.answer}"),
        question=question.id,
        answer=row.answer,
        language=row.language or question.language,
        score=row.score,
        scored_by=None if row.score is None else "PERSON",
        verdicts=row.verdicts,
        explanation=row.explanation,
        explained_by="PERSON" if row.explanation else None,
        part=row.part,
    )


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
