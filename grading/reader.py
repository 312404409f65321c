"""The joint reading of an answer and what it should say: soft alignment of their tokens, in numpy.

Cosines of whole sentences hardly move when a relation is turned round; this reader compares token by token (Parikh
et al. 2016; Chen et al. 2017). Each token of a key point finds its partner in the answer by several learned
similarities, the pair is compared by a small layer, the comparisons see each other through one self-attention block,
and what remains is pooled; the same the other way round. Two numbers come out: how far the answer says the point, and
how far it says the opposite. Both texts were encoded apart, so key points and model answers are encoded once.

Trained by :mod:`finetune.reader_network`, which does the same in torch.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    """A text as the reader takes it.

    ``inputs`` ``[n, d]``; ``keys``, of length 1, and ``values`` ``[heads, n, d/heads]``; ``mean`` and ``normal_mean``
    ``[dimension]``, over the text's own tokens, of the states and of the normalised states.
    """

    ids: NDArray[np.int64]
    marks: NDArray[np.int8]
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

    def prepare(self, text: TokenStates) -> Prepared:
        """What of a text is needed; done once for a key point or model answer."""
        normal = _normalised(text.states)
        projected = normal @ self._project + self._project_bias
        inputs, keys, values = np.split(projected, 3, axis=1)
        content = text.marks == Mark.CONTENT
        content = content if content.any() else np.ones(len(text.ids), bool)
        return Prepared(
            ids=text.ids,
            marks=text.marks,
            inputs=np.ascontiguousarray(inputs),
            keys=_of_length_one(self._in_heads(keys)),
            values=np.ascontiguousarray(self._in_heads(values)),
            mean=text.states[content].mean(axis=0),
            normal_mean=normal[content].mean(axis=0),
        )

    def read(self, point: Prepared, answer: Prepared) -> Reading:
        """How an answer treats a key point or a whole model answer."""
        cosines = point.keys @ answer.keys.transpose(0, 2, 1)  # [heads, points, answers]
        scores = cosines * self._tau[:, None, None]
        same = np.equal(point.ids[:, None], answer.ids[None, :])
        of_point, matched_point, importance = self._side(point, answer, cosines, scores, same)
        of_answer, matched_answer, _ = self._side(
            answer, point, cosines.transpose(0, 2, 1), scores.transpose(0, 2, 1), same.T
        )
        summary = np.array(
            [
                matched_point,
                matched_answer,
                (_cosine(point.mean, answer.mean) - 0.8) * 5,
                _cosine(point.normal_mean, answer.normal_mean),
            ],
            np.float32,
        )
        features = np.concatenate([of_point, of_answer, summary])
        w = self._w
        hidden = _gelu(w["out.0.weight"] @ features + w["out.0.bias"])
        said, contradicted = w["out.3.weight"] @ hidden + w["out.3.bias"]
        attention = importance @ _softmax(scores.mean(axis=0))
        return Reading(said=float(said), contradicted=float(contradicted), attention=attention)

    def _side(
        self, own: Prepared, other: Prepared, cosines: Array, scores: Array, same: NDArray[np.bool_]
    ) -> tuple[Array, float, Array]:
        """One direction: the pooled comparisons of ``own``'s tokens ``[3 d]``, the share of its tokens that the other
        has too, and the weight of each of its tokens ``[n]``.
        """
        w = self._w
        aligned = (_softmax(scores) @ other.values).transpose(1, 0, 2).reshape(len(own.ids), self.width)
        nearest = scores.mean(axis=0).argmax(axis=1)
        in_other = np.atleast_1d(same.any(axis=1))
        in_context = np.atleast_1d((same & np.equal(other.marks, Mark.CONTEXT)).any(axis=1))
        compared = np.concatenate(
            [
                own.inputs,
                aligned,
                np.abs(own.inputs - aligned),
                own.inputs * aligned,
                cosines.max(axis=2).T,
                in_other[:, None],
                in_context[:, None],
                self._mark_vectors[own.marks],
                self._mark_vectors[other.marks[nearest]],
            ],
            axis=1,
            dtype=np.float32,
        )
        hidden = _gelu(compared @ w["cmp.0.weight"].T + w["cmp.0.bias"])
        states = _layer_norm(hidden @ w["cmp.3.weight"].T + w["cmp.3.bias"], w["ln.weight"], w["ln.bias"])
        states = self._block(states)
        kept = np.equal(own.marks, Mark.CONTENT)
        kept = kept if kept.any() else np.ones(len(own.ids), bool)
        chosen = states[kept]
        importance = _softmax((chosen @ w["imp.weight"].T + w["imp.bias"])[:, 0])
        pooled = np.concatenate([importance @ chosen, chosen.mean(axis=0), chosen.max(axis=0)])
        weights = np.zeros(len(own.ids), np.float32)
        weights[kept] = importance
        return pooled, float(in_other[kept].mean()), weights

    def _block(self, states: Array) -> Array:
        """One pre-norm transformer layer over the comparisons."""
        w = self._w
        if "block.norm1.weight" not in w:
            return states
        normal = _layer_norm(states, w["block.norm1.weight"], w["block.norm1.bias"])
        projected = normal @ w["block.self_attn.in_proj_weight"].T + w["block.self_attn.in_proj_bias"]
        queries, keys, values = (
            part.reshape(len(states), _BLOCK_HEADS, -1).transpose(1, 0, 2) for part in np.split(projected, 3, axis=1)
        )
        weights = _softmax(queries @ keys.transpose(0, 2, 1) / np.float32(np.sqrt(queries.shape[2])))
        mixed = (weights @ values).transpose(1, 0, 2).reshape(states.shape)
        mixed = mixed @ w["block.self_attn.out_proj.weight"].T + w["block.self_attn.out_proj.bias"]
        states = (states + mixed).astype(np.float32, copy=False)
        normal = _layer_norm(states, w["block.norm2.weight"], w["block.norm2.bias"])
        hidden = _gelu(normal @ w["block.linear1.weight"].T + w["block.linear1.bias"])
        widened = hidden @ w["block.linear2.weight"].T + w["block.linear2.bias"]
        return (states + widened).astype(np.float32, copy=False)

    def _in_heads(self, rows: Array) -> Array:
        return rows.reshape(len(rows), self.heads, -1).transpose(1, 0, 2)


_BLOCK_HEADS = 4


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


def _cosine(one: Array, other: Array) -> float:
    return float(one @ other / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-8))
