"""The bundled language model by OpenVINO GenAI: several times as quick as transformers on a CPU, and no torch.

Its GGUF file, with the adapter added in (:mod:`grading.explanation.gguf_adapter`), is written once and kept. OpenVINO
GenAI is an extra (``pip install 'mlquiz[openvino]'``).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from grading.explanation.batching import MAX_NEW_TOKENS, MAX_PROMPT_TOKENS, batches, first_line
from grading.explanation.errors import GeneratorRefused
from grading.explanation.feedback import Feedback
from grading.explanation.generators import AdaptedGenerator, adapter_digest
from grading.explanation.gguf_adapter import write_merged_gguf
from grading.explanation.prompt import short_chat
from grading.models import BundledModel, package_file
from grading.unpacking import Progress, built_folder

GGUF_NAME = "model.gguf"
_FORMAT = "2"
#: Activations are rounded to 8 bits in the groups of 32 in which the matrices are, each token by itself: as many texts
#: pass the checks as with activations in full (457 and 453 of 510), and they come 1.7 times as quick. The rest is
#: float32 on processors with bfloat16 too, where a text would depend on what else is in its batch.
_OPTIONS: dict[str, Any] = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "32", "INFERENCE_PRECISION_HINT": "f32"}
#: A text copies much of its notes: after two tokens that stand there, the next three are guessed from them and checked
#: in one pass (prompt lookup decoding, Saxena 2023). A third quicker; four guesses at once are slower again.
_MATCHED_TOKENS, _GUESSED_TOKENS = 2, 3


class OpenVinoGenerator(AdaptedGenerator):
    """One loaded pipeline with ``threads`` cores; written again, a text is nearly always the same."""

    def __init__(
        self,
        model: Path,
        adapter: Path | None,
        *,
        languages: frozenset[str] | None,
        name: str,
        threads: int,
        version: str = "",
    ) -> None:
        """``model`` is a GGUF file with the adapter added in; ``adapter`` names its languages and digest."""
        from openvino_genai import GenerationConfig, LLMPipeline

        super().__init__(f"{name} by openvino", adapter, languages, version)
        try:
            load: Any = LLMPipeline  # its types know no options
            self._pipeline = load(str(model), "CPU", prompt_lookup=True, INFERENCE_NUM_THREADS=threads, **_OPTIONS)
        except RuntimeError as error:
            raise GeneratorRefused(f"OpenVINO cannot load {model}: {error}") from error
        self._tokenizer: Any = self._pipeline.get_tokenizer()
        self._settings: Any = GenerationConfig()
        self._settings.max_new_tokens = MAX_NEW_TOKENS
        self._settings.do_sample = False
        self._settings.max_ngram_size, self._settings.num_assistant_tokens = _MATCHED_TOKENS, _GUESSED_TOKENS
        self._settings.stop_token_ids = {self._tokenizer.get_eos_token_id(), *self._line_end()}

    def rewrite(self, feedbacks: Sequence[Feedback]) -> list[str]:
        """Greedy decoding, up to 12 at a time: the same feedbacks give the same texts, but for a rare one."""
        prompts = [self._prompt(feedback) for feedback in feedbacks]
        texts = [""] * len(prompts)
        for rows in batches(prompts):
            encoded = self._tokenizer.encode([prompts[row] for row in rows], add_special_tokens=False)
            replies = self._tokenizer.decode(self._pipeline.generate(encoded, self._settings).tokens)
            for row, reply in zip(rows, replies, strict=True):
                texts[row] = first_line(reply)
        return texts

    def _prompt(self, feedback: Feedback) -> str:
        text: str = self._tokenizer.apply_chat_template(short_chat(feedback), add_generation_prompt=True)
        encoded = self._tokenizer.encode(text, add_special_tokens=False).input_ids.data[0]
        if len(encoded) <= MAX_PROMPT_TOKENS:
            return text
        # The end of the notes counts, and where the reply begins.
        [end] = self._tokenizer.decode([encoded[-MAX_PROMPT_TOKENS:].tolist()], skip_special_tokens=False)
        return end

    def _line_end(self) -> list[int]:
        """The token of a line break where it is one token."""
        found = self._tokenizer.encode("\n", add_special_tokens=False).input_ids.data[0].tolist()
        return found if len(found) == 1 else []


def openvino_generator(
    model: BundledModel,
    adapter: Path | None,
    models_path: Path,
    *,
    languages: frozenset[str] | None,
    name: str,
    version: str = "",
    progress: Progress | None = None,
) -> OpenVinoGenerator:
    """The generator of a bundled model with an adapter; :class:`GeneratorRefused` where OpenVINO is not installed.

    Otherwise raises what :func:`merged_file` does.
    """
    if find_spec("openvino_genai") is None:
        raise GeneratorRefused(
            "EXPLAINER_RUNTIME=openvino needs OpenVINO GenAI: pip install 'mlquiz[openvino]', or set it to auto"
        )
    file = merged_file(model, adapter, models_path, progress)
    return OpenVinoGenerator(file, adapter, languages=languages, name=name, version=version, threads=_threads())


def merged_file(model: BundledModel, adapter: Path | None, models_path: Path, progress: Progress | None = None) -> Path:
    """The GGUF file with the adapter added in, written into ``models_path`` the first time (6 s, 145 MB).

    Raises :class:`GeneratorRefused` for an adapter that does not fit, and the errors of :mod:`grading.unpacking`.
    """
    source = package_file(model)
    added = adapter_digest(adapter) if adapter is not None else "none"
    digest = sha256(f"{_FORMAT} {model.sha256} {added}".encode()).hexdigest()
    folder = models_path / f"{model.name}-gguf-{digest[:12]}"
    return built_folder(folder, source.name, digest, partial(_build, source, adapter), progress) / GGUF_NAME


def _build(source: Path, adapter: Path | None, folder: Path, progress: Progress) -> None:
    progress(0.1, "adding the adapter")
    write_merged_gguf(source, adapter, folder / GGUF_NAME)


def _threads() -> int:
    """What the worker set for all that computes; OpenVINO itself does not look there."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else max(1, (os.cpu_count() or 2) // 2)
