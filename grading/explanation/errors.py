"""What can go wrong while a text is worded.

::

    ExplanationError
    ├── GeneratorUnavailable   the model or its server cannot be reached now; trying later may help
    ├── GeneratorRefused       the server or the folder says no: a wrong key, name, address or file
    └── GeneratorReplyInvalid  a reply came that is not what was asked for
"""

from __future__ import annotations


class ExplanationError(Exception):
    """No text came from the language model; ``permanent`` tells that trying again cannot help."""

    permanent = False


class GeneratorUnavailable(ExplanationError):
    """The server did not answer in time, could not be reached or is overloaded."""


class GeneratorRefused(ExplanationError):
    """The model folder does not fit or the server refused the request; somebody must change a setting."""

    permanent = True


class GeneratorReplyInvalid(ExplanationError):
    """The server's reply is too large, not JSON, or lacks the text."""
