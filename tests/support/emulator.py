"""A terminal emulator (pyte) that also keeps the rows that scrolled off the screen."""

import re
from collections.abc import Mapping
from typing import Any

import pyte
from pyte.screens import Char


class Emulator(pyte.Screen):
    """A screen that keeps every row that scrolls off at the top, in `gone`."""

    def __init__(self, columns: int, rows: int) -> None:
        self.gone: list[dict[int, Char]] = []
        super().__init__(columns, rows)
        self._bytes = pyte.ByteStream(self)

    def index(self) -> None:
        if self.cursor.y == self.lines - 1:
            self.gone.append(dict(self.buffer[0]))
        super().index()

    def draw(self, data: str) -> None:
        """Split the text first: pyte loses what follows a joiner or a variation selector."""
        for part in re.split("([\u200d\ufe0e\ufe0f])", data):
            super().draw(part)

    def read(self, data: bytes) -> None:
        """Take more output of a program; LF becomes CR LF, as in a terminal's driver."""
        self._bytes.feed(data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

    def cells(self) -> list[Mapping[int, Char]]:
        """Return all rows, those that scrolled off first; each maps columns to characters."""
        return [*self.gone, *(dict(self.buffer[y]) for y in range(self.lines))]

    def text(self) -> list[str]:
        """Return all rows as text, without trailing blanks and trailing blank rows."""
        return (
            "\n".join(
                "".join(row[x].data if x in row else " " for x in range(self.columns)).rstrip()
                for row in self.cells()
            )
            .rstrip("\n")
            .split("\n")
        )

    def select_graphic_rendition(self, *attributes: int, **more: Any) -> None:
        """Record dim, which pyte does not know, as blinking, which easyllm does not use."""
        mapped = (5 if attribute == 2 else attribute for attribute in attributes)
        super().select_graphic_rendition(*mapped, **more)

    def styles(self) -> list[list[Char]]:
        """Return each visible character with its style; dim appears as blinking."""
        return [
            [char for _, char in sorted(row.items()) if char.data.strip()] for row in self.cells()
        ]

    @property
    def resting(self) -> bool:
        """Whether the state suits a shell: autowrap on, cursor visible, plain style, new line."""
        modes = pyte.modes.DECAWM in self.mode and pyte.modes.DECTCEM in self.mode
        plain = self.cursor.attrs == self.default_char
        return bool(modes and plain and self.cursor.x == 0)


def emulate_terminal(data: str | bytes, columns: int = 80, rows: int = 24) -> Emulator:
    """Return the screen after all this output."""
    emulator = Emulator(columns, rows)
    emulator.read(data.encode() if isinstance(data, str) else data)
    return emulator
