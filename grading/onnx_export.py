"""Export an encoder to ONNX in int8: read it once with torch, serve it for ever without.

::

    float encoder ──cut, merge adapter──▶ graph ──fuse──▶ attention in one node ──quantise──▶ int8 ──compare──▶ folder

``python -m grading.onnx_export SOURCE TARGET`` does it in a process of its own, so that the worker that needs the
export never imports torch. Takes about half a minute, 4 GB of memory and 1 GB of temporary disk for the bundled
encoder (118 million weights) and leaves 130 MB.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from grading.encoder import (
    MAX_TOKENS,
    UNRELATED_SENTENCES,
    Encoder,
    folder_version,
    is_e5_name,
    short_name,
    transformer_of,
)
from grading.errors import GradingError, ModelBroken, ModelMissing
from grading.onnx_encoder import (
    MODEL_NAME,
    SCHEMA_VERSION,
    TOKENIZER_NAME,
    ExportConfig,
    OnnxEncoder,
)
from grading.unpacking import Progress, built_folder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

RECIPE = 1
"""Raised whenever a change of this module changes the states that an export gives."""
LEAST_PARITY = 0.95
"""Mean cosine with the float encoder below which an encoder is not served in int8: it does not bear it."""
_OPSET = 17
_INPUTS = ("input_ids", "attention_mask")
_OUTPUT = "last_hidden_state"


def export_digest(source: Path, name: str, *, layers: int | None, adapter: Path | None) -> str:
    """64 hexadecimal digits for this encoder, cut and adapted like this, in int8 by this recipe; no torch needed.

    It stands for how the export is made rather than for its bytes, which differ between versions of torch, so that a
    head trained with the export on one machine knows it on another.
    """
    adapter_version = folder_version(adapter) if adapter else None
    parts = ("int8", RECIPE, folder_version(source), is_e5_name(name), layers, adapter_version)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def export_onnx(
    folder: Path,
    target: Path,
    *,
    layers: int | None = None,
    adapter: Path | None = None,
    name: str = "",
    progress: Progress | None = None,
) -> Path:
    """``target`` with the export of the encoder in ``folder``, unless an intact one of the same digest is there.

    ``name`` is the setting that named the encoder, where the folder's own name does not tell (a hub's cache). Raises
    :class:`ModelMissing` without the packages for it, :class:`ModelBroken` for an encoder that cannot be exported or
    does not bear int8, :class:`ModelStorageError` when the folder cannot be written.
    """
    name = name or str(folder)
    digest = export_digest(folder, name, layers=layers, adapter=adapter)

    def build(into: Path, report: Progress) -> None:
        _write_export(folder, into, name=name, version=digest[:16], layers=layers, adapter=adapter, progress=report)

    return built_folder(target, short_name(name), digest, build, progress)


def main() -> int:
    """Export one encoder; progress goes to standard output, a line for each step: the share done and what is done."""
    parser = argparse.ArgumentParser(prog="python -m grading.onnx_export", description="Export an encoder to ONNX.")
    parser.add_argument("source", type=Path, help="folder of a sentence-transformers model")
    parser.add_argument("target", type=Path, help="folder to write")
    parser.add_argument("--name", default="", help="the setting that names the encoder, if the folder does not tell")
    parser.add_argument("--layers", type=int, help="keep the first LAYERS layers")
    parser.add_argument("--adapter", type=Path, help="folder of a LoRA adapter to merge in")
    options = parser.parse_args()
    try:
        export_onnx(
            options.source,
            options.target,
            layers=options.layers,
            adapter=options.adapter,
            name=options.name,
            progress=_print_progress,
        )
    except GradingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _write_export(
    source: Path,
    folder: Path,
    *,
    name: str,
    version: str,
    layers: int | None,
    adapter: Path | None,
    progress: Progress,
) -> None:
    _check_packages()
    progress(0.02, "loading the encoder")
    with _quiet():
        encoder = Encoder(source, layers=layers, adapter=adapter, name=name)
        transformer, tokenizer = transformer_of(encoder._model)
        with tempfile.TemporaryDirectory(prefix=".graph.", dir=folder) as work:
            traced, fused = Path(work) / "traced.onnx", Path(work) / "fused.onnx"
            try:
                progress(0.2, "tracing the encoder")
                _trace(transformer, traced)
                progress(0.5, "fusing its attention")
                _fuse(transformer, traced, fused)
                # The graph before and after refers to itself in circles: gigabytes that the next step needs.
                gc.collect()
                progress(0.7, "rounding its weights to int8")
                _quantise(fused, folder / MODEL_NAME)
            # Each of the three libraries raises what it likes at an architecture that it does not know.
            except Exception as error:
                raise ModelBroken(
                    f"The encoder {encoder.name} cannot be exported to ONNX ({error!r}). Let torch serve it"
                    " (backend torch), or name another encoder."
                ) from error
        _save_tokenizer(tokenizer, folder / TOKENIZER_NAME)
        config = ExportConfig(
            schema_version=SCHEMA_VERSION,
            name=encoder.name,
            version=version,
            source_version=folder_version(source),
            adapter_version=folder_version(adapter) if adapter else None,
            layers=layers,
            precision="int8",
            dimension=int(transformer.config.hidden_size),
            max_tokens=int(encoder._model.max_seq_length or MAX_TOKENS),
            pad_id=int(transformer.config.pad_token_id or 0),
            prefix=encoder.prefix,
            is_e5=encoder.is_e5,
            pooling=_pooling(encoder._model),
            parity_min=0.0,
            parity_mean=0.0,
        )
        progress(0.9, "comparing it with the float encoder")
        config.write(folder)
        cosines = _cosines(encoder, OnnxEncoder(folder))
        if cosines.mean() < LEAST_PARITY:
            raise ModelBroken(
                f"The encoder {encoder.name} does not bear int8 (mean cosine {cosines.mean():.3f} with itself). Let"
                " torch serve it (backend torch), or name another encoder."
            )
        replace(config, parity_min=_rounded(cosines.min()), parity_mean=_rounded(cosines.mean())).write(folder)


def _check_packages() -> None:
    missing = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise ModelMissing(
            f"The export needs {' and '.join(missing)}: pip install 'mlquiz[onnx]'. Until then torch serves."
        )


def _trace(transformer: PreTrainedModel, path: Path) -> None:
    import torch

    class LastHiddenState(torch.nn.Module):
        """Ids and mask in, states out: what an encoder needs besides is constant."""

        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    # The fused kernels of torch have no counterpart in ONNX; the plain products have, and can be fused there.
    transformer.set_attn_implementation("eager")
    ids = torch.full((2, 9), 5, dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    axes = {0: "batch", 1: "length"}
    torch.onnx.export(
        LastHiddenState().eval(),
        (ids, mask),
        str(path),
        input_names=list(_INPUTS),
        output_names=[_OUTPUT],
        dynamic_axes=dict.fromkeys((*_INPUTS, _OUTPUT), axes),
        opset_version=_OPSET,
        # The newer exporter writes attention in a form that the optimizer below does not recognise.
        dynamo=False,
    )


def _fuse(transformer: PreTrainedModel, source: Path, target: Path) -> None:
    """Attention, layer norms, activations and embeddings as one node each, where the architecture is known."""
    from onnxruntime.transformers.optimizer import optimize_model

    graph = optimize_model(
        str(source),
        # BERT, RoBERTa, XLM-R and DistilBERT have the same patterns; of others less is fused.
        model_type="bert",
        num_heads=int(transformer.config.num_attention_heads),
        hidden_size=int(transformer.config.hidden_size),
        opt_level=0,
    )
    # One file must not exceed 2 GB, which the floats of a large encoder do.
    graph.save_model_to_file(str(target), use_external_data_format=True)


def _quantise(source: Path, target: Path) -> None:
    """Weights, word embeddings included, as int8 with a scale a column; activations when it runs."""
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(source),
        str(target),
        per_channel=True,
        # Without it sums overflow on processors with AVX2 and no VNNI: mean cosine 0.96.
        reduce_range=True,
        weight_type=QuantType.QInt8,
        # What shape inference does not find out.
        extra_options={"DefaultTensorType": TensorProto.FLOAT},
    )


def _save_tokenizer(tokenizer: Tokenizer, path: Path) -> None:
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(path), pretty=False)


def _pooling(model: SentenceTransformer) -> str:
    modes = (getattr(module, "pooling_mode", None) for module in model)
    return next((str(mode) for mode in modes if mode), "none")


def _cosines(encoder: Encoder, export: OnnxEncoder) -> NDArray[np.float32]:
    pairs = zip(encoder.read(UNRELATED_SENTENCES), export.read(UNRELATED_SENTENCES), strict=True)
    return np.array([float(ours.vector @ its.vector) for ours, its in pairs], np.float32)


def _rounded(cosine: np.floating) -> float:
    return round(float(cosine), 4)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says to developers of models: warnings of tracing, of age, of missing preparation."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)


def _print_progress(fraction: float, text: str) -> None:
    sys.stdout.write(f"{fraction:.2f} {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
