"""Interface of reasoning output on stderr (`ReasoningOutput`), and its plain-text version."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress

from ..errors import OutputError
from ..events import Start
from .options import (
    DIM_CODE,
    RESET_CODE,
    DisplayOptions,
    is_terminal,
    paint,
    takes_color,
)
from .output import OutputStream
from .sanitize import sanitize_text


class ReasoningOutput(ABC):
    """Shows the reasoning, and the wait for the answer, on stderr.

    `on_terminal`: stderr is a terminal. `shows_reasoning`: the options ask for reasoning on
    stderr. `needs_ticks`: `tick` must be called regularly. No method raises when stderr cannot be
    written: the answer must not fail for it.
    """

    needs_ticks = False

    def __init__(self, options: DisplayOptions) -> None:
        self.on_terminal = is_terminal(2)
        self.shows_reasoning = options.reasoning == "show" or (
            options.reasoning == "auto" and self.on_terminal
        )

    def show_start(self, event: Start) -> None:
        """Note the provider and model to which a request is sent."""

    def show_retry(self, wait: float) -> None:
        """Announce a retry in `wait` seconds and discard the reasoning so far."""

    @abstractmethod
    def write(self, text: str) -> None:
        """Add a reasoning delta; "" = the model reasons and the provider hides the text."""

    def write_complete(self, text: str) -> None:
        """Write the complete reasoning."""
        self.write(text)

    def tick(self) -> None:
        """Update what changes with time, such as a spinner."""

    def resume(self) -> None:
        """Redraw after the process was suspended: other programs may have written meanwhile."""

    def suspend(self) -> None:
        """Erase the rows that will be drawn again, before the process is suspended."""

    @abstractmethod
    def prepare_for_notice(self) -> None:
        """Make room for a notice on stderr, which needs a line of its own."""

    def begin_answer(self) -> None:
        """Finish the reasoning before the answer's first text is written."""
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Finish the output; what is on the screen stays."""


class PlainReasoningOutput(ReasoningOutput):
    """Writes reasoning as it arrives; on a terminal dim, with a blank line before the answer."""

    def __init__(self, options: DisplayOptions) -> None:
        super().__init__(options)
        self._stderr = OutputStream(2, self.on_terminal)
        self._dims = takes_color(2, options.color)
        dim = self.on_terminal and self._dims
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
        """Write everything in one write, so that lines of other commands do not mix in."""
        if self.on_terminal or self._open:
            self.write(text)
        elif self.shows_reasoning:
            text = paint(sanitize_text(text), DIM_CODE) if self._dims else text
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
