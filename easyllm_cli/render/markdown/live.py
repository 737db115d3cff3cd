"""A Markdown answer that grows on a terminal, drawn often enough and never all the time."""

from __future__ import annotations

import time

from ..live_region import Region
from ..output import Stream
from ..sanitize import Neutraliser
from .document import Document

FRAME = 1 / 15  # seconds between two frames, at least
SHARE = 8  # times a frame's own CPU: at most a ninth of a core


class LiveMarkdown:
    """`frame`: seconds between two frames, 0 = one for every piece of text."""

    def __init__(self, stream: Stream, colored: bool, frame: float = FRAME) -> None:
        self._region = Region(stream, colored)
        self._document = Document(self._region.measure())
        self._neutral = Neutraliser()
        self._frame = frame
        self._due = 0.0
        self._unseen = False

    def write(self, text: str) -> None:
        """A piece of the answer; raises as Stream.write."""
        self._document.feed(self._neutral.feed(text))
        self._unseen = True
        self.tick()

    def tick(self) -> None:
        """Draw what is not seen yet, if it is time."""
        if time.monotonic() < self._due:
            return
        self._document.width = self._region.measure()
        if self._unseen or self._region.stale:
            self._draw()

    def lift(self) -> None:
        """Something else is written: the open tail makes room and comes back below it."""
        self._region.lift()
        self._due = 0.0

    def resume(self) -> None:
        """The process was stopped for a while: see Region.forget."""
        self._region.forget()
        self._due = 0.0

    def end(self) -> None:
        """Everything that came stands there for good."""
        self._document.feed(self._neutral.end())
        self._region.restore()
        self._document.width = self._region.measure()
        self._region.frame(self._document.end(), [])

    def _draw(self) -> None:
        began = time.process_time()
        self._region.frame(*self._document.step())
        self._unseen = False
        used = time.process_time() - began
        gap = max(self._frame, SHARE * used) if self._frame else 0
        self._due = time.monotonic() + gap
