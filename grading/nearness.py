"""How near an answer is to what was asked, by the encoder as it was published.

An encoder that learned to read relations no longer knows what a text is about, and a reader has only ever seen its own
subject. The published encoder is asked about answers that share few words with the question, so that it costs next to
nothing: a right answer in words of its own and another question's answer both have few of them.

The vectors of one language all point nearly the same way (Ethayarajh 2019); what they have in common is taken off
before they are compared (Mu and Viswanath 2018). What is near one question is often near many: how much nearer it is
than to questions it has nothing to do with says more (Conneau et al. 2018 compare words in two languages so).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

KNOWN_BELOW = 0.3
"""Answers with this share of words that question, model answers or key points have too are never asked about."""


_NEAREST_OTHERS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Cosines of an answer with the nearest of what was asked and the nearest key point, 1 where its words are known.

    ``ahead``: how much nearer it is to what was asked than to the ten nearest of other questions, in the mean.
    ``is_far``: it is about nothing that is taught here.
    """

    asked: float = 1.0
    point: float = 1.0
    ahead: float = 1.0
    is_far: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nearness:
    """By language: ``centers`` the mean vector of what is asked, ``others`` ``[n, d]`` model answers to questions.

    ``others`` are vectors of length 1 with the center taken off. ``cosine_below``: no right answer is further away.
    """

    cosine_below: float
    centers: Mapping[str, Vectors]
    others: Mapping[str, Vectors]

    def of(
        self, answer: Vectors, *, asked: Vectors, points: Vectors, language: str, others: Vectors | None = None
    ) -> Near:
        """``asked`` ``[n, d]`` are prompt and model answers, ``points`` ``[m, d]`` key points, all of length 1.

        ``others`` in place of those of the language, where some of them are what was asked.
        """
        center = self.center(language)
        own = of_length_one(answer - center)
        found = float((of_length_one(asked - center) @ own).max())
        return Near(
            asked=found,
            point=float((of_length_one(points - center) @ own).max()),
            ahead=found - _nearest(self._others(language) if others is None else others, own),
            is_far=bool((asked @ answer).max() < self.cosine_below),
        )

    def center(self, language: str) -> Vectors | float:
        """Of a language that was not trained, the middle of those that were."""
        if language in self.centers:
            return self.centers[language]
        return np.mean(list(self.centers.values()), axis=0) if self.centers else 0.0

    def _others(self, language: str) -> Vectors | None:
        if language in self.others:
            return self.others[language]
        return np.concatenate(list(self.others.values())) if self.others else None


def nearness_from_arrays(arrays: Mapping[str, NDArray[np.floating]]) -> Nearness:
    """From ``nearness.safetensors``: ``centers.LANGUAGE``, ``others.LANGUAGE``, and ``cosine_below`` ``[1]``."""
    found: dict[str, dict[str, Vectors]] = {"centers": {}, "others": {}}
    for name, array in arrays.items():
        if name != "cosine_below":
            what, language = name.split(".", 1)
            found[what][language] = array.astype(np.float32)
    return Nearness(cosine_below=float(arrays["cosine_below"][0]), centers=found["centers"], others=found["others"])


def nearness_to_arrays(nearness: Nearness) -> dict[str, NDArray[np.floating]]:
    """What :func:`nearness_from_arrays` reads."""
    parts = {"centers": nearness.centers, "others": nearness.others}
    arrays = {
        f"{what}.{language}": np.asarray(array, np.float16)
        for what, own in parts.items()
        for language, array in sorted(own.items())
    }
    return {**arrays, "cosine_below": np.array([nearness.cosine_below], np.float32)}


def of_length_one(vectors: Vectors) -> Vectors:
    """Each vector ``[..., d]`` by its length."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _nearest(others: Vectors | None, answer: Vectors) -> float:
    if others is None or not len(others):
        return 0.0
    return float(np.sort(others @ answer)[-_NEAREST_OTHERS:].mean())
