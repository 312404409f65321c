"""What can stop a training.

::

    FinetuneError
    ├── DataUnreadable   a file of graded answers is not what it should be; the message names the row
    ├── TooFewExamples   the data leave a part without examples
    ├── ModelUnsuitable  the base model cannot be trained this way: no chat template, too few layers
    └── RunMismatch      the output folder holds a run with other settings or other data
"""

from __future__ import annotations


class FinetuneError(Exception):
    """A training could not start or go on; the message says what to change."""


class DataUnreadable(FinetuneError):
    """A file of graded answers cannot be read; the message names file, row and what is wrong."""


class TooFewExamples(FinetuneError):
    """There are not enough questions to train on some and to judge on others."""


class ModelUnsuitable(FinetuneError):
    """The base model has no chat template or is not built of layers that LoRA finds."""


class RunMismatch(FinetuneError):
    """The output folder holds another run; resuming would mix the two."""
