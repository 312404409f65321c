"""A table of tutors' scores as questions, for training and evaluation without a dataset of it.

::

    CSV, TSV ──read_table, rows_of──▶ rows ──any fault? refuse, naming rows──▶ GradedQuestion

Rows are read as ``mlquiz dataset import`` reads them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from finetune.dataset.faults import Faults
from finetune.dataset.table import read_table
from finetune.dataset.table_rows import rows_of
from finetune.errors import DataUnreadable
from finetune.graded_answer import GradedAnswer
from finetune.graded_questions import GradedQuestion
from grading.domain import Question
from grading.text import language_of


def csv_questions(path: Path, *, without: Iterable[str] = ()) -> list[GradedQuestion]:
    """The questions of a table with a question, a model answer, an answer and a score (0..1) a row.

    Questions have no key points of their own; as in grading, the sentences of the model answer stand in for them, and
    the answers carry a score without verdicts. Rows whose column ``split`` is in ``without`` are left out. Raises
    :class:`DataUnreadable` naming the rows that cannot be taken in.
    """
    found: dict[tuple[str, str], list[GradedAnswer]] = {}
    for prompt, reference, answer in _scored(path, frozenset(without)):
        found.setdefault((prompt, reference), []).append(answer)
    return [
        GradedQuestion(
            source=path.parent.name if path.stem in ("train", "answers") else path.stem,
            # One prompt with two model answers is one question to a student.
            group=f"{path.parent.name} {prompt}",
            question=Question(prompt=prompt, model_answers=(reference,), language=language_of(f"{prompt} {reference}")),
            answers=tuple(answers),
        )
        for (prompt, reference), answers in found.items()
    ]


def _scored(path: Path, without: frozenset[str]) -> list[tuple[str, str, GradedAnswer]]:
    """Prompt, model answer and answer of each row, if all rows can be read."""
    table = read_table(path)
    faults = Faults()
    found: list[tuple[str, str, GradedAnswer]] = []
    for row in rows_of(table, 1.0, faults):
        if table.cell(table.records[row.number], "split").strip() in without:
            continue
        if row.score is None:
            faults.add(f"{path}: row {row.number}: the score is blank.")
        else:
            found.append((row.prompt, row.reference, GradedAnswer(text=row.answer, score=row.score)))
    if faults.count:
        raise DataUnreadable(f"Rows that cannot be taken in: {faults.count}\n{faults}")
    return found
