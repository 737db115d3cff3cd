"""Live rows on stderr: a spinner while waiting, and the reasoning until the answer begins.

live_region.py is imported only when there is something to draw, so that a fast answer into a pipe
does not pay for it.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import OutputError
from ..events import Start
from .options import DisplayOptions, is_terminal, takes_color
from .output import OutputStream
from .reasoning import ReasoningOutput
from .sanitize import Sanitizer, sanitize_text

if TYPE_CHECKING:
    from .live_region import LiveRegion
    from .reasoning_rows import ReasoningRows

SPINNER_DELAY_SECONDS = 0.3  # seconds; most local models answer sooner, without a spinner
SPINNER_FRAME_SECONDS = 1 / 12  # seconds
SPINNER_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
DIM = "2"


class LivePanel(ReasoningOutput):
    """Shows a spinner or the reasoning on stderr; draws nothing once the answer has begun."""

    needs_ticks = True

    def __init__(self, options: DisplayOptions) -> None:
        super().__init__(options)
        self._quiet = options.quiet
        self._show_all = options.reasoning == "show"
        self._stderr = OutputStream(2, terminal=True)
        self._colored = takes_color(2, options.color)
        self._live_region: LiveRegion | None = None
        self._reasoning_rows: ReasoningRows | None = None
        self._sanitizer = Sanitizer()
        self._model_label = ""
        self._started_at = time.monotonic()
        self._retry_at = 0.0  # time.monotonic() at which the retry begins
        self._waiting = True
        self._next_draw_at = 0.0

    def show_start(self, event: Start) -> None:
        names = dict.fromkeys(
            name for name in (event.profile or event.provider, event.model) if name
        )
        self._model_label = sanitize_text(" · ".join(names)).replace("\n", " ")

    def show_retry(self, wait: float) -> None:
        self._finish(keep_rows=False)
        self._waiting = True
        self._retry_at = time.monotonic() + wait
        self._next_draw_at = 0.0

    def write(self, text: str) -> None:
        if not self.shows_reasoning or not text:
            self._waiting = True  # the spinner continues: the reasoning is not shown
            return
        if self._reasoning_rows is None:
            from .reasoning_rows import ReasoningRows

            self._reasoning_rows = ReasoningRows(self._show_all)
            self._next_draw_at = 0.0
        self._waiting = False
        self._reasoning_rows.feed(self._sanitizer.feed(text))
        self.tick()

    def tick(self) -> None:
        now = time.monotonic()
        if (
            now < self._next_draw_at
            or not (self._reasoning_rows or self._is_spinning(now))
            or not self._stderr.is_writable()
        ):
            return
        self._next_draw_at = now + SPINNER_FRAME_SECONDS
        with suppress(OSError, OutputError):
            region = self._ensure_region()
            if self._reasoning_rows:
                region.draw(*self._reasoning_rows.take_rows(region.measure_width()))
            else:
                region.measure_width()
                frame = SPINNER_FRAMES[int(now / SPINNER_FRAME_SECONDS) % len(SPINNER_FRAMES)]
                region.draw([], [((f"{frame} {self._format_status(now)}", DIM),)])

    def resume(self) -> None:
        if self._live_region:
            self._live_region.invalidate()

    def suspend(self) -> None:
        self.prepare_for_notice()

    def prepare_for_notice(self) -> None:
        self._next_draw_at = 0.0
        with suppress(OSError, OutputError):
            if self._live_region:
                self._live_region.clear()

    def begin_answer(self) -> None:
        """Collapse the reasoning to one line and remove the spinner."""
        self._finish(keep_rows=False)

    def close(self) -> None:
        """End without an answer: the visible reasoning stays."""
        self._finish(keep_rows=True)

    def _finish(self, keep_rows: bool) -> None:
        self._waiting = False
        self._retry_at = 0.0
        rows, self._reasoning_rows = self._reasoning_rows, None
        with suppress(OSError, OutputError):
            if rows:
                region = self._ensure_region()
                rows.feed(self._sanitizer.end())
                region.repair_interrupted_write()
                blank_after = is_terminal(1) and not keep_rows
                region.draw(rows.end(region.measure_width(), keep_rows, blank_after), [])
            elif self._live_region:
                self._live_region.repair_interrupted_write()
                self._live_region.clear()

    def _is_spinning(self, now: float) -> bool:
        return self._waiting and not self._quiet and now - self._started_at >= SPINNER_DELAY_SECONDS

    def _format_status(self, now: float) -> str:
        """Format the provider and model waited for, and the seconds so far."""
        if self._retry_at > now:
            timing = f"next try in {math.ceil(self._retry_at - now)} s"
        else:
            timing = f"{int(now - max(self._started_at, self._retry_at))} s"
        return f"{self._model_label} · {timing}" if self._model_label else timing

    def _ensure_region(self) -> LiveRegion:
        if self._live_region is None:
            from .live_region import LiveRegion

            self._live_region = LiveRegion(self._stderr, self._colored)
        return self._live_region
