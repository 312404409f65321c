"""A trained reader on disk: adapter of the encoder, reader, calibrated head; arrays and JSON, no pickle.

::

    grader/
    ├── adapter/              LoRA of the encoder (peft); absent where the encoder stayed frozen
    ├── reader.safetensors    weights of grading.reader
    ├── head.json             signs → fraction, interval, thresholds of the verdicts, what is elsewhere
    ├── nearness.safetensors  vectors of grading.nearness
    ├── card.md               on what, how, how good, where not to use it
    └── manifest.json         encoder, layers, digests of all the others
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from grading.answer_signs import SIGNS
from grading.errors import HeadBroken
from grading.head import Interval, Trees, trees_from_json
from grading.nearness import Nearness, nearness_from_arrays
from grading.reader import Reader
from grading.scoring import Thresholds
from grading.unpacking import file_sha256, read_manifest

SCHEMA_VERSION = 3
DEFAULT_MODEL = Path(__file__).parent / "graders" / "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Which answers in other words are about something else: those whose ``signs`` weigh more than nothing."""

    signs: tuple[str, ...]
    weights: tuple[float, ...]
    bias: float

    def __call__(self, row: NDArray[np.float64]) -> bool:
        """For one row of signs."""
        return float(row[[SIGNS.index(name) for name in self.signs]] @ np.array(self.weights)) + self.bias > 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadingModel:
    """A reader with its head. ``encoder_name`` is the setting it was trained with, ``encoder_version`` that encoder's.

    ``layers`` None for all of them; ``adapter`` None without one; ``elsewhere`` None where too few answers were there
    to tell by; ``digest`` of the manifest.
    """

    encoder_name: str
    encoder_version: str
    layers: int | None
    adapter: Path | None
    reader: Reader
    trees: Trees
    curve: tuple[tuple[float, ...], tuple[float, ...]]
    interval: Interval
    thresholds: Thresholds
    nearness: Nearness
    elsewhere: Elsewhere | None
    digest: str

    def fraction(self, row: NDArray[np.float64]) -> tuple[float, float]:
        """The fraction of the points, 0..1, for one row of signs, and how far apart the trees are about it."""
        votes = self.trees.votes(row[None, :], SIGNS)[0]
        return float(np.clip(np.interp(votes.mean(), *self.curve), 0.0, 1.0)), float(votes.std())


@cache
def load_reading_model(folder: Path) -> ReadingModel:
    """The model in ``folder``; :class:`HeadBroken` when a digest does not fit the manifest or the format is another."""
    manifest = read_manifest(folder)
    if manifest is None:
        raise HeadBroken(f"{folder} holds no grader: manifest.json is missing. Train it again, or reinstall mlquiz.")
    for name, digest in manifest["files"].items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != digest:
            raise HeadBroken(f"{path} does not have the digest of its manifest. Train it again, or reinstall mlquiz.")
    try:
        return _model(folder, manifest, json.loads((folder / "head.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HeadBroken(f"{folder} is not of a format that this version reads ({error!r}). Train it again.") from error


def _model(folder: Path, manifest: dict[str, Any], head: dict[str, Any]) -> ReadingModel:
    if manifest["schema_version"] != SCHEMA_VERSION or head["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"schema versions {manifest['schema_version']} and {head['schema_version']}")
    adapter = folder / "adapter"
    return ReadingModel(
        encoder_name=manifest["encoder"]["name"],
        encoder_version=manifest["encoder"]["version"],
        layers=manifest["encoder"]["layers"],
        adapter=adapter if adapter.is_dir() else None,
        reader=Reader(load_file(folder / "reader.safetensors")),
        trees=trees_from_json(head["fraction"], SIGNS),
        curve=(tuple(head["curve"]["from"]), tuple(head["curve"]["to"])),
        interval=Interval(**{key: tuple(value) for key, value in head["interval"].items()}),
        thresholds=Thresholds(**head["verdicts"]),
        nearness=nearness_from_arrays(load_file(folder / "nearness.safetensors")),
        elsewhere=None if head["elsewhere"] is None else _elsewhere(head["elsewhere"]),
        digest=file_sha256(folder / "manifest.json")[:16],
    )


def _elsewhere(content: dict[str, Any]) -> Elsewhere:
    return Elsewhere(
        signs=tuple(content["signs"]), weights=tuple(map(float, content["weights"])), bias=float(content["bias"])
    )
