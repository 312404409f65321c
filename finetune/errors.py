"""What can stop a training.

::

    FinetuneError
    ├── DataUnreadable   a file of graded answers is not what it should be; the message names the row
    │   └── RowsRefused  rows of a file cannot be taken in; the first twenty are named, and all counted
    ├── DatasetError
    │   ├── DatasetBroken       a folder is not the dataset that its manifest describes
    │   ├── DatasetFolderTaken  the output folder holds something already
    │   └── DatasetUnwritable   the output folder cannot be written: no space, no permission
    ├── TooFewExamples   the data leave a part without examples
    ├── ModelUnsuitable  the base model cannot be trained this way: no chat template, too few layers
    └── RunMismatch      the output folder holds a run with other settings or other data
"""

from __future__ import annotations


class FinetuneError(Exception):
    """A training could not start or go on; the message says what to change."""


class DataUnreadable(FinetuneError):
    """A file of graded answers cannot be read; the message names file, row and what is wrong."""


class RowsRefused(DataUnreadable):
    """Some rows of a file cannot be taken in, so none was; ``faults`` are those listed, ``count`` is of all."""

    def __init__(self, message: str, *, faults: tuple[str, ...], count: int) -> None:
        super().__init__(message)
        self.faults = faults
        self.count = count


class DatasetError(FinetuneError):
    """A dataset folder cannot be read or written."""


class DatasetBroken(DatasetError):
    """The folder is unfinished, was changed, or holds lines that do not fit; the message names file and line."""


class DatasetFolderTaken(DatasetError):
    """The output folder holds something already, and a dataset never changes once written."""


class DatasetUnwritable(DatasetError):
    """The output folder cannot be written."""


class TooFewExamples(FinetuneError):
    """There are not enough questions to train on some and to judge on others."""


class ModelUnsuitable(FinetuneError):
    """The base model has no chat template or is not built of layers that LoRA finds."""


class RunMismatch(FinetuneError):
    """The output folder holds another run; resuming would mix the two."""
