"""Questions with graded answers, wherever they come from: banks, contrast sets, and CSV files of tutors' scores.

The trainers and benchmarks see only :class:`GradedQuestion`. Questions of a CSV file have no key points of their own;
as in grading, the sentences of the model answer stand in for them, and the answers carry a score without verdicts.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune.bank import VERDICTS, BankKeyPoint, load_bank
from finetune.composed_answers import composed_answers
from finetune.contrasts import ContrastPoint, load_contrasts
from finetune.errors import DataUnreadable
from finetune.graded_answer import GradedAnswer
from grading.answer_columns import COLUMNS, column_of
from grading.domain import KeyPoint, Question, Verdict
from grading.samples import SampleKeyPoint, load_samples
from grading.text import language_of


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedQuestion:
    """``group`` is what folds are cut by: a question and its translation are in one group. ``source`` names the set."""

    source: str
    group: str
    question: Question
    answers: tuple[GradedAnswer, ...]
    tags: tuple[str, ...] = ()


def bank_questions() -> list[GradedQuestion]:
    """The training bank (:mod:`finetune.bank`)."""
    return [
        GradedQuestion(
            source="bank",
            group=f"bank {identifier}",
            question=_question(entry.prompt, (entry.reference,), entry.key_points, language),
            answers=tuple(
                GradedAnswer(
                    text=answer.text,
                    score=answer.score,
                    verdicts=tuple(VERDICTS[code] for code in answer.verdicts),
                    kind=answer.kind.value,
                )
                for answer in entry.answers
            ),
        )
        for (language, identifier), entry in load_bank().items()
    ]


def contrast_questions() -> list[GradedQuestion]:
    """The contrast sets (:mod:`finetune.contrasts`), their statements joined to answers."""
    return [
        GradedQuestion(
            source="contrasts",
            group=f"contrasts {language} {identifier}",
            question=_question(contrast.prompt, (contrast.reference,), contrast.points, language),
            answers=tuple(composed_answers(contrast, random.Random(f"{language} {identifier}"))),
        )
        for (language, identifier), contrast in load_contrasts().items()
    ]


def sample_questions() -> list[GradedQuestion]:
    """The sample bank (:mod:`grading.samples`)."""
    return [
        GradedQuestion(
            source="samples",
            group=f"samples {sample.id}",
            question=_question(sample.prompt, tuple(sample.model_answers), sample.key_points, sample.language),
            answers=tuple(
                GradedAnswer(
                    text=answer.text,
                    score=answer.score,
                    verdicts=tuple(Verdict(answer.verdicts[point.id]) for point in sample.key_points),
                    kind=answer.kind.value,
                )
                for answer in sample.answers
            ),
            tags=tuple(sample.tags),
        )
        for sample in load_samples()
    ]


def _question(
    prompt: str,
    model_answers: tuple[str, ...],
    points: Sequence[BankKeyPoint | ContrastPoint | SampleKeyPoint],
    language: str,
) -> Question:
    key_points = tuple(
        KeyPoint(position=position, name=point.name, text=point.text, weight=point.weight)
        for position, point in enumerate(points)
    )
    return Question(prompt=prompt, model_answers=model_answers, key_points=key_points, language=language)


def csv_questions(path: Path, *, without: Iterable[str] = ()) -> list[GradedQuestion]:
    """The questions of a CSV file with a question, a model answer, an answer and a score (0..1) a row.

    Blank cells of question and model answer are those of the row above (merged cells of a spreadsheet). Rows whose
    ``split`` column is in ``without`` are left out. Raises :class:`DataUnreadable` naming the row.
    """
    found: dict[tuple[str, str], list[GradedAnswer]] = {}
    for row in _rows(path, set(without)):
        question, reference, answer, score = row
        found.setdefault((question, reference), []).append(GradedAnswer(text=answer, score=score))
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


def _rows(path: Path, without: set[str]) -> Iterator[tuple[str, str, str, float]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            names = _names(path, reader.fieldnames or ())
            above = {"question": "", "reference": ""}
            for number, row in enumerate(reader, start=2):
                for part in above:
                    above[part] = (row[names[part]] or "").strip() or above[part]
                if row.get("split") in without:
                    continue
                score = _score(path, number, row[names["score"]])
                yield above["question"], above["reference"], row[names["answer"]] or "", score
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataUnreadable(f"{path}: not readable as CSV in UTF-8: {error}") from error


def _names(path: Path, header: Sequence[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for part, known in COLUMNS.items():
        own = column_of(part, header)
        if own is None:
            raise DataUnreadable(f"{path}: no column {' or '.join(known)}; there is {', '.join(header) or 'none'}")
        names[part] = own
    return names


def _score(path: Path, number: int, cell: str) -> float:
    try:
        score = float(cell)
    except ValueError as error:
        raise DataUnreadable(f"{path}: row {number}: the score {cell!r} is not a number") from error
    if not 0 <= score <= 1:
        raise DataUnreadable(f"{path}: row {number}: the score {score} is not between 0 and 1")
    return score
