"""The language model that is trained: loaded, perhaps in 4 bits, with a fresh adapter on its upper half."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from peft import LoraConfig, PeftModel, prepare_model_for_kbit_training
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from finetune.errors import ModelUnsuitable
from finetune.explainer_batches import Batch, ExplainerTraining, Row, packed
from grading.explanation.decoding import Model, Tokenizer, serving_dtype
from grading.explanation.lora import with_new_adapter

MAX_ADAPTER_BYTES = 25_000_000
_BYTES = 2  # float16, as an adapter is kept
_LEAK = 0.02
"""How much logits may move that should not, as a share of their spread: rounding moves them less."""


def base_model(folder: Path | str, training: ExplainerTraining) -> tuple[Model, Tokenizer]:
    """Model and tokenizer, on the GPU where there is one. Raises :class:`ModelUnsuitable`.

    Local files and safetensors only, and no code from the folder.
    """
    options = _quantized() if training.quantize else {"dtype": serving_dtype()}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=Path(folder).is_dir())
        _require_chat(tokenizer, folder)
        model = AutoModelForCausalLM.from_pretrained(str(folder), use_safetensors=True, **options)
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnsuitable(f"cannot load a causal language model from {folder}: {error}") from error
    if training.quantize:
        return prepare_model_for_kbit_training(model, use_gradient_checkpointing=False), tokenizer
    if torch.cuda.is_available():
        torch.nn.Module.to(model, torch.device("cuda"))
    return model, tokenizer


def adapted(model: Model, training: ExplainerTraining) -> PeftModel:
    """``model`` with an adapter that learns. Raises :class:`ModelUnsuitable`, also where it would be over 25 MB."""
    layers = int(getattr(model.config, "num_hidden_layers", 0))
    if layers < 2:
        raise ModelUnsuitable("the model says no number of layers, so the upper half cannot be chosen")
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=training.rank,
        lora_alpha=2 * training.rank,
        lora_dropout=0.0,
        target_modules=_linear_names(model),
        layers_to_transform=list(range(layers // 2, layers)),
    )
    learning = with_new_adapter(model, config)
    size = _BYTES * sum(parameter.numel() for parameter in learning.parameters() if parameter.requires_grad)
    if size > MAX_ADAPTER_BYTES:
        fitting = training.rank * MAX_ADAPTER_BYTES // size
        advice = f"--rank {fitting} fits" if fitting else "choose a smaller model"
        raise ModelUnsuitable(
            f"an adapter of rank {training.rank} for this model takes {size / 1e6:.0f} MB, more than"
            f" {MAX_ADAPTER_BYTES / 1e6:.0f} MB; {advice}"
        )
    return learning


def can_pack(model: Model) -> bool:
    """Whether packed examples stay apart in this model: what comes before one moves nothing in it.

    False for models whose layers mix tokens in other ways than by attention with a mask.
    """
    first, other, last = [4, 5, 6, 7], [8, 9, 10, 11], [5, 4, 7, 6]
    model.eval()
    try:
        with torch.inference_mode():
            alone = logits_of(model, _probe(model, [(last, [1])]))[0, -1]
            behind = [logits_of(model, _probe(model, [(each, [1]), (last, [1])]))[0, -1] for each in (first, other)]
    except (ValueError, TypeError, RuntimeError, IndexError):
        return False
    allowed = _LEAK * float(alone.std())
    return all(float((each - alone).abs().max()) <= allowed for each in behind)


def logits_of(model: Model, batch: Batch) -> torch.Tensor:
    """``[b, k, words]``: the logits at the batch's kept places, in float32."""
    output = model(
        input_ids=batch.tokens,
        attention_mask=batch.mask,
        position_ids=batch.positions,
        logits_to_keep=batch.kept,
        use_cache=False,
    )
    return output.logits.float()


def embedding_dtype(model: Model) -> torch.dtype:
    """The precision in which the layers get their input: that of a packed batch's mask."""
    return model.get_input_embeddings().weight.dtype


def _probe(model: Model, rows: list[Row]) -> Batch:
    return packed(rows, embedding_dtype(model), model.device)


def _quantized() -> dict[str, Any]:
    """4 bits as in QLoRA (Dettmers et al. 2023): NormalFloat, with the constants quantised too."""
    if not torch.cuda.is_available():
        raise ModelUnsuitable("--quantize 4bit needs an NVIDIA GPU, and there is none here: leave it out")
    if find_spec("bitsandbytes") is None:
        raise ModelUnsuitable("--quantize 4bit needs the package bitsandbytes: pip install 'mlquiz[qlora]'")
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=serving_dtype(),
    )
    return {"quantization_config": config, "dtype": serving_dtype(), "device_map": {"": 0}}


def _require_chat(tokenizer: Tokenizer, folder: Path | str) -> None:
    if not tokenizer.chat_template:
        raise ModelUnsuitable(f"{folder} has no chat template; choose an instruct model")
    if tokenizer.eos_token_id is None:
        raise ModelUnsuitable(f"{folder} has no token that ends a reply; choose an instruct model")
    chat = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
    try:
        tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    except TemplateError as error:
        raise ModelUnsuitable(f"the chat template in {folder} takes no system message: {error}") from error


def _linear_names(model: Model) -> list[str]:
    """Last names of the linear modules inside numbered layers: embedding and output layer stay as they are."""
    names = {
        name.rsplit(".", 1)[-1]
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and any(part.isdigit() for part in name.split("."))
    }
    if not names:
        raise ModelUnsuitable("the model has no linear modules inside numbered layers")
    return sorted(names)
