"""Fenced code blocks of an answer, as they can be run: without the fence's own indentation."""

from __future__ import annotations

import re

from ..errors import IncompleteAnswer

# An opener's info string holds no back-ticks: "```ls``` lists files" is no fence.
OPENER = re.compile(r"([ \t]*)(`{3,}(?=[^`]*$)|~{3,})")


def code_blocks(text: str, every: bool) -> str:
    """The first fenced block's content, or every one's; a block that never closes counts.

    Raises:
        IncompleteAnswer: there is none.
    """
    blocks: list[list[str]] = []
    fence = indent = ""
    for line in text.replace("\r\n", "\n").split("\n"):
        if fence:
            bare = line.strip()
            if bare.startswith(fence) and not bare.strip(fence[0]):
                fence = ""
                continue
            blocks[-1].append(without(line, indent))
        elif opener := OPENER.match(line):
            indent, fence = opener[1], opener[2]
            blocks.append([])
    if not blocks:
        raise IncompleteAnswer(
            "the answer holds no code block", hint="ask for one, or leave out -x", retryable=False
        )
    chosen = blocks if every else blocks[:1]
    return "".join(f"{line}\n" for block in chosen for line in block)


def without(line: str, indent: str) -> str:
    """The line without as much of the fence's indentation as it has."""
    shared = 0
    while shared < len(indent) and line[shared : shared + 1] in (" ", "\t"):
        shared += 1
    return line[shared:]
