"""Detects a truncated prompt: the server counted fewer tokens than the text can have."""

from __future__ import annotations

import re

from ..errors import EasyLLMError, IncompleteAnswer
from ..messages import Message

CHUNK_CHARS = (
    65_536  # the prompt is counted in chunks, so that a long one is never held as a list of words
)
# Matches all but scripts without spaces (Chinese, Japanese, …). No tokenizer packs more than 4 of
# their characters into a token on average.
SPACED_SCRIPTS = "[^\u2e80-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]+"
MAX_CHARS_PER_TOKEN = 4
# No server's context is smaller: a lower count is invented, and says nothing about the prompt.
MIN_CONTEXT_TOKENS = 256


def is_token_count_too_low(tokens: int, messages: list[Message]) -> bool:
    """Whether `tokens` is too few for these messages; a word is at least one token."""
    if tokens < MIN_CONTEXT_TOKENS:
        return False
    remaining = tokens
    for text in (message.text for message in messages):
        for start in range(0, len(text), CHUNK_CHARS):
            remaining -= _min_tokens(text[start : start + CHUNK_CHARS])
            if remaining < 0:
                return True
    return False


def is_context_overflow(error: EasyLLMError, has_output_limit: bool) -> bool:
    """Whether an answer was cut for its length although the request set no limit."""
    partial = error.partial
    return isinstance(error, IncompleteAnswer) and partial is not None and (
        partial["finish_reason"] == "length" and not has_output_limit
    )  # fmt: skip


def _min_tokens(text: str) -> int:
    """Minimum tokens of a chunk; words at its ends may be cut in two and are not counted."""
    words = max(0, len(text.split()) - 2)
    if text.isascii():
        return words
    return max(words, len(re.sub(SPACED_SCRIPTS, "", text)) // MAX_CHARS_PER_TOKEN)
