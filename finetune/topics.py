"""Which questions are about the same thing: folds that are cut by topic tell what a question on a new one gets.

Banks have many questions on one topic, and a reader that saw three on dropout has seen most of the fourth. Cut by
question, cross-validated figures and intervals flatter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

_QUESTIONS_A_TOPIC = 6
_FEWEST = 30


def topics_of(vectors: Callable[[], NDArray[np.float32]], groups: Sequence[str]) -> list[int]:
    """A number for each question, the same for questions on one topic and for those of one group.

    ``vectors`` gives embeddings ``[questions, dimension]`` of what was asked and what should be said, by an encoder
    that knows nothing of the scores; it is called only where there are enough questions for topics. Clusters of
    average linkage on cosines (Sokal and Michener 1958), as many as make six questions a topic; where that would be
    fewer than thirty, each group is a topic of its own.
    """
    wanted = len(groups) // _QUESTIONS_A_TOPIC
    first: dict[str, int] = {}
    if wanted < _FEWEST:
        return [first.setdefault(group, len(first)) for group in groups]
    from sklearn.cluster import AgglomerativeClustering

    found = vectors()
    centred = found - found.mean(axis=0)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
    labels = AgglomerativeClustering(n_clusters=wanted, metric="cosine", linkage="average").fit_predict(centred)
    return [first.setdefault(group, int(label)) for group, label in zip(groups, labels, strict=True)]
