"""What stands beside the answer, on stderr; here as text: reasoning as it comes, and no more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress

from ..errors import OutputError
from ..events import Start
from .options import Look, is_terminal, takes_color
from .output import Stream

DIM = "\x1b[2m"
RESET = "\x1b[0m"


class Aside(ABC):
    """`watched`: somebody sees it at once; `wanted`: reasoning is shown here; `ticks`: it moves.

    A stderr that is broken takes nothing from the answer: no method raises for it.
    """

    ticks = False

    def __init__(self, look: Look) -> None:
        self.watched = is_terminal(2)
        self.wanted = look.reasoning == "show" or (look.reasoning == "auto" and self.watched)

    def start(self, who: Start) -> None:
        """Somebody is asked now."""

    def retry(self, wait: float) -> None:
        """They are asked again in so many seconds: what came so far counts for nothing."""

    @abstractmethod
    def write(self, text: str) -> None:
        """A piece of reasoning; "" = there is some, and the provider keeps it."""

    def whole(self, text: str) -> None:
        """All of the reasoning at once."""
        self.write(text)

    def tick(self) -> None:
        """Time has passed."""

    def resume(self) -> None:
        """The process was stopped for a while, and others have written in between."""

    @abstractmethod
    def interrupt(self) -> None:
        """A line of ours comes in between: it begins on a line of its own."""

    def answer_begins(self) -> None:
        """The answer's first piece is written next."""
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Nothing more comes; what stands there stays."""


class ReasoningBlock(Aside):
    """The text as it comes, dim on a terminal; a blank line before the answer there."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._out = Stream(2, self.watched)
        dim = self.watched and takes_color(2, look.color)
        self._begin, self._end = (DIM, RESET) if dim else ("", "")
        self._open = False

    def write(self, text: str) -> None:
        if not self.wanted or not text:
            return
        if not self._open and self.watched:
            with suppress(OSError, OutputError):
                self._out.codes(f"{self._begin}thinking …\n")
        self._open = True
        with suppress(OSError, OutputError):
            self._out.write(text)

    def whole(self, text: str) -> None:
        """In one write with its newline, so that no line of another command stands in it."""
        if self.watched or self._open:
            self.write(text)
        elif self.wanted:
            with suppress(OSError, OutputError):
                self._out.whole(text)

    def interrupt(self) -> None:
        if self._open and self.watched:
            with suppress(OSError, OutputError):
                self._out.end_line()

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        with suppress(OSError, OutputError):
            self._out.end_line()
            self._out.codes(f"{self._end}\n" if self.watched else "")
