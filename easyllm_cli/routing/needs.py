"""Needs: what a question asks of a candidate, read from its messages."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from ..limits.estimate import (
    MARGIN,
    TOKENS_PER_IMAGE,
    estimate_prompt_tokens,
    estimate_text_tokens,
)
from ..messages import Message

SMALL_CONTEXT_TOKENS = 4096  # what fits this is taken to fit every model
USUAL_ANSWER_TOKENS = 500  # of an answer whose length nobody limits
SAMPLED_CHARS = 20_000  # of a longer prompt only samples are counted, which takes less time
SAMPLE_CHARS = 1_000  # of each of four


class Needs:
    """What the messages ask of a candidate.

    `has_images`: whether any message has one. `prompt_tokens`: an upper estimate. `least_tokens`:
    what every tokenizer needs at least, as none joins two words. `is_large`: whether it matters how
    much a model takes. `prompt`: the text of the last
    message of the user, whose task is looked for.
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = [*messages]
        self.has_images = any(message.images for message in messages)
        self.prompt_tokens = _estimate_tokens(messages)
        self.is_large = self.prompt_tokens + USUAL_ANSWER_TOKENS > SMALL_CONTEXT_TOKENS
        self.least_tokens = sum(len(message.text.split()) for message in messages)
        users = [message.text for message in messages if message.role == "user"]
        self.prompt = users[-1] if users else ""


def _estimate_tokens(messages: Sequence[Message]) -> int:
    """An upper estimate of the tokens of the messages; of a long prompt by samples of its text."""
    text = "\n".join(message.text for message in messages)
    if len(text) <= SAMPLED_CHARS:
        return estimate_prompt_tokens(messages)
    step = (len(text) - SAMPLE_CHARS) // 3
    sample = "\n".join(text[start : start + SAMPLE_CHARS] for start in range(0, 3 * step + 1, step))
    images = sum(len(message.images) for message in messages)
    tokens = estimate_text_tokens(sample) / len(sample) * len(text) + images * TOKENS_PER_IMAGE
    return ceil(tokens * MARGIN)
