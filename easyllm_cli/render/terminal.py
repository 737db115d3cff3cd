"""On a terminal: the answer grows as it comes, and reasoning stands dim on stderr before it."""

from __future__ import annotations

from ..events import Completion, Event, Reclassified
from . import Look, is_terminal, takes_color
from .plain import AsItComes

DIM = "\x1b[2m"
RESET = "\x1b[0m"


class Terminal(AsItComes):
    """Plain live text on stdout; a dim block for the reasoning on stderr.

    `--reasoning auto` shows it where stderr is a terminal, `show` everywhere.
    """

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        if self.mode == "auto":
            self.mode = "show" if is_terminal(2) else "hide"
        self._dim = takes_color(2, look.color)
        self._began = False

    def event(self, event: Event) -> None:
        if isinstance(event, Reclassified):
            self.err.end_line()
            self.err.codes("easyllm: the text above was the model's reasoning\n")
            return
        super().event(event)

    def _note(self, line: str) -> None:
        self.err.codes(f"{DIM}{line}{RESET}\n" if self._dim else f"{line}\n")

    def _reason(self, text: str) -> None:
        if self.mode == "show" and not self._thinking:
            self._note("reasoning:")
            self.err.codes(DIM if self._dim else "")
        super()._reason(text)

    def _answer_begins(self) -> None:
        if self.mode == "show":
            self.err.end_line()
            self.err.codes(RESET if self._dim else "")
            self.err.codes("\n")
        super()._answer_begins()

    def finish(self, completion: Completion) -> None:
        """Nothing: it all stands on the screen."""
