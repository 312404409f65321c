"""Add a LoRA adapter into a GGUF file of the Llama architecture: what a quick runtime loads, without torch.

::

    base.gguf (Q4_1) ──matrices: dequantised, B·A·alpha/r added, Q8_0──────┐
                     ──norms, tokenizer and chat template as they are──────┴─▶ model.gguf

The adapter was trained on the dequantised weights of this very file, so nothing is lost but what 8 bits lose. Matrices
without an adapter are written in 8 bits too: a runtime may round the offsets of Q4_1 once more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from grading.explanation.errors import GeneratorRefused
from grading.gguf_archive import llama_order, transformers_name

if TYPE_CHECKING:
    from gguf import GGUFReader, GGUFWriter

Matrix = NDArray[np.float32]
_PREFIX = "base_model.model."
_REFUSED_IF_SET = ("use_dora", "use_qalora", "fan_in_fan_out", "modules_to_save", "rank_pattern", "alpha_pattern")


def write_merged_gguf(base: Path, adapter: Path | None, target: Path) -> None:
    """Write ``base`` with the adapter of the folder ``adapter`` (none: unchanged) as ``target``.

    Raises :class:`GeneratorRefused` for an adapter that is not plain LoRA or has matrices that ``base`` has not.
    """
    from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
    from gguf.quants import quantize

    reader = GGUFReader(base)
    deltas = lora_deltas(adapter) if adapter is not None else {}
    tensors = {transformers_name(str(tensor.name)): tensor for tensor in reader.tensors}
    if unknown := sorted(set(deltas) - set(tensors)):
        raise GeneratorRefused(f"the adapter in {adapter} was made for another model: {base.name} has no {unknown[0]}")
    writer = GGUFWriter(target, arch=_value(reader, "general.architecture"))
    _copy_fields(reader, writer)
    for name, tensor in tensors.items():
        if name not in deltas and tensor.tensor_type in (GGMLQuantizationType.F32, GGMLQuantizationType.Q8_0):
            writer.add_tensor(str(tensor.name), tensor.data, raw_dtype=tensor.tensor_type)
        else:
            data = quantize(_weights(tensor, name, deltas.get(name), reader), GGMLQuantizationType.Q8_0)
            writer.add_tensor(str(tensor.name), data, raw_dtype=GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def lora_deltas(adapter: Path) -> Mapping[str, Matrix]:
    """What is added to each matrix, by its name in transformers: ``[out, in]``; Hu et al. 2021, equation 3."""
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    if config.get("peft_type") != "LORA" or any(config.get(name) for name in _REFUSED_IF_SET):
        raise GeneratorRefused(f"the adapter in {adapter} is not plain LoRA: it cannot be added into a GGUF file")
    rank = config["r"]
    scale = config["lora_alpha"] / (rank**0.5 if config.get("use_rslora") else rank)
    arrays = load_file(adapter / "adapter_model.safetensors")
    return {
        name.removeprefix(_PREFIX).replace(".lora_A.weight", ".weight"): scale
        * (arrays[name.replace(".lora_A.", ".lora_B.")].astype(np.float32) @ array.astype(np.float32))
        for name, array in arrays.items()
        if ".lora_A." in name
    }


def _weights(tensor: Any, name: str, delta: Matrix | None, reader: GGUFReader) -> Matrix:  # noqa: ANN401 - gguf has no type for it
    from gguf.quants import dequantize

    weights = dequantize(tensor.data, tensor.tensor_type)
    if delta is None:
        return weights
    architecture = _value(reader, "general.architecture")
    if name.endswith("q_proj.weight"):
        delta = llama_order(delta, int(_value(reader, f"{architecture}.attention.head_count")))
    elif name.endswith("k_proj.weight"):
        delta = llama_order(delta, int(_value(reader, f"{architecture}.attention.head_count_kv")))
    if weights.shape != delta.shape:
        raise GeneratorRefused(f"the adapter was made for another model: {name} is {weights.shape}, not {delta.shape}")
    return (weights + delta).astype(np.float32)


def _copy_fields(reader: GGUFReader, writer: GGUFWriter) -> None:
    """Everything but what the writer sets itself."""
    from gguf import GGUFValueType

    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind is GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, sub_type=inner)


def _value(reader: GGUFReader, name: str) -> Any:  # noqa: ANN401 - what the file has
    field = reader.get_field(name)
    if field is None:
        raise GeneratorRefused(f"the GGUF file does not say {name}")
    return field.contents()
