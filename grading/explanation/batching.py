"""How chats are decoded together, whichever runtime decodes them. Imports no runtime."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized

#: Chats decoded at once: 12 fit a class's burst and keep the key-value cache of a small model under 200 MB.
BATCH_SIZE = 12
MAX_NEW_TOKENS = 90
MAX_PROMPT_TOKENS = 700


def batches(prompts: Sequence[Sized], size: int = BATCH_SIZE) -> Iterator[list[int]]:
    """Places of prompts of similar length, so that little is spent on padding."""
    by_length = sorted(range(len(prompts)), key=lambda row: len(prompts[row]))
    for start in range(0, len(by_length), size):
        yield by_length[start : start + size]


def first_line(reply: str) -> str:
    """What a model said before it went on to another matter."""
    return reply.strip().split("\n")[0].strip()
