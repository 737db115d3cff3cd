"""Code that a model ran at its provider's, and what came of it, as blocks of Markdown.

Gemini's codeExecution and Responses' code interpreter send them beside the text.
"""

from __future__ import annotations

import re


def fenced(text: str, language: str) -> str:
    """A code block and a blank line; its fence is longer than any in the text.

    `language`: a provider's word, left out where it is no word.
    """
    longest = max((len(one) for one in re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    name = language.lower() if language.isalnum() else ""
    return f"{fence}{name}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{fence}\n\n"


def line_end_after(text: str) -> str:
    """What a block needs before it behind this text, so that it begins a line."""
    return "" if not text or text.endswith("\n") else "\n\n"
