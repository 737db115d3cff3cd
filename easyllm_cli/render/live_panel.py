"""Live rows on stderr: who is waited for, and the reasoning until the answer begins.

It draws with live_region.py, which is loaded when there is something to draw: an answer that comes
at once into a pipe costs no more because somebody could have watched it wait.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import OutputError
from ..events import Start
from .options import Look, is_terminal, takes_color
from .output import Stream
from .reasoning import Aside
from .sanitize import Neutraliser, neutral

if TYPE_CHECKING:
    from .live_region import Region
    from .reasoning_rows import Thoughts

PATIENCE = 0.3  # seconds before the spinner is shown: most local models answer sooner
FRAME = 1 / 12  # seconds
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
DIM = "2"


class Panel(Aside):
    """Waiting, thinking or at rest; at rest nothing of it stands on the screen."""

    ticks = True

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._quiet = look.quiet
        self._whole = look.reasoning == "show"
        self._out = Stream(2, terminal=True)
        self._colored = takes_color(2, look.color)
        self._drawn: Region | None = None
        self._thoughts: Thoughts | None = None
        self._neutral = Neutraliser()
        self._who = ""
        self._began = time.monotonic()
        self._again = 0.0  # when the next try begins
        self._waiting = True
        self._due = 0.0

    def start(self, who: Start) -> None:
        names = dict.fromkeys(one for one in (who.profile or who.provider, who.model) if one)
        self._who = neutral(" · ".join(names)).replace("\n", " ")

    def retry(self, wait: float) -> None:
        self._end(kept=False)
        self._waiting = True
        self._again = time.monotonic() + wait
        self._due = 0.0

    def write(self, text: str) -> None:
        if not self.wanted or not text:
            self._waiting = True  # the spinner goes on: the model thinks and shows nothing
            return
        if self._thoughts is None:
            from .reasoning_rows import Thoughts

            self._thoughts = Thoughts(self._whole)
            self._due = 0.0
        self._waiting = False
        self._thoughts.feed(self._neutral.feed(text))
        self.tick()

    def tick(self) -> None:
        now = time.monotonic()
        if now < self._due or not (self._thoughts or self._spins(now)) or not self._out.ready():
            return
        self._due = now + FRAME
        with suppress(OSError, OutputError):
            region = self._region()
            if self._thoughts:
                region.frame(*self._thoughts.rows(region.measure()))
            else:
                region.measure()
                frame = SPINNER[int(now / FRAME) % len(SPINNER)]
                region.frame([], [((f"{frame} {self._state(now)}", DIM),)])

    def resume(self) -> None:
        if self._drawn:
            self._drawn.forget()

    def interrupt(self) -> None:
        self._due = 0.0
        with suppress(OSError, OutputError):
            if self._drawn:
                self._drawn.lift()

    def answer_begins(self) -> None:
        """The reasoning collapses to one line, the spinner goes."""
        self._end(kept=False)

    def close(self) -> None:
        """No answer came: the reasoning that is seen stays."""
        self._end(kept=True)

    def _end(self, kept: bool) -> None:
        self._waiting = False
        self._again = 0.0
        thoughts, self._thoughts = self._thoughts, None
        with suppress(OSError, OutputError):
            if thoughts:
                region = self._region()
                thoughts.feed(self._neutral.end())
                region.restore()
                blank = is_terminal(1) and not kept
                region.frame(thoughts.end(region.measure(), kept, blank), [])
            elif self._drawn:
                self._drawn.restore()
                self._drawn.lift()

    def _spins(self, now: float) -> bool:
        return self._waiting and not self._quiet and now - self._began >= PATIENCE

    def _state(self, now: float) -> str:
        """Who is waited for, and how long."""
        if self._again > now:
            since = f"next try in {math.ceil(self._again - now)} s"
        else:
            since = f"{int(now - max(self._began, self._again))} s"
        return f"{self._who} · {since}" if self._who else since

    def _region(self) -> Region:
        if self._drawn is None:
            from .live_region import Region

            self._drawn = Region(self._out, self._colored)
        return self._drawn
