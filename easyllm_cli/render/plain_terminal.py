"""On a terminal without Markdown: the answer grows as it comes, and nothing in it can steer."""

from __future__ import annotations

from ..completion import Completion
from ..events import Event, Reclassified
from .output import complain
from .plain import AsItComes


class Terminal(AsItComes):
    """Plain live text on stdout. What turns out to be reasoning is said, since it is seen."""

    def event(self, event: Event) -> None:
        if isinstance(event, Reclassified):
            self.out.end_line()
            complain("easyllm: the text above was the model's reasoning; the answer follows")
            return
        super().event(event)

    def finish(self, completion: Completion) -> None:
        """Nothing: it all stands on the screen."""
