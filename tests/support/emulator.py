"""What a terminal shows after some bytes, what has scrolled off it included (pyte)."""

import re
from collections.abc import Mapping
from typing import Any

import pyte
from pyte.screens import Char


class Emulator(pyte.Screen):
    """A screen that keeps every row that leaves it at the top."""

    def __init__(self, columns: int, rows: int) -> None:
        self.gone: list[dict[int, Char]] = []
        super().__init__(columns, rows)
        self._bytes = pyte.ByteStream(self)

    def index(self) -> None:
        if self.cursor.y == self.lines - 1:
            self.gone.append(dict(self.buffer[0]))
        super().index()

    def draw(self, data: str) -> None:
        """pyte loses what follows a joiner or a variant selector in one write."""
        for part in re.split("([\u200d\ufe0e\ufe0f])", data):
            super().draw(part)

    def read(self, data: bytes) -> None:
        """More bytes of a program, LF as CR LF as a terminal's driver makes it."""
        self._bytes.feed(data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

    def cells(self) -> list[Mapping[int, Char]]:
        """All rows, those that have left the screen first; characters by column."""
        return [*self.gone, *(dict(self.buffer[y]) for y in range(self.lines))]

    def text(self) -> list[str]:
        """All rows, without blanks at their end and blank rows at the end."""
        return (
            "\n".join(
                "".join(row[x].data if x in row else " " for x in range(self.columns)).rstrip()
                for row in self.cells()
            )
            .rstrip("\n")
            .split("\n")
        )

    def select_graphic_rendition(self, *attributes: int, **more: Any) -> None:
        """pyte knows no dim: it is kept as blinking, which nothing here uses."""
        dimmed = (5 if one == 2 else one for one in attributes)
        super().select_graphic_rendition(*dimmed, **more)

    def styles(self) -> list[list[Char]]:
        """Each character of `text` with its colour, bold, dim (as blinking) and so on."""
        return [[one for _, one in sorted(row.items()) if one.data.strip()] for row in self.cells()]

    @property
    def resting(self) -> bool:
        """Whether it is as a shell expects it: autowrap on, plain, the cursor on a fresh line."""
        modes = pyte.modes.DECAWM in self.mode and pyte.modes.DECTCEM in self.mode
        plain = self.cursor.attrs == self.default_char
        return bool(modes and plain and self.cursor.x == 0)


def emulate_terminal(data: str | bytes, columns: int = 80, rows: int = 24) -> Emulator:
    """The screen after all of it."""
    emulator = Emulator(columns, rows)
    emulator.read(data.encode() if isinstance(data, str) else data)
    return emulator
