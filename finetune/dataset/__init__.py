"""A dataset: questions and graded answers in a folder with a schema and a manifest, pseudonymous, never changed.

::

    mlquiz dataset export ─┐
    mlquiz dataset import ─┴─▶ write_dataset ─▶ folder ─▶ read_dataset ─▶ graded_questions ─▶ trainers, evaluation
"""

from __future__ import annotations

from finetune.dataset.parts import graded_questions, part_of, part_of_example
from finetune.dataset.reading import read_dataset
from finetune.dataset.records import Dataset, DatasetKeyPoint, DatasetQuestion, Example, Manifest
from finetune.dataset.writing import write_dataset

__all__ = [
    "Dataset",
    "DatasetKeyPoint",
    "DatasetQuestion",
    "Example",
    "Manifest",
    "graded_questions",
    "part_of",
    "part_of_example",
    "read_dataset",
    "write_dataset",
]
