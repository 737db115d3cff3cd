"""Draws a streamed Markdown answer on a terminal, with a limited frame rate."""

from __future__ import annotations

import time

from ..live_region import LiveRegion
from ..output import OutputStream
from ..sanitize import Sanitizer
from .document import Document

MIN_FRAME_SECONDS = 1 / 15  # minimum seconds between two frames
IDLE_TO_CPU_RATIO = 8  # pause after a frame per CPU second it took: at most 1/9 of a core


class LiveMarkdown:
    """Live Markdown on `stream`.

    `frame_seconds`: minimum seconds between two frames; 0 = one frame per delta.
    """

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
        """Add a delta of the answer; raises as `OutputStream.write`."""
        self._document.feed(self._sanitizer.feed(text))
        self._has_undrawn_text = True
        self.tick()

    def tick(self) -> None:
        """Draw a frame if one is due and something changed."""
        if time.monotonic() < self._next_draw_at:
            return
        self._document.width = self._region.measure_width()
        if self._has_undrawn_text or self._region.stale:
            self._draw()

    def clear_tail(self) -> None:
        """Erase the open tail so that other text can be written; it is redrawn below."""
        self._region.clear()
        self._next_draw_at = 0.0

    def resume(self) -> None:
        """Redraw after the process was suspended; see `LiveRegion.invalidate`."""
        self._region.invalidate()
        self._next_draw_at = 0.0

    def end(self) -> None:
        """Draw the rest of the answer as finished rows."""
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
