"""Shows a batch while it runs: a live line, a plain line every 10 seconds, or JSON lines."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ..batch.output_rows import RowResult
from ..batch.progress import Progress
from ..batch.rows import Row
from ..errors import OutputError
from ..render.batch_progress import BatchFigures, LiveLine, format_figures, print_error_table
from ..render.json import error_object, format_json_line, redact_values
from ..render.options import can_move_cursor
from ..render.output import OutputStream, print_notice

LIVE_SECONDS = 0.2  # between two drawings of the line
PLAIN_SECONDS = 10.0  # between two lines where stderr is no terminal
RATE_SECONDS = 10.0  # of which the rates are those


class BatchDisplay:
    """Shows the progress of one run on stderr, and with `jsonl` its events on stdout."""

    def __init__(
        self, progress: Progress, *, jsonl: bool, quiet: bool, max_cost: float | None
    ) -> None:
        self.progress = progress
        self.in_flight: Callable[[], int] = lambda: 0
        self._quiet = quiet
        self._max_cost = max_cost
        self._live = LiveLine() if can_move_cursor(2) and not quiet else None
        self._stdout = OutputStream(1, terminal=False) if jsonl else None
        self._samples: deque[tuple[float, int, int]] = deque()  # time, rows, tokens
        if self._stdout is not None:
            progress.on_row = self._write_row
            progress.on_pacing = self.write_event

    def write_event(self, kind: str, **fields: Any) -> None:
        """Write an event of --jsonl. Raises as `OutputStream.write`."""
        if self._stdout is not None:
            self._stdout.write(format_json_line({"kind": kind, **redact_values(fields)}))

    def note(self, text: str) -> None:
        """Print a note above the live line."""
        if not self._quiet:
            self._clear()
            print_notice(f"easyllm: {text}")

    async def run(self) -> None:
        """Show the progress until the task is cancelled."""
        if self._quiet:
            return
        last_line = time.monotonic()
        while True:
            await asyncio.sleep(LIVE_SECONDS)
            if self._live is not None:
                try:
                    self._live.show(self._figures())
                except (OSError, OutputError):
                    return  # the terminal is gone
            elif time.monotonic() - last_line >= PLAIN_SECONDS:
                last_line = time.monotonic()
                print_notice(f"easyllm: {format_figures(self._figures())}")

    def end(self) -> None:
        """Remove the live line, and print the last figures and the errors by kind."""
        self._clear()
        was_short = self._live is None and self.progress.seconds < PLAIN_SECONDS
        if self._quiet or not self.progress.done or (was_short and not self.progress.failed):
            return
        self._samples.clear()  # rates of the whole run
        figures = self._figures()
        figures.left, figures.projected, figures.pause = None, None, 0.0
        print_notice(f"easyllm: {format_figures(figures)}")
        print_error_table(self.progress.errors, self.progress.first_errors)

    def _clear(self) -> None:
        if self._live is not None:
            try:
                self._live.clear()
            except (OSError, OutputError):
                self._live = None

    def _figures(self) -> BatchFigures:
        progress, figures = self.progress, BatchFigures()
        usage = progress.usage
        tokens = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        figures.rate, figures.token_rate = self._measure(progress.done, tokens)
        figures.done = progress.skipped + progress.done
        figures.failed = progress.failed
        figures.total = progress.total
        figures.in_flight = self.in_flight()
        figures.left = progress.seconds_left()
        figures.pause = max(0.0, progress.paused_until - time.monotonic())
        figures.cost, figures.max_cost = progress.cost_usd, self._max_cost
        if figures.cost and figures.total and progress.done:
            figures.projected = figures.cost * (figures.total - progress.skipped) / progress.done
        return figures

    def _measure(self, rows: int, tokens: int) -> tuple[float, float]:
        """Rows and tokens a second, over the last RATE_SECONDS."""
        now = time.monotonic()
        if not self._samples:
            self._samples.append((now - self.progress.seconds, 0, 0))
        self._samples.append((now, rows, tokens))
        while len(self._samples) > 2 and now - self._samples[1][0] >= RATE_SECONDS:
            self._samples.popleft()
        then, rows_then, tokens_then = self._samples[0]
        seconds = max(now - then, 0.001)
        return (rows - rows_then) / seconds, (tokens - tokens_then) / seconds

    def _write_row(self, row: Row, result: RowResult) -> None:
        self.write_event(
            "row", index=row.index, custom_id=row.custom_id, ok=result.error is None,
            attempts=result.attempts, ms=result.ms, cost_usd=result.cost_usd,
            error=error_object(result.error) if result.error else None,
        )  # fmt: skip
