"""Load an encoder by its setting: its ONNX export where there is or can be made one, torch where not.

Imports no torch: a worker that gets the export never pays for it. What needs torch, making the export, is done by a
child process, once; the folder that it leaves is verified at each later start.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from grading.encoder import Encoder, short_name
from grading.errors import ModelBroken, ModelError, ModelMissing
from grading.models import encoder_folder
from grading.onnx_encoder import OnnxEncoder
from grading.onnx_export import export_digest
from grading.unpacking import Progress, is_intact

Backend = Literal["auto", "torch", "onnx"]

_UNPACKED = 0.3
"""How much of the work is done once the encoder is unpacked; the export takes longer."""

_log = logging.getLogger(__name__)


def load_encoder(
    name: str,
    models_path: Path,
    *,
    layers: int | None = None,
    adapter: Path | None = None,
    backend: Backend = "auto",
    threads: int = 1,
    progress: Progress | None = None,
) -> Encoder:
    """The encoder that ``GRADER_MODEL`` names, cut to ``layers`` and with the LoRA ``adapter`` merged in, if given.

    ``auto`` serves the export and falls back to torch, with a warning in the log that says why; ``onnx`` raises
    instead; ``torch`` is the float encoder. The export is made the first time (half a minute, 4 GB of memory for the
    bundled encoder). ``threads`` are those of ONNX Runtime; torch's are the process's own. Raises a
    :class:`grading.errors.ModelError` that says what to do.
    """
    if backend != "torch":
        try:
            folder = exported_folder(name, models_path, layers=layers, adapter=adapter, progress=progress)
            return OnnxEncoder(folder, threads=threads)
        except ModelError as error:
            if backend == "onnx":
                raise
            _log.warning("torch serves the encoder %s, which is slower and larger: %s", name, error)
    return Encoder(encoder_folder(name, models_path, progress), layers=layers, adapter=adapter, name=name)


def found_export(name: str, models_path: Path) -> Path | None:
    """The folder of this encoder's export as it was published; ``None`` where there is none yet, or it is broken."""
    if find_spec("onnxruntime") is None:
        return None
    try:
        digest = export_digest(_local_folder(encoder_folder(name, models_path)), name, layers=None, adapter=None)
    except ModelError:
        return None
    target = _export_target(name, models_path, digest)
    return target if is_intact(target, digest) else None


def exported_folder(
    name: str,
    models_path: Path,
    *,
    layers: int | None = None,
    adapter: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """The folder of this encoder's export, made if it is not there; a :class:`ModelError` when it cannot be."""
    if find_spec("onnxruntime") is None:
        raise ModelMissing("onnxruntime is not installed: pip install 'mlquiz[onnx]'.")
    if adapter is not None and not (adapter / "adapter_config.json").is_file():
        raise ModelMissing(f"{adapter} holds no adapter: adapter_config.json is missing.")
    source = _local_folder(encoder_folder(name, models_path, share_of(progress, 0.0, _UNPACKED)))
    digest = export_digest(source, name, layers=layers, adapter=adapter)
    target = _export_target(name, models_path, digest)
    if not is_intact(target, digest):
        _export_in_child(source, target, name, layers, adapter, share_of(progress, _UNPACKED, 1.0))
        if not is_intact(target, digest):
            raise ModelBroken(f"{target} is not intact right after it was made: look at the disk.")
    return target


def _export_target(name: str, models_path: Path, digest: str) -> Path:
    return models_path.absolute() / f"{short_name(name)}-onnx-{digest[:12]}"


def share_of(progress: Progress | None, start: float, end: float) -> Progress | None:
    """The progress of one of two steps: a bar must not fall back to nothing between them."""
    if progress is None:
        return None
    return lambda share, text: progress(start + share * (end - start), text)


def _local_folder(folder_or_id: str) -> Path:
    """The folder itself, or that of a hub id in the hub's cache."""
    if Path(folder_or_id).is_dir():
        return Path(folder_or_id)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(folder_or_id, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError) as error:
        raise ModelMissing(
            f"GRADER_MODEL={folder_or_id} has not been downloaded, and only an encoder that lies here can be exported:"
            f" hf download {folder_or_id}"
        ) from error


def _export_in_child(
    source: Path, target: Path, name: str, layers: int | None, adapter: Path | None, progress: Progress | None
) -> None:
    command = [sys.executable, "-m", "grading.onnx_export", str(source), str(target), "--name", name]
    command += ["--layers", str(layers)] if layers is not None else []
    command += ["--adapter", str(adapter)] if adapter is not None else []
    # The child finds this package where the parent did, whatever its working folder is.
    paths = [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    said = ""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            share, _, text = line.strip().partition(" ")
            if _is_share(share):
                if progress is not None:
                    progress(float(share), text)
            elif text:
                said = line.strip()
    if process.returncode != 0:
        raise ModelBroken(f"The ONNX export of {name} failed: {said or f'exit status {process.returncode}'}")


def _is_share(word: str) -> bool:
    """Whether a line begins as those do that report progress."""
    whole, point, rest = word.partition(".")
    return point == "." and whole in ("0", "1") and len(rest) == 2 and rest.isdigit()
