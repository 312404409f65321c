"""Read texts token by token with any encoder: tokens, overlapping windows, batches, states put together again.

::

    text ──tokenizer──▶ layout ──▶ windows of at most max_tokens ──forward──▶ states ──▶ TokenStates

    no context    <s> query: text </s>
    with context  <s> query: context </s> text </s>

A text that does not fit is read in windows that share a quarter of their tokens; a token's state is taken from the
window in which it stands further inside. Later windows open with ``<s> query:`` only. ``forward`` is all that a
backend has to bring, so texts are cut and put together in the same way by torch and by ONNX Runtime.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from grading.errors import ModelBroken
from grading.token_states import Mark, Numbers, States, TokenStates

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MOST_TOKENS = 4096
"""Tokens of a text that are read: about 15 pages. What stands behind them is not seen."""
MOST_CONTEXT_TOKENS = 64
_LEAST_WINDOW = 32
_MOST_CHARACTERS = 16 * MOST_TOKENS
_CACHE_BYTES = 64 * 2**20

Forward = Callable[[Numbers, Numbers], States]
"""``(ids [batch, length], attention mask [batch, length])`` to states ``[batch, length, dimension]``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """Token ids with a span and a mark each."""

    ids: list[int]
    spans: list[tuple[int, int]]
    marks: list[Mark]

    @classmethod
    def special(cls, ids: Sequence[int]) -> _Piece:
        return cls(ids=list(ids), spans=[(0, 0)] * len(ids), marks=[Mark.SPECIAL] * len(ids))

    def __add__(self, other: _Piece) -> _Piece:
        return _Piece(ids=self.ids + other.ids, spans=self.spans + other.spans, marks=self.marks + other.marks)

    def __getitem__(self, part: slice) -> _Piece:
        return _Piece(ids=self.ids[part], spans=self.spans[part], marks=self.marks[part])

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """One call's share of a text: its ``ids`` from ``first`` on are the tokens from ``place`` on, ``count`` of them."""

    ids: list[int]
    first: int
    place: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """All tokens of a text as they come back, and the windows in which they are read."""

    tokens: _Piece
    windows: tuple[_Window, ...]


