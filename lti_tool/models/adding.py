"""From a finished run to a version: looked at, copied, kept as CANDIDATE."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from psycopg import Connection

from config.settings import Settings
from lti_tool.launch.audit import record_event
from lti_tool.models import store
from lti_tool.models.folders import Kind, keep_run, kind_of_run, manifest_of_run
from lti_tool.models.versions import ModelVersion, described


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """The version of a run; ``is_new`` False: it was there before, and nothing was changed."""

    version: ModelVersion
    is_new: bool


def add_run(connection: Connection, settings: Settings, run: Path, *, by: str, kind: Kind | None = None) -> Added:
    """Make a version of a run's folder, or find the one that was made of it before.

    The folder comes before the row: a row never names a folder that was not whole. Raises the errors of
    :mod:`lti_tool.models.folders`.
    """
    manifest = manifest_of_run(run)
    own = kind_of_run(manifest, run, kind)
    digest, _ = keep_run(run, settings.versions_path, manifest)
    is_new = store.add_version(connection, described(digest, own, run, manifest), by)
    if is_new:
        record_event(connection, "model-added", detail=f"{own.lower()} {digest}, by {by}")
    return Added(version=store.get_version(connection, digest), is_new=is_new)
