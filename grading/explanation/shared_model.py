"""One language model in memory for all generators of a process that write with it, whichever adapter each has.

Importing this module loads nothing; torch, transformers and peft come with the first model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from grading.explanation.errors import GeneratorRefused

if TYPE_CHECKING:
    from grading.explanation.decoding import Chat


class SharedModel:
    """A causal language model with a chat template, and the adapters that its generators put beside it.

    One generator at a time: the adapter is switched for the whole model.
    """

    def __init__(self, folder: Path) -> None:
        """Read model and tokenizer from local files only, never with code from the folder.

        Raises :class:`GeneratorRefused` for a folder that holds no such model.
        """
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging as loading

        from grading.explanation.decoding import serving_dtype
        from grading.explanation.lora import Adapters

        loading.disable_progress_bar()  # it writes into the command's own
        self._folder = folder
        try:
            # transformers types its models and tokenizers as Any.
            self._tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
            model = AutoModelForCausalLM.from_pretrained(
                str(folder), local_files_only=True, use_safetensors=True, dtype=serving_dtype()
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise GeneratorRefused(f"cannot load the explainer from {folder}: {error}") from error
        if not self._tokenizer.chat_template:
            raise GeneratorRefused(f"the model in {folder} has no chat template; choose an instruct model")
        if torch.cuda.is_available():
            torch.nn.Module.to(model, torch.device("cuda"))
        self._adapters = Adapters(model.eval())
        self._dropped: list[str] = []

    def add_adapter(self, folder: Path) -> str:
        """Put an adapter beside the model; its name here. Raises :class:`GeneratorRefused` where it does not fit."""
        self._remove_dropped()
        try:
            return self._adapters.add(folder)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise GeneratorRefused(
                f"cannot load the explainer from {self._folder}, adapter {folder}: {error}"
            ) from error

    def drop_adapter(self, name: str) -> None:
        """Let go of an adapter before the model is used again: at once would change it in the middle of anything."""
        self._dropped.append(name)

    def replies_to(self, chats: Sequence[Chat], adapter: str | None) -> list[str]:
        """One line of text for each chat, in order, by the model with this adapter or without any."""
        from grading.explanation.decoding import replies_to

        self._remove_dropped()
        with self._adapters.using(adapter) as model:
            return replies_to(model, self._tokenizer, chats)

    def _remove_dropped(self) -> None:
        while self._dropped:
            self._adapters.remove(self._dropped.pop())


_models: WeakValueDictionary[Path, SharedModel] = WeakValueDictionary()


def shared_model(folder: Path) -> SharedModel:
    """The model of this folder: the one that is in memory, or read now. It goes with the last that holds it.

    Raises what :class:`SharedModel` does.
    """
    model = _models.get(folder.resolve())
    if model is None:
        model = _models[folder.resolve()] = SharedModel(folder)
    return model
