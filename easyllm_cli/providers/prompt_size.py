"""Whether a server can have read the whole prompt: a count of tokens too small to hold it."""

from __future__ import annotations

import re

from ..errors import EasyLLMError, IncompleteAnswer
from ..messages import Message

CHUNK_CHARS = (
    65_536  # characters looked at at a time: a long prompt is never held as a list of words
)
# Scripts without spaces. No tokenizer makes one token of five of their characters, on average.
SPACED_SCRIPTS = "[^\u2e80-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]+"
MAX_CHARS_PER_TOKEN = 4
# Tokens. No server's context is smaller: a lower count is a made-up one, and cut nothing.
MIN_CONTEXT_TOKENS = 256


def is_token_count_too_low(tokens: int, messages: list[Message]) -> bool:
    """Whether so few tokens cannot be this prompt: no token spans two words."""
    if tokens < MIN_CONTEXT_TOKENS:
        return False
    left = tokens
    for text in (one.text for one in messages):
        for start in range(0, len(text), CHUNK_CHARS):
            left -= _min_tokens(text[start : start + CHUNK_CHARS])
            if left < 0:
                return True
    return False


def is_context_overflow(error: EasyLLMError, has_output_limit: bool) -> bool:
    """Whether an answer ended for its length, and no limit of the user's was the reason."""
    came = error.partial
    return isinstance(error, IncompleteAnswer) and came is not None and (
        came["finish_reason"] == "length" and not has_output_limit
    )  # fmt: skip


def _min_tokens(text: str) -> int:
    """Tokens that a piece of text has at least; what is cut in two at its ends is not counted."""
    words = max(0, len(text.split()) - 2)
    if text.isascii():
        return words
    return max(words, len(re.sub(SPACED_SCRIPTS, "", text)) // MAX_CHARS_PER_TOKEN)
