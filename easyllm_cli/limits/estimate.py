"""Estimates how many tokens a prompt has, rather too many than too few, without a tokenizer.

Runs of one kind of character are counted. Measured with the prompts of RouterArena and the real
counts of two models (809 prompts each): too low for 3 of Claude 3's and none of Gemini 2's, and 1.3
and 1.6 times too high in the median.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import ceil

from ..messages import Message

RUN = re.compile(r"[A-Za-z]+|[0-9]|\n+|[ \t]{2,}|[^\sA-Za-z0-9]")
LETTERS_PER_TOKEN = 4
TOKENS_BEYOND_ASCII = 1.5  # for one character
TOKENS_PER_MESSAGE = 8
TOKENS_PER_IMAGE = 1600  # the largest that Anthropic documents for one image
MARGIN = 1.1


def estimate_prompt_tokens(messages: Iterable[Message]) -> int:
    """An upper estimate of the tokens of the messages, images included."""
    tokens = 0.0
    for message in messages:
        tokens += TOKENS_PER_MESSAGE
        for part in message.parts:
            tokens += estimate_text_tokens(part) if isinstance(part, str) else TOKENS_PER_IMAGE
    return ceil(tokens * MARGIN)


def estimate_text_tokens(text: str) -> float:
    """An estimate for one text: letters by four, every digit, sign and run of blanks as one."""
    tokens = 0.0
    for run in RUN.findall(text):
        if not run.isascii():
            tokens += TOKENS_BEYOND_ASCII
        elif run.isalpha():
            tokens += ceil(len(run) / LETTERS_PER_TOKEN)
        else:
            tokens += 1
    return tokens
