"""Reasoning on stderr: a dim block on a terminal as it comes, plain text elsewhere."""

from __future__ import annotations

from contextlib import suppress

from ..errors import OutputError
from . import Look, is_terminal, takes_color
from .output import Stream

DIM = "\x1b[2m"
RESET = "\x1b[0m"


class ReasoningBlock:
    """`wanted`: auto = where stderr is a terminal, show = always; `live`: somebody watches it."""

    def __init__(self, look: Look) -> None:
        self.live = is_terminal(2)
        self.wanted = look.reasoning == "show" or (look.reasoning == "auto" and self.live)
        self._out = Stream(2, self.live)
        dim = self.live and takes_color(2, look.color)
        self._begin, self._end = (DIM, RESET) if dim else ("", "")
        self._open = False

    def write(self, text: str) -> None:
        """A piece of reasoning."""
        if not self.wanted:
            return
        if not self._open and self.live:
            with suppress(OSError, OutputError):
                self._out.codes(f"{self._begin}thinking …\n")
        self._open = True
        with suppress(OSError, OutputError):  # a broken stderr takes nothing from the answer
            self._out.write(text)

    def interrupt(self) -> None:
        """A line of ours comes in between: it begins on a line of its own."""
        if self._open and self.live:
            with suppress(OSError, OutputError):
                self._out.end_line()

    def close(self) -> None:
        """The reasoning is over: its line ended, a blank line before the answer on a terminal."""
        if not self._open:
            return
        self._open = False
        with suppress(OSError, OutputError):
            self._out.end_line()
            self._out.codes(f"{self._end}\n" if self.live else "")
