"""The S-BERT encoder: texts in, normalised vectors or the states of single tokens out.

Any encoder that sentence-transformers loads goes through here: the bundled one, a folder, a hub id. One padded batch
of 64 costs about three times more a text than small batches of similar length, hence the order of work in
:meth:`Encoder.encode`. How many threads torch may use is the caller's business (cores / model processes).

Importing this module imports no torch: :class:`grading.onnx_encoder.OnnxEncoder` is an encoder without it.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from grading.errors import ModelBroken
from grading.token_reader import TokenReader
from grading.token_states import Numbers, States, TokenStates
from grading.unpacking import file_sha256, read_manifest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

MAX_TOKENS = 256
BATCH_SIZE = 8
_E5_NAME = re.compile(r"(?:^|[-_/])e5(?:[-_/]|$)", re.IGNORECASE)
_E5_PREFIX = "query: "

UNRELATED_SENTENCES = (
    "The learning rate decides how far a step of gradient descent goes.",
    "My sister bought fresh bread at the market this morning.",
    "A convolution slides a small filter over an image.",
    "The parliament votes on the new budget next week.",
    "k-means assigns each point to the nearest centre.",
    "It rained for three days and the river rose.",
    "A decision tree splits the data by one feature at a time.",
    "The violin concerto begins with a slow solo.",
    "학습률은 경사 하강법이 한 번에 얼마나 움직일지를 정한다.",
    "어제 친구와 함께 바다에 가서 회를 먹었다.",
    "합성곱은 작은 필터를 이미지 위에서 움직인다.",
    "국회는 다음 주에 새 예산안을 표결한다.",
    "정밀도는 양성이라고 예측한 것 중 실제 양성의 비율이다.",
    "사흘 동안 비가 와서 강물이 불어났다.",
    "임베딩은 단어를 벡터로 나타낸 것이다.",
    "버스가 늦게 와서 회의에 지각했다.",
)

Vectors = NDArray[np.float32]


class Encoder:
    """One loaded sentence encoder.

    ``name`` is the last part of its folder or hub id, ``version`` a digest of its weights (two encoders with the same
    version give the same vectors), ``dimension`` the length of a vector. Not safe for several threads at once.
    """

    def __init__(
        self,
        folder_or_id: str | Path,
        cache_size: int = 4096,
        *,
        layers: int | None = None,
        adapter: Path | None = None,
        name: str = "",
    ) -> None:
        """Load it (seconds; 0.5 to 1 GB); if given, cut to its first ``layers``, with the LoRA ``adapter`` merged in.

        ``name`` is the setting that named it, where the folder does not tell (a hub's cache). Raises
        :class:`ModelBroken` when it cannot be loaded.
        """
        source = str(folder_or_id)
        setting = name or source
        self._model = _load(source, layers=layers, adapter=adapter)
        self.name = short_name(setting)
        self.version = adapted_version(_version(source, self._model), layers=layers, adapter=adapter)
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.is_e5 = is_e5_name(setting)
        self._prefix = _E5_PREFIX if self.is_e5 and not self._model.default_prompt_name else ""
        self._prepare_cache(cache_size)

    def encode(self, texts: Sequence[str], *, remember: bool = False) -> Vectors:
        """Float32 ``[len(texts), dimension]``, each row of length 1 (0 for a model that gives a zero vector).

        Each text is cut at 256 tokens. ``remember`` keeps the vectors of these texts (questions, model answers, key
        points) in a cache of bounded size; answers of students are looked up in it, but not kept.
        """
        unknown = [text for text in dict.fromkeys(texts) if text not in self._cache]
        fresh = dict(zip(unknown, self._run(unknown), strict=True))
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            vectors[row] = fresh[text] if text in fresh else self._cache[text]
        if remember:
            self._remember(texts, fresh)
        return vectors

    def read(
        self, texts: Sequence[str], *, context: Sequence[str] | None = None, remember: bool = False
    ) -> list[TokenStates]:
        """The states of the tokens of each text, in order; see :mod:`grading.token_reader` for the form.

        A text longer than 256 tokens is read in overlapping windows, up to 4,096 tokens. ``context[i]`` (a question's
        prompt) is put before text ``i``, at most 64 tokens of it. ``remember`` keeps the states of these texts in a
        cache of 64 MB. Raises :class:`ModelBroken` for an encoder that is no transformer with a fast tokenizer.
        """
        return self._reader.read(texts, context=context, remember=remember)

    @property
    def prefix(self) -> str:
        """What is put before each text: E5's, or the model's own default prompt."""
        return self._prefix or self._model.prompts.get(self._model.default_prompt_name or "") or ""

    @cached_property
    def floor(self) -> float:
        """The mean cosine of sentences that have nothing to do with each other: what 0 similarity is here."""
        vectors = self.encode(UNRELATED_SENTENCES)
        cosines = vectors @ vectors.T
        others = cosines[~np.eye(len(UNRELATED_SENTENCES), dtype=bool)]
        return float(np.clip(others.mean(), -0.5, 0.95))

    @cached_property
    def _reader(self) -> TokenReader:
        transformer, tokenizer = transformer_of(self._model)
        return TokenReader(
            tokenizer,
            partial(_last_hidden_states, transformer),
            prefix=self.prefix,
            max_tokens=int(self._model.max_seq_length or MAX_TOKENS),
            pad_id=int(transformer.config.pad_token_id or 0),
            dimension=int(transformer.config.hidden_size),
            batch_size=BATCH_SIZE,
        )

    def _prepare_cache(self, size: int) -> None:
        self._cache: OrderedDict[str, Vectors] = OrderedDict()
        self._cache_size = size

    def _run(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        encoded = self._model.encode(
            [self._prefix + texts[index] for index in order],
            batch_size=BATCH_SIZE,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        vectors = np.empty((len(texts), self.dimension), np.float32)
        vectors[order] = np.asarray(encoded, np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.maximum(lengths, 1e-12)

    def _remember(self, texts: Iterable[str], fresh: dict[str, Vectors]) -> None:
        for text in texts:
            if text in fresh:
                self._cache[text] = fresh[text]
            self._cache.move_to_end(text)
        while len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)


def transformer_of(model: SentenceTransformer) -> tuple[PreTrainedModel, Tokenizer]:
    """The Hugging Face model inside and its tokenizer as ``tokenizers`` has it; :class:`ModelBroken` if it has none."""
    transformer = getattr(model[0], "auto_model", None)
    tokenizer = getattr(model.tokenizer, "backend_tokenizer", None)
    if transformer is None or tokenizer is None:
        raise ModelBroken(
            "GRADER_MODEL: this encoder cannot be read token by token; name one that is a transformer and has a"
            " tokenizer.json."
        )
    return transformer, tokenizer


def short_name(folder_or_id: str) -> str:
    """The last part of a folder or hub id, or the name of a bundled encoder."""
    return folder_or_id.rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1]


def is_e5_name(folder_or_id: str) -> bool:
    """Whether it is an E5 model, which was trained with a prefix; without it the cosines shift.

    A model that carries its own default prompt gets that from sentence-transformers.
    """
    return bool(_E5_NAME.search(folder_or_id))


def folder_version(folder: Path) -> str:
    """16 hexadecimal digits: from the manifest of a folder that we unpacked, or from its files."""
    manifest = read_manifest(folder)
    digests = manifest["files"] if manifest else _file_digests(folder)
    lines = [f"{digest}  {name}" for name, digest in sorted(digests.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def adapted_version(version: str, *, layers: int | None, adapter: Path | None) -> str:
    """The version of an encoder that is cut or has an adapter: ``version`` itself for one as it was published."""
    if layers is None and adapter is None:
        return version
    parts = f"{version} layers={layers} adapter={folder_version(adapter) if adapter else None}"
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def _load(folder_or_id: str, *, layers: int | None, adapter: Path | None) -> SentenceTransformer:
    """The model on the CPU, ready to read at most 256 tokens at once.

    Raises :class:`ModelBroken` when the model, or the adapter for it, cannot be loaded.
    """
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as loading

    # Otherwise each start reports the checkpoint as incomplete, for want of a pooler that is never used.
    verbosity = loading.get_verbosity()
    loading.set_verbosity_error()
    loading.disable_progress_bar()
    try:
        model = SentenceTransformer(folder_or_id, device="cpu")
        if layers is not None or adapter is not None:
            from grading.adapted_encoder import adapt

            adapt(model, layers=layers, adapter=adapter)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelBroken(
            f"GRADER_MODEL: the encoder {folder_or_id} cannot be loaded ({error}). Name a folder or hub id of a"
            " sentence-transformers model; without network the hub id must have been downloaded before."
        ) from error
    finally:
        loading.set_verbosity(verbosity)
    limit = model.max_seq_length or MAX_TOKENS
    model.max_seq_length = min(limit, MAX_TOKENS)
    return model.eval()


def _last_hidden_states(transformer: PreTrainedModel, ids: Numbers, mask: Numbers) -> States:
    import torch

    with torch.inference_mode():
        output = transformer(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
    return output.last_hidden_state.float().numpy()


def _version(folder_or_id: str, model: SentenceTransformer) -> str:
    """16 hexadecimal digits: from a folder's files, or from the weights."""
    if Path(folder_or_id).is_dir():
        return folder_version(Path(folder_or_id))
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.float().cpu().numpy()).data)
    return digest.hexdigest()[:16]


def _file_digests(folder: Path) -> dict[str, str]:
    suffixes = {".json", ".safetensors", ".bin", ".model", ".txt"}
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix in suffixes)
    return {str(path.relative_to(folder)): file_sha256(path) for path in paths}
