"""Folders as finished trainings leave them: whole and small, made wrong by a test in one way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from grading.explanation.prompt import PROMPT_VERSION
from grading.head import DEFAULT_HEAD
from grading.reading_model import DEFAULT_MODEL
from grading.unpacking import file_sha256

METRICS = {"own": {"all": {"mse": 0.05, "mae": 0.15, "pearson_r": 0.8}}}
STUDENT_TEXT = "what a student wrote"


def make_run(folder: Path, note: str = "one", *, metrics: Mapping[str, Any] = METRICS, **manifest: Any) -> Path:
    """A portable grader that loads with any encoder: the shipped head, with a card of its own and so another digest."""
    shutil.copytree(DEFAULT_HEAD, folder)
    (folder / "card.md").write_text(f"# Card {note}\n", encoding="utf-8")
    (folder / "readings.jsonl").write_text(json.dumps({"answer": STUDENT_TEXT}) + "\n", encoding="utf-8")
    about: dict[str, Any] = {"producer": "tests", "run": {"seed": 1, "data": "d" * 64}, "metrics": metrics}
    return seal(folder, **(about | manifest))


def make_default_run(folder: Path, note: str = "one") -> Path:
    """The shipped grader with a card of its own: it gives the same scores under another digest."""
    shutil.copytree(DEFAULT_MODEL, folder)
    (folder / "card.md").write_text(f"# Card {note}\n", encoding="utf-8")
    shipped = json.loads((DEFAULT_MODEL / "manifest.json").read_text(encoding="utf-8"))
    return seal(folder, **{key: value for key, value in shipped.items() if key != "files"})


def make_explainer_run(
    folder: Path,
    language_model: Path,
    note: str = "one",
    *,
    languages: Sequence[str] = ("en",),
    seed: int = 5,
    modules: Sequence[str] = ("q_proj",),
    **manifest: Any,
) -> Path:
    """A LoRA adapter with random weights for a tiny language model."""
    import torch
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM

    from grading.explanation.lora import with_new_adapter

    torch.manual_seed(seed)
    config = LoraConfig(r=2, lora_alpha=4, target_modules=list(modules), init_lora_weights=False)
    with_new_adapter(AutoModelForCausalLM.from_pretrained(language_model), config).save_pretrained(str(folder))
    described = {"prompt": PROMPT_VERSION, "languages": list(languages), "base_model": str(language_model)}
    (folder / "explainer.json").write_text(json.dumps(described), encoding="utf-8")
    (folder / "card.md").write_text(f"# Card {note}\n", encoding="utf-8")
    about: dict[str, Any] = {"metrics": {"test": {"adapter": {"share": 0.9}}}} | manifest
    return seal(folder, **about)


def seal(folder: Path, *, has_readings: bool = False, **manifest: Any) -> Path:
    """Write the manifest over the files as they are now, without the readings unless asked for; the folder."""
    left_out = {"manifest.json"} if has_readings else {"manifest.json", "readings.jsonl"}
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in left_out]
    files = {path.relative_to(folder).as_posix(): file_sha256(path) for path in paths}
    content = {"schema_version": 1, "files": files} | manifest
    (folder / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def resealed(folder: Path, **manifest: Any) -> Path:
    """The manifest brought up to what a test did to the files, everything else in it kept."""
    before = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return seal(folder, **({key: value for key, value in before.items() if key != "files"} | manifest))


def write_weights(path: Path) -> None:
    """A small safetensors file."""
    save_file({"weights": np.zeros(3, np.float32)}, path)
