"""Extracts fenced code blocks from an answer (-x), without the fence's indentation.

It accepts more than CommonMark, because models write it: an opening fence after text on the same
line, and a closing fence after the code of the last line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import NO_CODE_BLOCK, IncompleteAnswer

# Quote and list markers may precede a fence. An info string contains no back-ticks:
# "```ls``` lists files" is inline code.
OPENING_FENCE = re.compile(
    r"(?P<before>[ \t]*(?:(?:>|[-*+][ \t]|\d{1,9}[.)][ \t])[ \t]*)*)"
    r"(?P<fence>`{3,}(?=[^`]*$)|~{3,})(?P<info>.*)"
)
BACKTICK_RUN = re.compile(r"`+")
# An info string after text must not look like a sentence: "```sh", "```c++ title=x".
INLINE_INFO_STRING = re.compile(r"(?:\S+(?:\s+(?:\S+=|\{).*)?)?\s*")
QUOTE_PREFIX = re.compile(r"[ \t]*> ?")


@dataclass(frozen=True)
class Fence:
    """An opening fence.

    `quote_depth`: number of ">" before it. `indent`: characters of indentation. `after_text`:
    whether other text precedes it on its line.
    """

    mark: str
    info: str
    quote_depth: int = 0
    indent: int = 0
    after_text: bool = False

    def is_closed_by(self, line: str) -> bool:
        """Whether the line, without quote markers, is the closing fence."""
        bare = line.strip()
        return bare.startswith(self.mark) and not bare.strip(self.mark[0])

    def is_closed_after_code(self, line: str) -> bool:
        """Whether the line is code followed by the closing fence."""
        code = line.rstrip().removesuffix(self.mark)
        return code != line.rstrip() and code.strip() != "" and self.mark[0] not in code


def extract_code_blocks(text: str, all_blocks: bool) -> str:
    """Return the content of the first fenced block, or of all blocks, as `find_code_blocks`.

    Raises:
        IncompleteAnswer: the text contains no code block.
    """
    chosen = find_code_blocks(text, only_first=not all_blocks)
    if not chosen:
        raise IncompleteAnswer(
            "the answer contains no code block",
            hint="ask for one, or leave out -x",
            code=NO_CODE_BLOCK,
            retryable=False,
        )
    return "".join(chosen)


def find_code_blocks(text: str, *, only_first: bool = False) -> list[str]:
    """The contents of all fenced blocks in order, or of the first one; each ends in a newline.

    A block that is never closed counts; a block of only white space does not.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    chosen: list[str] = []
    unclosed: set[tuple[str, int]] = set()
    number = 0
    while number < len(lines) and not (only_first and chosen):
        fence = parse_opening_fence(lines[number])
        block, next_number = (
            read_block(fence, lines, number + 1, unclosed) if fence else (None, number + 1)
        )
        if block and any(line.strip() for line in block):
            chosen.append("".join(f"{line}\n" for line in block))
        number = next_number
    return chosen


def parse_opening_fence(line: str) -> Fence | None:
    """Return the fence that the line opens, at its beginning or after text."""
    if match := OPENING_FENCE.match(line):
        prefix = match["before"]
        quotes = prefix.count(">")
        indent = len(prefix.rpartition(">")[2].removeprefix(" " if quotes else ""))
        return Fence(match["fence"], match["info"].strip(), quotes, indent)
    return parse_trailing_fence(line) if "```" in line else None


def parse_trailing_fence(line: str) -> Fence | None:
    """Return the fence that the line ends with: back-ticks that close no inline code."""
    runs = list(BACKTICK_RUN.finditer(line))
    info = line[runs[-1].end() :]
    if len(runs[-1][0]) < 3 or not INLINE_INFO_STRING.fullmatch(info):
        return None
    next_of_size: dict[int, int] = {}  # size of a run -> index of the next run of that size
    next_run = [0] * len(runs)  # the run after the inline code that each run opens
    for number in reversed(range(len(runs))):
        size = len(runs[number][0])
        next_run[number] = next_of_size.get(size, number) + 1
        next_of_size[size] = number
    run = last_run = 0
    while run < len(runs):
        last_run, run = run, next_run[run]
    is_unpaired = last_run == len(runs) - 1
    return Fence(runs[-1][0], info, after_text=True) if is_unpaired else None


def read_block(
    fence: Fence, lines: list[str], start: int, unclosed: set[tuple[str, int]]
) -> tuple[list[str] | None, int]:
    """Return the lines of the fence's block, and the line at which to search for the next one.

    The lines are None when the fence turns out to be part of a sentence. `unclosed`: pairs of
    fence mark and quote depth that no later line closes; the function adds to them.
    """
    code: list[str] = []
    inline_close = 0  # number of lines up to the first that ends in a closing fence
    for number in range(start, len(lines)):
        line = lines[number]
        for _ in range(fence.quote_depth):
            unquoted = QUOTE_PREFIX.sub("", line, count=1) if QUOTE_PREFIX.match(line) else None
            if unquoted is None:
                return code, number  # the quote ends, and with it the block
            line = unquoted
        if fence.is_closed_by(line):
            return code, number + 1
        opening = OPENING_FENCE.match(line)
        if opening and opening["fence"][0] == fence.mark[0] and opening["info"].strip():
            if inline_close:
                break
            if fence.after_text:
                return None, start
        code.append(remove_indent(line, fence.indent))
        if not inline_close and fence.is_closed_after_code(line):
            inline_close = len(code)
        if (fence.after_text and fence.mark in line) or (
            inline_close and (fence.mark, fence.quote_depth) in unclosed
        ):
            break
    else:
        unclosed.add((fence.mark, fence.quote_depth))
    if inline_close:
        last_line = code[inline_close - 1].rstrip().removesuffix(fence.mark)
        return [*code[: inline_close - 1], last_line], start + inline_close
    if fence.after_text and (fence.mark in (code or [""])[-1] or not fence.info.strip()):
        return None, start
    return code, len(lines)


def remove_indent(line: str, indent: int) -> str:
    """Remove up to `indent` blanks and tabs from the line's beginning."""
    count = 0
    while count < indent and line[count : count + 1] in (" ", "\t"):
        count += 1
    return line[count:]
