"""Put LoRA adapters on a model: the only caller of peft's constructors.

Imports torch and peft: only what loads a model imports this module.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peft import LoraConfig, PeftModel, get_peft_model

from grading.explanation.decoding import Model


def with_new_adapter(model: Model, config: LoraConfig) -> PeftModel:
    """``model`` with a fresh adapter that learns; everything else is frozen."""
    with _known_warnings():
        return get_peft_model(model, config)  # pyright: ignore[reportReturnType]


def with_merged_adapter(model: Model, folder: Path) -> Model:
    """``model`` with the adapter of ``folder`` added into its weights, which decodes faster than beside them."""
    with _known_warnings():
        return PeftModel.from_pretrained(model, str(folder), local_files_only=True).merge_and_unload()


@contextmanager
def _known_warnings() -> Iterator[None]:
    """Without the warning that peft provokes in newer transformers; nothing of ours depends on it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        yield
