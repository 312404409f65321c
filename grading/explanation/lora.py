"""Put LoRA adapters on a model: the only caller of peft's constructors.

Imports torch and peft: only what loads a model imports this module.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path

from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model

from grading.explanation.decoding import Model


def with_new_adapter(model: Model, config: LoraConfig) -> PeftModel:
    """``model`` with a fresh adapter that learns; everything else is frozen."""
    with _known_warnings():
        return get_peft_model(model, config)  # pyright: ignore[reportReturnType]


def with_merged_adapter(model: Model, folder: Path) -> Model:
    """``model`` with the adapter of ``folder`` added into its weights."""
    with _known_warnings():
        return PeftModel.from_pretrained(model, str(folder), local_files_only=True).merge_and_unload()


class Adapters:
    """Adapters beside the matrices of one model, of which one or none is switched on.

    The model itself is in memory once, however many there are; an adapter is a few megabytes. Beside the matrices
    twelve texts at once take 1.05 to 1.16 times as long as with the adapter added into them (bundled model).
    """

    def __init__(self, model: Model) -> None:
        self._plain = model
        self._adapted: PeftModel | None = None
        self._numbers = count(1)

    def add(self, folder: Path) -> str:
        """Read the adapter of ``folder``; its name here. Raises what peft does, and leaves the model as it was then."""
        name = f"adapter{next(self._numbers)}"
        with _known_warnings():
            try:
                if self._adapted is None:
                    config = PeftConfig.from_pretrained(str(folder), local_files_only=True)
                    config.inference_mode = True
                    self._adapted = PeftModel(self._plain, config, name)
                self._adapted.load_adapter(str(folder), name, local_files_only=True)
            except Exception:
                self.remove(name)
                raise
        return name

    def remove(self, name: str) -> None:
        """Let go of an adapter; nothing where there is none of this name."""
        if self._adapted is None or name not in self._adapted.peft_config:
            return
        others = [each for each in self._adapted.peft_config if each != name]
        if others:
            self._adapted.set_adapter(others[0])
            self._adapted.delete_adapter(name)
        else:
            self._plain, self._adapted = self._adapted.unload(), None

    @contextmanager
    def using(self, name: str | None) -> Iterator[Model]:
        """The model with this adapter, or without any."""
        if self._adapted is None:
            yield self._plain
            return
        if name is not None:
            self._adapted.set_adapter(name)
        with self._adapted.disable_adapter() if name is None else nullcontext():
            yield self._adapted.eval()


@contextmanager
def _known_warnings() -> Iterator[None]:
    """Without the warning that peft provokes in newer transformers; nothing of ours depends on it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        yield
