"""Whether a server can have read the whole prompt: a count of tokens too small to hold it."""

from __future__ import annotations

import re

from ..errors import EasyLLMError, IncompleteAnswer
from ..messages import Message

PIECE = 65_536  # characters looked at at a time: a long prompt is never held as a list of words
# Scripts without spaces. No tokenizer makes one token of five of their characters, on average.
WITHOUT_SPACES = "[^\u2e80-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]+"
CHARACTERS_A_TOKEN = 4
# Tokens. No server's context is smaller: a lower count is a made-up one, and cut nothing.
SMALLEST_CONTEXT = 256


def cannot_hold(tokens: int, messages: list[Message]) -> bool:
    """Whether so few tokens cannot be this prompt: no token spans two words."""
    if tokens < SMALLEST_CONTEXT:
        return False
    left = tokens
    for text in (one.text for one in messages):
        for start in range(0, len(text), PIECE):
            left -= _fewest(text[start : start + PIECE])
            if left < 0:
                return True
    return False


def is_cut_by_the_context(error: EasyLLMError, limited: bool) -> bool:
    """Whether an answer ended for its length, and no limit of the user's was the reason."""
    came = error.partial
    return isinstance(error, IncompleteAnswer) and came is not None and (
        came["finish_reason"] == "length" and not limited
    )  # fmt: skip


def _fewest(text: str) -> int:
    """Tokens that a piece of text has at least; what is cut in two at its ends is not counted."""
    words = max(0, len(text.split()) - 2)
    if text.isascii():
        return words
    return max(words, len(re.sub(WITHOUT_SPACES, "", text)) // CHARACTERS_A_TOKEN)
