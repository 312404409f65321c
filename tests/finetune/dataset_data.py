"""Builders of datasets and of spreadsheets' exports, each fine as it is: a test makes it wrong in one way."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from finetune.dataset import DatasetKeyPoint, DatasetQuestion, Example, Manifest, write_dataset
from finetune.dataset_cli import dataset

HEADER = ("question", "reference", "answer", "score")
KO_HEADER = ("data_type", "quiz", "keywords", "good_answer", "user_answer", "explanation", "similarity_score")

ANSWERS = (
    "it lowers the loss step by step along the gradient",
    "the weights move along the negative gradient",
    "weights are changed",
    "no idea",
)


def make_question(number: int = 1, **overrides: Any) -> DatasetQuestion:
    """A question with two key points."""
    given: dict[str, Any] = {
        "id": f"q{number}",
        "prompt": f"What does gradient descent do with model {number}?",
        "language": "en",
        "model_answers": ("It moves the weights along the negative gradient. It lowers the loss step by step.",),
        "key_points": tuple(
            DatasetKeyPoint(position=place, name=name, text=text)
            for place, (name, text) in enumerate((("move", "It moves the weights."), ("loss", "It lowers the loss.")))
        ),
        "tags": ("optimisation",),
        "source": "course",
    }
    return DatasetQuestion(**(given | overrides))


def make_example(number: int = 1, **overrides: Any) -> Example:
    """A tutor's score for an answer to question 1."""
    given: dict[str, Any] = {
        "id": f"e{number}",
        "question": "q1",
        "answer": f"answer {number}: the weights move along the negative gradient",
        "language": "en",
        "score": 0.5,
        "scored_by": "PERSON",
    }
    return Example(**(given | overrides))


def write(
    folder: Path, examples: Sequence[Example] | None = None, questions: Sequence[DatasetQuestion] | None = None
) -> Manifest:
    """A dataset of one question with four answers, or what is given."""
    return write_dataset(
        folder,
        questions=[make_question()] if questions is None else questions,
        examples=[make_example(number, score=number / 4) for number in range(4)] if examples is None else examples,
        producer="tests",
        filters={"quizzes": ["one"]},
    )


def change_manifest(folder: Path, **changes: Any) -> None:
    """The manifest with other values."""
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def replace_lines(folder: Path, name: str, content: bytes) -> None:
    """Another file with this name, its digest put right in the manifest: only the content is wrong."""
    (folder / name).write_bytes(content)
    files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    change_manifest(folder, files=files | {name: hashlib.sha256(content).hexdigest()})


def change_example(folder: Path, **changes: Any) -> None:
    """The second example with other values."""
    lines = (folder / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | changes)
    replace_lines(folder, "examples.jsonl", ("\n".join(lines) + "\n").encode())


def table(rows: Sequence[Sequence[object]], header: Sequence[str] = HEADER, delimiter: str = ",") -> str:
    """A table as a spreadsheet saves it."""
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter).writerows([header, *rows])
    return stream.getvalue()


def course_rows(questions: int = 3, scores: Sequence[object] = (1, 0.8, 0.3, 0)) -> list[list[object]]:
    """Four answers to each question, which stands in the first of its rows only."""
    reference = "It moves the weights along the negative gradient and lowers the loss step by step."
    return [
        [f"What does gradient descent do {where}?", reference, answer, score] if place == 0 else ["", "", answer, score]
        for where in _PLACES[:questions]
        for place, (answer, score) in enumerate(zip(ANSWERS, scores, strict=True))
    ]


def run(*arguments: str | Path) -> Result:
    """``mlquiz dataset …``."""
    return CliRunner().invoke(dataset, list(map(str, arguments)))


_PLACES = tuple(
    f"in {thing}"
    for thing in (
        "linear regression",
        "a deep network",
        "an autoencoder",
        "logistic models",
        "matrix factorisation",
        "boosted trees",
        "word embeddings",
        "a recommender",
        "Gaussian mixtures",
        "policy search",
    )
)
