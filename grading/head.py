"""The scoring head: from features of key points to coverage, contradiction and a calibrated fraction.

A head is a folder of plain JSON (``head.json``, ``manifest.json``, ``card.md``), read without scikit-learn and without
pickle. Coverage of a key point is a sum of small regression trees; the fraction of the points is the weighted mean
of the coverages, taken through a rising calibration curve.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grading.errors import HeadBroken
from grading.features import FEATURES
from grading.unpacking import file_sha256, read_manifest

SCHEMA_VERSION = 1
DEFAULT_HEAD = Path(__file__).parent / "heads" / "default"

Rows = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Trees:
    """Regression trees: ``base`` plus ``rate`` times the leaf of each tree; ``features`` are columns of the rows.

    Each tree is five arrays over its nodes; ``left`` is -1 at a leaf.
    """

    features: tuple[str, ...]
    base: float
    rate: float
    trees: tuple[dict[str, NDArray[Any]], ...]

    def __call__(self, rows: Rows, names: Sequence[str] = FEATURES) -> Rows:
        """The raw sum for each row ``[n, len(names)]``."""
        return self.base + self.rate * self._values(rows, names).sum(axis=1)

    def votes(self, rows: Rows, names: Sequence[str]) -> Rows:
        """What each tree of a forest says of each row ``[n, len(names)]``: ``[n, trees]``, their mean is the sum."""
        return self.base + self.rate * max(len(self.trees), 1) * self._values(rows, names)

    def _values(self, rows: Rows, names: Sequence[str]) -> Rows:
        if not self.trees:
            return np.zeros((len(rows), 1))
        nodes = self._nodes
        leaves = _leaves(nodes, rows[:, [names.index(name) for name in self.features]])
        return nodes["value"][np.arange(len(self.trees)), leaves]

    @cached_property
    def _nodes(self) -> dict[str, NDArray[Any]]:
        return _stacked(self.trees)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Split-conformal half-widths: ``edges`` divide the doubts, each part has a half-width and a confidence.

    A model's doubt about an answer is any number that says where it errs more: how far apart its trees are, or, where
    there is nothing better, the fraction itself.
    """

    edges: tuple[float, ...]
    half_widths: tuple[float, ...]
    confidences: tuple[float, ...]

    def around(self, fraction: float, doubt: float) -> tuple[float, float, float]:
        """``(low, high, confidence)``: 90 of 100 tutors' scores lie inside; confidence = share within 0.15."""
        part = int(np.searchsorted(self.edges, doubt))
        half = self.half_widths[part]
        return max(0.0, fraction - half), min(1.0, fraction + half), self.confidences[part]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One variant of a head: made for the named encoder, or (``portable``) for any.

    ``digest`` is that of its file; ``encoder_version`` '' for the portable one.
    """

    digest: str
    encoder_version: str
    coverage: Trees
    contradiction: Trees
    curve: tuple[tuple[float, ...], tuple[float, ...]]
    interval: Interval

    def coverages(self, rows: Rows) -> Rows:
        """How much of each key point the answer says, 0..1."""
        return np.clip(self.coverage(rows), 0.0, 1.0)

    def contradictions(self, rows: Rows) -> Rows:
        """How probable it is that the answer says the opposite of each key point, 0..1."""
        return 1 / (1 + np.exp(-self.contradiction(rows)))

    def fraction(self, coverages: Rows, weights: Rows) -> float:
        """The calibrated fraction of the points, 0..1."""
        total = float(np.average(coverages, weights=weights))
        return float(np.interp(total, *self.curve))


@cache
def load_head(folder: Path, encoder_version: str) -> Head:
    """The head in ``folder`` for this encoder: its own variant, or the portable one for an encoder it does not know.

    Raises :class:`HeadBroken` when a digest does not fit the manifest, the format is another one, or the head is for
    one encoder only and this is not the one.
    """
    manifest = read_manifest(folder)
    path = folder / "head.json"
    if manifest is None or not path.is_file():
        raise HeadBroken(f"{folder} holds no scoring head: head.json and manifest.json are needed. Reinstall mlquiz.")
    digest = file_sha256(path)
    if manifest["files"].get("head.json") != digest:
        raise HeadBroken(f"{path} does not have the digest of its manifest. Reinstall mlquiz, or train the head again.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return _head(content, encoder_version, digest[:16])
    except (ValueError, KeyError, TypeError) as error:
        raise HeadBroken(
            f"{path} is not of a format that this version reads ({error!r}). Train the head again."
        ) from error


def _head(content: dict[str, Any], encoder_version: str, digest: str) -> Head:
    if content["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"schema version {content['schema_version']}")
    variants = content["variants"]
    name = encoder_version if encoder_version in variants else "portable"
    if name not in variants:
        raise HeadBroken(
            f"the head {digest} serves one encoder only, and encoder {encoder_version} is another or was changed."
            " Train it again."
        )
    variant = variants[name]
    return Head(
        digest=digest,
        encoder_version="" if name == "portable" else name,
        coverage=trees_from_json(variant["coverage"]),
        contradiction=trees_from_json(variant["contradiction"]),
        curve=(tuple(variant["curve"]["from"]), tuple(variant["curve"]["to"])),
        interval=Interval(**{key: tuple(value) for key, value in variant["interval"].items()}),
    )


def trees_from_json(content: dict[str, Any], names: Sequence[str] = FEATURES) -> Trees:
    """Trees as :func:`trees_to_json` wrote them; ``ValueError`` or ``KeyError`` for a feature that is unknown here."""
    unknown = set(content["features"]) - set(names)
    if unknown:
        raise ValueError(f"unknown features {sorted(unknown)}")
    trees = tuple(
        {
            "feature": np.array(tree["feature"], np.int64),
            "threshold": np.array(tree["threshold"], np.float64),
            "left": np.array(tree["left"], np.int64),
            "right": np.array(tree["right"], np.int64),
            "value": np.array(tree["value"], np.float64),
        }
        for tree in content["trees"]
    )
    return Trees(features=tuple(content["features"]), base=content["base"], rate=content["rate"], trees=trees)


def trees_to_json(trees: Trees) -> dict[str, Any]:
    """Plain lists, numbers rounded to six digits so that the file is small and the same on every machine."""
    return {
        "features": list(trees.features),
        "base": round(trees.base, 6),
        "rate": round(trees.rate, 6),
        "trees": [
            {
                name: [round(float(x), 6) for x in nodes] if nodes.dtype.kind == "f" else nodes.tolist()
                for name, nodes in tree.items()
            }
            for tree in trees.trees
        ],
    }


def interval_to_json(interval: Interval) -> dict[str, list[float]]:
    """Plain lists, as ``Interval`` takes them back."""
    return {
        "edges": list(interval.edges),
        "half_widths": list(interval.half_widths),
        "confidences": list(interval.confidences),
    }


def _stacked(trees: Sequence[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """The nodes of all trees as arrays ``[trees, most nodes]``, so that one step goes down all trees at once."""
    size = max((len(tree["left"]) for tree in trees), default=1)

    def rows(name: str) -> NDArray[Any]:
        return np.stack([np.pad(tree[name], (0, size - len(tree[name]))) for tree in trees])

    return {name: rows(name) for name in ("feature", "threshold", "left", "right", "value")}


def _leaves(nodes: dict[str, NDArray[Any]], columns: Rows) -> NDArray[np.int64]:
    """The leaf of each tree for each row: ``[n, trees]``."""
    trees = np.arange(len(nodes["left"]))[None, :]
    rows = np.arange(len(columns))[:, None]
    node = np.zeros((len(columns), trees.shape[1]), np.int64)
    while True:
        left = nodes["left"][trees, node]
        inner = left >= 0
        if not inner.any():
            return node
        value = columns[rows, np.maximum(nodes["feature"][trees, node], 0)]
        goes_left = value <= nodes["threshold"][trees, node]
        node = np.where(inner, np.where(goes_left, left, nodes["right"][trees, node]), node)
