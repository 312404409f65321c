"""Let a causal language model answer several chats at once, greedily and with the same result each time.

Imports torch: only what loads a model imports this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from grading.explanation.batching import BATCH_SIZE, MAX_NEW_TOKENS, MAX_PROMPT_TOKENS, batches, first_line

Chat = list[dict[str, str]]
# transformers types its models and tokenizers as Any.
Model = Any
Tokenizer = Any


def replies_to(
    model: Model,
    tokenizer: Tokenizer,
    chats: Sequence[Chat],
    *,
    batch_size: int = BATCH_SIZE,
    max_new_tokens: int = MAX_NEW_TOKENS,
) -> list[str]:
    """One line of text for each chat, in order; an empty string where the model had nothing to say.

    Chats of similar length are decoded together, so that little is spent on padding.
    """
    prompts = [chat_tokens(tokenizer, chat)[-MAX_PROMPT_TOKENS:] for chat in chats]
    replies = [""] * len(prompts)
    for rows in batches(prompts, batch_size):
        texts = _decoded(model, tokenizer, [prompts[row] for row in rows], max_new_tokens)
        for row, text in zip(rows, texts, strict=True):
            replies[row] = text
    return replies


def serving_dtype() -> torch.dtype:
    """bfloat16 where the processor multiplies it in hardware (about four times faster), else float32."""
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32


def chat_tokens(tokenizer: Tokenizer, chat: Chat) -> list[int]:
    """The token ids of a chat up to where the reply begins."""
    text = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def end_tokens(tokenizer: Tokenizer) -> list[int]:
    """The tokens that end a reply: the end of a turn and, where it is one token, the end of a line."""
    line = tokenizer("\n", add_special_tokens=False)["input_ids"]
    return [tokenizer.eos_token_id, *(line if len(line) == 1 else [])]


def _decoded(model: Model, tokenizer: Tokenizer, prompts: list[list[int]], max_new_tokens: int) -> list[str]:
    width = max(len(prompt) for prompt in prompts)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    tokens = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=model.device)
    with torch.inference_mode():
        output = model.generate(
            input_ids=tokens,
            attention_mask=mask,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            max_new_tokens=max_new_tokens,
            eos_token_id=end_tokens(tokenizer),
            pad_token_id=pad,
        )
    texts = tokenizer.batch_decode(output[:, width:], skip_special_tokens=True)
    return [first_line(text) for text in texts]
