"""One text as an encoder reads it: a vector for each token, and where in the text the token stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

States = NDArray[np.float32]
Numbers = NDArray[np.int64]


class Mark(IntEnum):
    """What a token belongs to: the encoder's own signs (its special tokens and prefix), the context, the text."""

    SPECIAL = 0
    CONTEXT = 1
    CONTENT = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenStates:
    """The ``n`` tokens of one text, in order, with the states of the encoder's last layer.

    ``ids`` int64 ``[n]``; ``states`` float32 ``[n, dimension]``, not normalised; ``spans`` int64 ``[n, 2]``, the first
    character of the token and the one behind its last, without white space around it: in the text where ``marks`` says
    content, in the context where it says context, ``0, 0`` for special tokens; ``marks`` int8 ``[n]``, each a
    :class:`Mark`. The arrays are read-only, because a cache may hold them too.
    """

    ids: Numbers
    states: States
    spans: Numbers
    marks: NDArray[np.int8]

    @property
    def is_content(self) -> NDArray[np.bool_]:
        """``[n]``: which tokens are the text's own."""
        return self.marks == Mark.CONTENT

    @property
    def vector(self) -> States:
        """The sentence vector ``[dimension]`` of length 1: the mean over all tokens, special ones and context too.

        For a text without context that fits into one window it is what mean pooling of sentence-transformers gives
        (Reimers and Gurevych 2019, section 3).
        """
        mean = self.states.mean(axis=0, dtype=np.float32)
        return mean / max(float(np.linalg.norm(mean)), 1e-12)
