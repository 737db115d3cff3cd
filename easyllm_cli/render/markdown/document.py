"""Lays out a growing Markdown document: finished rows once, the open tail on every call.

Only the open text, which is not finished, is parsed. A block is finished when a later one begins
on a complete line; an unfinished line is ambiguous, since "- " may become "---". In an open list
all items but the last are finished, in an open fence all but the last lines (code_fence.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from ..spans import Row, max_row_bytes
from .code_fence import OpenCodeBlock, OpeningFence
from .layout import Widths, has_blank_between, lay_out_block, rows_from_source
from .math import MATH_BLOCK, OPEN_MATH_BLOCK
from .parser import Block, ParsedMarkdown, References, parse_blocks, split_siblings

FULL_PARSE_CHARS = 4000  # open text that is shorter is always parsed completely
PARAGRAPH_TAIL_CHARS = 3000  # characters of a long paragraph's last line that are drawn
WORD_START = re.compile(r"(?<= )[^\W\d_]")
# First lines, the header among them, and last lines of a long table that are drawn.
TABLE_HEAD_LINES, TABLE_TAIL_LINES = 42, 30


@dataclass(frozen=True)
class TailWindow:
    """Limits parsing and drawing to the end of one long open paragraph or table.

    `complete_lines`: how many complete lines the open text had when the window was made.
    """

    kind: str
    complete_lines: int

    @classmethod
    def of(cls, kind: str, window: str) -> TailWindow | None:
        """Return a tail window; None for short text, and for other kinds of blocks."""
        if len(window) < FULL_PARSE_CHARS or kind not in ("paragraph_open", "table_open"):
            return None
        return cls(kind, window.count("\n"))

    def cut_tail(self, text: str) -> str:
        """Return the end of the text to parse; "" means all of it."""
        return self._cut_paragraph(text) if self.kind == "paragraph_open" else _cut_table(text)

    def _cut_paragraph(self, text: str) -> str:
        if text.count("\n") != self.complete_lines:
            return ""  # a new line is complete, so the structure may have changed
        start = max(text.rfind("\n") + 1, len(text) - PARAGRAPH_TAIL_CHARS)
        tail = text[start:]
        if len(tail) < PARAGRAPH_TAIL_CHARS:
            return ""
        word = WORD_START.search(tail)  # a mark would begin a list or a formula here
        return tail[word.start() if word else tail.find(" ") + 1 :]

    def is_still_open(self, blocks: Sequence[Block], tail: str) -> bool:
        """Whether the parsed tail is still one open block of this kind."""
        if len(blocks) != 1 or blocks[0].kind != self.kind:
            return False
        return self.kind == "paragraph_open" or blocks[0].stop_line >= tail.count("\n")


def _cut_table(text: str) -> str:
    """Return the first and the last lines of a long table; "" for a short one."""
    lines = text.lstrip("\n").split("\n")
    if len(lines) <= TABLE_HEAD_LINES + TABLE_TAIL_LINES:
        return ""
    return "\n".join(lines[:TABLE_HEAD_LINES] + lines[-TABLE_TAIL_LINES:])


# A complete line outside such a block ends it. (Other blocks may continue after a blank line.)
KINDS_ENDED_BY_NEXT_LINE = (
    "paragraph_open",
    "definition",
    "table_open",
    "blockquote_open",
    "fence",
)
KINDS_ENDED_BY_OWN_LINE = ("heading_open", "hr", MATH_BLOCK)
LIST_KINDS = ("bullet_list_open", "ordered_list_open")
ALL_LINES = 1 << 60  # lines
# Limit of the bytes written to the terminal: per character of the text, and in addition. Text of
# rules, nested quotes or links to one long URL only would otherwise take many times its size.
BYTES_PER_CHARACTER, EXTRA_BYTES = 7, 1024


@dataclass(frozen=True)
class ResumedList:
    """A list whose first items are finished: its kind and the number of its next item."""

    kind: str
    next_number: int


class Document:
    """A growing document; `width`, in cells, may change between two calls."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.parsed_characters = 0
        self._open_text = ""
        self._ended = False
        self._references: References = {}
        self._last_kind = ""  # kind of the last finished block
        self._resumed_list: ResumedList | None = None
        self._code_block: OpenCodeBlock | None = None
        self._tail_window: TailWindow | None = None
        self._spare_bytes = EXTRA_BYTES  # bytes left of the output limit

    def feed(self, text: str) -> None:
        """Append sanitized text."""
        self._open_text += text

    def take_rows(self) -> tuple[list[Row], list[Row]]:
        """Return the rows finished since the last call, and the rows of the open tail."""
        done: list[Row] = []
        while True:
            if self._code_block is not None and not self._feed_code_block(done):
                return done, self._code_block.tail_rows(self._open_text)
            if not self._open_text.strip("\n"):
                self._open_text = ""
                return done, []
            if self._tail_window and (tail_source := self._tail_window.cut_tail(self._open_text)):
                tail_rows = self._lay_out_tail(tail_source)
                if tail_rows is not None:
                    return done, tail_rows
            parsed = self._parse(self._open_text)
            if not self._take_finished(parsed, done):
                return done, self._lay_out_blocks(parsed.blocks)[0]

    def end(self) -> list[Row]:
        """End the text and return the rows of all that is left."""
        self._ended = True
        if self._open_text and not self._open_text.endswith("\n"):
            self._open_text += "\n"
        done: list[Row] = []
        while self._code_block is not None or self._open_text.strip("\n"):
            if self._code_block is not None:
                if not self._feed_code_block(done):
                    done += self._code_block.close()
                    self._code_block = None
                    break
                continue
            parsed = self._parse(self._open_text)
            if not self._take_finished(parsed, done):
                self._emit_blocks(parsed.blocks, done)
                self._drop_lines(ALL_LINES, parsed)
        return done

    def _parse(self, text: str) -> ParsedMarkdown:
        self.parsed_characters += len(text)
        parsed = parse_blocks(text, self._references, more_follows=not self._ended)
        first = parsed.blocks[0] if parsed.blocks else None
        if self._resumed_list and first and first.kind == self._resumed_list.kind:
            first.tokens[0].attrs["start"] = self._resumed_list.next_number
        elif first:
            self._resumed_list = None
        return parsed

    def _take_finished(self, parsed: ParsedMarkdown, done: list[Row]) -> bool:
        """Move finished blocks from the open text to `done`; return whether there were any."""
        blocks = parsed.blocks
        complete_lines = self._open_text.count("\n")
        if not blocks:
            return False
        count = count_finished(blocks, complete_lines)
        if count:
            self._emit_blocks(blocks[:count], done)
            stop_line = blocks[count].start_line if count < len(blocks) else blocks[-1].stop_line
            self._drop_lines(stop_line, parsed)
            return True
        first = blocks[0]
        if first.kind == "fence":
            return first.start_line < complete_lines and self._begin_code_block(first, parsed, done)
        if first.kind in LIST_KINDS:
            return self._take_list_items(first, parsed, complete_lines, done)
        is_only_block = len(blocks) == 1
        self._tail_window = TailWindow.of(first.kind, self._open_text) if is_only_block else None
        return False

    def _take_list_items(
        self, block: Block, parsed: ParsedMarkdown, complete_lines: int, done: list[Row]
    ) -> bool:
        """Move all items of an open list but the last to `done`; return whether there were any."""
        items = list(split_siblings(block.tokens[1:-1]))
        last_start = (items[-1][0].map or (0, 0))[0]
        if len(items) < 2 or last_start >= complete_lines:
            return False
        finished_tokens = [token for item in items[:-1] for token in item]
        finished_items = Block(
            [block.tokens[0], *finished_tokens, block.tokens[-1]], block.start_line, last_start
        )
        next_number = int(block.tokens[0].attrs.get("start", 1)) + len(items) - 1
        self._emit_blocks([finished_items], done)
        self._drop_lines(last_start, parsed)
        self._resumed_list = ResumedList(block.kind, next_number)
        return True

    def _emit_blocks(self, blocks: Sequence[Block], done: list[Row]) -> None:
        rows, self._last_kind = self._lay_out_blocks(blocks, self._open_text.split("\n"))
        done += rows
        self._resumed_list = None

    def _lay_out_blocks(
        self, blocks: Sequence[Block], lines: Sequence[str] = ()
    ) -> tuple[list[Row], str]:
        """Return the rows of blocks, and the kind of the last block that has rows.

        Blank rows separate the blocks, but not a continued list from its first items. `lines`:
        the lines of the open text when the rows are finished; then their bytes are limited.
        """
        rows: list[Row] = []
        previous_kind = self._last_kind
        for number, block in enumerate(blocks):
            block_rows = lay_out_block(block.tokens, Widths.of(self.width))
            if lines:
                block_rows = self._limit_bytes(
                    block_rows, lines[block.start_line : block.stop_line]
                )
            continues_list = self._resumed_list is not None and number == 0
            if block_rows and not continues_list and has_blank_between(previous_kind, block.kind):
                rows.append(())
            rows += block_rows
            previous_kind = block.kind if block_rows else previous_kind
        return rows, previous_kind

    def _limit_bytes(self, rows: list[Row], source: Sequence[str]) -> list[Row]:
        """Return the rows of a block, or its Markdown source if they exceed the byte limit."""
        allowance = BYTES_PER_CHARACTER * sum(len(line) + 1 for line in source)
        if sum(map(max_row_bytes, rows)) + 1 > self._spare_bytes + allowance:
            rows = rows_from_source(source)
        self._spare_bytes += allowance - sum(map(max_row_bytes, rows)) - 1
        return rows

    def _lay_out_tail(self, tail: str) -> list[Row] | None:
        """Lay out the tail of a long open block; None when it is no longer one open block."""
        assert self._tail_window is not None
        blocks = self._parse(tail).blocks
        return (
            self._lay_out_blocks(blocks)[0]
            if self._tail_window.is_still_open(blocks, tail)
            else None
        )

    def _drop_lines(self, count: int, parsed: ParsedMarkdown) -> None:
        """Remove the first lines from the open text; keep their reference definitions."""
        offset = 0
        for _ in range(min(count, self._open_text.count("\n"))):
            offset = self._open_text.find("\n", offset) + 1
        self._open_text = self._open_text[offset:] if count < ALL_LINES else ""
        self._tail_window = None
        for label, reference in parsed.references.items():
            if reference["map"][0] < count:
                self._references[label] = {"href": reference["href"], "title": reference["title"]}

    def _begin_code_block(self, block: Block, parsed: ParsedMarkdown, done: list[Row]) -> bool:
        """Begin a fenced code block; False when its opening fence is not recognized."""
        line = self._open_text.split("\n", block.start_line + 1)[block.start_line]
        opener = OpeningFence.of(line, block.tokens[0].info)
        if opener is None:
            return False
        if has_blank_between(self._last_kind, block.kind):
            done.append(())
        self._code_block = OpenCodeBlock(opener)
        done.append(self._code_block.first_row)
        self._last_kind = block.kind
        self._resumed_list = None
        self._drop_lines(block.start_line + 1, parsed)
        return True

    def _feed_code_block(self, done: list[Row]) -> bool:
        """Pass complete lines to the code block; return whether one of them closed it."""
        assert self._code_block is not None
        *lines, self._open_text = self._open_text.split("\n")
        for number, line in enumerate(lines):
            if self._code_block.opener.is_closed_by(line):
                done += self._code_block.close()
                self._code_block = None
                self._open_text = "\n".join([*lines[number + 1 :], self._open_text])
                return True
            done += self._code_block.add_line(line)
        return False


