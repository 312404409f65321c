"""What can go wrong in grading, one class per cause.

::

    GradingError
    ├── ModelError
    │   ├── ModelMissing          the package, folder or adapter that a setting names is not there
    │   ├── ModelBroken           it is there, but cannot be what it should be
    │   └── ModelStorageError     it cannot be unpacked: no space, no permission
    ├── HeadBroken                the small scoring model of this package is damaged or of another format
    └── QuestionUnusable          a question has nothing to grade against

Every message is a sentence that says what to do. ``permanent`` tells giving up from trying again: a missing model is
put right by the operator, and the answer that waited for it is then graded, so only a question's own faults are
permanent.
"""

from __future__ import annotations

from typing import ClassVar


class GradingError(Exception):
    """Any failure of this package; the message says what to do."""

    permanent: ClassVar[bool] = False


class ModelError(GradingError):
    """A model that a setting names cannot be used."""


class ModelMissing(ModelError):
    """The package, folder or adapter is not there."""


class ModelBroken(ModelError):
    """The files are there, but are damaged, incomplete or of another format."""


class ModelStorageError(ModelError):
    """A model cannot be written to the folder of unpacked models."""


class HeadBroken(GradingError):
    """The scoring head's folder is damaged or of a format that this version does not know."""


class QuestionUnusable(GradingError):
    """A question has no model answer with content, so that nothing can be graded against it."""

    permanent: ClassVar[bool] = True
