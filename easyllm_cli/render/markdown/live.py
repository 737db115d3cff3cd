"""A Markdown answer that grows on a terminal, drawn often enough and never all the time."""

from __future__ import annotations

import time

from ..live_region import LiveRegion
from ..output import OutputStream
from ..sanitize import Sanitizer
from .document import Document

MIN_FRAME_SECONDS = 1 / 15  # seconds between two frames, at least
IDLE_TO_CPU_RATIO = 8  # times a frame's own CPU: at most a ninth of a core


class LiveMarkdown:
    """`frame`: seconds between two frames, 0 = one for every piece of text."""

    def __init__(
        self, stream: OutputStream, colored: bool, frame_seconds: float = MIN_FRAME_SECONDS
    ) -> None:
        self._region = LiveRegion(stream, colored)
        self._document = Document(self._region.measure_width())
        self._sanitizer = Sanitizer()
        self._frame_seconds = frame_seconds
        self._next_draw_at = 0.0
        self._has_undrawn_text = False

    def write(self, text: str) -> None:
        """A piece of the answer; raises as Stream.write."""
        self._document.feed(self._sanitizer.feed(text))
        self._has_undrawn_text = True
        self.tick()

    def tick(self) -> None:
        """Draw what is not seen yet, if it is time."""
        if time.monotonic() < self._next_draw_at:
            return
        self._document.width = self._region.measure_width()
        if self._has_undrawn_text or self._region.stale:
            self._draw()

    def clear_tail(self) -> None:
        """Something else is written: the open tail makes room and comes back below it."""
        self._region.clear()
        self._next_draw_at = 0.0

    def resume(self) -> None:
        """The process was stopped for a while: see Region.forget."""
        self._region.invalidate()
        self._next_draw_at = 0.0

    def end(self) -> None:
        """Everything that came stands there for good."""
        self._document.feed(self._sanitizer.end())
        self._region.repair_interrupted_write()
        self._document.width = self._region.measure_width()
        self._region.draw(self._document.end(), [])

    def _draw(self) -> None:
        start = time.process_time()
        self._region.draw(*self._document.take_rows())
        self._has_undrawn_text = False
        cpu_seconds = time.process_time() - start
        pause = (
            max(self._frame_seconds, IDLE_TO_CPU_RATIO * cpu_seconds) if self._frame_seconds else 0
        )
        self._next_draw_at = time.monotonic() + pause
