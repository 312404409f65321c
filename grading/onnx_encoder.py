"""An encoder out of an ONNX export: the same interface as :class:`grading.encoder.Encoder`, a fraction of its weight.

Runs with ``onnxruntime`` and ``tokenizers`` alone: no torch, no transformers. Dynamic int8 takes the scale of the
activations from all that stands in a call, so what stands beside a text would move its states as much as int8 itself
does (cosine 0.995); a call with one window costs no more a text than one with eight, so each window is read alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from grading.encoder import Encoder, Vectors
from grading.errors import ModelBroken, ModelMissing
from grading.token_reader import TokenReader
from grading.token_states import Numbers, States
from grading.unpacking import file_sha256

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

MODEL_NAME = "model.onnx"
TOKENIZER_NAME = "tokenizer.json"
CONFIG_NAME = "config.json"
SCHEMA_VERSION = 1
_BATCH_SIZE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportConfig:
    """What stands in ``config.json`` of an export.

    ``layers`` and ``adapter_version`` are None for an encoder as it was published; ``source_version`` is that of the
    float encoder, ``version`` the export's own; ``parity_min`` and ``parity_mean`` are cosines of its sentence vectors
    with those of the float encoder, measured when it was made. ``pooling`` is what the source pools with;
    :attr:`TokenStates.vector` is a mean whatever it says.
    """

    schema_version: int
    name: str
    version: str
    source_version: str
    adapter_version: str | None
    layers: int | None
    precision: str
    dimension: int
    max_tokens: int
    pad_id: int
    prefix: str
    is_e5: bool
    pooling: str
    parity_min: float
    parity_mean: float

    def write(self, folder: Path) -> None:
        """Write it into the folder of an export."""
        (folder / CONFIG_NAME).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def read_export_config(folder: Path) -> ExportConfig:
    """The configuration in the folder of an export; :class:`ModelBroken` when it has another form."""
    try:
        content = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
        config = ExportConfig(**{field.name: content[field.name] for field in fields(ExportConfig)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelBroken(f"{folder} holds no ONNX export that this version reads ({error!r}). Delete it.") from error
    if config.schema_version != SCHEMA_VERSION:
        raise ModelBroken(f"{folder} is of the format {config.schema_version}, not {SCHEMA_VERSION}. Delete it.")
    return config


class OnnxEncoder(Encoder):
    """One loaded export. Not safe for several threads at once."""

    def __init__(
        self, folder: Path, cache_size: int = 4096, *, threads: int = 1, batch_size: int = _BATCH_SIZE
    ) -> None:
        """Load it (1 to 2 s, 0.5 GB for the bundled encoder).

        ``threads`` compute one call; ``batch_size`` above 1 makes states depend on what is read together. Raises
        :class:`ModelMissing` without ``onnxruntime``, :class:`ModelBroken` when the folder holds no export.
        """
        config = read_export_config(folder)
        self._folder = folder
        self._batch_size = batch_size
        self._config = config
        self._session = _session(folder / MODEL_NAME, threads)
        self.name = config.name
        self.version = config.version
        self.dimension = config.dimension
        self.is_e5 = config.is_e5
        self._prepare_cache(cache_size)

    @property
    def prefix(self) -> str:
        """What is put before each text."""
        return self._config.prefix

    @cached_property
    def _reader(self) -> TokenReader:
        config = self._config
        return TokenReader(
            _tokenizer(self._folder / TOKENIZER_NAME),
            self._forward,
            prefix=config.prefix,
            max_tokens=config.max_tokens,
            pad_id=config.pad_id,
            dimension=config.dimension,
            batch_size=self._batch_size,
        )

    def _forward(self, ids: Numbers, mask: Numbers) -> States:
        [states] = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
        return np.asarray(states, np.float32)

    def _run(self, texts: Sequence[str]) -> Vectors:
        """Sentence vectors; unlike the float encoder's, they are of the whole text where it is longer than a window."""
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return np.stack([read.vector for read in self.read(texts)])


_tokenizers: dict[str, Tokenizer] = {}


def _tokenizer(path: Path) -> Tokenizer:
    """One for all exports with the same: that of a vocabulary of 250,000 takes 280 MB."""
    from tokenizers import Tokenizer

    digest = file_sha256(path)
    if digest not in _tokenizers:
        _tokenizers[digest] = Tokenizer.from_file(str(path))
    return _tokenizers[digest]


def _session(path: Path, threads: int) -> InferenceSession:
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelMissing(
            "onnxruntime is not installed: pip install 'mlquiz[onnx]', or let torch serve (backend torch)."
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Errors only: a warning for each shape that it cannot plan memory for helps nobody.
    options.log_severity_level = 3
    # Threads that spin while they wait take the other worker's core.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    # onnxruntime raises its own classes, which derive from these or from nothing that it exports.
    except Exception as error:
        raise ModelBroken(f"{path} cannot be loaded ({error}). Delete its folder; it is then made again.") from error
