"""What an ended training left is taken away: checkpoints, readings and reports, which quote answers.

Only where no model is kept that came from it: a version's report and readings stay with its run.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from psycopg import Connection

from config.settings import Settings
from lti_tool.db import fetch_value
from lti_tool.training.errors import RunBusy
from lti_tool.training.runs import runs_folder


def find_removable_folder(connection: Connection, settings: Settings, number: int) -> Path | None:
    """The folder of a training that may be removed here, its row locked; ``None`` for any other run.

    It is over, no model is kept of it, and its folder is on this machine.
    """
    folder = fetch_value(
        connection,
        """
        SELECT folder FROM training_runs
        WHERE id = %s::numeric AND kind IN ('GRADER', 'EXPLAINER') AND status IN ('FINISHED', 'FAILED', 'CANCELLED')
            AND version_digest IS NULL
            AND NOT EXISTS (SELECT 1 FROM model_versions WHERE starts_with(run_folder, folder || '/'))
        FOR NO KEY UPDATE
        """,
        number,
    )
    own = runs_folder(settings) / str(number)
    return own if folder == str(own) and own.is_dir() and not own.is_symlink() else None


def remove_folder_of(connection: Connection, settings: Settings, number: int) -> None:
    """Remove it, in the caller's transaction: where that fails, the row still names the folder.

    Raises :class:`RunBusy` where there is nothing to remove, and ``OSError``.
    """
    folder = find_removable_folder(connection, settings, number)
    if folder is None:
        raise RunBusy(f"run {number} has no folder here that may be removed")
    connection.execute("UPDATE training_runs SET folder = NULL WHERE id = %s", (number,))
    shutil.rmtree(folder)
