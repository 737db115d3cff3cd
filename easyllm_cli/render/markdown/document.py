"""A growing Markdown document: what is finished for good is given once, the open tail each time.

Only the part that is not finished is parsed. A block is finished when a later one begins on a
complete line: an unfinished line decides nothing, since "- " may become "---". Of a list all
items but the last are finished, of an open fence all lines but the last (code_fence.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from ..spans import Row, max_row_bytes
from .code_fence import OpenCodeBlock, OpeningFence
from .layout import has_blank_between, lay_out_block, rows_from_source
from .parser import Block, ParsedMarkdown, References, parse_blocks, split_siblings

FULL_PARSE_CHARS = 4000  # characters of the window, below which all of it is parsed
PARAGRAPH_TAIL_CHARS = 3000  # of a paragraph's last line that are drawn
TABLE_TAIL_ROWS = 50  # of a table that are drawn, with its header


@dataclass(frozen=True)
class TailWindow:
    """The kind of the only block in the window, and the complete lines it then had."""

    kind: str
    complete_lines: int

    @classmethod
    def of(cls, kind: str, window: str) -> TailWindow | None:
        """None for a window that is short, or a block whose end says nothing."""
        if len(window) < FULL_PARSE_CHARS or kind not in ("paragraph_open", "table_open"):
            return None
        return cls(kind, window.count("\n"))

    def cut_tail(self, text: str) -> str:
        """The end of the text that is to be parsed; "" = all of it."""
        return self._cut_paragraph(text) if self.kind == "paragraph_open" else _cut_table(text)

    def _cut_paragraph(self, text: str) -> str:
        if text.count("\n") != self.complete_lines:
            return ""  # a line is complete: the structure may have changed
        start = max(text.rfind("\n") + 1, len(text) - PARAGRAPH_TAIL_CHARS)
        tail = text[start:]
        return tail[tail.find(" ") + 1 :] if len(tail) >= PARAGRAPH_TAIL_CHARS else ""

    def is_still_open(self, blocks: Sequence[Block], tail: str) -> bool:
        """Whether the end that was parsed is one open block of this kind, as before."""
        if len(blocks) != 1 or blocks[0].kind != self.kind:
            return False
        return self.kind == "paragraph_open" or blocks[0].stop_line >= tail.count("\n")


def _cut_table(text: str) -> str:
    lines = text.lstrip("\n").split("\n")
    return (
        "\n".join(lines[:2] + lines[-TABLE_TAIL_ROWS:]) if len(lines) > TABLE_TAIL_ROWS + 14 else ""
    )


# A complete line that is no part of such a block ends it. (Others go on after a blank line.)
KINDS_ENDED_BY_NEXT_LINE = (
    "paragraph_open",
    "definition",
    "table_open",
    "blockquote_open",
    "fence",
)
KINDS_ENDED_BY_OWN_LINE = ("heading_open", "hr")
LIST_KINDS = ("bullet_list_open", "ordered_list_open")
ALL_LINES = 1 << 60  # lines
# Bytes that a character of the text may take on the terminal, and how many more at the beginning:
# a text of nothing but rules, of nested quotes or of links to one long address would take many.
BYTES_PER_CHARACTER, EXTRA_BYTES = 7, 1024


@dataclass(frozen=True)
class ResumedList:
    """A list whose first items are done: its kind and the number of its next item."""

    kind: str
    next_number: int


class Document:
    """`width` in cells; it may change between two steps."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.parsed_characters = 0
        self._open_text = ""
        self._references: References = {}
        self._last_kind = ""  # the kind of the last block that has been given
        self._resumed_list: ResumedList | None = None
        self._code_block: OpenCodeBlock | None = None
        self._tail_window: TailWindow | None = None
        self._spare_bytes = EXTRA_BYTES  # bytes that may still be written

    def feed(self, text: str) -> None:
        """Harmless text (sanitize.py) behind what came before."""
        self._open_text += text

    def take_rows(self) -> tuple[list[Row], list[Row]]:
        """Rows that are done since the last step, and the rows of what is open."""
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
        """The rows of all that is left: the text is over."""
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
        parsed = parse_blocks(text, self._references)
        first = parsed.blocks[0] if parsed.blocks else None
        if self._resumed_list and first and first.kind == self._resumed_list.kind:
            first.tokens[0].attrs["start"] = self._resumed_list.next_number
        elif first:
            self._resumed_list = None
        return parsed

    def _take_finished(self, parsed: ParsedMarkdown, done: list[Row]) -> bool:
        """Take what is finished off the window; whether there was anything."""
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
        """Take all items of an open list but the last."""
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
        """The rows of some blocks, blank ones between them; a list that goes on needs none.

        `lines`: those of the window, where the rows are written for good. Gives the kind of the
        last one that has rows, too.
        """
        rows: list[Row] = []
        previous_kind = self._last_kind
        for number, block in enumerate(blocks):
            block_rows = lay_out_block(block.tokens, self.width)
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
        """The rows of a block, or what would take too many bytes as it is written."""
        allowance = BYTES_PER_CHARACTER * sum(len(line) + 1 for line in source)
        if sum(map(max_row_bytes, rows)) + 1 > self._spare_bytes + allowance:
            rows = rows_from_source(source)
        self._spare_bytes += allowance - sum(map(max_row_bytes, rows)) - 1
        return rows

    def _lay_out_tail(self, tail: str) -> list[Row] | None:
        """The end of one long open block; None when it is no longer that."""
        assert self._tail_window is not None
        blocks = self._parse(tail).blocks
        return (
            self._lay_out_blocks(blocks)[0]
            if self._tail_window.is_still_open(blocks, tail)
            else None
        )

    def _drop_lines(self, count: int, parsed: ParsedMarkdown) -> None:
        """The first lines are done: their definitions hold for what follows."""
        offset = 0
        for _ in range(min(count, self._open_text.count("\n"))):
            offset = self._open_text.find("\n", offset) + 1
        self._open_text = self._open_text[offset:] if count < ALL_LINES else ""
        self._tail_window = None
        for label, reference in parsed.references.items():
            if reference["map"][0] < count:
                self._references[label] = {"href": reference["href"], "title": reference["title"]}

    def _begin_code_block(self, block: Block, parsed: ParsedMarkdown, done: list[Row]) -> bool:
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
        """Give the open fence its complete lines; whether it was closed by one of them."""
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
    """How many of the first blocks can no longer change; `complete`: lines that are whole."""
    count = 0
    for block, following in zip_longest(blocks, blocks[1:]):
        ended = block.stop_line < complete_lines + (block.kind in KINDS_ENDED_BY_OWN_LINE)
        ends_itself = ended and block.kind in (*KINDS_ENDED_BY_NEXT_LINE, *KINDS_ENDED_BY_OWN_LINE)
        if not ends_itself and not (following and following.start_line < complete_lines):
            break
        count += 1
    # What follows a definition may turn out to be its title, over several lines.
    while 0 < count < len(blocks) and _can_continue(blocks[count - 1], blocks[count]):
        count -= 1
    return count


def _can_continue(block: Block, following: Block) -> bool:
    adjacent = block.stop_line == following.start_line
    return block.kind == "definition" and following.kind == "paragraph_open" and adjacent
