"""Fenced code blocks of an answer, as they can be run: without the fence's own indentation.

What a reader takes for a block is one: besides Markdown's own fences one that stands behind words
on its line, and one whose closing fence stands behind the last line's code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import IncompleteAnswer

# Quotes and list items may stand before a fence. An opener's info string holds no back-ticks:
# "```ls``` lists files" is no fence.
OPENING_FENCE = re.compile(
    r"(?P<before>[ \t]*(?:(?:>|[-*+][ \t]|\d{1,9}[.)][ \t])[ \t]*)*)"
    r"(?P<fence>`{3,}(?=[^`]*$)|~{3,})(?P<info>.*)"
)
BACKTICK_RUN = re.compile(r"`+")
# Behind words only what cannot be a sentence that goes on: "```sh", "```c++ title=x".
INLINE_INFO_STRING = re.compile(r"(?:\S+(?:\s+(?:\S+=|\{).*)?)?\s*")
QUOTE_PREFIX = re.compile(r"[ \t]*> ?")


@dataclass(frozen=True)
class Fence:
    """An opening fence: its mark, its info string, and what stands before each line of its code."""

    mark: str
    info: str
    quote_depth: int = 0
    indent: int = 0
    after_text: bool = False

    def is_closed_by(self, line: str) -> bool:
        """Whether the line, without quotes, is the closing fence."""
        bare = line.strip()
        return bare.startswith(self.mark) and not bare.strip(self.mark[0])

    def is_closed_after_code(self, line: str) -> bool:
        """Whether the line is code with the closing fence behind it."""
        code = line.rstrip().removesuffix(self.mark)
        return code != line.rstrip() and code.strip() != "" and self.mark[0] not in code


def extract_code_blocks(text: str, all_blocks: bool) -> str:
    """The first fenced block's content, or every one's; a block that never closes counts.

    A block with nothing but white space is none.

    Raises:
        IncompleteAnswer: there is none.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    chosen: list[list[str]] = []
    unclosed: set[tuple[str, int]] = set()
    at = 0
    while at < len(lines) and (all_blocks or not chosen):
        fence = parse_opening_fence(lines[at])
        block, behind = read_block(fence, lines, at + 1, unclosed) if fence else (None, at + 1)
        if block and any(line.strip() for line in block):
            chosen.append(block)
        at = behind
    if not chosen:
        raise IncompleteAnswer(
            "the answer holds no code block", hint="ask for one, or leave out -x", retryable=False
        )
    return "".join(f"{line}\n" for block in chosen for line in block)


def parse_opening_fence(line: str) -> Fence | None:
    """The fence that the line opens, at its beginning or behind words."""
    if match := OPENING_FENCE.match(line):
        before = match["before"]
        quotes = before.count(">")
        indent = len(before.rpartition(">")[2].removeprefix(" " if quotes else ""))
        return Fence(match["fence"], match["info"].strip(), quotes, indent)
    return parse_trailing_fence(line) if "```" in line else None


def parse_trailing_fence(line: str) -> Fence | None:
    """The fence that the line ends with: a run of back-ticks that closes no code in the line."""
    runs = list(BACKTICK_RUN.finditer(line))
    info = line[runs[-1].end() :]
    if len(runs[-1][0]) < 3 or not INLINE_INFO_STRING.fullmatch(info):
        return None
    twins: dict[int, int] = {}  # by size: the next run
    behind = [0] * len(runs)  # where the line goes on behind the code that each run opens
    for number in reversed(range(len(runs))):
        size = len(runs[number][0])
        behind[number] = twins.get(size, number) + 1
        twins[size] = number
    at = last = 0
    while at < len(runs):
        last, at = at, behind[at]
    alone = last == len(runs) - 1
    return Fence(runs[-1][0], info, after_text=True) if alone else None


def read_block(
    fence: Fence, lines: list[str], start: int, unclosed: set[tuple[str, int]]
) -> tuple[list[str] | None, int]:
    """The fence's lines, and where to look for the next one; None: it was a part of a sentence.

    `unclosed`: marks, by the quotes around them, that no line closes from here on.
    """
    made: list[str] = []
    glued = 0  # lines up to the first that has the closing fence behind its code
    for number in range(start, len(lines)):
        line = lines[number]
        for _ in range(fence.quote_depth):
            unquoted = QUOTE_PREFIX.sub("", line, count=1) if QUOTE_PREFIX.match(line) else None
            if unquoted is None:
                return made, number  # the quote is over, and so is the block
            line = unquoted
        if fence.is_closed_by(line):
            return made, number + 1
        another = OPENING_FENCE.match(line)
        if another and another["fence"][0] == fence.mark[0] and another["info"].strip():
            if glued:
                break
            if fence.after_text:
                return None, start
        made.append(remove_indent(line, fence.indent))
        if not glued and fence.is_closed_after_code(line):
            glued = len(made)
        if (fence.after_text and fence.mark in line) or (
            glued and (fence.mark, fence.quote_depth) in unclosed
        ):
            break
    else:
        unclosed.add((fence.mark, fence.quote_depth))
    if glued:
        last = made[glued - 1].rstrip().removesuffix(fence.mark)
        return [*made[: glued - 1], last], start + glued
    if fence.after_text and (fence.mark in (made or [""])[-1] or not fence.info.strip()):
        return None, start
    return made, len(lines)


def remove_indent(line: str, indent: int) -> str:
    """The line without as much of the fence's indentation as it has."""
    shared = 0
    while shared < indent and line[shared : shared + 1] in (" ", "\t"):
        shared += 1
    return line[shared:]
