"""The folder of a run: checkpoints to go on from, and what is left when it is finished. No pickle anywhere.

::

    run/
    ├── checkpoint/                  while it runs: last.safetensors, assessments.jsonl
    ├── adapter_model.safetensors, adapter_config.json, explainer.json
    ├── metrics.json, card.md, report.html
    ├── samples.jsonl                texts for answers of the test part, with the answers; in no digest
    └── manifest.json                comes last: a folder without it is unfinished
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from finetune.errors import RunMismatch
from grading.explanation.prompt import PROMPT_VERSION
from grading.unpacking import MANIFEST_NAME, file_sha256, read_manifest

SCHEMA_VERSION = 1
CHECKPOINT = "checkpoint"

Arrays = dict[str, torch.Tensor]


@dataclass(slots=True)
class RunState:
    """Where a run stands; ``best`` is the adapter that is kept. With adapter and optimizer it is a checkpoint."""

    step: int = 0
    best_share: float = -1.0
    best_step: int = 0
    checks_without_gain: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    best: Arrays = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a finished training leaves beside its adapter: ``metrics`` are numbers, ``samples`` hold answers.

    ``needs_names``: it saw no feedback on parts without names (:attr:`Feedback.is_named`), and words none.
    """

    run: Mapping[str, Any]
    dataset_digest: str
    languages: Sequence[str]
    needs_names: bool
    metrics: Mapping[str, Any]
    samples: Sequence[Mapping[str, Any]]
    card: str
    report: str


def save_checkpoint(
    model: PeftModel, optimizer: torch.optim.Optimizer, state: RunState, output: Path, run: Mapping[str, Any]
) -> None:
    """Write the checkpoint so that a kill at any moment leaves the old one or the new one whole."""
    folder = output / CHECKPOINT
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"adapter.{name}": array for name, array in adapter_arrays(model, torch.float32).items()}
    arrays |= {f"best.{name}": array for name, array in state.best.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        arrays |= {f"optimizer.{index}.{name}": torch.as_tensor(value).cpu() for name, value in moments.items()}
    described = json.dumps({"run": run, "state": asdict(replace(state, best={}))})
    copies = {name: array.clone() for name, array in arrays.items()}
    save_file(copies, folder / "new.safetensors", metadata={"run": described})
    (folder / "new.safetensors").replace(folder / "last.safetensors")


def resumed(model: PeftModel, optimizer: torch.optim.Optimizer, output: Path, run: Mapping[str, Any]) -> RunState:
    """The state of the checkpoint with model and optimizer set to it, or a fresh one."""
    path = output / CHECKPOINT / "last.safetensors"
    if not path.exists():
        return RunState()
    refuse_other_checkpoint(output, run)
    described, arrays = _read_checkpoint(path)
    set_adapter(model, _named(arrays, "adapter."))
    moments: dict[int, Arrays] = {}
    for name, array in _named(arrays, "optimizer.").items():
        index, key = name.split(".")
        moments.setdefault(int(index), {})[key] = array
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    return RunState(**described["state"] | {"best": _named(arrays, "best.")})


def refuse_other_checkpoint(output: Path, run: Mapping[str, Any]) -> None:
    """Raise :class:`RunMismatch` where the checkpoint in ``output`` is of another run."""
    path = output / CHECKPOINT / "last.safetensors"
    if path.exists():
        refuse_other(_description(path)["run"], run, output)


def finished_metrics(output: Path, run: Mapping[str, Any]) -> dict[str, Any] | None:
    """The metrics of a finished run in ``output``, ``None`` if there is none; :class:`RunMismatch` for another run."""
    manifest = read_manifest(output)
    if manifest is None:
        return None
    refuse_other(manifest.get("run") or {}, run, output)
    shutil.rmtree(output / CHECKPOINT, ignore_errors=True)
    return manifest["metrics"]


def refuse_other(found: Mapping[str, Any], run: Mapping[str, Any], output: Path) -> None:
    """Raise :class:`RunMismatch` where what was found in ``output`` differs from ``run``."""
    different = [key for key in run if found.get(key) != run[key]]
    if different:
        raise RunMismatch(f"{output} holds a run with another {', '.join(different)}; choose an empty folder")


def set_adapter(model: PeftModel, arrays: Mapping[str, torch.Tensor]) -> None:
    """Give the model the adapter in ``arrays`` and put it into serving mode."""
    set_peft_model_state_dict(model, {name: array.to(torch.float32) for name, array in arrays.items()})
    model.eval()


def adapter_arrays(model: PeftModel, dtype: torch.dtype) -> Arrays:
    """The adapter alone, by the names that peft saves it under."""
    arrays = get_peft_model_state_dict(model)
    return {name: array.detach().to("cpu", dtype).contiguous() for name, array in arrays.items()}


def write_run(model: PeftModel, output: Path, base_model: str, result: RunResult) -> None:
    """The adapter as peft and vLLM read it, what our own program must know, what people should know, the manifest."""
    output.mkdir(parents=True, exist_ok=True)
    save_file(adapter_arrays(model, torch.float16), output / "adapter_model.safetensors", metadata={"format": "pt"})
    config = replace(model.peft_config["default"], base_model_name_or_path=base_model, inference_mode=True)
    _write_json(output / "adapter_config.json", _plain(config.to_dict()))
    described = {
        "prompt": PROMPT_VERSION,
        "languages": list(result.languages),
        "needs_names": result.needs_names,
        "base_model": base_model,
    }
    _write_json(output / "explainer.json", described)
    _write_json(output / "metrics.json", result.metrics)
    (output / "card.md").write_text(result.card, encoding="utf-8")
    (output / "report.html").write_text(result.report, encoding="utf-8")
    lines = [json.dumps(sample, ensure_ascii=False) + "\n" for sample in result.samples]
    (output / "samples.jsonl").write_text("".join(lines), encoding="utf-8", errors="replace")
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "kind": "explainer",
        "producer": "finetune.explainer_training",
        "code_version": code_version(),
        "base_model": base_model,
        "dataset_digest": result.dataset_digest,
        "run": result.run,
        "metrics": result.metrics,
        "files": {name: file_sha256(output / name) for name in _LISTED},
    }
    _write_json(output / MANIFEST_NAME, manifest)
    shutil.rmtree(output / CHECKPOINT, ignore_errors=True)


def code_version() -> str:
    """The version of this program; ``unknown`` where it runs without being installed."""
    try:
        return version("mlquiz")
    except PackageNotFoundError:
        return "unknown"


def thinned(losses: Sequence[float]) -> list[float]:
    """At most 100 means of neighbouring losses: enough for a curve."""
    width = max(1, math.ceil(len(losses) / 100))
    groups = [losses[start : start + width] for start in range(0, len(losses), width)]
    return [round(sum(group) / len(group), 4) for group in groups]


_LISTED = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "card.md",
    "explainer.json",
    "metrics.json",
    "report.html",
)
"""All but ``samples.jsonl``, which holds students' answers: who passes a model on takes it out."""


def _read_checkpoint(path: Path) -> tuple[dict[str, Any], Arrays]:
    return _description(path), load_file(path)


def _description(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as opened:
        return json.loads((opened.metadata() or {})["run"])


def _named(arrays: Mapping[str, torch.Tensor], beginning: str) -> Arrays:
    return {name.removeprefix(beginning): array for name, array in arrays.items() if name.startswith(beginning)}


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """``value`` as JSON knows it: peft keeps sets and enums in its configuration."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(_plain(each) for each in value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return getattr(value, "value", value)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