def count_finished(blocks: Sequence[Block], complete_lines: int) -> int:
    """Count the first blocks that can no longer change, given the number of complete lines."""
    count = 0
    for block, following in zip_longest(blocks, blocks[1:]):
        ended = block.stop_line < complete_lines + (block.kind in KINDS_ENDED_BY_OWN_LINE)
        ends_itself = ended and block.kind in (*KINDS_ENDED_BY_NEXT_LINE, *KINDS_ENDED_BY_OWN_LINE)
        if not ends_itself and not (following and following.start_line < complete_lines):
            break
        count += 1
    while 0 < count < len(blocks) and _can_continue(
        blocks[count - 1], blocks[count], complete_lines
    ):
        count -= 1
    return count


def _can_continue(block: Block, following: Block, complete_lines: int) -> bool:
    """Whether the following block may turn out to be a part of this one.

    A paragraph after a definition may be its title, which can span lines. A formula that is never
    closed is text, which may go on a paragraph, a list or a table; so is a table whose second line
    is not complete.
    """
    if block.stop_line < following.start_line:
        return False
    if following.kind == "table_open":
        return following.start_line + 2 > complete_lines
    is_title = block.kind == "definition" and following.kind == "paragraph_open"
    return is_title or following.kind == OPEN_MATH_BLOCK
