"""The folder of a reader's run: checkpoints to go on from, and what is left when it is finished. No pickle anywhere.

::

    run/
    ├── checkpoint/         while it runs: fold-0.jsonl …, last.safetensors, states of a frozen encoder
    ├── adapter/            LoRA of the encoder (peft); absent where the encoder stayed frozen
    ├── reader.safetensors, head.json, nearness.safetensors
    ├── learnt.safetensors  hashes of the answers that were learnt
    ├── remembered.safetensors  what the head was fitted on, for a training that goes on
    ├── readings.jsonl      what readers that had not seen the question made of each answer
    ├── report.html         figures and curves, with answers of students
    ├── metrics.json, card.md
    ├── seeds/              runs with other seeds, where the spread over seeds was asked for
    └── manifest.json       comes last: a folder without it is unfinished
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file

from finetune.explainer_run import refuse_other
from finetune.reader_model import ReaderModel
from grading.nearness import Nearness, nearness_to_arrays
from grading.reading_model import SCHEMA_VERSION
from grading.unpacking import file_sha256, read_manifest

_WITHOUT_DIGEST = ("readings.jsonl", "report.html", "manifest.json")
"""Readings and report hold students' answers: no version has them, and who passes a model on may take them out."""


@dataclass(slots=True)
class ReaderState:
    """Where a run stands: ``part`` counts the folds, and then the training on everything."""

    part: int = 0
    step: int = 0
    seconds: float = 0.0
    losses: list[float] | None = None


def save_checkpoint(
    model: ReaderModel, optimizer: torch.optim.Optimizer, state: ReaderState, output: Path, run: Mapping[str, Any]
) -> None:
    """Write the checkpoint so that a kill at any moment leaves the old one or the new one whole."""
    folder = output / "checkpoint"
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"model.{name}": array for name, array in model.arrays().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        arrays |= {f"optimizer.{index}.{name}": torch.as_tensor(value).cpu() for name, value in moments.items()}
    described = json.dumps({"run": run, "state": asdict(state)})
    save_file({name: array.clone() for name, array in arrays.items()}, folder / "new.safetensors", {"run": described})
    (folder / "new.safetensors").replace(folder / "last.safetensors")


def resumed(
    model: ReaderModel, optimizer: torch.optim.Optimizer, part: int, output: Path, run: Mapping[str, Any]
) -> ReaderState:
    """The state of the checkpoint with model and optimizer set to it, or a fresh one where it is of another part."""
    path = output / "checkpoint" / "last.safetensors"
    if not path.exists():
        return ReaderState(part=part, losses=[])
    with safe_open(path, framework="pt") as opened:
        described = json.loads((opened.metadata() or {})["run"])
    refuse_other(described["run"], run, output)
    state = ReaderState(**described["state"])
    if state.part != part:
        return ReaderState(part=part, seconds=state.seconds, losses=[])
    arrays = load_file(path)
    model.set_arrays(
        {name.removeprefix("model."): array for name, array in arrays.items() if name.startswith("model.")}
    )
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, array in arrays.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            moments.setdefault(int(index), {})[key] = array
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    return state


def finished_metrics(output: Path, run: Mapping[str, Any]) -> dict[str, Any] | None:
    """The metrics of a finished run in ``output``, ``None`` if there is none; :class:`RunMismatch` for another run."""
    manifest = read_manifest(output)
    if manifest is None:
        return None
    refuse_other(manifest.get("run", {}), run, output)
    shutil.rmtree(output / "checkpoint", ignore_errors=True)
    return manifest["metrics"]


def write_run(
    model: ReaderModel,
    output: Path,
    *,
    start: Path | None,
    run: Mapping[str, Any],
    head: Mapping[str, Any],
    nearness: Nearness,
    card: str,
    report: str,
    readings: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, Any],
    about: Mapping[str, Any],
) -> None:
    """Leave the model, what people should know of it, and the manifest with what is said ``about`` data and code."""
    output.mkdir(parents=True, exist_ok=True)
    _write_adapter(model, output / "adapter", start)
    arrays = model.arrays(torch.float16)
    reader = {name.removeprefix("reader."): array for name, array in arrays.items() if name.startswith("reader.")}
    save_file(reader, output / "reader.safetensors")
    save_arrays(nearness_to_arrays(nearness), output / "nearness.safetensors")
    with (output / "readings.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(reading, ensure_ascii=False) + "\n" for reading in readings)
    finish_run(
        output,
        schema_version=SCHEMA_VERSION,
        producer="finetune.reader_training",
        run=run,
        head=head,
        card=card,
        report=report,
        metrics=metrics,
        about=about,
    )


def finish_run(
    output: Path,
    *,
    schema_version: int,
    producer: str,
    run: Mapping[str, Any],
    head: Mapping[str, Any],
    card: str,
    report: str,
    metrics: Mapping[str, Any],
    about: Mapping[str, Any],
) -> None:
    """Head and reports beside the model that lies in ``output``, then the manifest, and the checkpoints go."""
    (output / "head.json").write_text(json.dumps(head, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")
    (output / "card.md").write_text(card, encoding="utf-8")
    (output / "report.html").write_text(report, encoding="utf-8", errors="replace")
    write_json(output / "metrics.json", metrics)
    paths = [path for path in sorted(output.rglob("*")) if path.is_file() and path.name not in _WITHOUT_DIGEST]
    names = {path.relative_to(output).as_posix(): path for path in paths}
    manifest = {
        "schema_version": schema_version,
        "producer": producer,
        "encoder": run["encoder"],
        "run": run,
        **about,
        "metrics": metrics,
        "files": {
            name: file_sha256(path) for name, path in names.items() if not name.startswith(("checkpoint/", "seeds/"))
        },
    }
    write_json(output / "manifest.json", manifest)
    shutil.rmtree(output / "checkpoint", ignore_errors=True)


def _write_adapter(model: ReaderModel, folder: Path, start: Path | None) -> None:
    """The adapter that learned, or the one that the frozen encoder had from the run that this one went on from."""
    shutil.rmtree(folder, ignore_errors=True)
    adapter = model.encoder.adapter
    if adapter is not None:
        folder.mkdir()
        arrays = model.arrays(torch.float16)
        own = {name.removeprefix("adapter."): each for name, each in arrays.items() if name.startswith("adapter.")}
        save_file(own, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        config = replace(
            adapter.peft_config["default"], base_model_name_or_path=model.encoder.name, inference_mode=True
        )
        write_json(folder / "adapter_config.json", config.to_dict())
    elif start is not None and (start / "adapter").is_dir():
        shutil.copytree(start / "adapter", folder)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Whole or not at all."""
    # peft keeps sets in its configuration.
    text = json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True, default=sorted) + "\n"
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
