"""Why something about a run that was started from the pages is refused.

::

    TrainingError (lti_tool.errors.ToolError)
    ├── RunUnknown       there is no run with this number
    ├── RunBusy          it waits or runs already, or it is over: it cannot be continued, cancelled or removed
    └── DatasetMissing   no dataset below DATA_DIR/datasets has this digest on this machine
"""

from __future__ import annotations

from lti_tool.errors import ToolError


class TrainingError(ToolError):
    """Something about a run is refused; the message says what to do."""


class RunUnknown(TrainingError):
    """There is no run with this number."""


class RunBusy(TrainingError):
    """The run is not in a state in which this can be done."""


class DatasetMissing(TrainingError):
    """No dataset has this digest on this machine."""
