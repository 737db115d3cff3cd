"""A code block that is still open: every line is coloured once, the last ones may still change."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..spans import Row
from .layout import fence_row
from .syntax import START, Lexer, State

OPENER = re.compile(r"( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)$")
HELD = 10  # lines that a comment or a string may still recolour
BATCH = 20  # lines that are held before the first of them are done
MOST = 200  # lines that one comment or string may hold back


@dataclass(frozen=True)
class Opener:
    """The line that began it."""

    indent: int
    mark: str
    info: str

    @classmethod
    def of(cls, line: str, info: str) -> Opener | None:
        """`info` as the parser understood it."""
        match = OPENER.match(line)
        return cls(len(match[1]), match[2], info.strip()) if match else None

    def closed_by(self, line: str) -> bool:
        """Whether the line is the closing fence."""
        bare = line.strip(" \t")
        indent = len(line) - len(line.lstrip(" "))
        enough = len(bare) >= len(self.mark) and not bare.strip(self.mark[0])
        return indent < 4 and bare != "" and enough

    def within(self, line: str) -> str:
        """The line without as much indentation as the fence has."""
        indent = len(line) - len(line.lstrip(" "))
        return line[min(indent, self.indent) :]


class OpenFence:
    """Takes complete lines; gives the rows that are done."""

    def __init__(self, opener: Opener) -> None:
        self.opener = opener
        self.first = fence_row(opener.info)
        self._lexer = Lexer(opener.info)
        self._held: list[str] = []
        self._state: State = START  # before the first line that is held
        self._preview: list[Row] = []
        self._ahead: State = START  # after the last one, as far as one can tell

    def take(self, line: str) -> list[Row]:
        """A line of code."""
        line = self.opener.within(line)
        rows, states = self._lexer.batch([line], self._ahead)
        self._ahead = states[0] or self._ahead
        self._preview += rows
        self._held.append(line)
        return self._settle() if len(self._held) % HELD == 0 else []

    def close(self) -> list[Row]:
        """The rows that were held, and the closing fence."""
        rows, _ = self._lexer.batch(self._held, self._state)
        return [*rows, fence_row()]

    def tail(self, unfinished: str) -> list[Row]:
        """The lines that are held, and the one that is being written."""
        if not unfinished.strip(" " + self.opener.mark[0]):
            return list(self._preview)
        return [*self._preview, ((self.opener.within(unfinished), ""),)]

    def _settle(self) -> list[Row]:
        """Done is all but the last lines, up to where the lexer can stop between two lines."""
        if len(self._held) < BATCH:
            return []
        rows, states = self._lexer.batch(self._held, self._state)
        most = len(self._held) - HELD
        count = next((n for n in range(most, 0, -1) if states[n - 1] is not None), 0)
        if not count and len(self._held) >= MOST:
            count = most
        if count:
            self._state = states[count - 1] or self._state
        self._held = self._held[count:]
        self._preview = rows[count:]
        self._ahead = states[-1] or self._ahead
        return rows[:count]
