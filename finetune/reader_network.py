"""The reader of :mod:`grading.reader` as a torch module that can learn; both give the same numbers.

Shapes: ``P`` pairs, ``m`` tokens of what should be said, ``n`` tokens of the answer, padded; ``masks`` are true where
there is a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 128
HEADS = 4
_MARKS, _MARK_WIDTH = 3, 8
_MARGIN = -1e4
_CONTEXT, _CONTENT = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of the pairs: ``states`` ``[P, n, dimension]``; ``ids``, ``marks`` and ``mask`` ``[P, n]``."""

    states: Tensor
    ids: Tensor
    marks: Tensor
    mask: Tensor


class ReaderNetwork(nn.Module):
    """Two logits a pair: how far the answer says it, how far it says the opposite."""

    def __init__(self, dimension: int, *, dropout: float = 0.15) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dimension, elementwise_affine=False)
        self.inp = nn.Linear(dimension, WIDTH)
        self.qk = nn.Linear(dimension, WIDTH)
        self.v = nn.Linear(dimension, WIDTH)
        self.tau = nn.Parameter(torch.full((HEADS,), 10.0))
        self.seg = nn.Embedding(_MARKS, _MARK_WIDTH)
        compared = 4 * WIDTH + HEADS + 2 + 2 * _MARK_WIDTH
        self.cmp = nn.Sequential(
            nn.Linear(compared, WIDTH), nn.GELU("tanh"), nn.Dropout(dropout), nn.Linear(WIDTH, WIDTH)
        )
        self.ln = nn.LayerNorm(WIDTH)
        self.block = nn.TransformerEncoderLayer(
            WIDTH,
            HEADS,
            2 * WIDTH,
            dropout,
            partial(functional.gelu, approximate="tanh"),
            batch_first=True,
            norm_first=True,
        )
        self.imp = nn.Linear(WIDTH, 1)
        self.out = nn.Sequential(nn.Linear(6 * WIDTH + 4, 64), nn.GELU("tanh"), nn.Dropout(dropout), nn.Linear(64, 2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, point: Side, answer: Side) -> Tensor:
        """``[P, 2]`` logits, float32."""
        of_point, of_answer = self._projected(point), self._projected(answer)
        pooled_point, matched_point = self._compare(point, of_point, answer, of_answer)
        pooled_answer, matched_answer = self._compare(answer, of_answer, point, of_point)
        cosine = functional.cosine_similarity(_mean(point.states, point), _mean(answer.states, answer))[:, None]
        normal = functional.cosine_similarity(
            _mean(self.norm(point.states), point), _mean(self.norm(answer.states), answer)
        )[:, None]
        summary = [matched_point, matched_answer, (cosine - 0.8) * 5, normal]
        return self.out(torch.cat([pooled_point, pooled_answer, *summary], -1)).float()

    def _projected(self, side: Side) -> tuple[Tensor, Tensor, Tensor]:
        states = self.dropout(self.norm(side.states))
        shape = (*states.shape[:2], HEADS, -1)
        keys = functional.normalize(self.qk(states).view(shape), dim=-1)
        return self.inp(states), keys, self.v(states).view(shape)

    def _compare(
        self,
        own: Side,
        own_projected: tuple[Tensor, Tensor, Tensor],
        other: Side,
        other_projected: tuple[Tensor, Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        inputs, keys, _ = own_projected
        _, other_keys, other_values = other_projected
        cosines = torch.einsum("pmhd,pnhd->phmn", keys, other_keys)
        there = other.mask[:, None, None, :]
        scores = (cosines * self.tau[None, :, None, None]).masked_fill(~there, _MARGIN)
        best = cosines.masked_fill(~there, -1).amax(-1).permute(0, 2, 1)
        aligned = torch.einsum("phmn,pnhd->pmhd", scores.softmax(-1), other_values).reshape(inputs.shape)
        same = (own.ids[:, :, None] == other.ids[:, None, :]) & other.mask[:, None, :]
        in_other = same.any(-1, keepdim=True).to(inputs.dtype)
        in_context = (same & (other.marks == _CONTEXT)[:, None, :]).any(-1, keepdim=True).to(inputs.dtype)
        nearest = scores.mean(1).argmax(-1)
        compared = torch.cat(
            [
                inputs,
                aligned,
                (inputs - aligned).abs(),
                inputs * aligned,
                best,
                in_other,
                in_context,
                self.seg(own.marks),
                self.seg(other.marks.gather(1, nearest)),
            ],
            -1,
        )
        states = self.block(self.ln(self.cmp(compared)), src_key_padding_mask=~own.mask)
        kept = _content(own)
        weights = self.imp(states).squeeze(-1).float().masked_fill(~kept, _MARGIN).softmax(-1).to(states.dtype)
        share = kept[..., None].to(states.dtype)
        pooled = [
            (weights[..., None] * states).sum(1),
            (states * share).sum(1) / share.sum(1),
            states.masked_fill(~kept[..., None], _MARGIN).amax(1),
        ]
        return torch.cat(pooled, -1), (in_other * share).sum(1) / share.sum(1)


def _content(side: Side) -> Tensor:
    """Which tokens are pooled: those of the text itself, or all where there are none."""
    content = side.mask & (side.marks == _CONTENT)
    return torch.where(content.any(1, keepdim=True), content, side.mask)


def _mean(states: Tensor, side: Side) -> Tensor:
    share = _content(side)[..., None].to(states.dtype)
    return (states * share).sum(1) / share.sum(1)