class TokenReader:
    """Turns texts into :class:`TokenStates` with a tokenizer and a backend. Not safe for several threads at once."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        forward: Forward,
        *,
        prefix: str,
        max_tokens: int,
        pad_id: int,
        dimension: int,
        batch_size: int,
    ) -> None:
        """``max_tokens`` is a window's size with its special tokens, ``batch_size`` how many go into one call.

        Raises :class:`ModelBroken` for windows too small to share a quarter beside prefix and context.
        """
        if max_tokens < _LEAST_WINDOW:
            raise ModelBroken(
                f"an encoder that reads {max_tokens} tokens is too short-sighted: {_LEAST_WINDOW} at least."
            )
        self._tokenizer = tokenizer
        self._forward = forward
        self._prefix = prefix
        self._max_tokens = max_tokens
        self._pad_id = pad_id
        self._dimension = dimension
        self._batch_size = batch_size
        self._head, self._tail = self._special_tokens()
        self._cache: OrderedDict[tuple[str, str | None], TokenStates] = OrderedDict()
        self._cached_bytes = 0

    def read(
        self, texts: Sequence[str], *, context: Sequence[str] | None = None, remember: bool = False
    ) -> list[TokenStates]:
        """One :class:`TokenStates` for each text, in order; ``ValueError`` unless there is one context for each text.

        ``remember`` keeps the states of these texts, up to 64 MB in all.
        """
        if context is not None and len(context) != len(texts):
            raise ValueError(f"{len(texts)} texts need as many contexts, not {len(context)}")
        keys = list(zip(texts, context or [None] * len(texts), strict=True))
        unknown = [key for key in dict.fromkeys(keys) if key not in self._cache]
        fresh = dict(zip(unknown, self._run([self._layout(*key) for key in unknown]), strict=True))
        found = [fresh[key] if key in fresh else self._cache[key] for key in keys]
        if remember:
            self._remember(dict(zip(keys, found, strict=True)))
        return found

    def _special_tokens(self) -> tuple[_Piece, _Piece]:
        """What the tokenizer puts before and behind a text."""
        self._plain()
        encoded = self._tokenizer.encode("a", add_special_tokens=True)
        inner = [place for place, is_special in enumerate(encoded.special_tokens_mask) if not is_special]
        ids = encoded.ids
        return _Piece.special(ids[: inner[0]]), _Piece.special(ids[inner[-1] + 1 :])

    def _plain(self) -> None:
        # sentence-transformers leaves its own cutting and padding switched on in the tokenizer that both share.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def _layout(self, text: str, context: str | None) -> _Layout:
        self._plain()
        if context is None:
            lead, body = self._tokens(self._prefix, text, Mark.CONTENT)
            opening = self._head + lead
        else:
            lead, before = self._tokens(self._prefix, context, Mark.CONTEXT)
            _, body = self._tokens("", text, Mark.CONTENT)
            most = min(MOST_CONTEXT_TOKENS, self._max_tokens // 4)
            opening = self._head + lead + before[:most] + self._tail
        return self._windows(opening, self._head + lead, body[:MOST_TOKENS])

    def _tokens(self, prefix: str, text: str, mark: Mark) -> tuple[_Piece, _Piece]:
        """The tokens of the prefix, and those of the text with spans in the text."""
        text = text[:_MOST_CHARACTERS]
        encoded = self._tokenizer.encode(prefix + text, add_special_tokens=False)
        ids, offsets = encoded.ids, encoded.offsets
        count = next((place for place, (_, end) in enumerate(offsets) if end > len(prefix)), len(ids))
        spans = [_without_space(text, max(0, start - len(prefix)), end - len(prefix)) for start, end in offsets[count:]]
        return _Piece.special(ids[:count]), _Piece(ids=ids[count:], spans=spans, marks=[mark] * len(spans))

    def _windows(self, opening: _Piece, later_opening: _Piece, body: _Piece) -> _Layout:
        tokens = opening + body + self._tail
        bounds = self._bounds(len(opening), len(later_opening), len(body))
        # Between two windows the cut goes through the middle of what they share.
        cuts = [(start + end) // 2 for (_, end), (start, _) in pairwise(bounds)]
        windows = []
        for number, (start, end) in enumerate(bounds):
            own = later_opening if number else opening
            first = len(own) + cuts[number - 1] - start if number else 0
            place = len(opening) + cuts[number - 1] if number else 0
            behind = len(opening) + cuts[number] if number < len(cuts) else len(tokens)
            ids = own.ids + body.ids[start:end] + self._tail.ids
            windows.append(_Window(ids=ids, first=first, place=place, count=behind - place))
        return _Layout(tokens=tokens, windows=tuple(windows))

    def _bounds(self, opening: int, later_opening: int, length: int) -> list[tuple[int, int]]:
        """First token and the one behind the last, in the body, of each window."""
        shared = self._max_tokens // 4
        room = self._max_tokens - len(self._tail)
        bounds = [(0, min(length, room - opening))]
        while bounds[-1][1] < length:
            start = max(0, bounds[-1][1] - shared)
            bounds.append((start, min(length, start + room - later_opening)))
        return bounds

    def _run(self, layouts: list[_Layout]) -> list[TokenStates]:
        states = [np.zeros((len(layout.tokens), self._dimension), np.float32) for layout in layouts]
        windows = [(own, window) for own, layout in zip(states, layouts, strict=True) for window in layout.windows]
        windows.sort(key=lambda pair: len(pair[1].ids))
        for begin in range(0, len(windows), self._batch_size):
            batch = windows[begin : begin + self._batch_size]
            read = self._forward(*_padded([window.ids for _, window in batch], self._pad_id))
            for (own, window), rows in zip(batch, read, strict=True):
                own[window.place : window.place + window.count] = rows[window.first : window.first + window.count]
        return [_token_states(layout.tokens, own) for layout, own in zip(layouts, states, strict=True)]

    def _remember(self, read: dict[tuple[str, str | None], TokenStates]) -> None:
        for key, states in read.items():
            if key not in self._cache:
                self._cache[key] = states
                self._cached_bytes += states.states.nbytes
            self._cache.move_to_end(key)
        while self._cached_bytes > _CACHE_BYTES:
            _, oldest = self._cache.popitem(last=False)
            self._cached_bytes -= oldest.states.nbytes


def _without_space(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends: some tokenizers count the space before a word as the word's."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _padded(rows: list[list[int]], pad_id: int) -> tuple[Numbers, Numbers]:
    longest = max(len(row) for row in rows)
    ids = np.full((len(rows), longest), pad_id, np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return ids, mask


def _token_states(tokens: _Piece, states: States) -> TokenStates:
    arrays = {
        "ids": np.array(tokens.ids, np.int64),
        "states": states,
        "spans": np.array(tokens.spans, np.int64).reshape(-1, 2),
        "marks": np.array(tokens.marks, np.int8),
    }
    for array in arrays.values():
        array.setflags(write=False)
    return TokenStates(**arrays)
