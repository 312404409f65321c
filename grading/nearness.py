"""How near an answer is to what was asked, by the encoder as it was published.

An encoder that learned to read relations no longer knows what a text is about, and a reader has only ever seen its own
subject. The published encoder is asked about answers that share few words with the question, so that it costs next to
nothing: a right answer in words of its own and another question's answer both have few of them.

The vectors of one language all point nearly the same way (Ethayarajh 2019); what they have in common is taken off
before they are compared (Mu and Viswanath 2018).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

KNOWN_BELOW = 0.3
"""Answers with this share of words that question, model answers or key points have too are never asked about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Cosines of an answer with the nearest of what was asked and the nearest key point, 1 where its words are known.

    ``is_elsewhere``: the answer is about something else altogether.
    """

    asked: float = 1.0
    point: float = 1.0
    is_elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nearness:
    """``centers``: by language the mean vector of what is asked; ``cosine_below``: nothing right is further away."""

    cosine_below: float
    centers: Mapping[str, Vectors]

    def of(self, answer: Vectors, *, asked: Vectors, points: Vectors, language: str) -> Near:
        """``asked`` ``[n, d]`` are prompt and model answers, ``points`` ``[m, d]`` key points, all of length 1."""
        center = self.centers[language] if language in self.centers else _middle(self.centers)
        return Near(
            asked=_nearest(asked, answer, center),
            point=_nearest(points, answer, center),
            is_elsewhere=bool((asked @ answer).max() < self.cosine_below),
        )


def _middle(centers: Mapping[str, Vectors]) -> Vectors | float:
    return np.mean(list(centers.values()), axis=0) if centers else 0.0


def _nearest(texts: Vectors, answer: Vectors, center: Vectors | float) -> float:
    return float((_of_length_one(texts - center) @ _of_length_one(answer - center)).max())


def _of_length_one(vectors: Vectors) -> Vectors:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
