"""The joint reading of an answer and what it should say: soft alignment of their tokens, in numpy.

Cosines of whole sentences hardly move when a relation is turned round; this reader compares token by token (Parikh
et al. 2016; Chen et al. 2017). Each token of a key point finds its partner in the answer by several learned
similarities, the pair is compared by a small layer, the comparisons see each other through one self-attention block,
and what remains is pooled; the same the other way round. Two numbers come out: how far the answer says the point, and
how far it says the opposite. Both texts were encoded apart, so key points and model answers are encoded once.

Trained by :mod:`finetune.reader_network`, which does the same in torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grading.token_states import Mark, TokenStates

Array = NDArray[np.float32]
_EPSILON = np.float32(1e-5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """``said`` and ``contradicted`` are logits; ``attention`` ``[m]`` how much each token of the answer was looked at.

    ``attention`` sums to 1 over the answer's tokens: which words speak of the point.
    """

    said: float
    contradicted: float
    attention: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """Texts as the reader takes them, padded to the longest: ``p`` of them with ``n`` tokens.

    ``ids``, ``marks``, ``mask`` (true where there is a token) and ``content`` (true for the tokens of the text itself)
    ``[p, n]``; ``inputs`` ``[p, n, d]``; ``keys``, of length 1, and ``values`` ``[p, heads, n, d/heads]``; ``mean`` and
    ``normal_mean`` ``[p, dimension]``, over the text's own tokens, of the states and of the normalised states.
    """

    ids: NDArray[np.int64]
    marks: NDArray[np.int8]
    mask: NDArray[np.bool_]
    content: NDArray[np.bool_]
    inputs: Array
    keys: Array
    values: Array
    mean: Array
    normal_mean: Array


class Reader:
    """The reader's weights, as ``reader.safetensors`` holds them; float32."""

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Take the arrays by the names of :mod:`finetune.reader_network`; ``KeyError`` for one that is missing."""
        w = {name: np.ascontiguousarray(array, np.float32) for name, array in weights.items()}
        self.heads = len(w["tau"])
        self.width = len(w["inp.bias"])
        self._tau = w["tau"]
        self._project = np.concatenate([w["inp.weight"], w["qk.weight"], w["v.weight"]]).T.copy()
        self._project_bias = np.concatenate([w["inp.bias"], w["qk.bias"], w["v.bias"]])
        self._mark_vectors = w["seg.weight"]
        self._w = w

    def prepare(self, texts: Sequence[TokenStates]) -> Prepared:
        """What of the texts is needed; done once for key points and model answers."""
        longest = max(len(text.ids) for text in texts)
        shape = (len(texts), longest)
        ids, marks, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int8), np.zeros(shape, bool)
        states = np.zeros((*shape, texts[0].states.shape[1]), np.float32)
        for row, text in enumerate(texts):
            count = len(text.ids)
            ids[row, :count], marks[row, :count], mask[row, :count] = text.ids, text.marks, True
            states[row, :count] = text.states
        content = mask & np.equal(marks, Mark.CONTENT)
        content = np.where(content.any(axis=1, keepdims=True), content, mask)
        normal = _normalised(states)
        inputs, keys, values = np.split(normal @ self._project + self._project_bias, 3, axis=2)
        return Prepared(
            ids=ids,
            marks=marks,
            mask=mask,
            content=content,
            inputs=np.ascontiguousarray(inputs),
            keys=_of_length_one(_in_heads(keys, self.heads)),
            values=np.ascontiguousarray(_in_heads(values, self.heads)),
            mean=_mean(states, content),
            normal_mean=_mean(normal, content),
        )

    def read(self, points: Prepared, answer: Prepared) -> list[Reading]:
        """How one answer treats each key point or model answer."""
        cosines = points.keys @ answer.keys.transpose(0, 1, 3, 2)  # [points, heads, tokens of points, of the answer]
        scores = cosines * self._tau[:, None, None]
        same = np.equal(points.ids[:, :, None], answer.ids[:, None, :])
        of_points, matched_points, importance = self._side(points, answer, cosines, scores, same)
        back = (0, 1, 3, 2)
        of_answer, matched_answer, _ = self._side(
            answer, points, cosines.transpose(back), scores.transpose(back), same.transpose(0, 2, 1)
        )
        summary = [
            matched_points,
            matched_answer,
            (_cosine(points.mean, answer.mean) - 0.8) * 5,
            _cosine(points.normal_mean, answer.normal_mean),
        ]
        features = np.concatenate([of_points, of_answer, np.stack(summary, axis=1)], axis=1, dtype=np.float32)
        w = self._w
        hidden = _gelu(features @ w["out.0.weight"].T + w["out.0.bias"])
        logits = hidden @ w["out.3.weight"].T + w["out.3.bias"]
        attention = (importance[:, None, :] @ _softmax(scores.mean(axis=1)))[:, 0]
        return [
            Reading(said=float(said), contradicted=float(contradicted), attention=own)
            for (said, contradicted), own in zip(logits, attention, strict=True)
        ]

    def _side(
        self, own: Prepared, other: Prepared, cosines: Array, scores: Array, same: NDArray[np.bool_]
    ) -> tuple[Array, Array, Array]:
        """One direction: the pooled comparisons of ``own``'s tokens ``[p, 3 d]``, the share of its tokens that the
        other has too ``[p]``, and the weight of each of its tokens ``[p, n]``; one answer stands against ``p`` texts.
        """
        w = self._w
        pairs, _, tokens, _ = scores.shape
        there = other.mask[:, None, None, :]
        scores = np.where(there, scores, _MARGIN)
        aligned = (_softmax(scores) @ other.values).transpose(0, 2, 1, 3).reshape(pairs, tokens, self.width)
        nearest = scores.mean(axis=1).argmax(axis=2)
        same = same & other.mask[:, None, :]
        in_other = np.asarray(same.any(axis=2))
        in_context = np.asarray((same & np.equal(other.marks, Mark.CONTEXT)[:, None, :]).any(axis=2))
        other_marks = np.take_along_axis(np.broadcast_to(other.marks, (pairs, other.marks.shape[1])), nearest, axis=1)
        inputs = np.broadcast_to(own.inputs, aligned.shape)
        compared = np.concatenate(
            [
                inputs,
                aligned,
                np.abs(inputs - aligned),
                inputs * aligned,
                np.where(there, cosines, -1).max(axis=3).transpose(0, 2, 1),
                in_other[:, :, None],
                in_context[:, :, None],
                np.broadcast_to(self._mark_vectors[own.marks], (pairs, tokens, self._mark_vectors.shape[1])),
                self._mark_vectors[other_marks],
            ],
            axis=2,
            dtype=np.float32,
        )
        hidden = _gelu(compared @ w["cmp.0.weight"].T + w["cmp.0.bias"])
        states = _layer_norm(hidden @ w["cmp.3.weight"].T + w["cmp.3.bias"], w["ln.weight"], w["ln.bias"])
        states = self._block(states, own.mask)
        kept = np.broadcast_to(own.content, (pairs, tokens))
        importance = _softmax(np.where(kept, (states @ w["imp.weight"].T + w["imp.bias"])[:, :, 0], _MARGIN))
        pooled = [
            (importance[:, None, :] @ states)[:, 0],
            _mean(states, kept),
            np.where(kept[:, :, None], states, _MARGIN).max(axis=1),
        ]
        return np.concatenate(pooled, axis=1), (in_other & kept).sum(axis=1) / kept.sum(axis=1), importance

    def _block(self, states: Array, mask: NDArray[np.bool_]) -> Array:
        """One pre-norm transformer layer over the comparisons."""
        w = self._w
        normal = _layer_norm(states, w["block.norm1.weight"], w["block.norm1.bias"])
        projected = normal @ w["block.self_attn.in_proj_weight"].T + w["block.self_attn.in_proj_bias"]
        queries, keys, values = (_in_heads(part, _BLOCK_HEADS) for part in np.split(projected, 3, axis=2))
        likeness = queries @ keys.transpose(0, 1, 3, 2) / np.float32(np.sqrt(queries.shape[3]))
        weights = _softmax(np.where(mask[:, None, None, :], likeness, _MARGIN))
        mixed = (weights @ values).transpose(0, 2, 1, 3).reshape(states.shape)
        mixed = mixed @ w["block.self_attn.out_proj.weight"].T + w["block.self_attn.out_proj.bias"]
        states = (states + mixed).astype(np.float32, copy=False)
        normal = _layer_norm(states, w["block.norm2.weight"], w["block.norm2.bias"])
        hidden = _gelu(normal @ w["block.linear1.weight"].T + w["block.linear1.bias"])
        widened = hidden @ w["block.linear2.weight"].T + w["block.linear2.bias"]
        return (states + widened).astype(np.float32, copy=False)


_BLOCK_HEADS = 4
_MARGIN = np.float32(-1e4)
"""What a place that is not there has for a score: nothing of it is left behind a softmax."""


def _in_heads(rows: Array, heads: int) -> Array:
    """``[p, n, d]`` to ``[p, heads, n, d/heads]``."""
    return rows.reshape(*rows.shape[:2], heads, -1).transpose(0, 2, 1, 3)


def _mean(rows: Array, kept: NDArray[np.bool_]) -> Array:
    """Of the kept rows: ``[p, n, d]`` to ``[p, d]``."""
    return (rows * kept[:, :, None]).sum(axis=1) / kept.sum(axis=1, keepdims=True).astype(np.float32)


def _normalised(rows: Array) -> Array:
    centred = rows - rows.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + _EPSILON)


def _layer_norm(rows: Array, weight: Array, bias: Array) -> Array:
    return _normalised(rows) * weight + bias


def _of_length_one(rows: Array) -> Array:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), np.float32(1e-12))


def _softmax(rows: NDArray[Any]) -> Array:
    grown = np.exp(rows - rows.max(axis=-1, keepdims=True))
    return (grown / grown.sum(axis=-1, keepdims=True)).astype(np.float32, copy=False)


def _gelu(rows: Array) -> Array:
    """The tanh form (Hendrycks and Gimpel 2016), as the training has it: numpy has no error function."""
    # Products, since a power costs ten times more.
    inner = np.float32(0.7978845608) * rows * (1 + np.float32(0.044715) * rows * rows)
    return np.float32(0.5) * rows * (1 + np.tanh(inner))


def _cosine(one: Array, other: Array) -> Array:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(axis=1) / np.maximum(lengths, np.float32(1e-8))
