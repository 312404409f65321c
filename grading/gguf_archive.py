"""Read a Llama-architecture GGUF file and write it as a transformers folder (safetensors, tokenizer, chat template).

``AutoModelForCausalLM.from_pretrained(gguf_file=…)`` does the same with 10 to 50 s of silence and twice the memory at
each start; here it is done once, tensor by tensor, so that a progress bar can move.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from grading.errors import ModelBroken
from grading.unpacking import Progress

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PretrainedConfig

_BLOCK_NAME = re.compile(r"blk\.(\d+)\.([a-z_]+)\.weight")


def write_causal_language_model(path: Path, folder: Path, progress: Progress) -> None:
    """Write the model in ``path`` into ``folder`` as ``AutoModelForCausalLM`` loads it in under a second.

    Raises :class:`ModelBroken` when the file is not a complete model of the Llama architecture.
    """
    from transformers import AutoConfig, AutoTokenizer

    try:
        progress(0.05, "reading the language model")
        config = AutoConfig.from_pretrained(path.parent, gguf_file=path.name)
        progress(0.25, "building the tokenizer")
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelBroken(f"{path} cannot be read as a GGUF model: {error}. Reinstall {path.parent.name}.") from error
    if config.model_type != "llama":
        raise ModelBroken(f"{path} holds a {config.model_type} model; only the Llama architecture can be unpacked.")
    tokenizer.save_pretrained(folder)
    progress(0.45, "unpacking the weights")
    state = _state_dict(path, config, progress)
    progress(0.9, "writing")
    _save(state, config, folder)


def _state_dict(path: Path, config: PretrainedConfig, progress: Progress) -> dict[str, Tensor]:
    import torch
    from gguf import GGUFReader
    from gguf.quants import dequantize

    tensors = GGUFReader(path).tensors
    state: dict[str, Tensor] = {}
    for number, tensor in enumerate(tensors):
        weights = dequantize(tensor.data, tensor.tensor_type)
        name = transformers_name(str(tensor.name))
        if name.endswith("q_proj.weight"):
            weights = rotary_order(weights, config.num_attention_heads)
        elif name.endswith("k_proj.weight"):
            weights = rotary_order(weights, config.num_key_value_heads)
        state[name] = torch.from_numpy(np.ascontiguousarray(weights, np.float32).copy())
        progress(0.45 + 0.45 * (number + 1) / len(tensors), "unpacking the weights")
    return state


def transformers_name(name: str) -> str:
    """The name in ``LlamaForCausalLM`` of a tensor of the file; :class:`ModelBroken` for an unknown one."""
    if name in _OUTER_NAMES:
        return _OUTER_NAMES[name]
    match = _BLOCK_NAME.fullmatch(name)
    if match is None or match[2] not in _BLOCK_NAMES:
        raise ModelBroken(f"the GGUF file holds the tensor {name}, which the Llama architecture does not have.")
    return f"model.layers.{match[1]}.{_BLOCK_NAMES[match[2]]}.weight"


def rotary_order(weights: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of a query or key matrix in the order of transformers: GGUF interleaves the two halves of each head."""
    rows, columns = weights.shape
    return weights.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def llama_order(weights: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """The other way round: rows in the order of transformers to that of GGUF."""
    rows, columns = weights.shape
    return weights.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _save(state: dict[str, Tensor], config: PretrainedConfig, folder: Path) -> None:
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging as loading

    # A quantization_config would make save_pretrained refuse: the weights are full floats by now.
    if hasattr(config, "quantization_config"):
        delattr(config, "quantization_config")
    model: Any = AutoModelForCausalLM.from_config(config)
    fit = model.load_state_dict(state, strict=False)
    missing = set(fit.missing_keys) - ({"lm_head.weight"} if config.tie_word_embeddings else set())
    if missing or fit.unexpected_keys:
        raise ModelBroken(f"the GGUF file is incomplete: missing {sorted(missing)}, unknown {fit.unexpected_keys}.")
    # Its own bar would be printed across ours.
    loading.disable_progress_bar()
    model.save_pretrained(folder)
    # The path of the source file has no place in a folder whose bytes should be the same everywhere.
    config_path = folder / "config.json"
    values = json.loads(config_path.read_text(encoding="utf-8"))
    values.pop("_name_or_path", None)
    config_path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")


_OUTER_NAMES = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_BLOCK_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
