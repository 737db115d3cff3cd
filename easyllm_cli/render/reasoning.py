"""What stands beside the answer, on stderr; here as text: reasoning as it comes, and no more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress

from ..errors import OutputError
from ..events import Start
from .options import DisplayOptions, is_terminal, takes_color
from .output import OutputStream

DIM_CODE = "\x1b[2m"
RESET_CODE = "\x1b[0m"


class ReasoningOutput(ABC):
    """`watched`: somebody sees it at once; `wanted`: reasoning is shown here; `ticks`: it moves.

    A stderr that is broken takes nothing from the answer: no method raises for it.
    """

    needs_ticks = False

    def __init__(self, options: DisplayOptions) -> None:
        self.on_terminal = is_terminal(2)
        self.shows_reasoning = options.reasoning == "show" or (
            options.reasoning == "auto" and self.on_terminal
        )

    def show_start(self, event: Start) -> None:
        """Somebody is asked now."""

    def show_retry(self, wait: float) -> None:
        """They are asked again in so many seconds: what came so far counts for nothing."""

    @abstractmethod
    def write(self, text: str) -> None:
        """A piece of reasoning; "" = there is some, and the provider keeps it."""

    def write_complete(self, text: str) -> None:
        """All of the reasoning at once."""
        self.write(text)

    def tick(self) -> None:
        """Time has passed."""

    def resume(self) -> None:
        """The process was stopped for a while, and others have written in between."""

    @abstractmethod
    def prepare_for_notice(self) -> None:
        """A line of ours comes in between: it begins on a line of its own."""

    def begin_answer(self) -> None:
        """The answer's first piece is written next."""
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Nothing more comes; what stands there stays."""


class PlainReasoningOutput(ReasoningOutput):
    """The text as it comes, dim on a terminal; a blank line before the answer there."""

    def __init__(self, options: DisplayOptions) -> None:
        super().__init__(options)
        self._stderr = OutputStream(2, self.on_terminal)
        dim = self.on_terminal and takes_color(2, options.color)
        self._style_on, self._style_off = (DIM_CODE, RESET_CODE) if dim else ("", "")
        self._open = False

    def write(self, text: str) -> None:
        if not self.shows_reasoning or not text:
            return
        if not self._open and self.on_terminal:
            with suppress(OSError, OutputError):
                self._stderr.write_raw(f"{self._style_on}thinking …\n")
        self._open = True
        with suppress(OSError, OutputError):
            self._stderr.write(text)

    def write_complete(self, text: str) -> None:
        """In one write with its newline, so that no line of another command stands in it."""
        if self.on_terminal or self._open:
            self.write(text)
        elif self.shows_reasoning:
            with suppress(OSError, OutputError):
                self._stderr.write_complete(text)

    def prepare_for_notice(self) -> None:
        if self._open and self.on_terminal:
            with suppress(OSError, OutputError):
                self._stderr.end_line()

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        with suppress(OSError, OutputError):
            self._stderr.end_line()
            self._stderr.write_raw(f"{self._style_off}\n" if self.on_terminal else "")
