"""The S-BERT encoder: texts in, normalised vectors out.

Any encoder that sentence-transformers loads goes through here: the bundled one, a folder, a hub id. One padded batch
of 64 costs about three times more a text than small batches of similar length, hence the order of work in
:meth:`Encoder.encode`. How many threads torch may use is the caller's business (cores / model processes).
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from grading.errors import ModelBroken
from grading.unpacking import file_sha256, read_manifest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MAX_TOKENS = 256
BATCH_SIZE = 8
_E5_NAME = re.compile(r"(?:^|[-_/])e5(?:[-_/]|$)", re.IGNORECASE)
_E5_PREFIX = "query: "

_UNRELATED = (
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

    def __init__(self, folder_or_id: str | Path, cache_size: int = 4096) -> None:
        """Load it (seconds; 0.5 to 1 GB). Raises :class:`ModelBroken` when it cannot be loaded."""
        self._model = _load(str(folder_or_id))
        self.name = str(folder_or_id).rstrip("/").rsplit("/", 1)[-1]
        self.version = _version(str(folder_or_id), self._model)
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        # E5 models were trained with this prefix; without it their cosines shift. A model that carries its own
        # default prompt gets that from sentence-transformers.
        self.is_e5 = bool(_E5_NAME.search(str(folder_or_id)))
        self._prefix = _E5_PREFIX if self.is_e5 and not self._model.default_prompt_name else ""
        self._cache: OrderedDict[str, Vectors] = OrderedDict()
        self._cache_size = cache_size

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

    @cached_property
    def floor(self) -> float:
        """The mean cosine of sentences that have nothing to do with each other: what 0 similarity is here."""
        vectors = self.encode(_UNRELATED)
        cosines = vectors @ vectors.T
        others = cosines[~np.eye(len(_UNRELATED), dtype=bool)]
        return float(np.clip(others.mean(), -0.5, 0.95))

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


def _load(folder_or_id: str) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as loading

    # Otherwise each start reports the checkpoint as incomplete, for want of a pooler that is never used.
    verbosity = loading.get_verbosity()
    loading.set_verbosity_error()
    loading.disable_progress_bar()
    try:
        model = SentenceTransformer(folder_or_id, device="cpu")
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


def _version(folder_or_id: str, model: SentenceTransformer) -> str:
    """16 hexadecimal digits: from the manifest of a folder that we unpacked, from its files, or from the weights."""
    folder = Path(folder_or_id)
    if folder.is_dir():
        manifest = read_manifest(folder)
        digests = manifest["files"] if manifest else _file_digests(folder)
        lines = [f"{digest}  {name}" for name, digest in sorted(digests.items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.float().cpu().numpy()).data)
    return digest.hexdigest()[:16]


def _file_digests(folder: Path) -> dict[str, str]:
    suffixes = {".json", ".safetensors", ".bin", ".model", ".txt"}
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix in suffixes)
    return {str(path.relative_to(folder)): file_sha256(path) for path in paths}
