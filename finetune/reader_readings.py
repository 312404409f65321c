"""What a reader that has not seen a question makes of its answers, and the rows of the head's training made of it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune.reader_batches import reading_pairs
from finetune.reader_examples import ReaderQuestion
from finetune.reader_model import ReaderModel
from finetune.reading_head import HeadRow, made_up_weight
from grading.answer_signs import CountedSigns, ReadLogits, sigmoid
from grading.metrics import grading_metrics
from grading.nearness import Near

_TOGETHER = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutOfFold:
    """``logits`` float64 ``[key points and then model answers, 2]``: said and contradicted, of one answer.

    ``question`` and ``answer`` are places in the data: of the question, and of the answer within it.
    """

    question: int
    answer: int
    logits: NDArray[np.float64]


def folds_of(topics: Sequence[int], count: int, seed: int) -> list[list[int]]:
    """The places of the questions in each of ``count`` parts; all questions on a topic are in one part."""
    shuffled = sorted(set(topics))
    random.Random(seed).shuffle(shuffled)
    part = {topic: number % count for number, topic in enumerate(shuffled)}
    return [[place for place, topic in enumerate(topics) if part[topic] == number] for number in range(count)]


def readings_of(
    model: ReaderModel, questions: Sequence[ReaderQuestion], places: Sequence[int], tell: Callable[[], None]
) -> list[OutOfFold]:
    """Read all answers to the questions at ``places``; ``tell`` is called now and then."""
    todo = [(place, number) for place in places for number in range(len(questions[place].answers))]
    found: list[OutOfFold] = []
    for begin in range(0, len(todo), _TOGETHER):
        tell()
        part = todo[begin : begin + _TOGETHER]
        pairs = [reading_pairs(questions[place], questions[place].answers[number]) for place, number in part]
        # Four digits are what is written down, and a run that goes on must go on with the same numbers.
        logits = model.read([pair for own in pairs for pair in own]).double().numpy().round(4)
        ends = np.cumsum([len(own) for own in pairs])
        for (place, number), own in zip(part, np.split(logits, ends[:-1]), strict=True):
            found.append(OutOfFold(question=place, answer=number, logits=own))
    return found


def write_readings(path: Path, readings: Sequence[OutOfFold]) -> None:
    """As JSON Lines of places and logits, whole or not at all."""
    lines = (json.dumps([reading.question, reading.answer, reading.logits.tolist()]) for reading in readings)
    beside = path.with_suffix(".new")
    beside.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    beside.replace(path)


def read_readings(path: Path) -> list[OutOfFold]:
    """What :func:`write_readings` wrote."""
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [OutOfFold(question=place, answer=number, logits=np.array(logits)) for place, number, logits in rows]


def described(questions: Sequence[ReaderQuestion], reading: OutOfFold) -> dict[str, Any]:
    """A reading as a person or another program reads it, in ``readings.jsonl``."""
    question = questions[reading.question]
    answer = question.answers[reading.answer]
    points = len(question.points)
    return {
        "source": question.source,
        "group": question.group,
        "question": question.question.prompt,
        "answer": answer.text,
        "kind": answer.graded.kind,
        "is_made_up": answer.graded.is_made_up,
        "score": answer.graded.score,
        "verdicts": [verdict.value for verdict in answer.graded.verdicts],
        "points": _named(question.points, reading.logits[:points]),
        "references": _named(question.references, reading.logits[points:]),
    }


def head_rows(
    questions: Sequence[ReaderQuestion],
    readings: Sequence[OutOfFold],
    near: Sequence[Near],
    weights: Mapping[str, float],
) -> list[HeadRow]:
    """The signs of each answer as the head takes them when the model serves; ``near`` one a reading."""
    signs: dict[int, CountedSigns] = {}
    rows: list[HeadRow] = []
    for reading, how_near in zip(readings, near, strict=True):
        question = questions[reading.question]
        if reading.question not in signs:
            signs[reading.question] = CountedSigns(question.question)
        answer = question.answers[reading.answer]
        graded = answer.graded
        points, references = np.split(reading.logits, [len(question.points)])
        # Without what stands there word for word: the head is to learn from readings, not from certainty.
        logits = ReadLogits(
            point_said=points[:, 0],
            point_contradicted=points[:, 1],
            reference_said=references[:, 0],
            reference_contradicted=references[:, 1],
        )
        rows.append(
            HeadRow(
                group=question.group,
                source=question.source,
                kind=graded.kind,
                is_made_up=graded.is_made_up,
                weight=weights[question.source] * (made_up_weight(graded.kind) if graded.is_made_up else 1.0),
                score=graded.score,
                signs=signs[reading.question].row(answer.text, logits, how_near),
                said=sigmoid(logits.point_said),
                contradicted=sigmoid(logits.point_contradicted),
                verdicts=graded.verdicts,
            )
        )
    return rows


def figures(
    questions: Sequence[ReaderQuestion], readings: Sequence[OutOfFold], fractions: Sequence[float]
) -> dict[str, Any]:
    """How well ``fractions`` of these answers fit the tutors' scores: real answers, by source and by kind.

    Answers of which the guard left nothing count with the 0 that they get. Answers of a question whose source is a
    bank have a kind; those of students have none.
    """
    given = [
        (questions[reading.question], questions[reading.question].answers[reading.answer].graded, float(fraction))
        for reading, fraction in zip(readings, fractions, strict=True)
    ]
    given += [(question, graded, 0.0) for question in questions for graded in question.decided]
    groups: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for question, graded, fraction in given:
        for name in () if graded.is_made_up else _names(question, graded.kind):
            groups.setdefault(name, []).append((fraction, graded.score))
    found: dict[str, Any] = {"all": {}, "by_source": {}, "by_kind": {}}
    for (part, name), pairs in sorted(groups.items()):
        own = grading_metrics(*zip(*pairs, strict=True)).as_dict()
        if part == "all":
            found["all"] = own
        else:
            found[part][name] = own
    return found


def said_by_reference(questions: Sequence[ReaderQuestion], readings: Sequence[OutOfFold]) -> list[float]:
    """The reader alone: the probability that the answer says the model answer, of several the best."""
    return [float(sigmoid(reading.logits[len(questions[reading.question].points) :, 0]).max()) for reading in readings]


def _names(question: ReaderQuestion, kind: str) -> Iterator[tuple[str, str]]:
    yield "all", ""
    yield "by_source", question.source
    if kind:
        yield "by_kind", kind


def _named(texts: Sequence[str], logits: NDArray[np.float64]) -> list[dict[str, Any]]:
    return [
        {"text": text, "said": said, "contradicted": contradicted}
        for text, (said, contradicted) in zip(texts, logits.tolist(), strict=True)
    ]
