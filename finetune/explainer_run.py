"""The folder of a run: checkpoints to go on from, and what is left when it is finished. No pickle anywhere."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from finetune.errors import RunMismatch
from finetune.explainer_card import card
from grading.explanation.prompt import PROMPT_VERSION


@dataclass(slots=True)
class RunState:
    """Where a run stands; with the adapter's and the optimizer's arrays it is a checkpoint."""

    step: int = 0
    best_share: float = -1.0
    best_step: int = 0
    checks_without_gain: int = 0
    seconds: float = 0.0
    losses: list[float] | None = None
    checks: list[dict[str, Any]] | None = None


def save_checkpoint(
    model: PeftModel, optimizer: torch.optim.Optimizer, state: RunState, output: Path, run: Mapping[str, Any]
) -> None:
    """Write the checkpoint so that a kill at any moment leaves the old one or the new one whole."""
    folder = output / "checkpoint"
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"adapter.{name}": array for name, array in adapter_arrays(model, torch.float32).items()}
    for index, moments in optimizer.state_dict()["state"].items():
        arrays |= {f"optimizer.{index}.{name}": torch.as_tensor(value).clone() for name, value in moments.items()}
    described = json.dumps({"run": run, "state": asdict(state)})
    save_file(arrays, folder / "new.safetensors", metadata={"run": described})
    (folder / "new.safetensors").replace(folder / "last.safetensors")


def resumed(
    model: PeftModel,
    optimizer: torch.optim.Optimizer,
    output: Path,
    run: Mapping[str, Any],
) -> RunState:
    """The state of the checkpoint with model and optimizer set to it, or a fresh one."""
    path = output / "checkpoint" / "last.safetensors"
    if not path.exists():
        return RunState(losses=[], checks=[])
    described, arrays = _read_checkpoint(path)
    refuse_other(described["run"], run, output)
    set_adapter(model, {name[8:]: array for name, array in arrays.items() if name.startswith("adapter.")})
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, array in arrays.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            moments.setdefault(int(index), {})[key] = array
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    return RunState(**described["state"])


def _read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    with safe_open(path, framework="pt") as opened:
        described = json.loads((opened.metadata() or {})["run"])
    return described, load_file(path)


def finished_metrics(output: Path, run: Mapping[str, Any]) -> dict[str, Any] | None:
    """The metrics of a finished run in ``output``, ``None`` if there is none; :class:`RunMismatch` for another run."""
    path = output / "metrics.json"
    if not path.exists():
        return None
    metrics = json.loads(path.read_text(encoding="utf-8"))
    refuse_other(metrics, run, output)
    return metrics


def refuse_other(found: Mapping[str, Any], run: Mapping[str, Any], output: Path) -> None:
    """Raise :class:`RunMismatch` where what was found in ``output`` differs from ``run``."""
    different = [key for key in run if found.get(key) != run[key]]
    if different:
        raise RunMismatch(f"{output} holds a run with another {', '.join(different)}; choose an empty folder")


def set_adapter(model: PeftModel, arrays: Mapping[str, torch.Tensor]) -> None:
    """Give the model the adapter in ``arrays`` and put it into serving mode."""
    set_peft_model_state_dict(model, {name: array.to(torch.float32) for name, array in arrays.items()})
    model.eval()


def adapter_arrays(model: PeftModel, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The adapter alone, by the names that peft saves it under."""
    arrays = get_peft_model_state_dict(model)
    return {name: array.detach().to("cpu", dtype).contiguous() for name, array in arrays.items()}


def write_run(model: PeftModel, output: Path, base_model: str, metrics: Mapping[str, Any]) -> None:
    """The adapter as peft and vLLM read it, what our own program must know, and what people should know."""
    output.mkdir(parents=True, exist_ok=True)
    save_file(adapter_arrays(model, torch.float16), output / "adapter_model.safetensors", metadata={"format": "pt"})
    config = replace(model.peft_config["default"], base_model_name_or_path=base_model, inference_mode=True)
    _write_json(output / "adapter_config.json", _plain(config.to_dict()))
    described = {"prompt": PROMPT_VERSION, "languages": ["en"], "base_model": base_model}
    _write_json(output / "explainer.json", described)
    (output / "card.md").write_text(card(metrics), encoding="utf-8")
    _write_json(output / "metrics.json", metrics)
    shutil.rmtree(output / "checkpoint")


def thinned(losses: Sequence[float]) -> list[float]:
    """At most 100 means of neighbouring losses: enough for a curve."""
    width = max(1, math.ceil(len(losses) / 100))
    groups = [losses[start : start + width] for start in range(0, len(losses), width)]
    return [round(sum(group) / len(group), 4) for group in groups]


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
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
