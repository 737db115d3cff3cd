"""Highlights a fenced code block whose closing fence has not arrived yet."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..spans import Row
from .layout import fence_row
from .syntax import START_STATE, Highlighter, LexerState

FENCE_LINE = re.compile(r"( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)$")
RECOLORABLE_LINES = 10  # last lines that a comment or string may still recolour
SETTLE_THRESHOLD_LINES = 20  # held lines from which the first are released
MAX_HELD_LINES = 200  # held lines after which they are released in any case


@dataclass(frozen=True)
class OpeningFence:
    """The opening fence of a code block."""

    indent: int
    mark: str
    info: str

    @classmethod
    def of(cls, line: str, info: str) -> OpeningFence | None:
        """Parse an opening fence; `info` is its info string from the Markdown parser."""
        match = FENCE_LINE.match(line)
        return cls(len(match[1]), match[2], info.strip()) if match else None

    def is_closed_by(self, line: str) -> bool:
        """Whether the line is the closing fence."""
        stripped = line.strip(" \t")
        indent = len(line) - len(line.lstrip(" "))
        long_enough = len(stripped) >= len(self.mark) and not stripped.strip(self.mark[0])
        return indent < 4 and stripped != "" and long_enough

    def remove_indent(self, line: str) -> str:
        """Remove up to the fence's indentation from the line."""
        indent = len(line) - len(line.lstrip(" "))
        return line[min(indent, self.indent) :]


class OpenCodeBlock:
    """Turns complete code lines into rows.

    The last lines are held back, since a comment or string that ends later may recolour them.
    """

    def __init__(self, opener: OpeningFence) -> None:
        self.opener = opener
        self.first_row = fence_row(opener.info)
        self._highlighter = Highlighter(opener.info)
        self._held_lines: list[str] = []
        self._state_before: LexerState = START_STATE  # before the first held line
        self._preview_rows: list[Row] = []
        self._state_after: LexerState = START_STATE  # after the last one, if known

    def add_line(self, line: str) -> list[Row]:
        """Add a line of code; return the rows that are finished."""
        line = self.opener.remove_indent(line)
        rows, states = self._highlighter.highlight_lines([line], self._state_after)
        self._state_after = states[0] or self._state_after
        self._preview_rows += rows
        self._held_lines.append(line)
        return self._release_rows() if len(self._held_lines) % RECOLORABLE_LINES == 0 else []

    def close(self) -> list[Row]:
        """Return the held rows and the row of the closing fence."""
        rows, _ = self._highlighter.highlight_lines(self._held_lines, self._state_before)
        return [*rows, fence_row()]

    def tail_rows(self, unfinished: str) -> list[Row]:
        """Return the held rows and the row of the unfinished line."""
        if not unfinished.strip(" " + self.opener.mark[0]):
            return list(self._preview_rows)
        return [*self._preview_rows, ((self.opener.remove_indent(unfinished), ""),)]

    def _release_rows(self) -> list[Row]:
        """Release all but the last lines, up to a line end at which the lexer can resume."""
        if len(self._held_lines) < SETTLE_THRESHOLD_LINES:
            return []
        rows, states = self._highlighter.highlight_lines(self._held_lines, self._state_before)
        settled = len(self._held_lines) - RECOLORABLE_LINES
        count = next((n for n in range(settled, 0, -1) if states[n - 1] is not None), 0)
        if not count and len(self._held_lines) >= MAX_HELD_LINES:
            count = settled
        if count:
            self._state_before = states[count - 1] or self._state_before
        self._held_lines = self._held_lines[count:]
        self._preview_rows = rows[count:]
        self._state_after = states[-1] or self._state_after
        return rows[:count]
