"""A growing Markdown document: what is finished for good is given once, the open tail each time.

Only the part that is not finished is parsed. A block is finished when a later one begins on a
complete line: an unfinished line decides nothing, since "- " may become "---". Of a list all
items but the last are finished, of an open fence all lines but the last (code_fence.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from ..spans import Row, weight
from .code_fence import Opener, OpenFence
from .layout import apart, as_written, rows_of
from .parser import Block, Parsed, References, parse, siblings

LONG = 4000  # characters of the window, below which all of it is parsed
CHARACTERS = 3000  # of a paragraph's last line that are drawn
ROWS = 50  # of a table that are drawn, with its header


@dataclass(frozen=True)
class Bounded:
    """The kind of the only block in the window, and the complete lines it then had."""

    kind: str
    lines: int

    @classmethod
    def of(cls, kind: str, window: str) -> Bounded | None:
        """None for a window that is short, or a block whose end says nothing."""
        if len(window) < LONG or kind not in ("paragraph_open", "table_open"):
            return None
        return cls(kind, window.count("\n"))

    def window(self, text: str) -> str:
        """The end of the text that is to be parsed; "" = all of it."""
        return self._of_paragraph(text) if self.kind == "paragraph_open" else _of_table(text)

    def _of_paragraph(self, text: str) -> str:
        if text.count("\n") != self.lines:
            return ""  # a line is complete: the structure may have changed
        begins = max(text.rfind("\n") + 1, len(text) - CHARACTERS)
        end = text[begins:]
        return end[end.find(" ") + 1 :] if len(end) >= CHARACTERS else ""

    def still(self, blocks: Sequence[Block], look: str) -> bool:
        """Whether the end that was parsed is one open block of this kind, as before."""
        if len(blocks) != 1 or blocks[0].kind != self.kind:
            return False
        return self.kind == "paragraph_open" or blocks[0].ends >= look.count("\n")


def _of_table(text: str) -> str:
    lines = text.lstrip("\n").split("\n")
    return "\n".join(lines[:2] + lines[-ROWS:]) if len(lines) > ROWS + 14 else ""


# A complete line that is no part of such a block ends it. (Others go on after a blank line.)
ENDS_BEFORE = ("paragraph_open", "definition", "table_open", "blockquote_open", "fence")
ENDS_WITH = ("heading_open", "hr")
LISTS = ("bullet_list_open", "ordered_list_open")
EVERYTHING = 1 << 60  # lines
# Bytes that a character of the text may take on the terminal, and how many more at the beginning:
# a text of nothing but rules, of nested quotes or of links to one long address would take many.
BYTES, BYTES_MORE = 7, 1024


@dataclass(frozen=True)
class Resumed:
    """A list whose first items are done: its kind and the number of its next item."""

    kind: str
    number: int


class Document:
    """`width` in cells; it may change between two steps."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.parsed_characters = 0
        self._window = ""
        self._known: References = {}
        self._before = ""  # the kind of the last block that has been given
        self._list: Resumed | None = None
        self._fence: OpenFence | None = None
        self._bounded: Bounded | None = None
        self._spare = BYTES_MORE  # bytes that may still be written

    def feed(self, text: str) -> None:
        """Harmless text (sanitize.py) behind what came before."""
        self._window += text

    def step(self) -> tuple[list[Row], list[Row]]:
        """Rows that are done since the last step, and the rows of what is open."""
        done: list[Row] = []
        while True:
            if self._fence is not None and not self._code(done):
                return done, self._fence.tail(self._window)
            if not self._window.strip("\n"):
                self._window = ""
                return done, []
            if self._bounded and (look := self._bounded.window(self._window)):
                tail = self._bounded_tail(look)
                if tail is not None:
                    return done, tail
            parsed = self._parse(self._window)
            if not self._take(parsed, done):
                return done, self._rows(parsed.blocks)[0]

    def end(self) -> list[Row]:
        """The rows of all that is left: the text is over."""
        if self._window and not self._window.endswith("\n"):
            self._window += "\n"
        done: list[Row] = []
        while self._fence is not None or self._window.strip("\n"):
            if self._fence is not None:
                if not self._code(done):
                    done += self._fence.close()
                    self._fence = None
                    break
                continue
            parsed = self._parse(self._window)
            if not self._take(parsed, done):
                self._give(parsed.blocks, done)
                self._cut(EVERYTHING, parsed)
        return done

    def _parse(self, text: str) -> Parsed:
        self.parsed_characters += len(text)
        parsed = parse(text, self._known)
        first = parsed.blocks[0] if parsed.blocks else None
        if self._list and first and first.kind == self._list.kind:
            first.tokens[0].attrs["start"] = self._list.number
        elif first:
            self._list = None
        return parsed

    def _take(self, parsed: Parsed, done: list[Row]) -> bool:
        """Take what is finished off the window; whether there was anything."""
        blocks = parsed.blocks
        complete = self._window.count("\n")
        if not blocks:
            return False
        count = finished(blocks, complete)
        if count:
            self._give(blocks[:count], done)
            until = blocks[count].begins if count < len(blocks) else blocks[-1].ends
            self._cut(until, parsed)
            return True
        first = blocks[0]
        if first.kind == "fence":
            return first.begins < complete and self._open_fence(first, parsed, done)
        if first.kind in LISTS:
            return self._take_items(first, parsed, complete, done)
        whole = len(blocks) == 1
        self._bounded = Bounded.of(first.kind, self._window) if whole else None
        return False

    def _take_items(self, block: Block, parsed: Parsed, complete: int, done: list[Row]) -> bool:
        """Take all items of an open list but the last."""
        items = list(siblings(block.tokens[1:-1]))
        begins = (items[-1][0].map or (0, 0))[0]
        if len(items) < 2 or begins >= complete:
            return False
        before = [token for item in items[:-1] for token in item]
        part = Block([block.tokens[0], *before, block.tokens[-1]], block.begins, begins)
        number = int(block.tokens[0].attrs.get("start", 1)) + len(items) - 1
        self._give([part], done)
        self._cut(begins, parsed)
        self._list = Resumed(block.kind, number)
        return True

    def _give(self, blocks: Sequence[Block], done: list[Row]) -> None:
        rows, self._before = self._rows(blocks, self._window.split("\n"))
        done += rows
        self._list = None

    def _rows(self, blocks: Sequence[Block], lines: Sequence[str] = ()) -> tuple[list[Row], str]:
        """The rows of some blocks, blank ones between them; a list that goes on needs none.

        `lines`: those of the window, where the rows are written for good. Gives the kind of the
        last one that has rows, too.
        """
        made: list[Row] = []
        before = self._before
        for number, block in enumerate(blocks):
            rows = rows_of(block.tokens, self.width)
            if lines:
                rows = self._affordable(rows, lines[block.begins : block.ends])
            goes_on = self._list is not None and number == 0
            if rows and not goes_on and apart(before, block.kind):
                made.append(())
            made += rows
            before = block.kind if rows else before
        return made, before

    def _affordable(self, rows: list[Row], source: Sequence[str]) -> list[Row]:
        """The rows of a block, or what would take too many bytes as it is written."""
        more = BYTES * sum(len(line) + 1 for line in source)
        if sum(map(weight, rows)) + 1 > self._spare + more:
            rows = as_written(source)
        self._spare += more - sum(map(weight, rows)) - 1
        return rows

    def _bounded_tail(self, look: str) -> list[Row] | None:
        """The end of one long open block; None when it is no longer that."""
        assert self._bounded is not None
        blocks = self._parse(look).blocks
        return self._rows(blocks)[0] if self._bounded.still(blocks, look) else None

    def _cut(self, lines: int, parsed: Parsed) -> None:
        """The first lines are done: their definitions hold for what follows."""
        at = 0
        for _ in range(min(lines, self._window.count("\n"))):
            at = self._window.find("\n", at) + 1
        self._window = self._window[at:] if lines < EVERYTHING else ""
        self._bounded = None
        for label, one in parsed.found.items():
            if one["map"][0] < lines:
                self._known[label] = {"href": one["href"], "title": one["title"]}

    def _open_fence(self, block: Block, parsed: Parsed, done: list[Row]) -> bool:
        line = self._window.split("\n", block.begins + 1)[block.begins]
        opener = Opener.of(line, block.tokens[0].info)
        if opener is None:
            return False
        if apart(self._before, block.kind):
            done.append(())
        self._fence = OpenFence(opener)
        done.append(self._fence.first)
        self._before = block.kind
        self._list = None
        self._cut(block.begins + 1, parsed)
        return True

    def _code(self, done: list[Row]) -> bool:
        """Give the open fence its complete lines; whether it was closed by one of them."""
        assert self._fence is not None
        *lines, self._window = self._window.split("\n")
        for number, line in enumerate(lines):
            if self._fence.opener.closed_by(line):
                done += self._fence.close()
                self._fence = None
                self._window = "\n".join([*lines[number + 1 :], self._window])
                return True
            done += self._fence.take(line)
        return False


def finished(blocks: Sequence[Block], complete: int) -> int:
    """How many of the first blocks can no longer change; `complete`: lines that are whole."""
    count = 0
    for block, following in zip_longest(blocks, blocks[1:]):
        ended = block.ends < complete + (block.kind in ENDS_WITH)
        by_itself = ended and block.kind in (*ENDS_BEFORE, *ENDS_WITH)
        if not by_itself and not (following and following.begins < complete):
            break
        count += 1
    # What follows a definition may turn out to be its title, over several lines.
    while 0 < count < len(blocks) and _goes_on(blocks[count - 1], blocks[count]):
        count -= 1
    return count


def _goes_on(one: Block, other: Block) -> bool:
    adjacent = one.ends == other.begins
    return one.kind == "definition" and other.kind == "paragraph_open" and adjacent
