"""A model version: what its run says of it, and the row that is kept."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from lti_tool.models.folders import Kind

Status = Literal["CANDIDATE", "CURRENT", "RETIRED"]
Figures = dict[str, float]
"""Numbers by the path to them, such as ``test/adapter/share``. No texts: those of a run may be students' answers."""

_LONGEST_NAME = 120
_LONGEST_DATA = 4000
"""Of the digests of all datasets, joined: an erasure finds a model by each of them, so none is cut off."""
_HEADLINES: Mapping[Kind, tuple[str, ...]] = {
    "GRADER": ("mse", "mae", "pearson_r"),
    "EXPLAINER": ("share", "passed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """What is known of a version when it is added.

    ``dataset_digest`` is that of the dataset, or of the questions trained on where there was no dataset's folder; None
    where the run does not say. ``code_version`` names the code that trained it.
    """

    digest: str
    kind: Kind
    run_folder: str
    dataset_digest: str | None
    code_version: str
    settings: Mapping[str, Any]
    metrics: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A version as it is kept; what begins with ``promoted`` is of the last time that it was put in charge."""

    digest: str
    kind: Kind
    status: Status
    run_folder: str
    dataset_digest: str | None
    code_version: str
    settings: dict[str, Any]
    metrics: Figures
    created_by: str
    created_at: datetime
    promoted_by: str | None = None
    promoted_at: datetime | None = None
    forced_because: str | None = None
    findings: dict[str, Any] | None = field(default=None)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The digests of the datasets that it learnt from, and of those that they were made from."""
        return tuple(self.dataset_digest.split("+")) if self.dataset_digest else ()

    @property
    def headline(self) -> Figures:
        """The few figures that a list shows, by their short names: mse, mae and pearson_r, or the share that passes."""
        found: Figures = {}
        for wanted in _HEADLINES[self.kind]:
            paths = [path for path in self.metrics if path.rpartition("/")[2] == wanted]
            if paths:
                found[wanted] = self.metrics[min(paths, key=_distance)]
        return found


def described(digest: str, kind: Kind, run: Path, manifest: Mapping[str, Any]) -> NewVersion:
    """What a run's manifest says: on which data, by which code, with which settings, how good."""
    own = manifest.get("run")
    settings: Mapping[str, Any] = (
        own if isinstance(own, Mapping) else {key: manifest[key] for key in ("training", "seed") if key in manifest}
    )
    code = manifest.get("code_version") or settings.get("code_version") or manifest.get("producer") or ""
    return NewVersion(
        digest=digest,
        kind=kind,
        run_folder=str(run.absolute()),
        dataset_digest=_dataset_digest(manifest) or _dataset_digest(settings),
        code_version=str(code)[:200],
        settings=settings,
        metrics=_figures(manifest.get("metrics") or _metrics_beside(run, manifest)),
    )


def _dataset_digest(described: Mapping[str, Any]) -> str | None:
    dataset = described.get("dataset_digest") or described.get("dataset") or described.get("data")
    if isinstance(dataset, Mapping):
        dataset = dataset.get("digest")
    return dataset[:_LONGEST_DATA] if isinstance(dataset, str) and dataset else None


def _metrics_beside(run: Path, manifest: Mapping[str, Any]) -> object:
    """``metrics.json`` where the manifest vouches for it."""
    if "metrics.json" not in manifest["files"]:
        return {}
    try:
        return json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _figures(metrics: object, name: str = "") -> Figures:
    """The numbers among the metrics; curves, samples and other texts are left in the run.

    A figure with its interval is its value.
    """
    if isinstance(metrics, Mapping) and "value" in metrics:
        return _figures(metrics["value"], name)
    if isinstance(metrics, Mapping):
        found: Figures = {}
        for key, value in metrics.items():
            found |= _figures(value, f"{name}/{key}" if name else str(key))
        return found
    if isinstance(metrics, bool) or not isinstance(metrics, int | float) or len(name) > _LONGEST_NAME:
        return {}
    return {name: float(metrics)} if math.isfinite(metrics) else {}


def _distance(path: str) -> tuple[bool, bool, int, str]:
    """How far a figure is from what a list should show: of the test, of all answers, the least special one."""
    parts = path.split("/")[:-1]
    return "test" not in parts, "all" not in parts and "adapter" not in parts, len(parts), path
